import assert from "node:assert/strict";
import { appendFrame, Opcode } from "../../../../src/protocol/websocket/frame.ts";
import {
  PING_AFTER_S,
  PONG_WITHIN_S,
  PUSH_WITHIN_S,
} from "../../../../src/protocol/websocket/limits.ts";
import { unmask } from "../../../../src/protocol/websocket/unmask.ts";
import { WRITE_FIRST } from "../../../../src/protocol/websocket/websocket_session.ts";
import { OUTPUT_PAUSE_BYTES, SessionStep } from "../../../../src/protocol/session.ts";
import { close, first, frame, last, ping, text } from "../../../cases/websocket_frames.ts";
import { parseServerFrames } from "../../../helpers/websocket_frames.ts";
import { toLatin1 } from "../http/support.ts";
import { EchoWorld, IDS } from "./support.ts";

Deno.test("unmask: any stretch of any array, by words and by bytes", () => {
  const mask = Uint8Array.of(0x11, 0x80, 0xff, 0x05);
  const buffer = new ArrayBuffer(512);
  for (let offset = 0; offset < 8; offset++) {
    const bytes = new Uint8Array(buffer, offset, 300);
    for (let start = 0; start < 8; start++) {
      for (const end of [start, start + 1, start + 63, 200, 201, 202, 203, 300]) {
        for (let phase = 0; phase < 5; phase++) {
          for (let i = 0; i < bytes.length; i++) bytes[i] = i * 7;
          unmask(bytes, start, end, mask, phase);
          for (let i = 0; i < bytes.length; i++) {
            const key = i >= start && i < end ? mask[(i - start + phase) % 4]! : 0;
            assert.equal(bytes[i], (i * 7 & 255) ^ key, `${offset} ${start} ${end} ${phase} ${i}`);
          }
        }
      }
    }
  }
});

Deno.test("WebSocketSession: messages that come together are answered in one write", async () => {
  const { connection } = new EchoWorld(4096);
  await connection.send(text("a") + ping("b") + text("c"));
  assert.equal(connection.writeCount, 1);
  assert.deepEqual(connection.steps, [SessionStep.NEED_INPUT]);
});

Deno.test("WebSocketSession: midRequest from the first byte of a message to its last", async () => {
  const { connection, session } = new EchoWorld();
  assert.ok(!session.midRequest);
  const bytes = first("he") + ping() + last("llo");
  for (const byte of bytes.slice(0, -1)) {
    await connection.send(byte);
    assert.ok(session.midRequest && session.midBody);
  }
  await connection.send(bytes.slice(-1));
  assert.ok(!session.midRequest && !session.midBody);
});

Deno.test("WebSocketSession: pauses when its output is large, and loses nothing", async () => {
  const { connection } = new EchoWorld(4 * 1024 * 1024);
  const count = Math.ceil(OUTPUT_PAUSE_BYTES / 1000) * 2;
  await connection.send(text("y".repeat(1000)).repeat(count));
  assert.ok(connection.steps.filter((step) => step === SessionStep.FLUSH).length >= 2);
  assert.ok(connection.largestWriteBytes < OUTPUT_PAUSE_BYTES + 1010);
  assert.equal(parseServerFrames(connection.written).length, count);
});

Deno.test("WebSocketSession: many frames that say nothing pause the batch, too", async () => {
  for (
    const bytes of [
      frame(10).repeat(20_000),
      first("") + frame(0, "", { fin: false }).repeat(20_000),
    ]
  ) {
    const { connection, session } = new EchoWorld(1 << 20);
    const input = connection.input;
    input.space().set(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
    input.commit(bytes.length);
    // No time is left.
    const step = await session.process(input, connection.output, 0);
    assert.equal(step, SessionStep.FLUSH);
    assert.ok(input.length > bytes.length / 2, `${input.length} bytes are left`);
    for (
      let i = 0;
      i < 100_000 && await session.process(input, connection.output, 0) === SessionStep.FLUSH;
      i++
    );
    assert.equal(input.length, 0);
  }
});

Deno.test("WebSocketSession: a message that waits holds up what is behind it, not what is in front", async () => {
  const waits: PromiseWithResolvers<void>[] = [];
  const { connection, session } = new EchoWorld(4096, {
    receive: (bytes, start, end, output) => {
      const message = bytes.slice(start, end);
      const answer = (): void => appendFrame(output, Opcode.TEXT, message);
      if (message[0] !== 0x77) return answer();
      if (output.length > 0) return WRITE_FIRST;
      const wait = Promise.withResolvers<void>();
      waits.push(wait);
      return wait.promise.then(answer);
    },
  });
  const done = connection.send(text("a") + text("w1") + text("b") + ping() + text("w2"));
  await settle();
  assert.deepEqual(parseServerFrames(connection.written), ["text a"]);
  // Meanwhile it cannot answer pings, so none is missed.
  for (let i = 0; i < 100; i++) session.beat();
  waits[0]!.resolve();
  await settle();
  assert.deepEqual(parseServerFrames(connection.written), [
    ...["text a", "text w1", "text b", "pong "],
  ]);
  waits[1]!.resolve();
  await done;
  assert.equal(parseServerFrames(connection.written).at(-1), "text w2");
  assert.equal(connection.input.length, 0);
});

Deno.test("WebSocketSession: counts connections and messages, and is closed once", async () => {
  const { connection, counters, session } = new EchoWorld();
  assert.equal(counters.get(IDS.connections), 1);
  await connection.send(first("a") + ping() + last("b") + text("c"));
  assert.equal(counters.get(IDS.messagesIn), 2);
  await connection.send(close(1000));
  session.close();
  assert.equal(counters.get(IDS.connections), 0);
});

Deno.test("WebSocketSession: a silent client is pinged once, and cut off when it does not answer", () => {
  const { session, target, defects } = new EchoWorld();
  assert.ok(target.isSubscriber, "the idle timeout is not for it");
  beat(session, PING_AFTER_S - 1);
  assert.equal(target.pendingBytes, 0);
  beat(session, 1);
  assert.equal(target.wakeCount, 1);
  assert.deepEqual(parseServerFrames(target.take()), ["ping "]);
  beat(session, PONG_WITHIN_S);
  assert.equal(target.pendingBytes, 0);
  assert.ok(!target.isCutOff);
  beat(session, 1);
  assert.ok(target.isCutOff);
  assert.deepEqual(defects, ["no_pong"]);
});

Deno.test("WebSocketSession: whatever a client sends shows that it is there", async () => {
  for (const bytes of [frame(10), ping(), text("a"), first("a"), "\x81"]) {
    const { session, target, connection } = new EchoWorld();
    beat(session, PING_AFTER_S);
    target.take();
    beat(session, PONG_WITHIN_S);
    await connection.send(bytes);
    beat(session, PING_AFTER_S);
    assert.deepEqual(parseServerFrames(target.take()), ["ping "]);
    beat(session, PONG_WITHIN_S);
    assert.ok(!target.isCutOff);
  }
});

Deno.test("WebSocketSession: a ping that has not left is not held against the client, but not for ever", () => {
  const { session, target, defects } = new EchoWorld();
  beat(session, PING_AFTER_S);
  // The ping waits; nobody can have answered it.
  beat(session, PUSH_WITHIN_S - 1);
  target.take();
  beat(session, PONG_WITHIN_S);
  assert.ok(!target.isCutOff);
  beat(session, 1);
  assert.deepEqual(defects, ["no_pong"]);
});

Deno.test("WebSocketSession: who does not take what is pushed is cut off as slow", () => {
  const { session, target, defects } = new EchoWorld();
  target.writer.ascii("pushed");
  beat(session, PUSH_WITHIN_S);
  assert.ok(!target.isCutOff);
  beat(session, 1);
  assert.ok(target.isCutOff);
  assert.deepEqual(defects, ["slow"]);
});

Deno.test("WebSocketSession: one that takes things slowly, but takes them, stays", () => {
  const { session, target } = new EchoWorld();
  for (let i = 0; i < 5; i++) {
    target.take();
    session.noteProgress();
    target.writer.ascii("pushed");
    beat(session, PUSH_WITHIN_S);
  }
  assert.ok(!target.isCutOff);
});

Deno.test("WebSocketSession: while the server stops, messages are answered and the connection closes", async () => {
  const { connection, phase, session } = new EchoWorld(4096);
  await connection.send(text("a"));
  phase.stopping = true;
  await connection.send(text("b") + text("c"));
  assert.deepEqual(parseServerFrames(connection.written), [
    ...["text a", "text b", "text c", "close 1001"],
  ]);
  assert.ok(connection.closed);
  assert.deepEqual(parseServerFrames(toLatin1(session.farewell)), ["close 1001"]);
  assert.deepEqual(parseServerFrames(toLatin1(session.timeoutReply)), ["close 1008"]);
});

Deno.test("WebSocketSession: nothing beats when it is over", async () => {
  const { connection, session, target } = new EchoWorld();
  await connection.send(close(1000));
  beat(session, 100);
  assert.equal(target.pendingBytes, 0);
  assert.ok(!target.isCutOff);
});

function beat(session: { beat(): void }, count: number): void {
  for (let i = 0; i < count; i++) session.beat();
}

/** Lets whatever can go on do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
