/**
 * Many byte strings in one growing buffer: what long commands gather.
 *
 * @module
 */

const FIRST_BYTES = 1024;
const FIRST_COUNT = 64;

/** What the commands of one thread have gathered, and may. Thread: one I/O thread. */
export interface TextHoldings {
  /** Bytes that are held. */
  byteCount: number;
  /** Most bytes that may be. */
  readonly mostBytes: number;
}

/** Byte strings by index; some may be missing. Thread: belongs to one thread. */
export class Texts {
  /** The buffer; another one after each {@link Texts.add}. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  /** How many there are, missing ones included. */
  count = 0;
  /** Where each begins. */
  starts: Uint32Array<ArrayBuffer> = new Uint32Array(FIRST_COUNT);
  /** Behind the last byte of each; before its start: it is missing. */
  ends: Uint32Array<ArrayBuffer> = new Uint32Array(FIRST_COUNT);
  readonly #holdings: TextHoldings;
  #held = 0;
  #length = 1;

  /** Makes an empty one. */
  constructor(holdings: TextHoldings) {
    this.#holdings = holdings;
  }

  /**
   * Makes room for the next one: `bytes[offset, offset + byteCount)`.
   *
   * @returns the offset; -1 when that is more than all may hold
   */
  add(byteCount: number): number {
    const offset = this.#length;
    if (!this.#makeRoom(offset + byteCount)) return -1;
    this.starts[this.count] = offset;
    this.ends[this.count++] = this.#length = offset + byteCount;
    return offset;
  }

  /** Adds one that is missing; false when that is more than all may hold. */
  addMissing(): boolean {
    if (!this.#makeRoom(this.#length)) return false;
    this.starts[this.count] = 1;
    this.ends[this.count++] = 0;
    return true;
  }

  /** Whether one is missing. */
  isMissing(index: number): boolean {
    return this.ends[index]! < this.starts[index]!;
  }

  /** Negative, 0 or positive as one is before, equal to or behind another by its bytes. */
  compare(one: number, other: number): number {
    const { bytes, starts, ends } = this;
    let p = starts[one]!;
    let q = starts[other]!;
    const oneEnd = ends[one]!;
    const otherEnd = ends[other]!;
    while (p < oneEnd && q < otherEnd) {
      const difference = bytes[p++]! - bytes[q++]!;
      if (difference !== 0) return difference;
    }
    return oneEnd - p - (otherEnd - q);
  }

  /** Gives all of it up; may be called again. */
  release(): void {
    this.#holdings.byteCount -= this.#held;
    this.#held = this.count = 0;
    this.bytes = new Uint8Array(0);
  }

  #makeRoom(byteCount: number): boolean {
    const index = this.count;
    if (byteCount > this.bytes.length) {
      if (!this.#hold(Math.max(byteCount, 2 * this.bytes.length) - this.bytes.length)) return false;
      const larger = new Uint8Array(Math.max(byteCount, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.#length));
      this.bytes = larger;
    }
    if (index < this.starts.length) return true;
    if (!this.#hold(8 * index)) return false;
    const starts = new Uint32Array(2 * index);
    const ends = new Uint32Array(2 * index);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
    return true;
  }

  #hold(byteCount: number): boolean {
    const holdings = this.#holdings;
    if (holdings.byteCount + byteCount > holdings.mostBytes) return false;
    holdings.byteCount += byteCount;
    this.#held += byteCount;
    return true;
  }
}
