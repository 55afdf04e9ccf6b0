import assert from "node:assert/strict";
import { CounterIndex, PROTOCOL_COUNTERS } from "../../../src/metrics/names.ts";
import { RawClient } from "../../helpers/raw_client.ts";
import { EchoServer, type EchoServerOptions, eventually } from "./echo.ts";

const { active, bytesRead, refusedPerIp, refusedDenied } = PROTOCOL_COUNTERS.http;

/** An echo server whose sweeps see a clock that the test moves. */
class TimedServer extends EchoServer {
  readonly #clock: { nowMs: number };

  constructor(options: EchoServerOptions = {}) {
    const clock = { nowMs: 1_000_000 };
    super({ ...options, now: () => clock.nowMs });
    this.#clock = clock;
  }

  /** Lets time pass, a sweep each second. */
  pass(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.#clock.nowMs += 1000;
      this.connections.sweep();
    }
  }

  count(counter: number): number {
    return this.counts.get(counter) ?? 0;
  }

  /** Waits until so many bytes have been read. */
  hasRead(byteCount: number): Promise<void> {
    return eventually(() => this.count(bytesRead) >= byteCount, `reading ${byteCount} bytes`);
  }
}

/** Runs `body`, which may set the clock of the machine. */
async function withSetClock(body: (set: (byMs: number) => void) => Promise<void>): Promise<void> {
  const { now } = Date;
  let aheadMs = 0;
  Date.now = () => now() + aheadMs;
  try {
    await body((byMs) => void (aheadMs = byMs));
  } finally {
    Date.now = now;
  }
}

Deno.test("Connection: setting the machine's clock forward closes nobody", async () => {
  await withSetClock(async (set) => {
    await using server = new EchoServer({ idleTimeoutMs: 60_000, headTimeoutMs: 60_000 });
    using client = await RawClient.connect(server.port);
    await client.send("begun");
    await eventually(() => (server.counts.get(bytesRead) ?? 0) === 5, "it to be read");
    set(3_600_000);
    server.connections.sweep();
    await client.send(" and ended\n");
    assert.equal(await client.readUntil("\n"), "begun and ended\n");
  });
});

Deno.test("Connection: setting the machine's clock back gives nobody more time", async () => {
  await withSetClock(async (set) => {
    await using server = new EchoServer({ headTimeoutMs: 100 });
    using client = await RawClient.connect(server.port);
    await client.send("begun");
    await eventually(() => (server.counts.get(bytesRead) ?? 0) === 5, "it to be read");
    set(-3_600_000);
    const isClosed = (): boolean =>
      (server.counts.get(CounterIndex.CLOSED_HEAD_TIMEOUT) ?? 0) === 1;
    await eventually(isClosed, "it to be closed");
    assert.equal(await client.readToEnd(), "too slow\n");
  });
});

Deno.test("Connection: a body that stalls is told so after five seconds", async () => {
  await using server = new TimedServer({ minTransferRate: 240, headTimeoutMs: 1000 });
  using client = await RawClient.connect(server.port);
  await client.send("=body");
  await server.hasRead(5);
  server.pass(4);
  assert.equal(server.count(active), 1, "the time for a head is not the time for a body");
  server.pass(1);
  assert.equal(await client.readToEnd(), "too slow\n");
  assert.equal(server.count(CounterIndex.CLOSED_SLOW), 1);
});

Deno.test("Connection: a body that trickles below the rate ends, one above it does not", async () => {
  await using server = new TimedServer({ minTransferRate: 240, headTimeoutMs: 1000 });
  using slow = await RawClient.connect(server.port);
  using fast = await RawClient.connect(server.port);
  await slow.send("=");
  await fast.send("=");
  await server.hasRead(2);
  for (let second = 1; second <= 12; second++) {
    const before = server.count(bytesRead);
    const slowEnded = server.count(CounterIndex.CLOSED_SLOW) > 0;
    if (!slowEnded) await slow.send("x".repeat(100));
    await fast.send("x".repeat(300));
    await server.hasRead(before + (slowEnded ? 300 : 400));
    server.pass(1);
  }
  assert.equal(server.count(CounterIndex.CLOSED_SLOW), 1);
  assert.equal(await slow.readToEnd(), "too slow\n");
  await fast.send("\n");
  assert.match(await fast.readUntil("\n"), /^=x+\n$/);
});

Deno.test("Connection: without a rate a body may take any time", async () => {
  await using server = new TimedServer({ headTimeoutMs: 1000 });
  using client = await RawClient.connect(server.port);
  await client.send("=body");
  await server.hasRead(5);
  server.pass(600);
  await client.send("\n");
  assert.equal(await client.readUntil("\n"), "=body\n");
});

Deno.test("Connection: who takes nothing of a reply is closed", async () => {
  await using server = new TimedServer({ minTransferRate: 240 });
  server.control.bigBytes = 16 * 1024 * 1024;
  using client = await RawClient.connect(server.port);
  await client.send("big\n");
  await eventually(() => server.connections.memory.heldBytes > 16 * 1024 * 1024, "the reply");
  server.pass(14);
  assert.equal(server.count(active), 1);
  server.pass(2);
  await eventually(() => server.count(active) === 0, "its end");
  assert.equal(server.count(CounterIndex.CLOSED_SLOW), 1);
  assert.equal(server.connections.memory.heldBytes, 0);
});

Deno.test("Connection: who takes nothing of a reply is idle where there is no rate", async () => {
  await using server = new TimedServer({ idleTimeoutMs: 60_000 });
  server.control.bigBytes = 16 * 1024 * 1024;
  using client = await RawClient.connect(server.port);
  await client.send("big\n");
  await eventually(() => server.connections.memory.heldBytes > 16 * 1024 * 1024, "the reply");
  server.pass(61);
  await eventually(() => server.count(active) === 0, "its end");
  assert.equal(server.count(CounterIndex.CLOSED_IDLE), 1);
});

Deno.test("Connection: a client that waits for its command is neither idle nor slow", async () => {
  await using server = new TimedServer({ idleTimeoutMs: 1000, minTransferRate: 240 });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.control.parked = promise;
  using client = await RawClient.connect(server.port);
  await client.send("park\n");
  await server.hasRead(5);
  server.pass(100);
  resolve();
  assert.equal(await client.read(5), "park\n");
  server.pass(1);
  assert.equal(await client.readToEnd(), "", "afterwards it is idle like any other");
  assert.equal(server.count(CounterIndex.CLOSED_IDLE), 1);
});

Deno.test("ConnectionSet: ends are counted by reason", async () => {
  await using server = new TimedServer({ idleTimeoutMs: 10_000, headTimeoutMs: 5000 });
  using half = await RawClient.connect(server.port);
  using silent = await RawClient.connect(server.port);
  await half.send("half");
  await eventually(() => server.count(active) === 2, "both");
  await server.hasRead(4);
  server.pass(5);
  assert.equal(await half.readToEnd(), "too slow\n");
  server.pass(5);
  assert.equal(await silent.readToEnd(), "");
  assert.equal(server.count(CounterIndex.CLOSED_HEAD_TIMEOUT), 1);
  assert.equal(server.count(CounterIndex.CLOSED_IDLE), 1);
  assert.equal(server.count(CounterIndex.CLOSED_SLOW), 0);
});

Deno.test("ConnectionSet: an address that is denied is closed without a word", async () => {
  await using server = new EchoServer({ deny: ["127.0.0.0/8"] });
  for (let i = 0; i < 3; i++) {
    using client = await RawClient.connect(server.port);
    assert.equal(await client.readToEnd(), "");
  }
  assert.equal(server.counts.get(refusedDenied), 3);
  assert.equal(server.counts.get(active), undefined);
  assert.equal(server.census.openCount, 0);
});

Deno.test("ConnectionSet: with an allow list others are denied", async () => {
  await using strangers = new EchoServer({ allow: ["10.0.0.0/8"] });
  using refused = await RawClient.connect(strangers.port);
  assert.equal(await refused.readToEnd(), "");
  assert.equal(strangers.counts.get(refusedDenied), 1);
  await using friends = new EchoServer({ allow: ["10.0.0.0/8", "127.0.0.1"] });
  using client = await RawClient.connect(friends.port);
  await client.send("hello\n");
  assert.equal(await client.read(6), "hello\n");
});

Deno.test("ConnectionSet: one address has only so many connections", async () => {
  await using server = new EchoServer({ maxPerAddress: 2 });
  using first = await RawClient.connect(server.port);
  using second = await RawClient.connect(server.port);
  await Promise.all([first.send("a\n"), second.send("b\n")]);
  await Promise.all([first.read(2), second.read(2)]);
  using third = await RawClient.connect(server.port);
  assert.equal(await third.readToEnd(), "full\n");
  assert.equal(server.counts.get(refusedPerIp), 1);
  second.close();
  await eventually(() => server.census.openCount === 1, "room");
  using fourth = await RawClient.connect(server.port);
  await fourth.send("d\n");
  assert.equal(await fourth.read(2), "d\n");
  server.census.assertInvariants();
});
