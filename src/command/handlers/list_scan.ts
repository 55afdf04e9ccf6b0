/**
 * Looking through a list for elements, in steps.
 *
 * @module
 */

import type { RecordCursor } from "../../store/collection/cursor.ts";
import type { ElementView } from "../../store/collection/element.ts";
import type { Slices } from "../slices.ts";

/** Long elements are compared in such pieces. Unit: bytes. Reason: some 30 µs. */
const PIECE_BYTES = 65536;

/** What to look for. */
export interface ScanWishes {
  /** Buffer with the element; must stay untouched. */
  readonly bytes: Uint8Array;
  /** First byte of the element. */
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
  /** Whether to begin at the end. */
  readonly isBackwards: boolean;
  /** Matches to pass over. */
  readonly skip: number;
  /** Matches to find at most. */
  readonly most: number;
  /** Elements to compare at most. */
  readonly mostCompared: number;
}

/**
 * A walk over a list that notes where an element is.
 *
 * Thread: one I/O thread, with the shard's lock or a lease.
 */
export class ListScan {
  /** Ranks of what was found, in the order of the walk. */
  readonly ranks: number[] = [];

  readonly #cursor: RecordCursor;
  readonly #wishes: ScanWishes;
  readonly #length: number;
  readonly #limit: number;
  #compared = 0;
  #skipped = 0;
  #piece: Uint8Array | undefined;
  /** Bytes of the current element that were compared and are the same. */
  #sameBytes = 0;

  /** Begins at the end that `wishes` names, of a list of `length` elements. */
  constructor(cursor: RecordCursor, length: number, wishes: ScanWishes) {
    this.#cursor = cursor;
    this.#wishes = wishes;
    this.#length = length;
    this.#limit = Math.min(length, wishes.mostCompared);
    if (wishes.isBackwards) cursor.seekLast();
    else cursor.seekFirst();
  }

  /**
   * Goes on.
   *
   * @param slices says when to pause; undefined = never
   * @returns whether all was looked at that should be
   */
  advance(slices: Slices | undefined): boolean {
    const cursor = this.#cursor;
    const { bytes, start, end, isBackwards, most } = this.#wishes;
    const byteCount = end - start;
    while (this.#compared < this.#limit && this.ranks.length < most) {
      const element = cursor.element();
      let isSame = element.byteCount === byteCount;
      let weight = 2;
      if (isSame && byteCount > PIECE_BYTES) {
        const piece = this.#comparePiece(element);
        if (piece === undefined) {
          if (slices?.isOver(PIECE_BYTES / 64) === true) return false;
          continue;
        }
        isSame = piece;
      } else if (isSame) {
        isSame = element.compare(bytes, start, end) === 0;
        weight += byteCount >> 5;
      }
      if (isSame) this.#found();
      this.#compared++;
      if (isBackwards) cursor.previous();
      else cursor.next();
      if (slices?.isOver(weight) === true) return false;
    }
    return true;
  }

  #found(): void {
    if (this.#skipped < this.#wishes.skip) {
      this.#skipped++;
      return;
    }
    const walked = this.#compared;
    this.ranks.push(this.#wishes.isBackwards ? this.#length - 1 - walked : walked);
  }

  /** Compares a piece more of a long element; undefined = the same so far, and there is more. */
  #comparePiece(element: ElementView): boolean | undefined {
    const { bytes, start } = this.#wishes;
    const from = this.#sameBytes;
    const to = Math.min(from + PIECE_BYTES, element.byteCount);
    this.#piece ??= new Uint8Array(PIECE_BYTES);
    element.copyRange(from, to, this.#piece, 0);
    this.#sameBytes = 0;
    for (let i = 0; i < to - from; i++) {
      if (this.#piece[i] !== bytes[start + from + i]) return false;
    }
    if (to === element.byteCount) return true;
    this.#sameBytes = to;
    return undefined;
  }
}
