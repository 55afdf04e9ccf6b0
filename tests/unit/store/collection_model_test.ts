/** Collections against plain arrays and maps: random changes, leases, compaction, no memory. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { CollectionLease } from "../../../src/store/collection/collection_lease.ts";
import { type Store, WriteStatus } from "../../../src/store/store.ts";
import { contentOf, Dice, type Model, models, open, readAll } from "./collection_helpers.ts";
import { get, keyOf, pattern, remove, set, smallStore } from "./helpers.ts";

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
        { seed: SEED, numRuns: 4 },
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

property("compaction moves nodes, roots and long elements and changes nothing", (model, seed) => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 32 * 2 ** 20 });
  const dice = new Dice(seed);
  let moved = 0;
  run(store, model, dice, 500, (step) => {
    set(store, `filler ${step}`, pattern(dice.roll(3000), step));
    if (step % 3 === 0) remove(store, `filler ${dice.roll(step + 1)}`);
    if (step % 10 !== 0) return;
    while (store.reclaim()) moved++;
    if (step % 100 === 0) check(store, model);
  });
  assert.ok(moved > 0, "inconclusive: nothing was moved");
  check(store, model);
});

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
    for (let k = 0;; k++) {
      const before = model.content();
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

function collect(store: Store, shard: number, steps: number): number {
  store.locks.lock(shard, true);
  const taken = store.collections.memory.collect(shard, steps);
  store.locks.unlock(shard, true);
  return taken;
}
