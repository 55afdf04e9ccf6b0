/**
 * The keys of a database in the order of their bytes.
 *
 * @module
 */

import { Key } from "../store/key.ts";
import type { Store } from "../store/store.ts";

/** Bytes of a key that are compared at a time. */
const STEP_BYTES = 3;
/** Says that a key goes on behind what is compared. */
const GOES_ON = STEP_BYTES + 1;

/**
 * Entries of a database, by key. The store must not be changed meanwhile, nor while they are used.
 *
 * A pair of words per key is sorted by the numbers that they make: the entry, and above it three
 * bytes of the key and how many of them there are. Where these are the same the next three decide.
 *
 * Thread: the only one that uses the store.
 *
 * @param wants whether a key is one of those
 */
export function entriesInOrder(
  store: Store,
  database: number,
  wants: (key: Key, entry: number) => boolean,
): Uint32Array {
  const pairs = new Uint32Array(2 * store.keyCount(database));
  const key = new Key();
  let count = 0;
  for (let shard = 0; shard < store.shardCount; shard++) {
    let position = 0;
    do {
      position = store.keyspace.scanOnce(database, shard, position, (entry) => {
        if (wants(store.showKey(entry, key), entry)) pairs[2 * count++] = entry;
      });
    } while (position !== 0);
  }
  sortPairs(store, pairs.subarray(0, 2 * count), 0, key);
  const entries = new Uint32Array(count);
  for (let i = 0; i < count; i++) entries[i] = pairs[2 * i]!;
  return entries;
}

/** Sorts keys that are the same in front of `from`. */
function sortPairs(store: Store, pairs: Uint32Array, from: number, key: Key): void {
  for (let i = 0; i < pairs.length; i += 2) {
    pairs[i + 1] = prefixOf(store.showKey(pairs[i]!, key), from);
  }
  new BigUint64Array(pairs.buffer, pairs.byteOffset, pairs.length / 2).sort();
  for (let start = 0; start < pairs.length;) {
    const prefix = pairs[start + 1]!;
    let end = start + 2;
    while (end < pairs.length && pairs[end + 1] === prefix) end += 2;
    if (end - start > 2 && (prefix & 0xff) === GOES_ON) {
      sortPairs(store, pairs.subarray(start, end), from + STEP_BYTES, key);
    }
    start = end;
  }
}

function prefixOf({ bytes, start, end }: Key, from: number): number {
  const at = start + from;
  const left = end - at;
  const first = left > 0 ? bytes[at]! : 0;
  const second = left > 1 ? bytes[at + 1]! : 0;
  const third = left > 2 ? bytes[at + 2]! : 0;
  return ((first << 24) | (second << 16) | (third << 8) | Math.min(left, GOES_ON)) >>> 0;
}
