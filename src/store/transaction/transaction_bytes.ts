/**
 * The bytes of a transaction: its keys, fields and values, one behind the other.
 *
 * @module
 */

import { formatInt64, Int64, INT64_MAX_DECIMAL_BYTES } from "../../base/int64.ts";
import { copyBytes } from "../collection/records.ts";
import { MAX_KEY_BYTES } from "../entry.ts";
import { type KeyLike, TransactionLimit, type ValueLike } from "./types.ts";

const FIRST_BYTES = 4096;
/** A character of a text is at most so many bytes of UTF-8. */
const MAX_CHARACTER_BYTES = 3;

/** Texts up to so many bytes are handled here. */
const SHORT_BYTES = 64;
const MAX_ASCII = 127;

const encoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
// Of bytes, not of UTF-8: each byte is a character of its own.
const byteDecoder = new TextDecoder("latin1");

/**
 * Takes bytes in and keeps them until it is cleared. What was added last is `bytes[start, end)`.
 *
 * Thread: belongs to one transaction. A single short key allocates nothing.
 */
export class TransactionBytes {
  /** Everything that was added, from 0 to {@link TransactionBytes.end}. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  /** Where what was added last begins. */
  start = 0;
  /** Where it ends; behind it is nothing. */
  end = 0;

  /** What was added last, if it was a short text. */
  #short: string | undefined;

  /** Forgets everything. */
  clear(): void {
    this.start = this.end = 0;
    // A large transaction is rare, and must not keep its memory.
    if (this.bytes.length > 16 * FIRST_BYTES) this.bytes = new Uint8Array(FIRST_BYTES);
  }

  /** Forgets what was added since `end` was this. */
  cutAt(end: number): void {
    this.start = this.end = end;
    this.#short = undefined;
  }

  /** Adds a key; throws when there is none such. */
  addKey(key: KeyLike): void {
    this.addText(key);
    const byteCount = this.end - this.start;
    if (byteCount > MAX_KEY_BYTES) {
      this.cutAt(this.start);
      throw new RangeError(
        `Cannot use a key of ${byteCount} bytes: keys have at most ${MAX_KEY_BYTES}`,
      );
    }
  }

  /** Adds a text or bytes. */
  addText(text: KeyLike): void {
    if (typeof text === "string") {
      if (text.length <= SHORT_BYTES && this.#addShort(text)) return;
      const room = this.#reserve(text.length * MAX_CHARACTER_BYTES, text.length);
      const { written } = encoder.encodeInto(text, this.bytes.subarray(room));
      this.#take(room, written);
      return;
    }
    if (!(text instanceof Uint8Array)) {
      throw new TypeError(`Cannot use ${typeof text} as text: it takes a string or a Uint8Array`);
    }
    const byteCount = text.length;
    const room = this.#reserve(byteCount, byteCount);
    copyBytes(text, 0, byteCount, this.bytes, room);
    this.#take(room, byteCount);
  }

  /** Adds a value; numbers as JSON has them. */
  addValue(value: ValueLike): void {
    if (typeof value === "bigint") return this.addText(String(value));
    if (typeof value !== "number") return this.addText(value);
    if (!Number.isFinite(value)) throw new TypeError(`Cannot store ${value}: it is not finite`);
    // -0 is written as 0, as in JSON.
    this.addText(String(value));
  }

  /** Makes room for the digits of so many integers, so that none is made with locks held. */
  makeRoomFor(integerCount: number): void {
    this.#reserve(integerCount * INT64_MAX_DECIMAL_BYTES, 0);
  }

  /** Adds the digits of an integer, also where the limit is reached: there are only so many. */
  addInteger(value: Int64): void {
    const room = this.#reserve(INT64_MAX_DECIMAL_BYTES, 0);
    this.#short = undefined;
    this.start = room;
    this.end = room + formatInt64(value.hi, value.lo, this.bytes, room);
  }

  /** What was added last, as a string that is the same for the same bytes only. */
  name(): string {
    return this.#short ?? byteDecoder.decode(this.bytes.subarray(this.start, this.end));
  }

  /**
   * Adds a short text of ASCII characters only, which is faster here than a call of an encoder.
   *
   * @returns false when it is none: nothing was added
   */
  #addShort(text: string): boolean {
    const byteCount = text.length;
    const start = this.#reserve(byteCount, byteCount);
    const { bytes } = this;
    for (let i = 0; i < byteCount; i++) {
      const code = text.charCodeAt(i);
      if (code > MAX_ASCII) return false;
      bytes[start + i] = code;
    }
    this.#take(start, byteCount);
    this.#short = text;
    return true;
  }

  /** Makes room for `byteCount` bytes; throws when `least` of them are too many. Returns where. */
  #reserve(byteCount: number, least: number): number {
    if (least > 0 && this.end + least > TransactionLimit.BYTES) throw tooManyBytes();
    const wanted = this.end + byteCount;
    if (wanted > this.bytes.length) {
      // The old buffer stays as it is: keys may still point at it.
      const grown = new Uint8Array(Math.max(wanted, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.end));
      this.bytes = grown;
    }
    return this.end;
  }

  #take(start: number, byteCount: number): void {
    this.#short = undefined;
    if (start + byteCount > TransactionLimit.BYTES) throw tooManyBytes();
    this.start = start;
    this.end = start + byteCount;
  }
}

/** A text of UTF-8; bytes that are none are replaced. The bytes are not shared with other threads. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT_BYTES) return textDecoder.decode(bytes.subarray(start, end));
  let text = "";
  for (let i = start; i < end; i++) {
    const code = bytes[i]!;
    if (code > MAX_ASCII) return textDecoder.decode(bytes.subarray(start, end));
    text += String.fromCharCode(code);
  }
  return text;
}

function tooManyBytes(): RangeError {
  return new RangeError(
    `Cannot take more keys and values: a transaction has at most ${TransactionLimit.BYTES} bytes of them`,
  );
}

/** Makes an integer of what a user gives; throws when it is none of 64 bits. */
export function toInt64(value: number | bigint | Int64, result: Int64): void {
  if (value instanceof Int64) {
    result.copyFrom(value);
  } else if (typeof value === "bigint") {
    if (BigInt.asIntN(64, value) !== value) {
      throw new RangeError(`Cannot add ${value}: it does not fit 64 bits`);
    }
    result.lo = Number(BigInt.asUintN(32, value));
    result.hi = Number(value >> 32n);
  } else if (Number.isSafeInteger(value)) {
    result.setNumber(value);
  } else {
    throw new RangeError(`Cannot add ${value}: it is not a safe integer`);
  }
}
