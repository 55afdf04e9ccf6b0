/**
 * Entries: a key with its value, or with the root of its value, in one block.
 *
 * ```text
 * word 0   type (8 bits) │ encoding (8) │ flags (8) │ table (8): which index it is in
 * word 1   key bytes (16) │ seq bits 32–47 (16)
 * word 2   seq bits 0–31
 * word 3   access clock: seconds since 1970 (uint32)
 * word 4   hash of the key (uint32): which bucket, without hashing again
 * word 5   value bytes: of a string, of a packed collection; 0 for a collection with a root
 * [HAS_TTL]  word 0  expiry ms bits 0–31     word 1  expiry ms bits 32–47
 *            word 2  next, word 3  previous  links of the expiry index (expiry_wheel.ts)
 * [INTEGER]  word 0  value bits 0–31         word 1  value bits 32–63
 * [EXTENTS]  word 0  address of the value's root (extents.ts)
 * [TREE]     word 0  address of the collection's root
 * key bytes
 * [RAW, PACKED]  value bytes, directly behind the key
 * ```
 *
 * RAW holds the value in place as long as the whole block is at most 8,192 bytes. EXTENTS splits a
 * larger value: first whole pages, then chunks of at most {@link CHUNK_VALUE_BYTES} bytes for the
 * rest; their addresses are in a block of its own, the root.
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
  /** Elements in the order they were put in. */
  LIST: 2,
  /** Fields with values. */
  HASH: 3,
  /** Different members in no order. */
  SET: 4,
  /** Different members, each with a score, ordered by score and then by bytes. */
  SORTED_SET: 5,
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
  /** A small collection: its elements behind the key. */
  PACKED: 3,
  /** A large collection: nodes below a root. */
  TREE: 4,
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
/** Bytes of an entry that name the root of a value in extents. */
export const ROOT_ADDRESS_BYTES = 4;
/** Longest key in bytes; it must fit one block with the rest of the entry. */
export const MAX_KEY_BYTES = 4096;
/** Bytes of a value's root before the list of extents. */
export const EXTENTS_ROOT_HEADER_BYTES = 24;
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

/** Bytes of the root of a value of `byteCount` bytes. */
export function extentsRootBytes(byteCount: number): number {
  return EXTENTS_ROOT_HEADER_BYTES + extentCount(byteCount) * 4;
}

/** Bytes of an entry block before the key. */
export function keyOffset(flags: number, encoding: number): number {
  let offset = ENTRY_HEADER_BYTES;
  if ((flags & EntryFlag.HAS_TTL) !== 0) offset += TTL_BYTES;
  if (encoding === Encoding.INTEGER) offset += INTEGER_BYTES;
  else if (encoding === Encoding.EXTENTS || encoding === Encoding.TREE) {
    offset += ROOT_ADDRESS_BYTES;
  }
  return offset;
}

/** Bytes of an entry block in all. */
export function entryBytes(
  flags: number,
  encoding: number,
  keyBytes: number,
  valueBytes: number,
): number {
  return keyOffset(flags, encoding) + keyBytes +
    (encoding === Encoding.RAW || encoding === Encoding.PACKED ? valueBytes : 0);
}

/** Whether a value must be split into extents. */
export function needsExtents(flags: number, keyBytes: number, valueBytes: number): boolean {
  return entryBytes(flags, Encoding.RAW, keyBytes, valueBytes) > MAX_BLOCK_BYTES;
}

assert(
  entryBytes(EntryFlag.HAS_TTL, Encoding.INTEGER, MAX_KEY_BYTES, INTEGER_BYTES) <= MAX_BLOCK_BYTES,
  "the longest key fits one block",
);
assert(
  extentsRootBytes(MAX_VALUE_BYTES) <= MAX_BLOCK_BYTES,
  "the root of the largest value fits one block",
);
