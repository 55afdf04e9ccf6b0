/** Commands on strings that take long: done in slices, with no lock held, and still at one moment. */

import assert from "node:assert/strict";
import { pattern } from "../store/helpers.ts";
import { Harness, latin1, request, settled, toLatin1 } from "./harness.ts";

const BIG = 1_500_000;

function bigHarness(): Harness {
  return new Harness({
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 16 * 2 ** 20,
    maxRequestBytes: 16 * 2 ** 20,
    shardCount: 4,
  });
}

function ones(bytes: Uint8Array): number {
  let count = 0;
  for (let byte of bytes) for (; byte > 0; byte &= byte - 1) count++;
  return count;
}

async function put(harness: Harness, name: string, bytes: Uint8Array): Promise<void> {
  assert.equal(await harness.ask(request("SET", name, toLatin1(bytes))), "+OK\r\n");
}

/** The string, or what part of it there is. */
async function fetch(harness: Harness, name: string): Promise<Uint8Array> {
  const reply = latin1(await harness.ask(request("GET", name)));
  const start = reply.indexOf(10) + 1;
  return reply.slice(start, reply.length - 2);
}

Deno.test("BITCOUNT: of a long string counts the bits it had when it was asked", async () => {
  const harness = bigHarness();
  const bytes = pattern(BIG, 1);
  await put(harness, "k", bytes);
  const counting = settled(harness.ask("BITCOUNT k\r\n"));
  const part = settled(harness.ask("BITCOUNT k 1003 -70001 BIT\r\n"));
  assert.equal(await harness.ask("SETRANGE k 1499990 xxxxx\r\n"), `:${BIG}\r\n`);
  assert.equal(await harness.ask("DEL k\r\n"), ":1\r\n");
  assert.equal(await counting, `:${ones(bytes)}\r\n`);
  const inner = bytes.slice(125, bytes.length - 8750);
  inner[0]! &= 0b00011111;
  assert.equal(await part, `:${ones(inner)}\r\n`);
  harness.store.assertInvariants();
  assert.equal(harness.store.stats().leases, 0);
});

Deno.test("BITPOS: finds a bit at the end of a long string", async () => {
  const harness = bigHarness();
  await harness.ask(`SETBIT k ${BIG * 8 - 3} 1\r\n`);
  const client = harness.connect();
  assert.equal(await settled(client.send("BITPOS k 1\r\n")), `:${BIG * 8 - 3}\r\n`);
  assert.equal(await settled(client.send(`BITPOS k 0 ${BIG - 1}\r\n`)), `:${BIG * 8 - 8}\r\n`);
  await put(harness, "ones", new Uint8Array(BIG).fill(255));
  assert.equal(await settled(client.send("BITPOS ones 0\r\n")), `:${BIG * 8}\r\n`);
  assert.equal(await settled(client.send("BITPOS ones 0 0 -1\r\n")), ":-1\r\n");
  harness.store.assertInvariants();
});

Deno.test("BITOP: of long strings is what it is byte by byte", async () => {
  const harness = bigHarness();
  const [a, b, c] = [pattern(BIG, 1), pattern(BIG - 100_001, 2), pattern(5000, 3)];
  await put(harness, "a", a);
  await put(harness, "b", b);
  await put(harness, "c", c);
  const cases: [string, (i: number) => number][] = [
    ["AND", (i) => a[i]! & (b[i] ?? 0) & (c[i] ?? 0)],
    ["OR", (i) => a[i]! | (b[i] ?? 0) | (c[i] ?? 0)],
    ["XOR", (i) => a[i]! ^ (b[i] ?? 0) ^ (c[i] ?? 0)],
  ];
  for (const [operation, byteAt] of cases) {
    const reply = await settled(harness.ask(`BITOP ${operation} d a b c missing\r\n`));
    assert.equal(reply, `:${BIG}\r\n`);
    const expected = Uint8Array.from(a, (_, i) => operation === "AND" ? 0 : byteAt(i));
    assert.deepEqual(await fetch(harness, "d"), expected, operation);
  }
  assert.equal(await settled(harness.ask("BITOP NOT a a\r\n")), `:${BIG}\r\n`);
  assert.deepEqual(await fetch(harness, "a"), a.map((byte) => ~byte));
  harness.store.assertInvariants();
});

Deno.test("BITOP: what it stores is made of strings as they are at one moment", async () => {
  const harness = bigHarness();
  await put(harness, "a", new Uint8Array(BIG).fill(1));
  await put(harness, "b", new Uint8Array(BIG).fill(2));
  let done = false;
  const combining = settled(harness.ask("BITOP OR d a b\r\n")).finally(() => done = true);
  // The strings change under its hands, more often than it tries without locks.
  let changes = 0;
  for (; !done && changes < 200; changes++) {
    const byte = String.fromCharCode(4 + changes % 100);
    await settled(harness.ask(request("SETRANGE", "b", "1000", byte)));
    await settled(harness.ask(request("SETRANGE", "a", "1000", byte)));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.equal(await combining, `:${BIG}\r\n`);
  assert.ok(changes > 1, `${changes} changes`);
  const result = await fetch(harness, "d");
  assert.equal(result.length, BIG);
  const odd = result.findIndex((byte, i) => byte !== 3 && i !== 1000);
  assert.equal(odd, -1);
  // At each moment at which somebody could look, b had a's byte or the one after it.
  const possible = new Set([1 | 2, 1 | 4, 103 | 4]);
  for (let byte = 4; byte < 104; byte++) possible.add(byte).add(byte | (byte + 1));
  assert.ok(possible.has(result[1000]!), `${result[1000]}`);
  harness.store.assertInvariants();
});

Deno.test("BITOP: a source that goes meanwhile is missing, and a full store refuses", async () => {
  const harness = bigHarness();
  await put(harness, "a", new Uint8Array(BIG).fill(1));
  const combining = settled(harness.ask("BITOP NOT d a\r\n"));
  await harness.ask("DEL a\r\n");
  assert.equal(await combining, ":0\r\n");
  harness.store.assertInvariants();
  const small = new Harness({
    maxMemoryBytes: 8 * 2 ** 20,
    maxValueBytes: 4 * 2 ** 20,
    maxRequestBytes: 8 * 2 ** 20,
  });
  await put(small, "a", new Uint8Array(4_000_000));
  assert.match(await settled(small.ask("BITOP NOT d a\r\n")), /^-OOM /);
  assert.equal(await small.ask("EXISTS d\r\n"), ":0\r\n");
  small.store.assertInvariants();
});

/** Length of the longest common subsequence, by the book. */
function lcsLength(a: string, b: string): number {
  let line = new Array<number>(b.length + 1).fill(0);
  for (const byte of a) {
    const next = [0];
    for (let j = 1; j <= b.length; j++) {
      next.push(byte === b[j - 1] ? line[j - 1]! + 1 : Math.max(line[j]!, next[j - 1]!));
    }
    line = next;
  }
  return line[b.length]!;
}

function isSubsequence(part: string, whole: string): boolean {
  let at = -1;
  return [...part].every((character) => (at = whole.indexOf(character, at + 1)) >= 0);
}

Deno.test("LCS: of long strings is a common subsequence of the right length, several at a time", async () => {
  const harness = bigHarness();
  const letters = (count: number, seed: number): string =>
    toLatin1(pattern(count, seed).map((byte) => 97 + byte % 5));
  const [a, b] = [letters(3000, 1), letters(700, 2)];
  await harness.ask(request("MSET", "a", a, "b", b));
  const length = lcsLength(a, b);
  const asked = ["LCS a b\r\n", "LCS b a\r\n", "LCS a b LEN\r\n"].map((line) =>
    settled(harness.ask(line))
  );
  await harness.ask("DEL a b\r\n");
  const [forward, backward, onlyLength] = await Promise.all(asked);
  assert.equal(onlyLength, `:${length}\r\n`);
  for (const reply of [forward!, backward!]) {
    const text = reply.split("\r\n")[1]!;
    assert.equal(text.length, length);
    assert.ok(isSubsequence(text, a) && isSubsequence(text, b));
  }
  await harness.ask(request("MSET", "a", letters(20_000, 1), "b", letters(20, 2)));
  assert.match(await settled(harness.ask("LCS a b LEN\r\n")), /^:20\r\n$/);
  assert.match(await harness.ask("LCS a b FOO\r\n"), /^-ERR syntax error\r\n$/);
  assert.equal(harness.store.stats().leases, 0);
  harness.store.assertInvariants();
});

Deno.test("LCS: more work than its cap is refused", async () => {
  const harness = bigHarness();
  await harness.ask(request("MSET", "a", "x".repeat(16_385), "b", "y".repeat(16_384)));
  assert.equal(
    await harness.ask("LCS a b LEN\r\n"),
    "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n",
  );
});

Deno.test("GETRANGE: a long range goes out piece by piece, as it was when it was asked for", async () => {
  const harness = bigHarness();
  const bytes = pattern(BIG, 4);
  await put(harness, "k", bytes);
  const reply = await harness.ask("GETRANGE k 1000 -1001\r\n");
  assert.equal(reply, `$${BIG - 2000}\r\n${toLatin1(bytes.subarray(1000, BIG - 1000))}\r\n`);
  assert.equal(harness.store.stats().leases, 0);
});

Deno.test("GETDEL, GETSET and SET GET of a long string reply with it whole", async () => {
  const harness = bigHarness();
  const bytes = pattern(500_000, 5);
  const expected = `$500000\r\n${toLatin1(bytes)}\r\n`;
  for (const line of ["SET k new GET", "GETSET k new", "GETDEL k", "GETEX k EX 100"]) {
    await put(harness, "k", bytes);
    assert.equal(await harness.ask(`${line}\r\n`), expected, line);
  }
  harness.store.assertInvariants();
  assert.equal(harness.store.stats().orphanBytes, 0);
});

Deno.test("GETEX: the key expires when it says, and PERSIST takes that back", async () => {
  for (const value of ["17", "text", "x".repeat(8150), "x".repeat(100_000)]) {
    const harness = new Harness();
    await harness.ask(request("SET", "k", value));
    await harness.ask("GETEX k PX 1000\r\nGETEX k PX 2000\r\n");
    harness.nowMs += 1999;
    assert.equal(await harness.ask("EXISTS k\r\n"), ":1\r\n");
    assert.equal(await harness.ask("STRLEN k\r\n"), `:${value.length}\r\n`);
    await harness.ask("GETEX k PERSIST\r\n");
    harness.nowMs += 2;
    assert.equal(await harness.ask("EXISTS k\r\n"), ":1\r\n");
    await harness.ask(`GETEX k PXAT ${harness.nowMs + 5}\r\n`);
    harness.nowMs += 5;
    assert.equal(await harness.ask("EXISTS k\r\n"), ":0\r\n");
    harness.store.assertInvariants();
  }
});

Deno.test("commands that keep the expiry keep it, those that set anew do not", async () => {
  const keeps = ["APPEND k 1", "SETRANGE k 0 5", "SETBIT k 0 0", "BITFIELD k SET u8 8 49", "INCR k"]
    .concat(["INCRBYFLOAT k 1", "SET k 5 KEEPTTL", "GETEX k", "SETRANGE k 9000 x"]);
  const drops = [
    "MSET k 1",
    "MSET k 1 j 2",
    "GETSET k 1",
    "SET k 1",
    "BITOP NOT k k",
    "GETEX k PERSIST",
  ];
  for (const [lines, lives] of [[keeps, 0], [drops, 1]] as const) {
    for (const line of lines) {
      const harness = new Harness();
      await harness.ask("SETEX k 10 17\r\n");
      assert.doesNotMatch(await harness.ask(`${line}\r\n`), /^-/, line);
      harness.nowMs += 10_000;
      assert.equal(await harness.ask("EXISTS k\r\n"), `:${lives}\r\n`, line);
    }
  }
});

Deno.test("MSET and MSETNX: without memory for all of the keys none is set", async () => {
  const harness = new Harness({ maxMemoryBytes: 4 * 2 ** 20, maxRequestBytes: 2 ** 23 });
  await harness.ask("SET a 1\r\n");
  const pairs = ["a", "2"];
  for (let i = 0; i < 8; i++) pairs.push(`b${i}`, "x".repeat(900_000));
  for (const [name, key] of [["MSET", "a"], ["MSETNX", "c"]] as const) {
    pairs[0] = key;
    assert.match(await settled(harness.ask(request(name, ...pairs))), /^-OOM /);
    harness.store.assertInvariants();
  }
  assert.equal(await harness.ask("MGET a b0 c\r\n"), "*3\r\n$1\r\n1\r\n$-1\r\n$-1\r\n");
});
