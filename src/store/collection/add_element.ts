/**
 * Elements of collections of any type, put one by one.
 *
 * @module
 */

import { EntryType } from "../entry.ts";
import { WriteStatus } from "../entry_writer.ts";
import type { Collection } from "./collection.ts";
import type { Collections } from "./collections.ts";

/**
 * Puts an element into a collection, at the end of a list. Needs the exclusive lock of its shard.
 *
 * @param bytes has element, field or member in `[start, end)`
 * @param valueBytes has the value of a field in `[valueStart, valueEnd)`
 * @param score of a member of a sorted set
 */
export function addElement(
  { hashes, lists, sets, sortedSets }: Collections,
  c: Collection,
  bytes: Uint8Array,
  start: number,
  end: number,
  valueBytes: Uint8Array,
  valueStart: number,
  valueEnd: number,
  score: number,
): WriteStatus {
  switch (c.type) {
    case EntryType.LIST:
      return lists.insert(c, c.count, bytes, start, end);
    case EntryType.SET:
      return sets.addMember(c, bytes, start, end);
    case EntryType.HASH:
      return hashes.putField(c, bytes, start, end, valueBytes, valueStart, valueEnd);
    default: {
      if (sortedSets.isTooLong(end - start)) return WriteStatus.VALUE_TOO_LARGE;
      const status = sortedSets.beginOne(c, end - start);
      if (status !== WriteStatus.OK) return status;
      sortedSets.put(c, bytes, start, end, score);
      sortedSets.finish(c);
      return status;
    }
  }
}
