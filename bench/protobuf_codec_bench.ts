/**
 * Protobuf: what our check of the wire format adds to the generated library, and what whole messages
 * cost between the read and the write.
 *
 * - `decode …`: {@link MessageDecoder}, which checks the bytes and then lets `@bufbuild/protobuf`
 *   decode them, compared with that library alone: the difference is the price of the check, and of
 *   nothing else, since the library is the layer beneath.
 * - `execute …`: a whole session, with the store or a bottomless channel behind it. The layer
 *   beneath is codec and reply, which `Echo` shows.
 *
 * One iteration is {@link BATCH_MESSAGES} messages; divide by that.
 *
 *     deno bench --allow-read --allow-env bench/protobuf_codec_bench.ts
 *
 * @module
 */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { ByteWriter, InputBuffer } from "../src/base/bytes.ts";
import { MessageDecoder } from "../src/protocol/protobuf/codec.ts";
import { ClientMessageSchema } from "../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { ProtoService } from "../src/protocol/protobuf/proto_service.ts";
import { ProtoSession } from "../src/protocol/protobuf/proto_session.ts";
import { SessionStep } from "../src/protocol/session.ts";
import { CounterId, makeServerParts } from "./server_parts.ts";

/** Messages in one pipeline. */
const BATCH_MESSAGES = 64;

/** As the server's decoder sets it; the library alone gets the same. */
const READ_OPTIONS = { readUnknownFields: false };

type Ask = NonNullable<MessageInitShape<typeof ClientMessageSchema>["message"]>;

const ASKS: Record<string, (index: number) => Ask> = {
  Echo: () => ({ case: "echoMessage", value: { content: "hello, world" } }),
  Add: (i) => ({ case: "addRequest", value: { a: i, b: -1000 } }),
  Event: (i) => ({ case: "event", value: { user: `user${i}`, action: "buy", amount: 100n } }),
  Balance: (i) => ({ case: "balanceRequest", value: { user: `user${i}` } }),
};

function makeSession(): ProtoSession {
  const { dispatcher, table, intake, authenticator, phase, counters } = makeServerParts();
  const service = new ProtoService({
    framing: "delimited",
    dispatcher,
    table,
    intake,
    authenticator,
    phase,
    maxRequestBytes: 2 ** 20,
    counters,
    messagesProcessed: CounterId.SESSION,
  });
  return new ProtoSession(service, { id: 1, connectedAtMs: Date.now() });
}

/** A pipeline of one kind of message, as bytes. */
function pipeline(ask: (index: number) => Ask): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (let i = 0; i < BATCH_MESSAGES; i++) {
    const message = create(ClientMessageSchema, { message: ask(i) });
    bytes.push(...sizeDelimitedEncode(ClientMessageSchema, message));
  }
  return Uint8Array.from(bytes);
}

for (const [name, ask] of Object.entries(ASKS)) {
  const bytes = toBinary(ClientMessageSchema, create(ClientMessageSchema, { message: ask(7) }));
  const decoder = new MessageDecoder();
  const group = `decode ${BATCH_MESSAGES} ${name}`;
  Deno.bench({ name: "MessageDecoder: checked, then the library", group }, () => {
    for (let i = 0; i < BATCH_MESSAGES; i++) {
      if (decoder.decode(bytes, 0, bytes.length) === null) throw new Error(decoder.defect);
    }
  });
  Deno.bench({ name: "the library alone", group, baseline: true }, () => {
    for (let i = 0; i < BATCH_MESSAGES; i++) fromBinary(ClientMessageSchema, bytes, READ_OPTIONS);
  });
}

const input = new InputBuffer(16384);
const output = new ByteWriter(16384);
const session = makeSession();
for (const [name, ask] of Object.entries(ASKS)) {
  const bytes = pipeline(ask);
  Deno.bench({
    name: `execute ${BATCH_MESSAGES} ${name}`,
    group: `session, ${BATCH_MESSAGES} messages`,
    baseline: name === "Echo",
  }, () => {
    input.space().set(bytes);
    input.commit(bytes.length);
    while (session.process(input, output) !== SessionStep.NEED_INPUT);
    if (output.length === 0) throw new Error("no reply");
    output.clear();
  });
}
