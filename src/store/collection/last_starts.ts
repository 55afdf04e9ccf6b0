/**
 * Where the last element of a list begins.
 *
 * Records can be walked forwards only, so who wants the last one of a leaf whose records differ in
 * length has to walk all of it. Where they start is remembered for the list that this thread looked
 * at last. Its entry's number says whether that is still true: every change of a list draws a new
 * one, and none is drawn twice in a shard. What this thread changes at an end is followed.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import { Entry } from "../entry.ts";
import { LEAF_RECORDS } from "./node.ts";
import { MEDIUM_PART, skipPart } from "./records.ts";

const { KEY_BYTES, SEQ_LO } = Entry;

/** Thread: one instance per thread, under the lock of the shard of the list in hand. */
export class LastStarts {
  /** Where the records of the last leaf, or of the run, start; from the first one on. */
  readonly starts: Int32Array = new Int32Array(LEAF_RECORDS + 1);
  /** How many of them are known: all, or the list is not known. */
  count = 0;
  readonly #arena: Arena;
  // Which list that is, and when: words of its entry.
  #shard = 0;
  #seqLo = 0;
  #seqHigh = 0;

  /** Knows nothing yet. */
  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Whether what is known is that of the list of an entry, as it is. */
  isOf(entry: number, shard: number): boolean {
    if (this.count === 0) return false;
    const words = this.#arena.wordsOf(entry);
    const at = this.#arena.wordAt(entry);
    return words[at + SEQ_LO] === this.#seqLo && words[at + KEY_BYTES]! >>> 16 === this.#seqHigh &&
      shard === this.#shard;
  }

  /** What is known is that of the list of an entry, as it is. */
  remember(entry: number, shard: number): void {
    const words = this.#arena.wordsOf(entry);
    const at = this.#arena.wordAt(entry);
    this.#seqLo = words[at + SEQ_LO]!;
    this.#seqHigh = words[at + KEY_BYTES]! >>> 16;
    this.#shard = shard;
  }

  /** Finds where the `count` records from `bytes[first]` on start, of the list of an entry. */
  find(entry: number, shard: number, bytes: Uint8Array, first: number, count: number): void {
    const { starts } = this;
    let at = first;
    for (let i = 0; i < count; i++) {
      starts[i] = at - first;
      const head = bytes[at]!;
      at = head < MEDIUM_PART ? at + 1 + head : skipPart(bytes, at);
    }
    this.count = count;
    this.remember(entry, shard);
  }
}
