/**
 * The sets that a command with many keys combines.
 *
 * @module
 */

import type { Collection } from "../../store/collection/collection.ts";
import { EntryType } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { openCollection } from "./open_collection.ts";
import type { RankedInput } from "../ranked_reply.ts";
import { ReplyCode } from "../reply_code.ts";

/** So many sets at most are combined where they are, see {@link SourceSets.areSmall}. */
const AT_ONCE_SETS = 8;
/**
 * So large are they together at most.
 *
 * Unit: bytes. Reason: searching them takes some 0.5 ms.
 */
const AT_ONCE_BYTES = 16_384;
/**
 * So many sets at most are combined by one command.
 *
 * Reason: each takes some 3 KB until the command is done.
 */
export const MOST_SETS = 16_384;

/**
 * Sets as they were at one moment: small ones as they lie, to be used under their locks, others
 * leased. A key that is named several times is
 * taken once, or twice if it is the first.
 *
 * Thread: one I/O thread. Whoever captures them releases them.
 */
export class SourceSets {
  /** The sets, those that are missing among them. */
  readonly inputs: RankedInput[] = [];
  /** Whether they are so small that everything can be done at once, under their locks. */
  readonly areSmall: boolean;
  /** Members of all of them. */
  memberCount = 0;
  /** By key: number of the last mutation, -1 when it is missing. */
  readonly #seqs: Float64Array;

  private constructor(areSmall: boolean, keyCount: number) {
    this.areSmall = areSmall;
    this.#seqs = new Float64Array(keyCount);
  }

  /**
   * Captures the sets of the keys that the arguments from `first` to `end` name; needs their locks,
   * shared is enough.
   *
   * @returns undefined when one of the keys holds another type, or there are too many, and the error
   *   was replied
   */
  static capture(call: CommandCall, first: number, end: number): SourceSets | undefined {
    const { collections } = call.store;
    let byteCount = 0;
    for (let i = first; i < end; i++) {
      const c = openSet(call, i, end - first, i - first);
      if (c === undefined) return undefined;
      byteCount += collections.footprintBytes(c);
    }
    const areSmall = byteCount <= AT_ONCE_BYTES && end - first <= AT_ONCE_SETS;
    const sets = new SourceSets(areSmall, end - first);
    // They are looked for a second time now, which is no second hit.
    call.store.access.counts = false;
    if (sets.#take(call, first, end)) return sets;
    sets.release();
    call.sink.error(ReplyCode.BAD_ARGUMENT, `at most ${MOST_SETS} sets can be combined at once`);
    return undefined;
  }

  /** Whether the keys still hold what was captured; needs their locks. */
  areUnchanged(call: CommandCall, first: number): boolean {
    const { store } = call;
    return this.#seqs.every((seq, i) => {
      const entry = store.peek(call.database, call.keyAt(first + i));
      return seq === (entry === 0 ? -1 : store.entrySeq(entry));
    });
  }

  /** Gives up all of them; may be called any number of times. */
  release(): void {
    for (const input of this.inputs) input.release?.();
    this.inputs.length = 0;
  }

  /** Whether there were not too many. */
  #take(call: CommandCall, first: number, end: number): boolean {
    const { collectionLeases } = call.store;
    const seen = new Set<number>();
    for (let i = first; i < end; i++) {
      const c = openSet(call, i, end - first, i - first)!;
      this.#seqs[i - first] = c.entry === 0 ? -1 : call.store.entrySeq(c.entry);
      // The first one counts for itself: what is left of a set without itself is nothing.
      if (i > first && seen.has(c.entry)) continue;
      if (i > first) seen.add(c.entry);
      if (this.inputs.length === MOST_SETS) return false;
      this.memberCount += c.count;
      this.inputs.push(this.areSmall ? c : collectionLeases.take(c));
    }
    return true;
  }
}

/** Opens the set that an argument names: few sets with a handle each, of many one after the other. */
function openSet(
  call: CommandCall,
  index: number,
  keyCount: number,
  place: number,
): Collection | undefined {
  return openCollection(call, index, EntryType.SET, keyCount <= AT_ONCE_SETS ? place : 0);
}
