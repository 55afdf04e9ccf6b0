/**
 * The ends of large lists, without opening them.
 *
 * Nearly all that queues do with a list that is a tree is to change the first or the last leaf in
 * place. Then neither a cursor nor a plan is needed, and only what has to be counted is written: the
 * leaf, the counts above it, the clock and the number of the entry. Whether it is such a case is
 * known before the first write. All else is refused here and goes the way of the operations of
 * `Lists`: small lists, lists with a time to live or with readers, leaves that are full or become
 * empty, long elements, and changes that a hook is told of. Both ways leave the same bytes behind.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import { Encoding, Entry, EntryType } from "../entry.ts";
import type { EntryWriter } from "../entry_writer.ts";
import { rootWord } from "./entries.ts";
import type { LastStarts } from "./last_starts.ts";
import { putRecord } from "./list_ends.ts";
import { SHORT_LIST } from "./list_leaves.ts";
import {
  COLLECTION_LEASE_MASK,
  CollectionRoot,
  LEAF_HEADER_BYTES,
  LEAF_RECORDS,
  Node,
  NodeFlag,
} from "./node.ts";
import { isLongPart, MAX_SHORT_PART_BYTES, MEDIUM_PART, partStart, skipPart } from "./records.ts";

// V8 fetches what another module exports at each use; what is this module's own it makes part of the
// code.
const { CLOCK, TYPE } = Entry;
const { COUNT, LEASES, TREE_0 } = CollectionRoot;
const { HEAD, RUN } = Node;
const { EVEN } = NodeFlag;
const LEASE_MASK = COLLECTION_LEASE_MASK;
const HEADER_BYTES = LEAF_HEADER_BYTES;
const MOST_RECORDS = LEAF_RECORDS;
const MEDIUM = MEDIUM_PART;
const SHORT = SHORT_LIST;
const put = putRecord;
const isLong = isLongPart;
/** Type, encoding and flags in word 0 of an entry. */
const SHAPE_MASK = 0x00ffffff;
/** A list that is a tree, without a time to live. */
const LARGE_LIST = EntryType.LIST | (Encoding.TREE << 8);
const ROOT_WORD = rootWord(0);
const EMPTY = new Uint8Array(0);
/** Bytes of a cache line. */
const LINE_BYTES = 64;
/** Shorter records are read as they are. */
const FEW_BYTES = 128;

/** Thread: one instance per thread, under the shard's exclusive lock. */
export class DirectEnds {
  /** Buffer with the element that {@link DirectEnds.seek} found. */
  bytes: Uint8Array = EMPTY;
  /** Its first byte. */
  start = 0;
  /** Behind its last byte. */
  end = 0;
  /** Something of what was read beforehand, so that it is read at all. */
  seen = 0;

  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #writer: EntryWriter;
  readonly #last: LastStarts;
  readonly #mostBytes: number;
  // What `seek` went to.
  #entry = 0;
  #root = 0;
  #leaf = 0;
  #recordBytes = 0;
  #atFront = false;

  /** Wires the parts of one thread together. */
  constructor(
    arena: Arena,
    blocks: BlockAllocator,
    writer: EntryWriter,
    last: LastStarts,
    maxElementBytes: number,
  ) {
    this.#arena = arena;
    this.#blocks = blocks;
    this.#writer = writer;
    this.#last = last;
    this.#mostBytes = Math.min(MAX_SHORT_PART_BYTES, maxElementBytes);
  }

  /**
   * Puts an element before the first or behind the last one of a list.
   *
   * @param entry what is at the key, of whatever type; 0 = nothing
   * @returns elements in the list now; 0 = it is not one of the simple cases, nothing has changed
   */
  push(
    entry: number,
    shard: number,
    atFront: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const byteCount = end - start;
    const root = byteCount > this.#mostBytes ? 0 : this.#rootOf(entry);
    if (root === 0) return 0;
    const arena = this.#arena;
    const rootWords = arena.wordsOf(root);
    const rootAt = arena.wordAt(root);
    const count = rootWords[rootAt + COUNT]!;
    const top = rootWords[rootAt + TREE_0]! >>> 0;
    // A shorter one might be packed behind the change.
    if (count < SHORT) return 0;
    const leaf = this.#leafAt(top, atFront);
    const words = arena.wordsOf(leaf);
    const at = arena.wordAt(leaf);
    const run = words[at + RUN]!;
    const used = run & 0xffff;
    const records = run >>> 16;
    if (records >= MOST_RECORDS) return 0;
    let head = words[at + HEAD]!;
    const gap = head >>> 16;
    const recordBytes = byteCount < MEDIUM ? byteCount + 1 : byteCount + 3;
    const first = at * 4 + HEADER_BYTES + gap;
    if (recordBytes * records !== used) head &= ~EVEN;
    if (atFront) {
      if (gap < recordBytes) return 0;
      put(arena.bytesOf(leaf), first - recordBytes, bytes, start, end);
      head = (head & 0xffff) | ((gap - recordBytes) << 16);
    } else {
      if (HEADER_BYTES + gap + used + recordBytes > this.#blocks.blockBytes(leaf)) return 0;
      put(arena.bytesOf(leaf), first + used, bytes, start, end);
    }
    words[at + HEAD] = head;
    words[at + RUN] = (used + recordBytes) | ((records + 1) << 16);
    rootWords[rootAt + COUNT] = count + 1;
    if (leaf !== top) this.#addToCounts(top, atFront, 1);
    const follows = this.#last.isOf(entry, shard) && (!atFront || leaf !== top);
    if (follows && !atFront) {
      this.#last.starts[records] = used;
      this.#last.count = records + 1;
    }
    this.#finish(entry, shard, follows);
    return count + 1;
  }

  /**
   * Goes to the first or the last element of a list, to be removed.
   *
   * @param entry what is at the key, of whatever type; 0 = nothing
   * @returns false when it is not one of the simple cases; else `bytes[start, end)` is the element
   */
  seek(entry: number, shard: number, atFront: boolean): boolean {
    const root = this.#rootOf(entry);
    if (root === 0) return false;
    const arena = this.#arena;
    const rootWords = arena.wordsOf(root);
    const rootAt = arena.wordAt(root);
    if (rootWords[rootAt + COUNT]! <= SHORT + 1) return false;
    const leaf = this.#leafAt(rootWords[rootAt + TREE_0]! >>> 0, atFront);
    const words = arena.wordsOf(leaf);
    const at = arena.wordAt(leaf);
    const run = words[at + RUN]!;
    const records = run >>> 16;
    // A leaf that becomes empty goes.
    if (records < 2) return false;
    const bytes = arena.bytesOf(leaf);
    const head = words[at + HEAD]!;
    const first = at * 4 + HEADER_BYTES + (head >>> 16);
    let from = first;
    if (!atFront) {
      const used = run & 0xffff;
      if ((head & EVEN) !== 0) {
        from += used - ((used / records) | 0);
      } else {
        const last = this.#last;
        if (last.count !== records || !last.isOf(entry, shard)) {
          last.find(entry, shard, bytes, first, records);
        }
        from += last.starts[records - 1]!;
      }
    }
    if (isLong(bytes, from)) return false;
    this.bytes = bytes;
    this.start = partStart(bytes, from);
    this.end = skipPart(bytes, from);
    this.#entry = entry;
    this.#root = root;
    this.#leaf = leaf;
    this.#recordBytes = this.end - from;
    if (!atFront && this.#recordBytes > FEW_BYTES) this.seen = see(bytes, from, this.end);
    this.#atFront = atFront;
    return true;
  }

  /** Removes the element that {@link DirectEnds.seek} found. */
  remove(shard: number): void {
    const arena = this.#arena;
    const atFront = this.#atFront;
    const entry = this.#entry;
    const leaf = this.#leaf;
    const words = arena.wordsOf(leaf);
    const at = arena.wordAt(leaf);
    const run = words[at + RUN]!;
    const records = run >>> 16;
    let head = words[at + HEAD]!;
    if (records === 2) head |= EVEN;
    if (atFront) head = (head & 0xffff) | (((head >>> 16) + this.#recordBytes) << 16);
    words[at + HEAD] = head;
    words[at + RUN] = ((run & 0xffff) - this.#recordBytes) | ((records - 1) << 16);
    const rootWords = arena.wordsOf(this.#root);
    const rootAt = arena.wordAt(this.#root);
    rootWords[rootAt + COUNT]!--;
    const top = rootWords[rootAt + TREE_0]! >>> 0;
    if (leaf !== top) this.#addToCounts(top, atFront, -1);
    const follows = this.#last.isOf(entry, shard) && (!atFront || leaf !== top);
    if (follows && !atFront) this.#last.count = records - 1;
    this.#finish(entry, shard, follows);
  }

  /** Root of a list that is a tree without a time to live, which nobody reads; 0 = it is none. */
  #rootOf(entry: number): number {
    if (entry === 0 || this.#writer.hook !== undefined) return 0;
    const arena = this.#arena;
    const words = arena.wordsOf(entry);
    const at = arena.wordAt(entry);
    if ((words[at + TYPE]! & SHAPE_MASK) !== LARGE_LIST) return 0;
    const root = words[at + ROOT_WORD]! >>> 0;
    // As `CollectionMemory.mayBeLeased`.
    const leases = arena.wordsOf(root)[arena.wordAt(root) + LEASES]!;
    return (leases & LEASE_MASK) === 0 ? root : 0;
  }

  /** The first or the last leaf below a node. */
  #leafAt(top: number, atFront: boolean): number {
    const arena = this.#arena;
    let node = top;
    for (;;) {
      const words = arena.wordsOf(node);
      const at = arena.wordAt(node);
      const head = words[at + HEAD]!;
      if ((head & 0xff) === 0) return node;
      node = words[at + 4 + (atFront ? 0 : ((head >>> 16) - 1) * 4)]! >>> 0;
    }
  }

  /** Adds to the counts on the way to that leaf. */
  #addToCounts(top: number, atFront: boolean, delta: 1 | -1): void {
    const arena = this.#arena;
    let node = top;
    for (;;) {
      const words = arena.wordsOf(node);
      const at = arena.wordAt(node);
      const head = words[at + HEAD]!;
      if ((head & 0xff) === 0) return;
      const child = at + 4 + (atFront ? 0 : ((head >>> 16) - 1) * 4);
      words[child + 1]! += delta;
      node = words[child]! >>> 0;
    }
  }

  #finish(entry: number, shard: number, follows: boolean): void {
    const writer = this.#writer;
    const access = writer.clock;
    if (access.stamps) {
      this.#arena.wordsOf(entry)[this.#arena.wordAt(entry) + CLOCK] = access.nowSeconds;
    }
    access.note(true);
    writer.stampSeq(shard, entry);
    if (follows) this.#last.remember(entry, shard);
  }
}

/**
 * Reads something of each cache line of what will be copied, from the end: a list that is taken from
 * its end is gone through backwards, and processors fetch ahead what is read in order.
 */
function see(bytes: Uint8Array, from: number, to: number): number {
  let some = 0;
  for (let at = to - 1; at >= from; at -= LINE_BYTES) some |= bytes[at]!;
  return some;
}
