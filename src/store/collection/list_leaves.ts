/**
 * Leaves of lists: how large they may be.
 *
 * Nobody looks for a place in a list by what is there, so its leaves can be larger than those that
 * are searched: with 7,280 bytes there are seven elements of 1 KiB in one, and a push or a pop nearly
 * always finds a leaf that has room, or keeps an element.
 *
 * What is in such a block and where is the same as in any leaf. Only its size is decided otherwise:
 *
 * - A leaf that is *made at an end* gets room for as many records like its first one as a quarter of
 *   the list has. So the free bytes at both ends are less than the list, and a short list of large
 *   elements has leaves with one each.
 * - A leaf *takes* what fits its block, or 1,004 bytes of records: up to there it moves to larger
 *   blocks. One that is full stays as it is where a record comes at an end of the list, beside it;
 *   elsewhere it is split in halves.
 * - A leaf that has become *sparse* moves to a smaller block; at the ends, where elements come and go,
 *   only in short lists.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { CLASS_BYTES, sizeClassOf } from "../size_classes.ts";
import { LEAF_HEADER_BYTES, LEAF_RECORDS, WHOLE_LEAF_BYTES } from "./node.ts";

/** Block sizes of the leaves of lists. Three, five and seven elements of 1 KiB just fit the last three. */
export const LIST_LEAF_STEPS: readonly number[] = [
  128,
  256,
  384,
  512,
  768,
  1024,
  1536,
  2048,
  3272,
  5456,
  7280,
];
/** Largest leaf that is made for the sake of one record. */
export const LONE_LEAF_BYTES = 1536;
/** Largest leaf of a list. */
export const LARGEST_LIST_LEAF_BYTES = 7280;
/** Most bytes of records in a leaf of a list. */
export const LIST_LEAF_RECORD_BYTES: number = LARGEST_LIST_LEAF_BYTES - LEAF_HEADER_BYTES;
/** Lists with more elements have leaves at their ends that wait for more. */
export const SHORT_LIST = 32;

const STEPS = LIST_LEAF_STEPS;
/** A new leaf has room for this part of what its list has, as a shift. */
const ROOM_SHIFT = 2;

for (const step of LIST_LEAF_STEPS) {
  if (step <= 2048) continue;
  assert(CLASS_BYTES[sizeClassOf(step)] === step, `blocks of lists have a class of ${step} bytes`);
}

/** Bytes to ask for when a leaf of a list needs `byteCount`. */
export function listLeafBytes(byteCount: number): number {
  for (let i = 0; i < STEPS.length; i++) if (byteCount <= STEPS[i]!) return STEPS[i]!;
  return byteCount;
}

/** Records of so many bytes that a leaf of a list has room for. */
export function recordsInLeaf(blockBytes: number, recordBytes: number): number {
  return Math.min(LEAF_RECORDS, Math.floor((blockBytes - LEAF_HEADER_BYTES) / recordBytes));
}

/**
 * Bytes to ask for when a leaf with one record of `recordBytes` is made at an end of a list that
 * has `elements`: the largest step that such records fill to seven eighths, but not with more than
 * there should be room for. It never falls when the list grows.
 */
export function endLeafBytes(recordBytes: number, elements: number): number {
  const most = Math.min(LEAF_RECORDS, elements >>> ROOM_SHIFT);
  for (let i = STEPS.length - 1; STEPS[i]! > LONE_LEAF_BYTES; i--) {
    const step = STEPS[i]!;
    const room = step - LEAF_HEADER_BYTES;
    const records = Math.floor(room / recordBytes);
    if (records <= most && records * recordBytes * 8 >= room * 7) return step;
  }
  return Math.max(WHOLE_LEAF_BYTES, listLeafBytes(LEAF_HEADER_BYTES + recordBytes));
}

/** Whether a leaf should move to a smaller block: it is large, and three quarters of it are free. */
export function isSparse(blockBytes: number, recordBytes: number): boolean {
  return blockBytes > WHOLE_LEAF_BYTES && recordBytes * 4 < blockBytes;
}
