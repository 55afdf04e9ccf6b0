/**
 * What all collections have in common: opening, planning, changing a record, whatever the type and
 * the encoding.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Arena } from "../arena.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import { type ControlRegion, Header } from "../control.ts";
import { Entry, EntryType, MAX_KEY_BYTES } from "../entry.ts";
import { type EntryWriter, WriteStatus } from "../entry_writer.ts";
import type { ExpiryWheel } from "../expiry_wheel.ts";
import type { Extents } from "../extents.ts";
import { hashKey } from "../hash.ts";
import { Key } from "../key.ts";
import { KeyEvent } from "../key_watcher.ts";
import { type CollectionChange, ElementEffect } from "../mutation_hook.ts";
import type { Table } from "../table.ts";
import { Collection } from "./collection.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import { RecordCursor } from "./cursor.ts";
import { CollectionEntries } from "./entries.ts";
import {
  CollectionRoot,
  FRESH,
  LEAF_HEADER_BYTES,
  LEAF_RECORD_BYTES,
  LEAF_RECORDS,
  leafStart,
  Node,
  NodeFlag,
} from "./node.ts";
import {
  copyBytes,
  MAX_SHORT_PART_BYTES,
  RecordKind,
  RecordScratch,
  RUN_HEADER_BYTES,
  writeUint32,
} from "./records.ts";
import { pagesForChanges, TreeWriter } from "./tree.ts";

/** Record bytes above which a collection is a tree. */
export const PACKED_RECORD_BYTES = 1024;
/** Records above which a collection is a tree. */
export const PACKED_RECORDS: number = LEAF_RECORDS;
/** A tree of one leaf with at most as many record bytes, and a quarter of the records, is packed. */
const REPACK_BYTES = 256;
const REPACK_RECORDS = 32;
/** Garbage that each write that may allocate takes away. */
const GARBAGE_STEPS = 4;

const EMPTY = new Uint8Array(0);
/** Kind of the records by {@link EntryType}. */
export const RECORD_KINDS: readonly RecordKind[] = [
  0,
  0,
  RecordKind.LIST,
  RecordKind.HASH,
  RecordKind.SET,
  RecordKind.SCORES,
];

/** What {@link CollectionCore} works with. */
export interface CollectionsParts {
  /** Client data. */
  arena: Arena;
  /** Blocks and pages. */
  blocks: BlockAllocator;
  /** Locks, lists, roots. */
  control: ControlRegion;
  /** Long elements. */
  extents: Extents;
  /** Nodes, leases, garbage. */
  memory: CollectionMemory;
  /** The index. */
  table: Table;
  /** The expiry index. */
  wheel: ExpiryWheel;
  /** Deletes keys, draws numbers. */
  writer: EntryWriter;
}

/**
 * What all collections have in common.
 *
 * Thread: one instance per thread; calls need the locks of the shards of the collections in hand,
 * exclusive for what changes them.
 */
export class CollectionCore {
  /** Nodes, leases, garbage. */
  readonly memory: CollectionMemory;
  /** The record that an operation is making. */
  readonly record: RecordScratch = new RecordScratch();
  /** Longest element in bytes. */
  readonly maxElementBytes: number;

  /** Client data. */
  protected readonly arena: Arena;
  /** Blocks and pages. */
  protected readonly blocks: BlockAllocator;
  readonly #control: ControlRegion;
  /** Long elements. */
  protected readonly extents: Extents;
  readonly #table: Table;
  /** Deletes keys, draws numbers. */
  protected readonly writer: EntryWriter;
  /** Entries of collections. */
  protected readonly entries: CollectionEntries;
  readonly #trees: TreeWriter;
  readonly #handles: Collection[] = [];
  readonly #hashed = new Key();
  readonly #seed0: number;
  readonly #seed1: number;
  /** The promise was made by {@link CollectionCore.reserve}: operations take none of their own. */
  protected isReserved = false;
  readonly #source: RecordCursor;
  readonly #repackRun = new Uint8Array(RUN_HEADER_BYTES + PACKED_RECORD_BYTES);
  readonly #change: CollectionChange = {
    seq: 0,
    type: EntryType.LIST,
    effect: ElementEffect.PUT,
    bytes: EMPTY,
    start: 0,
    end: 0,
    valueBytes: EMPTY,
    valueStart: 0,
    valueEnd: 0,
    score: 0,
    rank: 0,
    count: 0,
  };

  /** Wires the parts of one thread together. */
  constructor(parts: CollectionsParts) {
    this.memory = parts.memory;
    this.arena = parts.arena;
    this.blocks = parts.blocks;
    this.#control = parts.control;
    this.extents = parts.extents;
    this.#table = parts.table;
    this.writer = parts.writer;
    this.entries = new CollectionEntries({ ...parts, clock: parts.writer.clock });
    this.#trees = new TreeWriter(parts.arena, parts.memory);
    this.#source = new RecordCursor(parts.arena, parts.extents);
    this.maxElementBytes = parts.control.words[Header.MAX_VALUE_BYTES]!;
    this.#seed0 = parts.control.words[Header.HASH_SEED_0]!;
    this.#seed1 = parts.control.words[Header.HASH_SEED_1]!;
  }

  /** A {@link Collection} to open; the same one for the same `index` each time. */
  handle(index: number): Collection {
    while (this.#handles.length <= index) {
      this.#handles.push(new Collection(this.arena, this.extents));
    }
    return this.#handles[index]!;
  }

  /**
   * Opens the collection at a key, which may not exist: then it has no elements. Needs the shard's
   * lock; exclusive when `willWrite`.
   *
   * @returns OK, WRONG_TYPE or KEY_TOO_LONG
   */
  open(
    c: Collection,
    database: number,
    key: Key,
    type: EntryType,
    willWrite: boolean,
  ): WriteStatus {
    c.database = database;
    c.type = type;
    takeKey(c.key, key, key.bytes, key.start);
    c.entry =
      c.root =
      c.count =
      c.changed =
        0;
    c.isDetached = false;
    const entry = this.#table.find(this.#control.databaseRootAt(database, key.shard), key);
    const access = this.writer.clock;
    if (entry !== 0) {
      if (this.writer.isExpired(entry)) {
        if (willWrite) this.writer.remove(database, key);
      } else {
        if ((this.arena.read(entry, Entry.TYPE) & 0xff) !== type) return WriteStatus.WRONG_TYPE;
        if (access.stamps) this.arena.write(entry, Entry.CLOCK, (access.nowMs / 1000) >>> 0);
        this.#load(c, entry);
      }
    }
    access.note(c.exists);
    this.rewind(c);
    if (willWrite && key.end - key.start > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
    return WriteStatus.OK;
  }

  /** Opens the collection of an entry that was looked up, to read it. */
  openEntry(c: Collection, entry: number): void {
    c.type = (this.arena.read(entry, Entry.TYPE) & 0xff) as EntryType;
    this.#load(c, entry);
    this.rewind(c);
  }

  /** Points the cursors of a collection at what it is now; they stand nowhere until they seek. */
  rewind(c: Collection): void {
    const kind = RECORD_KINDS[c.type]!;
    if (c.root !== 0) {
      c.cursor.openTree(kind, this.arena.read(c.root, CollectionRoot.TREE_0));
      if (c.type === EntryType.SORTED_SET) {
        c.members.openTree(RecordKind.MEMBERS, this.arena.read(c.root, CollectionRoot.TREE_1));
      }
    } else if (c.entry !== 0) {
      c.cursor.openRun(kind, this.arena.bytesOf(c.entry), this.entries.runAt(c.entry));
    } else {
      c.cursor.openTree(kind, 0);
      c.members.openTree(RecordKind.MEMBERS, 0);
    }
  }

  /** Hash of an element, field or member: the order of those trees. */
  hashOf(bytes: Uint8Array, start: number, end: number): number {
    hashKey(this.#hashed.set(bytes, start, end), this.#seed0, this.#seed1);
    return this.#hashed.hash;
  }

  /** Bytes of the arena that the value of a collection takes; of a packed one, of its run. */
  footprintBytes(c: Collection): number {
    if (c.root !== 0) return this.memory.footprintBytes(c.root);
    return c.entry === 0 ? 0 : this.arena.read(c.entry, Entry.VALUE_BYTES);
  }

  /** Number of the last change of a collection that exists. */
  seqOf(c: Collection): number {
    const high = this.arena.read(c.entry, Entry.KEY_BYTES) >>> 16;
    return high * 2 ** 32 + this.arena.read(c.entry, Entry.SEQ_LO);
  }

  /**
   * Upper bound of the pages that a change leases.
   *
   * @param changes elements that come or go (a replaced one is one)
   * @param byteCount sum of the bytes of what comes: elements, fields and values
   * @param partCount how many parts these are; long ones have memory of their own
   * @param mostLong how many of them at most are longer than a record can have them
   */
  pagesFor(
    c: Collection,
    changes: number,
    byteCount: number,
    partCount = changes,
    mostLong = partCount,
  ): number {
    const trees = c.type === EntryType.SORTED_SET ? 2 : 1;
    const recordBytes = byteCount + 3 * partCount + 12 * changes;
    // A long part is more than MAX_SHORT_PART_BYTES, has a root, a tail in chunks, whole pages.
    const longParts = Math.min(mostLong, Math.floor(byteCount / MAX_SHORT_PART_BYTES));
    let pages = longParts === 0 ? 0 : trees * (Math.ceil(byteCount / 65536) + 4 * longParts);
    // Entry, table and its first leaf, overflow bucket; a bucket more, with directory and leaf.
    if (c.entry === 0) pages += 6;
    if (c.root !== 0) {
      const shared = this.memory.isLeased(c.root);
      if (byteCount === 0 && partCount === 0 && !shared) return 0;
      for (let tree = 0; tree < trees; tree++) {
        const top = this.arena.read(c.root, CollectionRoot.TREE_0 + tree);
        const levels = top === 0 ? 1 : (this.arena.read(top, Node.HEAD) & 0xff) + 1;
        pages += pagesForChanges(levels, changes, c.count, recordBytes, shared);
      }
      return pages;
    }
    if (byteCount === 0 && partCount === 0) return 0;
    const run = c.entry === 0 ? 0 : this.arena.read(c.entry, Entry.VALUE_BYTES);
    const stays = run + recordBytes <= PACKED_RECORD_BYTES && longParts === 0 &&
      c.count + changes <= PACKED_RECORDS;
    if (stays) return pages + Math.min(changes, 24);
    const moved = c.count + changes;
    const movedBytes = recordBytes + run + 9 * c.count;
    return pages + 26 + trees * pagesForChanges(3, moved, 0, movedBytes, false);
  }

  /** Promises pages for several operations; false = OUT_OF_MEMORY, nothing has changed. */
  reserve(pages: number): boolean {
    assert(!this.isReserved, "one reservation at a time");
    if (!this.blocks.promise(pages)) return false;
    this.isReserved = true;
    return true;
  }

  /** Ends what {@link CollectionCore.reserve} began. */
  settle(): void {
    this.isReserved = false;
    this.blocks.endPromise();
  }

  /**
   * Begins a change of `changes` elements (0: one that {@link CollectionCore.fits}); part of every operation. After OK come changes and then
   * {@link CollectionCore.finish}.
   */
  begin(
    c: Collection,
    changes: number,
    byteCount: number,
    partCount: number,
    mostLong: number = partCount,
  ): WriteStatus {
    if (changes > 0 && !this.isReserved) {
      const pages = this.pagesFor(c, changes, byteCount, partCount, mostLong);
      if (pages > 0) {
        if (this.memory.hasGarbage(c.key.shard)) this.memory.collect(c.key.shard, GARBAGE_STEPS);
        if (!this.blocks.promise(pages)) return WriteStatus.OUT_OF_MEMORY;
      }
    }
    if (c.root !== 0) this.memory.enter(c.root);
    c.isDirty = false;
    c.seq = 0;
    return WriteStatus.OK;
  }

  /**
   * Whether a record can come at the cursor, for the one there if `removed` is 1, without memory:
   * then a change of this one record needs no promise. Nobody reads the collection.
   *
   * @param longest bytes of its longest part
   */
  fits(c: Collection, removed: 0 | 1, recordBytes: number, longest: number): boolean {
    if (longest > MAX_SHORT_PART_BYTES) return false;
    const { cursor } = c;
    const removedBytes = removed === 1 ? cursor.end - cursor.at : 0;
    const byteCount = cursor.limit - cursor.first - removedBytes + recordBytes;
    if (cursor.count - removed >= LEAF_RECORDS) return false;
    if (c.root === 0) {
      // What makeRoom asks, so that it does nothing.
      const most = byteCount + removedBytes;
      if (c.entry === 0 || most > PACKED_RECORD_BYTES || c.count >= PACKED_RECORDS) return false;
      const before = cursor.first - this.arena.byteAt(c.entry);
      return before + byteCount <= this.blocks.blockBytes(c.entry);
    }
    if (cursor.leaf === 0 || byteCount > LEAF_RECORD_BYTES) return false;
    if (LEAF_HEADER_BYTES + byteCount > this.blocks.blockBytes(cursor.leaf)) return false;
    return !this.memory.isLeased(c.root);
  }

  /** Ends a change: the key goes when nothing is left, small trees are packed, the hook was told. */
  finish(c: Collection): void {
    if (c.entry !== 0 && c.isDirty) {
      if (c.count === 0) {
        this.writer.remove(c.database, c.key);
        c.entry = c.root = 0;
      } else {
        this.writer.stamp(c.entry, this.#drawSeq(c));
        if (c.root !== 0 && c.count <= REPACK_RECORDS) this.repack(c, REPACK_BYTES);
      }
    }
    if (!this.isReserved) this.blocks.endPromise();
    this.rewind(c);
  }

  /**
   * Makes the key if it does not exist, and a tree of a run that the coming record would make too
   * large; to be called before the place for the record is looked for.
   *
   * @param longest bytes of the longest part that comes
   */
  makeRoom(c: Collection, recordBytes: number, longest: number): void {
    if (c.root !== 0) return;
    const isLong = longest > MAX_SHORT_PART_BYTES;
    if (c.entry === 0) {
      if (isLong || recordBytes > PACKED_RECORD_BYTES) {
        const root = this.memory.makeRoot(c.key.shard, c.type, 0);
        this.entries.makeTree(c, root);
        this.memory.enter(root);
      } else {
        this.entries.makePacked(c, recordBytes);
      }
      if (!c.isDetached) this.writer.tell(KeyEvent.NEW, c.database, c.key);
      this.rewind(c);
      return;
    }
    const run = this.arena.read(c.entry, Entry.VALUE_BYTES) - RUN_HEADER_BYTES;
    if (!isLong && run + recordBytes <= PACKED_RECORD_BYTES && c.count < PACKED_RECORDS) return;
    this.#makeTree(c);
  }

  /** Replaces, inserts before or removes the record at the cursor of a collection. */
  splice(c: Collection, removed: 0 | 1, record: RecordScratch | undefined): void {
    if (c.root === 0) {
      this.entries.splice(c, removed, record);
    } else {
      this.#trees.splice(c.root, 0, c.cursor, removed, record);
    }
    this.#count(c, (record === undefined ? 0 : 1) - removed);
  }

  /** The same in the members of a large sorted set; counts nothing. */
  spliceMembers(c: Collection, removed: 0 | 1, record: RecordScratch | undefined): void {
    this.#trees.splice(c.root, 1, c.members, removed, record);
    c.isDirty = true;
    c.members.openTree(RecordKind.MEMBERS, this.arena.read(c.root, CollectionRoot.TREE_1));
  }

  /** Removes the elements with ranks `[from, to)`, of a sorted set from its scores only. */
  removeRanks(c: Collection, from: number, to: number): void {
    if (from < to && to - from < c.count) {
      if (c.root === 0) this.entries.removeRanks(c, from, to);
      else this.#trees.removeRanks(c.root, 0, from, to);
    } else if (from < to && c.isDetached) {
      // No key goes with the last one, and there may be others.
      this.#clear(c.root);
    }
    this.#count(c, from - to);
  }

  #clear(root: number): void {
    for (const word of [CollectionRoot.TREE_0, CollectionRoot.TREE_1]) {
      const top = this.arena.read(root, word);
      if (top !== 0) this.memory.dropSubtree(root, top);
      this.arena.write(root, word, 0);
    }
  }

  /** Appends a part to {@link CollectionCore.record}, as a long element if need be. */
  addPart(c: Collection, bytes: Uint8Array, start: number, end: number): void {
    if (end - start <= MAX_SHORT_PART_BYTES) this.record.part(bytes, start, end);
    else this.record.longPart(end - start, this.memory.makeLong(c.root, bytes, start, end));
  }

  /** Whether somebody is told of changes. */
  get hasHook(): boolean {
    return this.writer.hook !== undefined;
  }

  /** Tells the hook of a change of one element. */
  tell(
    c: Collection,
    effect: ElementEffect,
    bytes: Uint8Array,
    start: number,
    end: number,
    rank: number,
    score = 0,
  ): void {
    const { hook } = this.writer;
    if (hook === undefined || c.isDetached) return;
    const change = this.#change;
    change.seq = this.#drawSeq(c);
    change.type = c.type;
    change.effect = effect;
    change.bytes = bytes;
    change.start = start;
    change.end = end;
    change.rank = rank;
    change.score = score;
    change.count = 1;
    hook.changed(c.key.shard, c.database, c.key, change);
  }

  /** Tells the hook that a field has a value. */
  tellField(
    c: Collection,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    if (this.writer.hook === undefined) return;
    this.#change.valueBytes = valueBytes;
    this.#change.valueStart = valueStart;
    this.#change.valueEnd = valueEnd;
    this.tell(c, ElementEffect.PUT, bytes, start, end, 0);
  }

  /** Tells the hook that the elements `[rank, rank + count)` are gone. */
  tellRange(c: Collection, rank: number, count: number): void {
    const { hook } = this.writer;
    if (hook === undefined || c.isDetached) return;
    const change = this.#change;
    change.seq = this.#drawSeq(c);
    change.type = c.type;
    change.effect = ElementEffect.RANGE_REMOVED;
    change.bytes = EMPTY;
    change.start = change.end = 0;
    change.rank = rank;
    change.count = count;
    hook.changed(c.key.shard, c.database, c.key, change);
  }

  /** Number of the mutation under way; a change that changes nothing draws none. */
  #drawSeq(c: Collection): number {
    if (c.seq === 0) c.seq = this.writer.nextSeq(c.key.shard);
    return c.seq;
  }

  #load(c: Collection, entry: number): void {
    c.entry = entry;
    c.root = this.entries.rootOf(entry);
    if (c.root !== 0) {
      c.count = this.arena.read(c.root, CollectionRoot.COUNT);
    } else {
      const at = this.entries.runAt(entry);
      const bytes = this.arena.bytesOf(entry);
      c.count = bytes[at + 2]! | (bytes[at + 3]! << 8);
    }
  }

  #count(c: Collection, delta: number): void {
    c.count += delta;
    c.isDirty = true;
    if (c.root !== 0) this.arena.write(c.root, CollectionRoot.COUNT, c.count);
    this.rewind(c);
  }

  /** Makes a tree of a packed collection. */
  #makeTree(c: Collection): void {
    const root = this.memory.makeRoot(c.key.shard, c.type, 0);
    const kind = RECORD_KINDS[c.type]!;
    const from = this.#source;
    from.openRun(kind, this.entries.toTree(c, root), 0);
    this.memory.enter(root);
    this.rewind(c);
    for (let more = from.seekFirst(); more; more = from.next()) {
      this.#appendRecord(c, kind, from);
    }
    this.arena.write(root, CollectionRoot.COUNT, c.count);
    this.rewind(c);
  }

  /** Puts a copy of the record at `from`, which has no long parts, into a tree. */
  #appendRecord(c: Collection, kind: number, from: RecordCursor): void {
    const element = from.element();
    const { record } = this;
    record.copy(from.bytes, from.at, from.end);
    if (kind === RecordKind.LIST || kind === RecordKind.SCORES) {
      c.cursor.seekEnd();
    } else {
      c.cursor.seekOrder(from.order, element.bytes, element.start, element.end);
    }
    this.#trees.splice(c.root, 0, c.cursor, 0, record);
    if (kind === RecordKind.SCORES) {
      const hash = this.hashOf(element.bytes, element.start, element.end);
      record.begin(RecordKind.MEMBERS, hash);
      record.part(element.bytes, element.start, element.end);
      record.score(from.score());
      c.members.seekOrder(hash, element.bytes, element.start, element.end);
      this.#trees.splice(c.root, 1, c.members, 0, record);
    }
    this.rewind(c);
  }

  /** Packs a tree that has become one small leaf and that nobody reads. */
  protected repack(c: Collection, maxBytes: number): void {
    const arena = this.arena;
    const leaf = arena.read(c.root, CollectionRoot.TREE_0);
    const head = arena.read(leaf, Node.HEAD);
    const run = arena.read(leaf, Node.RUN);
    if ((head & (0xff | NodeFlag.HAS_LONG)) !== 0 || (run & 0xffff) > maxBytes) return;
    if ((this.memory.leasesOf(c.root) & ~FRESH) !== 0) return;
    const at = leafStart(arena, leaf);
    writeUint32(this.#repackRun, 0, run);
    copyBytes(
      arena.bytesOf(leaf),
      at,
      at + (run & 0xffff),
      this.#repackRun,
      RUN_HEADER_BYTES,
    );
    const { root } = c;
    if (this.entries.toPacked(c, this.#repackRun, RUN_HEADER_BYTES + (run & 0xffff))) {
      this.memory.drop(root);
    }
  }
}

/** Makes `own` the same key as `key`, with its bytes at `bytes[start…]`. */
export function takeKey(own: Key, key: Key, bytes: Uint8Array, start: number): void {
  own.set(bytes, start, start + key.end - key.start);
  own.hash = key.hash;
  own.hashHigh = key.hashHigh;
  own.shard = key.shard;
  own.tag = key.tag;
}
