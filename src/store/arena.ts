/**
 * The arena: client data in shared memory, in segments of at most 1 GiB.
 *
 * An address is a uint32 that counts 8-byte units from the start of the arena, so 32 GiB are
 * within reach; 0 means "none". A segment is one fixed SharedArrayBuffer (a growable one reads many
 * times slower, and indices from 2^30 up read 2.4 times slower than low ones). Pages never straddle
 * segments, and nothing is larger than a page, so an object lies in one segment.
 *
 * ```text
 * address   31 ……… segmentShift │ segmentShift - 1 ……… 0
 *           segment             │ unit in the segment (× 8 = byte, × 2 = word)
 * ```
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { PAGE_BYTES, UNIT_BYTES } from "./size_classes.ts";

/** Largest segment in bytes. */
export const MAX_SEGMENT_BYTES = 2 ** 30;
/** Largest arena: what a uint32 of 8-byte units reaches. */
export const MAX_ARENA_BYTES = 2 ** 32 * UNIT_BYTES;

/**
 * Views of the segments. Every thread attaches its own.
 *
 * Shape: a word of the object at `address` is `words[address >>> shift][wordAt(address) + i]`.
 */
export class Arena {
  /** The shared segments, to hand to other threads. */
  readonly segments: SharedArrayBuffer[];
  /** Segments as 32-bit words. */
  readonly words: Int32Array<SharedArrayBuffer>[];
  /** Segments as bytes. */
  readonly bytes: Uint8Array<SharedArrayBuffer>[];
  /** Segments for numbers at any byte. */
  readonly views: DataView<SharedArrayBuffer>[];
  /** Segments as doubles. */
  readonly doubles: Float64Array<SharedArrayBuffer>[];
  /** log2 of the units in a segment. */
  readonly shift: number;
  readonly #mask: number;
  // The first segment, at hand: most arenas have no other, and what is looked up by an address
  // cannot be read before the address is there.
  readonly #firstWords: Int32Array<SharedArrayBuffer>;
  readonly #firstBytes: Uint8Array<SharedArrayBuffer>;

  private constructor(segments: SharedArrayBuffer[], shift: number) {
    this.segments = segments;
    this.shift = shift;
    // By a shift: what a power gives is kept as a double, and all addresses are compared with this.
    this.#mask = (1 << shift) - 1;
    this.words = segments.map((segment) => new Int32Array(segment));
    this.#firstWords = this.words[0]!;
    this.bytes = segments.map((segment) => new Uint8Array(segment));
    this.#firstBytes = this.bytes[0]!;
    this.views = segments.map((segment) => new DataView(segment));
    this.doubles = segments.map((segment) => new Float64Array(segment));
  }

  /**
   * Reserves the address space; memory is committed by the operating system when it is touched.
   *
   * @param pageCount pages of 64 KiB, page 0 included
   * @param segmentBytes power of two, 64 KiB to 1 GiB; smaller ones exist for tests
   */
  static create(pageCount: number, segmentBytes = MAX_SEGMENT_BYTES): Arena {
    assert(pageCount >= 2, "an arena has at least page 0 and one usable page");
    assert(pageCount * PAGE_BYTES <= MAX_ARENA_BYTES, `${pageCount} pages are addressable`);
    assert(
      segmentBytes >= PAGE_BYTES && segmentBytes <= MAX_SEGMENT_BYTES &&
        Number.isInteger(Math.log2(segmentBytes)),
      `${segmentBytes} is a legal segment size`,
    );
    const segments: SharedArrayBuffer[] = [];
    for (let left = pageCount * PAGE_BYTES; left > 0; left -= segmentBytes) {
      segments.push(new SharedArrayBuffer(Math.min(left, segmentBytes)));
    }
    return new Arena(segments, Math.log2(segmentBytes / UNIT_BYTES));
  }

  /** Opens segments made by {@link Arena.create}. */
  static attach(segments: SharedArrayBuffer[], shift: number): Arena {
    return new Arena(segments, shift);
  }

  /** The words of the segment that holds `address`. */
  wordsOf(address: number): Int32Array<SharedArrayBuffer> {
    return address <= this.#mask ? this.#firstWords : this.words[address >>> this.shift]!;
  }

  /** The bytes of the segment that holds `address`. */
  bytesOf(address: number): Uint8Array<SharedArrayBuffer> {
    return address <= this.#mask ? this.#firstBytes : this.bytes[address >>> this.shift]!;
  }

  /** The segment that holds `address`, for numbers at any byte. */
  viewOf(address: number): DataView<SharedArrayBuffer> {
    return this.views[address >>> this.shift]!;
  }

  /** The doubles of the segment that holds `address`. */
  doublesOf(address: number): Float64Array<SharedArrayBuffer> {
    return this.doubles[address >>> this.shift]!;
  }

  /** Index of the object's first word in {@link Arena.wordsOf}. */
  wordAt(address: number): number {
    return (address & this.#mask) * 2;
  }

  /** Index of the object's first byte in {@link Arena.bytesOf}. */
  byteAt(address: number): number {
    return (address & this.#mask) * 8;
  }

  /** Reads word `index` of the object at `address`, as uint32. */
  read(address: number, index: number): number {
    return this.wordsOf(address)[(address & this.#mask) * 2 + index]! >>> 0;
  }

  /**
   * Reads word `index` at an address that may be wrong, because no lock is held; as int32.
   *
   * @returns 0 where there is no memory
   */
  glance(address: number, index: number): number {
    const words = address <= this.#mask ? this.#firstWords : this.words[address >>> this.shift];
    return words === undefined ? 0 : words[(address & this.#mask) * 2 + index]! | 0;
  }

  /**
   * Reads word `index` at each of `count` addresses, which may be wrong, in so few instructions that
   * a processor has all reads under way at once: it looks some 300 instructions ahead, and waits for
   * what lies behind them.
   *
   * @param addresses as int32; its length is a multiple of four; some behind `count` may be read, too
   * @returns something that depends on all of them, for nobody to leave the reads out
   */
  touchAll(addresses: Int32Array, count: number, index: number): number {
    const mask = this.#mask;
    let segments = 0;
    for (let i = 0; i < count; i++) segments |= addresses[i]! & ~mask;
    if (segments !== 0) return this.#touchSegments(addresses, count, index);
    const words = this.#firstWords;
    let digest = 0;
    for (let i = 0; i < count; i += 4) {
      digest ^= words[((addresses[i]! & mask) << 1) + index]! ^
        words[((addresses[i + 1]! & mask) << 1) + index]! ^
        words[((addresses[i + 2]! & mask) << 1) + index]! ^
        words[((addresses[i + 3]! & mask) << 1) + index]!;
    }
    return digest;
  }

  /** The same where not all is in the first segment. */
  #touchSegments(addresses: Int32Array, count: number, index: number): number {
    const segments = this.words;
    const shift = this.shift;
    const mask = this.#mask;
    let digest = 0;
    for (let i = 0; i < count; i++) {
      const words = segments[addresses[i]! >>> shift];
      if (words !== undefined) digest ^= words[((addresses[i]! & mask) << 1) + index]!;
    }
    return digest;
  }

  /** Writes word `index` of the object at `address`. */
  write(address: number, index: number, value: number): void {
    this.wordsOf(address)[(address & this.#mask) * 2 + index] = value;
  }

  /** Copies `byteCount` bytes (a multiple of 8) from one object to another, non-overlapping. */
  copyBlock(from: number, to: number, byteCount: number): void {
    const source = this.words[from >>> this.shift]!;
    const at = (from & this.#mask) * 2;
    const target = this.words[to >>> this.shift]!;
    const toAt = (to & this.#mask) * 2;
    const wordCount = byteCount >>> 2;
    if (wordCount <= 32) {
      for (let i = 0; i < wordCount; i++) target[toAt + i] = source[at + i]!;
    } else {
      target.set(source.subarray(at, at + wordCount), toAt);
    }
  }

  /** Fills an object with zeros. `byteCount` is a multiple of 4. */
  zero(address: number, byteCount: number): void {
    const at = (address & this.#mask) * 2;
    this.words[address >>> this.shift]!.fill(0, at, at + (byteCount >>> 2));
  }
}
