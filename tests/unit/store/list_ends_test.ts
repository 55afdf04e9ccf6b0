/** Lists at their ends: single elements that come and go, against an array, at all sizes. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { CollectionLease } from "../../../src/store/collection/collection_lease.ts";
import type { CollectionFork } from "../../../src/store/collection/collection_fork.ts";
import { LEAF_RECORD_BYTES, LEAF_RECORDS } from "../../../src/store/collection/node.ts";
import { ElementEffect } from "../../../src/store/mutation_hook.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Dice, ListModel, open, readAll, sourceOf } from "./collection_helpers.ts";
import { hookWith, keyOf, smallStore } from "./helpers.ts";

const SEED = 73_021;
const decoder = new TextDecoder();
const { LIST } = EntryType;
/** Around the longest length byte, the longest light record, and long elements. */
const LENGTHS = [0, 1, 2, 16, 16, 16, 16, 61, 120, 249, 250, 251, 253, 254, 1024, 1025];

function oneShard(maxMemoryBytes = 64 * 2 ** 20): Store {
  return smallStore({ shardCount: 1, maxMemoryBytes });
}

/** Elements that differ; mostly of one length, as in a queue. */
class Elements {
  readonly #dice: Dice;
  readonly #usual: number;
  #made = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
    this.#usual = LENGTHS[dice.roll(LENGTHS.length)]!;
  }

  next(): string {
    const length = this.#dice.roll(12) === 0
      ? LENGTHS[this.#dice.roll(LENGTHS.length)]!
      : this.#usual;
    return `${this.#made++}`.padEnd(length, ".").slice(0, length);
  }
}

function push(store: Store, model: string[], atFront: boolean, element: string): WriteStatus {
  const c = open(store, "k", LIST);
  const status = store.collections.lists.push(c, atFront, sourceOf(element), 0, 1);
  if (status !== WriteStatus.OK) return status;
  if (atFront) model.unshift(element);
  else model.push(element);
  assert.equal(c.count, model.length, "the count after a push");
  return status;
}

function pop(store: Store, model: string[], atFront: boolean, byRank: boolean): WriteStatus {
  const c = open(store, "k", LIST);
  const { lists } = store.collections;
  const expected = atFront ? model[0]! : model.at(-1)!;
  assert.ok(store.collections.lists.seekEnd(c, atFront), "there is an element");
  assert.equal(decoder.decode(c.cursor.element().toBytes()), expected, "what is at the end");
  const status = byRank
    ? lists.removeRanks(c, atFront ? 0 : c.count - 1, 1)
    : lists.removeEnd(c, atFront);
  if (status !== WriteStatus.OK) return status;
  if (atFront) model.shift();
  else model.pop();
  assert.equal(c.count, model.length, "the count after a pop");
  // The same handle is good for more.
  if (model.length > 0) {
    assert.ok(c.cursor.seekLast());
    assert.equal(decoder.decode(c.cursor.element().toBytes()), model.at(-1)!, "the new last one");
    assert.ok(c.cursor.seekFirst());
    assert.equal(decoder.decode(c.cursor.element().toBytes()), model[0]!, "the new first one");
  }
  return status;
}

function check(store: Store, model: readonly string[]): void {
  store.assertInvariants();
  const c = open(store, "k", LIST, 1);
  assert.deepEqual(readAll(c.cursor, LIST), model);
  assert.deepEqual(readAll(c.cursor, LIST, true).toReversed(), model, "backwards");
}

/** Changes that were made without opening the list. */
let directChanges = 0;

/** As {@link push}, without opening the list where that can be. */
function pushDirect(store: Store, model: string[], atFront: boolean, element: string): WriteStatus {
  const { collections } = store;
  const key = keyOf(store, "k");
  const entry = collections.find(0, key);
  const bytes = new TextEncoder().encode(`.${element}.`);
  const end = bytes.length - 1;
  const count = collections.directEnds.push(entry, key.shard, atFront, bytes, 1, end);
  if (count === 0) return push(store, model, atFront, element);
  directChanges++;
  if (atFront) model.unshift(element);
  else model.push(element);
  assert.equal(count, model.length, "the count after a push");
  return WriteStatus.OK;
}

/** As {@link pop}, without opening the list where that can be. */
function popDirect(store: Store, model: string[], atFront: boolean): WriteStatus {
  const { directEnds } = store.collections;
  const key = keyOf(store, "k");
  const entry = store.collections.find(0, key);
  if (!directEnds.seek(entry, key.shard, atFront)) return pop(store, model, atFront, false);
  directChanges++;
  const { bytes, end, start } = directEnds;
  const expected = atFront ? model.shift() : model.pop();
  assert.equal(decoder.decode(bytes.slice(start, end)), expected, "what is at the end");
  directEnds.remove(key.shard);
  assert.equal(open(store, "k", LIST).count, model.length, "the count after a pop");
  return WriteStatus.OK;
}

/** Pushes and pops so that the size wanders to `goal` and back to nothing. */
function wander(store: Store, dice: Dice, goal: number, between: (step: number) => void): void {
  const model: string[] = [];
  const elements = new Elements(dice);
  const side = dice.roll(4);
  const end = (): boolean => side < 2 ? side === 0 : dice.roll(2) === 0;
  let isGrowing = true;
  for (let step = 0; isGrowing || model.length > 0; step++) {
    if (model.length >= goal) isGrowing = false;
    const isPush: boolean = model.length === 0 || dice.roll(10) < (isGrowing ? 7 : 2);
    const seq = model.length === 0 ? 0 : seqAt(store);
    // A queue takes from the other end.
    const atFront = isPush || side === 3 ? end() : !end();
    const isDirect = dice.roll(3) > 0;
    let status: WriteStatus;
    if (isPush) status = (isDirect ? pushDirect : push)(store, model, atFront, elements.next());
    else if (isDirect) status = popDirect(store, model, atFront);
    else status = pop(store, model, atFront, dice.roll(2) === 0);
    assert.equal(status, WriteStatus.OK);
    if (model.length > 0) assert.ok(seqAt(store) > seq, "a change has a number of its own");
    if (step % 64 === 0 || (step % 8 === 0 && model.length < 20)) check(store, model);
    between(step);
    if (step > goal * 20) isGrowing = false;
  }
  assert.equal(store.peek(0, keyOf(store, "k")), 0, "the key goes with the last one");
}

function seqAt(store: Store): number {
  return store.collections.seqOf(open(store, "k", LIST, 2));
}

Deno.test("Lists: pushes and pops of single elements give what an array gives, whatever the size", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1 }),
      fc.constantFrom(2, 9, LEAF_RECORDS - 1, LEAF_RECORDS + 2, 150, 400),
      (seed, goal) => {
        const store = oneShard();
        wander(store, new Dice(seed), goal, () => {});
      },
    ),
    { seed: SEED, numRuns: 60 },
  );
  assert.ok(directChanges > 1000, `inconclusive: ${directChanges} without opening the list`);
});

Deno.test("Lists: what is no large list, has a time to live, readers or a hook is not changed without opening it", () => {
  const store = oneShard();
  const { collections } = store;
  const key = keyOf(store, "k");
  const bytes = new TextEncoder().encode("e".repeat(1025));
  const pushes = (byteCount = 16): boolean =>
    collections.directEnds.push(collections.find(0, key), 0, false, bytes, 0, byteCount) > 0;
  const pops = (): boolean => collections.directEnds.seek(collections.find(0, key), 0, false);
  assert.ok(!pushes() && !pops(), "nothing at the key");
  const model = listOf(store, 20);
  assert.ok(!pushes() && !pops(), "a packed list");
  while (model.length < 300) push(store, model, false, "e".repeat(16));
  for (let i = 0; i < 3; i++) assert.equal(pop(store, model, false, false), WriteStatus.OK);
  assert.ok(pops(), "a large list");
  assert.ok(pushes());
  assert.ok(!pushes(1025), "a long element");
  const lease = store.collectionLeases.take(open(store, "k", LIST, 1));
  assert.ok(!pushes() && !pops(), "it is read");
  lease.release();
  assert.ok(pops());
  store.hook = hookWith({ changed: () => {} });
  assert.ok(!pushes() && !pops(), "somebody wants to know of it");
  store.hook = undefined;
  assert.ok(pops());
  assert.equal(store.setExpiry(0, key, store.nowMs + 100_000), WriteStatus.OK);
  assert.ok(!pushes() && !pops(), "it has a time to live");
  store.assertInvariants();
});

Deno.test("Lists: ends of a tree of several levels take and give elements, with the counts right", () => {
  const store = oneShard();
  const dice = new Dice(SEED);
  const model: string[] = [];
  // 119 leaves fill an interior node.
  while (model.length < 30_000) {
    assert.equal(push(store, model, model.length < 15_000, `${model.length}`.padEnd(60)), 0);
  }
  check(store, model);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 4000; i++) assert.equal(pop(store, model, dice.roll(3) > 0, false), 0);
    check(store, model);
    for (let i = 0; i < 1500; i++) {
      assert.equal(push(store, model, dice.roll(2) === 0, `new ${round} ${i}`.padEnd(60)), 0);
    }
    check(store, model);
    const c = open(store, "k", LIST);
    for (let rank = 0; rank < model.length; rank += 997) {
      assert.ok(c.cursor.seekRank(rank));
      assert.equal(decoder.decode(c.cursor.element().toBytes()), model[rank]);
    }
  }
});

Deno.test("Lists: who reads a list sees it as it was, whatever comes and goes at its ends", () => {
  let held = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.constantFrom(60, 300), (seed, goal) => {
      const store = oneShard();
      const dice = new Dice(seed);
      const leases: { lease: CollectionLease; content: string[] }[] = [];
      const end = (): void => {
        const { lease, content } = leases.shift()!;
        assert.deepEqual(readAll(lease.cursor, LIST), content, "as it was");
        lease.release();
      };
      wander(store, dice, goal, () => {
        if (dice.roll(12) === 0) {
          const c = open(store, "k", LIST, 1);
          const content = readAll(c.cursor, LIST);
          leases.push({ lease: store.collectionLeases.take(c), content });
          if (c.root !== 0) held++;
        }
        while (leases.length > 3 || (leases.length > 0 && dice.roll(9) === 0)) end();
      });
      while (leases.length > 0) end();
      store.assertInvariants();
    }),
    { seed: SEED, numRuns: 25 },
  );
  assert.ok(held > 200, `inconclusive: ${held} trees were leased`);
});

Deno.test("Lists: a fork and its original take and give elements at their ends apart", () => {
  let committed = 0;
  let overtaken = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.constantFrom(3, 100, 700), (seed, size) => {
      const store = oneShard();
      const dice = new Dice(seed);
      const elements = new Elements(dice);
      let model: string[] = [];
      while (model.length < size) push(store, model, dice.roll(2) === 0, elements.next());
      for (let round = 0; round < 6; round++) {
        const fork: CollectionFork = store.collectionForks.begin(open(store, "k", LIST))!;
        const forked = [...model];
        const isOvertaken = dice.roll(2) === 0;
        for (let i = 0; i < 30; i++) {
          const status = fork.step((c) => {
            const atFront = dice.roll(2) === 0;
            const element = elements.next();
            const { lists } = store.collections;
            if (dice.roll(3) === 0) {
              if (atFront) forked.shift();
              else forked.pop();
              return lists.removeRanks(c, atFront ? 0 : c.count - 1, 1);
            }
            if (atFront) forked.unshift(element);
            else forked.push(element);
            return lists.push(c, atFront, sourceOf(element), 0, 1);
          });
          assert.equal(status, WriteStatus.OK);
          if (forked.length === 0) break;
          if (isOvertaken && dice.roll(4) === 0) push(store, model, i % 2 === 0, elements.next());
          if (isOvertaken && dice.roll(4) === 0 && model.length > 1) {
            pop(store, model, i % 2 === 0, false);
          }
        }
        if (fork.isCurrent()) {
          assert.equal(fork.commit(), WriteStatus.OK);
          model = forked;
          committed++;
        } else {
          overtaken++;
        }
        while (!fork.giveUp());
        store.garbage.run(1000);
        if (model.length === 0) break;
        check(store, model);
      }
    }),
    { seed: SEED, numRuns: 25 },
  );
  assert.ok(committed > 20 && overtaken > 20, `inconclusive: ${committed}, ${overtaken}`);
});

/** A list of `count` elements of 16 bytes, pushed at its back. */
function listOf(store: Store, count: number): string[] {
  const model: string[] = [];
  for (let i = 0; i < count; i++) assert.equal(push(store, model, false, `${i}`.padEnd(16)), 0);
  return model;
}

/** Sizes at which a list of 17 byte records is about to change its shape, and others. */
const BORDER = Math.floor(LEAF_RECORD_BYTES / 17);
const SIZES = [1, 2, 7, BORDER - 1, BORDER, BORDER + 1, 500];

Deno.test("Lists: a push or pop at an end that gets no memory at any step changes nothing", () => {
  let refused = 0;
  for (const size of SIZES) {
    for (const length of [1, 16, 250, 251, 1024, 5000]) {
      for (
        const [atFront, isPush] of [[true, true], [false, true], [true, false], [false, false]]
      ) {
        for (const isLeased of [false, true]) {
          for (let step = 0; step < 4; step++) {
            const store = oneShard(4 * 2 ** 20);
            const model = listOf(store, size);
            const c = open(store, "k", LIST, 1);
            const lease = isLeased ? store.collectionLeases.take(c) : undefined;
            const seq = seqAt(store);
            store.failAllocationAfter(step);
            const before = [...model];
            const status = isPush
              ? push(store, model, atFront!, "n".repeat(length))
              : pop(store, model, atFront!, false);
            store.failAllocationAfter(-1);
            if (status !== WriteStatus.OK) {
              refused++;
              assert.equal(status, WriteStatus.OUT_OF_MEMORY);
              assert.deepEqual(model, before);
              assert.equal(seqAt(store), seq, "nothing has happened");
            }
            if (model.length > 0) check(store, model);
            lease?.release();
          }
        }
      }
      if (length > 16 && size > 7) break;
    }
  }
  assert.ok(refused > 40, `inconclusive: ${refused} refused`);
});

Deno.test("Lists: an end with room takes and gives elements without asking for memory", () => {
  const store = oneShard();
  const model = listOf(store, 500);
  for (let i = 0; i < 40; i++) push(store, model, true, `front ${i}`.padEnd(16));
  // The last leaf is not full: one of its elements goes, so there is room for one.
  for (const atFront of [true, false, true]) {
    assert.equal(pop(store, model, atFront, false), WriteStatus.OK);
    store.failAllocationAfter(0);
    assert.equal(push(store, model, atFront, "once more".padEnd(16)), WriteStatus.OK);
    assert.equal(pop(store, model, atFront, true), WriteStatus.OK);
    const other = open(store, "other", LIST);
    const asked = store.collections.lists.push(other, false, sourceOf("x"), 0, 1);
    assert.equal(asked, WriteStatus.OUT_OF_MEMORY, "the first who asks gets none");
  }
  check(store, model);
});

Deno.test("Lists: a single leaf with elements of all lengths is right at one end after the other changed", () => {
  const store = oneShard();
  const dice = new Dice(SEED);
  const model: string[] = [];
  const element = (): string => "e".repeat(dice.roll(12)) + dice.roll(1e6);
  for (let i = 0; i < 150; i++) push(store, model, false, element());
  // Of the two leaves only the last one stays, with room in front.
  while (open(store, "k", LIST).cursor.topLevel > 0) pop(store, model, true, false);
  for (let i = 0; i < 4; i++) pop(store, model, true, false);
  const c = open(store, "k", LIST);
  assert.ok(c.root !== 0 && c.count > 40, `inconclusive: ${c.count} elements`);
  for (let round = 0; round < 1500; round++) {
    const changes = 1 + dice.roll(4);
    for (let i = 0; i < changes; i++) {
      const atFront = dice.roll(2) === 0;
      if (dice.roll(2) === 0) push(store, model, atFront, element());
      else pop(store, model, atFront, false);
    }
    for (let i = 0; i < changes; i++) {
      if (model.length > 45) pop(store, model, dice.roll(4) === 0, false);
      else push(store, model, dice.roll(2) === 0, element());
    }
  }
  check(store, model);
});

Deno.test("Lists: what the hook is told of single elements rebuilds the list", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1 }), (seed) => {
      const store = oneShard();
      const dice = new Dice(seed);
      const rebuilt: string[] = [];
      store.hook = hookWith({
        removed: () => void rebuilt.splice(0),
        changed: (_shard, _database, _key, { effect, bytes, start, end, rank, count }) => {
          const text = decoder.decode(bytes.slice(start, end));
          if (effect === ElementEffect.INSERTED_AT) rebuilt.splice(rank, 0, text);
          else if (effect === ElementEffect.SET_AT) rebuilt[rank] = text;
          else rebuilt.splice(rank, count);
        },
      });
      const any = new ListModel();
      for (let i = 0; i < 300; i++) {
        if (dice.roll(2) === 0) {
          assert.equal(any.step(store, open(store, "k", LIST), dice), WriteStatus.OK);
        } else {
          const atFront = dice.roll(2) === 0;
          assert.equal(any.stepAtEnd(store, open(store, "k", LIST), atFront, dice), WriteStatus.OK);
        }
        if (i % 20 === 0) assert.deepEqual(rebuilt, any.content());
      }
      assert.deepEqual(rebuilt, any.content());
    }),
    { seed: SEED, numRuns: 20 },
  );
});
