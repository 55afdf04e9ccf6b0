/**
 * What every change of an entry comes to: its number, who is told, and how it ends.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Access } from "./access.ts";
import type { Arena } from "./arena.ts";
import type { BalanceReserve } from "./balance_reserve.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import type { CollectionMemory } from "./collection/collection_memory.ts";
import { rootWord } from "./collection/entries.ts";
import { type ControlRegion, DATABASE_TABLE_COUNT, Shard } from "./control.ts";
import { Encoding, Entry, EntryFlag } from "./entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { ExpiryWheel } from "./expiry_wheel.ts";
import type { Extents } from "./extents.ts";
import type { Key } from "./key.ts";
import { KeyEvent, type KeyWatcher } from "./key_watcher.ts";
import { MutationPhase } from "./locks.ts";
import type { MutationHook } from "./mutation_hook.ts";
import type { Table } from "./table.ts";
import type { TableMap } from "./table_map.ts";

// What every change needs, as constants of this module: V8 fetches those of others at each use.
const { SEQ_HI, SEQ_LO } = Shard;
const { KEY_BYTES, SEQ_LO: ENTRY_SEQ_LO } = Entry;

/** What {@link EntryChanges} and `EntryWriter` work with. */
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

/**
 * Numbers changes, tells of them, and removes entries.
 *
 * Thread: one instance per thread; every call needs the exclusive lock of the shard.
 */
export class EntryChanges {
  /** Time of the current batch, milliseconds since 1970. */
  readonly clock: Access;
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
  readonly #table: Table;
  readonly #wheel: ExpiryWheel;
  readonly #tracksPhases: boolean;

  /**
   * Wires the parts of one thread together.
   *
   * @param clock shared with the store, which lets its user set it
   */
  constructor(parts: WriterParts, clock: Access) {
    this.clock = clock;
    this.#arena = parts.arena;
    this.#blocks = parts.blocks;
    this.#collections = parts.collections;
    this.#control = parts.control;
    this.#extents = parts.extents;
    this.#reader = parts.reader;
    this.#table = parts.table;
    this.#wheel = parts.wheel;
    this.#tracksPhases = parts.tracksPhases;
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
    this.hookOf(database)?.removed(key.shard, database, key, seq);
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

  /**
   * Frees an entry that is in no table any more; the expiry index may still have it. Needs its
   * shard's exclusive lock.
   *
   * @param keepsValue whether the value's root belongs to another entry by now
   */
  freeEntry(shard: number, entry: number, keepsValue = false): void {
    const head = this.#arena.read(entry, Entry.TYPE);
    const encoding = (head >>> 8) & 0xff;
    if (((head >>> 16) & EntryFlag.HAS_TTL) !== 0) this.#wheel.unlink(shard, entry);
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
    // As nextSeq and stamp, without the number as a whole.
    const words = this.#control.words;
    const at = this.#control.shardAt(shard);
    const lo = (words[at + SEQ_LO]! + 1) | 0;
    words[at + SEQ_LO] = lo;
    if (lo === 0) words[at + SEQ_HI]!++;
    const own = this.#arena.wordsOf(entry);
    const ownAt = this.#arena.wordAt(entry);
    own[ownAt + KEY_BYTES] = (own[ownAt + KEY_BYTES]! & 0xffff) |
      (words[at + SEQ_HI]! << 16);
    own[ownAt + ENTRY_SEQ_LO] = lo;
  }

  /** Numbers and tells of an entry that was written as a whole. */
  wrote(shard: number, database: number, entry: number): void {
    this.stamp(entry, this.nextSeq(shard));
    this.hookOf(database)?.written(shard, database, entry);
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
    this.hookOf(database)?.written(shard, database, entry);
    this.markPhase(shard, MutationPhase.DONE);
  }

  /** Tells that a change of a part of a string is complete; see {@link MutationHook.rangeWritten}. */
  changedRange(shard: number, database: number, entry: number, start: number, end: number): void {
    const hook = this.hookOf(database);
    if (hook?.rangeWritten !== undefined) {
      hook.rangeWritten(shard, database, entry, start, end);
    } else hook?.written(shard, database, entry);
    this.markPhase(shard, MutationPhase.DONE);
  }

  /** Who is told of a change: nobody of one in a hidden table, which holds no client's data. */
  protected hookOf(database: number): MutationHook | undefined {
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
