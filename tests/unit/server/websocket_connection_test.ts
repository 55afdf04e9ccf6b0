import assert from "node:assert/strict";
import type { PushTarget } from "../../../src/command/pubsub/subscriber.ts";
import { CounterIndex, PROTOCOL_COUNTERS } from "../../../src/metrics/names.ts";
import { appendFrame, Opcode } from "../../../src/protocol/websocket/frame.ts";
import { PUSH_WITHIN_S } from "../../../src/protocol/websocket/limits.ts";
import {
  type StreamDefect,
  WebSocketSession,
} from "../../../src/protocol/websocket/websocket_session.ts";
import { StopDeadline } from "../../../src/server/stop_deadline.ts";
import { first, last, ping, text } from "../../cases/websocket_frames.ts";
import { WebSocketTcpClient } from "../../helpers/websocket_client.ts";
import { EchoServer, type EchoServerOptions, eventually } from "./echo.ts";

const { active, bytesRead } = PROTOCOL_COUNTERS.http;

/** WebSocket sessions that echo, without handshakes, on real connections; sweeps see a clock that the test moves. */
class EchoingServer extends EchoServer {
  readonly sessions: WebSocketSession[];
  readonly targets: PushTarget[];
  readonly defects: StreamDefect[];
  readonly #clock: { nowMs: number };

  constructor(options: EchoServerOptions = {}) {
    const clock = { nowMs: 1_000_000 };
    const [sessions, targets, defects]: [WebSocketSession[], PushTarget[], StreamDefect[]] = [
      [],
      [],
      [],
    ];
    super({
      ...options,
      now: () => clock.nowMs,
      createSession: ({ pushTarget }) => {
        const session = new WebSocketSession({
          phase: { stopping: false },
          maxMessageBytes: 1 << 20,
          counters: { add: () => {} },
          counterIds: { connections: 0, messagesIn: 0 },
          target: pushTarget!,
          onCutOff: (defect) => defects.push(defect),
        }, {
          beginBatch: () => {},
          receive: (bytes, start, end, output) =>
            appendFrame(output, Opcode.TEXT, bytes, start, end),
          close: () => {},
        });
        sessions.push(session);
        targets.push(pushTarget!);
        return session;
      },
    });
    this.#clock = clock;
    this.sessions = sessions;
    this.targets = targets;
    this.defects = defects;
  }

  pass(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.#clock.nowMs += 1000;
      this.connections.sweep();
    }
  }

  isOpen(): boolean {
    return this.counts.get(active) === 1;
  }
}

Deno.test("WebSocket on a connection: a message that stalls is told so in a Close frame", async () => {
  await using server = new EchoingServer({ minTransferRate: 240, headTimeoutMs: 1000 });
  using client = await WebSocketTcpClient.connect(server.port);
  const begun = first("half") + last("x").slice(0, 1);
  await client.send(begun);
  await eventually(() => server.counts.get(bytesRead) === begun.length, "the message's begin");
  server.pass(4);
  assert.ok(server.isOpen(), "the time for a head is not the time for a message");
  server.pass(1);
  assert.deepEqual(await client.readToEnd(), ["close 1008"]);
  assert.equal(server.counts.get(CounterIndex.CLOSED_SLOW), 1);
});

Deno.test("WebSocket on a connection: silence is no reason to close it, but the end of the server is", async () => {
  await using server = new EchoingServer({ idleTimeoutMs: 1000, minTransferRate: 240 });
  using client = await WebSocketTcpClient.connect(server.port);
  await client.send(text("a"));
  assert.deepEqual(await client.readFrames(1), ["text a"]);
  server.pass(600);
  await client.send(first("b") + ping() + last("c"));
  assert.deepEqual(await client.readFrames(2), ["pong ", "text bc"]);
  using deadline = new StopDeadline(1000);
  deadline.begin();
  const closing = server.connections.closeAll(deadline, 500);
  assert.deepEqual(await client.readToEnd(), ["close 1001"]);
  client[Symbol.dispose]();
  assert.equal(await closing, 0);
});

Deno.test("WebSocket on a connection: who takes nothing of what is pushed is cut off, its memory comes back", async () => {
  await using server = new EchoingServer();
  using client = await WebSocketTcpClient.connect(server.port);
  await client.send(text("a"));
  await client.readFrames(1);
  const [target, session] = [server.targets[0]!, server.sessions[0]!];
  // Until the system takes no more.
  const message = new Uint8Array(65536);
  for (let quiet = 0; quiet < 20;) {
    if (target.pendingBytes === 0) {
      appendFrame(target.writer, Opcode.TEXT, message);
      target.wake();
      quiet = 0;
    } else quiet++;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.ok(server.connections.memory.heldBytes >= 65536);
  for (let i = 0; i < PUSH_WITHIN_S; i++) session.beat();
  assert.ok(server.isOpen());
  session.beat();
  await eventually(() => !server.isOpen(), "the end of the connection");
  assert.deepEqual(server.defects, ["slow"]);
  assert.equal(server.connections.memory.heldBytes, 0);
  server.connections.memory.assertInvariants();
});
