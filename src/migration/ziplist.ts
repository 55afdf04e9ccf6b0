/**
 * Ziplists: small lists, hashes and sorted sets of Redis before version 7.
 *
 * ```text
 * byte 0   length of all of it, uint32, lowest byte first, as all numbers outside of encodings
 *      4   where the last entry begins, uint32; the end mark when there is none
 *      8   number of entries, uint16; 65535: count them
 *     10   entries
 *   last   end mark, 255
 *
 * entry    length of the entry before it, 0 for the first: one byte, or 254 and a uint32
 *          encoding, and what is to be seen of the element
 *            00nnnnnn                    n bytes
 *            01nnnnnn nnnnnnnn           n bytes, highest bits first
 *            10000000 uint32             so many bytes, highest byte first
 *            11000000 int16, 11010000 int32, 11100000 int64, 11110000 int24, 11111110 int8
 *            1111nnnn                    the number n - 1, n from 1 to 13
 * ```
 *
 * @see https://github.com/sripathikrishnan/redis-rdb-tools/wiki/Redis-RDB-Dump-File-Format
 * @module
 */

import { digitsOf, digitsOfInt64, type ElementReader, type PackedBytes } from "./packed_bytes.ts";

const HEADER_BYTES = 10;
const END_MARK = 255;
const LONG_LENGTH = 254;
const COUNT_UNKNOWN = 65535;

/** Gives the elements of a ziplist. */
export class ZiplistReader implements ElementReader {
  readonly #packed: PackedBytes;
  /** Where the end mark is. */
  readonly #end: number;
  #at = HEADER_BYTES;
  #entryAt = HEADER_BYTES;
  #previousBytes = 0;
  #count = 0;

  /** Looks at the header. @throws {RedisFileError} when it does not fit the bytes */
  constructor(packed: PackedBytes) {
    const { bytes, view } = packed;
    packed.check(0, HEADER_BYTES + 1, bytes.length, "a ziplist");
    const byteCount = view.getUint32(0, true);
    if (byteCount !== bytes.length) {
      packed.fail(0, `a ziplist of ${bytes.length} bytes`, `the length ${byteCount}`);
    }
    this.#packed = packed;
    this.#end = bytes.length - 1;
    if (bytes[this.#end] !== END_MARK) {
      packed.fail(this.#end, "the end of a ziplist, 255", String(bytes[this.#end]));
    }
  }

  /** See {@link ElementReader}. */
  next(): Uint8Array | undefined {
    if (this.#at === this.#end) {
      this.#checkHeader();
      return undefined;
    }
    const entryAt = this.#at;
    const element = this.#element(this.#pastPrevious());
    this.#entryAt = entryAt;
    this.#previousBytes = this.#at - entryAt;
    this.#count++;
    return element;
  }

  /** See {@link ElementReader}. */
  fail(expected: string, found: string): never {
    this.#packed.fail(this.#entryAt, expected, found);
  }

  /** Passes over the length of the entry before. */
  #pastPrevious(): number {
    const packed = this.#packed;
    const at = this.#at;
    let previousBytes = packed.bytes[at]!;
    let next = at + 1;
    if (previousBytes === LONG_LENGTH) {
      packed.check(next, 4, this.#end, "a length");
      previousBytes = packed.view.getUint32(next, true);
      next += 4;
    }
    if (previousBytes !== this.#previousBytes || packed.bytes[at] === END_MARK) {
      packed.fail(at, `the length before, ${this.#previousBytes}`, String(previousBytes));
    }
    packed.check(next, 1, this.#end, "an encoding");
    return next;
  }

  #element(at: number): Uint8Array {
    const { bytes, view } = this.#packed;
    const first = bytes[at]!;
    switch (first >>> 6) {
      case 0:
        return this.#string(at + 1, first);
      case 1:
        this.#packed.check(at, 2, this.#end, "a length");
        return this.#string(at + 2, ((first & 63) << 8) | bytes[at + 1]!);
      case 2:
        if (first !== 0x80) this.#packed.fail(at, "an encoding", String(first));
        this.#packed.check(at, 5, this.#end, "a length");
        return this.#string(at + 5, view.getUint32(at + 1, false));
      default:
        return this.#number(at, first);
    }
  }

  #string(at: number, byteCount: number): Uint8Array {
    this.#packed.check(at, byteCount, this.#end, "an element");
    this.#at = at + byteCount;
    return this.#packed.bytes.subarray(at, this.#at);
  }

  #number(at: number, first: number): Uint8Array {
    const { view } = this.#packed;
    switch (first) {
      case 0xc0:
        this.#pass(at, 2);
        return digitsOf(view.getInt16(at + 1, true));
      case 0xd0:
        this.#pass(at, 4);
        return digitsOf(view.getInt32(at + 1, true));
      case 0xe0:
        this.#pass(at, 8);
        return digitsOfInt64(view.getInt32(at + 5, true), view.getInt32(at + 1, true));
      case 0xf0:
        this.#pass(at, 3);
        return digitsOf((view.getInt8(at + 3) << 16) | view.getUint16(at + 1, true));
      case 0xfe:
        this.#pass(at, 1);
        return digitsOf(view.getInt8(at + 1));
      default:
        if (first < 0xf1 || first > 0xfd) this.#packed.fail(at, "an encoding", String(first));
        this.#pass(at, 0);
        return digitsOf((first & 15) - 1);
    }
  }

  /** Passes over an encoding and the number behind it. */
  #pass(at: number, byteCount: number): void {
    this.#packed.check(at + 1, byteCount, this.#end, "a number");
    this.#at = at + 1 + byteCount;
  }

  /** What the header says of the entries, now that they were seen. */
  #checkHeader(): void {
    const { view } = this.#packed;
    const count = view.getUint16(8, true);
    if (count !== COUNT_UNKNOWN && count !== this.#count) {
      this.#packed.fail(8, `a count of ${this.#count}`, String(count));
    }
    const last = view.getUint32(4, true);
    if (last !== this.#entryAt) {
      this.#packed.fail(4, `the place of the last entry, ${this.#entryAt}`, String(last));
    }
  }
}
