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
import type { Access } from "./access.ts";
import type { Arena } from "./arena.ts";
import { type BalanceReserve, RESERVE_BLOCK_BYTES } from "./balance_reserve.ts";
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
import type { WriterParts } from "./entry_changes.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { ExpiryWheel } from "./expiry_wheel.ts";
import type { Extents } from "./extents.ts";
import { copyBytes } from "./collection/records.ts";
import { blockBytesFor, InPlaceWriter } from "./in_place_writer.ts";
import { Key } from "./key.ts";
import { KeyEvent } from "./key_watcher.ts";
import { MutationPhase } from "./locks.ts";
import { PageKind } from "./page_allocator.ts";
import type { SetPlan } from "./set_plan.ts";
import { BUCKET_BYTES, type Table } from "./table.ts";
import { FREED_PER_WRITE, type TableMap } from "./table_map.ts";
import { WriteStatus } from "./write_status.ts";

export { WriteStatus };
export type { WriterParts } from "./entry_changes.ts";

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

const PlanKind = { NONE: 0, ADD_IN_PLACE: 1, WRITE: 2 } as const;
const EMPTY = new Uint8Array(0);

/**
 * Changes the store, one key at a time.
 *
 * Thread: one instance per thread; every call needs the exclusive lock of the key's shard, from plan
 * to commit or cancel.
 */
export class EntryWriter extends InPlaceWriter {
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
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
  constructor(parts: WriterParts, clock: Access) {
    super(parts, clock);
    this.#arena = parts.arena;
    this.#blocks = parts.blocks;
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
    const rootAt = this.#control.databaseRootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    if (existing !== 0 && expireAtMs === 0 && this.fitsInPlace(key, existing, valueBytes)) {
      this.overwrite(database, key, existing, value, start, end);
      return WriteStatus.OK;
    }
    const flags = expireAtMs > 0 ? EntryFlag.HAS_TTL : 0;
    const encoding = needsExtents(flags, keyBytes, valueBytes) ? Encoding.EXTENTS : Encoding.RAW;
    this.#planExpireAtMs = expireAtMs;
    this.#planValue = value;
    this.#planValueStart = start;
    this.#planValueEnd = end;
    const planned = this.#planWrite(database, key, rootAt, existing, flags, encoding, false);
    if (planned !== WriteStatus.OK) return planned;
    this.commitPlan();
    return WriteStatus.OK;
  }

  /** See `Store.addInteger`. */
  addInteger(database: number, key: Key, delta: Int64, result: Int64): WriteStatus {
    const rootAt = this.#control.databaseRootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    if (existing !== 0) {
      const added = this.addInPlace(database, key, existing, delta, result);
      if (added !== undefined) return added;
    }
    const planned = this.#planAdd(database, key, rootAt, existing, delta, result, false);
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
    const rootAt = this.#control.databaseRootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    return this.#planAdd(database, key, rootAt, existing, delta, result, forEvent);
  }

  #planAdd(
    database: number,
    key: Key,
    rootAt: number,
    existing: number,
    delta: Int64,
    result: Int64,
    forEvent: boolean,
  ): WriteStatus {
    if (key.end - key.start > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
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

  /** The entry of a key that can be overwritten where it is; 0 = the write has to be planned. */
  findOverwritable(database: number, key: Key, valueBytes: number): number {
    if (valueBytes > this.#maxValueBytes) return 0;
    const entry = this.#table.find(this.#control.databaseRootAt(database, key.shard), key);
    return entry !== 0 && this.fitsInPlace(key, entry, valueBytes) ? entry : 0;
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
      if (this.clock.stamps) this.#arena.write(entry, Entry.CLOCK, this.clock.nowSeconds);
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
    // What is reserved for an event is a balance's; a processor's own may have longer keys.
    this.#planBlock = this.#blocks.allocate(shard, PageKind.ENTRY, byteCount) ||
      (forEvent && byteCount <= RESERVE_BLOCK_BYTES ? this.#reserve.draw() : 0);
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
    const flagsBefore = existing === 0 ? 0 : this.#reader.flags(existing);
    const hadTtl = (flagsBefore & EntryFlag.HAS_TTL) !== 0;
    const hadExpired = hadTtl && this.#reader.isExpired(existing, this.clock.nowMs);
    if (hadExpired) {
      this.countRemoved(key.shard, Shard.EXPIRED_DOUBLE);
      this.tell(KeyEvent.EXPIRED, this.#planDatabase, key);
    }
    if (existing === 0 || hadExpired) this.tell(KeyEvent.NEW, this.#planDatabase, key);
    // A balance stays one, whoever corrects it: what events add up must not be evicted (C1).
    else this.#planFlags |= flagsBefore & EntryFlag.PINNED;
    const staysLinked = hadTtl && entry === existing && this.#planExpireAtMs > 0 &&
      this.#wheel.mayPostpone(entry, this.#planExpireAtMs);
    if (hadTtl && entry === existing && !staysLinked) this.#wheel.unlink(key.shard, entry);
    this.#writeEntry(entry, key);
    if (this.#planExpireAtMs > 0 && !staysLinked) {
      this.#wheel.link(key.shard, entry, this.clock.nowMs);
    }
    if (existing === 0) {
      this.#table.insert(this.#planRootAt, key.shard, entry, key.tag, this.#planOverflow);
    } else if (entry !== existing) {
      this.#table.replaceFound(this.#planRootAt, entry);
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
    words[at + Entry.CLOCK] = this.clock.nowSeconds;
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
}
