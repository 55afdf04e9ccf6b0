/** Whole databases, and keys that change theirs or their name. */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { FREED_PER_LOCK } from "../../../src/store/table_map.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import {
  add,
  get,
  getBytes,
  hookWith,
  keyOf,
  pattern,
  remove,
  set,
  smallStore,
} from "./helpers.ts";
import { flush, freeAll, move, swap, transfer, withAllLocks } from "./keyspace_helpers.ts";

const MIB = 2 ** 20;

/** Fills a store until a write finds no memory. */
function fillUp(store: Store, database: number, valueBytes: number): number {
  const value = new Uint8Array(valueBytes);
  for (let i = 0;; i++) {
    if (set(store, `fill ${database} ${i}`, value, { database }) !== WriteStatus.OK) return i;
  }
}

Deno.test("flush: takes no memory, and gives all of it back", () => {
  for (const database of [0, 5]) {
    const store = smallStore({ maxMemoryBytes: 3 * MIB, shardCount: 4 });
    const count = fillUp(store, database, 1000);
    assert.ok(count > 1000);
    // Even the pages that a small allocation could use are gone.
    store.failAllocationAfter(0);
    assert.ok(withAllLocks(store, () => store.keyspace.flush(database)));
    store.failAllocationAfter(-1);
    assert.equal(store.keyCount(database), 0);
    assert.equal(get(store, `fill ${database} 0`, database), undefined);
    store.assertInvariants();
    freeAll(store);
    store.assertInvariants();
    assert.equal(fillUp(store, database, 1000), count, "as many fit again");
  }
});

Deno.test("flush: what is left behind goes in slices that hold a lock for few entries", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 32 * MIB });
  for (let i = 0; i < 1000; i++) set(store, `k${i}`, "v");
  flush(store, 0);
  const used = store.stats().blockBytes;
  for (let i = 0; i < 15; i++) {
    assert.equal(store.keyspace.freeSlice(0), FREED_PER_LOCK);
    store.assertInvariants();
  }
  assert.ok(store.stats().blockBytes < used);
  assert.ok(store.keyspace.tables.hasDetached);
  freeAll(store);
  assert.equal(store.stats().blockBytes, 2 * 2048);
});

Deno.test("flush: later writes to a shard free what it has left there", () => {
  const store = smallStore({ shardCount: 4, maxMemoryBytes: 32 * MIB });
  for (let i = 0; i < 1000; i++) set(store, `k${i}`, "v");
  flush(store, 0);
  for (let i = 0; store.keyspace.tables.hasDetached; i++) {
    assert.ok(i < 1000, "new keys cost old ones their memory faster than they come");
    set(store, `k${i}`, "v");
  }
  store.assertInvariants();
});

Deno.test("flush: with all tables in use empties all databases or none, and can when some are free", () => {
  const store = smallStore({ shardCount: 2, maxMemoryBytes: 32 * MIB });
  const all = Array.from({ length: 16 }, (_, i) => i);
  const flushAll = (): boolean => withAllLocks(store, () => store.keyspace.flushAll(all));
  for (const database of all) {
    for (let i = 0; i < 500; i++) set(store, `k${i}`, "v", { database });
  }
  assert.ok(flushAll());
  for (const database of all) set(store, "k", "v", { database });
  assert.equal(flushAll(), false);
  for (const database of all) assert.equal(store.keyCount(database), 1);
  store.assertInvariants();
  freeAll(store);
  assert.ok(flushAll());
  for (const database of all) assert.equal(store.keyCount(database), 0);
  freeAll(store);
  store.assertInvariants();
});

Deno.test("flush and swap: an accepted event finds an index, wherever database 0 has gone", () => {
  const store = smallStore({ shardCount: 4, maxMemoryBytes: 3 * MIB });
  const settle = (name: string): void => {
    const key = keyOf(store, name);
    store.locks.lock(key.shard, true);
    const one = Int64.fromNumber(1);
    assert.equal(store.planAddInteger(0, key, one, new Int64(), true), WriteStatus.OK);
    store.commitPlan();
    store.locks.unlock(key.shard, true);
    store.credits.release();
  };
  let settled = 0;
  for (const action of [() => flush(store, 0), () => swap(store, 0, 7), () => flush(store, 0)]) {
    let credits = 0;
    while (credits < 20 && store.credits.tryAcquire()) credits++;
    assert.equal(credits, 20);
    action();
    const database = 1 + settled % 3;
    fillUp(store, database, 2000);
    for (; credits > 0; credits--) settle(`balance:${settled++}`);
    store.assertInvariants(0);
    assert.equal(store.keyCount(0), 20);
    flush(store, database);
    freeAll(store);
  }
});

Deno.test("swap: without memory for an index changes nothing", () => {
  const store = smallStore({ shardCount: 4 });
  set(store, "k", "zero");
  set(store, "k", "one", { database: 1 });
  for (let k = 0; k < 6; k++) {
    store.failAllocationAfter(k);
    const isSwapped = swap(store, 0, 1);
    store.failAllocationAfter(-1);
    assert.equal(isSwapped, get(store, "k") === "one");
    assert.equal(store.keyCount(0) + store.keyCount(1), 2);
    store.assertInvariants();
    if (isSwapped) break;
  }
  assert.equal(get(store, "k", 1), "zero");
});

const VALUES: [string, Uint8Array | bigint][] = [
  ["an integer", 12345n],
  ["a small string", pattern(20, 1)],
  ["a string that a longer key makes large", pattern(7000, 2)],
  ["chunks", pattern(20_000, 3)],
  ["pages and chunks", pattern(200_000, 4)],
];

for (const [what, value] of VALUES) {
  for (const kind of ["rename", "copy", "move"] as const) {
    Deno.test(`${kind}: of ${what} that fails at its k-th allocation changes nothing`, () => {
      const text = typeof value === "bigint" ? new TextEncoder().encode(`${value}`) : value;
      for (const shardCount of [1, 8]) {
        let failures = 0;
        for (let k = 0;; k++) {
          const store = smallStore({ shardCount });
          if (typeof value === "bigint") add(store, "source", value);
          else set(store, "source", value, { expireAtMs: store.nowMs + 1 });
          if (k % 2 === 0) set(store, "t".repeat(3000), pattern(30_000, 9));
          const before = store.stats();
          store.failAllocationAfter(k);
          const target = "t".repeat(3000);
          const from = { name: "source", database: 0 };
          // One try each: reclaim finds nothing to gain in a store that is nearly empty.
          const status = kind === "move"
            ? move(store, "source", 0, 2)
            : transfer(store, from, { name: target, database: 0 }, kind === "rename");
          store.failAllocationAfter(-1);
          store.assertInvariants();
          if (status === WriteStatus.OK) {
            const place: [string, number] = kind === "move" ? ["source", 2] : [target, 0];
            assert.deepEqual(getBytes(store, ...place), text);
            assert.equal(getBytes(store, "source") !== undefined, kind === "copy");
            if (typeof value !== "bigint") {
              store.nowMs++;
              assert.equal(getBytes(store, ...place), undefined, "its time to live went along");
            }
            break;
          }
          failures++;
          assert.equal(status, WriteStatus.OUT_OF_MEMORY);
          assert.deepEqual(getBytes(store, "source"), text);
          // Tables that were made on the way may stay.
          assert.ok(store.stats().blockBytes - before.blockBytes <= 2048);
        }
        assert.ok(failures > 0, `${kind} of ${what} needs memory`);
      }
    });
  }
}

Deno.test("transfer: a value that is being read goes to its new key, and stays with its reader", () => {
  const store = smallStore({ shardCount: 1 });
  const value = pattern(200_000, 5);
  set(store, "a", value);
  const lease = store.lease(store.lookup(0, keyOf(store, "a")));
  transfer(store, { name: "a", database: 0 }, { name: "b", database: 0 }, true);
  assert.deepEqual(getBytes(store, "b"), value);
  remove(store, "b");
  store.assertInvariants();
  const read = new Uint8Array(lease.byteCount);
  lease.copyNext(read, 0, lease.byteCount);
  assert.deepEqual(read, value);
  lease.release();
  store.assertInvariants();
  assert.equal(store.stats().orphanBytes, 0);
});

Deno.test("compaction: finds the entries of detached and swapped tables where they are", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 4 * MIB });
  const count = Math.floor(fillUp(store, 0, 900) / 2);
  flush(store, 0);
  freeAll(store);
  for (let i = 0; i < count; i++) set(store, `fill 0 ${i}`, new Uint8Array(900));
  for (let i = 0; i < count; i++) set(store, `fill 1 ${i}`, new Uint8Array(900), { database: 1 });
  swap(store, 0, 1);
  for (let i = 0; i < count; i += 2) {
    remove(store, `fill 0 ${i}`, 1);
    remove(store, `fill 1 ${i}`, 0);
  }
  set(store, "x", "1", { database: 2 });
  flush(store, 2);
  while (store.reclaim()) store.assertInvariants();
  for (let i = 1; i < count; i += 2) {
    assert.equal(getBytes(store, `fill 0 ${i}`, 1)?.length, 900);
    assert.equal(getBytes(store, `fill 1 ${i}`, 0)?.length, 900);
  }
});

Deno.test("MutationHook: flushes, swaps, moves and renames are told, and rebuild the store", () => {
  const store = smallStore({ shardCount: 4 });
  const copy = Array.from({ length: 16 }, () => new Map<string, string>());
  const decoder = new TextDecoder();
  store.hook = hookWith({
    written(_shard, database, address) {
      const bytes = new Uint8Array(10_000);
      const name = decoder.decode(bytes.subarray(0, store.copyKey(address, bytes, 0)));
      copy[database]!.set(
        name,
        decoder.decode(bytes.subarray(0, store.copyString(address, bytes, 0))),
      );
    },
    removed(_shard, database, key) {
      copy[database]!.delete(decoder.decode(key.bytes.subarray(key.start, key.end)));
    },
    flushed: (database) => copy[database]!.clear(),
    swapped(first, second) {
      const of = copy[first]!;
      copy[first] = copy[second]!;
      copy[second] = of;
    },
  });
  for (let i = 0; i < 2000; i++) {
    const name = `k${i % 37}`;
    const database = i % 3;
    set(store, name, `value ${i}`, { database });
    if (i % 5 === 0) move(store, name, database, 4);
    if (i % 7 === 0) {
      const from = { name, database };
      transfer(store, from, { name: `r${i % 11}`, database: i % 2 }, i % 14 === 0);
    }
    if (i % 201 === 200) swap(store, database, 4);
    if (i % 401 === 400) flush(store, database);
  }
  for (let database = 0; database < 16; database++) {
    assert.equal(copy[database]!.size, store.keyCount(database));
    for (const [name, value] of copy[database]!) assert.equal(get(store, name, database), value);
  }
});
