/**
 * What one Protobuf message costs between the read and the write, by layer: the check of the wire
 * format, decoding, and a whole session with the store or the channel behind it.
 *
 * One iteration is a pipeline of {@link BATCH_MESSAGES} messages; divide by that.
 *
 *     deno bench bench/protobuf_codec_bench.ts
 *
 * @module
 */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { ByteWriter, InputBuffer } from "../src/base/bytes.ts";
import { Authenticator } from "../src/command/authenticator.ts";
import { LocalClients } from "../src/command/client_directory.ts";
import { Dispatcher } from "../src/command/dispatch.ts";
import { type EventChannel, EventIntake } from "../src/command/event_intake.ts";
import { EventWaits } from "../src/command/event_waits.ts";
import { Operations } from "../src/command/operations.ts";
import type { ServerSnapshot } from "../src/command/services.ts";
import { makeCommandTable } from "../src/command/table.ts";
import { MessageDecoder } from "../src/protocol/protobuf/codec.ts";
import { ClientMessageSchema } from "../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { ProtoService } from "../src/protocol/protobuf/proto_service.ts";
import { ProtoSession } from "../src/protocol/protobuf/proto_session.ts";
import { Store } from "../src/store/store.ts";

/** Messages in one pipeline. */
const BATCH_MESSAGES = 64;

type Ask = NonNullable<MessageInitShape<typeof ClientMessageSchema>["message"]>;

const ASKS: Record<string, (index: number) => Ask> = {
  Echo: () => ({ case: "echoMessage", value: { content: "hello, world" } }),
  Add: (i) => ({ case: "addRequest", value: { a: i, b: -1000 } }),
  Event: (i) => ({ case: "event", value: { user: `user${i}`, action: "buy", amount: 100n } }),
  Balance: (i) => ({ case: "balanceRequest", value: { user: `user${i}` } }),
};

/** Takes every job and forgets it: the channel itself has a bench of its own. */
const bottomlessChannel: EventChannel = {
  closed: false,
  depth: 0,
  tryReserve: () => true,
  publish: () => {},
  cancelReservation: () => {},
};

function makeSession(): ProtoSession {
  const store = Store.create({
    shardCount: 64,
    lockKind: "mutex",
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 2,
  });
  const counters = { add: () => {} };
  const phase = { stopping: false };
  const table = makeCommandTable();
  const authenticator = new Authenticator({ password: new Uint8Array(0), counters, failures: 7 });
  const intake = new EventIntake({
    channel: bottomlessChannel,
    credits: { tryAcquire: () => true, release: () => {} },
    phase,
    counters,
    counterIds: {
      received: 0,
      droppedBusy: 1,
      droppedOutOfMemory: 2,
      droppedShuttingDown: 3,
      invalid: 4,
    },
    waits: new EventWaits(0),
    settledTotal: () => 0,
  });
  const dispatcher = new Dispatcher({
    clients: new LocalClients(),
    store,
    intake,
    authenticator,
    table,
    settings: new Map(),
    operations: Operations.alone(table, phase),
    snapshot: () => ({ version: "bench" }) as ServerSnapshot,
    clock: Date.now,
    counters,
    counterIds: { parkedCommands: 5 },
  });
  const service = new ProtoService({
    framing: "delimited",
    dispatcher,
    table,
    intake,
    authenticator,
    phase,
    maxRequestBytes: 2 ** 20,
    counters,
    messagesProcessed: 6,
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
  Deno.bench(`decode ${BATCH_MESSAGES} ${name}, checked`, { group: `decode ${name}` }, () => {
    for (let i = 0; i < BATCH_MESSAGES; i++) {
      if (decoder.decode(bytes, 0, bytes.length) === null) throw new Error(decoder.defect);
    }
  });
  Deno.bench(`decode ${BATCH_MESSAGES} ${name}, library alone`, {
    group: `decode ${name}`,
    baseline: true,
  }, () => {
    for (let i = 0; i < BATCH_MESSAGES; i++) fromBinary(ClientMessageSchema, bytes);
  });
}

const input = new InputBuffer(16384);
const output = new ByteWriter(16384);
const session = makeSession();
for (const [name, ask] of Object.entries(ASKS)) {
  const bytes = pipeline(ask);
  Deno.bench(`execute ${BATCH_MESSAGES} ${name}`, { group: "session" }, () => {
    input.space().set(bytes);
    input.commit(bytes.length);
    while (session.process(input, output) !== 0);
    if (output.length === 0) throw new Error("no reply");
    output.clear();
  });
}
