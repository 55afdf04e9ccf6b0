/** What a collection kept for readers, and is deleted before the last of them had the lock. */

import assert from "node:assert/strict";
import { EntryType, Store, WriteStatus } from "../../../src/store/store.ts";
import { contentOf, open, sourceOf } from "./collection_helpers.ts";
import { keyOf, smallStore } from "./helpers.ts";

Deno.test("Collections: one that is deleted while its last reader waits for the lock leaves nothing behind", async () => {
  const store = Store.create({
    shardCount: 1,
    lockKind: "mutex",
    maxMemoryBytes: 8 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 1,
  });
  const { lists } = store.collections;
  const before = store.stats().blockBytes;
  store.locks.lock(0, true);
  const values = sourceOf("x".repeat(20_000), ...Array.from({ length: 2000 }, (_, i) => `${i}`));
  assert.equal(
    lists.push(open(store, "l", EntryType.LIST), false, values, 0, 2001),
    WriteStatus.OK,
  );
  const lease = store.collectionLeases.take(open(store, "l", EntryType.LIST));
  // The reader still sees these, so they stay.
  assert.equal(lists.removeRanks(open(store, "l", EntryType.LIST), 0, 500), WriteStatus.OK);
  assert.ok(store.stats().orphanBytes > 20_000);
  lease.release();
  assert.ok(store.remove(0, keyOf(store, "l")));
  store.locks.unlock(0, true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  store.assertInvariants();
  while (store.garbage.collect(1000) > 0);
  store.assertInvariants();
  assert.equal(store.stats().orphanBytes, 0);
  assert.equal(store.stats().blockBytes, before);
});

Deno.test("Collections: all elements that go at once, while somebody reads them, are read to the end", async () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 8 * 2 ** 20 });
  const { lists, sets, sortedSets } = store.collections;
  const names = Array.from({ length: 500 }, (_, i) => `element ${i}`);
  const source = sourceOf(...names);
  const all = { rangeCount: 1, startOf: () => 0, countOf: () => names.length };
  lists.push(open(store, "l", EntryType.LIST), false, source, 0, names.length);
  sets.addMembers(open(store, "s", EntryType.SET), source, 0, names.length);
  const sorted = open(store, "z", EntryType.SORTED_SET);
  sortedSets.begin(sorted, names.length, source);
  for (let i = 0; i < names.length; i++) {
    sortedSets.put(sorted, source.bytes, source.starts[i]!, source.ends[i]!, i);
  }
  sortedSets.finish(sorted);
  const keys = [["l", EntryType.LIST], ["s", EntryType.SET], ["z", EntryType.SORTED_SET]] as const;
  const leases = keys.map(([name, type]) => store.collectionLeases.take(open(store, name, type)));
  lists.removeRanks(open(store, "l", EntryType.LIST), 0, names.length);
  sets.removeRanges(open(store, "s", EntryType.SET), all);
  sortedSets.removeRanks(open(store, "z", EntryType.SORTED_SET), 0, names.length);
  store.assertInvariants();
  assert.equal(store.keyCount(0), 0);
  for (const [i, lease] of leases.entries()) {
    assert.equal(contentOf(lease.cursor, keys[i]![1]).length, names.length);
    lease.release();
  }
  await Promise.resolve();
  while (store.garbage.collect(1000) > 0);
  store.assertInvariants();
});
