/** The expiry index against a plain list, with clocks that go both ways. */

import assert from "node:assert/strict";
import { MAX_EXPIRE_AT_MS, type Store, WriteStatus } from "../../../src/store/store.ts";
import { TICK_MS } from "../../../src/store/expiry_wheel.ts";
import { add, get, keyOf, remove, set, smallStore } from "./helpers.ts";

/** Numbers that a seed determines. */
function makeRandom(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * bound);
  };
}

/** Sweeps until nothing is left to do at `nowMs`. */
function sweep(store: Store, nowMs: number): void {
  store.nowMs = nowMs;
  const work = store.backgroundWork(() => nowMs);
  while (work.run(1000));
}

function setExpiry(store: Store, name: string, expireAtMs: number): WriteStatus {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, true);
  assert.notEqual(store.lookup(0, key), 0, `${name} is there`);
  const status = store.setExpiry(0, key, expireAtMs);
  store.locks.unlock(key.shard, true);
  return status;
}

function expiryOf(store: Store, name: string): number {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, false);
  const entry = store.lookup(0, key);
  const expireAtMs = entry === 0 ? -1 : store.expireAtMs(entry);
  store.locks.unlock(key.shard, false);
  return expireAtMs;
}

const START_MS = 1_700_000_000_000;

Deno.test("ExpiryWheel: removes each key after its time and at the latest a tick later, near or far", () => {
  const store = smallStore();
  store.nowMs = START_MS;
  const offsetsMs = [1, 127, 128, 129, 4095, 4096, 4097, 131_072, 5e5, 4.2e6, 1e8, 1.4e8];
  // Beyond the wheel's reach of 50 days: a year, 80 years.
  offsetsMs.push(4_294_967_296, 3.2e10, 2.5e12);
  for (const offsetMs of offsetsMs) {
    set(store, `k${offsetMs}`, "v", { expireAtMs: START_MS + offsetMs });
  }
  set(store, "stays", "v");
  store.assertInvariants();
  for (const offsetMs of offsetsMs) {
    const left = store.keyCount(0);
    sweep(store, START_MS + offsetMs - 1);
    assert.equal(store.keyCount(0), left, `${offsetMs}: not before its time`);
    sweep(store, START_MS + offsetMs + TICK_MS);
    store.nowMs = 0;
    assert.equal(get(store, `k${offsetMs}`), undefined, `${offsetMs}: a tick after its time`);
    store.assertInvariants();
  }
  assert.equal(store.keyCount(0), 1);
  assert.equal(store.stats().expiredKeys, offsetsMs.length);
});

Deno.test("ExpiryWheel: a clock that is set back delays no key by more than the step", () => {
  const store = smallStore();
  sweep(store, START_MS);
  store.nowMs = START_MS;
  for (let i = 0; i < 500; i++) set(store, `old${i}`, "v", { expireAtMs: START_MS + i * 1000 });
  sweep(store, START_MS + 100_000);
  const left = store.keyCount(0);
  const hourMs = 3_600_000;
  // The clock goes back an hour; new keys live by the new time.
  store.nowMs = START_MS - hourMs;
  for (let i = 0; i < 100; i++) {
    set(store, `new${i}`, "v", { expireAtMs: store.nowMs + 1000 + i * 100 });
  }
  sweep(store, START_MS - hourMs + 500);
  store.assertInvariants();
  assert.equal(store.keyCount(0), left + 100, "nothing goes early");
  sweep(store, START_MS - hourMs + 12_000);
  store.assertInvariants();
  assert.equal(store.keyCount(0), left, "the new ones go at their time");
  sweep(store, START_MS + 1000 * 500 + TICK_MS);
  assert.equal(store.keyCount(0), 0, "the old ones at theirs");
});

Deno.test("ExpiryWheel: a clock that jumps by years, forth and back, is followed at once", () => {
  const store = smallStore();
  store.nowMs = START_MS;
  for (let i = 0; i < 300; i++) set(store, `k${i}`, "v", { expireAtMs: START_MS + 1e9 * i + 5000 });
  const yearMs = 365 * 86_400_000;
  for (const nowMs of [START_MS - 20 * yearMs, START_MS, 0, START_MS + 1000]) {
    sweep(store, nowMs);
    store.assertInvariants();
    assert.equal(store.keyCount(0), 300);
  }
  sweep(store, START_MS + 20 * yearMs);
  assert.equal(store.keyCount(0), 0);
});

for (const seed of [1, 2, 3, 4, 5, 6]) {
  Deno.test(`ExpiryWheel: agrees with a plain list over random steps, seed ${seed}`, () => {
    const random = makeRandom(seed);
    const store = smallStore({ shardCount: 2, maxMemoryBytes: 4 * 2 ** 20 });
    const model = new Map<string, number>();
    let nowMs = START_MS;
    const pickTime = (): number => {
      const atMs = Math.min(MAX_EXPIRE_AT_MS, nowMs + 1 + random(10 ** (1 + random(12))));
      // At the end of a tick the sweep leaves nothing that is expired, so that no key of the tick
      // under way comes back to life when the clock goes back.
      return atMs % TICK_MS === 0 ? atMs + 1 : atMs;
    };
    const forget = (atMs: number): void => {
      for (const [name, expireAtMs] of model) {
        if (expireAtMs !== 0 && expireAtMs <= atMs) model.delete(name);
      }
    };
    for (let step = 0; step < 1500; step++) {
      store.nowMs = nowMs;
      const name = `key ${random(120)}`;
      const expireAtMs = random(4) === 0 ? 0 : pickTime();
      switch (random(8)) {
        case 0:
        case 1: {
          // Values on both sides of what one block takes.
          const value = "v".repeat([1, 20, 300, 8130, 8150, 20_000][random(6)]!);
          assert.equal(set(store, name, value, { expireAtMs }), WriteStatus.OK);
          model.set(name, expireAtMs);
          break;
        }
        case 2:
        case 3:
          if (model.has(name)) {
            assert.equal(setExpiry(store, name, expireAtMs), WriteStatus.OK);
            model.set(name, expireAtMs);
          }
          break;
        case 4:
          assert.equal(remove(store, name), model.delete(name));
          break;
        case 5: {
          const isNew = !model.has(`n${name}`);
          add(store, `n${name}`, 1n);
          if (isNew) model.set(`n${name}`, 0);
          break;
        }
        case 6:
          nowMs += random(10 ** (1 + random(8)));
          if (random(3) === 0) nowMs = Math.max(0, nowMs - random(10 ** (1 + random(10))));
          nowMs -= nowMs % TICK_MS;
          forget(nowMs);
          sweep(store, nowMs);
          break;
        default:
          // Moves entries whose neighbours must follow.
          store.reclaim();
      }
      // What has expired and was not swept yet is invisible.
      for (const [key, atMs] of model) {
        if (random(20) === 0) assert.equal(expiryOf(store, key), atMs, `${key} in step ${step}`);
      }
      if (step % 50 === 0) store.assertInvariants();
    }
    store.assertInvariants();
    sweep(store, MAX_EXPIRE_AT_MS + TICK_MS);
    const forever = [...model.values()].filter((atMs) => atMs === 0).length;
    assert.equal(store.keyCount(0), forever);
    store.assertInvariants();
  });
}

Deno.test("ExpiryWheel: neighbours follow the entries that compaction moves", () => {
  const store = smallStore({ shardCount: 2, maxMemoryBytes: 8 * 2 ** 20 });
  store.nowMs = START_MS;
  const random = makeRandom(7);
  for (let i = 0; i < 20_000; i++) {
    set(store, `k${i}`, "v".repeat(i % 60), { expireAtMs: START_MS + 1 + random(200_000) });
  }
  for (let i = 0; i < 20_000; i++) if (random(3) > 0) remove(store, `k${i}`);
  const left = store.keyCount(0);
  const freeBefore = store.stats().pagesFree;
  while (store.reclaim());
  const pages = store.stats().pagesFree - freeBefore;
  assert.ok(pages > 5, `${pages} pages were emptied`);
  store.assertInvariants();
  sweep(store, START_MS + 100_000);
  store.assertInvariants();
  assert.ok(store.keyCount(0) > left / 3 && store.keyCount(0) < left * 2 / 3);
  sweep(store, START_MS + 200_000 + TICK_MS);
  assert.equal(store.keyCount(0), 0);
  store.assertInvariants();
});

Deno.test("Store.setExpiry: keeps key and value, whatever the encoding, with and without a time", () => {
  const store = smallStore();
  store.nowMs = START_MS;
  for (const byteCount of [0, 1, 23, 24, 100, 8120, 8140, 8155, 8160, 8200, 70_000]) {
    const name = `key of ${byteCount}`;
    const value = Array.from({ length: byteCount }, (_, i) => String.fromCharCode(97 + i % 26))
      .join("");
    set(store, name, value);
    for (const expireAtMs of [START_MS + 5000, START_MS + 9000, 0, 0, START_MS + 1]) {
      assert.equal(setExpiry(store, name, expireAtMs), WriteStatus.OK);
      assert.equal(expiryOf(store, name), expireAtMs);
      assert.equal(get(store, name), value, `${byteCount} bytes`);
      store.assertInvariants();
    }
  }
  add(store, "number", 42n);
  assert.equal(setExpiry(store, "number", START_MS + 1000), WriteStatus.OK);
  assert.equal(add(store, "number", 1n).sum, 43n);
  assert.equal(expiryOf(store, "number"), START_MS + 1000, "an addition keeps the time");
  assert.equal(setExpiry(store, "number", 0), WriteStatus.OK);
  assert.equal(add(store, "number", 1n).sum, 44n);
  store.assertInvariants();
});

Deno.test("Store.setExpiry: changes nothing when any of its allocations fails", () => {
  for (const byteCount of [16, 24, 32, 8152, 8160]) {
    const store = smallStore();
    store.nowMs = START_MS;
    const value = "x".repeat(byteCount);
    set(store, "neighbour", "v", { expireAtMs: START_MS + 700 });
    set(store, "k", value);
    let failures = 0;
    for (let k = 0;; k++) {
      store.failAllocationAfter(k);
      const status = setExpiry(store, "k", START_MS + 1000);
      store.failAllocationAfter(-1);
      if (status === WriteStatus.OK) break;
      assert.equal(status, WriteStatus.OUT_OF_MEMORY);
      assert.equal(expiryOf(store, "k"), 0);
      assert.equal(get(store, "k"), value);
      store.assertInvariants();
      failures++;
    }
    assert.ok(byteCount < 8000 ? failures <= 1 : failures >= 2, `${failures} failures`);
    assert.equal(get(store, "k"), value);
    // Taking the time away needs no memory.
    store.failAllocationAfter(0);
    assert.equal(setExpiry(store, "k", 0), WriteStatus.OK);
    store.failAllocationAfter(-1);
    assert.equal(get(store, "k"), value);
    store.assertInvariants();
  }
});

Deno.test("Store: a write that meets an expired entry frees it and counts it as expired", () => {
  const store = smallStore();
  store.nowMs = START_MS;
  for (const name of ["a", "b", "c"]) set(store, name, "v", { expireAtMs: START_MS + 10 });
  store.nowMs = START_MS + 10;
  assert.equal(get(store, "a"), undefined, "a read does not see it");
  assert.equal(store.keyCount(0), 3, "nor does it free it");
  assert.equal(remove(store, "a"), false);
  assert.equal(store.keyCount(0), 2);
  set(store, "b", "new");
  assert.equal(add(store, "c", 5n).sum, 5n);
  assert.equal(store.stats().expiredKeys, 3);
  assert.equal(store.stats().timedKeyCount, 0);
  store.assertInvariants();
});
