/** Commands on keys of any type and on whole databases, as a client sees them. */

import assert from "node:assert/strict";
import { WriteStatus } from "../../../src/store/store.ts";
import { keyOf } from "../store/helpers.ts";
import { backgroundDone, Harness, request, settled } from "./harness.ts";

const NO_KEY = "-ERR no such key\r\n";
const SYNTAX = "-ERR syntax error\r\n";
const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const BAD_DATABASE = "-ERR DB index is out of range\r\n";
const SAME = "-ERR source and destination objects are the same\r\n";
const NOT_INTACT = "-ERR DUMP payload version or checksum are wrong\r\n";
/** The dump of the string "1", as an inline argument. */
const DUMP_OF_1 = `"\\x011\\x01\\x00\\xe8m'\\xb2"`;

const conversations: [string, [string, string | RegExp][]][] = [
  ["TYPE, EXISTS, TOUCH and UNLINK", [
    ["SET a 1", "+OK\r\n"],
    ["TYPE a", "+string\r\n"],
    ["TYPE b", "+none\r\n"],
    ["TOUCH a b a", ":2\r\n"],
    ["EXISTS a b a", ":2\r\n"],
    ["UNLINK a b a", ":1\r\n"],
    ["EXISTS a", ":0\r\n"],
  ]],
  ["RENAME", [
    ["SET a 1", "+OK\r\n"],
    ["RENAME a a", "+OK\r\n"],
    ["RENAME x y", NO_KEY],
    ["RENAME x x", NO_KEY],
    ["SET b 2", "+OK\r\n"],
    ["RENAME a b", "+OK\r\n"],
    ["GET b", "$1\r\n1\r\n"],
    ["EXISTS a", ":0\r\n"],
    ["RENAMENX b b", ":0\r\n"],
    ["RENAMENX x b", NO_KEY],
    ["SET a 3", "+OK\r\n"],
    ["RENAMENX a b", ":0\r\n"],
    ["RENAMENX a c", ":1\r\n"],
    ["GET c", "$1\r\n3\r\n"],
    [`RENAME c ${"k".repeat(4097)}`, "-ERR key is too long\r\n"],
    ["GET c", "$1\r\n3\r\n"],
  ]],
  ["COPY", [
    ["SET a 1", "+OK\r\n"],
    ["COPY a a", SAME],
    ["COPY a a DB 0", SAME],
    ["COPY x x", SAME],
    ["COPY a c DB 99", BAD_DATABASE],
    ["COPY a c DB -1", BAD_DATABASE],
    ["COPY a c DB x", NOT_INTEGER],
    ["COPY a c DB", SYNTAX],
    ["COPY a c FOO", SYNTAX],
    ["COPY x c", ":0\r\n"],
    ["COPY a c", ":1\r\n"],
    ["SET a 2", "+OK\r\n"],
    ["COPY a c", ":0\r\n"],
    ["GET c", "$1\r\n1\r\n"],
    ["COPY a c REPLACE", ":1\r\n"],
    ["GET c", "$1\r\n2\r\n"],
    ["COPY a a DB 1", ":1\r\n"],
    ["COPY a a replace db 1", ":1\r\n"],
    ["SELECT 1", "+OK\r\n"],
    ["GET a", "$1\r\n2\r\n"],
  ]],
  ["MOVE", [
    ["SET a 1", "+OK\r\n"],
    ["MOVE a 0", SAME],
    ["MOVE a 99", BAD_DATABASE],
    ["MOVE a x", NOT_INTEGER],
    ["MOVE x 1", ":0\r\n"],
    ["MOVE a 1", ":1\r\n"],
    ["EXISTS a", ":0\r\n"],
    ["SET a 2", "+OK\r\n"],
    ["MOVE a 1", ":0\r\n"],
    ["SELECT 1", "+OK\r\n"],
    ["GET a", "$1\r\n1\r\n"],
  ]],
  ["SWAPDB", [
    ["SET a 1", "+OK\r\n"],
    ["SWAPDB 0 16", BAD_DATABASE],
    ["SWAPDB -1 1", BAD_DATABASE],
    ["SWAPDB x 1", "-ERR invalid first DB index\r\n"],
    ["SWAPDB 1 x", "-ERR invalid second DB index\r\n"],
    ["SWAPDB 0 0", "+OK\r\n"],
    ["SWAPDB 0 15", "+OK\r\n"],
    ["DBSIZE", ":0\r\n"],
    ["SELECT 15", "+OK\r\n"],
    ["GET a", "$1\r\n1\r\n"],
    ["INCR a", ":2\r\n"],
    ["INFO keyspace", /\r\ndb15:keys=1,expires=0,avg_ttl=0\r\n/],
  ]],
  ["FLUSHDB and FLUSHALL", [
    ["FLUSHDB foo", SYNTAX],
    ["FLUSHALL SYNC ASYNC", SYNTAX],
    ["SET a 1", "+OK\r\n"],
    ["SELECT 1", "+OK\r\n"],
    ["SET b 1", "+OK\r\n"],
    ["FLUSHDB SYNC", "+OK\r\n"],
    ["DBSIZE", ":0\r\n"],
    ["SET b 1", "+OK\r\n"],
    ["SELECT 0", "+OK\r\n"],
    ["DBSIZE", ":1\r\n"],
    ["FLUSHALL ASYNC", "+OK\r\n"],
    ["DBSIZE", ":0\r\n"],
    ["INFO keyspace", /(\r\n|:)# Keyspace\r\n\r\n$/],
    ["SET a 2", "+OK\r\n"],
    ["GET a", "$1\r\n2\r\n"],
  ]],
  ["OBJECT and MEMORY", [
    ["OBJECT ENCODING x", "$-1\r\n"],
    ["OBJECT REFCOUNT x", "$-1\r\n"],
    ["OBJECT IDLETIME x", "$-1\r\n"],
    ["OBJECT FREQ x", "$-1\r\n"],
    ["SET a 12", "+OK\r\n"],
    ["OBJECT ENCODING a", "$3\r\nint\r\n"],
    ["SET a 9223372036854775808", "+OK\r\n"],
    ["OBJECT ENCODING a", "$6\r\nembstr\r\n"],
    [`SET a ${"a".repeat(44)}`, "+OK\r\n"],
    ["OBJECT ENCODING a", "$6\r\nembstr\r\n"],
    [`SET a ${"a".repeat(45)}`, "+OK\r\n"],
    ["OBJECT ENCODING a", "$3\r\nraw\r\n"],
    ["OBJECT REFCOUNT a", ":1\r\n"],
    ["OBJECT FREQ a", /^-ERR An LFU maxmemory policy is not selected, access frequency not/],
    ["OBJECT foo a", "-ERR unknown subcommand 'foo'. Try OBJECT HELP.\r\n"],
    ["MEMORY USAGE x", "$-1\r\n"],
    ["MEMORY USAGE a", /^:\d+\r\n$/],
    ["MEMORY USAGE a SAMPLES 0", /^:\d+\r\n$/],
    ["MEMORY USAGE a SAMPLES", SYNTAX],
    ["MEMORY USAGE a SAMPLES -1", SYNTAX],
    ["MEMORY USAGE a SAMPLES x", NOT_INTEGER],
    ["MEMORY USAGE a foo 1", SYNTAX],
  ]],
  ["DUMP and RESTORE", [
    ["DUMP x", "$-1\r\n"],
    [`RESTORE k x ${DUMP_OF_1}`, NOT_INTEGER],
    [`RESTORE k -1 ${DUMP_OF_1}`, "-ERR Invalid TTL value, must be >= 0\r\n"],
    ["RESTORE k 0 y", NOT_INTACT],
    ['RESTORE k 0 ""', NOT_INTACT],
    [`RESTORE k 0 ${DUMP_OF_1.replace("m", "n")}`, NOT_INTACT],
    [`RESTORE k 0 ${DUMP_OF_1} FOO`, SYNTAX],
    [`RESTORE k 0 ${DUMP_OF_1} IDLETIME`, SYNTAX],
    [`RESTORE k 0 ${DUMP_OF_1} IDLETIME x`, NOT_INTEGER],
    [`RESTORE k 0 ${DUMP_OF_1} IDLETIME -1`, "-ERR Invalid IDLETIME value, must be >= 0\r\n"],
    [`RESTORE k 0 ${DUMP_OF_1} FREQ 256`, "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n"],
    [`RESTORE k 0 ${DUMP_OF_1} IDLETIME 1 FREQ 2`, SYNTAX],
    [`RESTORE k 0 ${DUMP_OF_1} FREQ 1 IDLETIME 2`, SYNTAX],
    ["EXISTS k", ":0\r\n"],
    [`RESTORE k 0 ${DUMP_OF_1} FREQ 255`, "+OK\r\n"],
    ["GET k", "$1\r\n1\r\n"],
    [`RESTORE k 0 ${DUMP_OF_1}`, "-BUSYKEY Target key name already exists.\r\n"],
    [`RESTORE k 0 ${DUMP_OF_1} REPLACE IDLETIME 77`, "+OK\r\n"],
    ["OBJECT IDLETIME k", ":77\r\n"],
    // A time that is over: the key is replaced and gone.
    [`RESTORE k 1000 ${DUMP_OF_1} REPLACE ABSTTL`, "+OK\r\n"],
    ["EXISTS k", ":0\r\n"],
  ]],
  ["KEYS and RANDOMKEY", [
    ["RANDOMKEY", "$-1\r\n"],
    ["KEYS *", "*0\r\n"],
    ["SET one 1", "+OK\r\n"],
    ["RANDOMKEY", "$3\r\none\r\n"],
    ["KEYS o*", "*1\r\n$3\r\none\r\n"],
    ["KEYS t*", "*0\r\n"],
    ["KEYS [n-p]??", "*1\r\n$3\r\none\r\n"],
    ["SELECT 1", "+OK\r\n"],
    ["KEYS *", "*0\r\n"],
    [`KEYS ${"a".repeat(1025)}`, "-ERR a pattern must have at most 1024 bytes\r\n"],
  ]],
  ["SCAN TYPE knows all types", [
    ["SET a 1", "+OK\r\n"],
    ["SCAN 0 COUNT 1000 TYPE STRING", /\*1\r\n\$1\r\na\r\n$/],
    ["SCAN 0 COUNT 1000 TYPE zset", /\*0\r\n$/],
    ["SCAN 0 COUNT 1000 TYPE foo", /\*0\r\n$/],
  ]],
];

for (const version of [2, 3]) {
  for (const [name, exchanges] of conversations) {
    Deno.test(`keyspace commands: ${name} in RESP${version}`, async () => {
      const harness = new Harness({ shardCount: 8 });
      const client = harness.connect();
      if (version === 3) await client.send("HELLO 3\r\n");
      for (const [line, expected] of exchanges) {
        const reply = await settled(client.send(`${line}\r\n`));
        if (expected instanceof RegExp) assert.match(reply, expected, line);
        else assert.equal(reply, version === 3 ? expected.replace("$-1", "_") : expected, line);
      }
      await backgroundDone(harness);
      harness.store.assertInvariants();
    });
  }
}

Deno.test("RENAME, COPY and MOVE: take the time to live and values of any size along", async () => {
  const harness = new Harness({ shardCount: 8, maxMemoryBytes: 32 * 2 ** 20 });
  const client = harness.connect();
  for (const byteCount of [0, 1, 4000, 8100, 8192, 65536, 300_000]) {
    const value = Array.from({ length: byteCount }, (_, i) => String.fromCharCode(97 + i % 23));
    const text = value.join("");
    await client.send(request("SET", "k", text, "PX", "5000"));
    for (const name of ["l", "m", "n".repeat(4000), "o"]) {
      await client.send(request("RENAME", "k", name));
      assert.equal(await client.send(request("COPY", name, "k", "REPLACE")), ":1\r\n");
      assert.equal(await client.send(request("GET", name)), await client.send("GET k\r\n"));
      assert.equal(await client.send(request("MOVE", name, "3")), ":1\r\n");
      await client.send("SELECT 3\r\n");
      assert.equal(await client.send(request("GET", name)), `$${byteCount}\r\n${text}\r\n`);
      harness.nowMs += 5000;
      assert.equal(await client.send(request("EXISTS", name)), ":0\r\n");
      harness.nowMs -= 5000;
      assert.equal(await client.send(request("DEL", name)), ":1\r\n");
      await client.send("SELECT 0\r\n");
    }
    harness.store.assertInvariants();
  }
});

Deno.test("OBJECT IDLETIME: counts from the last access; asking about a key is none", async () => {
  const harness = new Harness();
  const idleAfter = async (command: string, noTouch = false): Promise<string> => {
    await harness.ask("SET k v\r\n");
    harness.nowMs += 10_000;
    const client = harness.connect();
    if (noTouch) await client.send("CLIENT NO-TOUCH ON\r\n");
    await client.send(`${command}\r\n`);
    return await harness.ask("OBJECT IDLETIME k\r\n");
  };
  const quiet = ["EXISTS k", "TYPE k", "OBJECT ENCODING k", "MEMORY USAGE k", "KEYS *", "SCAN 0"];
  for (const command of quiet) assert.equal(await idleAfter(command), ":10\r\n", command);
  for (const command of ["GET k", "TOUCH k", "DUMP k", "COPY k l REPLACE"]) {
    assert.equal(await idleAfter(command), ":0\r\n", command);
  }
  assert.equal(await idleAfter("GET k", true), ":10\r\n");
  assert.equal(await idleAfter("TOUCH k", true), ":0\r\n");
});

Deno.test("MEMORY USAGE: the keys' figures add up to what the store says", async () => {
  const harness = new Harness({ shardCount: 1, maxMemoryBytes: 32 * 2 ** 20 });
  const before = harness.store.stats().blockBytes;
  let sum = 0;
  const sizes = [1, 100, 5000, 9000, 70_000, 200_000];
  for (const byteCount of sizes) {
    await harness.ask(request("SET", `k${byteCount}`, "v".repeat(byteCount)));
    sum += Number((await harness.ask(`MEMORY USAGE k${byteCount}\r\n`)).slice(1));
  }
  assert.equal(harness.store.stats().blockBytes - before, sum - 5 * sizes.length);
});

Deno.test("FLUSHDB: with one shard locked waits for it, then replies", async () => {
  const harness = new Harness();
  await harness.ask("SET a 1\r\n");
  const { locks } = harness.store;
  assert.ok(locks.tryLock(2, true));
  const client = harness.connect();
  const reply = client.send("FLUSHDB\r\nPING\r\n");
  const other = harness.connect();
  assert.equal(await other.send("PING\r\n"), "+PONG\r\n");
  locks.unlock(2, true);
  assert.match(await settled(reply) + await client.send(""), /^\+OK\r\n(\+PONG\r\n)?$/);
  assert.equal(harness.store.keyCount(0), 0);
  harness.store.assertInvariants();
});

Deno.test("FLUSHALL: as many as one likes in a row, however little memory there is", async () => {
  const harness = new Harness({ shardCount: 4, maxMemoryBytes: 3 * 2 ** 20 });
  const client = harness.connect();
  let filled = 0;
  for (let round = 0; round < 6; round++) {
    for (let database = 0; database < 16; database += 5) {
      await client.send(`SELECT ${database}\r\n`);
      let reply = "";
      for (let i = 0; !reply.startsWith("-OOM"); i++) {
        reply = await client.send(request("SET", `k${database}:${i}`, "v".repeat(3000)));
      }
      filled++;
    }
    assert.equal(await settled(client.send("FLUSHALL ASYNC\r\n")), "+OK\r\n");
    for (let database = 0; database < 16; database++) {
      assert.equal(harness.store.keyCount(database), 0);
    }
    // The memory is there for the asking: a write that needs it frees it.
    assert.equal(await client.send(request("SET", "k", "v".repeat(100_000))), "+OK\r\n");
  }
  assert.equal(filled, 24);
  await backgroundDone(harness);
  assert.equal(await settled(client.send("FLUSHALL SYNC\r\n")), "+OK\r\n");
  assert.equal(harness.store.keyspace.tables.hasDetached, false);
  harness.store.assertInvariants();
});

Deno.test("FLUSHDB: makes a key that was there absent, and a later one has a later number", () => {
  const { store } = new Harness({ shardCount: 1 });
  const key = keyOf(store, "k");
  const bytes = new Uint8Array(3);
  assert.equal(store.setString(0, key, bytes, 0, 3, 0), WriteStatus.OK);
  const seq = store.entrySeq(store.peek(0, key));
  assert.ok(store.keyspace.flush(0));
  assert.equal(store.peek(0, key), 0);
  store.setString(0, key, bytes, 0, 3, 0);
  assert.ok(store.entrySeq(store.peek(0, key)) > seq);
});
