/**
 * Sorting that can pause.
 *
 * @module
 */

import type { Slices } from "./slices.ts";

/** So many are sorted at a stretch. Reason: some 30 µs. */
const RUN_COUNT = 128;
/** Weight of that, see `Slices.isOver`. */
const RUN_WEIGHT = 512;
/** Weight of one step of a merge. */
const STEP_WEIGHT = 2;

/**
 * Sorts the numbers from 0 to below `count`; what compares as equal stays in order. Yields when its
 * slice is over.
 *
 * @returns the numbers in order
 */
export function* sortInSlices(
  count: number,
  compare: (a: number, b: number) => number,
  slices: Slices,
): Generator<void, Uint32Array> {
  let from = new Uint32Array(count);
  for (let i = 0; i < count; i++) from[i] = i;
  for (let at = 0; at < count; at += RUN_COUNT) {
    from.subarray(at, at + RUN_COUNT).sort(compare);
    if (slices.isOver(RUN_WEIGHT)) yield;
  }
  let to = new Uint32Array(count > RUN_COUNT ? count : 0);
  for (let width = RUN_COUNT; width < count; width *= 2) {
    for (let at = 0; at < count; at += 2 * width) {
      const middle = Math.min(at + width, count);
      const end = Math.min(at + 2 * width, count);
      let left = at;
      let right = middle;
      for (let target = at; target < end; target++) {
        const takesLeft = left < middle &&
          (right >= end || compare(from[left]!, from[right]!) <= 0);
        to[target] = takesLeft ? from[left++]! : from[right++]!;
        if (slices.isOver(STEP_WEIGHT)) yield;
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
