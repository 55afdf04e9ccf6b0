/**
 * Growable byte buffers for what a connection reads and writes.
 *
 * @module
 */

import { assert } from "./assert.ts";
import type { ClientMemory } from "./client_memory.ts";
import { formatInt64, INT64_MAX_DECIMAL_BYTES, writeDigits } from "./int64.ts";
import { copyBytes, isShared } from "./shared_copy.ts";

const textEncoder = new TextEncoder();
const MINUS = 0x2d;

/** What a buffer has that was lent nothing. */
const NO_BLOCK = new Uint8Array(0);

/**
 * An input buffer goes to a smaller block when less than one in this many of its bytes is unread:
 * few enough that a client which sends large and small requests in turn does not make it move each
 * time.
 */
const SHRINK_RATIO = 8;

/**
 * An input buffer goes to its smallest block after so many reads that would have fitted: a client
 * that sends batches now and then does not make it go back and forth.
 */
const CALM_READS = 16;

/** An input buffer grows so far for batches in any case. Unit: bytes. */
const SCARCE_BATCH_BYTES = 32768;
/** And further while less than one part in so many of the memory is lent. */
const PLENTY_SHARE = 8;

/**
 * A writer begins with what it had when it was last given back, up to so many bytes: growing there
 * by doubling would copy as much again. Only while no more than one part in
 * {@link FREE_MEMORY_SHARE} of the memory is lent.
 */
const USUAL_BYTES_MAX = 131072;
const FREE_MEMORY_SHARE = 4;

/** So few bytes are copied one by one. */
const SHORT_COPY_BYTES = 24;

/**
 * An append-only byte buffer that grows as needed and is reused between batches.
 *
 * Shape: `bytes[0, length)` is the content; `bytes` may be longer and is replaced when it grows,
 * so never keep a reference to it across an append.
 *
 * With a {@link ClientMemory} its array is lent from there: none while the writer is empty and
 * released, and beyond the bound when a reply cannot wait, which whoever runs the connection has to
 * make good.
 *
 * With {@link ByteWriter.mostBytes} it does not grow beyond that: who appends cannot be stopped, but
 * what is appended is lost, and {@link ByteWriter.isOver} says so.
 *
 * Thread: belongs to one connection.
 */
export class ByteWriter {
  /** Backing array; only `[0, length)` is content. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Content length in bytes. */
  length = 0;
  /** It does not grow beyond this, unless a single append is longer. Unit: bytes. */
  mostBytes: number = Infinity;
  /** The content up to here outlives what is lost; less than half of `mostBytes`. Unit: bytes. */
  keptBytes = 0;
  /** More was appended than it may have: the content behind `keptBytes` is garbage. */
  isOver = false;

  readonly #initialBytes: number;
  readonly #memory: ClientMemory | undefined;
  /** What it had when it was given back. Unit: bytes. */
  #usualBytes = 0;

  /**
   * Makes an empty writer.
   *
   * @param initialBytes capacity to start with, in bytes
   * @param memory lends the array; when left out, it is on the heap
   */
  constructor(initialBytes = 256, memory?: ClientMemory) {
    this.#initialBytes = initialBytes;
    this.#memory = memory;
    this.bytes = memory === undefined ? new Uint8Array(initialBytes) : NO_BLOCK;
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
    // Parts of replies are many different arrays: a view of each would cost more than its copy.
    if (byteCount <= SHORT_COPY_BYTES) {
      for (let i = start; i < end; i++) target[at++] = source[i]!;
    } else if (isShared(source)) {
      copyBytes(source, start, end, target, at);
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
    if (this.bytes.length > keepBytes) this.release();
    this.length = 0;
    this.isOver = false;
  }

  /**
   * Forgets the content and gives the array back; the writer may be used again.
   *
   * Nobody may be writing from it any more.
   */
  release(): void {
    this.#usualBytes = Math.min(this.length, USUAL_BYTES_MAX);
    this.length = 0;
    this.isOver = false;
    const memory = this.#memory;
    if (memory === undefined) {
      this.bytes = new Uint8Array(this.#initialBytes);
    } else {
      const block = this.bytes;
      this.bytes = NO_BLOCK;
      memory.give(block);
    }
  }

  /**
   * Begins anew after more was appended than there may be: keeps the first `length` bytes, at most
   * `keptBytes`, and gives the rest back.
   */
  recover(length: number): void {
    this.isOver = false;
    this.length = length;
    const memory = this.#memory;
    if (memory === undefined) return;
    const larger = this.bytes;
    const smaller = memory.tryTake(Math.max(length, this.#initialBytes));
    if (smaller === undefined) return;
    smaller.set(larger.subarray(0, length));
    this.bytes = smaller;
    memory.give(larger);
  }

  #grow(needed: number): void {
    if (needed > this.mostBytes && this.length > this.keptBytes) {
      this.isOver = true;
      const byteCount = needed - this.length;
      this.length = this.keptBytes;
      needed = this.length + byteCount;
      if (needed <= this.bytes.length) return;
    }
    assert(needed <= 2 ** 31, `a buffer of ${needed} bytes is beyond every limit`);
    const wanted = Math.max(needed, Math.min(this.bytes.length * 2, this.mostBytes));
    const memory = this.#memory;
    if (memory === undefined) {
      const larger = new Uint8Array(wanted);
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
      return;
    }
    const smaller = this.bytes;
    const block = this.#tryTakeUsual(memory, wanted) ??
      memory.tryTake(Math.max(wanted, this.#initialBytes)) ?? memory.overdraw(wanted);
    if (this.length > 0) block.set(smaller.subarray(0, this.length));
    this.bytes = block;
    memory.give(smaller);
  }

  /** A block for as much as there was last time, where that is more and memory is no matter. */
  #tryTakeUsual(memory: ClientMemory, wanted: number): Uint8Array<ArrayBuffer> | undefined {
    const usual = Math.min(this.#usualBytes, this.mostBytes);
    if (this.bytes.length > 0 || usual <= Math.max(wanted, this.#initialBytes)) return undefined;
    return memory.heldBytes * FREE_MEMORY_SHARE < memory.maxBytes
      ? memory.tryTake(usual)
      : undefined;
  }
}

/**
 * Unread input of a connection: `bytes[start, end)`.
 *
 * A decoder takes complete requests from the front by advancing `start` and leaves an incomplete
 * one where it is. The connection appends at `end` and moves or grows the array between calls.
 *
 * With a {@link ClientMemory} its array is lent from there, from the first read on, and there may
 * be no room: ask {@link InputBuffer.tryMakeRoom} first.
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
  readonly #busyBytes: number;
  readonly #batchBytes: number;
  readonly #memory: ClientMemory | undefined;
  #lastReadFilled = false;
  /** It grew beyond {@link SCARCE_BATCH_BYTES} for batches, and not for one request. */
  #isFar = false;
  /** Reads, one behind the other, that a quarter of the array had room for. */
  #looseReads = 0;
  /** Reads, one behind the other, that the smallest array had room for. */
  #smallReads = 0;

  /**
   * Makes an empty buffer.
   *
   * @param initialBytes capacity to start with and to shrink back to, in bytes
   * @param memory lends the array; when left out, it is on the heap
   * @param busyBytes capacity from the first read on that filled it, until many have been small
   * @param batchBytes up to here it goes on growing with reads that fill it: batches are long
   */
  constructor(
    initialBytes = 4096,
    memory?: ClientMemory,
    busyBytes = initialBytes,
    batchBytes = busyBytes,
  ) {
    this.#initialBytes = initialBytes;
    this.#busyBytes = busyBytes;
    this.#batchBytes = batchBytes;
    this.#memory = memory;
    this.bytes = memory === undefined ? new Uint8Array(initialBytes) : NO_BLOCK;
  }

  /** Unread bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /** Length of the array that {@link InputBuffer.tryMakeRoom} did not get. Unit: bytes. */
  get wantedBytes(): number {
    return Math.max(this.#initialBytes, this.bytes.length * 2);
  }

  /**
   * Sees to it that there is free space behind `end`.
   *
   * Moves the unread bytes to the front when that makes room, doubles when they fill the array, and
   * goes to a smaller one when little is left to read. Nobody may be reading into it.
   *
   * @returns false when there is no memory for it; what is unread is as it was
   */
  tryMakeRoom(): boolean {
    if (this.bytes.length === 0) return this.#tryReplace(this.#initialBytes);
    const wasBatch = this.start * 2 >= this.end;
    if (this.start === this.end) {
      this.start = 0;
      this.end = 0;
    }
    // A read that filled it: keep the larger array while the client sends large batches.
    if (!this.#lastReadFilled) this.#shrink();
    else this.#growForBatches(wasBatch);
    const capacity = this.bytes.length;
    if (this.end < capacity && this.start <= capacity >> 1) return true;
    this.#compact();
    if (this.end <= capacity >> 1) return true;
    // Most of it is one request: better a larger array than small reads.
    return this.#tryReplace(capacity * 2) || this.end < capacity;
  }

  /**
   * Returns free space behind `end` to read into; call {@link commit} with what arrived.
   *
   * Makes room first; with a {@link ClientMemory} that must have been done.
   */
  space(): Uint8Array<ArrayBuffer> {
    if (this.#memory === undefined) this.tryMakeRoom();
    assert(this.end < this.bytes.length, "there is room to read into");
    return this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
  }

  /** Marks `byteCount` bytes of the space as filled. */
  commit(byteCount: number): void {
    this.end += byteCount;
    this.#lastReadFilled = this.end === this.bytes.length;
    this.#smallReads = this.end > this.#initialBytes ? 0 : this.#smallReads + 1;
    this.#looseReads = this.end * 4 > this.bytes.length ? 0 : this.#looseReads + 1;
  }

  /**
   * Grows for a known request size: room for `byteCount` bytes from `start`.
   *
   * @returns false when there is no memory for it; nothing has changed then
   */
  ensure(byteCount: number): boolean {
    if (this.start + byteCount <= this.bytes.length) return true;
    if (byteCount > this.bytes.length) return this.#tryReplace(byteCount);
    this.#compact();
    return true;
  }

  /** Gives the array back, whatever is unread. Nobody may be reading into it any more. */
  release(): void {
    const block = this.bytes;
    this.start = 0;
    this.end = 0;
    this.#lastReadFilled = false;
    this.bytes = NO_BLOCK;
    this.#memory?.give(block);
  }

  /** Moves the unread bytes to the front. */
  #compact(): void {
    if (this.start === 0) return;
    this.bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
  }

  /** Reads that fill the array are pieces of a batch: each costs a call of the system, and a reply. */
  #growForBatches(wasBatch: boolean): void {
    const capacity = this.bytes.length;
    if (capacity < this.#busyBytes) this.#tryReplace(this.#busyBytes);
    else {
      const most = wasBatch ? this.#mostBatchBytes() : this.#leastBatchBytes;
      if (capacity >= most) return;
      this.#isFar = this.#tryReplace(Math.min(capacity * 4, most)) && most > this.#leastBatchBytes;
      this.#looseReads = 0;
    }
  }

  /** How far it grows for batches in any case. */
  get #leastBatchBytes(): number {
    return Math.min(this.#batchBytes, SCARCE_BATCH_BYTES);
  }

  /** How far it grows for batches: far only while a small part of the memory is lent. */
  #mostBatchBytes(): number {
    const memory = this.#memory;
    const isPlenty = memory === undefined ||
      memory.heldBytes * PLENTY_SHARE < memory.maxBytes;
    return isPlenty ? this.#batchBytes : this.#leastBatchBytes;
  }

  /** Goes to a smaller array when little is unread, if one can be had. */
  #shrink(): void {
    const capacity = this.bytes.length;
    const most = this.#isFar ? this.#mostBatchBytes() : this.#leastBatchBytes;
    const isForBatches = capacity > this.#busyBytes && capacity <= most;
    if (isForBatches && this.#looseReads < CALM_READS) return;
    let target = this.#smallReads < CALM_READS ? this.#busyBytes : this.#initialBytes;
    const unread = this.end - this.start;
    if (capacity <= target || unread * SHRINK_RATIO > capacity) return;
    while (target < unread * 2) target *= 2;
    if (target < capacity) this.#tryReplace(target);
  }

  /** Moves the unread bytes to the front of another array. */
  #tryReplace(byteCount: number): boolean {
    const memory = this.#memory;
    const other = memory === undefined ? new Uint8Array(byteCount) : memory.tryTake(byteCount);
    if (other === undefined) return false;
    const old = this.bytes;
    other.set(old.subarray(this.start, this.end));
    this.#isFar = false;
    this.end -= this.start;
    this.start = 0;
    this.bytes = other;
    memory?.give(old);
    return true;
  }
}
