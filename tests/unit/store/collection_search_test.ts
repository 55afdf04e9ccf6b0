/** The search in large hashes, sets and sorted sets against plain arrays, where orders are unkind. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Collection } from "../../../src/store/collection/collection.ts";
import { Node, NodeFlag } from "../../../src/store/collection/node.ts";
import { encodedPartBytes, RecordKind } from "../../../src/store/collection/records.ts";
import {
  childOfHash,
  childOfScore,
  guess,
  HASH_END,
  recordOfHash,
  recordOfScore,
} from "../../../src/store/collection/search.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Dice, open, readAll, sourceOf, textAt } from "./collection_helpers.ts";
import { smallStore } from "./helpers.ts";

const SEED = 7340;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

function oneShard(): Store {
  return smallStore({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
}

function locked(store: Store, body: () => void): void {
  store.locks.lock(0, true);
  body();
  store.locks.unlock(0, true);
  store.assertInvariants();
}

/** Hashes in order: random, few different ones, at the ends, or all in one corner. */
const hashes = fc.oneof(
  fc.array(fc.integer({ min: 0, max: HASH_END - 1 }), { minLength: 1, maxLength: 130 }),
  fc.array(fc.integer({ min: 5, max: 8 }), { minLength: 1, maxLength: 130 }),
  fc.array(fc.constantFrom(0, 1, HASH_END - 2, HASH_END - 1), { minLength: 1, maxLength: 20 }),
  fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 130 }),
).map((list) => list.toSorted((a, b) => a - b));

function countBelow(list: readonly number[], limit: number): number {
  return list.filter((one) => one < limit).length;
}

Deno.test("recordOfHash: is the first record with at least a hash, whatever the bounds say", () => {
  fc.assert(
    fc.property(
      hashes,
      fc.integer({ min: 5, max: 40 }),
      fc.integer({ min: 0, max: HASH_END - 1 }),
      fc.boolean(),
      fc.boolean(),
      (list, stride, other, isThere, isTight) => {
        const view = new DataView(new SharedArrayBuffer(3 + stride * list.length));
        for (const [i, hash] of list.entries()) view.setUint32(3 + i * stride, hash, true);
        const wanted = isThere ? list[other % list.length]! : other;
        const low = isTight ? list[0]! : 0;
        const high = isTight ? list.at(-1)! : HASH_END;
        const found = recordOfHash(
          view,
          3,
          stride,
          list.length,
          wanted,
          guess(wanted, low, high, list.length),
        );
        assert.equal(found, countBelow(list, wanted));
      },
    ),
    { seed: SEED, numRuns: 3000 },
  );
});

Deno.test("childOfHash: is the last child that begins before a hash, or the first one", () => {
  fc.assert(
    fc.property(
      hashes,
      fc.integer({ min: 0, max: HASH_END - 1 }),
      fc.boolean(),
      fc.boolean(),
      (list, other, isThere, isTight) => {
        // The separator of child 0 means nothing.
        const separators = Float64Array.from(list.flatMap((hash) => [NaN, hash]));
        separators[1] = Infinity;
        const wanted = isThere ? list[other % list.length]! : other;
        const low = isTight ? list[0]! : 0;
        const high = isTight ? list.at(-1)! : HASH_END;
        const found = childOfHash(separators, 1, list.length - 1, wanted, low, high);
        assert.equal(found, countBelow(list.slice(1), wanted));
      },
    ),
    { seed: SEED, numRuns: 3000 },
  );
});

Deno.test("recordOfScore: is the first record with at least a score, whatever the bounds say", () => {
  const score = fc.oneof(
    fc.double({ noNaN: true }),
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom(-Infinity, Infinity, Number.MIN_VALUE, -Number.MAX_VALUE),
  );
  fc.assert(
    fc.property(
      fc.array(score, { minLength: 1, maxLength: 130 }),
      fc.integer({ min: 9, max: 40 }),
      score,
      fc.boolean(),
      (unsorted, stride, wanted, isTight) => {
        const list = unsorted.toSorted((a, b) => a - b);
        const low = isTight ? list[0]! : -Infinity;
        const high = isTight ? list.at(-1)! : Infinity;
        const view = new DataView(new SharedArrayBuffer(1 + stride * list.length));
        for (const [i, one] of list.entries()) view.setFloat64(1 + i * stride, one, true);
        const found = recordOfScore(
          view,
          1,
          stride,
          list.length,
          wanted,
          guess(wanted, low, high, list.length),
        );
        assert.equal(found, countBelow(list, wanted));
      },
    ),
    { seed: SEED, numRuns: 3000 },
  );
});

Deno.test("childOfScore: is the last child that begins before a score, or the first one", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.integer({ min: -30, max: 30 }),
          fc.double({ noNaN: true }),
          fc.constantFrom(-Infinity, Infinity, 1e300),
        ),
        { minLength: 1, maxLength: 130 },
      ),
      fc.oneof(fc.integer({ min: -31, max: 31 }), fc.double({ noNaN: true })),
      fc.nat(),
      fc.boolean(),
      (unsorted, other, index, isThere) => {
        const list = unsorted.toSorted((a, b) => a - b);
        // The separator of child 0 means nothing.
        const separators = Float64Array.from(list.flatMap((score) => [NaN, score]));
        separators[1] = Infinity;
        const wanted = isThere ? list[index % list.length]! : other;
        const found = childOfScore(separators, 1, list.length - 1, wanted);
        assert.equal(found, countBelow(list.slice(1), wanted));
      },
    ),
    { seed: SEED, numRuns: 3000 },
  );
});

interface Pair {
  order: number;
  text: string;
}

function compare(a: Pair, b: Pair): number {
  if (a.order !== b.order) return a.order - b.order;
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}

/** Puts a member into a large set where `order`, which need not be its hash, says. */
function putAt(store: Store, c: Collection, { order, text }: Pair): void {
  const { collections } = store;
  const bytes = encoder.encode(text);
  collections.startComing(c).add(bytes.length);
  assert.equal(collections.begin(c, 0), WriteStatus.OK);
  collections.makeRoom(c, 4 + encodedPartBytes(bytes.length), bytes.length);
  assert.ok(!c.cursor.seekOrder(order, bytes, 0, bytes.length), `${text} is not there yet`);
  collections.record.begin(RecordKind.SET, order);
  collections.addPart(c, bytes, 0, bytes.length);
  collections.splice(c, 0, collections.record);
  collections.finish(c);
}

/** Text of a length that is always the same, one of two, or any. */
const lengths: Record<string, (dice: Dice) => string> = {
  "of one length": (dice) => String(dice.roll(1e6)).padStart(8, "0"),
  "of two lengths": (dice) => String(dice.roll(1e6)).padStart(8 + 3 * dice.roll(2), "0"),
  "of any length": (dice) => "x".repeat(dice.roll(dice.roll(9) === 0 ? 900 : 30)) + dice.roll(1e6),
};

for (const [name, textOf] of Object.entries(lengths)) {
  Deno.test(`RecordCursor: finds members ${name}, with 3 hashes or all different ones`, () => {
    for (const different of [3, 40, HASH_END]) {
      const store = oneShard();
      const dice = new Dice(SEED + different);
      const key = "set";
      const pairs = new Map<string, Pair>();
      locked(store, () => {
        // Enough for a tree, with their own hashes.
        const own = Array.from({ length: 150 }, (_, i) => `own ${i} ${"y".repeat(i % 3)}`);
        store.collections.sets.addMembers(
          open(store, key, EntryType.SET),
          sourceOf(...own),
          0,
          150,
        );
        for (const text of own) {
          const bytes = encoder.encode(text);
          const order = store.collections.hashOf(bytes, 0, bytes.length);
          pairs.set(text, { order, text });
        }
        for (let i = 0; i < 1500; i++) {
          const pair = { order: dice.roll(different), text: textOf(dice) };
          if (pairs.has(pair.text)) continue;
          pairs.set(pair.text, pair);
          putAt(store, open(store, key, EntryType.SET), pair);
        }
      });
      const expected = [...pairs.values()].toSorted(compare);
      locked(store, () => {
        const c = open(store, key, EntryType.SET);
        assert.deepEqual(readAll(c.cursor, EntryType.SET), expected.map(({ text }) => text));
        for (const [rank, { order, text }] of expected.entries()) {
          const bytes = encoder.encode(text);
          assert.ok(c.cursor.seekOrder(order, bytes, 0, bytes.length), `${text} is found`);
          assert.equal(textAt(c.cursor), text);
          assert.equal(c.cursor.rank(), rank, `the rank of ${text}`);
          assert.ok(!c.cursor.seekAtLeast(order, encoder.encode(`${text}!`), 0, bytes.length + 1));
          assert.equal(c.cursor.isValid ? c.cursor.rank() : expected.length, rank + 1);
          assert.ok(c.cursor.seekRank(rank));
          assert.equal(textAt(c.cursor), text);
        }
        for (let i = 0; i < 300; i++) {
          const order = i < 50 ? i - 5 : dice.roll(different);
          const first = expected.findIndex((pair) => pair.order >= order);
          c.cursor.seekAtLeast(order, EMPTY, 0, 0);
          assert.equal(c.cursor.isValid ? c.cursor.rank() : -1, first, `at least ${order}`);
          const behind = expected.findIndex((pair) => pair.order > order);
          assert.equal(c.cursor.seekBehind(order), behind >= 0);
          assert.equal(c.cursor.isValid ? c.cursor.rank() : -1, behind, `more than ${order}`);
        }
      });
    }
  });
}

Deno.test("Hashes: two fields with the same hash are two fields", () => {
  const store = oneShard();
  const { hashes, sets } = store.collections;
  const byHash = new Map<number, string>();
  const pairs: [string, string][] = [];
  for (let i = 0; pairs.length < 12; i++) {
    const text = `f${i}`;
    const bytes = encoder.encode(text);
    const hash = store.collections.hashOf(bytes, 0, bytes.length);
    const other = byHash.get(hash);
    if (other === undefined) byHash.set(hash, text);
    else pairs.push([other, text]);
  }
  const others = Array.from({ length: 400 }, (_, i) => `o${i}`);
  locked(store, () => {
    sets.addMembers(open(store, "s", EntryType.SET), sourceOf(...others), 0, others.length);
    const fields = others.flatMap((text) => [text, "0"]);
    hashes.putFields(open(store, "h", EntryType.HASH), sourceOf(...fields), 0, others.length);
    for (const pair of pairs) {
      for (const [i, text] of pair.entries()) {
        sets.addMembers(open(store, "s", EntryType.SET), sourceOf(text), 0, 1);
        const c = open(store, "h", EntryType.HASH);
        hashes.putFields(c, sourceOf(text, `${text}=${i}`), 0, 1);
        assert.equal(c.changed, 1, `${text} is new`);
      }
    }
  });
  locked(store, () => {
    for (const [first, second] of pairs) {
      for (const text of [second, first]) {
        const c = open(store, "h", EntryType.HASH);
        const bytes = encoder.encode(text);
        assert.ok(hashes.find(c, bytes, 0, bytes.length));
        assert.equal(textAt(c.cursor), text);
      }
      const c = open(store, "s", EntryType.SET);
      assert.equal(sets.remove(c, sourceOf(first), 0, 1), WriteStatus.OK);
      assert.equal(c.changed, 1);
      const bytes = encoder.encode(first);
      assert.ok(!sets.find(c, bytes, 0, bytes.length), `${first} is gone`);
      const stays = encoder.encode(second);
      assert.ok(sets.find(c, stays, 0, stays.length), `${second} is there`);
    }
  });
});

Deno.test("SortedSets: with many equal scores, and scores that change, ranks are those of an array", () => {
  for (const scores of [1, 4, 5000]) {
    const store = oneShard();
    const dice = new Dice(SEED + scores);
    const { sortedSets } = store.collections;
    const model = new Map<string, number>();
    for (let round = 0; round < 4; round++) {
      locked(store, () => {
        for (let i = 0; i < 1500; i++) {
          const text = `m${dice.roll(900)}${dice.roll(9) === 0 ? "long".repeat(300) : ""}`;
          const bytes = encoder.encode(text);
          const c = open(store, "z", EntryType.SORTED_SET);
          if (dice.roll(4) === 0) {
            assert.equal(sortedSets.remove(c, bytes, 0, bytes.length), WriteStatus.OK);
            assert.equal(c.changed, model.delete(text) ? 1 : 0);
            continue;
          }
          const score = dice.roll(scores) / 4;
          assert.equal(sortedSets.beginOne(c, bytes.length), WriteStatus.OK);
          const isNew = sortedSets.put(c, bytes, 0, bytes.length, score);
          assert.equal(isNew, !model.has(text), `${text} is new`);
          sortedSets.finish(c);
          model.set(text, score);
        }
      });
      const sorted = [...model].map(([text, order]) => ({ order, text })).toSorted(compare);
      locked(store, () => {
        const c = open(store, "z", EntryType.SORTED_SET);
        assert.equal(c.count, sorted.length);
        for (const [rank, { order, text }] of sorted.entries()) {
          const bytes = encoder.encode(text);
          assert.equal(sortedSets.rankOf(c, bytes, 0, bytes.length), rank, `the rank of ${text}`);
          assert.equal(sortedSets.score, order);
        }
      });
    }
  }
});

Deno.test("Collections: a reader sees the scores and values of its moment, whatever is overwritten", () => {
  const store = oneShard();
  const { hashes, sortedSets } = store.collections;
  const names = Array.from({ length: 300 }, (_, i) => `m${String(i).padStart(4, "0")}`);
  const fill = (score: number): void => {
    for (const name of names) {
      const bytes = encoder.encode(name);
      const z = open(store, "z", EntryType.SORTED_SET);
      assert.equal(sortedSets.beginOne(z, bytes.length), WriteStatus.OK);
      sortedSets.put(z, bytes, 0, bytes.length, score);
      sortedSets.finish(z);
      const h = open(store, "h", EntryType.HASH);
      assert.equal(hashes.putFields(h, sourceOf(name, `v${score}`), 0, 1), WriteStatus.OK);
    }
  };
  const membersOf = (score: number): string[] => names.map((name) => `${name}:${score}`);
  const fieldsOf = (score: number): string[] => names.map((name) => `${name}=v${score}`);
  locked(store, () => fill(1));
  for (const score of [2, 3, 4]) {
    store.locks.lock(0, true);
    const byScore = store.collectionLeases.take(open(store, "z", EntryType.SORTED_SET));
    const byHash = store.collectionLeases.takeMembers(open(store, "z", EntryType.SORTED_SET));
    const values = store.collectionLeases.take(open(store, "h", EntryType.HASH));
    store.locks.unlock(0, true);
    locked(store, () => fill(score));
    assert.deepEqual(readAll(byScore.cursor, EntryType.SORTED_SET), membersOf(score - 1));
    const members = readAll(byHash.cursor, EntryType.SORTED_SET).toSorted();
    assert.deepEqual(members, membersOf(score - 1));
    assert.deepEqual(readAll(values.cursor, EntryType.HASH).toSorted(), fieldsOf(score - 1));
    for (const lease of [byScore, byHash, values]) lease.release();
    locked(store, () => {
      const z = open(store, "z", EntryType.SORTED_SET);
      assert.deepEqual(readAll(z.cursor, EntryType.SORTED_SET), membersOf(score));
      const h = open(store, "h", EntryType.HASH);
      assert.deepEqual(readAll(h.cursor, EntryType.HASH).toSorted(), fieldsOf(score));
    });
  }
});

Deno.test("Hashes: a value that is overwritten with one as long is a change like any other", () => {
  for (const fields of [3, 300]) {
    const store = oneShard();
    const { collections } = store;
    const names = Array.from({ length: fields }, (_, i) => `f${i}`);
    locked(store, () => {
      for (const name of names) {
        const c = open(store, "h", EntryType.HASH);
        collections.hashes.putFields(c, sourceOf(name, "old"), 0, 1);
      }
    });
    locked(store, () => {
      const c = open(store, "h", EntryType.HASH);
      const before = collections.seqOf(c);
      assert.equal(collections.hashes.putFields(c, sourceOf("f1", "new"), 0, 1), WriteStatus.OK);
      assert.equal(c.changed, 0);
      assert.equal(collections.seqOf(c), before + 1, "it has a number of its own");
      assert.equal(c.count, fields);
      const all = readAll(c.cursor, EntryType.HASH).toSorted();
      const expected = names.map((name) => `${name}=${name === "f1" ? "new" : "old"}`).toSorted();
      assert.deepEqual(all, expected);
    });
  }
});

Deno.test("assertInvariants: notices a leaf that wrongly says that its records are as long", () => {
  const store = oneShard();
  let leaf = 0;
  let bytes = EMPTY as Uint8Array;
  locked(store, () => {
    const c = open(store, "s", EntryType.SET);
    const members = Array.from({ length: 400 }, (_, i) => "x".repeat(i % 7) + i);
    store.collections.sets.addMembers(c, sourceOf(...members), 0, members.length);
    c.cursor.seekFirst();
    ({ leaf, bytes } = c.cursor);
  });
  // The arena has one segment: addresses count its units of 8 bytes.
  const flags = leaf * 8 + Node.HEAD * 4 + 1;
  bytes[flags] = bytes[flags]! | (NodeFlag.EVEN >>> 8);
  assert.throws(() => store.assertInvariants(), /is even/);
});
