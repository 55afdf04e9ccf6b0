import assert from "node:assert/strict";
import { Harness, pause, settled, type TestClient } from "./harness.ts";

/** Commands in this order, and what Redis 7.0.15 publishes of them. */
const CASES: readonly (readonly [command: string, ...events: string[]])[] = [
  ["HSET h a 1 b 2", "hset h"],
  ["HSET h a 1", "hset h"],
  ["HMSET h c 3", "hset h"],
  ["HSETNX h c 4"],
  ["HSETNX h d 4", "hset h"],
  ["HINCRBY h a 1", "hincrby h"],
  ["HINCRBYFLOAT h a 1.5", "hincrbyfloat h"],
  ["HGET h missing"],
  ["HDEL h none"],
  ["HDEL h a", "hdel h"],
  ["HDEL h b c d", "hdel h", "del h"],
  ["SADD s a b c", "sadd s"],
  ["SADD s a"],
  ["SREM s none"],
  ["SREM s a", "srem s"],
  ["SMOVE s t b", "srem s", "sadd t"],
  ["SMOVE s s c"],
  ["SADD t c", "sadd t"],
  ["SMOVE s t c", "srem s", "del s"],
  ["SADD s x y z", "sadd s"],
  ["SADD u x", "sadd u"],
  ["SINTERSTORE d s u", "sinterstore d"],
  ["SUNIONSTORE d s u", "sunionstore d"],
  ["SDIFFSTORE d s u", "sdiffstore d"],
  ["SINTERSTORE d s none", "del d"],
  ["SINTERSTORE d s none"],
  ["SPOP u", "spop u", "del u"],
  ["SPOP s 0"],
  ["SPOP s 2", "spop s"],
  ["SPOP s 5", "spop s", "del s"],
  ["SPOP none"],
  ["SPOP none 2"],
  ["SREM t b c", "srem t", "del t"],
  ["SADD one a", "sadd one"],
  ["SMOVE one two a", "srem one", "del one", "sadd two"],
];

/** Events such as `set key` since the last call, in order. */
async function take(watcher: TestClient): Promise<string[]> {
  await pause(5);
  const pattern = /__keyevent@0__:(\w+)\r\n\$\d+\r\n(\w+)\r\n/g;
  const events = [...watcher.pushedText.matchAll(pattern)].map(([, event, key]) =>
    `${event} ${key}`
  );
  watcher.pushed.release();
  return events;
}

Deno.test("keyspace events: hashes and sets publish what they publish in Redis", async () => {
  // One shard, so that channels have one order.
  const harness = new Harness({ shardCount: 1 });
  const watcher = harness.connect();
  await harness.ask("CONFIG SET notify-keyspace-events Eghs\r\n");
  await watcher.send("PSUBSCRIBE __key*\r\n");
  for (const [command, ...events] of CASES) {
    const reply = await harness.ask(`${command}\r\n`);
    assert.notEqual(reply[0], "-", `${command}: ${reply}`);
    assert.deepEqual((await take(watcher)).toSorted(), events.toSorted(), command);
  }
});

Deno.test("keyspace events: a large set that is stored in slices is published when it is there", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20 });
  const watcher = harness.connect();
  const client = harness.connect(2 ** 16);
  for (let i = 0; i < 20; i++) {
    await client.send(`SADD a ${Array.from({ length: 500 }, (_, j) => i * 500 + j).join(" ")}\r\n`);
  }
  await harness.ask("CONFIG SET notify-keyspace-events Eghs\r\n");
  await watcher.send("PSUBSCRIBE __key*\r\n");
  assert.equal(await settled(client.send("SUNIONSTORE d a\r\n")), ":10000\r\n");
  assert.deepEqual(await take(watcher), ["sunionstore d"]);
  assert.equal((await settled(client.send("SPOP d 9999\r\n"))).slice(0, 7), "*9999\r\n");
  assert.deepEqual(await take(watcher), ["spop d"]);
});
