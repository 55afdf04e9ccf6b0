/**
 * What all collections have in common beside opening: planning, changing a record, whatever the type
 * and the encoding.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import { Header } from "../control.ts";
import { Entry, EntryType } from "../entry.ts";
import { WriteStatus } from "../entry_writer.ts";
import { KeyEvent } from "../key_watcher.ts";
import { type CollectionChange, ElementEffect } from "../mutation_hook.ts";
import type { Collection } from "./collection.ts";
import type { CollectionMemory } from "./collection_memory.ts";
import type { Coming } from "./coming.ts";
import { RecordCursor } from "./cursor.ts";
import type { CollectionsParts } from "./parts.ts";
import { CollectionOpener } from "./collection_opener.ts";
import { DirectEnds } from "./direct_ends.ts";
import { LastStarts } from "./last_starts.ts";
import { ListEnds } from "./list_ends.ts";
import { MemberHash } from "./member_hash.ts";
import { MembersAhead } from "./members_ahead.ts";
import { CollectionRoot, FRESH, leafStart, Node, NodeFlag } from "./node.ts";
import {
  copyBytes,
  MAX_SHORT_PART_BYTES,
  RecordKind,
  RecordScratch,
  RUN_HEADER_BYTES,
  writeUint32,
} from "./records.ts";
import { PACKED_RECORD_BYTES, PACKED_RECORDS, Planner, RECORD_KINDS } from "./planner.ts";
import { TreeWriter } from "./tree.ts";

/** A tree of one leaf with at most as many record bytes, and a quarter of the records, is packed. */
const REPACK_BYTES = 256;
const REPACK_RECORDS = 32;
/** With so many times the pages free there is no need to find out how few would do. */
const PLENTY_FACTOR = 8;
/** Garbage that each write that may allocate takes away. */
const GARBAGE_STEPS = 4;

const EMPTY = new Uint8Array(0);

/**
 * What all collections have in common.
 *
 * Thread: one instance per thread; calls need the locks of the shards of the collections in hand,
 * exclusive for what changes them.
 */
export class CollectionCore extends CollectionOpener {
  /** Nodes, leases, garbage. */
  readonly memory: CollectionMemory;
  /** The record that an operation is making. */
  readonly record: RecordScratch = new RecordScratch();
  /** Changes lists at their ends. */
  readonly ends: ListEnds;
  /** Changes large lists at their ends, without opening them. */
  readonly directEnds: DirectEnds;
  /** Hashes of elements, fields and members. */
  readonly hasher: MemberHash;
  /** Fields and members that commands have which are to come. */
  readonly membersAhead: MembersAhead;
  /** Longest element in bytes. */
  readonly maxElementBytes: number;

  /** Blocks and pages. */
  protected readonly blocks: BlockAllocator;
  /** Bounds what a change may need. */
  protected readonly planner: Planner;
  /** The change under way makes a tree of a run, whether the next record needs it or not. */
  protected goesToTree = false;
  /** Changes of trees. */
  readonly trees: TreeWriter;
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
    super(parts);
    this.memory = parts.memory;
    this.blocks = parts.blocks;
    this.planner = new Planner(parts, this.entries);
    this.trees = new TreeWriter(parts.arena, parts.memory);
    this.#source = new RecordCursor(parts.arena, parts.extents);
    this.maxElementBytes = parts.control.words[Header.MAX_VALUE_BYTES]!;
    const last = new LastStarts(parts.arena);
    this.ends = new ListEnds(parts.arena, parts.blocks, parts.memory, last);
    this.directEnds = new DirectEnds(
      parts.arena,
      parts.blocks,
      parts.writer,
      last,
      this.maxElementBytes,
    );
    const { words } = parts.control;
    this.hasher = new MemberHash(words[Header.HASH_SEED_0]!, words[Header.HASH_SEED_1]!);
    this.membersAhead = new MembersAhead(parts.arena, parts.control, parts.memory, this.hasher);
  }

  /** Hash of an element, field or member: the order of those trees. */
  hashOf(bytes: Uint8Array, start: number, end: number): number {
    return this.hasher.bitsOf(bytes, start, end) >>> 0;
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
   * Upper bound of the pages that operations lease which are promised together.
   *
   * @param changes elements that come or go (a replaced one is one), or ends of ranges that go
   * @param byteCount bytes of the element that comes
   * @param comingCount 1 = one of the changes is an element that comes; 0 = all go
   */
  pagesFor(c: Collection, changes: number, byteCount: number, comingCount: 0 | 1 = 1): number {
    const { coming, demand } = this.planner;
    coming.begin(RECORD_KINDS[c.type]!);
    if (comingCount === 1) coming.add(byteCount);
    this.planner.plan(c, changes - comingCount, false, false);
    // What is free in the shard may be counted on by one of several only, so by none.
    return demand.pages(this.blocks, -1);
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

  /** What comes with the next change: to be filled before {@link CollectionCore.begin}. */
  startComing(c: Collection): Coming {
    const { coming } = this.planner;
    coming.begin(RECORD_KINDS[c.type]!);
    return coming;
  }

  /**
   * Begins a change by what {@link CollectionCore.startComing} was told; part of every operation.
   * After OK come changes and then {@link CollectionCore.finish}.
   *
   * @param removals elements, or ends of ranges, that go, apart from those that are replaced
   * @param isAtEdge whether all comes at one end of a list
   */
  begin(c: Collection, removals: number, isAtEdge = false): WriteStatus {
    if (!this.isReserved && !this.#promise(c, removals, isAtEdge)) return WriteStatus.OUT_OF_MEMORY;
    // Leaves may be made, split or joined.
    this.membersAhead.clear();
    if (c.root !== 0) this.memory.enter(c.root);
    c.isDirty = false;
    c.seq = 0;
    return WriteStatus.OK;
  }

  /** As {@link CollectionCore.begin}, of one record that {@link CollectionCore.fits}. */
  beginFitting(c: Collection): void {
    if (c.root !== 0) this.memory.enterAlone(c.root);
    c.isDirty = false;
    c.seq = 0;
  }

  /**
   * The only thing about a change that can fail. Invariant, checked by `Store.assertInvariants`: no
   * change leases more pages than it has promised itself.
   */
  #promise(c: Collection, removals: number, isAtEdge: boolean): boolean {
    const { blocks, memory, planner } = this;
    const { shard } = c.key;
    const few = planner.fewPages(c, removals);
    if (few > 0 && few * PLENTY_FACTOR <= blocks.unpromisedPages) {
      if (memory.hasGarbage(shard)) memory.collect(shard, GARBAGE_STEPS);
      return blocks.promise(few);
    }
    planner.plan(c, removals, isAtEdge, false);
    if (planner.demand.isEmpty) return true;
    if (memory.hasGarbage(shard)) memory.collect(shard, GARBAGE_STEPS);
    let pages = planner.demand.pages(blocks, shard);
    const free = blocks.unpromisedPages;
    if (pages > free) {
      planner.plan(c, removals, isAtEdge, true);
      const fewer = planner.demand.pages(blocks, shard);
      if (fewer < pages) {
        memory.makesWhole = true;
        pages = fewer;
      } else {
        planner.plan(c, removals, isAtEdge, false);
      }
    }
    if (!blocks.promise(pages)) {
      memory.makesWhole = false;
      return false;
    }
    blocks.borrowsEntries = planner.demand.borrowsEntries;
    this.entries.wholeBytes = planner.entryBytes;
    this.goesToTree = planner.goesToTree;
    return true;
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
    if (c.root !== 0) {
      return this.trees.takes(cursor, removed, recordBytes) && !this.memory.mayBeLeased(c.root);
    }
    // What makeRoom asks, so that it does nothing.
    const most = cursor.limit - cursor.first + recordBytes;
    if (c.entry === 0 || most > PACKED_RECORD_BYTES || c.count >= PACKED_RECORDS) return false;
    const removedBytes = removed === 1 ? cursor.end - cursor.at : 0;
    const before = cursor.first - this.arena.byteAt(c.entry);
    return before + most - removedBytes <= this.blocks.blockBytes(c.entry);
  }

  /**
   * Whether a value of the collection may be written over by one as long, without more: nobody reads
   * it, and {@link CollectionCore.finish} would do no more than {@link CollectionCore.stamp}.
   */
  mayOverwrite(c: Collection): boolean {
    if (c.root === 0) return true;
    return c.count > REPACK_RECORDS && !this.memory.mayBeLeased(c.root);
  }

  /** Gives the entry the number of the change, that the hook was told or a new one. */
  stamp(c: Collection): void {
    if (c.seq === 0) this.writer.stampSeq(c.key.shard, c.entry);
    else this.writer.stamp(c.entry, c.seq);
  }

  /** Ends a change: the key goes when nothing is left, small trees are packed, the hook was told. */
  finish(c: Collection): void {
    if (c.entry !== 0 && c.isDirty) {
      if (c.count === 0) {
        this.writer.remove(c.database, c.key);
        c.entry = c.root = 0;
        this.rewind(c);
      } else {
        this.stamp(c);
        if (c.root !== 0 && c.count <= REPACK_RECORDS) {
          this.repack(c, REPACK_BYTES);
          this.rewind(c);
        }
      }
    }
    if (!this.isReserved) {
      this.blocks.endPromise();
      this.memory.makesWhole = false;
      this.entries.wholeBytes = 0;
    }
    this.goesToTree = false;
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
      if (isLong || recordBytes > PACKED_RECORD_BYTES || this.goesToTree) {
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
    const fits = run + recordBytes <= PACKED_RECORD_BYTES && c.count < PACKED_RECORDS;
    if (fits && !isLong && !this.goesToTree) return;
    this.#makeTree(c);
  }

  /** Replaces, inserts before or removes the record at the cursor of a collection. */
  splice(c: Collection, removed: 0 | 1, record: RecordScratch | undefined): void {
    if (c.root === 0) {
      this.entries.splice(c, removed, record);
    } else {
      this.trees.splice(c.root, 0, c.cursor, removed, record);
    }
    this.#count(c, (record === undefined ? 0 : 1) - removed);
  }

  /** The same in the members of a large sorted set; counts nothing. */
  spliceMembers(c: Collection, removed: 0 | 1, record: RecordScratch | undefined): void {
    this.trees.splice(c.root, 1, c.members, removed, record);
    c.isDirty = true;
    c.members.openTree(RecordKind.MEMBERS, this.arena.read(c.root, CollectionRoot.TREE_1));
  }

  /** After a change of a large sorted set's scores that left as many as there were. */
  rewindScores(c: Collection): void {
    c.isDirty = true;
    c.cursor.openTree(RecordKind.SCORES, this.arena.read(c.root, CollectionRoot.TREE_0));
  }

  /** Removes the elements with ranks `[from, to)`, of a sorted set from its scores only. */
  removeRanks(c: Collection, from: number, to: number): void {
    if (from < to && to - from < c.count) {
      if (c.root === 0) this.entries.removeRanks(c, from, to);
      else this.trees.removeRanks(c.root, 0, from, to);
    } else if (from < to && c.isDetached) {
      // No key goes with the last one, and there may be others.
      this.#clear(c.root);
      this.rewind(c);
    } else if (from < to) {
      // It goes with its key and as it is: somebody may read it.
      c.count = 0;
      c.isDirty = true;
      return;
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

  #count(c: Collection, delta: number): void {
    c.count += delta;
    c.isDirty = true;
    if (c.root === 0) {
      this.rewind(c);
      return;
    }
    const words = this.arena.wordsOf(c.root);
    const at = this.arena.wordAt(c.root);
    words[at + CollectionRoot.COUNT] = c.count;
    c.cursor.openTree(RECORD_KINDS[c.type]!, words[at + CollectionRoot.TREE_0]! >>> 0);
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
    this.trees.splice(c.root, 0, c.cursor, 0, record);
    if (kind === RecordKind.SCORES) {
      const hash = this.hashOf(element.bytes, element.start, element.end);
      record.begin(RecordKind.MEMBERS, hash);
      record.part(element.bytes, element.start, element.end);
      record.score(from.score());
      c.members.seekOrder(hash, element.bytes, element.start, element.end);
      this.trees.splice(c.root, 1, c.members, 0, record);
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
