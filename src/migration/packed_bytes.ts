/**
 * What the compact encodings have in common: elements that lie one behind the other in one string.
 *
 * @module
 */

import { formatInt64, INT64_MAX_DECIMAL_BYTES, writeDigits } from "../base/int64.ts";
import type { FileCursor } from "./file_cursor.ts";

/** Gives elements one by one. */
export interface ElementReader {
  /**
   * The next element, or undefined behind the last one.
   *
   * @throws {RedisFileError} when the bytes are not what they should be
   */
  next(): Uint8Array | undefined;
  /** Throws for something that is wrong with the element that came last. */
  fail(expected: string, found: string): never;
}

/** The bytes of a compact encoding, and where in the file they come from. */
export class PackedBytes {
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** The same, for numbers. */
  readonly view: DataView;
  readonly #cursor: FileCursor;
  readonly #offset: number;
  readonly #wasCompressed: boolean;

  /**
   * Takes the bytes of a string.
   *
   * @param offset where the bytes begin in the file, or, when they were compressed, what they were
   *   made of
   */
  constructor(cursor: FileCursor, bytes: Uint8Array, offset: number, wasCompressed: boolean) {
    this.#cursor = cursor;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#offset = offset;
    this.#wasCompressed = wasCompressed;
  }

  /** Throws for something that is wrong at `bytes[at]`. */
  fail(at: number, expected: string, found: string): never {
    if (!this.#wasCompressed) this.#cursor.fail(this.#offset + at, expected, found);
    this.#cursor.fail(this.#offset, `${expected} at byte ${at} of what is compressed here`, found);
  }

  /** Throws unless `bytes[at, at + byteCount)` lies before `end`. */
  check(at: number, byteCount: number, end: number, what: string): void {
    if (at + byteCount <= end) return;
    this.fail(at, `${byteCount} bytes of ${what}`, `${end - at} before the end`);
  }
}

const scratch = new Uint8Array(INT64_MAX_DECIMAL_BYTES);
const MINUS = 0x2d;

/** The decimal digits of a safe integer, as bytes of their own. */
export function digitsOf(value: number): Uint8Array {
  if (value >= 0) return scratch.slice(0, writeDigits(value, scratch, 0));
  scratch[0] = MINUS;
  return scratch.slice(0, writeDigits(-value, scratch, 1));
}

/** The decimal digits of `hi * 2^32 + lo`, as bytes of their own. */
export function digitsOfInt64(hi: number, lo: number): Uint8Array {
  return scratch.slice(0, formatInt64(hi, lo >>> 0, scratch, 0));
}
