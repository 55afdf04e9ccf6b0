/** The arena at its limits: full, fragmented, failing at every allocation. */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import { add, get, getBytes, keyOf, pattern, remove, set, smallStore } from "./helpers.ts";

const MIB = 2 ** 20;

/** Names whose keys all lie in one shard. */
function* namesInShard(store: Store, shard: number, prefix = "k"): Generator<string> {
  for (let i = 0;; i++) {
    const name = `${prefix}${i}`;
    if (keyOf(store, name).shard === shard) yield name;
  }
}

Deno.test("Store: keys that all fall into one shard fill at least 95 % of the memory", () => {
  for (const valueBytes of [10, 100, 1000, 3000, 5000, 8000, 13_000, 100_000]) {
    const store = smallStore({ shardCount: 4, maxMemoryBytes: 12 * MIB });
    const value = pattern(valueBytes, 1);
    let payload = 0;
    let count = 0;
    for (const name of namesInShard(store, 3)) {
      if (set(store, name, value) !== WriteStatus.OK) break;
      payload += name.length + valueBytes;
      count++;
    }
    const { usedBytes, maxMemoryBytes, blockBytes } = store.stats();
    assert.ok(count > 100, `${count} values of ${valueBytes} bytes`);
    assert.ok(
      usedBytes >= 0.95 * maxMemoryBytes && blockBytes >= 0.95 * maxMemoryBytes,
      `${valueBytes} B: ${usedBytes} in pages, ${blockBytes} in blocks of ${maxMemoryBytes}`,
    );
    // What the client stored, not only what the allocator counts: headers and slack are bounded.
    if (valueBytes >= 1000) assert.ok(payload >= 0.83 * maxMemoryBytes, `${payload} B of payload`);
    store.assertInvariants();
  }
});

Deno.test("Store: refilling with other sizes works after every second key was deleted", () => {
  for (
    const [first, second] of [[100, 900], [900, 100], [7000, 300], [300, 40_000], [12_000, 60]]
  ) {
    const store = smallStore({ shardCount: 4, maxMemoryBytes: 16 * MIB });
    let count = 0;
    while (set(store, `a${count}`, pattern(first!, count)) === WriteStatus.OK) count++;
    const full = store.stats().blockBytes;
    for (let i = 0; i < count; i += 2) assert.ok(remove(store, `a${i}`));
    const halved = store.stats().blockBytes;
    let refilled = 0;
    while (set(store, `b${refilled}`, pattern(second!, refilled)) === WriteStatus.OK) refilled++;
    const gained = store.stats().blockBytes - halved;
    assert.ok(
      gained >= 0.85 * (full - halved),
      `${first} → ${second}: ${gained} of ${full - halved} freed bytes were used again`,
    );
    store.assertInvariants();
    for (let i = 1; i < count; i += 2) {
      assert.deepEqual(getBytes(store, `a${i}`), pattern(first!, i), "survivors are intact");
    }
    for (let i = 0; i < refilled; i++) {
      assert.deepEqual(getBytes(store, `b${i}`), pattern(second!, i), "newcomers are intact");
    }
  }
});

Deno.test("Store: a full store serves reads, overwrites of equal size and deletes", () => {
  const store = smallStore({ maxMemoryBytes: 4 * MIB });
  let count = 0;
  while (set(store, `k${count}`, "v".repeat(100)) === WriteStatus.OK) count++;
  assert.equal(get(store, "k0"), "v".repeat(100));
  assert.equal(set(store, "k0", "w".repeat(100)), WriteStatus.OK);
  assert.equal(set(store, "new", "w".repeat(9000)), WriteStatus.OUT_OF_MEMORY);
  assert.equal(get(store, "new"), undefined);
  assert.ok(remove(store, "k1"));
  assert.equal(set(store, "k1", "x".repeat(100)), WriteStatus.OK);
  store.assertInvariants();
});

Deno.test("Store: everything deleted means that all memory is free again", () => {
  const store = smallStore({ maxMemoryBytes: 16 * MIB });
  for (let i = 0; i < 20_000; i++) set(store, `k${i}`, "v".repeat(i % 500));
  for (let i = 0; i < 5; i++) set(store, `big${i}`, pattern(500_000, i));
  for (let i = 0; i < 20_000; i++) remove(store, `k${i}`);
  for (let i = 0; i < 5; i++) remove(store, `big${i}`);
  store.assertInvariants();
  const { keyCount, blockBytes } = store.stats();
  assert.equal(keyCount, 0);
  // One directory and one leaf of 1 KiB stay per shard that was used.
  assert.equal(blockBytes, 4 * 2 * 2048, "a directory and a leaf, of database 0 and of its heir");
});

Deno.test("Store: a write that runs out of memory at its k-th allocation changes nothing", () => {
  const writes: [string, (store: Store) => WriteStatus][] = [
    ["new string", (store) => setOnce(store, "fresh", "value")],
    ["first key of a database", (store) => setOnce(store, "first", "value", 9)],
    ["new large string", (store) => setOnce(store, "large", "L".repeat(150_000))],
    ["longer string", (store) => setOnce(store, "short", "longer".repeat(100))],
    ["large instead of short", (store) => setOnce(store, "short", "L".repeat(80_000))],
    ["short instead of large", (store) => setOnce(store, "old", "s")],
    ["expiry added", (store) => setOnce(store, "short", "value", 0, 5_000_000)],
    ["new integer", (store) => add(store, "counter", 5n).status],
    ["string to integer", (store) => add(store, "digits", 5n).status],
  ];
  for (const [what, write] of writes) {
    let k = 0;
    for (;; k++) {
      const store = smallStore();
      // Enough keys that bucket chains are full and a split is due at any insert.
      for (let i = 0; i < 500; i++) set(store, `k${i}`, String(i));
      set(store, "short", "s");
      set(store, "digits", "1");
      set(store, "old", "O".repeat(100_000));
      const before = fingerprint(store);
      store.failAllocationAfter(k);
      const status = write(store);
      store.failAllocationAfter(-1);
      if (status === WriteStatus.OK) break;
      assert.equal(status, WriteStatus.OUT_OF_MEMORY, `${what}, failure at request ${k}`);
      store.assertInvariants();
      assert.equal(fingerprint(store), before, `${what}: unchanged by a failure at request ${k}`);
    }
    assert.ok(k >= 1, `${what}: at least one failing allocation was tried`);
  }
});

Deno.test("Store: the index grows even when splits find no memory, and is still exact", () => {
  const store = smallStore({ shardCount: 1 });
  for (let i = 0; i < 3000; i++) {
    // Requests: entry, perhaps an overflow bucket, perhaps a leaf. Let the split's leaf fail often.
    store.failAllocationAfter(i % 3 === 0 ? 1 : -1);
    const status = set(store, `k${i}`, "v");
    assert.ok(status === WriteStatus.OK || status === WriteStatus.OUT_OF_MEMORY);
    store.failAllocationAfter(-1);
    assert.equal(set(store, `k${i}`, "v"), WriteStatus.OK);
  }
  store.assertInvariants();
  assert.equal(store.keyCount(0), 3000);
});

Deno.test("BalanceReserve: an accepted event finds memory for its balance in a full store", () => {
  const store = smallStore({ maxMemoryBytes: 8 * MIB });
  let credits = 0;
  while (credits < 500 && store.credits.tryAcquire()) credits++;
  assert.equal(credits, 500);
  let count = 0;
  while (set(store, `k${count}`, "v".repeat(100)) === WriteStatus.OK) count++;
  while (set(store, `s${count}`, "") === WriteStatus.OK) count++;
  store.assertInvariants();
  for (let i = 0; i < credits; i++) {
    const key = keyOf(store, `balance:${"u".repeat(120)}${i}`);
    const result = new Int64();
    store.locks.lock(key.shard, true);
    assert.equal(
      store.planAddInteger(0, key, Int64.fromNumber(i), result, true),
      WriteStatus.OK,
      `event ${i}`,
    );
    store.commitPlan();
    store.locks.unlock(key.shard, true);
    store.credits.release();
  }
  store.assertInvariants();
  for (let i = 0; i < credits; i++) {
    assert.equal(get(store, `balance:${"u".repeat(120)}${i}`), String(i));
  }
  // Without memory for another balance, acceptance is refused up front.
  let more = 0;
  while (store.credits.tryAcquire()) more++;
  assert.ok(more < 500, `${more} credits in a full store`);
  store.assertInvariants(more);
  for (let i = 0; i < more; i++) store.credits.release();
  for (let i = 0; i < credits; i++) remove(store, `balance:${"u".repeat(120)}${i}`);
  store.assertInvariants(0);
  assert.ok(store.credits.tryAcquire(), "deleted balances make room for new ones");
});

Deno.test("Store: compaction moves large values and their entries", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 32 * MIB });
  let count = 0;
  while (set(store, `k${count}`, pattern(8300 + count % 900, count)) === WriteStatus.OK) count++;
  const survives = (i: number) => i % 7 === 0;
  for (let i = 0; i < count; i++) if (!survives(i)) remove(store, `k${i}`);
  let moved = 0;
  while (store.reclaim()) moved++;
  assert.ok(moved > 50, `${moved} pages were emptied`);
  store.assertInvariants();
  for (let i = 0; i < count; i++) {
    const expected = survives(i) ? pattern(8300 + i % 900, i) : undefined;
    assert.deepEqual(getBytes(store, `k${i}`), expected);
  }
});

Deno.test("Store: compaction that found nothing finds something once blocks were freed", () => {
  const store = smallStore({ shardCount: 4, maxMemoryBytes: 8 * MIB });
  let count = 0;
  while (set(store, `k${count}`, "v".repeat(500)) === WriteStatus.OK) count++;
  for (let round = 0; round < 3; round++) {
    assert.equal(store.reclaim(), false, "a full store has nothing to gain");
    assert.equal(store.reclaim(), false, "and the second look says the same");
  }
  // Every third key: no page becomes empty by itself.
  for (let i = 0; i < count; i += 3) remove(store, `k${i}`);
  assert.equal(set(store, "other size", "w".repeat(1500)), WriteStatus.OK);
  store.assertInvariants();
});

Deno.test("Store: a cancelled plan gives back an overflow bucket", () => {
  const store = smallStore({ shardCount: 1 });
  const before: number[] = [];
  for (let i = 0; i < 2000; i++) {
    set(store, `k${i}`, "v");
    const { blockBytes } = store.stats();
    const key = keyOf(store, `balance:${i}`);
    store.locks.lock(key.shard, true);
    store.planAddInteger(0, key, Int64.fromNumber(1), new Int64(), false);
    before.push(store.stats().blockBytes - blockBytes);
    store.cancelPlan();
    store.locks.unlock(key.shard, true);
    assert.equal(store.stats().blockBytes, blockBytes);
  }
  assert.ok(new Set(before).size > 1, "some plans needed an overflow bucket, some did not");
  store.assertInvariants();
});

Deno.test("Store: a cancelled plan gives back everything", () => {
  const store = smallStore();
  const before = fingerprint(store);
  const key = keyOf(store, "balance:zoe");
  for (let i = 0; i < 3; i++) {
    store.locks.lock(key.shard, true);
    assert.equal(
      store.planAddInteger(0, key, Int64.fromNumber(1), new Int64(), true),
      WriteStatus.OK,
    );
    store.cancelPlan();
    store.locks.unlock(key.shard, true);
    store.assertInvariants();
  }
  assert.equal(fingerprint(store), before);
});

function setOnce(
  store: Store,
  name: string,
  value: string,
  database = 0,
  expireAtMs = 0,
): WriteStatus {
  const key = keyOf(store, name);
  const bytes = new TextEncoder().encode(value);
  store.locks.lock(key.shard, true);
  const status = store.setString(database, key, bytes, 0, bytes.length, expireAtMs);
  store.locks.unlock(key.shard, true);
  return status;
}

/** All keys with their values and expiry times, in order. */
function fingerprint(store: Store): string {
  const lines: string[] = [];
  for (const database of [0, 9]) {
    for (let shard = 0; shard < store.shardCount; shard++) {
      let position = 0;
      do {
        position = store.scanShard(database, shard, position, (entry) => {
          const bytes = new Uint8Array(5000);
          const name = new TextDecoder().decode(bytes.subarray(0, store.copyKey(entry, bytes, 0)));
          lines.push(
            `${database} ${name} ${get(store, name, database)} ${store.expireAtMs(entry)}`,
          );
        });
      } while (position !== 0);
    }
  }
  return lines.sort().join("\n");
}
