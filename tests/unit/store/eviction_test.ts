/** What goes when memory is short, and what stays. */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { type EvictionPolicy, type Store, WriteStatus } from "../../../src/store/store.ts";
import { add, get, hookWith, keyOf, set, smallStore } from "./helpers.ts";

const START_MS = 1_700_000_000_000;

function makeStore(evictionPolicy: EvictionPolicy, shardCount = 4): Store {
  const store = smallStore({ shardCount, maxMemoryBytes: 4 * 2 ** 20, evictionPolicy });
  store.seedEviction(12345);
  store.nowMs = START_MS;
  return store;
}

/** A balance, as an event writes it. */
function settle(store: Store, name: string): void {
  assert.ok(store.credits.tryAcquire(), `${name} is accepted`);
  const key = keyOf(store, name);
  store.locks.lock(key.shard, true);
  const status = store.planAddInteger(0, key, Int64.fromNumber(1), new Int64(), true);
  assert.equal(status, WriteStatus.OK);
  store.commitPlan();
  store.locks.unlock(key.shard, true);
  store.credits.release();
}

/** Writes until `count` keys are written; all must be taken. */
function fill(store: Store, prefix: string, count: number, valueBytes: number, expireAtMs = 0) {
  for (let i = 0; i < count; i++) {
    const status = set(store, `${prefix}${i}`, "v".repeat(valueBytes), { expireAtMs });
    assert.equal(status, WriteStatus.OK, `${prefix}${i}`);
  }
}

Deno.test("Eviction: with noeviction nothing goes, and writes that need memory are refused", () => {
  const store = makeStore("noeviction");
  let count = 0;
  while (set(store, `k${count}`, "v".repeat(200)) === WriteStatus.OK) count++;
  assert.ok(count > 10_000);
  assert.equal(store.keyCount(0), count);
  assert.equal(store.stats().evictedKeys, 0);
  store.assertInvariants();
});

for (const shardCount of [1, 8]) {
  Deno.test(`Eviction: allkeys-lru keeps the hot tenth of the keys, ${shardCount} shards`, () => {
    const store = makeStore("allkeys-lru", shardCount);
    const keyCount = 10_000;
    fill(store, "k", keyCount, 200);
    assert.equal(store.stats().evictedKeys, 0, "all of them fit");
    const hotCount = keyCount / 10;
    // Each second some new keys come, and every hot key is read.
    for (let second = 1; second <= 30; second++) {
      store.nowMs = START_MS + second * 1000;
      for (let i = 0; i < hotCount; i++) get(store, `k${i * 10}`);
      fill(store, `new${second}:`, keyCount / 10, 200);
    }
    let survivors = 0;
    for (let i = 0; i < hotCount; i++) if (get(store, `k${i * 10}`) !== undefined) survivors++;
    assert.ok(survivors >= hotCount * 0.95, `${survivors} of ${hotCount} hot keys survived`);
    assert.ok(store.stats().evictedKeys > keyCount);
    assert.ok(store.keyCount(0) > keyCount * 0.9, "no more goes than must");
    store.assertInvariants();
  });
}

Deno.test("Eviction: allkeys-lru never takes a balance that an event wrote", () => {
  const store = makeStore("allkeys-lru");
  for (let i = 0; i < 2000; i++) settle(store, `balance:${i}`);
  store.nowMs += 3_600_000;
  fill(store, "k", 40_000, 150);
  for (let i = 0; i < 2000; i++) assert.equal(get(store, `balance:${i}`), "1");
  store.assertInvariants(0);
});

Deno.test("Eviction: events are accepted while it can make room for their balances", () => {
  const store = makeStore("allkeys-lru");
  fill(store, "k", 30_000, 150);
  assert.equal(store.stats().pagesFree, 0);
  for (let i = 0; i < 5000; i++) settle(store, `balance:${i}`);
  store.assertInvariants(0);
  // Pinned ones alone fill the memory: then events are refused, like anything else.
  let accepted = 5000;
  while (accepted < 200_000 && store.credits.tryAcquire()) accepted++;
  assert.ok(accepted > 10_000 && accepted < 200_000, `${accepted} accepted`);
});

Deno.test("Eviction: volatile-ttl takes those that expire first, and only those that expire", () => {
  const store = makeStore("volatile-ttl");
  fill(store, "stays", 4000, 150);
  for (let i = 0; i < 10_000; i++) {
    const expireAtMs = START_MS + 60_000 + i * 1000;
    assert.equal(set(store, `k${i}`, "v".repeat(150), { expireAtMs }), WriteStatus.OK);
  }
  let count = 0;
  while (store.stats().evictedKeys < 5000) {
    assert.equal(set(store, `new${count++}`, "v".repeat(150)), WriteStatus.OK);
  }
  for (let i = 0; i < 4000; i++) assert.notEqual(get(store, `stays${i}`), undefined);
  const survives = (i: number): boolean => get(store, `k${i}`) !== undefined;
  const early = Array.from({ length: 4000 }, (_, i) => i).filter(survives).length;
  const late = Array.from({ length: 4000 }, (_, i) => 6000 + i).filter(survives).length;
  assert.ok(early < 200, `${early} of those that expire first are left`);
  assert.ok(late > 3800, `${late} of those that expire last are left`);
  // With none left that expire, writes are refused.
  while (set(store, `new${count++}`, "v".repeat(150)) === WriteStatus.OK);
  assert.equal(store.stats().timedKeyCount, 0);
  store.assertInvariants();
});

Deno.test("Eviction: a thread that gets no time finds what can go, in whichever shard it is", () => {
  const realNow = performance.now.bind(performance);
  let nowMs = realNow();
  const store = makeStore("volatile-ttl", 16);
  fill(store, "stays", 4000, 150);
  fill(store, "k", 200, 150, START_MS + 60_000);
  try {
    // As if the processor were taken away for a minute between any two looks at the clock.
    performance.now = () => nowMs += 60_000;
    for (let count = 0; set(store, `new${count}`, "v".repeat(150)) === WriteStatus.OK; count++);
  } finally {
    performance.now = realNow;
  }
  assert.equal(store.stats().timedKeyCount, 0);
  store.assertInvariants();
});

Deno.test("Eviction: large values make room for small ones, and the other way round", () => {
  const store = makeStore("allkeys-lru");
  for (let round = 0; round < 3; round++) {
    fill(store, `small${round}:`, 30_000, 60);
    store.nowMs += 10_000;
    fill(store, `large${round}:`, 40, 200_000);
    store.nowMs += 10_000;
    fill(store, `middle${round}:`, 2000, 5000);
    store.nowMs += 10_000;
    store.assertInvariants();
  }
});

Deno.test("Eviction: each goes through the mutation hook", () => {
  const store = makeStore("allkeys-lru");
  const names = new Set<string>();
  const decoder = new TextDecoder();
  let removed = 0;
  store.hook = hookWith({
    written(_shard, _database, address) {
      const bytes = new Uint8Array(100);
      names.add(decoder.decode(bytes.subarray(0, store.copyKey(address, bytes, 0))));
    },
    removed(_shard, database, key) {
      assert.equal(database, 0);
      assert.ok(names.delete(decoder.decode(key.bytes.subarray(key.start, key.end))));
      removed++;
    },
  });
  fill(store, "k", 30_000, 150);
  assert.equal(removed, store.stats().evictedKeys);
  assert.equal(names.size, store.keyCount(0));
});

Deno.test("Eviction: a policy that is changed holds at once, on every thread", () => {
  const store = makeStore("noeviction");
  let count = 0;
  while (set(store, `k${count}`, "v".repeat(200)) === WriteStatus.OK) count++;
  store.evictionPolicy = "allkeys-lru";
  fill(store, "more", 1000, 200);
  store.evictionPolicy = "noeviction";
  while (set(store, `k${count}`, "v".repeat(200)) === WriteStatus.OK) count++;
  assert.equal(add(store, "k1", 1n).status, WriteStatus.NOT_AN_INTEGER);
});
