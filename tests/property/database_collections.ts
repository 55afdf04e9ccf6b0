/** Collections whose content follows from their type and size, for the model of databases. */

import assert from "node:assert/strict";
import { EntryType, type Store, WriteStatus } from "../../src/store/store.ts";
import { contentOf, sourceOf } from "../unit/store/collection_helpers.ts";
import { get, keyOf } from "../unit/store/helpers.ts";

/** What the model says of a collection; strings of these tests do not begin with a zero byte. */
export function collectionText(type: EntryType, count: number): string {
  return `\0${type}:${count}`;
}

/** The members of the collection of a size; every 50th is a long element. */
function memberAt(index: number): string {
  const name = `m${String(index).padStart(6, "0")}`;
  return index % 50 === 49 ? name.padEnd(1500, "x") : name;
}

function expectedContent(type: EntryType, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    if (type === EntryType.HASH) return `${memberAt(i)}=v${i}`;
    return type === EntryType.SORTED_SET ? `${memberAt(i)}:${i}` : memberAt(i);
  });
}

/**
 * Lets the collection at a key, which is there with this type or not at all, grow to `count`.
 *
 * @returns how many elements it has then
 */
export function growCollection(
  store: Store,
  name: string,
  database: number,
  type: EntryType,
  count: number,
): number {
  const key = keyOf(store, name);
  const { collections } = store;
  const c = collections.handle(0);
  for (;;) {
    store.locks.lock(key.shard, true);
    let status = collections.open(c, database, key, type, true);
    while (status === WriteStatus.OK && c.count < count) {
      status = addOne(store, type, memberAt(c.count), c.count);
    }
    const result = c.count;
    store.locks.unlock(key.shard, true);
    if (status === WriteStatus.OK) return result;
    assert.equal(status, WriteStatus.OUT_OF_MEMORY);
    assert.ok(store.reclaim(), "memory for a collection can be had");
  }
}

function addOne(store: Store, type: EntryType, member: string, index: number): WriteStatus {
  const { hashes, lists, sets, sortedSets } = store.collections;
  const c = store.collections.handle(0);
  const source = sourceOf(member, `v${index}`);
  if (type === EntryType.LIST) return lists.push(c, false, source, 0, 1);
  if (type === EntryType.SET) return sets.addMembers(c, source, 0, 1);
  if (type === EntryType.HASH) return hashes.putFields(c, source, 0, 1);
  const status = sortedSets.beginOne(c, member.length);
  if (status !== WriteStatus.OK) return status;
  sortedSets.put(c, source.bytes, source.starts[0]!, source.ends[0]!, index);
  sortedSets.finish(c);
  return status;
}

/** The value at a key as the model has it; every element is looked at. */
export function readValue(store: Store, name: string, database: number): string | undefined {
  const key = keyOf(store, name);
  const entry = store.peek(database, key);
  if (entry === 0) return undefined;
  const type = store.entryType(entry);
  if (type === EntryType.STRING) return get(store, name, database);
  const c = store.collections.handle(1);
  assert.equal(store.collections.open(c, database, key, type, false), WriteStatus.OK);
  assert.deepEqual(contentOf(c.cursor, type), expectedContent(type, c.count));
  return collectionText(type, c.count);
}
