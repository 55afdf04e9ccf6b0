/** Leases of large values: what a reader sees, what becomes of the memory, what may not move. */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { Extents } from "../../../src/store/extents.ts";
import type { LockKind } from "../../../src/store/locks.ts";
import { Store, type ValueLease, WriteStatus } from "../../../src/store/store.ts";
import { add, get, getBytes, keyOf, pattern, remove, set, smallStore } from "./helpers.ts";

const MIB = 2 ** 20;

/** Takes a lease under the shard's lock. */
function lease(store: Store, name: string): ValueLease {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, false);
  const taken = store.lease(store.lookup(0, key));
  store.locks.unlock(key.shard, false);
  return taken;
}

/** Reads what is left of a lease, in pieces of at most `most` bytes. */
function readRest(taken: ValueLease, most = 10_000): Uint8Array {
  const bytes = new Uint8Array(taken.remaining + 2);
  let at = 1;
  while (taken.remaining > 0) {
    const byteCount = Math.min(most, taken.remaining);
    taken.copyNext(bytes, at, byteCount);
    at += byteCount;
  }
  assert.equal(bytes[0]! | bytes[bytes.length - 1]!, 0, "nothing is written beside the piece");
  return bytes.subarray(1, bytes.length - 1);
}

Deno.test("ValueLease: gives the value in pieces of any size", () => {
  const store = smallStore();
  const sizes = [
    8192,
    8193,
    65_535,
    65_536,
    65_537,
    65_536 + 8184,
    65_536 + 8185,
    196_608,
    300_001,
  ];
  for (const [seed, byteCount] of sizes.entries()) {
    const value = pattern(byteCount, seed);
    assert.equal(set(store, "k", value), WriteStatus.OK);
    for (const most of [777, 8184, 65_536, 99_991, MIB]) {
      const taken = lease(store, "k");
      assert.equal(taken.byteCount, byteCount);
      assert.deepEqual(readRest(taken, most), value, `${byteCount} bytes, ${most} at a time`);
      taken.release();
    }
  }
  assert.equal(store.stats().leases, 0);
  store.assertInvariants();
});

/** Ways in which a key lets go of its value. */
const ENDS: [string, (store: Store) => void, rest: string | undefined][] = [
  ["overwritten", (store) => assert.equal(set(store, "k", "small"), WriteStatus.OK), "small"],
  ["deleted", (store) => assert.ok(remove(store, "k")), undefined],
  ["expired and counted up", (store) => {
    store.nowMs += 10_000;
    assert.equal(add(store, "k", 5n).status, WriteStatus.OK);
  }, "5"],
  ["expired and deleted", (store) => {
    store.nowMs += 10_000;
    assert.equal(remove(store, "k"), false);
  }, undefined],
];

for (const lockKind of ["mutex", "rwlock"] as const) {
  for (const [how, end, rest] of ENDS) {
    Deno.test(`ValueLease (${lockKind}): a value that is ${how} stays as it was until the last lease ends`, () => {
      const store = smallStore({ lockKind });
      set(store, "other", pattern(200_000, 2));
      const { blockBytes: before } = store.stats();
      const value = pattern(150_000, 1);
      set(store, "k", value, { expireAtMs: store.nowMs + 5000 });
      const leases = [lease(store, "k"), lease(store, "k"), lease(store, "k")];
      assert.equal(store.stats().orphanBytes, 0);
      readPart(leases[1]!, value, 70_000);
      end(store);
      store.assertInvariants();
      assert.equal(get(store, "k"), rest);
      const { orphanBytes } = store.stats();
      assert.ok(orphanBytes >= 150_000 && orphanBytes < 150_000 * 1.05, `${orphanBytes} bytes`);
      // New values must not land in the old one's place.
      for (let i = 0; i < 20; i++) set(store, `new${i}`, pattern(100_000 + i * 5000, 10 + i));
      for (const index of [1, 0, 2]) {
        const taken = leases[index]!;
        assert.equal(taken.isOrphan, true);
        const from = value.length - taken.remaining;
        assert.deepEqual(readRest(taken), value.subarray(from));
        assert.equal(store.stats().orphanBytes, orphanBytes, "in use until the last lease ends");
        taken.release();
        taken.release();
        store.assertInvariants();
      }
      assert.equal(store.stats().orphanBytes, 0);
      assert.equal(store.stats().leases, 0);
      for (let i = 0; i < 20; i++) remove(store, `new${i}`);
      remove(store, "k");
      assert.equal(store.stats().blockBytes, before, "every byte is back");
      store.assertInvariants();
    });
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

function readPart(taken: ValueLease, value: Uint8Array, byteCount: number): void {
  const bytes = new Uint8Array(byteCount);
  taken.copyNext(bytes, 0, byteCount);
  assert.deepEqual(bytes, value.subarray(0, byteCount));
}

Deno.test("ValueLease: each version of a value lives as long as its own leases", () => {
  const store = smallStore({ shardCount: 1 });
  const versions: { taken: ValueLease; value: Uint8Array }[] = [];
  for (let i = 0; i < 8; i++) {
    const value = pattern(80_000 + i * 9000, i);
    set(store, "k", value);
    versions.push({ taken: lease(store, "k"), value });
  }
  // Out of the middle, off the end and off the front of the list of orphans.
  for (const index of [3, 0, 6, 5, 7, 1, 2, 4]) {
    const { taken, value } = versions[index]!;
    assert.equal(taken.isOrphan, index !== 7);
    assert.deepEqual(readRest(taken), value);
    taken.release();
    store.assertInvariants();
  }
  assert.deepEqual(getBytes(store, "k"), versions[7]!.value);
  assert.equal(store.stats().orphanBytes, 0);
});

Deno.test("ValueLease: the end of a lease of a value that its key still has frees nothing", () => {
  const store = smallStore();
  const value = pattern(100_000, 1);
  set(store, "k", value);
  const { blockBytes } = store.stats();
  lease(store, "k").release();
  assert.equal(store.stats().blockBytes, blockBytes);
  assert.deepEqual(getBytes(store, "k"), value);
  store.assertInvariants();
});

for (const lockKind of ["mutex", "rwlock"] as const) {
  for (const exclusive of [true, false]) {
    Deno.test(`ValueLease (${lockKind}): an orphan whose shard is ${exclusive ? "locked" : "read"} when its lease ends is freed later`, async () => {
      const store = smallStore({ lockKind });
      const { blockBytes } = store.stats();
      set(store, "k", pattern(100_000, 1));
      const taken = lease(store, "k");
      remove(store, "k");
      const { shard } = keyOf(store, "k");
      store.locks.lock(shard, exclusive);
      taken.release();
      assert.ok(store.stats().orphanBytes > 0, "not freed while somebody has the lock");
      store.locks.unlock(shard, exclusive);
      // A pending waitAsync alone does not keep the event loop alive.
      const timer = setInterval(() => {}, 1000);
      for (let i = 0; i < 2000 && store.stats().orphanBytes > 0; i++) await pause(1);
      clearInterval(timer);
      assert.equal(store.stats().orphanBytes, 0);
      store.assertInvariants();
      assert.equal(store.stats().blockBytes, blockBytes, "every byte is back");
    });
  }
}

Deno.test("ValueLease: the end of a lease in a torn shard is quiet", async () => {
  const store = smallStore();
  set(store, "k", pattern(100_000, 1));
  const taken = lease(store, "k");
  remove(store, "k");
  const { shard } = keyOf(store, "k");
  store.locks.lock(shard, true);
  store.locks.poison(shard, 300);
  taken.release();
  await pause(1);
  assert.equal(store.stats().leases, 0);
});

Deno.test("ValueLease: a value may be changed in place exactly while nobody leases it", () => {
  const store = smallStore();
  set(store, "large", pattern(100_000, 1));
  set(store, "small", "s");
  const mayChange = (name: string) => {
    const key = keyOf(store, name);
    store.locks.lock(key.shard, true);
    const may = store.mayChangeInPlace(store.lookup(0, key));
    store.locks.unlock(key.shard, true);
    return may;
  };
  assert.equal(mayChange("small"), true);
  assert.equal(mayChange("large"), true);
  const first = lease(store, "large");
  const second = lease(store, "large");
  assert.equal(mayChange("large"), false);
  first.release();
  assert.equal(mayChange("large"), false);
  second.release();
  assert.equal(mayChange("large"), true);
});

Deno.test("ValueLease: is refused to a thread that may die alone, and for a small value", () => {
  const store = smallStore();
  set(store, "k", pattern(100_000, 1));
  set(store, "small", "s");
  const worker = Store.attach(store.memory, 1, true);
  worker.nowMs = store.nowMs;
  assert.throws(() => worker.lease(worker.lookup(0, keyOf(worker, "k"))), /ends with the server/);
  assert.throws(() => store.lease(store.lookup(0, keyOf(store, "small"))), /large one/);
  store.assertInvariants();
});

Deno.test("ValueLease: reading behind the end, or after it is over, is a fault", () => {
  const store = smallStore();
  set(store, "k", pattern(100_000, 1));
  const taken = lease(store, "k");
  const room = new Uint8Array(200_000);
  assert.throws(() => taken.copyNext(room, 0, 100_001), /once, from front to back/);
  taken.release();
  assert.throws(() => taken.copyNext(room, 0, 1), /while it is leased/);
});

Deno.test("ValueLease: a write that finds no memory at its k-th allocation leaves the leased value its key's", () => {
  const value = pattern(150_000, 1);
  let k = 0;
  for (;; k++) {
    const store = smallStore();
    set(store, "k", value);
    const taken = lease(store, "k");
    const { blockBytes } = store.stats();
    store.failAllocationAfter(k);
    const key = keyOf(store, "k");
    store.locks.lock(key.shard, true);
    const status = store.setString(0, key, pattern(140_000, 2), 0, 140_000, 0);
    store.locks.unlock(key.shard, true);
    store.failAllocationAfter(-1);
    assert.equal(taken.isOrphan, status === WriteStatus.OK);
    assert.deepEqual(readRest(taken), value);
    if (status === WriteStatus.OK) break;
    assert.equal(status, WriteStatus.OUT_OF_MEMORY);
    assert.equal(store.stats().blockBytes, blockBytes, `failure at request ${k}`);
    store.assertInvariants();
    taken.release();
    assert.deepEqual(getBytes(store, "k"), value);
    store.assertInvariants();
  }
  // Two pages, two chunks, the root and the entry.
  assert.equal(k, 6);
});

Deno.test("Store: compaction moves nothing that is leased, and everything else", () => {
  for (const lockKind of ["mutex", "rwlock"] as LockKind[]) {
    const store = smallStore({ lockKind, shardCount: 1, maxMemoryBytes: 32 * MIB });
    const sizeOf = (i: number) => 8300 + i % 900 * 8;
    let count = 0;
    while (set(store, `k${count}`, pattern(sizeOf(count), count)) === WriteStatus.OK) count++;
    const survives = (i: number) => i % 7 === 0;
    const leases = new Map<number, ValueLease>();
    for (let i = 0; i < count; i++) {
      if (i % 70 === 0 || i % 70 === 1) leases.set(i, lease(store, `k${i}`));
      // Some of the leased ones become orphans.
      if (!survives(i)) remove(store, `k${i}`);
    }
    let moved = 0;
    while (store.reclaim()) moved++;
    assert.ok(moved > 20, `${moved} pages were emptied around ${leases.size} leases`);
    store.assertInvariants();
    // What was moved wrongly is overwritten now.
    let fresh = 0;
    while (set(store, `fresh${fresh}`, pattern(5000, fresh)) === WriteStatus.OK) fresh++;
    assert.ok(fresh > 100, `${fresh} new values`);
    for (const [i, taken] of leases) {
      assert.deepEqual(readRest(taken), pattern(sizeOf(i), i), `lease of ${i}`);
    }
    for (let i = 0; i < count; i++) {
      const expected = survives(i) ? pattern(sizeOf(i), i) : undefined;
      assert.deepEqual(getBytes(store, `k${i}`), expected);
    }
    store.assertInvariants();
    for (const taken of leases.values()) taken.release();
    store.assertInvariants();
    assert.equal(store.stats().orphanBytes, 0);
  }
});

Deno.test("Store: compaction that leases kept from pages looks again when leases have ended", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 8 * MIB });
  let count = 0;
  while (set(store, `k${count}`, pattern(16_000, count)) === WriteStatus.OK) count++;
  const leases: ValueLease[] = [];
  for (let i = 0; i < count; i++) {
    if (i % 5 === 0) leases.push(lease(store, `k${i}`));
    else remove(store, `k${i}`);
  }
  while (store.reclaim());
  assert.equal(store.reclaim(), false, "nothing to gain around the leases");
  // Their keys live on, so no block is freed that would say that there is something to gain.
  for (const taken of leases) taken.release();
  let gained = 0;
  while (store.reclaim()) gained++;
  assert.ok(gained > 10, `${gained} pages gained`);
  store.assertInvariants();
});

Deno.test("ValueLease: the sum of leases covers each count until that is gone", () => {
  const store = smallStore();
  assert.equal(set(store, "k", pattern(20_000, 1)), WriteStatus.OK);
  const taken = lease(store, "k");
  const { countLease } = Extents.prototype;
  let sum = -1;
  Extents.prototype.countLease = function (root, amount) {
    // Compaction on another thread that saw a sum of 0 here would move what is still counted.
    if (amount === -1) sum = store.stats().leases;
    return countLease.call(this, root, amount);
  };
  try {
    taken.release();
  } finally {
    Extents.prototype.countLease = countLease;
  }
  assert.equal(sum, 1);
  assert.equal(store.stats().leases, 0);
});

Deno.test("Store: compaction leaves an orphan alone that is about to be freed", async () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 40 * MIB });
  const { blockBytes } = store.stats();
  const value = pattern(8300, 1);
  let count = 0;
  while (set(store, `k${count}`, value) === WriteStatus.OK) count++;
  assert.ok(count > 4096, "their roots fill more than two pages");
  // A few roots stay in each page of roots, but hardly a page of anything else can be emptied:
  // compaction gets to the roots before the waiting lock is handed over.
  const stays = (i: number) => i % 2048 < 24;
  for (let i = 0; i < count; i++) if (!stays(i)) remove(store, `k${i}`);
  const leases = [5, 2053, 4101].map((i) => lease(store, `k${i}`));
  for (const i of [5, 2053, 4101]) remove(store, `k${i}`);
  const other = Store.attach(store.memory, 1, false);
  other.locks.lock(0, true);
  for (const taken of leases) taken.release();
  other.locks.unlock(0, true);
  while (other.reclaim());
  assert.ok(store.stats().orphanBytes > 0, "the orphans are still there");
  store.assertInvariants();
  const timer = setInterval(() => {}, 1000);
  for (let i = 0; i < 2000 && store.stats().orphanBytes > 0; i++) await pause(1);
  clearInterval(timer);
  for (let i = 0; i < count; i++) remove(store, `k${i}`);
  store.assertInvariants();
  assert.equal(store.stats().blockBytes, blockBytes);
});

Deno.test("Store: orphans count against the memory, and their end makes room", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 4 * MIB, maxValueBytes: 2 * MIB });
  const value = pattern(1.5 * MIB, 1);
  assert.equal(set(store, "k", value), WriteStatus.OK);
  const taken = lease(store, "k");
  assert.equal(set(store, "k", pattern(1.5 * MIB, 2)), WriteStatus.OK);
  assert.equal(set(store, "k", pattern(1.5 * MIB, 3)), WriteStatus.OUT_OF_MEMORY);
  store.assertInvariants();
  assert.deepEqual(readRest(taken), value);
  taken.release();
  assert.equal(set(store, "k", pattern(1.5 * MIB, 3)), WriteStatus.OK);
  assert.deepEqual(getBytes(store, "k"), pattern(1.5 * MIB, 3));
  store.assertInvariants();
});

Deno.test("Store: a worker that overwrites a leased value leaves it to its readers", () => {
  const store = smallStore();
  const value = pattern(100_000, 1);
  set(store, "k", value, { expireAtMs: store.nowMs + 10 });
  const taken = lease(store, "k");
  const worker = Store.attach(store.memory, 1, true);
  worker.nowMs = store.nowMs + 20;
  const key = keyOf(worker, "k");
  worker.locks.lock(key.shard, true);
  const result = new Int64();
  assert.equal(
    worker.planAddInteger(0, key, Int64.fromNumber(7), result, false),
    WriteStatus.OK,
  );
  worker.commitPlan();
  worker.locks.unlock(key.shard, true);
  assert.equal(taken.isOrphan, true);
  assert.deepEqual(readRest(taken), value);
  taken.release();
  store.assertInvariants();
  assert.equal(get(store, "k"), "7");
});
