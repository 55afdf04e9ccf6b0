import assert from "node:assert/strict";
import { Dice } from "../store/collection_helpers.ts";
import { Harness, latin1, request, settled, type TestClient } from "./harness.ts";

const SEED = Number(Deno.env.get("SLUICE_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const KEYS = ["a", "b", "c", "d", "e"] as const;

type Sets = Map<string, Set<string>>;

function combined(name: string, sets: readonly Set<string>[]): Set<string> {
  const [first, ...others] = sets as [Set<string>, ...Set<string>[]];
  if (name.startsWith("SUNION")) return others.reduce((sum, each) => sum.union(each), first);
  if (name.startsWith("SDIFF")) return others.reduce((left, each) => left.difference(each), first);
  return others.reduce((common, each) => common.intersection(each), first);
}

/** Members of a flat reply, sorted. */
function membersIn(reply: string): string[] {
  const words: string[] = [];
  for (let at = reply.indexOf("\r\n") + 2; at < reply.length;) {
    const lineEnd = reply.indexOf("\r\n", at);
    const end = lineEnd + 2 + Number(reply.slice(at + 1, lineEnd));
    words.push(reply.slice(lineEnd + 2, end));
    at = end + 2;
  }
  assert.ok(reply.startsWith(`*${words.length}\r\n`), "as many as the head says");
  return words.toSorted();
}

function memberOf(dice: Dice, size: number): string {
  const member = `m${dice.roll(size)}`;
  return dice.roll(400) === 0 ? member.repeat(500) : member;
}

/** Adds and removes members at random: sets of all sizes come and go. */
async function change(client: TestClient, sets: Sets, dice: Dice): Promise<void> {
  const key = KEYS[dice.roll(KEYS.length)]!;
  const count = 1 + dice.roll(dice.roll(4) === 0 ? 900 : 12);
  const members = Array.from(
    { length: count },
    () => memberOf(dice, dice.roll(2) === 0 ? 40 : 1500),
  );
  const adds = dice.roll(5) < 3;
  const set = sets.get(key) ?? new Set<string>();
  const next = adds ? set.union(new Set(members)) : set.difference(new Set(members));
  sets.set(key, next);
  assert.equal(
    await settled(client.send(request(adds ? "SADD" : "SREM", key, ...members))),
    `:${Math.abs(next.size - set.size)}\r\n`,
  );
}

async function combine(client: TestClient, sets: Sets, dice: Dice): Promise<void> {
  const names = ["SINTER", "SUNION", "SDIFF", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"];
  const name = names[dice.roll(names.length)]!;
  const keys = Array.from({ length: 1 + dice.roll(4) }, () => KEYS[dice.roll(KEYS.length)]!);
  const expected = combined(name, keys.map((key) => sets.get(key) ?? new Set<string>()));
  const what = `SLUICE_SEED=${SEED}: ${name} ${keys.join(" ")}`;
  if (name.endsWith("STORE")) {
    const target = KEYS[dice.roll(KEYS.length)]!;
    const reply = await settled(client.send(request(name, target, ...keys)));
    assert.equal(reply, `:${expected.size}\r\n`, what);
    sets.set(target, expected);
    const members = membersIn(await settled(client.send(request("SMEMBERS", target))));
    assert.deepEqual(members, [...expected].toSorted(), what);
    return;
  }
  const reply = await settled(client.send(request(name, ...keys)));
  assert.deepEqual(membersIn(reply), [...expected].toSorted(), what);
  if (name !== "SINTER") return;
  const limit = dice.roll(expected.size + 3);
  const card = request("SINTERCARD", String(keys.length), ...keys, "LIMIT", String(limit));
  const count = limit === 0 ? expected.size : Math.min(limit, expected.size);
  assert.equal(await settled(client.send(card)), `:${count}\r\n`, what);
}

for (const shardCount of [1, 16]) {
  Deno.test(`SINTER, SUNION, SDIFF and STORE: agree with plain sets over ${shardCount} shards`, async () => {
    const dice = new Dice(SEED);
    for (let round = 0; round < 6; round++) {
      const harness = new Harness({ shardCount, maxMemoryBytes: 48 * 2 ** 20 });
      const client = harness.connect(2 ** 16);
      const sets: Sets = new Map();
      for (let i = 0; i < 60; i++) {
        await change(client, sets, dice);
        await combine(client, sets, dice);
      }
      harness.store.assertInvariants();
      assert.equal(harness.store.stats().leases, 0);
    }
  });
}

Deno.test("SINTER and its kin: inside a transaction they are done at once", async () => {
  const harness = new Harness({ maxMemoryBytes: 32 * 2 ** 20 });
  const client = harness.connect(2 ** 16);
  const members = Array.from({ length: 20_000 }, (_, i) => `m${i}`);
  for (let i = 0; i < 20_000; i += 1000) {
    await client.send(request("SADD", "a", ...members.slice(i, i + 1000)));
    await client.send(request("SADD", "b", ...members.slice(i, i + 500)));
  }
  await client.send("MULTI\r\nSINTERCARD 2 a b\r\nSDIFFSTORE d a b\r\nSUNIONSTORE d d b\r\n");
  await client.send("SDIFF d a\r\nSPOP d 100\r\nSCARD d\r\n");
  const reply = await settled(client.send("EXEC\r\n"));
  assert.ok(reply.startsWith("*6\r\n:10000\r\n:10000\r\n:20000\r\n*0\r\n*100\r\n"));
  assert.ok(reply.endsWith(":19900\r\n"));
  harness.store.assertInvariants();
});

/** Writes that need memory, the state before each being that of `prepare`. */
function memoryHungryCommands(): string[] {
  const long = "x".repeat(3000);
  const many = Array.from({ length: 300 }, (_, i) => `n${i}`);
  return [
    request("HSET", "h", "f", long, "g", long, "new", "1"),
    request("HSET", "new", "f", "1"),
    request("HMSET", "h", ...many),
    request("HSETNX", "h", "other", long),
    request("HINCRBY", "new", "n", "5"),
    request("HINCRBY", "h", "n", "5000000"),
    request("HINCRBYFLOAT", "new", "n", "1.5"),
    request("SADD", "s", long, `${long}y`),
    request("SADD", "new", "a"),
    request("SADD", "s", ...many),
    request("SMOVE", "s", "new", "m1"),
    request("SMOVE", "s", "t", "m1"),
    request("SUNIONSTORE", "new", "s", "t"),
    request("SINTERSTORE", "t", "s", "t"),
    request("SDIFFSTORE", "s", "s", "t"),
    request("SPOP", "s", "150"),
    request("HDEL", "h", "f"),
    request("SREM", "s", "m1", "m2"),
  ];
}

async function prepare(harness: Harness): Promise<TestClient> {
  const client = harness.connect(2 ** 16);
  const members = Array.from({ length: 200 }, (_, i) => `m${i}`);
  await client.send(request("HSET", "h", "f", "1", "n", "7", "w", "z".repeat(1000)));
  await client.send(request("SADD", "s", ...members));
  await client.send(request("SADD", "t", "m1", "m3", "only in t"));
  return client;
}

Deno.test("hash and set writes: without memory nothing has changed and the reply is one error", async () => {
  for (const command of memoryHungryCommands()) {
    const harness = new Harness({ shardCount: 2 });
    const client = await prepare(harness);
    const state = async () => {
      let text = await client.send("HGETALL h\r\nEXISTS new\r\nSCARD s\r\nSCARD t\r\n");
      for (const key of ["s", "t"]) {
        text += membersIn(await client.send(`SMEMBERS ${key}\r\n`)).join();
      }
      return text;
    };
    const before = await state();
    const name = command.slice(0, 60);
    let failures = 0;
    let isDone = false;
    for (let k = 0; k < 600 && !isDone; k++) {
      harness.store.failAllocationAfter(k);
      const reply = await settled(client.send(command));
      harness.store.failAllocationAfter(-1);
      isDone = !reply.startsWith("-");
      if (isDone) break;
      failures++;
      assert.equal(reply, "-OOM command not allowed when used memory > 'maxmemory'.\r\n", name);
      assert.equal(await state(), before, name);
      harness.store.assertInvariants();
    }
    assert.ok(isDone, `${name} succeeds in the end`);
    const frees = /SPOP|HDEL|SREM|5000000/.test(command);
    assert.ok(failures > 0 || frees, `${name} asks for memory`);
    harness.store.assertInvariants();
    assert.equal(harness.store.stats().leases, 0);
  }
});

Deno.test("hash and set writes: a field or member that is too long is refused, and the others with it", async () => {
  const harness = new Harness({ maxValueBytes: 5000, maxRequestBytes: 2 ** 20 });
  const client = harness.connect(2 ** 16);
  const tooLong = "x".repeat(5001);
  for (
    const words of [
      ["HSET", "k", "a", "1", "b", tooLong],
      ["HSET", "k", tooLong, "1"],
      ["HSETNX", "k", "a", tooLong],
      ["SADD", "k", "a", tooLong],
      ["SADD", "k", tooLong],
    ]
  ) {
    assert.match(await client.send(latin1(request(...words))), /^-ERR (value|string)/);
    assert.equal(await client.send("EXISTS k\r\n"), ":0\r\n");
  }
  harness.store.assertInvariants();
});
