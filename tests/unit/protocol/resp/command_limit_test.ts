import assert from "node:assert/strict";
import { CommandLimit } from "../../../../src/protocol/resp/command_limit.ts";
import { Count, Harness } from "../../command/harness.ts";

const RATE = { count: 3, perMs: 1000 };
const refusal = (ms: number) => `-THROTTLED too many commands, retry in ${ms} ms\r\n`;

Deno.test("CommandLimit: gives the whole allowance back when the window is over, not before", () => {
  const limit = new CommandLimit(RATE);
  const taken = (nowMs: number) => [0, 1, 2, 3].map(() => limit.tryTake(nowMs));
  assert.deepEqual(taken(5000), [true, true, true, false]);
  assert.equal(limit.tryTake(5999), false);
  assert.equal(limit.retryAfterMs(5999), 1);
  assert.equal(limit.retryAfterMs(5250), 750);
  assert.deepEqual(taken(6000), [true, true, true, false]);
  // The next window opens with a command, not when the last one closed.
  assert.deepEqual(taken(9700), [true, true, true, false]);
  assert.equal(limit.tryTake(10_600), false);
});

Deno.test("CommandLimit: a clock that is set back opens a new window", () => {
  const limit = new CommandLimit({ count: 1, perMs: 1000 });
  assert.equal(limit.tryTake(1_000_000), true);
  assert.equal(limit.tryTake(5), true);
  assert.equal(limit.tryTake(6), false);
  assert.equal(limit.retryAfterMs(6), 999);
});

Deno.test("--resp-rate-limit: refuses what is too much, counts it and keeps the connection", async () => {
  const harness = new Harness({ rateLimit: RATE });
  const client = harness.connect();
  assert.equal(
    await client.send("SET k 1\r\nINCR k\r\nINCR k\r\nINCR k\r\nNOPE\r\n"),
    "+OK\r\n:2\r\n:3\r\n" + refusal(1000).repeat(2),
  );
  harness.nowMs += 400;
  assert.equal(await client.send("PING\r\n"), refusal(600));
  assert.equal(harness.counters.values[Count.THROTTLED], 3);
  assert.equal(harness.counters.values[Count.COMMANDS], 3);
  harness.nowMs += 600;
  assert.equal(await client.send("GET k\r\n"), "$1\r\n3\r\n");
  assert.equal(client.closed, false);
});

Deno.test("--resp-rate-limit: everybody has their own", async () => {
  const harness = new Harness({ rateLimit: RATE });
  const one = harness.connect();
  await one.send("PING\r\nPING\r\nPING\r\n");
  assert.equal(await one.send("PING\r\n"), refusal(1000));
  assert.equal(await harness.ask("PING\r\n"), "+PONG\r\n");
});

Deno.test("--resp-rate-limit: QUIT is always heard, AUTH and HELLO are not", async () => {
  const harness = new Harness({ rateLimit: { count: 1, perMs: 1000 }, password: "sesame" });
  const client = harness.connect();
  assert.match(
    await client.send("GET k\r\nAUTH sesame\r\nHELLO 3 AUTH default sesame\r\nGET k\r\n"),
    /^-NOAUTH [^\r]*\r\n(-THROTTLED [^\r]*\r\n){3}$/,
  );
  assert.equal(await client.send("QUIT\r\n"), "+OK\r\n");
  assert.equal(client.closed, true);
});

Deno.test("--resp-rate-limit: a client that wants no replies gets none", async () => {
  const harness = new Harness({ rateLimit: RATE });
  const client = harness.connect();
  assert.equal(await client.send("CLIENT REPLY OFF\r\nPING\r\nPING\r\nPING\r\nPING\r\n"), "");
});

Deno.test("--resp-rate-limit: a flood of refused commands pauses, too", async () => {
  const harness = new Harness({ rateLimit: RATE });
  const client = harness.connect(1 << 20);
  await client.send("CLIENT REPLY OFF\r\n");
  assert.equal(await client.send("PING\r\n".repeat(60_000)), "");
  assert.ok(client.flushCount > 0, `${client.flushCount} pauses`);
});

Deno.test("--resp-rate-limit: off, nothing is refused", async () => {
  const harness = new Harness();
  assert.equal(await harness.ask("PING\r\n".repeat(1000)), "+PONG\r\n".repeat(1000));
  assert.equal(harness.counters.values[Count.THROTTLED], 0);
});
