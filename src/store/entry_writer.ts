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
import { type ControlRegion, Header, Shard } from "./control.ts";
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
import type { Extents } from "./extents.ts";
import type { Key } from "./key.ts";
import { MutationPhase } from "./locks.ts";
import type { MutationHook } from "./mutation_hook.ts";
import { PageKind } from "./page_allocator.ts";
import { CLASS_BYTES, sizeClassOf } from "./size_classes.ts";
import { BUCKET_BYTES, type Table } from "./table.ts";
import { FREED_PER_WRITE, type TableMap } from "./table_map.ts";

/** Outcome of a write. */
export const WriteStatus = {
  /** Done. */
  OK: 0,
  /** The arena is full; nothing was changed. Unlock, reclaim, try again. */
  OUT_OF_MEMORY: 1,
  /** The sum does not fit int64. */
  OVERFLOW: 2,
  /** The value is not a canonical int64. */
  NOT_AN_INTEGER: 3,
  /** The key holds another type. */
  WRONG_TYPE: 4,
  /** The key is longer than {@link MAX_KEY_BYTES}. */
  KEY_TOO_LONG: 5,
  /** The value is longer than the configured maximum. */
  VALUE_TOO_LARGE: 6,
} as const;
/** One of {@link WriteStatus}. */
export type WriteStatus = typeof WriteStatus[keyof typeof WriteStatus];

/** What an {@link EntryWriter} works with. */
export interface WriterParts {
  /** Client data. */
  arena: Arena;
  /** Blocks and pages. */
  blocks: BlockAllocator;
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
  /** Which table a database has. */
  tables: TableMap;
  /** Whether this thread may die alone. */
  tracksPhases: boolean;
}

const PlanKind = { NONE: 0, ADD_IN_PLACE: 1, WRITE: 2 } as const;
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

  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #control: ControlRegion;
  readonly #extents: Extents;
  readonly #reader: EntryReader;
  readonly #reserve: BalanceReserve;
  readonly #table: Table;
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

  /**
   * Wires the parts of one thread together.
   *
   * @param clock shared with the store, which lets its user set it
   */
  constructor(parts: WriterParts, clock: { nowMs: number }) {
    this.clock = clock;
    this.#arena = parts.arena;
    this.#blocks = parts.blocks;
    this.#control = parts.control;
    this.#extents = parts.extents;
    this.#reader = parts.reader;
    this.#reserve = parts.reserve;
    this.#table = parts.table;
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

  /** Carries out the plan under way. Cannot fail. */
  commitPlan(): void {
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
      this.stampSeq(entry, key.shard);
    } else {
      assert(this.#planKind === PlanKind.WRITE, "a plan is under way");
      entry = this.#commitWrite(key);
    }
    this.#planKind = PlanKind.NONE;
    this.hook?.written(key.shard, this.#planDatabase, entry);
    this.markPhase(key.shard, MutationPhase.DONE);
  }

  /** Drops the plan under way and gives back what it reserved. */
  cancelPlan(): void {
    const key = this.#planKey;
    if (this.#planKind === PlanKind.NONE || key === undefined) return;
    this.#planKind = PlanKind.NONE;
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
    this.freeEntry(entry);
    const seq = this.nextSeq(key.shard);
    this.hook?.removed(key.shard, database, key, seq);
    this.markPhase(key.shard, MutationPhase.DONE);
    return existed;
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
      existing !== 0 && encoding !== Encoding.EXTENTS &&
      this.#reader.encoding(existing) !== Encoding.EXTENTS &&
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
      if (slot > 0) {
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
    this.#writeEntry(entry, key);
    if (existing === 0) {
      this.#table.insert(this.#planRootAt, key.shard, entry, key.tag, this.#planOverflow);
    } else if (entry !== existing) {
      this.#table.replaceFound(entry);
      this.freeEntry(existing);
    }
    this.#planBlock = 0;
    this.#planOverflow = 0;
    this.#planValue = EMPTY;
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
    this.stampSeq(entry, key.shard);
    let word = at + ENTRY_HEADER_BYTES / 4;
    if ((flags & EntryFlag.HAS_TTL) !== 0) {
      words[word] = this.#planExpireAtMs >>> 0;
      words[word + 1] = Math.floor(this.#planExpireAtMs / 2 ** 32);
      words[word + 2] = 0;
      words[word + 3] = 0;
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
    if (encoding === Encoding.RAW) {
      copyBytes(this.#planValue, this.#planValueStart, this.#planValueEnd, bytes, p);
    } else if (encoding === Encoding.EXTENTS) {
      this.#extents.fill(entry, this.#planValue, this.#planValueStart);
    }
  }

  /**
   * Frees an entry that is in no table any more. Needs its shard's exclusive lock.
   *
   * @param keepsValue whether the value's root belongs to another entry by now
   */
  freeEntry(entry: number, keepsValue = false): void {
    if (!keepsValue && this.#reader.encoding(entry) === Encoding.EXTENTS) {
      this.#extents.release(entry);
    }
    this.#blocks.free(entry);
  }

  /** Gives an entry the number of a new mutation. Needs the shard's exclusive lock. */
  stampSeq(entry: number, shard: number): void {
    const seq = this.nextSeq(shard);
    const keyBytes = this.#arena.read(entry, Entry.KEY_BYTES) & 0xffff;
    this.#arena.write(entry, Entry.KEY_BYTES, keyBytes | (Math.floor(seq / 2 ** 32) << 16));
    this.#arena.write(entry, Entry.SEQ_LO, seq >>> 0);
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
