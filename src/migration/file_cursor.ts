/**
 * Reads a file from front to back, through a buffer.
 *
 * ```text
 *          #start                                    all of these but #start
 *          ▼                                         are places in #bytes
 * file   ──┬───────────┬─────────────┬─────────────┬──────
 * #bytes   │ was read  │ to be read  │ not filled  │
 *          0           #at           #end          #bytes.length
 * ```
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { Crc64 } from "../base/crc64.ts";
import { type FileSource, messageOf } from "./file_source.ts";
import { RedisFileError } from "./redis_file_error.ts";

/** Bytes that are asked for at a time, unless more are needed in one piece. */
const CHUNK_BYTES = 256 * 1024;

const NOTHING = new Uint8Array(0);

/**
 * A place in a file that moves on.
 *
 * Bytes are handed out as views, which stay as they are: a full buffer is not used again but
 * replaced. So one that is kept for long keeps up to 256 KiB from being freed; copy it.
 *
 * The buffer never grows for what the file cannot hold: whoever asks for more bytes than are left
 * gets an error first.
 *
 * Thread: belongs to one thread.
 */
export class FileCursor {
  /** The file. */
  readonly source: FileSource;
  /** What made reading stop; nothing is read afterwards. */
  failure: RedisFileError | undefined;

  #bytes: Uint8Array = NOTHING;
  #view = new DataView(NOTHING.buffer);
  #start = 0;
  #at = 0;
  #end = 0;
  #sum: Crc64 | undefined;

  /** Begins at the first byte. */
  constructor(source: FileSource) {
    this.source = source;
  }

  /** How many bytes are in front of the cursor's place. */
  get offset(): number {
    return this.#start + this.#at;
  }

  /** How many bytes are behind it. */
  get remaining(): number {
    return this.source.byteCount - this.#start - this.#at;
  }

  /** Goes elsewhere. Not while a checksum is made. */
  seek(offset: number): void {
    const at = offset - this.#start;
    if (at >= 0 && at <= this.#end) {
      this.#at = at;
      return;
    }
    this.#start = offset;
    this.#at = this.#end = 0;
    this.#bytes = NOTHING;
  }

  /** Begins a checksum. At the start of the file only. */
  beginSum(): void {
    assert(this.offset === 0, "a checksum has everything from the start");
    this.#sum = new Crc64();
  }

  /** The checksum up to here; none is made any more. */
  endSum(): Crc64 {
    const sum = this.#sum ?? new Crc64();
    sum.add(this.#bytes, 0, this.#at);
    this.#sum = undefined;
    return sum;
  }

  /** Whether so many bytes are left; they are in the buffer then. */
  tryHave(byteCount: number): boolean {
    return this.#end - this.#at >= byteCount || this.#tryFill(byteCount);
  }

  /**
   * Sees to it that so many bytes are in the buffer.
   *
   * @param what they are, in words
   * @throws {RedisFileError} when the file ends before
   */
  have(byteCount: number, what: string): void {
    if (this.#end - this.#at < byteCount && !this.#tryFill(byteCount)) this.failShort(what);
  }

  /** Takes a byte, of something that is `what`. */
  byte(what: string): number {
    if (this.#at === this.#end && !this.#tryFill(1)) this.failShort(what);
    return this.#bytes[this.#at++]!;
  }

  /** Takes two bytes as a signed number, the lower one first. */
  int16(what: string): number {
    this.have(2, what);
    this.#at += 2;
    return this.#view.getInt16(this.#at - 2, true);
  }

  /** Takes four bytes as a signed number, the lowest first. */
  int32(what: string): number {
    this.have(4, what);
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4, true);
  }

  /** Takes four bytes as a number, the lowest first. */
  uint32(what: string): number {
    this.have(4, what);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  /** Takes four bytes as a number, the highest first. */
  uint32FromHighest(what: string): number {
    this.have(4, what);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, false);
  }

  /** Takes eight bytes as a double, the lowest first. */
  double(what: string): number {
    this.have(8, what);
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  /** Takes bytes as a view, of something that is `what`. */
  take(byteCount: number, what: string): Uint8Array {
    const at = this.#at;
    const next = at + byteCount;
    if (next <= this.#end) {
      this.#at = next;
      return this.#bytes.subarray(at, next);
    }
    if (!this.#tryFill(byteCount)) this.failShort(what, `${byteCount} bytes of `);
    this.#at += byteCount;
    return this.#bytes.subarray(this.#at - byteCount, this.#at);
  }

  /** Takes up to `most` bytes, more than none, as they come. */
  takeSome(most: number, what: string): Uint8Array {
    this.have(1, what);
    return this.take(Math.min(most, this.#end - this.#at), what);
  }

  /** Passes over bytes of something that is `what`. */
  skip(byteCount: number, what: string): void {
    if (byteCount > this.remaining) this.failShort(what, `${byteCount} bytes of `);
    if (this.#sum === undefined) {
      this.seek(this.offset + byteCount);
      return;
    }
    for (let left = byteCount; left > 0;) {
      this.have(1, what);
      const step = Math.min(left, this.#end - this.#at);
      this.#at += step;
      left -= step;
    }
  }

  /** The next byte, which must be in the buffer; it is not taken. */
  peek(): number {
    return this.#bytes[this.#at]!;
  }

  /** Throws, and remembers it. */
  fail(offset: number, expected: string, found: string, options?: ErrorOptions): never {
    this.failure = new RedisFileError(this.source.name, offset, expected, found, options);
    throw this.failure;
  }

  /** Throws because the file ends inside of `what`. */
  failShort(what: string, amount = ""): never {
    if (this.failure !== undefined) throw this.failure;
    this.fail(this.offset, amount + what, `the end of the file, at ${this.source.byteCount}`);
  }

  #tryFill(byteCount: number): boolean {
    if (byteCount > this.remaining) return false;
    if (this.#at + byteCount > this.#bytes.length) this.#replace(byteCount);
    while (this.#end - this.#at < byteCount) {
      const read = this.#read();
      if (read === 0) return false;
      this.#end += read;
    }
    return true;
  }

  /** Another buffer, with room for `byteCount` bytes from here. */
  #replace(byteCount: number): void {
    this.#sum?.add(this.#bytes, 0, this.#at);
    const bytes = new Uint8Array(Math.min(Math.max(CHUNK_BYTES, byteCount), this.remaining));
    bytes.set(this.#bytes.subarray(this.#at, this.#end));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#start += this.#at;
    this.#end -= this.#at;
    this.#at = 0;
  }

  #read(): number {
    const offset = this.#start + this.#end;
    try {
      return this.source.readAt(offset, this.#bytes.subarray(this.#end));
    } catch (cause) {
      this.fail(offset, "to read on", messageOf(cause), { cause });
    }
  }
}
