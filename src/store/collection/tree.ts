/**
 * Changes of the trees of collections: one record at a time.
 *
 * Everything here is a *splice*: at a cursor, none or one record goes, none or one comes. The promise
 * of pages that it can need (tree_demand.ts) has been made before, so nothing fails.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import type { RecordCursor } from "./cursor.ts";
import {
  childAt,
  childCount,
  CollectionRoot,
  HEAVY,
  HEAVY_RECORD_BYTES,
  LEAF_HEADER_BYTES,
  LEAF_RECORD_BYTES,
  LEAF_RECORDS,
  leafStart,
  Node,
  NodeFlag,
  nodeHead,
} from "./node.ts";
import { Interiors } from "./interiors.ts";
import { countRecords, cutRecords, halveRecords, longestRecord } from "./leaf_pieces.ts";
import { endLeafBytes, isSparse, SHORT_LIST } from "./list_leaves.ts";
import {
  copyBytes,
  isLongPart,
  longAddress,
  moveBytes,
  orderBytes,
  readUint32,
  recordEnd,
  RecordKind,
  type RecordScratch,
  skipPart,
} from "./records.ts";

/** Leaves with fewer record bytes look for a neighbour to join. */
const JOIN_BELOW_BYTES = 256;
/** Two leaves join when this holds both. */
const JOINED_BYTES = 760;
const JOINED_RECORDS = 100;
/** A leaf of a list, and a record. */
const WORK_BYTES = 8192 + 1024;

// As constants of this module they are part of the code; V8 fetches those of others at each use.
const { HEAD, RUN } = Node;
const { EVEN, HAS_LONG } = NodeFlag;
const { LIST } = RecordKind;
const HEADER_BYTES = LEAF_HEADER_BYTES;
const MOST_BYTES = LEAF_RECORD_BYTES;
const MOST_RECORDS = LEAF_RECORDS;
const HEAVY_BYTES = HEAVY_RECORD_BYTES;

/** Changes trees. Thread: one instance per thread, under the shard's exclusive lock. */
export class TreeWriter {
  readonly #arena: Arena;
  readonly #memory: CollectionMemory;
  readonly #interiors: Interiors;
  readonly #work = new Uint8Array(WORK_BYTES);
  readonly #workView = new DataView(this.#work.buffer);
  /** Ends of the pieces that a leaf is split into, in `#work`. */
  readonly #pieceEnds: number[] = [];

  /** Wires the parts of one thread together. */
  constructor(arena: Arena, memory: CollectionMemory) {
    this.#arena = arena;
    this.#memory = memory;
    this.#interiors = new Interiors(arena, memory);
  }

  /**
   * Whether a record can come at a cursor, for the one there if `removed` is 1, in the block that
   * its leaf has. Then a splice needs no memory, if nobody reads the collection.
   */
  takes(cursor: RecordCursor, removed: 0 | 1, recordBytes: number): boolean {
    const removedBytes = removed === 1 ? cursor.end - cursor.at : 0;
    const byteCount = cursor.limit - cursor.first - removedBytes + recordBytes;
    return cursor.leaf !== 0 && (byteCount <= MOST_BYTES || cursor.kind === LIST) &&
      cursor.count - removed < MOST_RECORDS &&
      HEADER_BYTES + byteCount <= this.#memory.blockBytes(cursor.leaf);
  }

  /**
   * Replaces the record at a cursor, inserts before it, or removes it. The cursor is invalid after.
   *
   * {@link CollectionMemory.enter} was called. The collection's count is the caller's to change.
   *
   * @param tree 0 or 1
   * @param removed 1 to take the current record away
   * @param record what comes; undefined = nothing
   */
  splice(
    root: number,
    tree: number,
    cursor: RecordCursor,
    removed: 0 | 1,
    record: RecordScratch | undefined,
  ): void {
    const isList = cursor.kind === LIST;
    if (record !== undefined && record.length > HEAVY_BYTES && !isList) this.#noteHeavy(root);
    if (cursor.top === 0) {
      this.#plant(root, tree, cursor.kind, record!);
      return;
    }
    const relative = cursor.at - cursor.first;
    const removedBytes = removed === 1 ? cursor.end - cursor.at : 0;
    if (this.#memory.isShared) this.#interiors.ownPath(root, tree, cursor);
    if (removed === 1) this.#dropLongParts(root, cursor.leaf, relative);
    const added = record === undefined ? 0 : record.length;
    const delta = (added > 0 ? 1 : 0) - removed;
    if (delta !== 0) this.#interiors.addCounts(cursor, delta);
    const arena = this.#arena;
    const { leaf } = cursor;
    const words = arena.wordsOf(leaf);
    const at = arena.wordAt(leaf);
    const run = words[at + RUN]!;
    const oldBytes = run & 0xffff;
    const newBytes = oldBytes - removedBytes + added;
    const newCount = (run >>> 16) + delta;
    const staysEven = newCount === 1 || added === 0 || added * (run >>> 16) === oldBytes;
    const blockBytes = this.#memory.blockBytes(leaf);
    const isSmall = newBytes <= MOST_BYTES || (isList && HEADER_BYTES + newBytes <= blockBytes);
    if (newCount === 0) {
      this.#memory.freeNode(root, leaf);
      this.#interiors.removeEmpty(root, tree, cursor);
    } else if ((isSmall && newCount <= MOST_RECORDS) || newCount === 1) {
      if (HEADER_BYTES + newBytes <= blockBytes) {
        const head = words[at + HEAD]!;
        const room = blockBytes - HEADER_BYTES - (head >>> 16) - oldBytes;
        const gap = this.#spliceInPlace(
          leaf,
          head >>> 16,
          oldBytes,
          room,
          relative,
          removedBytes,
          record,
        );
        words[at + HEAD] = (head & 0xffff) | (gap << 16);
      } else {
        this.#compose(leaf, relative, removedBytes, record);
        this.#rewrite(root, tree, cursor, newBytes, newCount, relative === 0);
      }
      writeRun(arena, cursor.leaf, newBytes, newCount);
      if (!staysEven || newCount === 1) this.#setEven(cursor.leaf, staysEven);
      if (record !== undefined && record.hasLong) this.#adoptLong(cursor.leaf, true);
      if (removed === 1 && added === 0) {
        const isTooLarge = isList && isSparse(blockBytes, newBytes);
        if (newBytes < JOIN_BELOW_BYTES || isTooLarge) {
          this.#afterRemoval(root, tree, cursor, newBytes, isTooLarge);
        }
      }
    } else if (removed === 0 && relative === oldBytes && isAtEdge(arena, cursor, 1)) {
      this.#extend(root, tree, cursor, 1, newCount - 1, record!);
    } else if (removed === 0 && relative === 0 && isAtEdge(arena, cursor, 0)) {
      this.#extend(root, tree, cursor, 0, newCount - 1, record!);
    } else {
      this.#compose(leaf, relative, removedBytes, record);
      this.#split(root, tree, cursor, newBytes, record!);
    }
  }

  /**
   * Gives the member at a cursor another score, where its record is. The cursor is invalid after.
   *
   * {@link CollectionMemory.enter} was called, and memory promised as for a splice.
   *
   * @param tree the one with records of {@link RecordKind.MEMBERS}
   */
  setScore(root: number, tree: number, cursor: RecordCursor, score: number): void {
    const relative = cursor.end - 8 - cursor.first;
    if (this.#memory.isShared) this.#interiors.ownPath(root, tree, cursor);
    const at = leafStart(this.#arena, cursor.leaf) + relative;
    this.#arena.viewOf(cursor.leaf).setFloat64(at, score, true);
  }

  /** Removes the records with ranks `[from, to)`; at least one record stays. */
  removeRanks(root: number, tree: number, from: number, to: number): void {
    const top = this.#interiors.ownTop(root, tree);
    this.#removeIn(root, top, from, to);
    this.#interiors.collapseTop(root, tree);
  }

  /** Its leaves may be split into unequal parts from now on; see tree_demand.ts. */
  #noteHeavy(root: number): void {
    this.#arena.write(
      root,
      CollectionRoot.TYPE,
      this.#arena.read(root, CollectionRoot.TYPE) | HEAVY,
    );
  }

  /** First record of an empty tree. */
  #plant(root: number, tree: number, kind: number, record: RecordScratch): void {
    const leaf = this.#makeFirst(root, root, kind, record, 0, 1);
    this.#arena.write(root, CollectionRoot.TREE_0 + tree, leaf);
  }

  /** A leaf with one record, that grows at the front (side 0) or behind (side 1). */
  #makeFirst(
    root: number,
    parent: number,
    kind: number,
    record: RecordScratch,
    roomBytes: number,
    side: 0 | 1,
  ): number {
    const arena = this.#arena;
    const need = HEADER_BYTES + record.length;
    const head = nodeHead(0, kind, 0) | EVEN;
    const leaf = this.#memory.makeNode(root, parent, head, Math.max(need, roomBytes));
    const gap = side === 0 ? this.#memory.blockBytes(leaf) - need : 0;
    arena.write(leaf, HEAD, head | (gap << 16));
    copyBytes(record.bytes, 0, record.length, arena.bytesOf(leaf), leafStart(arena, leaf));
    writeRun(arena, leaf, record.length, 1);
    this.#adoptLong(leaf, record.hasLong);
    return leaf;
  }

  /**
   * Changes the records of a leaf whose block has room; its header is written by the caller.
   *
   * @param gap free bytes before its records
   * @param total bytes of its records
   * @param room free bytes behind them
   * @returns free bytes before the records now
   */
  #spliceInPlace(
    leaf: number,
    gap: number,
    total: number,
    room: number,
    relative: number,
    removedBytes: number,
    record: RecordScratch | undefined,
  ): number {
    const arena = this.#arena;
    const bytes = arena.bytesOf(leaf);
    const view = arena.viewOf(leaf);
    const added = record === undefined ? 0 : record.length;
    const growth = added - removedBytes;
    const block = arena.byteAt(leaf) + HEADER_BYTES;
    let start = block + gap;
    const tail = total - relative - removedBytes;
    let moveHead = relative < tail;
    if (growth > 0) {
      if (gap < growth) moveHead = false;
      if (!moveHead && room < growth) {
        if (gap >= growth) {
          moveHead = true;
        } else {
          bytes.copyWithin(block, start, start + total);
          start = block;
          moveHead = false;
        }
      }
    }
    if (moveHead) {
      moveBytes(view, bytes, start - growth, start, relative);
      start -= growth;
    } else if (growth !== 0) {
      const from = start + relative + removedBytes;
      moveBytes(view, bytes, from + growth, from, tail);
    }
    if (record !== undefined) copyBytes(record.bytes, 0, record.length, bytes, start + relative);
    return start - block;
  }

  /** Puts the records of a leaf with the change into `#work`. */
  #compose(
    leaf: number,
    relative: number,
    removedBytes: number,
    record: RecordScratch | undefined,
  ): void {
    const bytes = this.#arena.bytesOf(leaf);
    const head = this.#arena.read(leaf, HEAD);
    const start = this.#arena.byteAt(leaf) + HEADER_BYTES + (head >>> 16);
    const total = this.#arena.read(leaf, RUN) & 0xffff;
    copyBytes(bytes, start, start + relative, this.#work, 0);
    let at = relative;
    if (record !== undefined) {
      copyBytes(record.bytes, 0, record.length, this.#work, at);
      at += record.length;
    }
    copyBytes(bytes, start + relative + removedBytes, start + total, this.#work, at);
  }

  /** Moves a leaf to a block that holds `#work[0, byteCount)`. */
  #rewrite(
    root: number,
    tree: number,
    cursor: RecordCursor,
    byteCount: number,
    count: number,
    growsAtFront: boolean,
  ): void {
    const old = cursor.leaf;
    const leaf = this.#makeLeaf(root, cursor, 0, byteCount, count, growsAtFront);
    this.#interiors.setNode(root, tree, cursor, 0, leaf);
    this.#memory.freeNode(root, old);
    cursor.leaf = leaf;
  }

  /** A new leaf of `#work[from, to)`, with the parent and the flags of the cursor's. */
  #makeLeaf(
    root: number,
    cursor: RecordCursor,
    from: number,
    to: number,
    count: number,
    growsAtFront: boolean,
  ): number {
    const arena = this.#arena;
    const oldHead = arena.read(cursor.leaf, HEAD);
    const parent = arena.read(cursor.leaf, Node.PARENT);
    const need = HEADER_BYTES + to - from;
    const leaf = this.#memory.makeNode(root, parent, oldHead & 0xffff, need);
    const gap = growsAtFront ? this.#memory.blockBytes(leaf) - need : 0;
    arena.write(leaf, HEAD, (oldHead & 0xffff) | (gap << 16));
    copyBytes(
      this.#work,
      from,
      to,
      arena.bytesOf(leaf),
      arena.byteAt(leaf) + HEADER_BYTES + gap,
    );
    writeRun(arena, leaf, to - from, count);
    if ((oldHead & HAS_LONG) !== 0) this.#adoptLong(leaf, true);
    return leaf;
  }

  /**
   * Adds a leaf with one record before the first leaf of a tree (side 0) or behind the last one
   * (side 1), which is full and stays as it is. More of the kind will come: it gets room for them.
   *
   * @param count records in the leaf at the cursor
   */
  #extend(
    root: number,
    tree: number,
    cursor: RecordCursor,
    side: 0 | 1,
    count: number,
    record: RecordScratch,
  ): void {
    this.#interiors.ensureRoom(root, tree, cursor, 1, 1);
    let room = HEADER_BYTES + MOST_BYTES;
    if (cursor.kind === LIST && !this.#memory.makesWhole) {
      room = endLeafBytes(record.length, this.#arena.read(root, CollectionRoot.COUNT));
    }
    const leaf = this.#makeFirst(root, cursor.nodes[1]!, cursor.kind, record, room, side);
    if (side === 1) {
      this.#interiors.setCount(cursor, 1, count);
      this.#interiors.insertAfter(root, tree, cursor, leaf, 1, record.orderOf(cursor.kind));
    } else {
      this.#interiors.setNode(root, tree, cursor, 0, leaf);
      this.#interiors.setCount(cursor, 1, 1);
      this.#interiors.insertAfter(root, tree, cursor, cursor.leaf, count, cursor.order);
    }
  }

  /** Splits a leaf whose new content, in `#work`, is too much for one. */
  #split(
    root: number,
    tree: number,
    cursor: RecordCursor,
    total: number,
    record: RecordScratch,
  ): void {
    const arena = this.#arena;
    const old = cursor.leaf;
    if (record.hasLong) {
      arena.write(old, HEAD, arena.read(old, HEAD) | HAS_LONG);
    }
    const ends = this.#pieceEnds;
    ends.length = 0;
    if (cursor.kind === LIST) halveRecords(LIST, this.#work, total, ends);
    else cutRecords(cursor.kind, this.#work, 0, total, ends);
    this.#interiors.ensureRoom(root, tree, cursor, 1, ends.length - 1);
    let start = 0;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i]!;
      const count = countRecords(cursor.kind, this.#work, start, end);
      const leaf = this.#makeLeaf(root, cursor, start, end, count, false);
      this.#setEven(
        leaf,
        count * longestRecord(cursor.kind, this.#work, start, end) === end - start,
      );
      if (i === 0) {
        this.#interiors.setNode(root, tree, cursor, 0, leaf);
        this.#interiors.setCount(cursor, 1, count);
      } else {
        const order = this.#orderAt(cursor.kind, start);
        this.#interiors.insertAfter(root, tree, cursor, leaf, count, order);
      }
      start = end;
    }
    this.#memory.freeNode(root, old);
  }

  /** Says of a leaf whether all of its records have the same length. */
  #setEven(leaf: number, isEven: boolean): void {
    const head = this.#arena.read(leaf, HEAD);
    const other = isEven ? head | EVEN : head & ~EVEN;
    this.#arena.write(leaf, HEAD, other);
  }

  #orderAt(kind: number, at: number): number {
    if (kind === RecordKind.LIST) return 0;
    if (kind === RecordKind.SCORES) return this.#workView.getFloat64(at, true);
    return readUint32(this.#work, at);
  }

  /** After one record of a leaf went that has few bytes now, of its block or at all. That may wait. */
  #afterRemoval(
    root: number,
    tree: number,
    cursor: RecordCursor,
    byteCount: number,
    isTooLarge: boolean,
  ): void {
    if (this.#memory.isShared || this.#memory.makesWhole) return;
    const arena = this.#arena;
    // At the ends elements come and go: a leaf there is soon empty or full.
    const isAtEnd = isAtEdge(arena, cursor, 0) || isAtEdge(arena, cursor, 1);
    if (!isAtEnd && byteCount < JOIN_BELOW_BYTES && this.#join(root, tree, cursor)) return;
    if (!isTooLarge) return;
    const isShort = arena.read(root, CollectionRoot.COUNT) <= SHORT_LIST;
    if (isShort || !isAtEnd) this.#shrink(root, tree, cursor, byteCount);
  }

  /** Moves a leaf to a smaller block, if there is memory to spare. */
  #shrink(root: number, tree: number, cursor: RecordCursor, byteCount: number): void {
    const arena = this.#arena;
    const { leaf } = cursor;
    const need = HEADER_BYTES + byteCount + (byteCount >>> 2);
    const head = arena.read(leaf, HEAD) & 0xffff;
    const to = this.#memory.tryMakeNode(root, arena.read(leaf, Node.PARENT), head, need);
    if (to === 0) return;
    const start = leafStart(arena, leaf);
    const target = arena.byteAt(to) + HEADER_BYTES;
    copyBytes(arena.bytesOf(leaf), start, start + byteCount, arena.bytesOf(to), target);
    arena.write(to, RUN, arena.read(leaf, RUN));
    if ((head & HAS_LONG) !== 0) this.#adoptLong(to, true);
    this.#interiors.setNode(root, tree, cursor, 0, to);
    this.#memory.freeNode(root, leaf);
  }

  /** Makes one of a leaf with few bytes and its neighbour; returns whether it did. */
  #join(root: number, tree: number, cursor: RecordCursor): boolean {
    const arena = this.#arena;
    const parent = cursor.nodes[1]!;
    const siblings = arena.read(parent, HEAD) >>> 16;
    if (siblings < 2) return false;
    const index = Math.min(cursor.indexes[1]!, siblings - 2);
    const left = childAt(arena, parent, index);
    const right = childAt(arena, parent, index + 1);
    const leftRun = arena.read(left, RUN);
    const rightRun = arena.read(right, RUN);
    const joined = (leftRun & 0xffff) + (rightRun & 0xffff);
    const count = (leftRun >>> 16) + (rightRun >>> 16);
    if (joined > JOINED_BYTES || count > JOINED_RECORDS) return false;
    this.#compose(left, 0, 0, undefined);
    const rightStart = arena.byteAt(right) + HEADER_BYTES +
      (arena.read(right, HEAD) >>> 16);
    copyBytes(
      arena.bytesOf(right),
      rightStart,
      rightStart + (rightRun & 0xffff),
      this.#work,
      leftRun & 0xffff,
    );
    const leftHead = arena.read(left, HEAD);
    const rightHead = arena.read(right, HEAD);
    const isEven = (leftHead & rightHead & EVEN) !== 0 &&
      (leftRun & 0xffff) * (rightRun >>> 16) === (rightRun & 0xffff) * (leftRun >>> 16);
    const even = isEven ? EVEN : 0;
    const flags = ((leftHead | rightHead) & 0xffff & ~EVEN) | even;
    const leafNow = this.#memory.tryMakeNode(root, parent, flags, HEADER_BYTES + joined);
    if (leafNow === 0) return false;
    copyBytes(
      this.#work,
      0,
      joined,
      arena.bytesOf(leafNow),
      arena.byteAt(leafNow) + HEADER_BYTES,
    );
    writeRun(arena, leafNow, joined, count);
    if ((flags & HAS_LONG) !== 0) this.#adoptLong(leafNow, true);
    this.#memory.freeNode(root, left);
    this.#memory.freeNode(root, right);
    cursor.leaf = leafNow;
    cursor.indexes[1] = index;
    this.#interiors.joinChildren(root, tree, cursor, leafNow, count);
    return true;
  }

  /** Removes `[from, to)` of what is below `node`, which is owned; something stays. */
  #removeIn(root: number, node: number, from: number, to: number): void {
    const arena = this.#arena;
    const head = arena.read(node, HEAD);
    if ((head & 0xff) === 0) {
      this.#removeInLeaf(root, node, from, to);
      return;
    }
    const children = head >>> 16;
    let kept = 0;
    let base = 0;
    for (let i = 0; i < children; i++) {
      const child = childAt(arena, node, i);
      const count = childCount(arena, node, i);
      const first = Math.max(from - base, 0);
      const last = Math.min(to - base, count);
      base += count;
      if (first === 0 && last === count) {
        this.#memory.dropSubtree(root, child);
        continue;
      }
      if (kept !== i) this.#interiors.moveChild(node, i, kept);
      if (first < last) {
        const owned = this.#interiors.ownChild(root, node, kept);
        this.#removeIn(root, owned, first, last);
        this.#interiors.setChildCount(node, kept, count - (last - first));
      }
      kept++;
    }
    this.#interiors.setChildren(node, kept);
  }

  #removeInLeaf(root: number, leaf: number, from: number, to: number): void {
    const arena = this.#arena;
    const head = arena.read(leaf, HEAD);
    const kind = (head >>> 12) & 0xf;
    const bytes = arena.bytesOf(leaf);
    const run = arena.read(leaf, RUN);
    const start = arena.byteAt(leaf) + HEADER_BYTES + (head >>> 16);
    const end = start + (run & 0xffff);
    let at = start;
    for (let i = 0; i < from; i++) at = recordEnd(kind, bytes, at);
    let behind = at;
    for (let i = from; i < to; i++) {
      if ((head & HAS_LONG) !== 0) this.#dropLongPartsAt(root, kind, bytes, behind);
      behind = recordEnd(kind, bytes, behind);
    }
    if (from === 0) {
      arena.write(leaf, HEAD, (head & 0xffff) | (((head >>> 16) + behind - at) << 16));
    } else {
      moveBytes(arena.viewOf(leaf), bytes, at, behind, end - behind);
    }
    writeRun(arena, leaf, (run & 0xffff) - (behind - at), (run >>> 16) - (to - from));
  }

  #dropLongParts(root: number, leaf: number, relative: number): void {
    const head = this.#arena.read(leaf, HEAD);
    if ((head & HAS_LONG) === 0) return;
    const at = this.#arena.byteAt(leaf) + HEADER_BYTES + (head >>> 16) + relative;
    this.#dropLongPartsAt(root, (head >>> 12) & 0xf, this.#arena.bytesOf(leaf), at);
  }

  #dropLongPartsAt(root: number, kind: number, bytes: Uint8Array, at: number): void {
    const part = at + orderBytes(kind);
    if (isLongPart(bytes, part)) this.#memory.dropLong(root, longAddress(bytes, part));
    if (kind !== RecordKind.HASH) return;
    const second = skipPart(bytes, part);
    if (isLongPart(bytes, second)) this.#memory.dropLong(root, longAddress(bytes, second));
  }

  /** Makes the long elements of a leaf know it, once its run header is written. */
  #adoptLong(leaf: number, hasLong: boolean): void {
    if (!hasLong) return;
    const arena = this.#arena;
    arena.write(leaf, HEAD, arena.read(leaf, HEAD) | HAS_LONG);
    this.#memory.adoptLongs(leaf);
  }
}

/** Writes the run header of a leaf. */
function writeRun(arena: Arena, leaf: number, byteCount: number, count: number): void {
  arena.write(leaf, RUN, byteCount | (count << 16));
}

/** Whether a cursor's leaf is the first (side 0) or last (side 1) of its tree. */
function isAtEdge(arena: Arena, cursor: RecordCursor, side: 0 | 1): boolean {
  for (let level = 1; level <= cursor.topLevel; level++) {
    const last = (arena.read(cursor.nodes[level]!, HEAD) >>> 16) - 1;
    if (cursor.indexes[level] !== (side === 0 ? 0 : last)) return false;
  }
  return true;
}
