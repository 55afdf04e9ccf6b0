/**
 * Intsets: sets of which all members are integers.
 *
 * ```text
 * byte 0   bytes to a number: 2, 4 or 8; uint32, lowest byte first, as all numbers here
 *      4   how many numbers there are, uint32
 *      8   the numbers, with a sign, from the least to the greatest
 * ```
 *
 * @see https://github.com/sripathikrishnan/redis-rdb-tools/wiki/Redis-RDB-Dump-File-Format
 * @module
 */

import { digitsOf, digitsOfInt64, type ElementReader, type PackedBytes } from "./packed_bytes.ts";

const HEADER_BYTES = 8;

/** Gives the members of an intset. */
export class IntsetReader implements ElementReader {
  readonly #packed: PackedBytes;
  readonly #width: number;
  #at = HEADER_BYTES;
  #previousHi = -Infinity;
  #previousLo = 0;

  /** Looks at the header. @throws {RedisFileError} when it does not fit the bytes */
  constructor(packed: PackedBytes) {
    const { bytes, view } = packed;
    packed.check(0, HEADER_BYTES, bytes.length, "an intset");
    const width = view.getUint32(0, true);
    if (width !== 2 && width !== 4 && width !== 8) {
      packed.fail(0, "2, 4 or 8 bytes to a number", String(width));
    }
    const count = view.getUint32(4, true);
    if (count * width !== bytes.length - HEADER_BYTES) {
      packed.fail(4, `numbers in ${bytes.length - HEADER_BYTES} bytes`, `a count of ${count}`);
    }
    this.#packed = packed;
    this.#width = width;
  }

  /** See {@link ElementReader}. */
  next(): Uint8Array | undefined {
    const { bytes, view } = this.#packed;
    const at = this.#at;
    if (at === bytes.length) return undefined;
    this.#at = at + this.#width;
    if (this.#width === 8) {
      const hi = view.getInt32(at + 4, true);
      const lo = view.getUint32(at, true);
      this.#checkOrder(hi, lo);
      return digitsOfInt64(hi, lo);
    }
    const value = this.#width === 2 ? view.getInt16(at, true) : view.getInt32(at, true);
    this.#checkOrder(value, 0);
    return digitsOf(value);
  }

  /** See {@link ElementReader}. */
  fail(expected: string, found: string): never {
    this.#packed.fail(this.#at - this.#width, expected, found);
  }

  #checkOrder(hi: number, lo: number): void {
    if (hi < this.#previousHi || (hi === this.#previousHi && lo <= this.#previousLo)) {
      this.fail("a number greater than the one before", "one that is not");
    }
    this.#previousHi = hi;
    this.#previousLo = lo;
  }
}
