/** Collections through their facade: seeks, scans, several keys, copies, the hook, garbage. */

import assert from "node:assert/strict";
import { type CollectionChange, ElementEffect } from "../../../src/store/mutation_hook.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { Dice, open, readAll, sourceOf, textAt } from "./collection_helpers.ts";
import { get, hookWith, keyOf, remove, set, smallStore } from "./helpers.ts";

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function oneShard(): Store {
  return smallStore({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
}

/** Runs under the lock of the only shard, then checks everything. */
function locked(store: Store, body: () => void): void {
  store.locks.lock(0, true);
  body();
  store.locks.unlock(0, true);
  store.assertInvariants();
}

function putScores(store: Store, name: string, members: readonly [string, number][]): void {
  for (const [member, score] of members) {
    const c = open(store, name, EntryType.SORTED_SET);
    const bytes = encoder.encode(member);
    const { sortedSets } = store.collections;
    assert.equal(sortedSets.beginOne(c, bytes.length), WriteStatus.OK);
    sortedSets.put(c, bytes, 0, bytes.length, score);
    sortedSets.finish(c);
  }
}

for (const size of [40, 3000]) {
  Deno.test(`SortedSets: are found by score, by member at a score, and by rank (${size} members)`, () => {
    const store = oneShard();
    const members = Array.from({ length: size }, (_, i): [string, number] => {
      return [`m${String(i).padStart(5, "0")}`, Math.floor(i / 10)];
    });
    locked(
      store,
      () => putScores(store, "z", members.toSorted((a, b) => a[0].length - b[0].length)),
    );
    locked(store, () => {
      const c = open(store, "z", EntryType.SORTED_SET);
      assert.equal(c.isPacked, size === 40);
      for (const score of [-1, -0.5, 0, 1.5, 2, size / 10 - 1, size / 10, Infinity]) {
        const atLeast = members.findIndex((member) => member[1] >= score);
        const behind = members.findIndex((member) => member[1] > score);
        c.cursor.seekAtLeast(score, EMPTY, 0, 0);
        assert.equal(c.cursor.isValid ? c.cursor.rank() : -1, atLeast, `at least ${score}`);
        c.cursor.seekBehind(score);
        assert.equal(c.cursor.isValid ? c.cursor.rank() : -1, behind, `more than ${score}`);
        const hasOne = c.cursor.previous();
        assert.equal(hasOne ? c.cursor.rank() : -1, (behind < 0 ? size : behind) - 1);
      }
      for (const index of [0, 7, size >> 1, size - 1]) {
        const [member, score] = members[index]!;
        const bytes = encoder.encode(member);
        const { sortedSets } = store.collections;
        assert.equal(sortedSets.rankOf(c, bytes, 0, bytes.length), index);
        assert.equal(sortedSets.score, score);
        assert.ok(c.cursor.seekAtLeast(score, bytes, 0, bytes.length));
        assert.equal(textAt(c.cursor), member);
        assert.ok(!c.cursor.seekAtLeast(score, encoder.encode(`${member}!`), 0, 7));
        assert.equal(c.cursor.isValid ? c.cursor.rank() : size, index + 1);
      }
      assert.equal(store.collections.sortedSets.rankOf(c, EMPTY, 0, 0), -1);
    });
  });
}

Deno.test("Hashes: a scan returns what is present throughout, whatever comes and goes", () => {
  for (const size of [20, 200, 5000]) {
    const store = oneShard();
    const dice = new Dice(size);
    const { hashes, sets } = store.collections;
    const stay = Array.from({ length: size }, (_, i) => `stays ${i}`);
    locked(store, () => {
      sets.addMembers(open(store, "s", EntryType.SET), sourceOf(...stay), 0, size);
    });
    const seen = new Set<string>();
    let position = 0;
    let rounds = 0;
    do {
      locked(store, () => {
        const c = open(store, "s", EntryType.SET);
        const cursor = hashes.scanFrom(c, position);
        let taken = 0;
        let last = 0;
        while (cursor.isValid && (taken < 40 || !hashes.mayPause(c, cursor, last))) {
          last = cursor.order;
          seen.add(textAt(cursor));
          taken++;
          cursor.next();
        }
        position = hashes.scanPosition(cursor);
        assert.ok(c.isPacked ? position === 0 : taken < 60, "a page is about as long as asked");
        const others = sourceOf(...Array.from({ length: 300 }, () => `guest ${dice.roll(2000)}`));
        if (rounds % 2 === 0) sets.addMembers(open(store, "s", EntryType.SET), others, 0, 300);
        else sets.remove(open(store, "s", EntryType.SET), others, 0, 300);
      });
      rounds++;
    } while (position !== 0);
    for (const member of stay) assert.ok(seen.has(member), `${member} of ${size}`);
  }
});

Deno.test("Collections: an element moves between keys as a whole, or nothing happens", () => {
  for (let k = 0;; k++) {
    const store = oneShard();
    const { collections } = store;
    locked(store, () => {
      collections.lists.push(open(store, "from", EntryType.LIST), false, sourceOf("a", "b"), 0, 2);
    });
    let moved = false;
    locked(store, () => {
      const from = open(store, "from", EntryType.LIST, 0);
      const to = open(store, "to", EntryType.LIST, 1);
      from.cursor.seekFirst();
      const bytes = from.cursor.element().toBytes();
      store.failAllocationAfter(k);
      const pages = collections.pagesFor(from, 1, 0, 0) +
        collections.pagesFor(to, 1, bytes.length);
      if (collections.reserve(pages)) {
        assert.equal(collections.lists.insert(to, 0, bytes, 0, bytes.length), WriteStatus.OK);
        assert.equal(collections.lists.removeRanks(from, 0, 1), WriteStatus.OK);
        collections.settle();
        moved = true;
      }
      store.failAllocationAfter(-1);
    });
    locked(store, () => {
      const from = open(store, "from", EntryType.LIST, 0);
      const to = open(store, "to", EntryType.LIST, 1);
      assert.deepEqual(readAll(from.cursor, EntryType.LIST), moved ? ["b"] : ["a", "b"]);
      assert.deepEqual(readAll(to.cursor, EntryType.LIST), moved ? ["a"] : []);
      assert.equal(to.exists, moved);
    });
    if (moved) {
      assert.ok(k > 0, "inconclusive: nothing was refused");
      break;
    }
  }
});

for (const [type, name] of [[2, "list"], [3, "hash"], [4, "set"], [5, "sorted set"]] as const) {
  Deno.test(`Collections: a ${name} is copied aside in slices and published in place of a key`, () => {
    for (const size of [10, 2000]) {
      const store = smallStore({ shardCount: 4, maxMemoryBytes: 64 * 2 ** 20 });
      const { collections } = store;
      const names = Array.from(
        { length: size },
        (_, i) => `element ${i}`.repeat(i % 500 === 3 ? 300 : 1),
      );
      const source = keyOf(store, "source");
      let target = keyOf(store, "target");
      for (let i = 0; target.shard === source.shard; i++) target = keyOf(store, `target${i}`);
      set(store, decoder.decode(target.bytes), "an old value");
      store.locks.lock(source.shard, true);
      if (type === EntryType.SORTED_SET) {
        putScores(store, "source", names.map((n, i) => [n, i % 7]));
      }
      const c = open(store, "source", type);
      if (type === EntryType.LIST) collections.lists.push(c, false, sourceOf(...names), 0, size);
      if (type === EntryType.SET) collections.sets.addMembers(c, sourceOf(...names), 0, size);
      if (type === EntryType.HASH) {
        collections.hashes.putFields(c, sourceOf(...names.flatMap((n) => [n, `v${n}`])), 0, size);
      }
      const expected = readAll(c.cursor, type);
      assert.equal(expected.length, size);
      const lease = store.collectionLeases.take(c);
      store.locks.unlock(source.shard, true);
      remove(store, "source");

      store.locks.lock(target.shard, true);
      const copy = collections.make(0, target, type)!;
      store.locks.unlock(target.shard, true);
      lease.cursor.seekFirst();
      while (lease.cursor.isValid) {
        store.locks.lock(target.shard, true);
        for (let i = 0; i < 300 && lease.cursor.isValid; i++, lease.cursor.next()) {
          assert.equal(collections.append(copy, lease.cursor), WriteStatus.OK);
        }
        store.locks.unlock(target.shard, true);
        store.assertInvariants();
        assert.equal(get(store, decoder.decode(target.bytes)), "an old value");
      }
      lease.release();
      store.locks.lock(target.shard, true);
      assert.equal(collections.publish(copy), WriteStatus.OK);
      const found = open(store, decoder.decode(target.bytes), type);
      assert.deepEqual(
        readAll(found.cursor, type).toSorted(),
        expected.toSorted(),
      );
      store.locks.unlock(target.shard, true);
      while (store.garbage.collect(50) > 0);
      store.assertInvariants();
      const { leases, orphanBytes } = store.stats();
      assert.deepEqual({ leases, orphanBytes }, { leases: 0, orphanBytes: 0 });
    }
  });
}

Deno.test("Collections: one that was made aside and abandoned leaves nothing behind", () => {
  const store = oneShard();
  const before = store.stats().blockBytes;
  locked(store, () => {
    const c = store.collections.make(0, keyOf(store, "k"), EntryType.LIST)!;
    store.collections.lists.push(c, false, sourceOf(...Array(500).fill("x".repeat(50))), 0, 500);
    assert.equal(c.count, 500);
    store.collections.abandon(c);
  });
  while (store.garbage.collect(1) === 1);
  store.assertInvariants();
  assert.equal(store.stats().blockBytes, before);
});

Deno.test("Collections: a key of another type is refused, one that has expired is none", () => {
  const store = oneShard();
  set(store, "text", "value");
  set(store, "old", "value", { expireAtMs: store.nowMs + 1 });
  store.nowMs += 2;
  locked(store, () => {
    const c = store.collections.handle(0);
    const status = (name: string): WriteStatus =>
      store.collections.open(c, 0, keyOf(store, name), EntryType.HASH, true);
    assert.equal(status("text"), WriteStatus.WRONG_TYPE);
    assert.equal(status("old"), WriteStatus.OK);
    assert.equal(c.exists, false);
    assert.equal(store.collections.hashes.putFields(c, sourceOf("f", "v"), 0, 1), WriteStatus.OK);
    const list = open(store, "old", EntryType.HASH);
    assert.deepEqual(readAll(list.cursor, EntryType.HASH), ["f=v"]);
    assert.equal(status("x".repeat(5000)), WriteStatus.KEY_TOO_LONG);
  });
  assert.equal(set(store, "old", "text again"), WriteStatus.OK);
  assert.equal(get(store, "old"), "text again");
});

Deno.test("MutationHook: is told of every change of a collection, in absolute terms", () => {
  const store = oneShard();
  const told: string[] = [];
  let lastSeq = 0;
  store.hook = hookWith({
    written: () => told.push("written"),
    removed: (_shard, _database, _key, seq) => {
      assert.equal(seq, ++lastSeq);
      told.push("removed");
    },
    changed: (_shard, _database, _key, change: CollectionChange) => {
      assert.ok(change.seq === lastSeq || change.seq === ++lastSeq, "numbers have no gaps");
      const text = decoder.decode(change.bytes.subarray(change.start, change.end));
      switch (change.effect) {
        case ElementEffect.PUT:
          told.push(
            change.type === EntryType.HASH
              ? `${text}=${
                decoder.decode(change.valueBytes.subarray(change.valueStart, change.valueEnd))
              }`
              : `${text}:${change.score}`,
          );
          break;
        case ElementEffect.REMOVED:
          told.push(`-${text}`);
          break;
        case ElementEffect.RANGE_REMOVED:
          told.push(`-[${change.rank}+${change.count}]`);
          break;
        default:
          told.push(`${change.effect === ElementEffect.SET_AT ? "=" : "+"}${change.rank}${text}`);
      }
    },
  });
  locked(store, () => {
    const { lists, hashes, sortedSets } = store.collections;
    lists.push(open(store, "l", EntryType.LIST), true, sourceOf("a", "b"), 0, 2);
    lists.push(open(store, "l", EntryType.LIST), false, sourceOf("c"), 0, 1);
    lists.set(open(store, "l", EntryType.LIST), 1, encoder.encode("d"), 0, 1);
    lists.removeRanks(open(store, "l", EntryType.LIST), 1, 2);
    hashes.putFields(open(store, "h", EntryType.HASH), sourceOf("f", "1", "g", "2"), 0, 2);
    hashes.remove(open(store, "h", EntryType.HASH), sourceOf("f", "none"), 0, 2);
    hashes.remove(open(store, "h", EntryType.HASH), sourceOf("none"), 0, 1);
    hashes.remove(open(store, "h", EntryType.HASH), sourceOf("g"), 0, 1);
    putScores(store, "z", [["m", 1.5], ["m", 1.5], ["n", 2]]);
    sortedSets.removeRanks(open(store, "z", EntryType.SORTED_SET), 0, 1);
  });
  assert.deepEqual(told, [
    ...["+0a", "+0b", "+2c", "=1d", "-[1+2]"],
    ...["f=1", "g=2", "-f", "-g", "removed"],
    ...["m:1.5", "n:2", "-[0+1]"],
  ]);
});

Deno.test("Collections: deleting a large one is quick, and its memory comes back in slices", () => {
  const store = oneShard();
  const before = store.stats().blockBytes;
  const values = sourceOf(...Array.from({ length: 20_000 }, (_, i) => `value ${i}`));
  locked(store, () => {
    const c = open(store, "l", EntryType.LIST);
    assert.equal(store.collections.lists.push(c, false, values, 0, 20_000), WriteStatus.OK);
  });
  const full = store.stats().blockBytes;
  remove(store, "l");
  assert.ok(store.stats().blockBytes > full - 10_000, "only the entry is gone");
  let slices = 0;
  for (; store.garbage.collect(10) > 0; slices++) {
    if (slices % 10 === 0) store.assertInvariants();
  }
  assert.ok(slices > 15, `${slices} slices`);
  assert.equal(store.stats().blockBytes, before);
});

Deno.test("CollectionLease: keeps long elements in their place, and ends quietly in any state", async () => {
  const store = oneShard();
  const { lists } = store.collections;
  const long = "x".repeat(3000);
  locked(store, () => {
    for (let i = 0; i < 200; i++) {
      lists.push(open(store, `l${i}`, EntryType.LIST), false, sourceOf(long, `${i}`), 0, 2);
    }
  });
  const held = Array.from({ length: 4 }, (_, i) => {
    store.locks.lock(0, false);
    const lease = store.collectionLeases.take(open(store, `l${i * 50}`, EntryType.LIST));
    store.locks.unlock(0, false);
    lease.cursor.seekFirst();
    return { lease, address: lease.cursor.element().longRoot };
  });
  for (let i = 0; i < 200; i++) if (i % 50 !== 0) remove(store, `l${i}`);
  while (store.reclaim());
  store.assertInvariants();
  for (const { lease, address } of held) {
    assert.equal(lease.cursor.element().longRoot, address, "it has not moved");
    assert.equal(textAt(lease.cursor), long);
  }
  remove(store, "l0");
  // With the shard locked, what the end sets free waits.
  store.locks.lock(0, true);
  for (const { lease } of held) lease.release();
  assert.ok(store.stats().orphanBytes > 0);
  store.locks.unlock(0, true);
  while (store.stats().orphanBytes > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  store.assertInvariants();
});
