/** What counts as a hit or a miss, as Redis 7.0.15 counts it. */

import assert from "node:assert/strict";
import { Lookup } from "../../../src/store/access.ts";
import { Harness, pause, request, settled } from "./harness.ts";

const SETUP = [
  ...["SET s v", "RPUSH l a b", "HSET h f v", "SADD t a b", "ZADD z 1 a 2 b", "PFADD p a"],
  "SET n 5",
];

/** A command, the hits and the misses that it is; one after the other on the same keys. */
const CASES: readonly (readonly [string, number, number])[] = [
  ["GET s", 1, 0],
  ["GET no", 0, 1],
  ["GET h", 1, 0],
  ["MGET s no s l", 3, 1],
  ["EXISTS s no s", 2, 1],
  ["TYPE s", 1, 0],
  ["TYPE no", 0, 1],
  ["TTL s", 1, 0],
  ["PTTL no", 0, 1],
  ["EXPIRETIME s", 1, 0],
  ["TOUCH s no", 1, 1],
  ["OBJECT ENCODING s", 1, 0],
  ["DUMP s", 1, 0],
  ["DUMP no", 0, 1],
  ["STRLEN s", 1, 0],
  ["GETRANGE s 0 1", 1, 0],
  ["SUBSTR no 0 1", 0, 1],
  ["BITCOUNT s", 1, 0],
  ["BITFIELD_RO s GET u8 0", 1, 0],
  ["GETBIT s 1", 1, 0],
  ["LCS s n", 2, 0],
  ["PFCOUNT p no", 1, 1],
  ["HGET h f", 1, 0],
  ["HGET h no", 1, 0],
  ["HGET no f", 0, 1],
  ["HMGET h f x", 1, 0],
  ["HGETALL h", 1, 0],
  ["HSCAN h 0", 1, 0],
  ["LRANGE l 0 -1", 1, 0],
  ["LPOS l a", 1, 0],
  ["SMEMBERS t", 1, 0],
  ["SCARD no", 0, 1],
  ["SINTER t t", 2, 0],
  ["SINTER t no", 1, 1],
  ["SUNION t no", 1, 1],
  ["SDIFF no t", 1, 1],
  ["SINTERCARD 2 t t", 2, 0],
  ["SRANDMEMBER t", 1, 0],
  ["ZRANGE z 0 -1", 1, 0],
  ["ZSCORE z a", 1, 0],
  ["ZRANK no a", 0, 1],
  ["ZUNION 2 z no", 1, 1],
  ["ZINTER 2 z z", 2, 0],
  ["SORT_RO l ALPHA", 1, 0],
  ["COPY n n2", 1, 0],
  ["SET s v2", 0, 0],
  ["SET s v GET", 1, 0],
  ["SET no2 v GET", 0, 1],
  ["GETSET s v", 1, 0],
  ["GETEX s", 1, 0],
  ["GETEX no", 0, 1],
  ["GETDEL no", 0, 1],
  ["INCR n", 0, 0],
  ["APPEND s x", 0, 0],
  ["HSET h f w", 0, 0],
  ["LPUSH l c", 0, 0],
  ["LPOP l", 0, 0],
  ["SADD t c", 0, 0],
  ["DEL no", 0, 0],
  ["RENAME s s2", 0, 0],
  ["EXPIRE n 100", 0, 0],
  ["RANDOMKEY", 0, 0],
  ["SCAN 0", 0, 0],
  ["KEYS *", 0, 0],
  ["PUBLISH c x", 0, 0],
  ["WATCH n", 0, 0],
  ["GETDEL s2", 1, 0],
];

Deno.test("keyspace hits and misses: what Redis counts is counted, as often", async () => {
  const harness = new Harness();
  const client = harness.connect();
  for (const line of SETUP) await client.send(`${line}\r\n`);
  const { lookups } = harness.store.access;
  for (const [line, hits, misses] of CASES) {
    lookups.fill(0);
    await client.send(`${line}\r\n`);
    const counted = { hits: lookups[Lookup.FOUND], misses: lookups[Lookup.MISSING] };
    assert.deepEqual(counted, { hits, misses }, line);
  }
});

Deno.test("keyspace hits and misses: in a transaction each command counts for itself", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("SET s v\r\nMULTI\r\nGET s\r\nSET s w\r\nGET no\r\nMGET s no\r\n");
  const { lookups } = harness.store.access;
  lookups.fill(0);
  await client.send("EXEC\r\n");
  assert.deepEqual([...lookups], [2, 2]);
});

Deno.test("CLIENT NO-TOUCH: reading a collection is no use of it either", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send("HSET h f v\r\nSET s v\r\n");
  harness.nowMs += 50_000;
  await client.send("CLIENT NO-TOUCH ON\r\nHGETALL h\r\nGET s\r\n");
  const idle = "OBJECT IDLETIME h\r\nOBJECT IDLETIME s\r\n";
  assert.equal(await client.send(idle), ":50\r\n:50\r\n");
  await client.send("CLIENT NO-TOUCH OFF\r\nHGETALL h\r\nGET s\r\n");
  assert.equal(await client.send(idle), ":0\r\n:0\r\n");
});

Deno.test("keyspace hits and misses: a long change counts as little as a short one", async () => {
  const harness = new Harness({ maxRequestBytes: 2 ** 20 });
  const client = harness.connect(2 ** 20);
  const other = harness.connect();
  const { lookups } = harness.store.access;
  const words = Array.from({ length: 6000 }, (_, i) => `m${i}`);
  for (const command of [["SADD", "k"], ["SADD", "k"], ["RPUSH", "l"], ["SREM", "k"]]) {
    lookups.fill(0);
    let reads = 0;
    let isDone = false;
    const long = settled(client.send(request(...command, ...words)))
      .finally(() => isDone = true);
    while (!isDone) {
      await settled(other.send("GET s\r\n"));
      reads++;
      await pause(0);
    }
    assert.match(await long, /^:/);
    assert.ok(reads > 1);
    assert.deepEqual([...lookups], [0, reads], command.join(" "));
  }
});

Deno.test("keyspace hits and misses: serving clients that wait, and letting them go, counts as none", async () => {
  const harness = new Harness();
  const { lookups } = harness.store.access;
  await harness.ask("SET s v\r\n");
  lookups.fill(0);
  const waiting = [
    "BLPOP no l 0.02",
    "BLPOP l 0.01",
    "BZPOPMIN no z 0",
    "BLMOVE l m LEFT LEFT 0.02",
  ]
    .map((line) => settled(harness.ask(`${line}\r\n`)));
  let reads = 0;
  let isDone = false;
  const done = Promise.all(waiting).finally(() => isDone = true);
  await harness.ask("GET s\r\nZADD z 1 m\r\n");
  for (reads = 1; !isDone; reads++) {
    await harness.ask("GET s\r\n");
    await pause(1);
  }
  await done;
  await pause(5);
  assert.deepEqual([...lookups], [reads, 0]);
});
