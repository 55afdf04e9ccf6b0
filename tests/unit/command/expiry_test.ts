/** EXPIRE and its kin; the replies are those of redis-server 7.0.15. */

import assert from "node:assert/strict";
import { Harness, request } from "./harness.ts";

const OK = "+OK\r\n";

/** Runs `command: reply` lines one after the other on one connection. */
async function runScript(harness: Harness, lines: readonly (readonly [string, string])[]) {
  const client = harness.connect();
  for (const [command, reply] of lines) {
    assert.equal(await client.send(request(...command.split(" "))), `${reply}\r\n`, command);
  }
}

Deno.test("EXPIRE: refuses wrong options and times with the words of Redis", async () => {
  const incompatible = "options at the same time are not compatible";
  await runScript(new Harness(), [
    ["expire a 10 foo", "-ERR Unsupported option foo"],
    ["expire a 10 nx xx", `-ERR NX and XX, GT or LT ${incompatible}`],
    ["expire a 10 nx gt", `-ERR NX and XX, GT or LT ${incompatible}`],
    ["expire a 10 gt lt", `-ERR GT and LT ${incompatible}`],
    ["expire a 10 xx gt", ":0"],
    ["expire a 10 NX NX", ":0"],
    ["expire a abc", "-ERR value is not an integer or out of range"],
    ["expire a 9223372036854775807", "-ERR invalid expire time in 'expire' command"],
    ["expire a 9223372036854775", "-ERR invalid expire time in 'expire' command"],
    ["expire a -9223372036854775808", "-ERR invalid expire time in 'expire' command"],
    ["pexpire a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"],
    ["expireat a 9223372036854775807", "-ERR invalid expire time in 'expireat' command"],
    ["expire a abc foo", "-ERR Unsupported option foo"],
    ["expire a", "-ERR wrong number of arguments for 'expire' command"],
    ["pexpireat", "-ERR wrong number of arguments for 'pexpireat' command"],
    ["ttl a b", "-ERR wrong number of arguments for 'ttl' command"],
    ["persist", "-ERR wrong number of arguments for 'persist' command"],
  ]);
});

Deno.test("EXPIRE: NX, XX, GT and LT compare with the time that the key has, none being endless", async () => {
  await runScript(new Harness(), [
    ["set k v", "+OK"],
    ["expire k 5 XX", ":0"],
    ["expire k 5 GT", ":0"],
    ["expire k 100 NX", ":1"],
    ["expire k 200 NX", ":0"],
    ["expire k 200 GT", ":1"],
    ["expire k 100 GT", ":0"],
    ["expire k 200 GT", ":0"],
    ["expire k 300 LT", ":0"],
    ["expire k 50 LT", ":1"],
    ["expire k 60 XX GT", ":1"],
    ["ttl k", ":60"],
    ["persist k", ":1"],
    ["persist k", ":0"],
    ["expire k 10 LT", ":1"],
    ["ttl k", ":10"],
  ]);
});

Deno.test("EXPIRE: a time that is past deletes the key", async () => {
  const harness = new Harness();
  for (
    const command of ["expire k 0", "expire k -1", "pexpire k -9223372036854775808", "expireat k 1"]
  ) {
    await runScript(harness, [["set k v", "+OK"], [command, ":1"], ["exists k", ":0"]]);
    assert.equal(harness.store.keyCount(0), 0, command);
  }
});

Deno.test("TTL and EXPIRETIME: round to seconds, and tell no time from no key", async () => {
  const harness = new Harness();
  harness.nowMs = 1_700_000_000_000;
  const time = harness.nowMs + 1499;
  await runScript(harness, [
    ["ttl k", ":-2"],
    ["pttl k", ":-2"],
    ["expiretime k", ":-2"],
    ["pexpiretime k", ":-2"],
    ["persist k", ":0"],
    ["pexpireat k 9223372036854775807", ":0"],
    ["set k v", "+OK"],
    ["ttl k", ":-1"],
    ["pttl k", ":-1"],
    ["expiretime k", ":-1"],
    ["pexpiretime k", ":-1"],
    [`pexpireat k ${time}`, ":1"],
    ["ttl k", ":1"],
    ["pttl k", ":1499"],
    [`pexpiretime k`, `:${time}`],
    [`expiretime k`, `:1700000001`],
    ["pexpire k 1500", ":1"],
    ["ttl k", ":2"],
    ["expiretime k", ":1700000002"],
    ["get k", "$1\r\nv"],
    ["pexpireat k 281474976710655", ":1"],
    ["pexpiretime k", ":281474976710655"],
    // Beyond 48 bits Redis has room for the time, and we have not.
    ["pexpireat k 281474976710656", "-ERR invalid expire time in 'pexpireat' command"],
  ]);
});

Deno.test("EXPIRE: the key is gone when its time has come, for readers and writers", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send(request("set", "k", "v") + request("expire", "k", "10"));
  harness.nowMs += 9_999;
  assert.equal(await client.send(request("get", "k")), "$1\r\nv\r\n");
  harness.nowMs += 1;
  assert.equal(await client.send(request("get", "k")), "$-1\r\n");
  assert.equal(await client.send(request("expire", "k", "10")), ":0\r\n");
  assert.equal(await client.send(request("set", "k", "w")), OK);
  assert.equal(await client.send(request("ttl", "k")), ":-1\r\n", "SET takes the time away");
  harness.store.assertInvariants();
});

Deno.test("EXPIRE: is refused like any write when there is no memory, and the key stays", async () => {
  const harness = new Harness({ shardCount: 1, maxMemoryBytes: 2 ** 20 });
  const client = harness.connect();
  let count = 0;
  while ((await client.send(request("set", `k${count}`, "v".repeat(100)))).startsWith("+")) count++;
  assert.ok(count > 1000);
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const reply = await client.send(request("expire", `k${i}`, "100"));
    if (reply === ":1\r\n") continue;
    assert.equal(reply, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert.equal(await client.send(request("ttl", `k${i}`)), ":-1\r\n");
    refused++;
  }
  assert.ok(refused > 0, "memory was short");
  assert.match(await client.send(request("get", "k0")), /^\$100/);
  harness.store.assertInvariants();
});

Deno.test("MEMORY: STATS, DOCTOR, MALLOC-STATS, PURGE and HELP answer in both versions", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send(request("set", "k", "v"));
  const stats = await client.send(request("memory", "stats"));
  assert.match(stats, /^\*34\r\n\$14\r\npeak\.allocated\r\n:[1-9]/);
  assert.match(stats, /\$10\r\nkeys\.count\r\n:1\r\n/);
  assert.match(await client.send(request("memory", "doctor")), /No memory problems were found/);
  assert.match(await client.send(request("memory", "malloc-stats")), /pages: \d+, free: \d+/);
  assert.equal(await client.send(request("memory", "purge")), OK);
  assert.match(await client.send(request("memory", "help")), /MEMORY <subcommand>/);
  assert.equal(
    await client.send(request("memory", "foo")),
    "-ERR unknown subcommand 'foo'. Try MEMORY HELP.\r\n",
  );
  await client.send(request("hello", "3"));
  assert.match(await client.send(request("memory", "stats")), /^%17\r\n/);
  assert.match(await client.send(request("memory", "stats")), /allocator-fragmentation.ratio\r\n,/);
});

Deno.test("INFO memory: shows the pages in use, the peak, the policy and the fragmentation", async () => {
  const harness = new Harness({ shardCount: 1 });
  const client = harness.connect();
  const read = async () => {
    const text = await client.send(request("info", "memory"));
    return new Map(text.split("\r\n").map((line) => line.split(":") as [string, string]));
  };
  for (let i = 0; i < 3000; i++) await client.send(request("set", `k${i}`, "v".repeat(200)));
  const full = await read();
  assert.equal(full.get("maxmemory_policy"), "noeviction");
  assert.equal(full.get("maxmemory"), "8388608");
  assert.equal(full.get("maxmemory_human"), "8.00M");
  assert.equal(full.get("used_memory"), full.get("used_memory_peak"));
  assert.ok(Number(full.get("mem_fragmentation_ratio")) < 1.3, full.get("mem_fragmentation_ratio"));
  for (let i = 0; i < 3000; i++) if (i % 4 !== 0) await client.send(request("del", `k${i}`));
  const sparse = await read();
  assert.ok(Number(sparse.get("mem_fragmentation_ratio")) > 2);
  assert.equal(sparse.get("used_memory_peak"), full.get("used_memory_peak"));
  for (let i = 0; i < 20; i++) await client.send(request("memory", "purge"));
  const purged = await read();
  assert.ok(Number(purged.get("used_memory")) < Number(sparse.get("used_memory")) / 2);
});

Deno.test("Eviction: room for the largest value is made while others are served", async () => {
  const harness = new Harness({
    shardCount: 4,
    maxMemoryBytes: 32 * 2 ** 20,
    maxValueBytes: 16 * 2 ** 20,
    maxRequestBytes: 32 * 2 ** 20,
  });
  harness.store.evictionPolicy = "allkeys-lru";
  const small = harness.connect(2 ** 16);
  for (let i = 0; i < 150_000; i += 100) {
    let text = "";
    for (let j = i; j < i + 100; j++) text += request("set", `k${j}`, "v".repeat(200));
    assert.equal(await small.send(text), OK.repeat(100));
  }
  assert.ok(harness.store.stats().evictedKeys > 0, "memory is full");
  const large = harness.connect(2 ** 20);
  let isDone = false;
  const setting = large.send(request("set", "large", "L".repeat(8 * 2 ** 20)))
    .then((reply) => (isDone = true, reply));
  let served = 0;
  while (!isDone) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await small.send(request("get", "k1"));
    served++;
  }
  assert.equal(await setting, OK);
  assert.ok(served > 5, `${served} others were served meanwhile`);
  harness.store.assertInvariants();
});
