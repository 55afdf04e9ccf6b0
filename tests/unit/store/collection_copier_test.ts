/** Collections under other keys: renamed, copied and moved, at once and in slices. */

import assert from "node:assert/strict";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { contentOf, Dice, type Model, models, open } from "./collection_helpers.ts";
import { keyOf, smallStore } from "./helpers.ts";
import { move, transfer } from "./keyspace_helpers.ts";

function grow(store: Store, name: string, model: Model, steps: number, dice: Dice): void {
  for (let i = 0; i < steps; i++) {
    const c = open(store, name, model.type);
    assert.equal(model.step(store, c, dice), WriteStatus.OK);
  }
}

function contentAt(store: Store, name: string, type: EntryType, database = 0): string[] {
  const c = store.collections.handle(5);
  store.collections.open(c, database, keyOf(store, name), type, false);
  return contentOf(c.cursor, type);
}

/** A name whose key is in the same shard as that of `other`, or is not. */
function nameBeside(store: Store, other: string, isSame: boolean): string {
  const { shard } = keyOf(store, other);
  for (let i = 0;; i++) {
    const name = `to${i}`;
    if ((keyOf(store, name).shard === shard) === isSame) return name;
  }
}

Deno.test("EntryMover: collections of all types and sizes get other keys and databases whole", () => {
  for (const steps of [1, 8, 60, 900]) {
    for (const model of models()) {
      for (const isSame of [true, false]) {
        for (const goes of [true, false]) {
          const store = smallStore({ shardCount: 4, maxMemoryBytes: 64 * 2 ** 20 });
          const dice = new Dice(steps + model.type);
          model.clear();
          grow(store, "from", model, steps, dice);
          const content = model.content();
          if (content.length === 0) continue;
          const at = store.nowMs + 5000;
          assert.equal(store.setExpiry(0, keyOf(store, "from"), at), WriteStatus.OK);
          const name = nameBeside(store, "from", isSame);
          const status = transfer(
            store,
            { name: "from", database: 0 },
            { name, database: 3 },
            goes,
          );
          assert.equal(status, WriteStatus.OK);
          store.assertInvariants();
          assert.deepEqual(contentAt(store, name, model.type, 3), content);
          assert.equal(store.expireAtMs(store.peek(3, keyOf(store, name))), at);
          assert.equal(store.peek(0, keyOf(store, "from")) === 0, goes);
          assert.equal(move(store, name, 3, 1), WriteStatus.OK);
          assert.deepEqual(contentAt(store, name, model.type, 1), content);
          if (!goes) {
            // A copy has nothing in common with what it was made from.
            grow(store, "from", model, 40, dice);
            assert.deepEqual(contentAt(store, name, model.type, 1), content);
            assert.deepEqual(contentAt(store, "from", model.type), model.content());
          }
          store.assertInvariants();
          store.nowMs += 5001;
          assert.equal(store.peek(1, keyOf(store, name)), 0, "the time to live went along");
          store.remove(1, keyOf(store, name));
          while (store.garbage.run(10));
          store.assertInvariants();
        }
      }
    }
  }
});

Deno.test("EntryMover: whichever allocation fails, RENAME and COPY of trees change nothing", () => {
  for (const model of models()) {
    const store = smallStore({ shardCount: 4, maxMemoryBytes: 64 * 2 ** 20 });
    model.clear();
    grow(store, "from", model, 300, new Dice(7 + model.type));
    const content = model.content();
    const to = nameBeside(store, "from", false);
    const fromKey = keyOf(store, "from");
    const toKey = keyOf(store, to);
    let failures = 0;
    for (const goes of [false, true]) {
      for (let k = 0;; k++) {
        store.failAllocationAfter(k);
        const status = store.keyspace.transfer(
          { database: 0, key: fromKey },
          { database: 0, key: toKey },
          goes,
        );
        store.failAllocationAfter(-1);
        if (status === WriteStatus.OK) break;
        assert.equal(status, WriteStatus.OUT_OF_MEMORY);
        failures++;
        assert.deepEqual(contentAt(store, "from", model.type), content);
        if (!goes) assert.equal(store.peek(0, toKey), 0);
        if (k % 10 === 0) store.assertInvariants();
      }
      store.assertInvariants();
      assert.deepEqual(contentAt(store, to, model.type), content);
    }
    assert.ok(failures > 10, "there were allocations to fail");
  }
});

Deno.test("CollectionCopy: made in steps it is the source as it was, and can be given up at any step", () => {
  for (const model of models()) {
    const store = smallStore({ shardCount: 4, maxMemoryBytes: 64 * 2 ** 20 });
    const dice = new Dice(99 + model.type);
    model.clear();
    grow(store, "from", model, 800, dice);
    const content = model.content();
    const to = nameBeside(store, "from", false);
    const { shard } = keyOf(store, to);
    for (let steps = 0; steps < 60; steps += 7) {
      const copy = store.collectionCopier.begin(store.peek(0, keyOf(store, "from")), shard);
      assert.ok(copy.advance(steps));
      copy.abandon();
      store.assertInvariants();
    }
    const copy = store.collectionCopier.begin(store.peek(0, keyOf(store, "from")), shard);
    while (!copy.isComplete) {
      assert.ok(copy.advance(3));
      const c = open(store, "from", model.type);
      model.step(store, c, dice);
    }
    const place = { database: 0, key: keyOf(store, "from") };
    store.collectionCopier.prepared = copy;
    const status = store.keyspace.transfer(place, { database: 0, key: keyOf(store, to) }, false);
    store.collectionCopier.prepared = undefined;
    assert.equal(status, WriteStatus.OK);
    assert.deepEqual(contentAt(store, to, model.type), content);
    assert.deepEqual(contentAt(store, "from", model.type), model.content());
    store.assertInvariants();
  }
});

Deno.test("OBJECT ENCODING: names are those of Redis 7.0 with its default limits", () => {
  const encoder = new TextEncoder();
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 32 * 2 ** 20 });
  const { hashes, lists, sets, sortedSets } = store.collections;
  const nameOf = (type: EntryType, members: string[], value = "v"): string => {
    store.remove(0, keyOf(store, "k"));
    for (const member of members) {
      const c = open(store, "k", type);
      const bytes = encoder.encode(member);
      const valueBytes = encoder.encode(value);
      if (type === EntryType.LIST) lists.insert(c, 0, bytes, 0, bytes.length);
      else if (type === EntryType.SET) sets.addMember(c, bytes, 0, bytes.length);
      else if (type === EntryType.HASH) {
        hashes.putField(c, bytes, 0, bytes.length, valueBytes, 0, valueBytes.length);
      } else {
        sortedSets.beginOne(c, bytes.length);
        sortedSets.put(c, bytes, 0, bytes.length, 1);
        sortedSets.finish(c);
      }
    }
    return store.keyspace.encodingName(store.peek(0, keyOf(store, "k")));
  };
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i - 9}`);
  assert.equal(nameOf(EntryType.LIST, ["a"]), "quicklist");
  assert.equal(nameOf(EntryType.SET, numbers(512)), "intset");
  assert.equal(nameOf(EntryType.SET, numbers(513)), "hashtable");
  assert.equal(nameOf(EntryType.SET, ["1", "a"]), "hashtable");
  assert.equal(nameOf(EntryType.SET, ["01"]), "hashtable");
  assert.equal(nameOf(EntryType.HASH, numbers(512)), "listpack");
  assert.equal(nameOf(EntryType.HASH, numbers(513)), "hashtable");
  assert.equal(nameOf(EntryType.HASH, ["x".repeat(64)], "y".repeat(64)), "listpack");
  assert.equal(nameOf(EntryType.HASH, ["x".repeat(65)]), "hashtable");
  assert.equal(nameOf(EntryType.HASH, ["x"], "y".repeat(65)), "hashtable");
  assert.equal(nameOf(EntryType.SORTED_SET, numbers(128)), "listpack");
  assert.equal(nameOf(EntryType.SORTED_SET, numbers(129)), "skiplist");
  assert.equal(nameOf(EntryType.SORTED_SET, ["x".repeat(65)]), "skiplist");
  const small = store.keyspace.memoryBytes(store.peek(0, keyOf(store, "k")));
  nameOf(EntryType.SET, numbers(5000));
  assert.ok(store.keyspace.memoryBytes(store.peek(0, keyOf(store, "k"))) > small + 5000 * 8);
});
