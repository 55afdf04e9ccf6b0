/**
 * Records: what all collections are sequences of.
 *
 * A record is byte-aligned, back to back with its neighbours:
 *
 * ```text
 * record := [order] part1 [part2]
 *   order   LIST: nothing │ HASH, SET, MEMBERS: uint32, hash of part 1 │ SCORES: float64, the score
 *   part1   element │ field │ member
 *   part2   HASH: the value, as part 1 is │ MEMBERS: float64, the score │ others: nothing
 *   part    := length byte 0…253, bytes │ 254, uint16, bytes
 *            │ 255, uint32 byte count, uint32 address of a long element (extents.ts)
 * run    := uint16 record bytes, uint16 record count, records
 * ```
 *
 * Numbers are little-endian. A part of more than {@link MAX_SHORT_PART_BYTES} is a *long element*: a
 * value of its own, of which the record has only the address.
 *
 * @module
 */

import { copyBytes, keepView, moveBytes } from "../../base/shared_copy.ts";

export { copyBytes, moveBytes };

/** What the records of a run or a tree look like. */
export const RecordKind = {
  /** Elements of a list. */
  LIST: 0,
  /** Fields of a hash with their values. */
  HASH: 1,
  /** Members of a set. */
  SET: 2,
  /** Members of a sorted set, by score. */
  SCORES: 3,
  /** Members of a sorted set with their scores, by hash. */
  MEMBERS: 4,
} as const;
/** One of {@link RecordKind}. */
export type RecordKind = typeof RecordKind[keyof typeof RecordKind];

/** Bytes of a run before its records. */
export const RUN_HEADER_BYTES = 4;
/** A longer part is a long element. */
export const MAX_SHORT_PART_BYTES = 1024;
/** Bytes of the part that names a long element. */
export const LONG_PART_BYTES = 9;
/** Longest record in bytes: a hash's, of two parts that are just not long. */
export const MAX_RECORD_BYTES: number = 4 + 2 * (3 + MAX_SHORT_PART_BYTES);

/** First byte of a part with two bytes for its length; a lower one is the length itself. */
export const MEDIUM_PART = 254;
const LONG = 255;
const ORDER_BYTES = Int32Array.of(0, 4, 4, 8, 4);

/** Bytes of a record before its first part. */
export function orderBytes(kind: number): number {
  return ORDER_BYTES[kind]!;
}

/** Where the part that starts at `bytes[at]` ends. */
export function skipPart(bytes: Uint8Array, at: number): number {
  const head = bytes[at]!;
  if (head < MEDIUM_PART) return at + 1 + head;
  if (head === MEDIUM_PART) return at + 3 + (bytes[at + 1]! | (bytes[at + 2]! << 8));
  return at + LONG_PART_BYTES;
}

/** Where the record that starts at `bytes[at]` ends. */
export function recordEnd(kind: number, bytes: Uint8Array, at: number): number {
  const end = skipPart(bytes, at + ORDER_BYTES[kind]!);
  if (kind === RecordKind.HASH) return skipPart(bytes, end);
  return kind === RecordKind.MEMBERS ? end + 8 : end;
}

/** Whether the part at `bytes[at]` is a long element. */
export function isLongPart(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === LONG;
}

/** Where the bytes of a part that is not long begin. */
export function partStart(bytes: Uint8Array, at: number): number {
  return bytes[at]! < MEDIUM_PART ? at + 1 : at + 3;
}

/** Length of what the part at `bytes[at]` holds. */
export function partLength(bytes: Uint8Array, at: number): number {
  const head = bytes[at]!;
  if (head < MEDIUM_PART) return head;
  if (head === MEDIUM_PART) return bytes[at + 1]! | (bytes[at + 2]! << 8);
  return readUint32(bytes, at + 1);
}

/** Address of the root of the long element at `bytes[at]`. */
export function longAddress(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at + 5);
}

/** Changes the address of a long element. */
export function setLongAddress(bytes: Uint8Array, at: number, address: number): void {
  writeUint32(bytes, at + 5, address);
}

/** Bytes of a part that holds `byteCount` bytes. */
export function encodedPartBytes(byteCount: number): number {
  if (byteCount < MEDIUM_PART) return byteCount + 1;
  return byteCount <= MAX_SHORT_PART_BYTES ? byteCount + 3 : LONG_PART_BYTES;
}

/** Reads a uint32 at any byte. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>>
    0;
}

/** Writes a uint32 at any byte. */
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** One record under construction. Thread: belongs to one thread; reused. */
export class RecordScratch {
  /** The record so far. */
  readonly bytes: Uint8Array<ArrayBuffer> = keepView(new Uint8Array(MAX_RECORD_BYTES + 16));
  /** Its length. */
  length = 0;
  /** Whether a part is a long element. */
  hasLong = false;
  readonly #view = new DataView(this.bytes.buffer);

  /** Starts a record. */
  begin(kind: number, order: number): void {
    this.hasLong = false;
    this.length = ORDER_BYTES[kind]!;
    if (this.length === 4) this.#view.setUint32(0, order, true);
    else if (this.length === 8) this.#view.setFloat64(0, order, true);
  }

  /** Order of the record: hash or score; 0 in a list. */
  orderOf(kind: number): number {
    const byteCount = ORDER_BYTES[kind]!;
    if (byteCount === 4) return this.#view.getUint32(0, true);
    return byteCount === 8 ? this.#view.getFloat64(0, true) : 0;
  }

  /** Takes over a record without long parts as it is. */
  copy(bytes: Uint8Array, start: number, end: number): void {
    copyBytes(bytes, start, end, this.bytes, 0);
    this.length = end - start;
    this.hasLong = false;
  }

  /** Appends a part of at most {@link MAX_SHORT_PART_BYTES} bytes. */
  part(bytes: Uint8Array, start: number, end: number): void {
    const byteCount = end - start;
    let at = this.length;
    if (byteCount < MEDIUM_PART) {
      this.bytes[at++] = byteCount;
    } else {
      this.bytes[at++] = MEDIUM_PART;
      this.bytes[at++] = byteCount;
      this.bytes[at++] = byteCount >>> 8;
    }
    copyBytes(bytes, start, end, this.bytes, at);
    this.length = at + byteCount;
  }

  /** Appends a part that names a long element. */
  longPart(byteCount: number, address: number): void {
    const at = this.length;
    this.bytes[at] = LONG;
    writeUint32(this.bytes, at + 1, byteCount);
    writeUint32(this.bytes, at + 5, address);
    this.length = at + LONG_PART_BYTES;
    this.hasLong = true;
  }

  /** Appends a score without a length. */
  score(value: number): void {
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }
}
