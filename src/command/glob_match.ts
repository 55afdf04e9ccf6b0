/**
 * Patterns against values that are too long to be compared at one go.
 *
 * @module
 */

import type { ElementView } from "../store/collection/element.ts";
import { matchGlobByte } from "../base/glob.ts";

const STAR = 0x2a;
/** The value is looked at through a window of this size. Unit: bytes. */
const WINDOW_BYTES = 16_384;

/**
 * What `matchesGlobBytes` does, in as many steps as the caller likes. It takes time in the order of
 * the product of both lengths at worst.
 *
 * Thread: one I/O thread; the value must stay as it is: the caller has its lock, or a lease of the
 * collection.
 */
export class LongGlobMatch {
  readonly #pattern: Uint8Array;
  readonly #value: ElementView;
  readonly #window: Uint8Array;
  #windowStart = 0;
  #windowEnd = 0;
  #p = 0;
  #t = 0;
  #starAt = -1;
  #starText = 0;

  /** Begins to compare a value with a pattern. */
  constructor(pattern: Uint8Array, value: ElementView) {
    this.#pattern = pattern;
    this.#value = value;
    this.#window = new Uint8Array(Math.min(WINDOW_BYTES, value.byteCount));
  }

  /**
   * Compares some more bytes.
   *
   * @returns whether the whole value matches; undefined when that is not known yet
   */
  advance(byteCount: number): boolean | undefined {
    const pattern = this.#pattern;
    const end = this.#value.byteCount;
    for (let left = byteCount; this.#t < end; left--) {
      if (left <= 0) return undefined;
      if (pattern[this.#p] === STAR) {
        this.#starAt = this.#p++;
        this.#starText = this.#t;
        // Nothing behind the last star: whatever is left matches.
        if (this.#p === pattern.length) return true;
        continue;
      }
      const next = this.#p < pattern.length
        ? matchGlobByte(pattern, this.#p, this.#byteAt(this.#t))
        : -1;
      if (next >= 0) {
        this.#p = next;
        this.#t++;
      } else if (this.#starAt >= 0) {
        this.#p = this.#starAt + 1;
        this.#t = ++this.#starText;
      } else {
        return false;
      }
    }
    while (pattern[this.#p] === STAR) this.#p++;
    return this.#p === pattern.length;
  }

  #byteAt(t: number): number {
    if (t < this.#windowStart || t >= this.#windowEnd) this.#load(t);
    return this.#window[t - this.#windowStart]!;
  }

  /** A retry goes back by less than the pattern's length: the window begins a little before `t`. */
  #load(t: number): void {
    this.#windowStart = Math.max(0, t - (this.#window.length >> 2));
    const end = Math.min(this.#value.byteCount, this.#windowStart + this.#window.length);
    this.#value.copyRange(this.#windowStart, end, this.#window, 0);
    this.#windowEnd = end;
  }
}
