/**
 * Zipmaps: small hashes of Redis before version 2.6.
 *
 * ```text
 * byte 0   number of fields; 254 and 255: count them
 *      1   fields and values in turn
 *   last   end mark, 255
 *
 * field    length: one byte up to 253, or 254 and a uint32, lowest byte first; then the bytes
 * value    length as above; a byte that says how many unused ones follow; the bytes; the unused ones
 * ```
 *
 * @see https://github.com/sripathikrishnan/redis-rdb-tools/wiki/Redis-RDB-Dump-File-Format
 * @module
 */

import type { ElementReader, PackedBytes } from "./packed_bytes.ts";

const END_MARK = 255;
const LONG_LENGTH = 254;

/** Gives the fields and values of a zipmap in turn. */
export class ZipmapReader implements ElementReader {
  readonly #packed: PackedBytes;
  /** Where the end mark is. */
  readonly #end: number;
  #at = 1;
  #partAt = 1;
  #partCount = 0;

  /** Looks at both ends. @throws {RedisFileError} when they are not those of a zipmap */
  constructor(packed: PackedBytes) {
    const { bytes } = packed;
    packed.check(0, 2, bytes.length, "a zipmap");
    this.#packed = packed;
    this.#end = bytes.length - 1;
    if (bytes[this.#end] !== END_MARK) {
      packed.fail(this.#end, "the end of a zipmap, 255", String(bytes[this.#end]));
    }
  }

  /** See {@link ElementReader}. */
  next(): Uint8Array | undefined {
    const packed = this.#packed;
    if (this.#at === this.#end) {
      const count = packed.bytes[0]!;
      if (count < LONG_LENGTH && count * 2 !== this.#partCount) {
        packed.fail(0, `a count of ${this.#partCount / 2}`, String(count));
      }
      return undefined;
    }
    const isValue = this.#partCount++ % 2 === 1;
    this.#partAt = this.#at;
    const byteCount = this.#length();
    let unusedBytes = 0;
    if (isValue) {
      packed.check(this.#at, 1, this.#end, "a value");
      unusedBytes = packed.bytes[this.#at++]!;
    }
    const at = this.#at;
    packed.check(at, byteCount + unusedBytes, this.#end, isValue ? "a value" : "a field");
    this.#at = at + byteCount + unusedBytes;
    return packed.bytes.subarray(at, at + byteCount);
  }

  /** See {@link ElementReader}. */
  fail(expected: string, found: string): never {
    this.#packed.fail(this.#partAt, expected, found);
  }

  #length(): number {
    const packed = this.#packed;
    const first = packed.bytes[this.#at]!;
    if (first === END_MARK) packed.fail(this.#at, "a length", "the end of a zipmap");
    this.#at++;
    if (first !== LONG_LENGTH) return first;
    packed.check(this.#at, 4, this.#end, "a length");
    this.#at += 4;
    return packed.view.getUint32(this.#at - 4, true);
  }
}
