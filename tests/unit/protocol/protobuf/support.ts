/**
 * Protobuf sessions over a command layer, for tests.
 *
 * @module
 */

import assert from "node:assert/strict";
import { create, fromBinary, type MessageInitShape, toBinary, toJson } from "@bufbuild/protobuf";
import { ByteWriter, InputBuffer } from "../../../../src/base/bytes.ts";
import type { ProtoFraming } from "../../../../src/protocol/protobuf/framing.ts";
import {
  ClientMessageSchema,
  ServerMessageSchema,
} from "../../../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { ProtoService } from "../../../../src/protocol/protobuf/proto_service.ts";
import { ProtoSession } from "../../../../src/protocol/protobuf/proto_session.ts";
import { SessionStep } from "../../../../src/protocol/session.ts";
import { Count, Harness, type HarnessOptions, request } from "../../command/harness.ts";

/** What a client asks for. */
export type Ask = NonNullable<MessageInitShape<typeof ClientMessageSchema>["message"]>;

/** Encodes a message. */
export function encodeAsk(message: Ask): Uint8Array<ArrayBuffer> {
  return toBinary(ClientMessageSchema, create(ClientMessageSchema, { message }));
}

/** Puts the length in front. */
export function delimited(...messages: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (const message of messages) {
    let rest = message.length;
    for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
    bytes.push(rest);
    for (const byte of message) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Decodes replies that have their length in front; fails when something is left. */
export function decodeReplies(bytes: Uint8Array): unknown[] {
  const replies: unknown[] = [];
  let at = 0;
  while (at < bytes.length) {
    let byteCount = 0;
    for (let shift = 0;; shift += 7) {
      assert.ok(at < bytes.length && shift < 35, "a reply has its length in front");
      const byte = bytes[at++]!;
      byteCount += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    assert.ok(at + byteCount <= bytes.length, "a reply is whole");
    replies.push(decodeReply(bytes.subarray(at, at + byteCount)));
    at += byteCount;
  }
  return replies;
}

/** Decodes one reply. */
export function decodeReply(bytes: Uint8Array): unknown {
  const reply = fromBinary(ServerMessageSchema, bytes);
  assert.equal(reply.$unknown, undefined, "a reply has fields of the schema only");
  return toJson(ServerMessageSchema, reply);
}

/** What a {@link World} may be made with. */
export interface WorldOptions extends HarnessOptions {
  framing?: ProtoFraming;
}

/** A command layer and the Protobuf service in front of it. */
export class World {
  readonly harness: Harness;
  readonly service: ProtoService;
  readonly framing: ProtoFraming;
  readonly crossProtocol: string[] = [];

  constructor({ framing = "delimited", ...options }: WorldOptions = {}) {
    const harness = new Harness(options);
    this.harness = harness;
    this.framing = framing;
    this.service = new ProtoService({
      framing,
      dispatcher: harness.dispatcher,
      table: harness.services.table,
      intake: harness.intake,
      authenticator: harness.authenticator,
      phase: harness.phase,
      maxRequestBytes: harness.maxRequestBytes,
      counters: harness.counters,
      messagesProcessed: Count.COMMANDS,
      onCrossProtocol: ({ address }) => this.crossProtocol.push(address),
      clock: () => harness.nowMs,
    });
  }

  /** Makes a balance, or a key that should have been one. */
  async setBalance(user: string, value: string): Promise<void> {
    assert.equal(await this.harness.ask(request("SET", `balance:${user}`, value)), "+OK\r\n");
  }

  /** Opens a connection whose read buffer starts at `inputBytes`. */
  connect(inputBytes = 64): ProtoClient {
    const origin = { id: 1, address: "127.0.0.1:50000", connectedAtMs: 0 };
    return new ProtoClient(new ProtoSession(this.service, origin), this.framing, inputBytes);
  }
}

/** A client's end: bytes in, replies out. */
export class ProtoClient {
  readonly input: InputBuffer;
  readonly output = new ByteWriter();
  closed = false;
  flushCount = 0;

  constructor(
    readonly session: ProtoSession,
    readonly framing: ProtoFraming,
    inputBytes: number,
  ) {
    this.input = new InputBuffer(inputBytes);
  }

  /** Delivers bytes, in as many reads as the buffer makes of them, and decodes the replies. */
  async send(bytes: Uint8Array): Promise<unknown[]> {
    const replies: unknown[] = [];
    let sent = 0;
    do {
      const space = this.input.space();
      const part = bytes.subarray(sent, sent + space.length);
      space.set(part);
      this.input.commit(part.length);
      sent += part.length;
      replies.push(...await this.#run());
    } while (sent < bytes.length && !this.closed);
    return replies;
  }

  /** Sends bytes cut at `offsets`. */
  async sendCut(bytes: Uint8Array, offsets: readonly number[]): Promise<unknown[]> {
    const replies: unknown[] = [];
    let start = 0;
    for (const end of [...offsets.toSorted((a, b) => a - b), bytes.length]) {
      if (end > start && !this.closed) replies.push(...await this.send(bytes.subarray(start, end)));
      start = end;
    }
    return replies;
  }

  /** Asks for one thing. */
  async ask(message: Ask): Promise<unknown> {
    const bytes = encodeAsk(message);
    const replies = await this.send(this.framing === "delimited" ? delimited(bytes) : bytes);
    assert.equal(replies.length, 1);
    return replies[0];
  }

  async #run(): Promise<unknown[]> {
    const replies: unknown[] = [];
    for (;;) {
      const step = await this.session.process(this.input, this.output);
      const bytes = this.output.view().slice();
      this.output.clear();
      if (this.framing === "delimited") replies.push(...decodeReplies(bytes));
      else if (bytes.length > 0) replies.push(decodeReply(bytes));
      if (step === SessionStep.FLUSH) {
        this.flushCount++;
        continue;
      }
      if (step === SessionStep.CLOSE) this.closed = true;
      return replies;
    }
  }
}
