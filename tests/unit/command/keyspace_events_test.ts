import assert from "node:assert/strict";
import { Harness, pause, type TestClient } from "./harness.ts";

/** Commands in this order, and what Redis 7.0.15 published of them on `__keyevent@…` channels. */
const CASES: readonly (readonly [command: string, ...events: string[]])[] = [
  ["SET s 1", "0 set s"],
  ["SET s 1 EX 100", "0 set s", "0 expire s"],
  ["SET s 1 NX"],
  ["SETNX s 1"],
  ["SETNX sn 1", "0 set sn"],
  ["SETEX sx 100 1", "0 set sx", "0 expire sx"],
  ["PSETEX sx 100000 1", "0 set sx", "0 expire sx"],
  ["GETSET s 5", "0 set s"],
  ["MSET m1 1 m2 2 m1 3", "0 set m1", "0 set m2", "0 set m1"],
  ["MSETNX m1 1 m3 1"],
  ["MSETNX m4 1 m3 1", "0 set m4", "0 set m3"],
  ["GETEX s"],
  ["GETEX s EX 100", "0 expire s"],
  ["GETEX s PERSIST", "0 persist s"],
  ["GETEX s PERSIST"],
  ["GETEX s PXAT 1", "0 del s"],
  ["GETDEL m4", "0 del m4"],
  ["GETDEL m4"],
  ["APPEND a x", "0 append a"],
  ['APPEND a ""', "0 append a"],
  ["SETRANGE a 3 y", "0 setrange a"],
  ['SETRANGE a 3 ""'],
  ["INCRBYFLOAT f 1.5", "0 incrbyfloat f"],
  ["INCR i", "0 incrby i"],
  ["DECRBY i 4", "0 incrby i"],
  ["SETBIT b 7 1", "0 setbit b"],
  ["SETBIT b 7 1"],
  ["SETBIT b 20 0", "0 setbit b"],
  ["BITFIELD b GET u8 0"],
  ["BITFIELD b SET u8 0 1 INCRBY u8 8 1", "0 setbit b"],
  ["BITFIELD b SET u8 0 1"],
  ["BITFIELD b SET u8 50 0", "0 setbit b"],
  ["BITFIELD b OVERFLOW FAIL INCRBY u2 0 100"],
  ["BITOP NOT c b", "0 set c"],
  ["BITOP AND c none none2", "0 del c"],
  ["BITOP AND c none none2"],
  ["PFADD h a b", "0 pfadd h"],
  ["PFADD h a b"],
  ["PFMERGE h2 h", "0 pfadd h2"],
  ["EXPIRE a 100", "0 expire a"],
  ["EXPIRE a 100 NX"],
  ["PERSIST a", "0 persist a"],
  ["PERSIST a"],
  ["PEXPIREAT a 1", "0 del a"],
  ["RENAME f g", "0 rename_from f", "0 rename_to g"],
  ["RENAME g g"],
  ["RENAMENX g i"],
  ["RENAMENX g j", "0 rename_from g", "0 rename_to j"],
  ["COPY i k", "0 copy_to k"],
  ["COPY i k"],
  ["COPY i k DB 3", "3 copy_to k"],
  ["MOVE k 2", "0 move_from k", "2 move_to k"],
  ["DEL i j none", "0 del i", "0 del j"],
  ["UNLINK b none", "0 del b"],
  ["ZADD z 1 a 2 b", "0 zadd z"],
  ["ZADD z 1 a"],
  ["ZADD z XX INCR 1 a", "0 zincr z"],
  ["ZADD z NX INCR 1 a"],
  ["ZINCRBY z 1 c", "0 zincr z"],
  ["ZINCRBY z 0 c"],
  ["ZREM z none"],
  ["ZREM z c", "0 zrem z"],
  ["ZRANGESTORE z2 z 0 -1", "0 zrangestore z2"],
  ["ZRANGESTORE z2 none 0 -1", "0 del z2"],
  ["ZRANGESTORE z2 none 0 -1"],
  ["ZUNIONSTORE z2 1 z", "0 zunionstore z2"],
  ["ZINTERSTORE z2 1 z", "0 zinterstore z2"],
  ["ZDIFFSTORE z2 1 z", "0 zdiffstore z2"],
  ["ZINTERSTORE z2 2 z none", "0 del z2"],
  ["ZREMRANGEBYRANK z 5 6"],
  ["ZREMRANGEBYRANK z 0 0", "0 zremrangebyrank z"],
  ["ZREMRANGEBYSCORE z -inf inf", "0 zremrangebyscore z", "0 del z"],
  ["ZADD z 0 a 0 b 0 c 0 d 0 e", "0 zadd z"],
  ["ZREMRANGEBYLEX z [a [a", "0 zremrangebylex z"],
  ["ZPOPMIN z", "0 zpopmin z"],
  ["ZPOPMAX z 0"],
  ["BZPOPMAX z 0", "0 zpopmax z"],
  ["ZMPOP 1 z MIN", "0 zpopmin z"],
  ["BZPOPMIN z 0", "0 zpopmin z", "0 del z"],
  ["ZPOPMIN z"],
  ["GET none"],
  ["EXISTS sn"],
  ["TOUCH sn"],
];

async function watch(harness: Harness): Promise<TestClient> {
  const watcher = harness.connect();
  await harness.ask("CONFIG SET notify-keyspace-events EA\r\n");
  await watcher.send("PSUBSCRIBE __key*\r\n");
  return watcher;
}

/** Events such as `0 set key` since the last call, sorted: channels have no common order. */
async function take(watcher: TestClient): Promise<string[]> {
  await pause();
  const pattern = /__keyevent@(\d+)__:(\w+)\r\n\$\d+\r\n(\w+)\r\n/g;
  const events = [...watcher.pushedText.matchAll(pattern)].map(([, database, event, key]) =>
    `${database} ${event} ${key}`
  );
  watcher.pushed.release();
  return events.sort();
}

Deno.test("keyspace events: every write publishes what it publishes in Redis", async () => {
  const harness = new Harness();
  const watcher = await watch(harness);
  for (const [command, ...events] of CASES) {
    const reply = await harness.ask(`${command}\r\n`);
    assert.notEqual(reply[0], "-", `${command}: ${reply}`);
    assert.deepEqual(await take(watcher), events.sort(), command);
  }
});

Deno.test("keyspace events: RESTORE publishes restore, or del when its time is over", async () => {
  const harness = new Harness();
  const watcher = await watch(harness);
  const client = harness.connect();
  await client.send("SET s abc\r\n");
  const dump = (await client.send("DUMP s\r\n")).replace(/^\$\d+\r\n/, "").slice(0, -2);
  await take(watcher);
  const restore = async (key: string, ...more: string[]): Promise<string[]> => {
    const parts = ["RESTORE", key, more.shift()!, dump, ...more];
    const bytes = `*${parts.length}\r\n${parts.map((p) => `$${p.length}\r\n${p}\r\n`).join("")}`;
    const reply = await client.send(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
    assert.equal(reply, "+OK\r\n");
    return await take(watcher);
  };
  assert.deepEqual(await restore("r", "0"), ["0 restore r"]);
  assert.deepEqual(await restore("r", "1", "REPLACE", "ABSTTL"), ["0 del r"]);
  assert.deepEqual(await restore("r", "1", "REPLACE", "ABSTTL"), []);
});

Deno.test("keyspace events: those of a transaction are published behind it, in order", async () => {
  const harness = new Harness();
  await harness.ask("CONFIG SET notify-keyspace-events KA\r\n");
  const watcher = harness.connect();
  await watcher.send("SUBSCRIBE __keyspace@0__:k news\r\n");
  const client = harness.connect();
  const reply = await client.send(
    "MULTI\r\nSET k 1\r\nPUBLISH news x\r\nINCR k\r\nDEL k\r\nEXEC\r\n",
  );
  assert.match(reply, /\*4\r\n\+OK\r\n:1\r\n:2\r\n:1\r\n$/);
  await pause();
  assert.deepEqual(
    [...watcher.pushedText.matchAll(/\$\d+\r\n(\w+)\r\n(?=\*|$)/g)].map(([, payload]) => payload),
    ["x", "set", "incrby", "del"],
  );
});

Deno.test("keyspace events: a command that works without its locks publishes, too", async () => {
  const harness = new Harness();
  const watcher = await watch(harness);
  const client = harness.connect();
  await client.send("SETRANGE big 1000000 x\r\n");
  await take(watcher);
  assert.equal(await client.send("BITOP NOT other big\r\n"), ":1000001\r\n");
  assert.deepEqual(await take(watcher), ["0 set other"]);
});

Deno.test("SUBSCRIBE in a transaction subscribes when it runs", async () => {
  const harness = new Harness();
  const client = harness.connect();
  assert.equal(
    await client.send("MULTI\r\nSUBSCRIBE a b\r\nPUBLISH a x\r\nEXEC\r\n"),
    "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n" +
      "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n:1\r\n",
  );
  await pause();
  assert.equal(client.pushedText, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
});

Deno.test("keyspace events: keys that are new, expire or are evicted", async () => {
  const harness = new Harness({ maxMemoryBytes: 2 ** 20 });
  const watcher = await watch(harness);
  await harness.ask("CONFIG SET notify-keyspace-events Exen\r\n");
  const background = harness.store.backgroundWork(() => harness.nowMs);
  const steps: [command: string, ...events: string[]][] = [
    ["SET a 1 PX 10", "0 new a"],
    ["SET a 1 PX 10"],
    ["APPEND b 1", "0 new b"],
    ["RENAME b c", "0 new c"],
    ["MOVE c 3", "3 new c"],
  ];
  for (const [command, ...events] of steps) {
    await harness.ask(`${command}\r\n`);
    assert.deepEqual(await take(watcher), events, command);
  }
  harness.nowMs += 100;
  await harness.ask("SET a 2 PX 10\r\n");
  assert.deepEqual(await take(watcher), ["0 expired a", "0 new a"], "overwritten");
  harness.nowMs += 100;
  await harness.ask("DEL a\r\n");
  assert.deepEqual(await take(watcher), ["0 expired a"], "removed");
  await harness.ask("SET a 2 PX 10\r\n");
  await take(watcher);
  harness.nowMs += 5000;
  while (background.run(10));
  harness.services.notifier!.flush();
  assert.deepEqual(await take(watcher), ["0 expired a"], "swept");
  await harness.ask("CONFIG SET maxmemory-policy allkeys-lru notify-keyspace-events Ee\r\n");
  for (let i = 0; i < 400; i++) {
    assert.equal(await harness.ask(`SET big${i} ${"x".repeat(5000)}\r\n`), "+OK\r\n");
  }
  const evicted = await take(watcher);
  assert.ok(evicted.length >= 100, `${evicted.length} of 400 are gone`);
  for (const event of evicted) assert.match(event, /^(0 evicted big\d+|3 evicted c)$/);
});

Deno.test("hidden tables: channels are told neither to hooks nor to watchers", async () => {
  const harness = new Harness();
  const told: string[] = [];
  harness.store.keyWatcher = { wants: () => true, note: () => told.push("watcher") };
  harness.store.hook = {
    written: () => told.push("written"),
    removed: () => told.push("removed"),
    changed: () => told.push("changed"),
    flushed: () => {},
    swapped: () => {},
  };
  const client = harness.connect();
  await client.send("SUBSCRIBE a b\r\nUNSUBSCRIBE a\r\nSSUBSCRIBE a\r\n");
  client.session.close();
  await pause();
  assert.deepEqual(told, []);
  await harness.ask("SET a 1\r\n");
  assert.deepEqual(told, ["watcher", "written"]);
});
