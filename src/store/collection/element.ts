/**
 * A view of one part of a record: an element, a field, a member, a value.
 *
 * @module
 */

import type { Extents } from "../extents.ts";
import {
  copyBytes,
  isLongPart,
  longAddress,
  MEDIUM_PART,
  partLength,
  partStart,
} from "./records.ts";

const COMPARE_BYTES = 4096;

/**
 * Bytes of a part, where they are. A short one is `bytes[start, end)`; a long one has its bytes in
 * extents and `longRoot` names them.
 *
 * Valid as long as what the cursor stands on does not change: until unlock or the next write, or
 * until the lease ends. Reused by its cursor for the next record.
 *
 * Thread: belongs to one thread.
 */
export class ElementView {
  /** Buffer with the bytes of a short part. */
  bytes: Uint8Array = new Uint8Array(0);
  /** First byte of a short part. */
  start = 0;
  /** Behind the last byte of a short part. */
  end = 0;
  /** Length of the part in bytes, short or long. */
  byteCount = 0;
  /** Root of a long part (for `Store.leaseElement`); 0 = it is short. */
  longRoot = 0;
  readonly #extents: Extents;
  #piece: Uint8Array | undefined;

  /** Made by a cursor. */
  constructor(extents: Extents) {
    this.#extents = extents;
  }

  /** Looks at the part that starts at `bytes[at]`. */
  set(bytes: Uint8Array, at: number): this {
    this.bytes = bytes;
    const head = bytes[at]!;
    if (head < MEDIUM_PART) {
      // Nearly all are as short as that.
      this.longRoot = 0;
      this.byteCount = head;
      this.start = at + 1;
      this.end = at + 1 + head;
      return this;
    }
    this.byteCount = partLength(bytes, at);
    if (isLongPart(bytes, at)) {
      this.longRoot = longAddress(bytes, at);
      this.start = this.end = 0;
    } else {
      this.longRoot = 0;
      this.start = partStart(bytes, at);
      this.end = this.start + this.byteCount;
    }
    return this;
  }

  /** Copies `[from, to)` of the part to `target[offset…]`. */
  copyRange(from: number, to: number, target: Uint8Array, offset: number): void {
    if (this.longRoot !== 0) {
      this.#extents.copyRange(this.longRoot, from, to, target, offset);
    } else {
      copyBytes(this.bytes, this.start + from, this.start + to, target, offset);
    }
  }

  /** Copies the whole part to `target[offset…]`. */
  copyTo(target: Uint8Array, offset: number): void {
    this.copyRange(0, this.byteCount, target, offset);
  }

  /** The part as bytes of its own: for what is rare, or leaves the lock. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(this.byteCount);
    this.copyTo(copy, 0);
    return copy;
  }

  /** Whether the part is `other[start, end)`. */
  equals(other: Uint8Array, start: number, end: number): boolean {
    return this.byteCount === end - start && this.compare(other, start, end) === 0;
  }

  /** Negative, 0 or positive as the part is before, equal to or behind `other[start, end)`. */
  compare(other: Uint8Array, start: number, end: number): number {
    if (this.longRoot !== 0) return this.#compareLong(other, start, end);
    const { bytes } = this;
    let p = this.start;
    const common = Math.min(this.byteCount, end - start);
    for (let i = start; i < start + common; i++, p++) {
      const difference = bytes[p]! - other[i]!;
      if (difference !== 0) return difference;
    }
    return this.byteCount - (end - start);
  }

  #compareLong(other: Uint8Array, start: number, end: number): number {
    this.#piece ??= new Uint8Array(COMPARE_BYTES);
    const common = Math.min(this.byteCount, end - start);
    for (let from = 0; from < common; from += COMPARE_BYTES) {
      const to = Math.min(from + COMPARE_BYTES, common);
      this.#extents.copyRange(this.longRoot, from, to, this.#piece, 0);
      for (let i = 0; i < to - from; i++) {
        const difference = this.#piece[i]! - other[start + from + i]!;
        if (difference !== 0) return difference;
      }
    }
    return this.byteCount - (end - start);
  }
}
