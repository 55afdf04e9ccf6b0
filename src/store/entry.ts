/**
 * Entries: a key with its value, or with the root of its value, in one block.
 *
 * ```text
 * word 0   type (8 bits) │ encoding (8) │ flags (8) │ database (8)
 * word 1   key bytes (16) │ seq bits 32–47 (16)
 * word 2   seq bits 0–31
 * word 3   access clock: seconds since 1970 (uint32)
 * word 4   hash of the key (uint32): which bucket, without hashing again
 * word 5   value bytes (strings), later: elements or root
 * [HAS_TTL]  word 0  expiry ms bits 0–31     word 1  expiry ms bits 32–47
 *            word 2  next, word 3  previous  links of the expiry index (0 so far)
 * [INTEGER]  word 0  value bits 0–31         word 1  value bits 32–63
 * [EXTENTS]  one word per extent: its address
 * key bytes
 * [RAW]      value bytes, directly behind the key
 * ```
 *
 * RAW holds the value in place as long as the whole block is at most 8,192 bytes. EXTENTS splits a
 * larger value: first whole pages, then chunks of at most {@link CHUNK_VALUE_BYTES} bytes for the
 * rest. A chunk starts with 8 bytes that name its owner (entry address, index of the extent), an
 * extent page has the same in its descriptor, so that either can be moved or checked.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { VALUE_MAX_BYTES } from "../base/limits.ts";
import { MAX_BLOCK_BYTES, PAGE_BYTES } from "./size_classes.ts";

/** What kind of value a key has. */
export const EntryType = {
  /** A byte string or an integer. */
  STRING: 1,
} as const;
/** One of {@link EntryType}. */
export type EntryType = typeof EntryType[keyof typeof EntryType];

/** How the value is stored. */
export const Encoding = {
  /** Bytes behind the key. */
  RAW: 0,
  /** An int64 before the key. */
  INTEGER: 1,
  /** Pages and chunks. */
  EXTENTS: 2,
} as const;
/** One of {@link Encoding}. */
export type Encoding = typeof Encoding[keyof typeof Encoding];

/** Bits of the flags byte. */
export const EntryFlag = {
  /** The TTL block is present. */
  HAS_TTL: 1,
  /** Written by an event: never evicted. */
  PINNED: 2,
  /** Blocked clients wait for this key (unused so far). */
  HAS_WAITERS: 4,
} as const;

/** Word offsets in an entry. */
export const Entry = {
  TYPE: 0,
  KEY_BYTES: 1,
  SEQ_LO: 2,
  CLOCK: 3,
  HASH: 4,
  VALUE_BYTES: 5,
} as const;

/** Bytes of the fixed header. */
export const ENTRY_HEADER_BYTES = 24;
/** Bytes of the optional TTL block. */
export const TTL_BYTES = 16;
/** Bytes of an integer value. */
export const INTEGER_BYTES = 8;
/** Longest key in bytes; entry, key and the list of extents must fit one block. */
export const MAX_KEY_BYTES = 4096;
/** Bytes at the start of a chunk that name its owner. */
export const CHUNK_HEADER_BYTES = 8;
/** Value bytes in a full chunk. */
export const CHUNK_VALUE_BYTES = MAX_BLOCK_BYTES - CHUNK_HEADER_BYTES;
/** Largest value in bytes that any configuration may allow. */
export const MAX_VALUE_BYTES: number = VALUE_MAX_BYTES;

/** How many whole pages a value of `byteCount` bytes fills. */
export function extentPageCount(byteCount: number): number {
  return Math.floor(byteCount / PAGE_BYTES);
}

/** How many extents, pages and chunks, a value of `byteCount` bytes has. */
export function extentCount(byteCount: number): number {
  return Math.floor(byteCount / PAGE_BYTES) +
    Math.ceil((byteCount % PAGE_BYTES) / CHUNK_VALUE_BYTES);
}

/** Bytes of an entry block before the key. */
export function keyOffset(flags: number, encoding: number, valueBytes: number): number {
  let offset = ENTRY_HEADER_BYTES;
  if ((flags & EntryFlag.HAS_TTL) !== 0) offset += TTL_BYTES;
  if (encoding === Encoding.INTEGER) offset += INTEGER_BYTES;
  else if (encoding === Encoding.EXTENTS) offset += extentCount(valueBytes) * 4;
  return offset;
}

/** Bytes of an entry block in all. */
export function entryBytes(
  flags: number,
  encoding: number,
  keyBytes: number,
  valueBytes: number,
): number {
  return keyOffset(flags, encoding, valueBytes) + keyBytes +
    (encoding === Encoding.RAW ? valueBytes : 0);
}

/** Whether a value must be split into extents. */
export function needsExtents(flags: number, keyBytes: number, valueBytes: number): boolean {
  return entryBytes(flags, Encoding.RAW, keyBytes, valueBytes) > MAX_BLOCK_BYTES;
}

assert(
  entryBytes(EntryFlag.HAS_TTL, Encoding.EXTENTS, MAX_KEY_BYTES, MAX_VALUE_BYTES) <=
    MAX_BLOCK_BYTES,
  "the longest key and the list of the largest value's extents fit one block",
);
