/**
 * Growable byte buffers for what a connection reads and writes.
 *
 * @module
 */

import { assert } from "./assert.ts";
import { formatInt64, INT64_MAX_DECIMAL_BYTES, writeDigits } from "./int64.ts";

const textEncoder = new TextEncoder();
const MINUS = 0x2d;

/**
 * An append-only byte buffer that grows as needed and is reused between batches.
 *
 * Shape: `bytes[0, length)` is the content; `bytes` may be longer and is replaced when it grows,
 * so never keep a reference to it across an append.
 *
 * Thread: belongs to one connection.
 */
export class ByteWriter {
  /** Backing array; only `[0, length)` is content. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Content length in bytes. */
  length = 0;

  readonly #initialBytes: number;

  /**
   * Makes an empty writer.
   *
   * @param initialBytes capacity to start with, in bytes
   */
  constructor(initialBytes = 256) {
    this.#initialBytes = initialBytes;
    this.bytes = new Uint8Array(initialBytes);
  }

  /**
   * Makes room for `byteCount` more bytes behind `length`, without changing `length`.
   *
   * @returns the offset where the room starts (`length`)
   */
  reserve(byteCount: number): number {
    const needed = this.length + byteCount;
    if (needed > this.bytes.length) this.#grow(needed);
    return this.length;
  }

  /** Appends one byte. */
  byte(value: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1);
    this.bytes[this.length++] = value;
  }

  /** Appends `source[start, end)`. */
  copy(source: Uint8Array, start = 0, end: number = source.length): void {
    const byteCount = end - start;
    let at = this.reserve(byteCount);
    const target = this.bytes;
    if (byteCount <= 24) {
      for (let i = start; i < end; i++) target[at++] = source[i]!;
    } else {
      target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
    }
    this.length += byteCount;
  }

  /** Appends a string of ASCII characters (asserted by callers' constants, not checked here). */
  ascii(text: string): void {
    let at = this.reserve(text.length);
    const target = this.bytes;
    for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** Appends a string as UTF-8. */
  utf8(text: string): void {
    const at = this.reserve(text.length * 3);
    this.length += textEncoder.encodeInto(text, this.bytes.subarray(at)).written;
  }

  /** Appends a safe integer in decimal. */
  integer(value: number): void {
    const at = this.reserve(INT64_MAX_DECIMAL_BYTES);
    if (value < 0) {
      this.bytes[at] = MINUS;
      this.length = writeDigits(-value, this.bytes, at + 1);
    } else {
      this.length = writeDigits(value, this.bytes, at);
    }
  }

  /** Appends the int64 `(hi, lo)` in decimal. */
  int64(hi: number, lo: number): void {
    const at = this.reserve(INT64_MAX_DECIMAL_BYTES);
    this.length += formatInt64(hi, lo, this.bytes, at);
  }

  /** The content as a view; valid until the next append. */
  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  /**
   * Forgets the content.
   *
   * @param keepBytes a backing array larger than this is given back to the garbage collector, so
   *   that one large reply does not pin its memory for the connection's life
   */
  clear(keepBytes = 65536): void {
    this.length = 0;
    if (this.bytes.length > keepBytes) this.bytes = new Uint8Array(this.#initialBytes);
  }

  #grow(needed: number): void {
    assert(needed <= 2 ** 31, `a buffer of ${needed} bytes is beyond every limit`);
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

/**
 * Unread input of a connection: `bytes[start, end)`.
 *
 * A decoder takes complete requests from the front by advancing `start` and leaves an incomplete
 * one where it is. The connection appends at `end` and moves or grows the array between calls.
 *
 * Thread: belongs to one connection.
 */
export class InputBuffer {
  /** Backing array; replaced when it grows or shrinks. */
  bytes: Uint8Array<ArrayBuffer>;
  /** First unread byte. */
  start = 0;
  /** Behind the last byte read from the socket. */
  end = 0;

  readonly #initialBytes: number;

  /**
   * Makes an empty buffer.
   *
   * @param initialBytes capacity to start with and to shrink back to, in bytes
   */
  constructor(initialBytes = 4096) {
    this.#initialBytes = initialBytes;
    this.bytes = new Uint8Array(initialBytes);
  }

  /** Unread bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /**
   * Returns free space behind `end` to read into; call {@link commit} with what arrived.
   *
   * Moves the unread bytes to the front when that makes room, doubles when they fill the array,
   * and goes back to the initial size when everything was consumed.
   */
  space(): Uint8Array<ArrayBuffer> {
    const unread = this.end - this.start;
    if (unread === 0) {
      this.start = 0;
      this.end = 0;
      // The last read filled it: keep the larger array while the client sends large batches.
      if (this.bytes.length > this.#initialBytes && !this.#lastReadFilled) {
        this.bytes = new Uint8Array(this.#initialBytes);
      }
    } else if (this.end === this.bytes.length || this.start > this.bytes.length >> 1) {
      if (this.start > 0) {
        this.bytes.copyWithin(0, this.start, this.end);
        this.start = 0;
        this.end = unread;
      }
      if (this.end > this.bytes.length >> 1) {
        const larger = new Uint8Array(this.bytes.length * 2);
        larger.set(this.bytes.subarray(0, unread));
        this.bytes = larger;
      }
    }
    return this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
  }

  /** Marks `byteCount` bytes of the space as filled. */
  commit(byteCount: number): void {
    this.end += byteCount;
    this.#lastReadFilled = this.end === this.bytes.length;
  }

  /** Grows for a known request size, up to `byteCount` bytes from `start`. */
  ensure(byteCount: number): void {
    if (this.start + byteCount <= this.bytes.length) return;
    const unread = this.end - this.start;
    const target = byteCount > this.bytes.length ? new Uint8Array(byteCount) : this.bytes;
    target.set(this.bytes.subarray(this.start, this.end));
    this.bytes = target;
    this.start = 0;
    this.end = unread;
  }

  #lastReadFilled = false;
}
