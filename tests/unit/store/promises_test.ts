/** What writes of collections promise themselves: never too little, and not much more than needed. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { CollectionLease } from "../../../src/store/collection/collection_lease.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Dice, open, sourceOf } from "./collection_helpers.ts";
import { getBytes, keyOf, pattern, remove, set, smallStore } from "./helpers.ts";
import { effort } from "../../helpers/effort.ts";

const SEED = 40_617;
const PAGE_BYTES = 65_536;
const TYPES = [EntryType.LIST, EntryType.HASH, EntryType.SET, EntryType.SORTED_SET] as const;

/** Lengths of elements: alike, mixed, or with a few that are long. */
function lengths(dice: Dice): () => number {
  const kind = dice.roll(5);
  const base = 1 + dice.roll([4, 30, 120, 900, 20][kind]!);
  return () => {
    if (kind === 4) return dice.roll(200) === 0 ? 1025 + dice.roll(90_000) : base;
    return kind === 3 ? 1 + dice.roll(1100) : Math.max(1, base + dice.roll(9) - 4);
  };
}

/** One command with many elements; names repeat now and then, within it and among commands. */
function write(
  store: Store,
  name: string,
  type: EntryType,
  dice: Dice,
  names: number,
): WriteStatus {
  const c = open(store, name, type);
  const { hashes, lists, sets, sortedSets } = store.collections;
  const count = 1 + dice.roll([1, 20, 300, 3000][dice.roll(4)]!);
  const length = lengths(dice);
  const isAscending = dice.roll(3) === 0;
  const text = (): string => `${dice.roll(names)}`.padEnd(length(), ".");
  const first = dice.roll(1000);
  const elements = Array.from({ length: count }, text);
  const source = sourceOf(...elements);
  if (type === EntryType.LIST) {
    if (dice.roll(3) > 0 || c.count === 0) {
      return lists.push(c, dice.roll(2) === 0, source, 0, count);
    }
    const [start, end] = [source.starts[0]!, source.ends[0]!];
    const rank = dice.roll(c.count);
    return dice.roll(2) === 0
      ? lists.insert(c, rank, source.bytes, start, end)
      : lists.set(c, rank, source.bytes, start, end);
  }
  if (type === EntryType.SET) return sets.addMembers(c, source, 0, count);
  if (type === EntryType.HASH) {
    return hashes.putFields(c, sourceOf(...elements.flatMap((each) => [each, text()])), 0, count);
  }
  const status = sortedSets.begin(c, count, source);
  if (status !== WriteStatus.OK) return status;
  for (let i = 0; i < count; i++) {
    const score = isAscending ? first + i : dice.roll(100);
    sortedSets.put(c, source.bytes, source.starts[i]!, source.ends[i]!, score);
  }
  sortedSets.finish(c);
  return status;
}

/** Fills a store so that at most `pages` pages are free. */
function fillUp(store: Store, pages: number, dice: Dice): void {
  for (let i = 0; store.stats().pagesFree > pages; i++) {
    if (set(store, `filler ${i}`, pattern(60_000 + dice.roll(5), i)) !== WriteStatus.OK) return;
  }
}

for (const type of TYPES) {
  Deno.test(`Collections: whatever is written, no more is leased than was promised (type ${type})`, () => {
    let written = 0;
    let refused = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1 }), (seed) => {
        const dice = new Dice(seed);
        const maxMemoryBytes = (4 + dice.roll(20)) * 2 ** 20;
        const store = smallStore({ shardCount: 2, maxMemoryBytes });
        const names = [100, 3000, 100_000][dice.roll(3)]!;
        fillUp(store, 5 + dice.roll(maxMemoryBytes / PAGE_BYTES), dice);
        for (let step = 0; step < 25; step++) {
          const name = `key ${dice.roll(3)}`;
          const { shard } = keyOf(store, name);
          store.locks.lock(shard, true);
          let lease: CollectionLease | undefined;
          if (dice.roll(4) === 0) lease = store.collectionLeases.take(open(store, name, type));
          const status = write(store, name, type, dice, names);
          store.locks.unlock(shard, true);
          if (status === WriteStatus.OK) written++;
          else refused++;
          lease?.release();
          if (status !== WriteStatus.OK) remove(store, dice.roll(2) === 0 ? name : "filler 1");
          if (step % 6 === 0) store.assertInvariants();
        }
        store.assertInvariants();
      }),
      { seed: SEED, numRuns: effort(10, 12) },
    );
    assert.ok(
      written > 100 && refused > 10,
      `inconclusive: ${written} written, ${refused} refused`,
    );
  });
}

/** A write succeeds when there are `spare` free pages more than it leases where there is room. */
function checkRoom(type: EntryType, setUp: string[], elements: string[], spare: number): void {
  const source = sourceOf(...elements);
  const attempt = (pages: number): { status: WriteStatus; used: number } => {
    const store = smallStore({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
    const { shard } = keyOf(store, "key");
    const run = (from: ReturnType<typeof sourceOf>): WriteStatus => {
      store.locks.lock(shard, true);
      const c = open(store, "key", type);
      const { hashes, lists, sets, sortedSets } = store.collections;
      const count = from.starts.length;
      let status: WriteStatus;
      if (type === EntryType.LIST) status = lists.push(c, false, from, 0, count);
      else if (type === EntryType.SET) status = sets.addMembers(c, from, 0, count);
      else if (type === EntryType.HASH) status = hashes.putFields(c, from, 0, count / 2);
      else {
        status = sortedSets.begin(c, count, from);
        if (status === WriteStatus.OK) {
          for (let i = 0; i < count; i++) {
            sortedSets.put(c, from.bytes, from.starts[i]!, from.ends[i]!, i % 17);
          }
          sortedSets.finish(c);
        }
      }
      store.locks.unlock(shard, true);
      return status;
    };
    if (setUp.length > 0) assert.equal(run(sourceOf(...setUp)), WriteStatus.OK);
    fillUp(store, pages, new Dice(1));
    const before = store.stats().pagesFree;
    const status = run(source);
    const used = before - store.stats().pagesFree;
    store.assertInvariants();
    return { status, used };
  };
  const { status, used } = attempt(Infinity);
  assert.equal(status, WriteStatus.OK, "an empty store has room");
  const statusWhenFull = attempt(used + spare).status;
  assert.equal(statusWhenFull, WriteStatus.OK, `${used} pages are used, ${used + spare} are free`);
}

const many = (count: number, length: number, prefix = ""): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${(i * 7919) % count} `.padEnd(length, "."));

const ofAllSizes = (each: string, i: number): string => each.padEnd(3 + (i * 37) % 1000, ".");

for (
  const [what, type, setUp, elements, spare] of [
    ["2,000 short members of a new sorted set", EntryType.SORTED_SET, [], many(2000, 8), 24],
    ["2,000 members of 40 bytes", EntryType.SORTED_SET, [], many(2000, 40), 24],
    ["999 short and one large element", EntryType.LIST, [], [
      ...many(999, 5),
      "x".repeat(500_000),
    ], 12],
    ["1,000 elements of 1 KiB of a new list", EntryType.LIST, [], many(1000, 1024), 24],
    [
      "1,000 elements of 1 KiB of a large list",
      EntryType.LIST,
      many(200, 1024),
      many(1000, 1024),
      36,
    ],
    ["1,000 elements of all sizes", EntryType.LIST, [], many(1000, 3).map(ofAllSizes), 36],
    ["one member of a large set", EntryType.SET, many(50_000, 20), ["new"], 3],
    ["1,000 members of a large set", EntryType.SET, many(50_000, 20), many(1000, 20, "new "), 40],
    [
      "1,000 members of a large sorted set",
      EntryType.SORTED_SET,
      many(20_000, 20),
      many(1000, 20),
      70,
    ],
    [
      "500 fields with values of all sizes",
      EntryType.HASH,
      [],
      many(1000, 3).map(ofAllSizes),
      45,
    ],
  ] as [string, EntryType, string[], string[], number][]
) {
  Deno.test(`Collections: ${what} are refused only where there is hardly room`, () => {
    checkRoom(type, setUp, elements, spare);
  });
}

Deno.test("Store: what finds no page takes a larger block that is free rather than be refused", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 2 * 2 ** 20 });
  let count = 0;
  while (set(store, `key ${count}`, pattern(400, count)) === WriteStatus.OK) count++;
  for (let i = 0; i < 4; i++) remove(store, `key ${i * 500}`);
  assert.equal(store.stats().pagesFree, 0, "inconclusive: a page is free");
  assert.equal(set(store, "smaller", pattern(300, 1)), WriteStatus.OK);
  assert.deepEqual(getBytes(store, "smaller"), pattern(300, 1));
  assert.equal(set(store, "much smaller", pattern(20, 1)), WriteStatus.OUT_OF_MEMORY);
  for (const type of [EntryType.SET, EntryType.LIST]) {
    store.locks.lock(0, true);
    const { lists, sets } = store.collections;
    const c = open(store, `type ${type}`, type);
    const source = sourceOf("x".repeat(300), "y");
    const status = type === EntryType.SET
      ? sets.addMembers(c, source, 0, 2)
      : lists.push(c, true, source, 0, 2);
    assert.equal(status, WriteStatus.OK);
    assert.equal(c.count, 2);
    store.locks.unlock(0, true);
    store.assertInvariants();
  }
  assert.equal(set(store, "smaller", pattern(380, 2)), WriteStatus.OK, "it has the room");
  assert.equal(set(store, "last", pattern(310, 3)), WriteStatus.OK);
  assert.equal(set(store, "one more", pattern(310, 4)), WriteStatus.OUT_OF_MEMORY);
  store.assertInvariants();
});

/** Moves an element from one list or set to another, or takes some from both ends: all of it or nothing. */
function moveSome(store: Store, type: EntryType, dice: Dice, names: number): WriteStatus {
  const { collections } = store;
  const { lists, sets } = collections;
  const from = open(store, `key ${dice.roll(names)}`, type, 0);
  const to = open(store, `key ${dice.roll(names)}`, type, 1);
  const isSame = from.key.hash === to.key.hash && from.key.hashHigh === to.key.hashHigh;
  if (from.count === 0) return WriteStatus.OK;
  if (type === EntryType.LIST && dice.roll(3) === 0) {
    const cut = dice.roll(from.count);
    const kept = 1 + dice.roll(from.count - cut);
    if (!collections.reserve(collections.pagesFor(from, 4, 0, 0))) return WriteStatus.OUT_OF_MEMORY;
    lists.removeRanks(from, cut + kept, from.count - cut - kept);
    lists.removeRanks(from, 0, cut);
    collections.settle();
    return WriteStatus.OK;
  }
  if (isSame && type === EntryType.SET) return WriteStatus.OK;
  const atFront = dice.roll(2) === 0;
  if (atFront) from.cursor.seekFirst();
  else from.cursor.seekLast();
  const bytes = from.cursor.element().toBytes();
  const source = { bytes, starts: new Int32Array([0]), ends: new Int32Array([bytes.length]) };
  const pages = isSame
    ? collections.pagesFor(from, 3, bytes.length, 1)
    : collections.pagesFor(from, 2, 0, 0) + collections.pagesFor(to, 1, bytes.length, 1);
  if (!collections.reserve(pages)) return WriteStatus.OUT_OF_MEMORY;
  if (type === EntryType.SET) {
    assert.equal(sets.addMember(to, bytes, 0, bytes.length), WriteStatus.OK);
    assert.equal(sets.removeOne(from, bytes, 0, bytes.length), WriteStatus.OK);
  } else {
    const target = isSame ? from : to;
    assert.equal(lists.push(target, !atFront, source, 0, 1), WriteStatus.OK);
    const rank = atFront ? 0 : from.count - 1;
    assert.equal(lists.removeRanks(from, rank, 1), WriteStatus.OK);
  }
  collections.settle();
  return WriteStatus.OK;
}

for (const type of [EntryType.LIST, EntryType.SET] as const) {
  Deno.test(`Collections: what moves between two, or goes from both ends, leases what was promised (type ${type})`, () => {
    let moved = 0;
    let refused = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1 }), (seed) => {
        const dice = new Dice(seed);
        const store = smallStore({ shardCount: 1, maxMemoryBytes: (2 + dice.roll(6)) * 2 ** 20 });
        const leases: CollectionLease[] = [];
        fillUp(store, 12 + dice.roll(40), dice);
        for (let step = 0; step < 150; step++) {
          const kind = dice.roll(12);
          const name = `key ${dice.roll(6)}`;
          if (kind < 2) write(store, name, type, dice, 3000);
          else if (kind === 2) leases.push(store.collectionLeases.take(open(store, name, type)));
          else if (kind === 3) leases.pop()?.release();
          else if (moveSome(store, type, dice, 6) === WriteStatus.OK) moved++;
          else refused++;
          if (kind === 4 && dice.roll(3) === 0) store.remove(0, keyOf(store, name));
          if (step % 10 === 0) store.assertInvariants();
        }
        for (const lease of leases) lease.release();
        store.assertInvariants();
      }),
      { seed: SEED, numRuns: effort(16, 24) },
    );
    assert.ok(moved > 100 && refused > 5, `inconclusive: ${moved} moved, ${refused} refused`);
  });
}
