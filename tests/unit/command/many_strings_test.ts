/** Commands on several strings: all or none, whichever way they are written. */

import assert from "node:assert/strict";
import { KeyHashes } from "../../../src/command/key_hashes.ts";
import { Key } from "../../../src/store/key.ts";
import { smallStore } from "../store/helpers.ts";
import { Harness, type TestClient } from "./harness.ts";

const SEED = 71_993;
const maxRequestBytes = 16 * 2 ** 20;

/** Numbers from a seed. */
function diceOf(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * sides);
  };
}

function request(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

function bulk(value: string | undefined): string {
  return value === undefined ? "$-1\r\n" : `$${value.length}\r\n${value}\r\n`;
}

/** Random writes; what `MGET` says of their keys is compared with a map after each. */
async function compareWithMap(harness: Harness, client: TestClient, rounds: number) {
  const roll = diceOf(SEED);
  const model = new Map<string, string>();
  const outcomes = { ok: 0, outOfMemory: 0 };
  const valueOf = (round: number): string =>
    `${round}:`.padEnd([4, 10, 10, 10, 17, 25, 200, 1000, 7000, 8400, 30_000][roll(11)]!, "v");
  for (let round = 0; round < rounds; round++) {
    const what = roll(10);
    const names: string[] = [];
    const count = roll(15) === 0 ? 60 + roll(40) : 1 + roll(12);
    for (let i = 0; i < count; i++) names.push(`key ${roll(120)}`);
    let reply = "+OK\r\n";
    if (what === 0) {
      await client.send(request("DEL", ...names));
      for (const name of names) model.delete(name);
    } else if (what === 1) {
      const reply = await client.send(request("SET", names[0]!, "gone soon", "PX", "1"));
      if (reply === "+OK\r\n") model.delete(names[0]!);
      harness.nowMs += 2;
    } else {
      // Now and then, as values are overwritten in programs: all of one size.
      const same = roll(2) === 0 ? "0123456789" : undefined;
      const pairs = names.map((name) => [name, same ?? valueOf(round)] as const);
      const isNew = what === 2 && names.every((name) => !model.has(name));
      reply = await client.send(request(what === 2 ? "MSETNX" : "MSET", ...pairs.flat()));
      if (reply.startsWith("-OOM")) {
        outcomes.outOfMemory++;
      } else if (what === 2) {
        assert.equal(reply, isNew ? ":1\r\n" : ":0\r\n");
      } else {
        assert.equal(reply, "+OK\r\n");
      }
      if (reply === "+OK\r\n" || reply === ":1\r\n") {
        outcomes.ok++;
        for (const [name, value] of pairs) model.set(name, value);
      }
    }
    const expected = `*${names.length}\r\n` + names.map((name) => bulk(model.get(name))).join("");
    const actual = await client.send(request("MGET", ...names));
    assert.ok(actual === expected, `round ${round} of seed ${SEED}: MGET says what was set`);
  }
  harness.store.assertInvariants();
  return outcomes;
}

Deno.test("MSET: sets all keys, the last of a repeated one, whatever they had", async () => {
  const harness = new Harness({ maxMemoryBytes: 64 * 2 ** 20, shardCount: 64, maxRequestBytes });
  const outcomes = await compareWithMap(harness, harness.connect(), 1200);
  assert.ok(outcomes.ok > 600);
  assert.equal(outcomes.outOfMemory, 0);
});

Deno.test("MSET: in a full store sets all keys or none", async () => {
  const harness = new Harness({ maxMemoryBytes: 8 * 2 ** 20, shardCount: 4, maxRequestBytes });
  const client = harness.connect();
  for (let i = 0; harness.store.stats().pagesFree > 8; i++) {
    await client.send(request("SET", `filler ${i}`, "f".repeat(60_000)));
  }
  // Refused at once: trying again for long is not what is looked at.
  harness.store.reclaim = () => false;
  const outcomes = await compareWithMap(harness, client, 600);
  assert.ok(outcomes.ok > 50, `${outcomes.ok} went through`);
  assert.ok(outcomes.outOfMemory > 20, `${outcomes.outOfMemory} were refused`);
});

Deno.test("MSET: values of the same size need no memory", async () => {
  const harness = new Harness();
  const client = harness.connect();
  await client.send(request("MSET", "a", "1111", "b", "2222", "c", "3333"));
  const before = harness.store.stats();
  harness.store.failAllocationAfter(0);
  assert.equal(
    await client.send(request("MSET", "c", "4444", "a", "5555", "c", "6666")),
    "+OK\r\n",
  );
  harness.store.failAllocationAfter(-1);
  assert.deepEqual(harness.store.stats(), before);
  assert.equal(
    await client.send(request("MGET", "a", "b", "c")),
    `*3\r\n${bulk("5555")}${bulk("2222")}${bulk("6666")}`,
  );
});

Deno.test("MSET: an allocation that fails at any step changes nothing", async () => {
  let failures = 0;
  for (let k = 0; k < 40; k++) {
    const harness = new Harness();
    const client = harness.connect();
    await client.send(request("MSET", "a", "1111", "b", "x".repeat(9000)));
    const { store } = harness;
    // No pages to promise: it is planned key by key.
    for (let i = 0; store.stats().pagesFree > 10; i++) {
      await client.send(request("SET", `filler ${i}`, "f".repeat(60_000)));
    }
    const before = await client.send(request("MGET", "a", "b", "c", "d"));
    const values = ["a", "y".repeat(100), "b", "z", "c", "w".repeat(9000), "d", "v", "a", "u"];
    store.failAllocationAfter(k);
    // The refusal has it tried again, which then succeeds; what is in between is checked here.
    const reclaim = store.reclaim.bind(store);
    store.reclaim = () => {
      failures++;
      store.assertInvariants();
      return reclaim();
    };
    const reply = await client.send(request("MSET", ...values));
    store.failAllocationAfter(-1);
    const after = await client.send(request("MGET", "a", "b", "c", "d"));
    const expected = `*4\r\n${bulk("u")}${bulk("z")}${bulk("w".repeat(9000))}${bulk("v")}`;
    assert.equal(after, reply === "+OK\r\n" ? expected : before);
    store.assertInvariants();
  }
  assert.ok(failures > 5, `${failures} allocations failed`);
});

Deno.test("MSET: a value that is too long is refused also where there would be room for it", async () => {
  const harness = new Harness({ maxValueBytes: 10 });
  const client = harness.connect();
  assert.equal(await client.send(request("MSET", "a", "0123456789", "b", "1")), "+OK\r\n");
  const reply = await client.send(request("MSET", "b", "2", "a", "0123456789x"));
  assert.ok(reply.startsWith("-"), reply);
  assert.equal(await client.send(request("MGET", "b")), `*1\r\n${bulk("1")}`);
});

Deno.test("KeyHashes: gives a key back as it was located, until another command begins", () => {
  const hashes = new KeyHashes(smallStore());
  hashes.begin(0);
  const indices = [1, 3, 31, 32, 33, 127, 128, 500];
  for (let round = 0; round < 3; round++) {
    for (const index of indices) {
      const key = new Key();
      key.hash = (0xffffffff - index - round) >>> 0;
      key.hashHigh = (0x80000000 + index + round) >>> 0;
      key.shard = 4095 - index;
      key.tag = 255 - round;
      hashes.remember(index, key);
    }
    for (const index of indices) {
      const key = new Key();
      assert.equal(hashes.recall(index, key), index < 128, `index ${index}`);
      if (index >= 128) continue;
      assert.equal(key.hash, (0xffffffff - index - round) >>> 0);
      assert.equal(key.hashHigh, (0x80000000 + index + round) >>> 0);
      assert.equal(key.shard, 4095 - index);
      assert.equal(key.tag, 255 - round);
    }
    assert.equal(hashes.recall(2, new Key()), false);
    hashes.begin(0);
    for (const index of indices) assert.equal(hashes.recall(index, new Key()), false);
  }
});
