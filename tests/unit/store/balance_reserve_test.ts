/** Credits and reserve blocks: what acceptance promised, settlement finds. */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { BLOCKS_PER_CREDIT, RESERVE_BLOCK_BYTES } from "../../../src/store/balance_reserve.ts";
import { ENTRY_HEADER_BYTES, INTEGER_BYTES, TTL_BYTES } from "../../../src/store/entry.ts";
import { CLASS_BYTES, sizeClassOf } from "../../../src/store/size_classes.ts";
import { type Store, WriteStatus } from "../../../src/store/store.ts";
import { BUCKET_BYTES } from "../../../src/store/table.ts";
import { get, getBytes, keyOf, pattern, remove, set, smallStore } from "./helpers.ts";

const MIB = 2 ** 20;
/** `balance:` and the longest user. */
const LONGEST_BALANCE_KEY_BYTES = 8 + 128;

/** Adds 1 to a balance as the worker does that settles an event. */
function settle(store: Store, name: string): WriteStatus {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, true);
  const status = store.planAddInteger(0, key, Int64.fromNumber(1), new Int64(), true);
  if (status === WriteStatus.OK) store.commitPlan();
  store.locks.unlock(key.shard, true);
  return status;
}

/** Takes every page and every block of the sizes that a balance and a bucket need. */
function fill(store: Store): void {
  for (const valueBytes of [60_000, 5000, 130, 30]) {
    for (let i = 0; set(store, `f${valueBytes}/${i}`, pattern(valueBytes, i)) === 0; i++);
  }
}

Deno.test("RESERVE_BLOCK_BYTES: is a size class and holds the largest balance and a bucket", () => {
  const largest = ENTRY_HEADER_BYTES + TTL_BYTES + INTEGER_BYTES + LONGEST_BALANCE_KEY_BYTES;
  assert.ok(RESERVE_BLOCK_BYTES >= largest && RESERVE_BLOCK_BYTES >= BUCKET_BYTES);
  assert.equal(CLASS_BYTES[sizeClassOf(RESERVE_BLOCK_BYTES)], RESERVE_BLOCK_BYTES);
});

Deno.test("BalanceReserve: an entry in a reserve block never grows over its neighbour", () => {
  const store = smallStore({ maxMemoryBytes: 8 * MIB });
  const names = Array.from({ length: 60 }, (_, i) => `balance:${"u".repeat(100)}${i + 10}`);
  for (let i = 0; i < names.length; i++) assert.ok(store.credits.tryAcquire());
  fill(store);
  for (const name of names) {
    assert.equal(settle(store, name), WriteStatus.OK);
    store.credits.release();
  }
  // Every size around that of a reserve block, each in one balance, then all are looked at.
  const expected = new Map(names.map((name) => [name, "1"]));
  for (let valueBytes = 1; valueBytes < names.length; valueBytes++) {
    const name = names[valueBytes]!;
    if (set(store, name, "x".repeat(valueBytes + 30)) === WriteStatus.OK) {
      expected.set(name, "x".repeat(valueBytes + 30));
    }
  }
  assert.ok([...expected.values()].filter((value) => value !== "1").length >= 10);
  for (const [name, value] of expected) assert.equal(get(store, name), value);
  store.assertInvariants();
});

Deno.test("BalanceReserve: a credited event settles also where its shard had no key yet", () => {
  const store = smallStore({ shardCount: 64, maxMemoryBytes: 16 * MIB });
  let credits = 0;
  while (credits < 300 && store.credits.tryAcquire()) credits++;
  // A few large values use up the memory without ever touching most shards.
  for (let i = 0; set(store, `big${i}`, pattern(1_000_000, i)) === WriteStatus.OK; i++);
  for (let i = 0; set(store, "page", pattern(65_536 * (8 - i), i)) !== WriteStatus.OK; i++) {
    if (i === 7) break;
  }
  for (let i = 0; set(store, `p${i}`, pattern(65_536, i)) === WriteStatus.OK; i++);
  assert.ok(store.stats().pagesFree < 4, `${store.stats().pagesFree} pages free`);
  const settled = new Set<number>();
  for (let i = 0; i < credits; i++) {
    settled.add(keyOf(store, `balance:user${i}`).shard);
    assert.equal(settle(store, `balance:user${i}`), WriteStatus.OK, `event ${i}`);
    store.credits.release();
  }
  assert.ok(settled.size > 50, `${settled.size} shards`);
  store.assertInvariants();
});

Deno.test("BalanceReserve: release gives a credit back exactly, whatever happened in between", () => {
  const store = smallStore({ maxMemoryBytes: 8 * MIB });
  assert.ok(store.credits.tryAcquire());
  store.credits.release();
  const spare = store.credits.spareCredits;
  assert.ok(spare > 0);
  for (let i = 0; i < spare; i++) assert.ok(store.credits.tryAcquire());
  assert.equal(store.credits.spareCredits, 0);
  store.assertInvariants();
  fill(store);
  // No page is left, so the credits that are out are all there are.
  assert.equal(store.credits.tryAcquire(), false);
  const key = keyOf(store, `balance:${"u".repeat(128)}`);
  for (let i = 0; i < 3; i++) {
    store.locks.lock(key.shard, true);
    const status = store.planAddInteger(0, key, Int64.fromNumber(1), new Int64(), true);
    assert.equal(status, WriteStatus.OK);
    store.cancelPlan();
    store.locks.unlock(key.shard, true);
    store.assertInvariants();
  }
  for (let i = 0; i < spare; i++) store.credits.release();
  assert.equal(store.credits.spareCredits, spare);
  store.assertInvariants();
});

Deno.test("BalanceReserve: a balance drawn from the reserve gives its block back when deleted", () => {
  const store = smallStore({ maxMemoryBytes: 8 * MIB });
  const names = Array.from({ length: 50 }, (_, i) => `balance:${"d".repeat(110)}${i}`);
  for (let i = 0; i < names.length; i++) assert.ok(store.credits.tryAcquire());
  fill(store);
  const before = store.credits.spareCredits;
  for (const name of names) {
    assert.equal(settle(store, name), WriteStatus.OK);
    store.credits.release();
  }
  const drawn = names.length * BLOCKS_PER_CREDIT -
    (store.credits.spareCredits - before) * BLOCKS_PER_CREDIT;
  assert.ok(drawn > 0, "the full store forced draws");
  for (const name of names) assert.ok(remove(store, name));
  assert.ok(store.credits.spareCredits >= before + names.length - 1);
  assert.equal(getBytes(store, names[0]!), undefined);
  store.assertInvariants();
});
