import assert from "node:assert/strict";
import { Store } from "../../../src/store/store.ts";
import { Harness, request, settled } from "./harness.ts";

/** Takes the reply to SCAN apart. */
function read(reply: string): { cursor: string; keys: string[] } {
  const match = /^\*2\r\n\$\d+\r\n(\d+)\r\n\*(\d+)\r\n(.*)$/s.exec(reply);
  assert.ok(match, reply);
  const keys = match[3]!.split("\r\n").filter((_, i) => i % 2 === 1);
  assert.equal(keys.length, Number(match[2]));
  return { cursor: match[1]!, keys };
}

async function scanAll(harness: Harness, ...options: string[]): Promise<string[]> {
  const all: string[] = [];
  let cursor = "0";
  do {
    const page = read(await harness.ask(request("SCAN", cursor, ...options)));
    all.push(...page.keys);
    cursor = page.cursor;
  } while (cursor !== "0");
  return all;
}

for (const shardCount of [1, 8]) {
  Deno.test(`SCAN: finds every key once when nothing changes, ${shardCount} shards`, async () => {
    const harness = new Harness({ shardCount });
    const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
    for (const key of keys) await harness.ask(request("SET", key, "v"));
    assert.deepEqual((await scanAll(harness)).toSorted(), keys.toSorted());
    assert.deepEqual((await scanAll(harness, "COUNT", "1")).toSorted(), keys.toSorted());
    const some = await scanAll(harness, "MATCH", "k1?", "COUNT", "100");
    assert.equal(some.length, 10);
    assert.equal((await scanAll(harness, "TYPE", "string")).length, 300);
    assert.deepEqual(await scanAll(harness, "TYPE", "hash"), []);
  });
}

Deno.test("SCAN: a key that is there throughout is found while others come and go", async () => {
  const harness = new Harness({ shardCount: 2 });
  const kept = Array.from({ length: 100 }, (_, i) => `kept${i}`);
  for (const key of kept) await harness.ask(request("SET", key, "v"));
  const seen = new Set<string>();
  let cursor = "0";
  let round = 0;
  do {
    const page = read(await harness.ask(request("SCAN", cursor, "COUNT", "5")));
    for (const key of page.keys) seen.add(key);
    cursor = page.cursor;
    const change = round++ % 2 === 0 ? "SET" : "DEL";
    for (let i = 0; i < 200; i++) {
      await harness.ask(
        change === "SET" ? request("SET", `other${i}`, "v") : request("DEL", `other${i}`),
      );
    }
  } while (cursor !== "0");
  for (const key of kept) assert.ok(seen.has(key), key);
});

Deno.test("SCAN: looks into the client's own database only", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("SET zero 0\r\nSELECT 3\r\nSET three 3\r\n");
  assert.deepEqual(read(await client.send("SCAN 0\r\n")).keys, ["three"]);
  assert.deepEqual(read(await harness.ask("SCAN 0\r\n")).keys, ["zero"]);
});

Deno.test("SCAN: waits for a busy lock with its connection parked, and gives it back", async () => {
  const harness = new Harness({ shardCount: 1 });
  await harness.ask("SET a 1\r\n");
  const other = Store.attach(harness.store.memory, 1);
  other.locks.lock(0, true);
  const client = harness.connect();
  const answer = client.send("SCAN 0\r\nPING\r\n");
  other.locks.unlock(0, true);
  assert.equal(await settled(answer), "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n+PONG\r\n");
  assert.ok(other.locks.tryLock(0, true));
  other.locks.unlock(0, true);
});

Deno.test("SCAN: what is wrong is refused in Redis's words", async () => {
  const harness = new Harness();
  const cases: [string, string][] = [
    ["SCAN x", "-ERR invalid cursor\r\n"],
    ["SCAN -1", "*2\r\n$1\r\n0\r\n*0\r\n"],
    ["SCAN 0 COUNT", "-ERR syntax error\r\n"],
    ["SCAN 0 COUNT 0", "-ERR syntax error\r\n"],
    ["SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n"],
    ["SCAN 0 FOO bar", "-ERR syntax error\r\n"],
    ["SCAN 9223372036854775807", "*2\r\n$1\r\n0\r\n*0\r\n"],
    ["SCAN 0 MATCH " + "a".repeat(1025), "-ERR a pattern must have at most 1024 bytes\r\n"],
  ];
  for (const [command, expected] of cases) {
    assert.equal(await harness.ask(`${command}\r\n`), expected, command);
  }
});
