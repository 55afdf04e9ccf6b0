/**
 * Reads entries (layout in entry.ts) as clients see them.
 *
 * @module
 */

import {
  decimalDigitCount,
  formatInt64,
  Int64,
  INT64_MAX_DECIMAL_BYTES,
  parseInt64,
} from "../base/int64.ts";
import { copyBytes } from "../base/shared_copy.ts";
import type { Arena } from "./arena.ts";
import {
  Encoding,
  Entry,
  ENTRY_HEADER_BYTES,
  EntryFlag,
  type EntryType,
  keyOffset,
  TTL_BYTES,
} from "./entry.ts";
import type { Extents } from "./extents.ts";
import { Key } from "./key.ts";

/**
 * Reads entries by their address.
 *
 * Thread: one instance per thread; every call needs the lock of the entry's shard, shared is enough.
 */
export class EntryReader {
  readonly #arena: Arena;
  readonly #extents: Extents;
  readonly #value = new Int64();
  readonly #decimal = new Uint8Array(INT64_MAX_DECIMAL_BYTES);

  /** Wires the parts of one thread together. */
  constructor(arena: Arena, extents: Extents) {
    this.#arena = arena;
    this.#extents = extents;
  }

  /** Type of an entry. */
  type(entry: number): EntryType {
    return (this.#arena.read(entry, Entry.TYPE) & 0xff) as EntryType;
  }

  /** Number of the entry's last mutation, 48 bits, drawn per shard. */
  seq(entry: number): number {
    return (this.#arena.read(entry, Entry.KEY_BYTES) >>> 16) * 2 ** 32 +
      this.#arena.read(entry, Entry.SEQ_LO);
  }

  /** Expiry time of an entry in milliseconds since 1970; 0 = never. */
  expireAtMs(entry: number): number {
    if ((this.flags(entry) & EntryFlag.HAS_TTL) === 0) return 0;
    const word = ENTRY_HEADER_BYTES / 4;
    return this.#arena.read(entry, word + 1) * 2 ** 32 + this.#arena.read(entry, word);
  }

  /** Length in bytes of a string as a client sees it; an integer counts its decimal digits. */
  stringLength(entry: number): number {
    if (this.encoding(entry) !== Encoding.INTEGER) {
      return this.#arena.read(entry, Entry.VALUE_BYTES);
    }
    this.readInteger(entry, this.#value);
    const value = this.#value.toNumber();
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return decimalDigitCount(value);
    return formatInt64(this.#value.hi, this.#value.lo, this.#decimal, 0);
  }

  /**
   * Copies a string as a client sees it to `target[offset…]`.
   *
   * @returns bytes written, equal to {@link EntryReader.stringLength}
   */
  copyString(entry: number, target: Uint8Array, offset: number): number {
    const encoding = this.encoding(entry);
    if (encoding === Encoding.INTEGER) {
      this.readInteger(entry, this.#value);
      return formatInt64(this.#value.hi, this.#value.lo, target, offset);
    }
    const byteCount = this.#arena.read(entry, Entry.VALUE_BYTES);
    if (encoding === Encoding.EXTENTS) {
      this.#extents.copyOut(entry, target, offset);
      return byteCount;
    }
    const bytes = this.#arena.bytesOf(entry);
    const at = this.#arena.byteAt(entry) + this.keyOffset(entry) + this.keyBytes(entry);
    copyBytes(bytes, at, at + byteCount, target, offset);
    return byteCount;
  }

  /** Whether the value of an entry is in extents. */
  isLarge(entry: number): boolean {
    return this.encoding(entry) === Encoding.EXTENTS;
  }

  /** Index of the first byte of a RAW value in the bytes of its segment. */
  rawAt(entry: number): number {
    return this.#arena.byteAt(entry) + this.keyOffset(entry) + this.keyBytes(entry);
  }

  /** Copies `string[start, end)`, as a client sees it, to `target[offset…]`. */
  copyStringRange(
    entry: number,
    start: number,
    end: number,
    target: Uint8Array,
    offset: number,
  ): void {
    const encoding = this.encoding(entry);
    if (encoding === Encoding.EXTENTS) {
      this.#extents.copyRange(this.#extents.rootOf(entry), start, end, target, offset);
      return;
    }
    let source: Uint8Array = this.#decimal;
    let from = start;
    if (encoding === Encoding.INTEGER) {
      this.readInteger(entry, this.#value);
      formatInt64(this.#value.hi, this.#value.lo, this.#decimal, 0);
    } else {
      source = this.#arena.bytesOf(entry);
      from += this.rawAt(entry);
    }
    copyBytes(source, from, from + end - start, target, offset);
  }

  /**
   * Whether the bytes of a value may be changed where they are: no reader holds a lease of them.
   * Needs the shard's exclusive lock; the answer holds until unlock. If false, a command that would
   * change the value in place (`APPEND`, `SETRANGE`) writes a new one instead.
   */
  mayChangeInPlace(entry: number): boolean {
    return this.encoding(entry) !== Encoding.EXTENTS || this.#extents.mayChangeInPlace(entry);
  }

  /** A copy of the key of an entry, located but for its tag. */
  detachKey(entry: number, shard: number): Key {
    const bytes = new Uint8Array(this.keyBytes(entry));
    const key = new Key().set(bytes, 0, this.copyKey(entry, bytes, 0));
    key.hash = this.#arena.read(entry, Entry.HASH);
    key.shard = shard;
    return key;
  }

  /** Copies the key of an entry to `target[offset…]`; returns its length. */
  copyKey(entry: number, target: Uint8Array, offset: number): number {
    const at = this.#arena.byteAt(entry) + this.keyOffset(entry);
    const byteCount = this.keyBytes(entry);
    copyBytes(this.#arena.bytesOf(entry), at, at + byteCount, target, offset);
    return byteCount;
  }

  /**
   * Reads a string as an integer.
   *
   * @returns false when it is not a canonical int64; `result` is then unchanged
   */
  readInteger(entry: number, result: Int64): boolean {
    const encoding = this.encoding(entry);
    if (encoding === Encoding.INTEGER) {
      const word = this.integerWord(entry);
      result.lo = this.#arena.read(entry, word);
      result.hi = this.#arena.read(entry, word + 1) | 0;
      return true;
    }
    const byteCount = this.#arena.read(entry, Entry.VALUE_BYTES);
    if (encoding !== Encoding.RAW || byteCount > INT64_MAX_DECIMAL_BYTES) return false;
    const at = this.#arena.byteAt(entry) + this.keyOffset(entry) + this.keyBytes(entry);
    return parseInt64(this.#arena.bytesOf(entry), at, at + byteCount, result);
  }

  /** Whether an entry has expired by `nowMs`, milliseconds since 1970. */
  isExpired(entry: number, nowMs: number): boolean {
    if ((this.flags(entry) & EntryFlag.HAS_TTL) === 0) return false;
    return this.expireAtMs(entry) <= nowMs;
  }

  /** Flags of an entry, bits of {@link EntryFlag}. */
  flags(entry: number): number {
    return (this.#arena.read(entry, Entry.TYPE) >>> 16) & 0xff;
  }

  /** How the value of an entry is stored. */
  encoding(entry: number): number {
    return (this.#arena.read(entry, Entry.TYPE) >>> 8) & 0xff;
  }

  /** Length of the key of an entry in bytes. */
  keyBytes(entry: number): number {
    return this.#arena.read(entry, Entry.KEY_BYTES) & 0xffff;
  }

  /** Bytes of an entry before its key. */
  keyOffset(entry: number): number {
    return keyOffset(this.flags(entry), this.encoding(entry));
  }

  /** First byte of a RAW or PACKED value in the segment of its entry. */
  valueAt(entry: number): number {
    return this.#arena.byteAt(entry) + this.keyOffset(entry) + this.keyBytes(entry);
  }

  /** Word offset of the low half of an INTEGER value in its entry. */
  integerWord(entry: number): number {
    const hasTtl = (this.flags(entry) & EntryFlag.HAS_TTL) !== 0;
    return (ENTRY_HEADER_BYTES + (hasTtl ? TTL_BYTES : 0)) / 4;
  }
}
