/** Changes in place, growth of large values, and several writes at once: content, memory, failures. */

import assert from "node:assert/strict";
import type { SetPlan } from "../../../src/store/set_plan.ts";
import { type Store, WriteStatus } from "../../../src/store/store.ts";
import { add, getBytes, keyOf, pattern, remove, set, smallStore } from "./helpers.ts";

/** Overwrites `name` from `offset` on, once. */
function change(store: Store, name: string, offset: number, bytes: Uint8Array): WriteStatus {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, true);
  const entry = store.lookup(0, key);
  const { strings } = store;
  const status = strings.begin(0, key, entry, offset + bytes.length, offset);
  if (status === WriteStatus.OK) {
    strings.write(offset, bytes, 0, bytes.length);
    strings.end();
  }
  store.locks.unlock(key.shard, true);
  return status;
}

/** Like `deepEqual`, without a picture of a hundred thousand bytes when they differ. */
function assertSame(actual: Uint8Array | undefined, expected: Uint8Array, what = ""): void {
  assert.equal(actual?.length, expected.length, what);
  assert.equal(expected.findIndex((byte, i) => byte !== actual![i]), -1, `${what}: a byte differs`);
}

/** What a changed value is. */
function changed(before: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const after = new Uint8Array(Math.max(before.length, offset + bytes.length));
  after.set(before);
  after.set(bytes, offset);
  return after;
}

function setAll(store: Store, pairs: readonly (readonly [string, Uint8Array])[]): WriteStatus {
  const keys = pairs.map(([name]) => keyOf(store, name));
  const shards = [...new Set(keys.map((key) => key.shard))].sort((a, b) => a - b);
  for (const shard of shards) store.locks.lock(shard, true);
  const plans: SetPlan[] = [];
  let status: WriteStatus = WriteStatus.OK;
  for (const [i, [, value]] of pairs.entries()) {
    status = store.strings.planSet(0, keys[i]!, value, 0, value.length, plans);
    if (status !== WriteStatus.OK) break;
  }
  if (status === WriteStatus.OK) store.strings.commitAll(plans);
  else store.strings.cancelAll(plans);
  for (const shard of shards) store.locks.unlock(shard, true);
  return status;
}

// Around the ends of blocks, chunks and pages.
const LENGTHS = [
  0,
  1,
  100,
  8100,
  8184,
  8192,
  8200,
  16_000,
  65_535,
  65_536,
  65_537,
  70_000,
  131_072,
];

Deno.test("StringEditor: a value of any length becomes one of any greater length", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 32 * 2 ** 20 });
  for (const from of LENGTHS) {
    for (const to of [...LENGTHS, 300_000, 900_000].filter((length) => length > from)) {
      const before = pattern(from, from + 1);
      const tail = pattern(to - from, to);
      set(store, "k", before);
      assert.equal(change(store, "k", from, tail), WriteStatus.OK);
      assertSame(getBytes(store, "k"), changed(before, from, tail), `${from} to ${to}`);
      store.assertInvariants();
    }
  }
});

Deno.test("StringEditor: what is added and not written is zeros, also in blocks used before", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 32 * 2 ** 20 });
  for (
    const [from, at] of [[0, 100], [10, 60], [10, 9000], [9000, 9100], [9000, 200_000]] as const
  ) {
    for (let i = 0; i < 20; i++) set(store, `dirt${i}`, pattern(100_000, i).fill(0xff));
    for (let i = 0; i < 20; i++) remove(store, `dirt${i}`);
    const before = pattern(from, 7);
    if (from > 0) set(store, "k", before);
    change(store, "k", at, new Uint8Array([1]));
    assertSame(getBytes(store, "k"), changed(before, at, new Uint8Array([1])));
    remove(store, "k");
  }
});

Deno.test("StringEditor: an integer keeps its digits, and an expiry stays", () => {
  const store = smallStore();
  add(store, "n", 12_345n);
  change(store, "n", 2, new Uint8Array([0x39]));
  assert.equal(new TextDecoder().decode(getBytes(store, "n")), "12945");
  set(store, "t", "abc", { expireAtMs: 2_000_000 });
  change(store, "t", 20_000, new Uint8Array([1]));
  const key = keyOf(store, "t");
  assert.equal(store.expireAtMs(store.lookup(0, key)), 2_000_000);
  store.nowMs = 2_000_000;
  change(store, "t", 3, new Uint8Array([5]));
  assert.deepEqual(getBytes(store, "t"), new Uint8Array([0, 0, 0, 5]), "an expired value is gone");
  assert.equal(store.expireAtMs(store.lookup(0, key)), 0);
  store.assertInvariants();
});

Deno.test("StringEditor: a large value grows where it is, in as many blocks as it needs anew", () => {
  const store = smallStore({ maxValueBytes: 8 * 2 ** 20, maxMemoryBytes: 9 * 2 ** 20 });
  set(store, "k", pattern(6 * 2 ** 20, 1));
  // There is no room for a second copy of it.
  assert.equal(change(store, "k", 6 * 2 ** 20, pattern(70_000, 2)), WriteStatus.OK);
  assert.equal(change(store, "k", 3 * 2 ** 20, pattern(70_000, 3)), WriteStatus.OK);
  store.assertInvariants();
});

Deno.test("StringEditor: a leased value is written anew, and its reader sees none of it", () => {
  const store = smallStore();
  const before = pattern(200_000, 1);
  set(store, "k", before);
  const lease = store.lease(store.lookup(0, keyOf(store, "k")));
  const tail = pattern(300, 2);
  change(store, "k", 100_000, tail);
  change(store, "k", 200_000, tail);
  const seen = new Uint8Array(200_000);
  lease.copyNext(seen, 0, 200_000);
  assertSame(seen, before);
  lease.release();
  assertSame(
    getBytes(store, "k"),
    changed(changed(before, 100_000, tail), 200_000, tail),
  );
  store.assertInvariants();
  assert.equal(store.stats().orphanBytes, 0);
});

Deno.test("StringEditor: part of a value is leased, and read to its end", () => {
  const store = smallStore();
  set(store, "k", pattern(200_000, 1));
  const lease = store.lease(store.lookup(0, keyOf(store, "k")), 65_000, 140_000);
  assert.equal(lease.byteCount, 75_000);
  const seen = new Uint8Array(75_000);
  lease.copyNext(seen, 0, 1000);
  lease.copyNext(seen, 1000, 74_000);
  assert.equal(lease.remaining, 0);
  assertSame(seen, pattern(200_000, 1).slice(65_000, 140_000));
  lease.release();
});

Deno.test("StringEditor: a change that finds no memory at any step changes nothing", () => {
  let failures = 0;
  for (const from of [0, 50, 8100, 9000, 65_000, 140_000, 262_144]) {
    for (const to of [60, 8190, 30_000, 66_000, 150_000, 400_000].filter((each) => each > from)) {
      for (let k = 0;; k++) {
        const store = smallStore({ shardCount: 1 });
        set(store, "other", "x");
        const before = pattern(from, 3);
        if (from > 0) set(store, "k", before);
        const { blockBytes } = store.stats();
        store.failAllocationAfter(k);
        const status = change(store, "k", to - 1, new Uint8Array([9]));
        store.failAllocationAfter(-1);
        store.assertInvariants();
        if (status === WriteStatus.OK) break;
        failures++;
        assert.equal(status, WriteStatus.OUT_OF_MEMORY);
        assert.deepEqual(getBytes(store, "k"), from > 0 ? before : undefined);
        assert.equal(store.stats().blockBytes, blockBytes, `${from} to ${to}, step ${k}`);
      }
    }
  }
  assert.ok(failures > 50, `${failures} steps failed`);
});

Deno.test("StringEditor: several writes that find no memory at any step change nothing", () => {
  for (let k = 0;; k++) {
    const store = smallStore({ shardCount: 2 });
    // The tables exist, so that a first key does not leave one behind.
    for (let i = 0; i < 20; i++) set(store, `k${i}`, `old${i}`);
    const { blockBytes } = store.stats();
    store.failAllocationAfter(k);
    const pairs = Array.from({ length: 12 }, (_, i) => {
      return [`k${i * 3}`, pattern(i % 4 === 0 ? 20_000 : 30, i)] as const;
    });
    const status = setAll(store, pairs);
    store.failAllocationAfter(-1);
    store.assertInvariants();
    if (status === WriteStatus.OK) {
      for (const [name, value] of pairs) assertSame(getBytes(store, name), value);
      assert.ok(k > 20, `${k} allocations`);
      return;
    }
    assert.equal(store.stats().blockBytes, blockBytes, `step ${k}`);
    for (let i = 0; i < 40; i++) {
      const old = i < 20 ? new TextEncoder().encode(`old${i}`) : undefined;
      assert.deepEqual(getBytes(store, `k${i}`), old);
    }
  }
});

Deno.test("StringEditor: of several writes of one key the last one counts", () => {
  const store = smallStore({ shardCount: 1 });
  set(store, "b", "old");
  const pairs = ["a", "b", "a", "b", "b"].map((name, i) => [name, pattern(i * 5000, i)] as const);
  assert.equal(setAll(store, pairs), WriteStatus.OK);
  assertSame(getBytes(store, "a"), pattern(10_000, 2));
  assertSame(getBytes(store, "b"), pattern(20_000, 4));
  // The last one has the size of the block that the first one takes the place of.
  set(store, "b", "old");
  const back = [3, 5000, 3].map((length, i) => ["b", pattern(length, 9 + i)] as const);
  assert.equal(setAll(store, back), WriteStatus.OK);
  assertSame(getBytes(store, "b"), pattern(3, 11));
  store.assertInvariants();
});

Deno.test("StringEditor: hundreds of new keys of one bucket are written at once", () => {
  const store = smallStore({ shardCount: 1 });
  const pairs = Array.from({ length: 700 }, (_, i) => [`key${i}`, pattern(10, i)] as const);
  assert.equal(setAll(store, pairs), WriteStatus.OK);
  store.assertInvariants();
  for (const [name, value] of pairs) assertSame(getBytes(store, name), value);
});
