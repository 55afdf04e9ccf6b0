import assert from "node:assert/strict";
import { Harness, latin1, request } from "./harness.ts";

const WRONG_INTEGER = "-ERR value is not an integer or out of range\r\n";
const OVERFLOW = "-ERR increment or decrement would overflow\r\n";
const SYNTAX = "-ERR syntax error\r\n";
const BAD_EXPIRY = "-ERR invalid expire time in 'set' command\r\n";

/** Conversations on one connection each; every store is empty at first. */
const conversations: [string, [string, string][]][] = [
  ["GET of a missing key is nil", [["GET k", "$-1\r\n"]]],
  ["SET replaces a value by a longer and a shorter one", [
    ["SET k abc", "+OK\r\n"],
    [`SET k ${"x".repeat(40)}`, "+OK\r\n"],
    ["GET k", `$40\r\n${"x".repeat(40)}\r\n`],
    ['SET k ""', "+OK\r\n"],
    ["GET k", "$0\r\n\r\n"],
  ]],
  ["INCR, DECR, INCRBY and DECRBY add to integers", [
    ["INCR n", ":1\r\n"],
    ["INCRBY n 41", ":42\r\n"],
    ["DECR n", ":41\r\n"],
    ["DECRBY n 100", ":-59\r\n"],
    ["GET n", "$3\r\n-59\r\n"],
    ["SET n 17", "+OK\r\n"],
    ["INCR n", ":18\r\n"],
  ]],
  ["integers overflow neither way, and stay as they were", [
    ["SET n 9223372036854775807", "+OK\r\n"],
    ["INCR n", OVERFLOW],
    ["INCRBY n 1", OVERFLOW],
    ["DECRBY n -1", OVERFLOW],
    ["GET n", "$19\r\n9223372036854775807\r\n"],
    ["INCRBY n -9223372036854775808", ":-1\r\n"],
    ["INCRBY n -9223372036854775807", ":-9223372036854775808\r\n"],
    ["DECR n", OVERFLOW],
    ["DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"],
  ]],
  ["what is no canonical int64 is refused", [
    ["INCRBY n x", WRONG_INTEGER],
    ["INCRBY n 1.0", WRONG_INTEGER],
    ["INCRBY n 9223372036854775808", WRONG_INTEGER],
    ["DECRBY n 01", WRONG_INTEGER],
    ["SET s abc", "+OK\r\n"],
    ["INCR s", WRONG_INTEGER],
    ["SET s 01", "+OK\r\n"],
    ["INCR s", WRONG_INTEGER],
    ["GET s", "$2\r\n01\r\n"],
  ]],
  ["SET NX and XX look at whether the key exists", [
    ["SET k 1 XX", "$-1\r\n"],
    ["SET k 1 nx", "+OK\r\n"],
    ["SET k 2 NX", "$-1\r\n"],
    ["SET k 3 xx", "+OK\r\n"],
    ["GET k", "$1\r\n3\r\n"],
  ]],
  ["SET GET replies with the value before", [
    ["SET k 1 GET", "$-1\r\n"],
    ["SET k 2 GET", "$1\r\n1\r\n"],
    ["SET k 3 NX GET", "$1\r\n2\r\n"],
    ["SET k 4 XX GET", "$1\r\n2\r\n"],
    ["GET k", "$1\r\n4\r\n"],
    ["SET m 1 XX GET", "$-1\r\n"],
    ["GET m", "$-1\r\n"],
  ]],
  ["SET refuses options that contradict each other or are unknown", [
    ["SET k v FOO", SYNTAX],
    ["SET k v NX XX", SYNTAX],
    ["SET k v XX NX", SYNTAX],
    ["SET k v EX", SYNTAX],
    ["SET k v EX 10 PX 10", SYNTAX],
    ["SET k v KEEPTTL EX 10", SYNTAX],
    ["SET k v EX 10 KEEPTTL", SYNTAX],
    ["GET k", "$-1\r\n"],
  ]],
  ["SET refuses times that are no numbers, not positive or too far away", [
    ["SET k v EX x", WRONG_INTEGER],
    ["SET k v EX 0", BAD_EXPIRY],
    ["SET k v PX -1", BAD_EXPIRY],
    ["SET k v EXAT 0", BAD_EXPIRY],
    ["SET k v EX 9223372036854775807", BAD_EXPIRY],
    ["SET k v EX 9223372036854775", BAD_EXPIRY],
    ["SET k v PXAT 281474976710656", BAD_EXPIRY],
    ["GET k", "$-1\r\n"],
    ["SET k v PXAT 281474976710655", "+OK\r\n"],
  ]],
  ["databases are apart", [
    ["SET k 0", "+OK\r\n"],
    ["SELECT 1", "+OK\r\n"],
    ["GET k", "$-1\r\n"],
    ["INCR k", ":1\r\n"],
    ["SELECT 0", "+OK\r\n"],
    ["GET k", "$1\r\n0\r\n"],
  ]],
];

for (const [name, exchanges] of conversations) {
  Deno.test(`string commands: ${name}`, async () => {
    const client = new Harness().connect();
    for (const [line, reply] of exchanges) {
      assert.equal(await client.send(`${line}\r\n`), reply, line);
    }
  });
}

/** Whether the key exists `afterMs` later. */
async function existsAfter(harness: Harness, afterMs: number): Promise<boolean> {
  harness.nowMs += afterMs;
  const reply = await harness.ask("EXISTS k\r\n");
  harness.nowMs -= afterMs;
  return reply === ":1\r\n";
}

for (
  const [options, lifeMs] of [
    ["PX 1500", 1500],
    ["EX 2", 2000],
    ["PXAT 1700000000700", 700],
    ["EXAT 1700000003", 3000],
    ["ex 2 xx", 2000],
  ] as const
) {
  Deno.test(`SET: with ${options} the key lives ${lifeMs} ms`, async () => {
    const harness = new Harness();
    harness.nowMs = 1_700_000_000_000;
    await harness.ask(`SET k old\r\nSET k v ${options}\r\n`);
    assert.equal(await existsAfter(harness, lifeMs - 1), true);
    assert.equal(await existsAfter(harness, lifeMs), false);
  });
}

Deno.test("SET: drops the time to live unless told to keep it", async () => {
  const harness = new Harness();
  await harness.ask("SET k v PX 1000\r\nSET k w KEEPTTL\r\n");
  assert.equal(await existsAfter(harness, 1000), false);
  await harness.ask("SET k v PX 1000\r\nINCRBY n 1\r\nSET k w\r\n");
  assert.equal(await existsAfter(harness, 1000), true);
});

Deno.test("SET: an expired key counts as missing for NX and GET", async () => {
  const harness = new Harness();
  await harness.ask("SET k v PX 1000\r\n");
  harness.nowMs += 1000;
  assert.equal(
    await harness.ask("SET k w XX\r\nSET k w NX GET\r\nGET k\r\n"),
    "$-1\r\n$-1\r\n$1\r\nw\r\n",
  );
});

Deno.test("SET: values up to the bound are kept byte for byte, larger ones refused", async () => {
  const harness = new Harness({ maxValueBytes: 100_000, maxRequestBytes: 2 ** 20 });
  const client = harness.connect(2 ** 17);
  for (const byteCount of [0, 1, 31, 32, 33, 8000, 8192, 65536, 100_000]) {
    const value = Array.from({ length: byteCount }, (_, i) => String.fromCharCode((i * 7) % 256))
      .join("");
    assert.equal(await client.send(request("SET", "k", value)), "+OK\r\n");
    const reply = await client.send("GET k\r\n");
    assert.ok(reply === `$${byteCount}\r\n${value}\r\n`, `${byteCount} bytes`);
  }
  assert.equal(
    await client.send(request("SET", "k", "x".repeat(100_001))),
    "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n",
  );
  assert.equal(await client.send("DBSIZE\r\n"), ":1\r\n");
});

Deno.test("SET: a key that is too long is refused, and read as missing", async () => {
  const client = new Harness().connect(2 ** 14);
  const key = "k".repeat(4097);
  assert.equal(await client.send(request("SET", key, "v")), "-ERR key is too long\r\n");
  assert.equal(await client.send(request("INCR", key)), "-ERR key is too long\r\n");
  assert.equal(await client.send(request("GET", key)), "$-1\r\n");
  assert.equal(await client.send(request("DEL", key)), ":0\r\n");
  const longest = "k".repeat(4096);
  assert.equal(await client.send(request("SET", longest, "v")), "+OK\r\n");
  assert.equal(await client.send(request("GET", longest)), "$1\r\nv\r\n");
});

Deno.test("string commands: keys are bytes", async () => {
  const client = new Harness().connect();
  const keys = ["", "\x00", "\x00\x00", "\xff", "a\r\nb"];
  for (const [i, key] of keys.entries()) await client.send(latin1(request("SET", key, `${i}`)));
  for (const [i, key] of keys.entries()) {
    assert.equal(await client.send(latin1(request("GET", key))), `$1\r\n${i}\r\n`);
  }
});
