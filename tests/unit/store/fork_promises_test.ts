/** Forks where memory is short: whatever happens meanwhile, and never more leased than was promised. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Collection } from "../../../src/store/collection/collection.ts";
import type { CollectionFork } from "../../../src/store/collection/collection_fork.ts";
import type { CollectionLease } from "../../../src/store/collection/collection_lease.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { contentOf, Dice, open, sourceOf } from "./collection_helpers.ts";
import { keyOf, pattern, remove, set, smallStore } from "./helpers.ts";

const SEED = 51_203;
const TYPES = [EntryType.LIST, EntryType.HASH, EntryType.SET, EntryType.SORTED_SET] as const;

/** Elements; of a list in their order, else name and value or score. */
type Content = readonly (readonly [string, string])[];

/** A change as the store makes it, and what it makes of the elements; both or neither. */
interface Change {
  apply(store: Store, c: Collection): WriteStatus;
  made(before: Content): Content;
}

/** A key and what should be at it. */
interface Slot {
  readonly name: string;
  readonly type: EntryType;
  content: Content;
  expireAtMs: number;
  fork: CollectionFork | undefined;
  forkContent: Content;
  /** What the fork began with. */
  base: Content;
}

function textsOf(type: EntryType, content: Content): string[] {
  if (type === EntryType.LIST) return content.map(([name]) => name);
  if (type === EntryType.SET) return content.map(([name]) => name).toSorted();
  if (type === EntryType.HASH) return content.map(([name, value]) => `${name}=${value}`).toSorted();
  return sorted(content).map(([name, score]) => `${name}:${score}`);
}

function sorted(content: Content): Content {
  return content.toSorted(([a, x], [b, y]) =>
    Number(x) - Number(y) || (a < b ? -1 : a > b ? 1 : 0)
  );
}

function textMaker(dice: Dice): () => string {
  const kind = dice.roll(5);
  const base = 1 + dice.roll([4, 30, 120, 900, 20][kind]!);
  const names = [30, 400, 5000][dice.roll(3)]!;
  return () => {
    let length = Math.max(1, base + dice.roll(9) - 4);
    if (kind === 3) length = 1 + dice.roll(1100);
    if (kind === 4) length = dice.roll(60) === 0 ? 1025 + dice.roll(90_000) : base;
    return `${dice.roll(names)}`.padEnd(length, ".");
  };
}

function changeOf(type: EntryType, content: Content, dice: Dice): Change {
  const count = 1 + dice.roll([1, 20, 130, 600][dice.roll(4)]!);
  const text = textMaker(dice);
  const texts = Array.from({ length: count }, text);
  const removes = content.length > 0 && dice.roll(3) === 0;
  if (type === EntryType.LIST) return listChange(content, texts, removes, dice);
  if (removes) return removalOf(type, content, texts, dice);
  const values = texts.map(() => type === EntryType.HASH ? text() : `${dice.roll(100)}`);
  return {
    made(before) {
      const map = new Map(before);
      for (const [i, name] of texts.entries()) {
        if (type !== EntryType.SET || !map.has(name)) map.set(name, values[i]!);
      }
      return [...map];
    },
    apply(store, c) {
      const { hashes, sets, sortedSets } = store.collections;
      const source = sourceOf(...texts);
      if (type === EntryType.SET) return sets.addMembers(c, source, 0, count);
      if (type === EntryType.HASH) {
        const pairs = texts.flatMap((name, i) => [name, values[i]!]);
        return hashes.putFields(c, sourceOf(...pairs), 0, count);
      }
      const status = sortedSets.begin(c, count, source);
      if (status !== WriteStatus.OK) return status;
      for (const [i, score] of values.entries()) {
        sortedSets.put(c, source.bytes, source.starts[i]!, source.ends[i]!, Number(score));
      }
      sortedSets.finish(c);
      return status;
    },
  };
}

function listChange(
  content: Content,
  texts: readonly string[],
  removes: boolean,
  dice: Dice,
): Change {
  const pairs = texts.map((text) => [text, ""] as const);
  const kind = dice.roll(4);
  if (removes && kind > 0) {
    // As LREM does: runs from the end, promised together.
    const gap = 2 + dice.roll(9);
    const ranks: number[] = [];
    const most = dice.roll(40);
    for (let rank = content.length - 1; rank >= 0 && ranks.length <= most; rank -= gap) {
      ranks.push(rank);
    }
    return {
      made: (before) => before.filter((_, i) => !ranks.includes(i)),
      apply(store, c) {
        const { collections } = store;
        const pages = collections.pagesFor(c, 2 * ranks.length, 0, 0);
        if (!collections.reserve(pages)) return WriteStatus.OUT_OF_MEMORY;
        for (const rank of ranks) collections.lists.removeRanks(c, rank, 1);
        collections.settle();
        return WriteStatus.OK;
      },
    };
  }
  if (removes) {
    const from = dice.roll(content.length);
    const count = 1 + dice.roll(content.length - from);
    return {
      made: (before) => before.toSpliced(from, count),
      apply: (store, c) => store.collections.lists.removeRanks(c, from, count),
    };
  }
  const source = sourceOf(...texts);
  const [start, end] = [source.starts[0]!, source.ends[0]!];
  if (kind === 0 && content.length > 0) {
    const rank = dice.roll(content.length);
    return {
      made: (before) => before.toSpliced(rank, 1, pairs[0]!),
      apply: (store, c) => store.collections.lists.set(c, rank, source.bytes, start, end),
    };
  }
  if (kind === 1 && content.length > 0) {
    const rank = dice.roll(content.length);
    return {
      made: (before) => before.toSpliced(rank, 0, pairs[0]!),
      apply: (store, c) => store.collections.lists.insert(c, rank, source.bytes, start, end),
    };
  }
  const atFront = dice.roll(2) === 0;
  return {
    made: (before) => atFront ? [...pairs.toReversed(), ...before] : [...before, ...pairs],
    apply: (store, c) => store.collections.lists.push(c, atFront, source, 0, texts.length),
  };
}

function removalOf(
  type: EntryType,
  content: Content,
  texts: readonly string[],
  dice: Dice,
): Change {
  if (type === EntryType.SORTED_SET && dice.roll(3) === 0) {
    const from = dice.roll(content.length);
    const count = 1 + dice.roll(content.length - from);
    return {
      made: (before) => sorted(before).toSpliced(from, count),
      apply: (store, c) => store.collections.sortedSets.removeRanks(c, from, count),
    };
  }
  const isAll = dice.roll(12) === 0;
  const every = 1 + dice.roll(7);
  const there = content.filter((_, i) => isAll || i % every === 0).map(([name]) => name);
  const names = [...there.slice(0, isAll ? Infinity : 300), ...texts.slice(0, 5)];
  const gone = new Set(names);
  return {
    made: (before) => before.filter(([name]) => !gone.has(name)),
    apply(store, c) {
      const { hashes, sortedSets } = store.collections;
      const source = sourceOf(...names);
      if (type !== EntryType.SORTED_SET) return hashes.remove(c, source, 0, names.length);
      const status = sortedSets.beginRemoval(c, names.length);
      if (status !== WriteStatus.OK) return status;
      for (let i = 0; i < names.length; i++) {
        sortedSets.take(c, source.bytes, source.starts[i]!, source.ends[i]!);
      }
      sortedSets.finish(c);
      return status;
    },
  };
}

/** What a run has come to. */
interface Tally {
  commits: number;
  stale: number;
  refused: number;
}

/** A store, what should be in it, and what goes on in it. */
class World {
  readonly store: Store;
  readonly slots: Slot[];
  readonly #dice: Dice;
  readonly #tally: Tally;
  readonly #readers: { lease: CollectionLease; slot: Slot; texts: string[] }[] = [];
  #fillers = 0;

  constructor(dice: Dice, tally: Tally) {
    this.#dice = dice;
    this.#tally = tally;
    this.store = smallStore({
      shardCount: [1, 2][dice.roll(2)]!,
      maxMemoryBytes: (3 + dice.roll(6)) * 2 ** 20,
    });
    this.slots = [...TYPES, ...TYPES].map((type, i) => ({
      name: `key ${i}`,
      type,
      content: [],
      expireAtMs: 0,
      fork: undefined,
      forkContent: [],
      base: [],
    }));
    this.#fill(5 + dice.roll(60));
  }

  /** Fills the store until at most so many pages are free. */
  #fill(pages: number): void {
    while (this.store.stats().pagesFree > pages) {
      const i = this.#fillers;
      if (set(this.store, `filler ${i}`, pattern(60_000 + i % 5, i)) !== WriteStatus.OK) return;
      this.#fillers++;
    }
  }

  step(): void {
    const dice = this.#dice;
    const slot = this.slots[dice.roll(this.slots.length)]!;
    const isForked = slot.fork !== undefined;
    switch (dice.roll(isForked ? 16 : 12)) {
      case 0:
      case 1:
      case 2:
        return this.#change(slot);
      case 3:
        return this.#disturb(slot);
      case 4:
        return this.#read(slot);
      case 5:
        return this.#memory();
      case 6:
      case 7:
        if (isForked) return this.#end(slot);
        return this.#fork(slot);
      case 8:
        if (isForked) return this.#end(slot);
        return this.#change(slot);
      default:
        if (!isForked) return this.#change(slot);
        for (let i = dice.roll(5); i >= 0; i--) this.#changeFork(slot);
    }
  }

  /** Runs something with the lock of a key, which may find an allocation that fails. */
  #locked<Result>(slot: Slot, body: () => Result): Result {
    const { store } = this;
    const { shard } = keyOf(store, slot.name);
    store.locks.lock(shard, true);
    if (this.#dice.roll(10) === 0) store.failAllocationAfter(this.#dice.roll(3));
    const result = body();
    store.failAllocationAfter(-1);
    store.locks.unlock(shard, true);
    return result;
  }

  #isOk(status: WriteStatus): boolean {
    if (status === WriteStatus.OK) return true;
    assert.equal(status, WriteStatus.OUT_OF_MEMORY);
    this.#tally.refused++;
    if (this.#dice.roll(2) === 0) this.#memory();
    return false;
  }

  #change(slot: Slot): void {
    const { store } = this;
    const change = changeOf(slot.type, slot.content, this.#dice);
    const status = this.#locked(slot, () => change.apply(store, open(store, slot.name, slot.type)));
    if (this.#isOk(status)) slot.content = change.made(slot.content);
    if (slot.content.length === 0) slot.expireAtMs = 0;
    this.#check(slot);
  }

  #fork(slot: Slot): void {
    const { store } = this;
    slot.fork = this.#locked(
      slot,
      () => store.collectionForks.begin(open(store, slot.name, slot.type)),
    );
    slot.base = slot.forkContent = slot.content;
    if (slot.fork === undefined) this.#tally.refused++;
  }

  #changeFork(slot: Slot): void {
    const { store } = this;
    const fork = slot.fork!;
    const change = changeOf(slot.type, slot.forkContent, this.#dice);
    const status = this.#locked(slot, () => fork.step((c) => change.apply(store, c)));
    if (this.#isOk(status)) slot.forkContent = change.made(slot.forkContent);
    assert.equal(fork.c.count, slot.forkContent.length);
    this.#check(slot);
  }

  /** Commits a fork if it can be, and gives up what is left. */
  #end(slot: Slot): void {
    const { store } = this;
    const fork = slot.fork!;
    const wants = this.#dice.roll(4) > 0;
    const isCurrent = this.#locked(slot, () => fork.isCurrent());
    if (isCurrent) assert.deepEqual(slot.content, slot.base, "it is what the fork began with");
    else this.#tally.stale++;
    if (isCurrent && wants && this.#isOk(this.#locked(slot, () => fork.commit()))) {
      slot.content = slot.forkContent;
      if (slot.content.length === 0) slot.expireAtMs = 0;
      this.#tally.commits++;
    }
    for (let isDone = false; !isDone;) {
      isDone = this.#locked(slot, () => fork.giveUp());
      if (!isDone && this.#dice.roll(2) === 0) store.compact();
    }
    slot.fork = undefined;
    this.#check(slot);
  }

  /** Something happens to a key. */
  #disturb(slot: Slot): void {
    const { store } = this;
    const key = keyOf(store, slot.name);
    const deed = this.#dice.roll(5);
    if (deed === 0) {
      remove(store, slot.name);
      slot.content = [];
      slot.expireAtMs = 0;
    } else if (deed === 1 && slot.content.length > 0) {
      const expireAtMs = store.nowMs + 5;
      const status = this.#locked(slot, () => store.setExpiry(0, key, expireAtMs));
      if (this.#isOk(status)) slot.expireAtMs = expireAtMs;
    } else if (deed === 2) {
      store.nowMs += 2;
      for (const each of this.slots) {
        if (each.expireAtMs === 0 || each.expireAtMs > store.nowMs) continue;
        each.expireAtMs = 0;
        each.content = [];
      }
    } else if (deed > 2) {
      this.#transfer(slot, deed === 3);
    }
    this.#check(slot);
  }

  /** `RENAME` or `COPY` to the other key of the type. */
  #transfer(slot: Slot, isRename: boolean): void {
    const { store } = this;
    const target = this.slots.find((each) => each.type === slot.type && each !== slot)!;
    if (slot.content.length === 0) return;
    const from = { database: 0, key: keyOf(store, slot.name) };
    const to = { database: 0, key: keyOf(store, target.name) };
    for (let shard = 0; shard < store.shardCount; shard++) store.locks.lock(shard, true);
    const status = store.keyspace.transfer(from, to, isRename);
    for (let shard = 0; shard < store.shardCount; shard++) store.locks.unlock(shard, true);
    if (!this.#isOk(status)) return;
    target.content = slot.content;
    target.expireAtMs = slot.expireAtMs;
    if (isRename) {
      slot.content = [];
      slot.expireAtMs = 0;
    }
    this.#check(target);
  }

  /** Somebody begins or ends to read. */
  #read(slot: Slot): void {
    const { store } = this;
    const reader = this.#readers.length > 0 && this.#dice.roll(2) === 0
      ? this.#readers.splice(this.#dice.roll(this.#readers.length), 1)[0]
      : undefined;
    if (reader === undefined) {
      const lease = this.#locked(
        slot,
        () => store.collectionLeases.take(open(store, slot.name, slot.type)),
      );
      this.#readers.push({ lease, slot, texts: textsOf(slot.type, slot.content) });
      return;
    }
    assert.deepEqual(contentOf(reader.lease.cursor, reader.slot.type), reader.texts, "a reader");
    reader.lease.release();
  }

  /** There is more memory, or less. */
  #memory(): void {
    const { store } = this;
    const deed = this.#dice.roll(6);
    if (deed === 0) this.#fill(this.#dice.roll(20));
    else if (deed === 1) store.compact();
    else if (deed === 2) store.reclaim();
    else if (deed === 3) store.garbage.run(1);
    else if (this.#fillers > 0) {
      for (let i = this.#dice.roll(8); i >= 0 && this.#fillers > 0; i--) {
        remove(store, `filler ${--this.#fillers}`);
      }
    }
  }

  #check(slot: Slot): void {
    const { store } = this;
    if (this.#dice.roll(4) === 0) {
      const c = open(store, slot.name, slot.type, 5);
      assert.deepEqual(contentOf(c.cursor, slot.type), textsOf(slot.type, slot.content), slot.name);
    }
    // A fork shares nodes with its original, which is not what the check expects.
    if (this.slots.every(({ fork }) => fork === undefined)) store.assertInvariants();
  }

  /** Ends all that goes on, and looks at everything. */
  async end(): Promise<void> {
    const { store } = this;
    for (const slot of this.slots) if (slot.fork !== undefined) this.#end(slot);
    for (const { lease, slot, texts } of this.#readers) {
      assert.deepEqual(contentOf(lease.cursor, slot.type), texts, "a reader");
      lease.release();
    }
    await Promise.resolve();
    while (store.garbage.run(10));
    for (const slot of this.slots) {
      const c = open(store, slot.name, slot.type, 5);
      assert.deepEqual(contentOf(c.cursor, slot.type), textsOf(slot.type, slot.content), slot.name);
      remove(store, slot.name);
    }
    for (let i = 0; i < this.#fillers; i++) remove(store, `filler ${i}`);
    while (store.garbage.run(10));
    store.assertInvariants();
    assert.equal(store.stats().leases, 0);
  }
}

Deno.test("CollectionFork: where memory is short, whatever else happens, others are as they should be", async () => {
  const tally: Tally = { commits: 0, stale: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const world = new World(new Dice(seed), tally);
      for (let step = 0; step < 120; step++) world.step();
      await world.end();
    }),
    { seed: SEED, numRuns: 8, endOnFailure: true },
  );
  assert.ok(tally.commits > 15 && tally.stale > 15 && tally.refused > 50, JSON.stringify(tally));
});

Deno.test("CollectionFork: heavy records of the original and of the fork are not forgotten", () => {
  const heavy = Array.from({ length: 40 }, (_, i) => `${i} `.padEnd(700, "."));
  const light = Array.from({ length: 400 }, (_, i) => `light ${i}`);
  for (const [first, second] of [[heavy, light], [light, heavy]] as const) {
    const store = smallStore();
    const { lists } = store.collections;
    lists.push(open(store, "k", EntryType.LIST), false, sourceOf(...first), 0, first.length);
    store.assertInvariants();
    const fork = store.collectionForks.begin(open(store, "k", EntryType.LIST))!;
    fork.step((c) => lists.push(c, false, sourceOf(...second), 0, second.length));
    assert.equal(fork.commit(), WriteStatus.OK);
    while (!fork.giveUp());
    store.assertInvariants();
    assert.equal(open(store, "k", EntryType.LIST).count, 440);
  }
});
