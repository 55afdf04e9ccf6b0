/** Balances that events wrote and commands overwrite: they stay when memory is short. */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { Key } from "../../../src/store/key.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import { Harness, request, type TestClient } from "./harness.ts";

const MIB = 2 ** 20;

function makeHarness(): Harness {
  const store = Store.create({
    ...{ shardCount: 4, lockKind: "mutex", maxMemoryBytes: 4 * MIB, maxValueBytes: MIB },
    ...{ threadCount: 4, evictionPolicy: "allkeys-lru" },
  });
  store.seedEviction(12345);
  return new Harness({ store });
}

/** Writes a balance of 1, as an event does. */
function settle(harness: Harness, name: string): void {
  const { store } = harness;
  assert.ok(store.credits.tryAcquire());
  const bytes = new TextEncoder().encode(name);
  const key = new Key().set(bytes, 0, bytes.length);
  store.locate(key);
  store.nowMs = harness.nowMs;
  store.locks.lock(key.shard, true);
  const status = store.planAddInteger(0, key, Int64.fromNumber(1), new Int64(), true);
  assert.equal(status, WriteStatus.OK);
  store.commitPlan();
  store.locks.unlock(key.shard, true);
  store.credits.release();
}

/** Fills the memory a few times over with keys that are newer than all there are. */
async function fill(harness: Harness, client: TestClient): Promise<void> {
  harness.nowMs += 3_600_000;
  const value = "v".repeat(2000);
  for (let i = 0; i < 6000; i++) await client.send(request("SET", `fill${i}`, value));
  assert.ok(harness.store.stats().evictedKeys > 1000);
}

/** Commands that write over a balance, and what it is afterwards. */
const WRITES: readonly { name: string; lines: string[]; after: string }[] = [
  { name: "SET", lines: ["SET b 500"], after: "500" },
  { name: "SET of a text", lines: ["SET b hello"], after: "hello" },
  { name: "SET XX KEEPTTL", lines: ["SET b 7 XX KEEPTTL"], after: "7" },
  { name: "GETSET", lines: ["GETSET b 8"], after: "8" },
  { name: "MSET", lines: ["MSET a 1 b 9"], after: "9" },
  { name: "MSET twice", lines: ["MSET b 1 b 9"], after: "9" },
  { name: "INCRBY", lines: ["INCRBY b 41"], after: "42" },
  { name: "INCRBYFLOAT", lines: ["INCRBYFLOAT b 0.5"], after: "1.5" },
  { name: "APPEND", lines: ["APPEND b 23"], after: "123" },
  { name: "SETRANGE", lines: ["SETRANGE b 0 77"], after: "77" },
  { name: "a large value and back", lines: [`SET b ${"x".repeat(9000)}`, "SET b 6"], after: "6" },
  { name: "RENAME to it", lines: ["SET a 3", "RENAME a b"], after: "3" },
  { name: "COPY to it", lines: ["SET a 4", "COPY a b REPLACE"], after: "4" },
  { name: "SETEX and PERSIST", lines: ["SETEX b 100 5", "PERSIST b"], after: "5" },
];

for (const { name, lines, after } of WRITES) {
  Deno.test(`eviction: a balance that ${name} overwrote is still one`, async () => {
    const harness = makeHarness();
    const client = harness.connect(16_384);
    settle(harness, "b");
    for (const line of lines) assert.doesNotMatch(await client.send(`${line}\r\n`), /^-/);
    await client.send("SET other 1\r\n");
    await fill(harness, client);
    assert.equal(await client.send("GET b\r\n"), `$${after.length}\r\n${after}\r\n`);
    assert.equal(await client.send("EXISTS other\r\n"), ":0\r\n", "others went");
    harness.store.assertInvariants(0);
  });
}

for (
  const lines of [
    ["DEL b", "SET b 1"],
    ["PEXPIRE b 1", "SET b 1"],
    ["SADD s x", "SINTERSTORE b s", "DEL b", "SET b 1"],
    ["COPY b c", "DEL b", "RENAME c b"],
  ]
) {
  Deno.test(`eviction: ${lines.join(", ")} ends a balance`, async () => {
    const harness = makeHarness();
    const client = harness.connect(16_384);
    settle(harness, "b");
    for (const line of lines) {
      assert.doesNotMatch(await client.send(`${line}\r\n`), /^-/);
      harness.nowMs += 10;
    }
    await fill(harness, client);
    assert.equal(await client.send("EXISTS b\r\n"), ":0\r\n");
    harness.store.assertInvariants(0);
  });
}

Deno.test("INCR: counts as use of the key, unless CLIENT NO-TOUCH says otherwise", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("SET n 1\r\nINCR n\r\n");
  harness.nowMs += 70_000;
  assert.equal(await client.send("OBJECT IDLETIME n\r\n"), ":70\r\n");
  assert.equal(await client.send("INCR n\r\nOBJECT IDLETIME n\r\n"), ":3\r\n:0\r\n");
  harness.nowMs += 70_000;
  await client.send("CLIENT NO-TOUCH ON\r\n");
  assert.equal(await client.send("DECRBY n 2\r\nOBJECT IDLETIME n\r\n"), ":1\r\n:70\r\n");
});
