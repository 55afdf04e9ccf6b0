/**
 * Where a leaf that is too large is cut.
 *
 * @module
 */

import { LEAF_RECORD_BYTES, LEAF_RECORDS } from "./node.ts";
import { recordEnd } from "./records.ts";

/** Finds ends of pieces of the records `work[from, to)` that are small enough for a leaf. */
export function cutRecords(
  kind: number,
  work: Uint8Array,
  from: number,
  to: number,
  ends: number[],
): void {
  const half = from + (to - from) / 2;
  // Where there are too many records, halves of as many; else of as many bytes.
  const isByCount = to - from <= LEAF_RECORD_BYTES;
  let at = from;
  let count = 0;
  let cutAt = 0;
  while (at < to) {
    const next = recordEnd(kind, work, at);
    // The border nearest to the middle, that leaves something on both sides.
    const isNearer = isByCount
      ? count === LEAF_RECORDS >>> 1
      : cutAt === 0 || Math.abs(at - half) < Math.abs(cutAt - half);
    if (at > from && isNearer) cutAt = at;
    at = next;
    count++;
  }
  if ((to - from <= LEAF_RECORD_BYTES && count <= LEAF_RECORDS) || count === 1) {
    ends.push(to);
    return;
  }
  cutRecords(kind, work, from, cutAt, ends);
  cutRecords(kind, work, cutAt, to, ends);
}

/**
 * Finds the ends of two pieces of `work[0, to)`, with several records: cut where it is nearest to the
 * middle. In lists either fits a leaf, whatever is in it (list_leaves.ts).
 */
export function halveRecords(kind: number, work: Uint8Array, to: number, ends: number[]): void {
  let cutAt = recordEnd(kind, work, 0);
  for (let at = cutAt; at < to; at = recordEnd(kind, work, at)) {
    if (Math.abs(at - to / 2) < Math.abs(cutAt - to / 2)) cutAt = at;
  }
  ends.push(cutAt, to);
}

/** Records in `work[from, to)`. */
export function countRecords(kind: number, work: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; count++) at = recordEnd(kind, work, at);
  return count;
}

/** Bytes of the longest record in `work[from, to)`. */
export function longestRecord(kind: number, work: Uint8Array, from: number, to: number): number {
  let longest = 0;
  for (let at = from; at < to;) {
    const end = recordEnd(kind, work, at);
    if (end - at > longest) longest = end - at;
    at = end;
  }
  return longest;
}
