/**
 * Nodes and roots of collections, drawn to the byte.
 *
 * ```text
 * node: a block in a page of kind COLLECTION
 *   word 0  parent: address of the interior node above, or of the collection's root
 *   word 1  version of the collection in which this node was made
 *   word 2  next node on a list of what is freed later
 *   word 3  level (8 bits; 0 = leaf) │ flags (8: 1 has long elements, 2 is freed alone,
 *           4 all records have the same length, the upper four: kind of the records)
 *           │ interior: children, leaf: gap (16)
 * leaf
 *   word 4  run header: record bytes (16) │ records (16)
 *   byte 20 gap bytes that are free, then the records back to back, then free bytes
 * interior
 *   byte 16 children, 16 bytes each: word address, word elements below it, float64 order of its
 *           first element when it was linked (its separator; of child 0 it means nothing)
 *
 * collection root: a block of 64 bytes in a page of kind COLLECTION
 *   word 0  owner: address of the entry, 0 = orphan, 1 = made aside   word 1  0xffffffff: a root, not a node
 *   word 2  leases (atomic): bit 31 WAITING, bit 30 FRESH, below them how many
 *   word 3  version
 *   word 4  next, word 5 previous collection of the shard that waits for its readers
 *   word 6  first, word 7 last of what readers may still see (linked as garbage is)
 *   word 8  elements       word 9  node at the top of tree 0, word 10 of tree 1; 0 = none
 *   word 11 type (8) │ 1 bit: has had a heavy record (never in a list)
 *                          double 6 (byte 48)  bytes that it takes, without what is retired
 *                          double 7 (byte 56)  bytes that are retired
 * ```
 *
 * Separators: everything left of child i has an order of at most separator i, everything in child i
 * one of at least that. Where orders are equal, the child's first record decides.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import {
  isLongPart,
  longAddress,
  orderBytes,
  recordEnd,
  RecordKind,
  setLongAddress,
  skipPart,
} from "./records.ts";

/** Word offsets in a node. */
export const Node = { PARENT: 0, VERSION: 1, NEXT: 2, HEAD: 3, RUN: 4 } as const;
/** Word offsets in a collection's root. */
export const CollectionRoot = {
  OWNER: 0,
  MARK: 1,
  LEASES: 2,
  VERSION: 3,
  NEXT_WAITING: 4,
  PREVIOUS_WAITING: 5,
  FIRST_RETIRED: 6,
  LAST_RETIRED: 7,
  COUNT: 8,
  TREE_0: 9,
  TREE_1: 10,
  TYPE: 11,
  /** float64 index, from the root's first double. */
  BYTES_DOUBLE: 6,
} as const;

/** Word 1 of a root; versions stay below. */
export const COLLECTION_MARK = 0xffffffff;
/** Bit of the leases word: the root is on the shard's list of those that wait for readers. */
export const WAITING = 1 << 31;
/** Bit of the leases word: a lease was taken since the last change. */
export const FRESH = 1 << 30;
/** The other bits: how many leases there are. */
export const COLLECTION_LEASE_MASK = 0x3fffffff;

/** Bit of the type word: a record of more than {@link HEAVY_RECORD_BYTES} has been in a tree. */
export const HEAVY = 1 << 8;
/** Owner of a collection that is being made aside: no address, page 0 is not used. */
export const OWNER_ASIDE = 1;
/** Bytes of a root. */
export const COLLECTION_ROOT_BYTES = 64;
/** Bytes of a leaf before its gap. */
export const LEAF_HEADER_BYTES = 20;
/** Bytes of an interior node before its children. */
export const INTERIOR_HEADER_BYTES = 16;
/** Bytes of a child. */
export const CHILD_BYTES = 16;
/** A longer record is heavy: a leaf with one may be split into unequal parts. */
export const HEAVY_RECORD_BYTES = 251;
/** Bytes of the block of a leaf that is not to grow any more. */
export const WHOLE_LEAF_BYTES = 1024;
/** Bytes of the block of an interior node that is not to grow any more. */
export const WHOLE_INTERIOR_BYTES = 2048;
/** Record bytes above which a leaf is split. */
export const LEAF_RECORD_BYTES: number = 1024 - LEAF_HEADER_BYTES;
/** Records above which a leaf is split. */
export const LEAF_RECORDS = 128;
/** Children above which an interior node is split. */
export const MAX_CHILDREN = 120;
/** More levels than a tree can have. */
export const MAX_LEVELS = 16;

/** Flags of a node, in the second byte of its head. */
export const NodeFlag = { HAS_LONG: 1 << 8, ALONE: 2 << 8, EVEN: 4 << 8 } as const;

/** Block sizes that nodes grow through; few, so that growing is rare and pages are shared. */
const BLOCK_STEPS = [128, 256, 384, 512, 768, 1024, 1536, 2048];

/** Bytes to ask for when a node needs `byteCount`. */
export function nodeBlockBytes(byteCount: number): number {
  for (let i = 0; i < BLOCK_STEPS.length; i++) {
    if (byteCount <= BLOCK_STEPS[i]!) return BLOCK_STEPS[i]!;
  }
  return byteCount;
}

/** Word 3 of a node. */
export function nodeHead(level: number, kind: number, upper: number): number {
  return level | (kind << 12) | (upper << 16);
}

/** Level of the node at `address`; 0 = leaf. */
export function levelOf(arena: Arena, address: number): number {
  return arena.read(address, Node.HEAD) & 0xff;
}

/** Kind of the records of a node, from its head. */
export function kindOf(head: number): RecordKind {
  return ((head >>> 12) & 0xf) as RecordKind;
}

/** Elements in and below a node. */
export function elementsBelow(arena: Arena, node: number): number {
  const head = arena.read(node, Node.HEAD);
  if ((head & 0xff) === 0) return arena.read(node, Node.RUN) >>> 16;
  let sum = 0;
  for (let i = 0; i < head >>> 16; i++) sum += childCount(arena, node, i);
  return sum;
}

/** Address of child `index` of an interior node. */
export function childAt(arena: Arena, node: number, index: number): number {
  return arena.read(node, 4 + index * 4);
}

/** Elements below child `index`. */
export function childCount(arena: Arena, node: number, index: number): number {
  return arena.read(node, 5 + index * 4);
}

/** Separator of child `index`. */
export function childOrder(arena: Arena, node: number, index: number): number {
  return arena.doublesOf(node)[(arena.wordAt(node) >> 1) + 3 + index * 2]!;
}

/** Writes child `index`. */
export function setChild(
  arena: Arena,
  node: number,
  index: number,
  child: number,
  count: number,
  order: number,
): void {
  const at = arena.wordAt(node) + 4 + index * 4;
  const words = arena.wordsOf(node);
  words[at] = child;
  words[at + 1] = count;
  arena.doublesOf(node)[(at >> 1) + 1] = order;
}

/** The collection's root above a node that is in use. */
export function rootAbove(arena: Arena, node: number): number {
  let at = node;
  while (arena.read(at, CollectionRoot.MARK) !== COLLECTION_MARK) at = arena.read(at, Node.PARENT);
  return at;
}

/** Whether readers have leased the collection that a node, or a root, belongs to. */
export function isLeasedNode(arena: Arena, node: number): boolean {
  const root = rootAbove(arena, node);
  const at = arena.wordAt(root) + CollectionRoot.LEASES;
  return (Atomics.load(arena.wordsOf(root), at) & ~FRESH) !== 0;
}

/** First byte of a leaf's records, in the bytes of its segment. */
export function leafStart(arena: Arena, leaf: number): number {
  return arena.byteAt(leaf) + LEAF_HEADER_BYTES + (arena.read(leaf, Node.HEAD) >>> 16);
}

/** Calls `visit` for every long element of a leaf. */
export function forEachLong(
  arena: Arena,
  leaf: number,
  visit: (bytes: Uint8Array, at: number) => void,
): void {
  const kind = kindOf(arena.read(leaf, Node.HEAD));
  const bytes = arena.bytesOf(leaf);
  let at = leafStart(arena, leaf);
  const end = at + (arena.read(leaf, Node.RUN) & 0xffff);
  while (at < end) {
    const part = at + orderBytes(kind);
    if (isLongPart(bytes, part)) visit(bytes, part);
    if (kind === RecordKind.HASH) {
      const second = skipPart(bytes, part);
      if (isLongPart(bytes, second)) visit(bytes, second);
    }
    at = recordEnd(kind, bytes, at);
  }
}

/** Points a leaf at the new address of one of its long elements. */
export function replaceLongPart(arena: Arena, leaf: number, from: number, to: number): void {
  forEachLong(arena, leaf, (bytes, at) => {
    if (longAddress(bytes, at) === from) setLongAddress(bytes, at, to);
  });
}
