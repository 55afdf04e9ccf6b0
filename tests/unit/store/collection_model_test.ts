/** Collections against plain arrays and maps: random changes, leases, compaction, no memory. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { CollectionLease } from "../../../src/store/collection/collection_lease.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import {
  contentOf,
  Dice,
  type Model,
  models,
  open,
  readAll,
  sourceOf,
  textAt,
} from "./collection_helpers.ts";
import { get, keyOf, pattern, remove, set, smallStore } from "./helpers.ts";
import { effort } from "../../helpers/effort.ts";

const SEED = 20260;

interface Held {
  lease: CollectionLease;
  content: string[];
}

/** Runs `steps` changes under the lock; `between` runs every few steps without it. */
function run(
  store: Store,
  model: Model,
  dice: Dice,
  steps: number,
  between: (step: number) => void,
): void {
  const key = keyOf(store, "key");
  for (let step = 0; step < steps; step++) {
    store.locks.lock(key.shard, true);
    const c = open(store, "key", model.type);
    const status = model.step(store, c, dice);
    store.locks.unlock(key.shard, true);
    assert.equal(status, WriteStatus.OK);
    if (dice.roll(400) === 0) {
      remove(store, "key");
      model.clear();
    }
    between(step);
  }
}

function check(store: Store, model: Model): void {
  const key = keyOf(store, "key");
  store.assertInvariants();
  store.locks.lock(key.shard, true);
  const c = open(store, "key", model.type, 1);
  const expected = model.content();
  assert.equal(c.count, expected.length, "the count");
  assert.deepEqual(contentOf(c.cursor, model.type), expected, "what is in it");
  const backwards = readAll(c.cursor, model.type, true);
  assert.deepEqual(backwards.toReversed(), readAll(c.cursor, model.type), "backwards");
  for (let rank = 0; rank < c.count; rank += 1 + (c.count >> 4)) {
    assert.ok(c.cursor.seekRank(rank));
    assert.equal(c.cursor.rank(), rank, "the rank of what is at a rank");
  }
  assert.ok(!c.cursor.seekRank(c.count), "nothing behind the end");
  store.locks.unlock(key.shard, true);
}

function property(name: string, body: (model: Model, seed: number) => void): void {
  for (const [index, { type }] of models().entries()) {
    Deno.test(`Collections: ${name} (type ${type})`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1 }), (seed) => body(models()[index]!, seed)),
        { seed: SEED, numRuns: effort(1, 4) },
      );
    });
  }
}

property("random changes give what an array or a map gives", (model, seed) => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
  const dice = new Dice(seed);
  run(store, model, dice, 2000, (step) => {
    if (step % 250 === 0) check(store, model);
  });
  check(store, model);
});

property("a lease shows what was there when it was taken, whatever is changed", (model, seed) => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 128 * 2 ** 20 });
  const dice = new Dice(seed);
  const shard = keyOf(store, "key").shard;
  const held: Held[] = [];
  const release = (index: number): void => {
    const [{ lease, content }] = held.splice(index, 1) as [Held];
    assert.equal(lease.count, content.length);
    assert.deepEqual(contentOf(lease.cursor, model.type), content, "what was there");
    assert.deepEqual(readAll(lease.cursor, model.type, true).length, content.length);
    lease.release();
    lease.release();
  };
  run(store, model, dice, 1200, (step) => {
    if (dice.roll(15) === 0) {
      store.locks.lock(shard, false);
      const c = open(store, "key", model.type);
      held.push({ lease: store.collectionLeases.take(c), content: model.content() });
      store.locks.unlock(shard, false);
    }
    while (held.length > 0 && (dice.roll(20) === 0 || held.length > 4)) {
      release(dice.roll(held.length));
    }
    if (step % 100 === 0) check(store, model);
    if (dice.roll(50) === 0) store.reclaim();
  });
  while (held.length > 0) release(0);
  check(store, model);
  assert.equal(store.stats().orphanBytes, 0, "nothing is kept for readers that are gone");
  remove(store, "key");
  while (collect(store, shard, 7) === 7) store.assertInvariants();
  assert.equal(store.stats().leases, 0);
});

property(
  "compaction moves nodes and changes nothing, and moves none that is leased",
  (model, seed) => {
    const store = smallStore({ shardCount: 1, maxMemoryBytes: 256 * 2 ** 20 });
    const dice = new Dice(seed);
    const { shard } = keyOf(store, "key");
    // Members of sorted sets come one at a time.
    const isSortedSet = model.type === EntryType.SORTED_SET;
    const all = Array.from(
      { length: isSortedSet ? 300 : 100 },
      () => models().find(({ type }) => type === model.type)!,
    );
    store.locks.lock(shard, true);
    for (const [i, one] of all.entries()) {
      for (let n = 0; n < (isSortedSet ? 400 : 150); n++) {
        one.step(store, open(store, `c${i}`, model.type), dice);
      }
    }
    store.locks.unlock(shard, true);
    for (let i = 0; i < all.length; i++) if (i % 5 !== 0) remove(store, `c${i}`);
    const leavesOf = (i: number): string => {
      const { cursor } = open(store, `c${i}`, model.type);
      const leaves: number[] = [];
      for (let more = cursor.seekFirst(); more; more = cursor.next()) leaves.push(cursor.leaf);
      return leaves.join();
    };
    store.locks.lock(shard, true);
    const leases = [0].map((i) => store.collectionLeases.take(open(store, `c${i}`, model.type)));
    const before = all.map((_, i) => i % 5 === 0 ? leavesOf(i) : "");
    store.locks.unlock(shard, true);
    while (store.reclaim());
    store.assertInvariants();
    store.locks.lock(shard, true);
    let moves = 0;
    for (let i = 0; i < all.length; i += 5) {
      if (leavesOf(i) !== before[i]) {
        moves++;
        assert.ok(i > 0, "a leased one stays where it is");
      }
      const { cursor } = open(store, `c${i}`, model.type);
      assert.deepEqual(contentOf(cursor, model.type), all[i]!.content());
    }
    store.locks.unlock(shard, true);
    assert.ok(moves > 0, "inconclusive: no leaf was moved");
    for (const lease of leases) lease.release();
    store.assertInvariants();
  },
);

property("a change that finds no memory changes nothing", (model, seed) => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
  const dice = new Dice(seed);
  const { shard } = keyOf(store, "key");
  let refused = 0;
  for (let step = 0; step < 700; step++) {
    let lease: CollectionLease | undefined;
    if (dice.roll(3) === 0) {
      store.locks.lock(shard, false);
      lease = store.collectionLeases.take(open(store, "key", model.type));
      store.locks.unlock(shard, false);
    }
    const rollback = dice.roll(2 ** 31);
    const before = model.content();
    for (let k = 0;; k++) {
      store.failAllocationAfter(k);
      store.locks.lock(shard, true);
      const status = model.step(store, open(store, "key", model.type), new Dice(rollback));
      store.locks.unlock(shard, true);
      store.failAllocationAfter(-1);
      if (status === WriteStatus.OK) break;
      assert.equal(status, WriteStatus.OUT_OF_MEMORY);
      refused++;
      assert.deepEqual(model.content(), before);
      if (step % 20 === 0) check(store, model);
    }
    lease?.release();
    if (step % 50 === 0) check(store, model);
  }
  assert.ok(refused > 200, `inconclusive: ${refused} refusals`);
  check(store, model);
});

property("a store that is really full refuses, and serves removals", (model, seed) => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 2 * 2 ** 20, maxValueBytes: 2 ** 20 });
  const dice = new Dice(seed);
  const { shard } = keyOf(store, "key");
  let refused = 0;
  for (let step = 0; step < 1500; step++) {
    for (;;) {
      store.locks.lock(shard, true);
      const status = model.step(store, open(store, "key", model.type), dice);
      store.locks.unlock(shard, true);
      if (status === WriteStatus.OK) break;
      assert.equal(status, WriteStatus.OUT_OF_MEMORY);
      refused++;
      if (!store.reclaim()) break;
    }
    set(store, `filler ${dice.roll(2000)}`, pattern(dice.roll(2000), step));
    if (step % 250 === 0) check(store, model);
  }
  check(store, model);
  assert.ok(refused > 0, "inconclusive: it was never full");
  store.locks.lock(shard, true);
  const c = open(store, "key", model.type);
  while (c.count > 0) {
    const { lists, hashes, sortedSets } = store.collections;
    const owner = model.type === 2 ? lists : model.type === 5 ? sortedSets : undefined;
    const status = owner === undefined ? hashes.removeRank(c, 0) : owner.removeRanks(c, 0, 1);
    assert.equal(status, WriteStatus.OK, "a removal needs no memory");
  }
  store.locks.unlock(shard, true);
  model.clear();
  check(store, model);
  assert.equal(get(store, "key"), undefined);
});

for (const { type } of models()) {
  Deno.test(`Collections: trees of three levels split, join and are read while they change (type ${type})`, () => {
    const store = smallStore({ shardCount: 1, maxMemoryBytes: 256 * 2 ** 20 });
    const dice = new Dice(type);
    const { shard } = keyOf(store, "key");
    const { lists, hashes, sets, sortedSets } = store.collections;
    const names = Array.from({ length: 30_000 }, (_, i) => `element ${i}`);
    const source = sourceOf(...names.map((name) => name));
    const expected = new Set<string>();
    const add = (i: number): void => {
      const c = open(store, "key", type);
      const start = source.starts[i]!;
      const end = source.ends[i]!;
      if (type === EntryType.LIST) {
        if (expected.has(names[i]!)) return;
        assert.equal(lists.insert(c, dice.roll(c.count + 1), source.bytes, start, end), 0);
      } else if (type === EntryType.HASH) {
        assert.equal(hashes.putField(c, source.bytes, start, end, source.bytes, start, end), 0);
      } else if (type === EntryType.SET) {
        assert.equal(sets.addMembers(c, source, i, 1), 0);
      } else {
        assert.equal(sortedSets.beginOne(c, end - start), 0);
        sortedSets.put(c, source.bytes, start, end, dice.roll(50));
        sortedSets.finish(c);
      }
      expected.add(names[i]!);
    };
    const takeAt = (rank: number): void => {
      const c = open(store, "key", type);
      c.cursor.seekRank(rank);
      assert.ok(expected.delete(textAt(c.cursor)));
      if (type === EntryType.LIST) lists.removeRanks(c, rank, 1);
      else if (type === EntryType.SORTED_SET) sortedSets.removeRanks(c, rank, 1);
      else hashes.removeRank(c, rank);
    };
    const checkAll = (): void => {
      store.locks.unlock(shard, true);
      store.assertInvariants();
      store.locks.lock(shard, true);
      const c = open(store, "key", type);
      const found: string[] = [];
      for (let more = c.cursor.seekFirst(); more; more = c.cursor.next()) {
        found.push(textAt(c.cursor));
      }
      assert.deepEqual(found.toSorted(), [...expected].toSorted());
    };
    store.locks.lock(shard, true);
    for (let i = 0; i < names.length; i++) add(i);
    assert.ok(open(store, "key", type).cursor.topLevel >= 2, "three levels");
    checkAll();
    const held: { lease: CollectionLease; content: string[] }[] = [];
    for (let round = 0; round < 6; round++) {
      const c = open(store, "key", type);
      const lease = store.collectionLeases.take(c);
      held.push({ lease, content: readAll(c.cursor, type) });
      for (let i = 0; i < 1500; i++) {
        if (expected.size > 0) takeAt(dice.roll(expected.size));
        if (dice.roll(3) === 0) add(dice.roll(names.length));
      }
      if (type !== EntryType.HASH && type !== EntryType.SET) {
        const d = open(store, "key", type);
        const from = dice.roll(d.count / 2);
        const count = dice.roll(d.count / 4);
        for (let i = from; i < from + count; i++) {
          d.cursor.seekRank(i);
          expected.delete(textAt(d.cursor));
        }
        const owner = type === EntryType.LIST ? lists : sortedSets;
        assert.equal(owner.removeRanks(d, from, count), WriteStatus.OK);
      }
      for (const { lease, content } of held) assert.deepEqual(readAll(lease.cursor, type), content);
      checkAll();
      if (round % 2 === 1) {
        store.locks.unlock(shard, true);
        held.shift()!.lease.release();
        store.locks.lock(shard, true);
      }
    }
    store.locks.unlock(shard, true);
    for (const { lease } of held) lease.release();
    store.locks.lock(shard, true);
    while (open(store, "key", type).count > 0) {
      takeAt(dice.roll(expected.size));
      if (expected.size % 4000 === 0) checkAll();
    }
    store.locks.unlock(shard, true);
    while (collect(store, shard, 100) === 100);
    store.assertInvariants();
  });
}

Deno.test("Collections: compaction moves roots, and long elements with their leaves", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
  const { lists } = store.collections;
  const name = (i: number): string => `list ${i}`;
  const roots: number[] = [];
  store.locks.lock(0, true);
  for (let i = 0; i < 4000; i++) {
    const c = open(store, name(i), EntryType.LIST);
    const source = sourceOf(`${i}`.padEnd(1100 + i % 3000, "."), `${i}`);
    assert.equal(lists.push(c, false, source, 0, 2), WriteStatus.OK);
    roots.push(c.root);
  }
  store.locks.unlock(0, true);
  for (let i = 0; i < 4000; i++) if (i % 5 !== 0) remove(store, name(i));
  const before = store.stats().pagesFree;
  while (store.reclaim());
  assert.ok(store.stats().pagesFree > before + 20, "pages were freed");
  store.assertInvariants();
  store.locks.lock(0, true);
  let moved = 0;
  for (let i = 0; i < 4000; i += 5) {
    const c = open(store, name(i), EntryType.LIST);
    if (c.root !== roots[i]) moved++;
    const expected = [`${i}`.padEnd(1100 + i % 3000, "."), `${i}`];
    assert.deepEqual(readAll(c.cursor, EntryType.LIST), expected);
  }
  store.locks.unlock(0, true);
  assert.ok(moved > 100, `inconclusive: ${moved} roots were moved`);
});

function collect(store: Store, shard: number, steps: number): number {
  store.locks.lock(shard, true);
  const taken = store.collections.memory.collect(shard, steps);
  store.locks.unlock(shard, true);
  return taken;
}
