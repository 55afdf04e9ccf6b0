/** Commands on large sorted sets: streamed, done in slices, and still at one moment. */

import assert from "node:assert/strict";
import { scoreText } from "../../helpers/sorted_set_model.ts";
import { Harness, request, settled, type TestClient } from "./harness.ts";

const SIZE = 20_000;
const BATCH = 250;

function bigHarness(): Harness {
  return new Harness({ maxMemoryBytes: 64 * 2 ** 20, maxRequestBytes: 2 ** 20, shardCount: 4 });
}

/** A sorted set of `size` members, `m0` with the score 0 and so on. */
async function fill(harness: Harness, name: string, size = SIZE, first = 0): Promise<void> {
  const client = harness.connect(2 ** 17);
  for (let at = first; at < first + size; at += BATCH) {
    const words = ["ZADD", name];
    for (let i = at; i < Math.min(at + BATCH, first + size); i++) words.push(`${i}`, `m${i}`);
    assert.equal(await settled(client.send(request(...words))), `:${(words.length - 2) / 2}\r\n`);
  }
}

function check(harness: Harness): void {
  harness.store.assertInvariants();
  assert.equal(harness.store.stats().leases, 0);
}

/** The byte strings of a flat array. */
function strings(reply: string): string[] {
  return reply.split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
}

async function members(client: TestClient, name: string): Promise<string[]> {
  return strings(await settled(client.send(`ZRANGE ${name} 0 -1\r\n`)));
}

function names(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `m${from + i}`);
}

for (const version of [2, 3] as const) {
  Deno.test(`ZRANGE: of a large sorted set arrives in pieces, version ${version}`, async () => {
    const harness = bigHarness();
    await fill(harness, "k");
    const client = harness.connect();
    await client.send(`HELLO ${version}\r\n`);
    const reply = await client.send("ZRANGE k 0 -1 WITHSCORES\r\n");
    assert.ok(client.flushCount > 0, `${client.flushCount} pieces`);
    const pairs = names(0, SIZE).map((name, i) =>
      version === 3
        ? `*2\r\n$${name.length}\r\n${name}\r\n,${i}\r\n`
        : `$${name.length}\r\n${name}\r\n$${`${i}`.length}\r\n${i}\r\n`
    );
    const count = version === 3 ? SIZE : 2 * SIZE;
    assert.ok(reply === `*${count}\r\n${pairs.join("")}`);
    const reversed = strings(await client.send("ZRANGE k 0 -2 REV\r\n"));
    assert.deepEqual(reversed, names(1, SIZE).reverse());
    check(harness);
  });
}

Deno.test("ZRANGE: what is streamed is the sorted set as it was when it was asked for", async () => {
  const harness = bigHarness();
  await fill(harness, "k");
  const long = "x".repeat(70_000);
  const other = harness.connect(2 ** 17);
  await other.send(request("ZADD", "k", "10.5", long, "11.5", "y".repeat(20_000)));
  const client = harness.connect();
  const before = await client.send("ZRANGE k 0 -1 WITHSCORES\r\n");
  // The session of another client runs between two pieces of the first one's reply.
  const slow = harness.connect();
  let isDeleted = false;
  slow.onFlush = async () => {
    if (isDeleted) return;
    isDeleted = true;
    await other.send("ZREMRANGEBYRANK k 0 300\r\nZADD k 5 new\r\n");
    assert.equal(await other.send("DEL k\r\n"), ":1\r\n");
  };
  assert.ok(await slow.send("ZRANGE k 0 -1 WITHSCORES\r\n") === before);
  assert.ok(isDeleted);
  assert.equal(await other.send("EXISTS k\r\n"), ":0\r\n");
  check(harness);
});

Deno.test("ZREMRANGEBY…: many members go at one moment, and the key keeps its time to live", async () => {
  const harness = bigHarness();
  await fill(harness, "k");
  const client = harness.connect();
  await client.send("PEXPIREAT k 1800000000000\r\n");
  assert.equal(
    await settled(client.send("ZREMRANGEBYSCORE k 1000 (11000\r\n")),
    ":10000\r\n",
  );
  assert.equal(await client.send("PEXPIRETIME k\r\n"), ":1800000000000\r\n");
  assert.deepEqual(await members(client, "k"), [...names(0, 1000), ...names(11_000, SIZE)]);
  assert.equal(await client.send("ZSCORE k m1000\r\n"), "$-1\r\n");
  assert.equal(await settled(client.send("ZREMRANGEBYRANK k 10 -11\r\n")), ":9980\r\n");
  assert.deepEqual(await members(client, "k"), [...names(0, 10), ...names(SIZE - 10, SIZE)]);
  assert.equal(await client.send("PEXPIRETIME k\r\n"), ":1800000000000\r\n");
  check(harness);
});

Deno.test("ZREMRANGEBYSCORE: writes that come while it works are neither lost nor undone", async () => {
  const harness = bigHarness();
  await fill(harness, "k");
  let isDone = false;
  const removing = settled(harness.ask("ZREMRANGEBYSCORE k 5000 14999\r\n"))
    .finally(() => isDone = true);
  const added: string[] = [];
  for (let i = 0; !isDone && i < 500; i++) {
    added.push(`new${i}`);
    await settled(harness.ask(`ZADD k 30000 new${i}\r\n`));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.equal(await removing, ":10000\r\n");
  assert.ok(added.length > 3, `${added.length} writes`);
  const left = await members(harness.connect(), "k");
  assert.deepEqual(left, [...names(0, 5000), ...names(15_000, SIZE), ...added.toSorted()]);
  check(harness);
});

Deno.test("ZPOPMIN and ZMPOP: many members are popped, and returned in pieces", async () => {
  const harness = bigHarness();
  await fill(harness, "k");
  const client = harness.connect();
  const popped = strings(await settled(client.send("ZPOPMIN k 9000\r\n")));
  assert.deepEqual(popped, names(0, 9000).flatMap((name, i) => [name, `${i}`]));
  const reply = await settled(client.send("ZMPOP 2 none k MAX COUNT 5000\r\n"));
  const pairs = names(15_000, SIZE).map((name, i) => {
    const score = scoreText(15_000 + i);
    return `*2\r\n$${name.length}\r\n${name}\r\n$${score.length}\r\n${score}\r\n`;
  });
  assert.ok(reply === `*2\r\n$1\r\nk\r\n*5000\r\n${pairs.reverse().join("")}`);
  assert.deepEqual(await members(client, "k"), names(9000, 15_000));
  const rest = strings(await settled(client.send("ZPOPMAX k 100000\r\n")));
  assert.equal(rest.length, 12_000);
  assert.equal(await client.send("EXISTS k\r\n"), ":0\r\n");
  check(harness);
});

Deno.test("ZUNIONSTORE and its kin: large results are what they are member by member", async () => {
  const harness = bigHarness();
  await fill(harness, "a", 6000);
  await fill(harness, "b", 6000, 4000);
  const client = harness.connect();
  assert.equal(await settled(client.send("ZUNIONSTORE d 2 a b WEIGHTS 1 2\r\n")), ":10000\r\n");
  assert.equal(
    await client.send("ZMSCORE d m0 m3999 m4000 m9999\r\n").then(strings).then(String),
    "0,3999,12000,19998",
  );
  assert.equal(
    await client.send("ZRANK d m5999\r\n"),
    ":9999\r\n".replace("9999", String(rankOf5999())),
  );
  assert.equal(await settled(client.send("ZINTERSTORE d 2 a b AGGREGATE MIN\r\n")), ":2000\r\n");
  assert.deepEqual(await members(client, "d"), names(4000, 6000));
  assert.equal(await settled(client.send("ZDIFFSTORE d 2 a b\r\n")), ":4000\r\n");
  assert.deepEqual(await members(client, "d"), names(0, 4000));
  assert.equal(await settled(client.send("ZINTERCARD 2 a b\r\n")), ":2000\r\n");
  assert.equal(await settled(client.send("ZINTERCARD 2 a b LIMIT 700\r\n")), ":700\r\n");
  const union = strings(await settled(client.send("ZUNION 2 a b AGGREGATE MAX\r\n")));
  assert.deepEqual(union, names(0, 10_000));
  assert.deepEqual(strings(await settled(client.send("ZDIFF 2 b a\r\n"))), names(6000, 10_000));
  assert.equal(await settled(client.send("ZRANGESTORE d b 1000 -1001\r\n")), ":4000\r\n");
  assert.deepEqual(await members(client, "d"), names(5000, 9000));
  // In place of a source.
  assert.equal(await settled(client.send("ZUNIONSTORE a 2 a b\r\n")), ":10000\r\n");
  assert.equal(await client.send("ZSCORE a m5000\r\n"), "$5\r\n10000\r\n");
  check(harness);
});

/** Below 2 × 5999 + 5999 are all of `a` alone, and of the others those with smaller sums. */
function rankOf5999(): number {
  const sums = new Map<number, number>();
  for (let i = 0; i < 6000; i++) sums.set(i, i);
  for (let i = 4000; i < 10_000; i++) sums.set(i, (sums.get(i) ?? 0) + 2 * i);
  return [...sums.values()].filter((sum) => sum < sums.get(5999)!).length;
}

Deno.test("ZUNIONSTORE: the result is one of a moment, whatever changes meanwhile", async () => {
  const harness = bigHarness();
  await fill(harness, "a", 5000);
  await fill(harness, "b", 5000);
  let isDone = false;
  const storing = settled(harness.ask("ZUNIONSTORE a 2 a b\r\n")).finally(() => isDone = true);
  let writes = 0;
  for (; !isDone && writes < 500; writes++) {
    // The sum of both is the same at every moment at which both have been written.
    await settled(harness.ask(`MULTI\r\nZINCRBY b 1 m7\r\nZADD a 1 new${writes}\r\nEXEC\r\n`));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const count = Number((await storing).slice(1));
  assert.ok(writes > 3, `${writes} writes`);
  // As many as were there when it was stored came from writes before; each added 1 to m7.
  const before = count - 5000;
  const score = Number(strings(`*1\r\n${await harness.ask("ZSCORE a m7\r\n")}`)[0]);
  assert.equal(score, 14 + before);
  assert.equal(await harness.ask("ZCARD a\r\n"), `:${5000 + writes}\r\n`);
  check(harness);
});

Deno.test("stored results: very large ones of what changes all the time are refused, others stored", async () => {
  const harness = bigHarness();
  await fill(harness, "z", 3000);
  const changing = async (line: string, change: string): Promise<string> => {
    let isDone = false;
    const storing = settled(harness.ask(`${line}\r\n`)).finally(() => isDone = true);
    for (let i = 0; !isDone; i++) {
      await settled(harness.ask(`${change}${i}\r\n`));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return await storing;
  };
  // Each member is looked for 64 times: as much work as one of 192,000 members.
  const many = `ZINTERSTORE d 64${" z".repeat(64)}`;
  assert.match(
    await changing(many, "ZADD z 1 new"),
    /^-ERR the sorted sets are too large to be combined while others change them, try again\r\n$/,
  );
  assert.equal(await harness.ask("EXISTS d\r\n"), ":0\r\n", "nothing has changed");
  assert.equal(await changing("ZRANGESTORE d z 0 2999", "ZADD z -1 first"), ":3000\r\n");
  // With nobody in the way there is no bound.
  assert.equal(await settled(harness.ask(`${many}\r\n`)), await harness.ask("ZCARD z\r\n"));
  check(harness);
});

Deno.test("ZUNION: of large sorted sets works inside a transaction", async () => {
  const harness = bigHarness();
  await fill(harness, "a", 3000);
  await fill(harness, "b", 3000, 1000);
  const client = harness.connect();
  const reply = await settled(client.send(
    "MULTI\r\nZUNION 2 a b\r\nZUNIONSTORE d 2 a b\r\nZREMRANGEBYRANK d 100 2099\r\n" +
      "ZINTERCARD 2 a b\r\nZPOPMIN d 900\r\nEXEC\r\n",
  ));
  assert.match(reply, /^\+OK\r\n(\+QUEUED\r\n){5}\*5\r\n\*4000\r\n/);
  assert.match(reply, /:4000\r\n:2000\r\n:2000\r\n\*1800\r\n/);
  assert.equal(await client.send("ZCARD d\r\n"), ":1100\r\n");
  check(harness);
});

Deno.test("ZUNIONSTORE: without memory it refuses, and nothing has changed", async () => {
  const harness = new Harness({ maxMemoryBytes: 8 * 2 ** 20, shardCount: 1 });
  const client = harness.connect();
  let size = 0;
  for (let reply = ""; !reply.startsWith("-OOM"); size += 20) {
    const pairs = names(size, size + 20).flatMap((name, i) => [`${size + i}`, name]);
    reply = await settled(client.send(request("ZADD", "a", ...pairs)));
  }
  size -= 20;
  assert.ok(size > 10_000, `${size} members`);
  for (const line of ["ZUNIONSTORE d 1 a", "ZRANGESTORE d a 0 -1", "ZUNION 1 a"]) {
    assert.match(await settled(client.send(`${line}\r\n`)), /^-OOM /, line);
  }
  assert.equal(await client.send("EXISTS d\r\n"), ":0\r\n");
  // For what stays there is no room either: members go one by one.
  assert.equal(await settled(client.send("ZREMRANGEBYRANK a 100 1099\r\n")), ":1000\r\n");
  assert.deepEqual(await members(client, "a"), [...names(0, 100), ...names(1100, size)]);
  check(harness);
});

Deno.test("ZSCAN: every member present throughout is returned, while others come and go", async () => {
  const harness = bigHarness();
  await fill(harness, "k", 5000);
  const client = harness.connect();
  const other = harness.connect();
  const seen = new Set<string>();
  let cursor = "0";
  for (let round = 0; round === 0 || cursor !== "0"; round++) {
    const lines = (await client.send(`ZSCAN k ${cursor} COUNT 50\r\n`)).split("\r\n");
    cursor = lines[2]!;
    for (let i = 5; i < lines.length; i += 4) seen.add(lines[i]!);
    await other.send(`ZADD k 1 new${round}\r\nZREM k m${4000 + round} new${round - 5}\r\n`);
  }
  for (const name of names(0, 4000)) assert.ok(seen.has(name), name);
  const matched = await client.send("ZSCAN k 0 MATCH m1?7 COUNT 100000\r\n");
  assert.ok(
    matched.split("\r\n").slice(5).every((line, i) => i % 4 !== 0 || /^(m1\d7)?$/.test(line)),
  );
  check(harness);
});

Deno.test("ZRANDMEMBER: every member is as likely as any other, and different ones differ", async () => {
  const harness = bigHarness();
  const size = 3000;
  await fill(harness, "k", size);
  const client = harness.connect();
  const counts = new Map<string, number>();
  for (const [line, rounds] of [["ZRANDMEMBER k 300", 60], ["ZRANDMEMBER k 1500", 20]] as const) {
    for (let round = 0; round < rounds; round++) {
      const picked = strings(await client.send(`${line}\r\n`));
      assert.equal(new Set(picked).size, Number(line.split(" ")[2]));
      for (const name of picked) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  const any = strings(await client.send("ZRANDMEMBER k -30000 WITHSCORES\r\n"));
  assert.equal(any.length, 60_000);
  for (let i = 0; i < any.length; i += 2) {
    assert.equal(any[i], `m${any[i + 1]}`);
    counts.set(any[i]!, (counts.get(any[i]!) ?? 0) + 1);
  }
  // Each is expected 26 times; so far from that is one in some billions.
  for (const name of names(0, size)) {
    const count = counts.get(name) ?? 0;
    assert.ok(count >= 3 && count <= 70, `${name}: ${count} times`);
  }
  check(harness);
});
