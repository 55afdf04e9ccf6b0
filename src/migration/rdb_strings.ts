/**
 * Lengths and strings of RDB files.
 *
 * ```text
 * length   00nnnnnn             n                    11nnnnnn   no length; of a string:
 *          01nnnnnn nnnnnnnn    n, highest first       0, 1, 2  a number of 1, 2, 4 bytes, lowest
 *          10000000 uint32      highest byte first              first, whose digits are the string
 *          10000001 uint64      the same               3        length packed, length, LZF
 * string   length, bytes
 * ```
 *
 * @see https://github.com/sripathikrishnan/redis-rdb-tools/wiki/Redis-RDB-Dump-File-Format
 * @module
 */

import { Int64 } from "../base/int64.ts";
import type { FileCursor } from "./file_cursor.ts";
import { MOST_EXPANSION, tryUnpack } from "./lzf.ts";
import { digitsOf, PackedBytes } from "./packed_bytes.ts";

/** What a reader of Redis's files takes. */
export interface RedisFileLimits {
  /**
   * Longest string that has to be in memory as a whole: a key, an element, a small collection, what
   * is compressed. Longer ones are an error, which a damaged length most often is. Unit: bytes.
   */
  readonly maxStringBytes: number;
  /** Most arguments of a command of an AOF, its name counted. */
  readonly maxArguments: number;
}

/** Strings as Redis has it, unless it was told otherwise; arguments as it had until version 6. */
export const DEFAULT_LIMITS: RedisFileLimits = {
  maxStringBytes: 512 * 1024 * 1024,
  maxArguments: 1024 * 1024,
};

/** Strings up to this are one piece. Unit: bytes. */
export const PIECE_BYTES = 256 * 1024;

const LENGTH = "a length";
const LENGTH_64 = 0x81;
const TWO_32 = 2 ** 32;

/** What the two lowest bits of an encoding say. */
const PACKED = 3;

/** Reads the lengths and strings of a file. */
export class RdbStrings {
  /** Where in the file. */
  readonly cursor: FileCursor;
  readonly #maxBytes: number;
  /** Where the string begins that came last. */
  #stringOffset = 0;
  #wasCompressed = false;

  /** Reads where the cursor is. */
  constructor(cursor: FileCursor, { maxStringBytes }: RedisFileLimits) {
    this.cursor = cursor;
    this.#maxBytes = maxStringBytes;
  }

  /** Reads a length, or any other number that is written so; inexact above 2^53. */
  length(): number {
    const first = this.cursor.byte(LENGTH);
    return first < 64 ? first : this.#longLength(first);
  }

  /** Reads a number that is written like a length and may have 64 bits. */
  int64(): Int64 {
    const { cursor } = this;
    if (!cursor.tryHave(1)) cursor.failShort(LENGTH);
    if (cursor.peek() !== LENGTH_64) return new Int64(0, this.length());
    cursor.byte(LENGTH);
    const hi = cursor.uint32FromHighest(LENGTH);
    return new Int64(hi | 0, cursor.uint32FromHighest(LENGTH));
  }

  /**
   * Reads how many of something follow.
   *
   * @param leastBytes what one of them takes in the file; more than fit are an error
   */
  count(leastBytes: number, what: string): number {
    const { offset } = this.cursor;
    const count = this.length();
    const { remaining } = this.cursor;
    if (count * leastBytes > remaining) {
      this.cursor.fail(offset, `a number of ${what}`, `${count}, and ${remaining} more bytes`);
    }
    return count;
  }

  /** Reads a string. */
  string(): Uint8Array {
    const first = this.cursor.byte("a string");
    return first < 64 ? this.#plain(first) : this.#longString(first);
  }

  /** Reads a string that holds a compact encoding. */
  packed(): PackedBytes {
    const bytes = this.string();
    return new PackedBytes(this.cursor, bytes, this.#stringOffset, this.#wasCompressed);
  }

  /**
   * Reads the front of a string that may be long.
   *
   * @returns the string, or the length of one of more than {@link PIECE_BYTES} that follows
   */
  stringOrLength(): Uint8Array | number {
    const first = this.cursor.byte("a string");
    if (first < 64) return this.#plain(first);
    if (first >= 0xc0) return this.#encoded(first);
    const byteCount = this.#longLength(first);
    if (byteCount <= PIECE_BYTES) return this.#plain(byteCount);
    const { offset, remaining } = this.cursor;
    if (byteCount > remaining) {
      this.cursor.fail(offset, `a string of ${byteCount} bytes`, `${remaining} more bytes`);
    }
    return byteCount;
  }

  /** Passes over a string. */
  skip(): void {
    const found = this.stringOrLength();
    if (typeof found === "number") this.cursor.skip(found, "a string");
  }

  #longLength(first: number): number {
    const { cursor } = this;
    switch (first) {
      case 0x80:
        return cursor.uint32FromHighest(LENGTH);
      case LENGTH_64: {
        const hi = cursor.uint32FromHighest(LENGTH);
        return hi * TWO_32 + cursor.uint32FromHighest(LENGTH);
      }
    }
    if (first < 0x80) return ((first & 63) << 8) | cursor.byte(LENGTH);
    return cursor.fail(cursor.offset - 1, LENGTH, `the byte ${first}`);
  }

  #longString(first: number): Uint8Array {
    return first < 0xc0 ? this.#plain(this.#longLength(first)) : this.#encoded(first);
  }

  #plain(byteCount: number): Uint8Array {
    const { cursor } = this;
    this.#stringOffset = cursor.offset;
    this.#wasCompressed = false;
    if (byteCount > this.#maxBytes) this.#failLong(byteCount);
    return cursor.take(byteCount, "a string");
  }

  #encoded(first: number): Uint8Array {
    const { cursor } = this;
    this.#stringOffset = cursor.offset - 1;
    this.#wasCompressed = true;
    switch (first & 63) {
      case 0:
        return digitsOf((cursor.byte("a number") << 24) >> 24);
      case 1:
        return digitsOf(cursor.int16("a number"));
      case 2:
        return digitsOf(cursor.int32("a number"));
      case PACKED:
        return this.#unpack();
      default:
        return cursor.fail(this.#stringOffset, "a string", `the encoding ${first}`);
    }
  }

  /** Nothing is made for a text of which there cannot be so much. */
  #unpack(): Uint8Array {
    const { cursor } = this;
    const packedBytes = this.length();
    const byteCount = this.length();
    if (packedBytes > this.#maxBytes) this.#failLong(packedBytes);
    if (byteCount > this.#maxBytes) this.#failLong(byteCount);
    if (byteCount > packedBytes * MOST_EXPANSION) {
      const found = `the length ${byteCount} for ${packedBytes} bytes`;
      cursor.fail(this.#stringOffset, "a compressed string", found);
    }
    const packed = cursor.take(packedBytes, "a compressed string");
    const bytes = new Uint8Array(byteCount);
    if (tryUnpack(packed, bytes)) return bytes;
    return cursor.fail(this.#stringOffset, "a compressed string", "something else");
  }

  #failLong(byteCount: number): never {
    this.cursor.fail(
      this.#stringOffset,
      `a string of at most ${this.#maxBytes} bytes`,
      `one of ${byteCount}`,
    );
  }
}
