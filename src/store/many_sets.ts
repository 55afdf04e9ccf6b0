/**
 * How many pages the writes of several small strings lease at most.
 *
 * With so many promised, each may be written at once where it belongs, and none can fail. Planning
 * each of them first, and keeping the plans, takes three times as long.
 *
 * @module
 */

import type { ElementSource } from "./collection/collection.ts";
import { Encoding, entryBytes, MAX_KEY_BYTES, needsExtents } from "./entry.ts";
import { CLASS_BYTES, CLASS_COUNT, PAGE_BYTES, sizeClassOf } from "./size_classes.ts";
import { BUCKET_BYTES } from "./table.ts";

/**
 * What an index may take for each new key: an overflow bucket, and a bucket more with two of its own.
 * Unit: bytes.
 */
const INDEX_BYTES = 4 * BUCKET_BYTES;

/**
 * Pages that a shard's index may begin: of overflow buckets, leaves of both sizes, directories of
 * all three; and two to spare.
 */
const INDEX_PAGES = 8;

/**
 * Pages that the write of one key can begin: of its entry; of an overflow bucket; and, where the
 * index grows by a bucket, of a leaf and a directory, which are the first of a new index as well.
 */
const KEY_PAGES = 4;

/** Up to so many keys it is not worth while to find out what they have in common. */
const FEW_KEYS = 64;

/**
 * Upper bound of the pages that are leased when keys are set to strings: key, value, key, value, …
 *
 * Thread: any; no state.
 *
 * @param first index of the first key in `source`
 * @param count how many keys
 * @returns -1 when one of them is too long, or its value does not fit a block
 */
export function pagesForSets(
  source: ElementSource,
  first: number,
  count: number,
  { maxValueBytes, shardCount }: { readonly maxValueBytes: number; readonly shardCount: number },
): number {
  if (!fitBlocks(source, first, count, maxValueBytes)) return -1;
  if (count <= FEW_KEYS) return count * KEY_PAGES;
  const { starts, ends } = source;
  const classes = new Uint8Array(CLASS_COUNT);
  let byteCount = count * INDEX_BYTES;
  for (let i = first; i < first + 2 * count; i += 2) {
    const keyBytes = ends[i]! - starts[i]!;
    const valueBytes = ends[i + 1]! - starts[i + 1]!;
    const sizeClass = sizeClassOf(entryBytes(0, Encoding.RAW, keyBytes, valueBytes));
    classes[sizeClass] = 1;
    byteCount += CLASS_BYTES[sizeClass]!;
  }
  const classCount = classes.reduce((sum, isUsed) => sum + isUsed, 0);
  const shards = Math.min(count, shardCount);
  // The end of a page is not used where its blocks do not fill it, which is less than an eighth.
  return Math.ceil(byteCount * 1.15 / PAGE_BYTES) + shards * (classCount + INDEX_PAGES);
}

/** Whether all keys are short enough, and their values for blocks. */
function fitBlocks(
  { starts, ends }: ElementSource,
  first: number,
  count: number,
  maxValueBytes: number,
): boolean {
  for (let i = first; i < first + 2 * count; i += 2) {
    const keyBytes = ends[i]! - starts[i]!;
    const valueBytes = ends[i + 1]! - starts[i + 1]!;
    const isTooLong = keyBytes > MAX_KEY_BYTES || valueBytes > maxValueBytes;
    if (isTooLong || needsExtents(0, keyBytes, valueBytes)) return false;
  }
  return true;
}
