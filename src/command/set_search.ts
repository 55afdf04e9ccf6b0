/**
 * Which members of several sets are in their intersection, union or difference.
 *
 * The result is not copied: it is the ranks, in the sets, of the members that belong to it. So it takes
 * a few bytes per member, and a reply is written from the sets.
 *
 * @module
 */

import type { RecordCursor } from "../store/collection/cursor.ts";
import { RankRanges } from "./random_ranks.ts";
import type { RankedInput } from "./ranked_reply.ts";
import type { Slices } from "./slices.ts";

/** How sets are combined. */
export const SetOperation = { INTERSECTION: 0, UNION: 1, DIFFERENCE: 2 } as const;

/** One of the values of {@link SetOperation}. */
export type SetOperation = (typeof SetOperation)[keyof typeof SetOperation];

/** What a member costs, see `Slices.isOver`. */
const STEP_WEIGHT = 4;
/** What it costs to look for it in another set. */
const LOOKUP_WEIGHT = 12;

/**
 * A search through sets that do not change: they are leased, or their locks are held throughout.
 *
 * - Intersection: each member of the smallest set is looked for in the others.
 * - Union: each member of each set is looked for in those before it.
 * - Difference: each member of the first set is looked for in the others.
 *
 * Thread: one I/O thread.
 */
export class SetSearch {
  /** The sets in the order in which they were searched. */
  readonly inputs: readonly RankedInput[];
  /** For each of them, the members that belong to the result; none belongs to it twice. */
  readonly ranges: readonly RankRanges[];
  /** Members that were found. */
  total = 0;
  readonly #operation: SetOperation;
  readonly #limit: number;
  /** How many of {@link SetSearch.inputs} are walked through. */
  readonly #walkedCount: number;
  #input = 0;
  #rank = 0;

  /**
   * Begins a search.
   *
   * @param inputs the sets; may be put in another order
   * @param limit the search ends when it has found so many
   */
  constructor(operation: SetOperation, inputs: readonly RankedInput[], limit = Infinity) {
    this.#operation = operation;
    this.#limit = limit;
    const sorted = [...inputs];
    if (operation === SetOperation.INTERSECTION) sorted.sort((a, b) => a.count - b.count);
    this.inputs = sorted;
    this.#walkedCount = operation === SetOperation.UNION ? sorted.length : 1;
    this.ranges = sorted.map(() => new RankRanges());
  }

  /** Searches until the slice is over; whether it is complete. */
  advance(slices: Slices | undefined): boolean {
    for (; this.#input < this.#walkedCount; this.#input++) {
      if (!this.#walk(slices)) return false;
      this.#rank = 0;
    }
    return true;
  }

  /** Goes through one of the sets; whether to its end. */
  #walk(slices: Slices | undefined): boolean {
    const index = this.#input;
    const { cursor, count } = this.inputs[index]!;
    const ranges = this.ranges[index]!;
    if (this.#rank === 0) cursor.seekFirst();
    while (this.#rank < count) {
      if (this.total >= this.#limit) return true;
      const lookups = this.#belongs(cursor, index);
      if (lookups >= 0) {
        ranges.add(this.#rank, 1);
        this.total++;
      }
      this.#rank++;
      cursor.next();
      if (slices?.isOver(STEP_WEIGHT + LOOKUP_WEIGHT * Math.abs(lookups)) === true) return false;
    }
    return true;
  }

  /**
   * Whether the member at the cursor, of set `index`, belongs to the result.
   *
   * @returns how many other sets it was looked for in; less than 0 when it does not belong
   */
  #belongs(cursor: RecordCursor, index: number): number {
    const isUnion = this.#operation === SetOperation.UNION;
    const first = isUnion ? 0 : 1;
    const end = isUnion ? index : this.inputs.length;
    if (first === end) return 0;
    const member = cursor.element();
    const isLong = member.longRoot !== 0;
    const bytes = isLong ? member.toBytes() : member.bytes;
    const start = isLong ? 0 : member.start;
    const wanted = this.#operation === SetOperation.INTERSECTION;
    const { order } = cursor;
    const stop = start + member.byteCount;
    for (let i = first; i < end; i++) {
      if (holds(this.inputs[i]!.cursor, order, bytes, start, stop) !== wanted) {
        return -(i - first + 1);
      }
    }
    return end - first;
  }
}

/** Whether the set that a cursor walks has the member; moves the cursor. */
function holds(
  cursor: RecordCursor,
  order: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  return cursor.top === 0
    ? cursor.findInRun(order, bytes, start, end)
    : cursor.seekOrder(order, bytes, start, end);
}
