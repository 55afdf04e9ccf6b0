/**
 * Writes entries: plan first, then commit (C6).
 *
 * A plan decides everything that can fail and reserves every block that the write can need, and
 * changes nothing that can be seen. A commit cannot fail. On a thread that may die alone, both leave
 * a trail in the shard block (see {@link MutationPhase}), so that the supervisor can tell how far a
 * dead thread's write had come.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { addInt64, Int64 } from "../base/int64.ts";
import type { Arena } from "./arena.ts";
import type { BalanceReserve } from "./balance_reserve.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import type { CollectionMemory } from "./collection/collection_memory.ts";
import { rootWord } from "./collection/entries.ts";
import { type ControlRegion, DATABASE_TABLE_COUNT, Header, Shard } from "./control.ts";
import {
  Encoding,
  Entry,
  ENTRY_HEADER_BYTES,
  entryBytes,
  EntryFlag,
  EntryType,
  INTEGER_BYTES,
  keyOffset,
  MAX_KEY_BYTES,
  needsExtents,
  TTL_BYTES,
} from "./entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { ExpiryWheel } from "./expiry_wheel.ts";
import type { Extents } from "./extents.ts";
import { Key } from "./key.ts";
import { KeyEvent, type KeyWatcher } from "./key_watcher.ts";
import { MutationPhase } from "./locks.ts";
import type { MutationHook } from "./mutation_hook.ts";
import { PageKind } from "./page_allocator.ts";
import { CLASS_BYTES, sizeClassOf } from "./size_classes.ts";
import type { SetPlan } from "./set_plan.ts";
import { BUCKET_BYTES, type Table } from "./table.ts";
import { FREED_PER_WRITE, type TableMap } from "./table_map.ts";
import { WriteStatus } from "./write_status.ts";

export { WriteStatus };

/** What an {@link EntryWriter} works with. */
export interface WriterParts {
  /** Client data. */
  arena: Arena;
  /** Blocks and pages. */
  blocks: BlockAllocator;
  /** Nodes of collections. */
  collections: CollectionMemory;
  /** Locks, lists, roots. */
  control: ControlRegion;
  /** Large values. */
  extents: Extents;
  /** Reads entries. */
  reader: EntryReader;
  /** Memory kept for accepted events. */
  reserve: BalanceReserve;
  /** The index. */
  table: Table;
  /** The expiry index. */
  wheel: ExpiryWheel;
  /** Which table a database has. */
  tables: TableMap;
  /** Whether this thread may die alone. */
  tracksPhases: boolean;
}

const PlanKind = { NONE: 0, ADD_IN_PLACE: 1, WRITE: 2 } as const;

/** Gives a new entry the bytes of its value, while the entry before still exists. */
export interface ContentWriter {
  /**
   * Writes the value.
   *
   * @param entry new entry, complete but for its value; large ones have no root yet
   * @param existing the entry that it takes the place of; may be `entry` itself
   */
  fill(entry: number, existing: number): void;
}

const EMPTY = new Uint8Array(0);

/**
 * Changes the store, one key at a time.
 *
 * Thread: one instance per thread; every call needs the exclusive lock of the key's shard, from plan
 * to commit or cancel.
 */
export class EntryWriter {
  /** Time of the current batch, milliseconds since 1970. */
  readonly clock: { nowMs: number };
  /** Told of every mutation; see {@link MutationHook}. */
  hook: MutationHook | undefined;
  /** Told of keys that come and go; see {@link KeyWatcher}. */
  watcher: KeyWatcher | undefined;

  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #collections: CollectionMemory;
  readonly #control: ControlRegion;
  readonly #extents: Extents;
  readonly #reader: EntryReader;
  readonly #reserve: BalanceReserve;
  readonly #table: Table;
  readonly #wheel: ExpiryWheel;
  readonly #tables: TableMap;
  readonly #tracksPhases: boolean;
  readonly #maxValueBytes: number;
  readonly #sum = new Int64();

  // The plan under way; meaningful between plan and commit or cancel.
  #planKind: number = PlanKind.NONE;
  #planKey: Key | undefined;
  #planDatabase = 0;
  #planRootAt = 0;
  #planFlags = 0;
  #planEncoding = 0;
  #planExpireAtMs = 0;
  #planExisting = 0;
  #planBlock = 0;
  #planOverflow = 0;
  #planValue: Uint8Array = EMPTY;
  #planValueStart = 0;
  #planValueEnd = 0;
  readonly #planInteger = new Int64();
  /** Writes the value, if it is not in a buffer. */
  #planContent: ContentWriter | undefined = undefined;

  /**
   * Wires the parts of one thread together.
   *
   * @param clock shared with the store, which lets its user set it
   */
  constructor(parts: WriterParts, clock: { nowMs: number }) {
    this.clock = clock;
    this.#arena = parts.arena;
    this.#blocks = parts.blocks;
    this.#collections = parts.collections;
    this.#control = parts.control;
    this.#extents = parts.extents;
    this.#reader = parts.reader;
    this.#reserve = parts.reserve;
    this.#table = parts.table;
    this.#wheel = parts.wheel;
    this.#tables = parts.tables;
    this.#tracksPhases = parts.tracksPhases;
    this.#maxValueBytes = parts.control.words[Header.MAX_VALUE_BYTES]!;
  }

  /** See `Store.setString`. */
  setString(
    database: number,
    key: Key,
    value: Uint8Array,
    start: number,
    end: number,
    expireAtMs: number,
  ): WriteStatus {
    const keyBytes = key.end - key.start;
    const valueBytes = end - start;
    if (keyBytes > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
    if (valueBytes > this.#maxValueBytes) return WriteStatus.VALUE_TOO_LARGE;
    const flags = expireAtMs > 0 ? EntryFlag.HAS_TTL : 0;
    const encoding = needsExtents(flags, keyBytes, valueBytes) ? Encoding.EXTENTS : Encoding.RAW;
    this.#planExpireAtMs = expireAtMs;
    this.#planValue = value;
    this.#planValueStart = start;
    this.#planValueEnd = end;
    const rootAt = this.#control.databaseRootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    const planned = this.#planWrite(database, key, rootAt, existing, flags, encoding, false);
    if (planned !== WriteStatus.OK) return planned;
    this.commitPlan();
    return WriteStatus.OK;
  }

  /** See `Store.addInteger`. */
  addInteger(database: number, key: Key, delta: Int64, result: Int64): WriteStatus {
    const planned = this.planAddInteger(database, key, delta, result, false);
    if (planned === WriteStatus.OK) this.commitPlan();
    return planned;
  }

  /** See `Store.planAddInteger`. */
  planAddInteger(
    database: number,
    key: Key,
    delta: Int64,
    result: Int64,
    forEvent: boolean,
  ): WriteStatus {
    const keyBytes = key.end - key.start;
    if (keyBytes > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
    const rootAt = this.#control.databaseRootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    let flags = forEvent ? EntryFlag.PINNED : 0;
    const sum = this.#sum;
    this.#planExpireAtMs = 0;
    if (existing === 0 || this.#reader.isExpired(existing, this.clock.nowMs)) {
      sum.copyFrom(delta);
    } else {
      if (this.#reader.type(existing) !== EntryType.STRING) return WriteStatus.WRONG_TYPE;
      if (!this.#reader.readInteger(existing, sum)) return WriteStatus.NOT_AN_INTEGER;
      if (!addInt64(sum, delta, sum)) return WriteStatus.OVERFLOW;
      flags |= this.#reader.flags(existing);
      this.#planExpireAtMs = this.#reader.expireAtMs(existing);
      if (this.#reader.encoding(existing) === Encoding.INTEGER) {
        this.#planKind = PlanKind.ADD_IN_PLACE;
        this.#planKey = key;
        this.#planDatabase = database;
        this.#planExisting = existing;
        this.#planFlags = flags;
        this.#planInteger.copyFrom(sum);
        result.copyFrom(sum);
        return WriteStatus.OK;
      }
    }
    this.#planInteger.copyFrom(sum);
    const planned = this.#planWrite(
      database,
      key,
      rootAt,
      existing,
      flags,
      Encoding.INTEGER,
      forEvent,
    );
    if (planned === WriteStatus.OK) result.copyFrom(this.#planInteger);
    return planned;
  }

  /**
   * Plans a `SET` without expiry, sets the plan aside and adds it to `plans`. Unlike a single one
   * it never uses the block of the value before: a plan behind it may name the same key.
   */
  planSet(
    database: number,
    key: Key,
    value: Uint8Array,
    start: number,
    end: number,
    plans: SetPlan[],
  ): WriteStatus {
    const keyBytes = key.end - key.start;
    if (keyBytes > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
    if (end - start > this.#maxValueBytes) return WriteStatus.VALUE_TOO_LARGE;
    const encoding = needsExtents(0, keyBytes, end - start) ? Encoding.EXTENTS : Encoding.RAW;
    this.#planExpireAtMs = 0;
    this.#planValue = value;
    this.#planValueStart = start;
    this.#planValueEnd = end;
    const rootAt = this.#control.databaseRootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    const planned = this.#planWrite(database, key, rootAt, existing, 0, encoding, false, true);
    if (planned !== WriteStatus.OK) return planned;
    this.#planKind = PlanKind.NONE;
    plans.push({
      key: new Key().copyFrom(key),
      database,
      encoding,
      value,
      start,
      end,
      block: this.#planBlock,
      overflow: this.#planOverflow,
      extents: this.#extents.takeReserved(),
    });
    return WriteStatus.OK;
  }

  /** Carries out a plan that was set aside. Cannot fail. */
  commitSet(plan: SetPlan): void {
    const { key } = plan;
    this.#restore(plan);
    // The plans before this one have changed the index, and may have written the same key.
    this.#planRootAt = this.#control.databaseRootAt(plan.database, key.shard);
    this.#planExisting = this.#table.find(this.#planRootAt, key);
    const needsOverflow = this.#planExisting === 0 &&
      this.#table.findFreeSlot(this.#planRootAt, key.shard, key.hash) > 0;
    if (!needsOverflow && this.#planOverflow !== 0) {
      this.#blocks.free(this.#planOverflow);
      this.#planOverflow = 0;
    }
    this.commitPlan();
  }

  /** Drops a plan that was set aside and gives back what it reserved. */
  cancelSet(plan: SetPlan): void {
    this.#restore(plan);
    this.cancelPlan();
  }

  #restore(plan: SetPlan): void {
    this.#planKind = PlanKind.WRITE;
    this.#planKey = plan.key;
    this.#planDatabase = plan.database;
    this.#planExisting = 0;
    this.#planFlags = 0;
    this.#planEncoding = plan.encoding;
    this.#planExpireAtMs = 0;
    this.#planBlock = plan.block;
    this.#planOverflow = plan.overflow;
    this.#planValue = plan.value;
    this.#planValueStart = plan.start;
    this.#planValueEnd = plan.end;
    this.#extents.giveReserved(plan.extents);
  }

  /**
   * Plans an entry of `byteCount` bytes of text whose content comes from elsewhere, new or instead of
   * what the key has.
   */
  planContent(
    database: number,
    key: Key,
    flags: number,
    expireAtMs: number,
    byteCount: number,
    content: ContentWriter,
  ): WriteStatus {
    const keyBytes = key.end - key.start;
    const encoding = needsExtents(flags, keyBytes, byteCount) ? Encoding.EXTENTS : Encoding.RAW;
    this.#planExpireAtMs = expireAtMs;
    this.#planValueStart = 0;
    this.#planValueEnd = byteCount;
    this.#planContent = content;
    const rootAt = this.#control.databaseRootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    return this.#planWrite(database, key, rootAt, existing, flags, encoding, false);
  }

  /** Carries out the plan under way. Cannot fail. */
  commitPlan(): void {
    this.endCommit(this.beginCommit());
  }

  /**
   * Carries out the plan under way, but for what the caller still writes into the value. Cannot
   * fail; {@link EntryWriter.endCommit} must follow.
   *
   * @returns the entry
   */
  beginCommit(): number {
    const key = this.#planKey!;
    this.markPhase(key.shard, MutationPhase.WRITING);
    let entry: number;
    if (this.#planKind === PlanKind.ADD_IN_PLACE) {
      entry = this.#planExisting;
      const word = this.#reader.integerWord(entry);
      this.#arena.write(entry, word, this.#planInteger.lo);
      this.#arena.write(entry, word + 1, this.#planInteger.hi);
      const head = this.#arena.read(entry, Entry.TYPE);
      this.#arena.write(entry, Entry.TYPE, (head & 0xff00ffff) | (this.#planFlags << 16));
      this.stampSeq(key.shard, entry);
    } else {
      assert(this.#planKind === PlanKind.WRITE, "a plan is under way");
      entry = this.#commitWrite(key);
    }
    this.#planKind = PlanKind.NONE;
    return entry;
  }

  /** Completes what {@link EntryWriter.beginCommit} began. Cannot fail. */
  endCommit(entry: number): void {
    const { shard } = this.#planKey!;
    this.changed(shard, this.#planDatabase, entry);
  }

  /** Drops the plan under way and gives back what it reserved. */
  cancelPlan(): void {
    const key = this.#planKey;
    if (this.#planKind === PlanKind.NONE || key === undefined) return;
    this.#planKind = PlanKind.NONE;
    this.#planContent = undefined;
    this.markPhase(key.shard, MutationPhase.PLANNING);
    this.#extents.cancel();
    if (this.#planBlock !== 0 && this.#planBlock !== this.#planExisting) {
      this.#blocks.free(this.#planBlock);
    }
    if (this.#planOverflow !== 0) this.#blocks.free(this.#planOverflow);
    this.#planBlock = 0;
    this.#planOverflow = 0;
    this.markPhase(key.shard, MutationPhase.CLEAN);
  }

  /**
   * Deletes a key. Needs the shard's exclusive lock.
   *
   * @returns whether it existed and had not expired
   */
  remove(database: number, key: Key): boolean {
    const rootAt = this.#control.databaseRootAt(database, key.shard);
    const entry = this.#table.find(rootAt, key);
    if (entry === 0) return false;
    this.markPhase(key.shard, MutationPhase.WRITING);
    const existed = !this.#reader.isExpired(entry, this.clock.nowMs);
    this.#table.removeFound(rootAt, key.hash);
    this.freeEntry(key.shard, entry);
    if (!existed) {
      this.countRemoved(key.shard, Shard.EXPIRED_DOUBLE);
      this.tell(KeyEvent.EXPIRED, database, key);
    }
    const seq = this.nextSeq(key.shard);
    this.#hookOf(database)?.removed(key.shard, database, key, seq);
    this.markPhase(key.shard, MutationPhase.DONE);
    return existed;
  }

  /**
   * Deletes an entry, whatever its key, because it has expired or to make room.
   *
   * @param counterDouble which of the shard's counts it adds to
   */
  removeEntry(shard: number, entry: number, counterDouble: number): void {
    const table = this.#arena.read(entry, Entry.TYPE) >>> 24;
    const hash = this.#arena.read(entry, Entry.HASH);
    const rootAt = this.#control.rootAt(table, shard);
    // Of a detached table: its keys are gone already, and the hook was told.
    const database = this.#control.databaseOf(table);
    this.markPhase(shard, MutationPhase.WRITING);
    const found = this.#table.findEntry(rootAt, hash, entry);
    assert(found, "every entry is in the index");
    const event = counterDouble === Shard.EXPIRED_DOUBLE ? KeyEvent.EXPIRED : KeyEvent.EVICTED;
    const isTold = database >= 0 && (this.hook !== undefined || this.watcher?.wants(event));
    const key = isTold ? this.#reader.detachKey(entry, shard) : undefined;
    this.#table.removeFound(rootAt, hash);
    this.freeEntry(shard, entry);
    this.countRemoved(shard, counterDouble);
    const seq = this.nextSeq(shard);
    if (key !== undefined) {
      this.hook?.removed(shard, database, key, seq);
      this.tell(event, database, key);
    }
    this.markPhase(shard, MutationPhase.DONE);
  }

  /** Says what happened to a key of a database to who wants to know. */
  tell(event: KeyEvent, database: number, key: Key): void {
    const { watcher } = this;
    if (watcher === undefined || database >= DATABASE_TABLE_COUNT || !watcher.wants(event)) return;
    watcher.note(event, database, key);
  }

  /** Counts a key that expired or was evicted. */
  countRemoved(shard: number, counterDouble: number): void {
    this.#control.doubles[(this.#control.shardAt(shard) >> 1) + counterDouble]!++;
  }

  /** Plans to write an entry, new or instead of `existing`. */
  #planWrite(
    database: number,
    key: Key,
    rootAt: number,
    existing: number,
    flags: number,
    encoding: number,
    forEvent: boolean,
    isOneOfMany = false,
  ): WriteStatus {
    const shard = key.shard;
    const valueBytes = encoding === Encoding.INTEGER
      ? INTEGER_BYTES
      : this.#planValueEnd - this.#planValueStart;
    const byteCount = entryBytes(flags, encoding, key.end - key.start, valueBytes);
    this.#planKind = PlanKind.WRITE;
    this.#planKey = key;
    this.#planDatabase = database;
    this.#planRootAt = rootAt;
    this.#planFlags = flags;
    this.#planEncoding = encoding;
    this.#planExisting = existing;
    this.#planBlock = 0;
    this.#planOverflow = 0;
    // A block of the right size is written again in place: nothing to allocate, nothing to free.
    if (
      existing !== 0 && !isOneOfMany && encoding !== Encoding.EXTENTS &&
      this.#reader.encoding(existing) < Encoding.EXTENTS &&
      this.#blocks.blockBytes(existing) === blockBytesFor(byteCount)
    ) {
      this.#planBlock = existing;
      return WriteStatus.OK;
    }
    this.markPhase(shard, MutationPhase.PLANNING);
    if (this.#tables.hasDetached) this.#tables.freeDetached(shard, FREED_PER_WRITE);
    if (encoding === Encoding.EXTENTS && !this.#extents.reserve(shard, valueBytes)) {
      return this.#failPlan();
    }
    this.#planBlock = this.#blocks.allocate(shard, PageKind.ENTRY, byteCount) ||
      (forEvent ? this.#reserve.draw() : 0);
    if (this.#planBlock === 0) return this.#failPlan();
    if (existing === 0) {
      const slot = this.#table.findFreeSlot(rootAt, shard, key.hash);
      if (slot < 0) return this.#failPlan();
      // Those that are committed before it may use up the slot that is free now.
      if (slot > 0 || isOneOfMany) {
        this.#planOverflow = this.#blocks.allocate(shard, PageKind.NODE, BUCKET_BYTES) ||
          (forEvent ? this.#reserve.draw() : 0);
        if (this.#planOverflow === 0) return this.#failPlan();
      }
    }
    if (this.#tracksPhases) {
      const words = this.#control.words;
      const shardAt = this.#control.shardAt(shard);
      words[shardAt + Shard.PLANNED_0] = this.#planBlock;
      words[shardAt + Shard.PLANNED_1] = this.#planOverflow;
      this.markPhase(shard, MutationPhase.PLANNED);
    }
    return WriteStatus.OK;
  }

  #failPlan(): WriteStatus {
    this.cancelPlan();
    return WriteStatus.OUT_OF_MEMORY;
  }

  #commitWrite(key: Key): number {
    const existing = this.#planExisting;
    const entry = this.#planBlock;
    const hadExpired = existing !== 0 && this.#reader.isExpired(existing, this.clock.nowMs);
    if (hadExpired) {
      this.countRemoved(key.shard, Shard.EXPIRED_DOUBLE);
      this.tell(KeyEvent.EXPIRED, this.#planDatabase, key);
    }
    if (existing === 0 || hadExpired) this.tell(KeyEvent.NEW, this.#planDatabase, key);
    const staysLinked = entry === existing && this.#planExpireAtMs > 0 &&
      this.#wheel.mayPostpone(entry, this.#planExpireAtMs);
    if (entry === existing && !staysLinked) this.#wheel.unlink(key.shard, entry);
    this.#writeEntry(entry, key);
    if (!staysLinked) this.#wheel.link(key.shard, entry, this.clock.nowMs);
    if (existing === 0) {
      this.#table.insert(this.#planRootAt, key.shard, entry, key.tag, this.#planOverflow);
    } else if (entry !== existing) {
      this.#table.replaceFound(entry);
      this.freeEntry(key.shard, existing);
    }
    this.#planBlock = 0;
    this.#planOverflow = 0;
    this.#planValue = EMPTY;
    this.#planContent = undefined;
    return entry;
  }

  #writeEntry(entry: number, key: Key): void {
    const arena = this.#arena;
    const words = arena.wordsOf(entry);
    const at = arena.wordAt(entry);
    const encoding = this.#planEncoding;
    const flags = this.#planFlags;
    const keyBytes = key.end - key.start;
    const isInteger = encoding === Encoding.INTEGER;
    const valueBytes = isInteger ? INTEGER_BYTES : this.#planValueEnd - this.#planValueStart;
    words[at] = EntryType.STRING | (encoding << 8) | (flags << 16) |
      (this.#control.tableOf(this.#planDatabase) << 24);
    words[at + Entry.KEY_BYTES] = keyBytes;
    words[at + Entry.CLOCK] = (this.clock.nowMs / 1000) >>> 0;
    words[at + Entry.HASH] = key.hash;
    words[at + Entry.VALUE_BYTES] = valueBytes;
    this.stampSeq(key.shard, entry);
    let word = at + ENTRY_HEADER_BYTES / 4;
    if ((flags & EntryFlag.HAS_TTL) !== 0) {
      words[word] = this.#planExpireAtMs >>> 0;
      words[word + 1] = Math.floor(this.#planExpireAtMs / 2 ** 32);
      word += TTL_BYTES / 4;
    }
    if (isInteger) {
      words[word] = this.#planInteger.lo;
      words[word + 1] = this.#planInteger.hi;
    }
    const bytes = arena.bytesOf(entry);
    let p = at * 4 + keyOffset(flags, encoding);
    copyBytes(key.bytes, key.start, key.end, bytes, p);
    p += keyBytes;
    if (this.#planContent !== undefined) {
      this.#planContent.fill(entry, this.#planExisting);
    } else if (encoding === Encoding.RAW) {
      copyBytes(this.#planValue, this.#planValueStart, this.#planValueEnd, bytes, p);
    } else if (encoding === Encoding.EXTENTS) {
      this.#extents.fill(entry, this.#planValue, this.#planValueStart);
    }
  }

  /**
   * Frees an entry that is in no table any more; the expiry index may still have it. Needs its
   * shard's exclusive lock.
   *
   * @param keepsValue whether the value's root belongs to another entry by now
   */
  freeEntry(shard: number, entry: number, keepsValue = false): void {
    this.#wheel.unlink(shard, entry);
    const encoding = this.#reader.encoding(entry);
    if (!keepsValue && encoding === Encoding.EXTENTS) this.#extents.release(entry);
    else if (!keepsValue && encoding === Encoding.TREE) {
      this.#collections.drop(this.#arena.read(entry, rootWord(this.#reader.flags(entry))));
    }
    this.#blocks.free(entry);
  }

  /** Whether an entry has expired by the clock of the batch. */
  isExpired(entry: number): boolean {
    return this.#reader.isExpired(entry, this.clock.nowMs);
  }

  /** Draws the number of a mutation and gives it to an entry. Needs the exclusive lock. */
  stampSeq(shard: number, entry: number): void {
    this.stamp(entry, this.nextSeq(shard));
  }

  /** Numbers and tells of an entry that was written as a whole. */
  wrote(shard: number, database: number, entry: number): void {
    this.stamp(entry, this.nextSeq(shard));
    this.#hookOf(database)?.written(shard, database, entry);
  }

  /** Gives an entry the number of its last mutation. */
  stamp(entry: number, seq: number): void {
    const keyBytes = this.#arena.read(entry, Entry.KEY_BYTES) & 0xffff;
    this.#arena.write(entry, Entry.KEY_BYTES, keyBytes | (Math.floor(seq / 2 ** 32) << 16));
    this.#arena.write(entry, Entry.SEQ_LO, seq >>> 0);
  }

  /** Gives an entry that was changed where it is its number. */
  stampChange(entry: number, key: Key): void {
    this.stampSeq(key.shard, entry);
  }

  /** Tells that a change is complete. */
  changed(shard: number, database: number, entry: number): void {
    this.#hookOf(database)?.written(shard, database, entry);
    this.markPhase(shard, MutationPhase.DONE);
  }

  /** Who is told of a change: nobody of one in a hidden table, which holds no client's data. */
  #hookOf(database: number): MutationHook | undefined {
    return database < DATABASE_TABLE_COUNT ? this.hook : undefined;
  }

  /** Draws the number of a mutation, 48 bits. Needs the shard's exclusive lock. */
  nextSeq(shard: number): number {
    const words = this.#control.words;
    const at = this.#control.shardAt(shard);
    const lo = (words[at + Shard.SEQ_LO]! + 1) >>> 0;
    words[at + Shard.SEQ_LO] = lo;
    if (lo === 0) words[at + Shard.SEQ_HI]!++;
    return words[at + Shard.SEQ_HI]! * 2 ** 32 + lo;
  }

  /** Leaves a trail of how far a mutation of a thread that may die has come. */
  markPhase(shard: number, phase: number): void {
    if (!this.#tracksPhases) return;
    Atomics.store(this.#control.words, this.#control.shardAt(shard) + Shard.PHASE, phase);
  }
}

function blockBytesFor(byteCount: number): number {
  return CLASS_BYTES[sizeClassOf(byteCount)]!;
}

function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  offset: number,
): void {
  if (end - start <= 32) {
    for (let i = start, p = offset; i < end; i++, p++) target[p] = source[i]!;
  } else {
    target.set(source.subarray(start, end), offset);
  }
}
