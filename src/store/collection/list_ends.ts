/**
 * The ends of lists: one short element comes or goes there, in place.
 *
 * What queues do nearly always needs no memory: a record goes into free bytes in front of the first
 * leaf or behind the last one, or comes off it. Whether it is such a case is known before the first
 * write, so nothing can fail and nothing is promised. All else (a leaf that is full or becomes
 * empty, long elements, lists that somebody reads, runs that become trees) is refused here and goes
 * the general way. Both ways leave the same bytes behind.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import { Entry } from "../entry.ts";
import type { Collection } from "./collection.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import type { LastStarts } from "./last_starts.ts";
import type { RecordCursor } from "./cursor.ts";
import { CollectionRoot, LEAF_HEADER_BYTES, LEAF_RECORDS, Node, NodeFlag } from "./node.ts";
import { isSparse, SHORT_LIST } from "./list_leaves.ts";
import { PACKED_RECORD_BYTES, PACKED_RECORDS } from "./planner.ts";
import {
  copyBytes,
  isLongPart,
  MAX_SHORT_PART_BYTES,
  MEDIUM_PART,
  RUN_HEADER_BYTES,
} from "./records.ts";

/** Thread: one instance per thread, under the shard's exclusive lock. */
export class ListEnds {
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #memory: CollectionMemory;
  readonly #last: LastStarts;
  /** What is known will be true of the list once the change under way has its number. */
  #follows = false;

  /** Wires the parts of one thread together. */
  constructor(
    arena: Arena,
    blocks: BlockAllocator,
    memory: CollectionMemory,
    last: LastStarts,
  ) {
    this.#last = last;
    this.#arena = arena;
    this.#blocks = blocks;
    this.#memory = memory;
  }

  /** Goes to the first or the last element; returns whether there is one. */
  seek(c: Collection, atFront: boolean): boolean {
    const { cursor } = c;
    if (atFront) return cursor.seekFirst();
    // One that is made aside, or a fork, has no entry.
    if (c.entry === 0) return cursor.seekLast();
    cursor.seekEnd();
    const { count } = cursor;
    if (count === 0) return false;
    const { stride } = cursor;
    if (stride > 0) {
      cursor.stand(cursor.limit - stride, count - 1);
      return true;
    }
    const last = this.#last;
    if (last.count !== count || !last.isOf(c.entry, c.key.shard)) {
      last.find(c.entry, c.key.shard, cursor.bytes, cursor.first, count);
    }
    cursor.stand(cursor.first + last.starts[count - 1]!, count - 1);
    return true;
  }

  /** Forgets where the last elements begin: entries were given numbers that others have had. */
  forget(): void {
    this.#last.count = 0;
    this.#follows = false;
  }

  /** The change that was made here has its number: to be called after it. */
  follow(c: Collection): void {
    if (this.#follows) this.#last.remember(c.entry, c.key.shard);
    this.#follows = false;
  }

  /**
   * Puts an element before the first or behind the last one of a list that has elements. The number
   * of the change and its end are the caller's.
   *
   * @returns false when it is not one of the simple cases: nothing has changed
   */
  tryPush(c: Collection, atFront: boolean, bytes: Uint8Array, start: number, end: number): boolean {
    const byteCount = end - start;
    if (byteCount > MAX_SHORT_PART_BYTES) return false;
    const recordBytes = byteCount < MEDIUM_PART ? byteCount + 1 : byteCount + 3;
    if (c.root === 0) {
      return c.entry !== 0 && this.#tryPushPacked(c, atFront, recordBytes, bytes, start, end);
    }
    if (this.#memory.mayBeLeased(c.root)) return false;
    const { cursor } = c;
    if (atFront) cursor.seekFirst();
    else cursor.seekEnd();
    const { leaf, first, limit } = cursor;
    if (leaf === 0 || cursor.count >= LEAF_RECORDS) return false;
    const total = limit - first + recordBytes;
    const words = this.#arena.wordsOf(leaf);
    const at = this.#arena.wordAt(leaf);
    let head = words[at + Node.HEAD]!;
    const gap = head >>> 16;
    if (recordBytes * cursor.count !== limit - first) head &= ~NodeFlag.EVEN;
    if (atFront) {
      if (gap < recordBytes) return false;
      head = (head & 0xffff) | ((gap - recordBytes) << 16);
      putRecord(cursor.bytes, first - recordBytes, bytes, start, end);
      // Of a tree with more than one leaf it is not the last one.
      this.#follows = this.#hasManyLeaves(cursor) && this.#last.isOf(c.entry, c.key.shard);
    } else {
      if (LEAF_HEADER_BYTES + gap + total > this.#blocks.blockBytes(leaf)) return false;
      putRecord(cursor.bytes, limit, bytes, start, end);
      if (this.#last.isOf(c.entry, c.key.shard)) {
        this.#last.starts[cursor.count] = limit - first;
        this.#last.count = cursor.count + 1;
        this.#follows = true;
      }
    }
    words[at + Node.HEAD] = head;
    words[at + Node.RUN] = total | ((cursor.count + 1) << 16);
    this.#count(c, 1);
    return true;
  }

  /**
   * Takes the element away that the cursor of a list stands on, its first or its last one. The number
   * of the change and its end are the caller's.
   *
   * @returns false when it is not one of the simple cases: nothing has changed, not even the cursor
   */
  tryRemove(c: Collection, atFront: boolean): boolean {
    const { cursor } = c;
    // A leaf that becomes empty goes, and so does the key with its last element.
    if (cursor.count < 2 || isLongPart(cursor.bytes, cursor.at)) return false;
    if (c.root === 0) return this.#tryRemovePacked(c, atFront);
    if (this.#memory.mayBeLeased(c.root)) return false;
    const recordBytes = cursor.end - cursor.at;
    const left = cursor.limit - cursor.first - recordBytes;
    // A short list goes into smaller blocks.
    if (c.count <= SHORT_LIST && isSparse(this.#blocks.blockBytes(cursor.leaf), left)) return false;
    const words = this.#arena.wordsOf(cursor.leaf);
    const at = this.#arena.wordAt(cursor.leaf);
    let head = words[at + Node.HEAD]!;
    if (cursor.count === 2) head |= NodeFlag.EVEN;
    this.#follows = this.#last.isOf(c.entry, c.key.shard);
    if (atFront) {
      head = (head & 0xffff) | (((head >>> 16) + recordBytes) << 16);
      this.#follows = this.#follows && this.#hasManyLeaves(cursor);
    } else if (this.#follows) {
      this.#last.count = cursor.count - 1;
    }
    words[at + Node.HEAD] = head;
    words[at + Node.RUN] = left | ((cursor.count - 1) << 16);
    this.#count(c, -1);
    return true;
  }

  #tryPushPacked(
    c: Collection,
    atFront: boolean,
    recordBytes: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const { cursor } = c;
    const { first, limit } = cursor;
    const run = cursor.bytes;
    const total = limit - first + recordBytes;
    if (total > PACKED_RECORD_BYTES || cursor.count >= PACKED_RECORDS) return false;
    const before = first - this.#arena.byteAt(c.entry);
    if (before + total > this.#blocks.blockBytes(c.entry)) return false;
    if (atFront) {
      run.copyWithin(first + recordBytes, first, limit);
    } else if (this.#last.isOf(c.entry, c.key.shard)) {
      this.#last.starts[cursor.count] = limit - first;
      this.#last.count = cursor.count + 1;
      this.#follows = true;
    }
    putRecord(run, atFront ? first : limit, bytes, start, end);
    this.#writeRun(c, total, cursor.count + 1);
    return true;
  }

  #tryRemovePacked(c: Collection, atFront: boolean): boolean {
    const { cursor } = c;
    const { end, first, limit } = cursor;
    const total = limit - first - (end - cursor.at);
    const need = first - this.#arena.byteAt(c.entry) + total;
    // Half of the block would do, or nearly: the general way looks for a smaller one.
    if (need * 2 <= this.#blocks.blockBytes(c.entry)) return false;
    if (atFront) {
      cursor.bytes.copyWithin(first, end, limit);
    } else if (this.#last.isOf(c.entry, c.key.shard)) {
      this.#last.count = cursor.count - 1;
      this.#follows = true;
    }
    this.#writeRun(c, total, cursor.count - 1);
    return true;
  }

  #writeRun(c: Collection, byteCount: number, count: number): void {
    const { bytes, first } = c.cursor;
    bytes[first - 4] = byteCount;
    bytes[first - 3] = byteCount >>> 8;
    bytes[first - 2] = count;
    bytes[first - 1] = count >>> 8;
    this.#arena.write(c.entry, Entry.VALUE_BYTES, RUN_HEADER_BYTES + byteCount);
    c.count = count;
    this.#end(c);
    c.cursor.openRun(c.cursor.kind, bytes, first - RUN_HEADER_BYTES);
  }

  /** Adds to the counts on the way to the cursor's leaf. */
  #count(c: Collection, delta: 1 | -1): void {
    const { cursor } = c;
    const arena = this.#arena;
    for (let level = 1; level <= cursor.topLevel; level++) {
      const node = cursor.nodes[level]!;
      arena.wordsOf(node)[arena.wordAt(node) + 5 + cursor.indexes[level]! * 4]! += delta;
    }
    c.count += delta;
    arena.write(c.root, CollectionRoot.COUNT, c.count);
    this.#end(c);
  }

  #hasManyLeaves({ top, topLevel }: RecordCursor): boolean {
    return topLevel > 0 && this.#arena.read(top, Node.HEAD) >>> 16 > 1;
  }

  #end(c: Collection): void {
    c.isDirty = true;
    c.seq = 0;
  }
}

/** Writes the record of a list's element at `target[at…]`. */
export function putRecord(
  target: RecordCursor["bytes"],
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const byteCount = end - start;
  if (byteCount < MEDIUM_PART) {
    target[at] = byteCount;
    copyBytes(bytes, start, end, target, at + 1);
    return;
  }
  target[at] = MEDIUM_PART;
  target[at + 1] = byteCount;
  target[at + 2] = byteCount >>> 8;
  copyBytes(bytes, start, end, target, at + 3);
}
