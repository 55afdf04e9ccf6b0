/** Commands on hashes and sets that are large: in slices, from leases, and still at one moment. */

import assert from "node:assert/strict";
import { Harness, request, settled, type TestClient } from "./harness.ts";

const MEMORY = 64 * 2 ** 20;

function bigHarness(shardCount = 4): Harness {
  return new Harness({
    maxMemoryBytes: MEMORY,
    maxRequestBytes: 16 * 2 ** 20,
    maxValueBytes: 4 * 2 ** 20,
    shardCount,
  });
}

function numbers(from: number, to: number, step = 1): string[] {
  const words: string[] = [];
  for (let i = from; i < to; i += step) words.push(`m${i}`);
  return words;
}

async function add(client: TestClient, key: string, members: readonly string[]): Promise<void> {
  for (let i = 0; i < members.length; i += 500) {
    const reply = await settled(client.send(request("SADD", key, ...members.slice(i, i + 500))));
    assert.match(reply, /^:/);
  }
}

/** The byte strings of a flat array, set or map, sorted. */
function wordsIn(reply: string): string[] {
  const words: string[] = [];
  for (let at = reply.indexOf("\r\n") + 2; at < reply.length;) {
    const lineEnd = reply.indexOf("\r\n", at);
    const start = lineEnd + 2;
    const end = start + Number(reply.slice(at + 1, lineEnd));
    words.push(reply.slice(start, end));
    at = end + 2;
  }
  assert.match(reply, new RegExp(`^[*~]${words.length}\r\n`));
  return words;
}

function assertTidy(harness: Harness): void {
  harness.store.assertInvariants();
  assert.equal(harness.store.stats().leases, 0, "nothing is leased any more");
}

async function membersOf(client: TestClient, key: string): Promise<string[]> {
  return wordsIn(await settled(client.send(request("SMEMBERS", key)))).toSorted();
}

Deno.test("HGETALL: of a large hash is what it was when it was asked", async () => {
  const harness = bigHarness();
  const client = harness.connect();
  const words = numbers(0, 20_000).flatMap((name) => [name, `value of ${name}`]);
  const long = "L".repeat(300_000);
  await client.send(request("HSET", "k", ...words, "long", long, long, "short"));
  const all = settled(harness.ask("HGETALL k\r\n"));
  const keys = settled(harness.ask("HKEYS k\r\n"));
  const values = settled(harness.ask("HVALS k\r\n"));
  const some = settled(harness.ask(request("HMGET", "k", "m1", "long", "none", "m2", "long")));
  await client.send(request("HSET", "k", ...words.map((word) => `${word}!`)));
  assert.equal(await client.send("DEL k\r\n"), ":1\r\n");
  const expected = [...words, "long", long, long, "short"];
  assert.deepEqual(wordsIn(await all).toSorted(), expected.toSorted());
  assert.deepEqual(
    wordsIn(await keys).toSorted(),
    expected.filter((_, i) => i % 2 === 0).toSorted(),
  );
  assert.deepEqual(
    wordsIn(await values).toSorted(),
    expected.filter((_, i) => i % 2 === 1).toSorted(),
  );
  assert.equal(
    await some,
    `*5\r\n$11\r\nvalue of m1\r\n$300000\r\n${long}\r\n$-1\r\n$11\r\nvalue of m2\r\n` +
      `$300000\r\n${long}\r\n`,
  );
  assertTidy(harness);
});

Deno.test("HRANDFIELD: long replies come from a lease, with and without repetitions", async () => {
  const harness = bigHarness();
  const client = harness.connect();
  const names = numbers(0, 10_000);
  await client.send(request("HSET", "k", ...names.flatMap((name) => [name, `v${name}`])));
  for (const count of [5, 1024, 4000, 9_999, 20_000]) {
    const fields = wordsIn(await settled(client.send(`HRANDFIELD k ${count}\r\n`)));
    assert.equal(new Set(fields).size, Math.min(count, 10_000));
    assert.equal(fields.length, Math.min(count, 10_000));
  }
  const pairs = wordsIn(await settled(client.send("HRANDFIELD k -30000 WITHVALUES\r\n")));
  assert.equal(pairs.length, 60_000);
  assert.ok(pairs.every((word, i) => i % 2 === 0 || word === `v${pairs[i - 1]}`));
  assert.ok(new Set(pairs).size > 2 * 9000, "nearly all fields come at least once");
  assert.equal(
    await client.send("HRANDFIELD k -9223372036854775807\r\n"),
    "-ERR value is out of range\r\n",
  );
  assertTidy(harness);
});

Deno.test("SINTER, SUNION, SDIFF: of large sets are as of the moment when they were asked", async () => {
  const harness = bigHarness();
  const client = harness.connect();
  const a = numbers(0, 30_000);
  const b = numbers(0, 60_000, 2);
  const c = [...numbers(0, 30_000, 3), "x".repeat(5000)];
  for (const [key, members] of [["a", a], ["b", b], ["c", c]] as const) {
    await add(client, key, members);
  }
  const inter = settled(harness.ask("SINTER a b c missing a\r\n"));
  const inter3 = settled(harness.ask("SINTER a b c a\r\n"));
  const union = settled(harness.ask("SUNION a b c a missing\r\n"));
  const diff = settled(harness.ask("SDIFF a b c b\r\n"));
  const itself = settled(harness.ask("SDIFF a b a\r\n"));
  const card = settled(harness.ask("SINTERCARD 2 a b\r\n"));
  const limited = settled(harness.ask("SINTERCARD 2 a b LIMIT 9000\r\n"));
  await client.send(request("SREM", "a", ...a.slice(0, 29_000)));
  await client.send("SADD c new\r\nDEL b\r\n");
  assert.equal(await inter, "*0\r\n");
  assert.deepEqual(wordsIn(await inter3).toSorted(), numbers(0, 30_000, 6).toSorted());
  assert.deepEqual(
    wordsIn(await union).toSorted(),
    [...new Set([...a, ...b, ...c])].toSorted(),
  );
  const others = new Set([...b, ...c]);
  assert.deepEqual(
    wordsIn(await diff).toSorted(),
    a.filter((member) => !others.has(member)).toSorted(),
  );
  assert.equal(await itself, "*0\r\n");
  assert.equal(await card, ":15000\r\n");
  assert.equal(await limited, ":9000\r\n");
  assertTidy(harness);
});

Deno.test("SUNIONSTORE and its kin: store what the sets are when they are stored", async () => {
  const harness = bigHarness();
  const client = harness.connect();
  await add(client, "a", numbers(0, 20_000));
  await add(client, "b", numbers(10_000, 40_000));
  await client.send("SET d x EX 1000\r\n");
  const ask = async (line: string) => await settled(client.send(`${line}\r\n`));
  assert.equal(await ask("SUNIONSTORE d a b"), ":40000\r\n");
  assert.equal(await ask("TTL d"), ":-1\r\n");
  assert.deepEqual(await membersOf(client, "d"), numbers(0, 40_000).toSorted());
  assert.equal(await ask("SINTERSTORE a a b"), ":10000\r\n");
  assert.deepEqual(await membersOf(client, "a"), numbers(10_000, 20_000).toSorted());
  assert.equal(await ask("SDIFFSTORE e d a"), ":30000\r\n");
  assert.equal(await ask("SDIFFSTORE e d d"), ":0\r\n");
  assert.equal(await ask("EXISTS e"), ":0\r\n");
  assert.equal(await ask("SET s x"), "+OK\r\n");
  assert.match(await ask("SUNIONSTORE e d s"), /^-WRONGTYPE/);
  assertTidy(harness);
});

Deno.test("SUNIONSTORE: begins again when a set has changed meanwhile", async () => {
  const harness = bigHarness();
  const client = harness.connect();
  await add(client, "a", numbers(0, 20_000));
  await add(client, "b", numbers(10_000, 30_000));
  let isDone = false;
  const stored = settled(harness.ask("SUNIONSTORE d a b\r\n")).finally(() => isDone = true);
  let added = 0;
  while (!isDone) {
    await client.send(`SADD a other${added++}\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const count = Number((await stored).slice(1));
  assert.ok(added > 3, "it was disturbed");
  const members = await membersOf(client, "d");
  assert.equal(members.length, count);
  const others = members.filter((member) => member.startsWith("other")).length;
  assert.ok(others > 0, "what was added before it was stored is in it");
  assert.deepEqual(
    members,
    [...numbers(0, 30_000), ...Array.from({ length: others }, (_, i) => `other${i}`)].toSorted(),
  );
  assertTidy(harness);
});

Deno.test("SUNIONSTORE: a source that becomes a string meanwhile is refused, and nothing is left", async () => {
  const harness = bigHarness();
  const client = harness.connect();
  await add(client, "a", numbers(0, 30_000));
  const stored = settled(harness.ask("SUNIONSTORE d a missing\r\n"));
  await client.send("SET a x\r\n");
  assert.match(await stored, /^-WRONGTYPE/);
  assert.equal(await client.send("EXISTS d\r\n"), ":0\r\n");
  assertTidy(harness);
});

Deno.test("SUNIONSTORE: what does not fit is refused, and the keys stay as they were", async () => {
  const harness = new Harness({ maxMemoryBytes: 8 * 2 ** 20, shardCount: 2 });
  const client = harness.connect();
  await add(client, "a", numbers(0, 30_000));
  await add(client, "b", numbers(30_000, 60_000));
  let reply = "";
  let stored = 0;
  for (; stored < 20; stored++) {
    reply = await settled(client.send(`SUNIONSTORE d${stored} a b\r\n`));
    if (reply !== ":60000\r\n") break;
  }
  assert.match(reply, /^-OOM/);
  assert.ok(stored > 1);
  assert.equal(await client.send(`EXISTS d${stored} d0 a b\r\n`), ":3\r\n");
  assertTidy(harness);
  // What is there stays until there is something in its place, if that fits.
  reply = await settled(client.send("SUNIONSTORE d0 a b\r\n"));
  assert.match(reply, /^-OOM|^:60000/);
  assert.equal(await client.send("SCARD d0\r\n"), ":60000\r\n");
  assertTidy(harness);
});

Deno.test("SPOP: pops as many different members as it is asked for, and keeps the others", async () => {
  const harness = bigHarness();
  const client = harness.connect();
  const all = numbers(0, 30_000);
  await add(client, "k", all);
  let left = new Set(all);
  for (const count of [1, 16, 17, 128, 129, 5000, 20_000, 30_000]) {
    const popped = wordsIn(await settled(client.send(`SPOP k ${count}\r\n`)));
    assert.equal(popped.length, Math.min(count, left.size));
    const rest = new Set(left);
    for (const member of popped) assert.ok(rest.delete(member), "it was there, once");
    left = rest;
    assert.deepEqual(await membersOf(client, "k"), [...left].toSorted());
    harness.store.assertInvariants();
  }
  assert.equal(await client.send("EXISTS k\r\n"), ":0\r\n");
  assertTidy(harness);
});

Deno.test("SPOP: long members are given although they are gone", async () => {
  const harness = bigHarness();
  const client = harness.connect();
  const members = Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i).repeat(100_000));
  await client.send(request("SADD", "k", ...members));
  const first = await settled(client.send("SPOP k\r\n"));
  const more = wordsIn(await settled(client.send("SPOP k 5\r\n")));
  const rest = wordsIn(await settled(client.send("SPOP k 100\r\n")));
  const found = [first.slice(first.indexOf("\r\n") + 2, -2), ...more, ...rest];
  assert.deepEqual(found.toSorted(), members);
  assertTidy(harness);
});

Deno.test("random members: each is given as often as any other", async () => {
  const harness = new Harness();
  const client = harness.connect();
  const members = numbers(0, 200);
  await add(client, "k", members);
  const counts = new Map(members.map((member) => [member, 0]));
  const original = Math.random;
  let state = 77;
  Math.random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  try {
    const count = (text: string) => counts.set(text, counts.get(text)! + 1);
    for (let round = 0; round < 400; round++) {
      for (const each of wordsIn(await client.send("SRANDMEMBER k -20\r\n"))) count(each);
      for (const each of wordsIn(await client.send("SRANDMEMBER k 20\r\n"))) count(each);
      const popped = wordsIn(await client.send("SPOP k 20\r\n"));
      popped.forEach(count);
      await client.send(request("SADD", "k", ...popped));
    }
  } finally {
    Math.random = original;
  }
  const expected = 400 * 60 / 200;
  let sum = 0;
  for (const each of counts.values()) sum += (each - expected) ** 2 / expected;
  assert.ok(sum / 199 < 1.5, `seed 77: ${sum / 199}`);
});
