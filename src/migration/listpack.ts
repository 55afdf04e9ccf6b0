/**
 * Listpacks: small lists, hashes, sets and sorted sets of Redis from version 7 on.
 *
 * ```text
 * byte 0   length of all of it, uint32, lowest byte first, as all numbers outside of encodings
 *      4   number of elements, uint16; 65535: count them
 *      6   elements
 *   last   end mark, 255
 *
 * element  0nnnnnnn                    the number n
 *          10nnnnnn                    n bytes
 *          110nnnnn nnnnnnnn           the number n of 13 bits, highest first, with a sign
 *          1110nnnn nnnnnnnn           n bytes
 *          11110000 uint32             so many bytes
 *          11110001 int16, 11110010 int24, 11110011 int32, 11110100 int64
 *          then the length of that, 7 bits to a byte, highest first; all bytes but the first of it
 *          have their eighth bit set, because it is made to be read from its end
 * ```
 *
 * @see https://github.com/antirez/listpack/blob/master/listpack.md
 * @module
 */

import { digitsOf, digitsOfInt64, type ElementReader, type PackedBytes } from "./packed_bytes.ts";

const HEADER_BYTES = 6;
const END_MARK = 255;
const COUNT_UNKNOWN = 65535;

/** Gives the elements of a listpack. */
export class ListpackReader implements ElementReader {
  readonly #packed: PackedBytes;
  /** Where the end mark is. */
  readonly #end: number;
  #at = HEADER_BYTES;
  #elementAt = HEADER_BYTES;
  #count = 0;

  /** Looks at the header. @throws {RedisFileError} when it does not fit the bytes */
  constructor(packed: PackedBytes) {
    const { bytes, view } = packed;
    packed.check(0, HEADER_BYTES + 1, bytes.length, "a listpack");
    const byteCount = view.getUint32(0, true);
    if (byteCount !== bytes.length) {
      packed.fail(0, `a listpack of ${bytes.length} bytes`, `the length ${byteCount}`);
    }
    this.#packed = packed;
    this.#end = bytes.length - 1;
    if (bytes[this.#end] !== END_MARK) {
      packed.fail(this.#end, "the end of a listpack, 255", String(bytes[this.#end]));
    }
  }

  /** See {@link ElementReader}. */
  next(): Uint8Array | undefined {
    const at = this.#at;
    if (at === this.#end) {
      const count = this.#packed.view.getUint16(4, true);
      if (count !== COUNT_UNKNOWN && count !== this.#count) {
        this.#packed.fail(4, `a count of ${this.#count}`, String(count));
      }
      return undefined;
    }
    this.#elementAt = at;
    const element = this.#element(at);
    this.#passLength(this.#at - at);
    this.#count++;
    return element;
  }

  /** See {@link ElementReader}. */
  fail(expected: string, found: string): never {
    this.#packed.fail(this.#elementAt, expected, found);
  }

  #element(at: number): Uint8Array {
    const packed = this.#packed;
    const first = packed.bytes[at]!;
    if (first < 0x80) {
      this.#at = at + 1;
      return digitsOf(first);
    }
    if (first < 0xc0) return this.#string(at + 1, first & 63);
    if (first >= 0xf0) return this.#wide(at, first);
    packed.check(at, 2, this.#end, "an element");
    const second = packed.bytes[at + 1]!;
    if (first >= 0xe0) return this.#string(at + 2, ((first & 15) << 8) | second);
    this.#at = at + 2;
    // Its sign is the highest of 13 bits.
    return digitsOf(((((first & 31) << 8) | second) << 19) >> 19);
  }

  #wide(at: number, first: number): Uint8Array {
    const { view } = this.#packed;
    switch (first) {
      case 0xf0:
        this.#packed.check(at, 5, this.#end, "a length");
        return this.#string(at + 5, view.getUint32(at + 1, true));
      case 0xf1:
        this.#pass(at, 2);
        return digitsOf(view.getInt16(at + 1, true));
      case 0xf2:
        this.#pass(at, 3);
        return digitsOf((view.getInt8(at + 3) << 16) | view.getUint16(at + 1, true));
      case 0xf3:
        this.#pass(at, 4);
        return digitsOf(view.getInt32(at + 1, true));
      case 0xf4:
        this.#pass(at, 8);
        return digitsOfInt64(view.getInt32(at + 5, true), view.getInt32(at + 1, true));
      default:
        return this.#packed.fail(at, "an encoding", String(first));
    }
  }

  #string(at: number, byteCount: number): Uint8Array {
    this.#packed.check(at, byteCount, this.#end, "an element");
    this.#at = at + byteCount;
    return this.#packed.bytes.subarray(at, this.#at);
  }

  /** Passes over an encoding and the number behind it. */
  #pass(at: number, byteCount: number): void {
    this.#packed.check(at + 1, byteCount, this.#end, "a number");
    this.#at = at + 1 + byteCount;
  }

  /** Passes over the length behind an element of `byteCount` bytes. */
  #passLength(byteCount: number): void {
    const packed = this.#packed;
    let lengthBytes = 1;
    while (byteCount >= 2 ** (7 * lengthBytes)) lengthBytes++;
    const at = this.#at;
    packed.check(at, lengthBytes, this.#end, "a length");
    for (let i = 0; i < lengthBytes; i++) {
      const bits = Math.floor(byteCount / 2 ** (7 * (lengthBytes - 1 - i))) & 127;
      const wanted = i === 0 ? bits : bits | 128;
      const found = packed.bytes[at + i]!;
      if (found !== wanted) {
        packed.fail(at + i, `the length behind an element of ${byteCount} bytes`, String(found));
      }
    }
    this.#at = at + lengthBytes;
  }
}
