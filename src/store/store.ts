/**
 * The store: keys and values in shared memory, usable from every thread.
 *
 * Single-key operations run under the lock of the key's shard, which the caller takes (`docs/
 * locking.md`). A write first plans: it decides everything that can fail and reserves every block
 * it can need; then it commits, which cannot fail (C6). Nothing here awaits.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  addInt64,
  decimalDigitCount,
  formatInt64,
  Int64,
  INT64_MAX_DECIMAL_BYTES,
  parseInt64,
} from "../base/int64.ts";
import { Arena } from "./arena.ts";
import { BalanceReserve } from "./balance_reserve.ts";
import { BlockAllocator } from "./block_allocator.ts";
import { Compactor } from "./compactor.ts";
import { ControlRegion, DATABASE_COUNT, Header, Shard } from "./control.ts";
import {
  Encoding,
  Entry,
  ENTRY_HEADER_BYTES,
  entryBytes,
  EntryFlag,
  EntryType,
  keyOffset,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  needsExtents,
  TTL_BYTES,
} from "./entry.ts";
import { Extents } from "./extents.ts";
import { hashKey } from "./hash.ts";
import { assertStoreInvariants } from "./invariants.ts";
import type { Key } from "./key.ts";
import { type LockKind, MutationPhase, ShardLocks } from "./locks.ts";
import type { MutationHook } from "./mutation_hook.ts";
import { PageAllocator, PageKind } from "./page_allocator.ts";
import { CLASS_BYTES, PAGE_BYTES, sizeClassOf } from "./size_classes.ts";
import { BUCKET_BYTES, Root, Table } from "./table.ts";

export { EntryType } from "./entry.ts";

/** Outcome of a write. */
export const WriteStatus = {
  /** Done. */
  OK: 0,
  /** The arena is full; nothing was changed. Unlock, {@link Store.reclaim}, try again. */
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

/** What a store is created with. */
export interface StoreOptions {
  /** Power of two, 1 to 4,096. */
  shardCount: number;
  /** How shards are locked. */
  lockKind: LockKind;
  /** Bytes of the arena; whole pages of 64 KiB count. */
  maxMemoryBytes: number;
  /** Largest value in bytes, at most {@link MAX_VALUE_BYTES}. */
  maxValueBytes: number;
  /** Threads that may be attached at one time. */
  threadCount: number;
  /** Secret key of the hash; drawn at random when absent. */
  hashSeed?: Uint32Array;
  /** Whether lock wait and hold times are measured. */
  timing?: boolean;
  /** Segment size in bytes, for tests that want several. */
  segmentBytes?: number;
}

/** Everything another thread needs to attach; structured-cloneable, shares the memory. */
export interface StoreMemory {
  /** The control region. */
  control: SharedArrayBuffer;
  /** Page descriptors. */
  descriptors: SharedArrayBuffer;
  /** Arena segments. */
  segments: SharedArrayBuffer[];
}

/** Sizes at a moment; read without stopping anyone. */
export interface StoreStats {
  /** Bytes of the arena. */
  maxMemoryBytes: number;
  /** Bytes in pages that are in use, the slack inside them included. */
  usedBytes: number;
  /** Bytes in blocks that are in use. */
  blockBytes: number;
  /** Pages in the arena. */
  pagesTotal: number;
  /** Pages that nobody has. */
  pagesFree: number;
  /** Keys over all databases, expired ones that nobody touched included. */
  keyCount: number;
}

/** How a dead thread left the shard it held; see {@link Store.recoverDeadOwner}. */
export type DeadOwner =
  | { kind: "none" }
  | { kind: "released" | "completed"; shard: number }
  | { kind: "torn"; shard: number; operation: number };

/** The smallest arena in bytes for a number of shards: each leases pages per size in use. */
export function minimumMemoryBytes(shardCount: number): number {
  return Math.max(8 * 2 ** 20, shardCount * 8 * PAGE_BYTES);
}

const PlanKind = { NONE: 0, ADD_IN_PLACE: 1, WRITE: 2 } as const;

/**
 * One thread's view of the shared store.
 *
 * Thread: one instance per thread, made by {@link Store.create} or {@link Store.attach}.
 */
export class Store {
  /** What other threads attach with. */
  readonly memory: StoreMemory;
  /** The shards' locks. */
  readonly locks: ShardLocks;
  /** Memory kept aside for balances of accepted events. */
  readonly credits: BalanceReserve;
  /** Number of shards. */
  readonly shardCount: number;
  /** Largest value in bytes. */
  readonly maxValueBytes: number;
  /** Clock of the current batch, milliseconds since 1970; the caller sets it before operations. */
  nowMs = 0;
  /** Told of every mutation; see {@link MutationHook}. */
  hook: MutationHook | undefined;

  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #compactor: Compactor;
  readonly #control: ControlRegion;
  readonly #extents: Extents;
  readonly #pages: PageAllocator;
  readonly #table: Table;
  readonly #threadId: number;
  readonly #tracksPhases: boolean;
  readonly #seed0: number;
  readonly #seed1: number;
  readonly #sum = new Int64();
  #nextReclaimShard = 0;

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

  private constructor(memory: StoreMemory, threadId: number, tracksPhases: boolean) {
    this.memory = memory;
    this.#threadId = threadId;
    this.#tracksPhases = tracksPhases;
    const control = ControlRegion.attach(memory.control);
    this.#control = control;
    this.shardCount = control.shardCount;
    this.maxValueBytes = control.words[Header.MAX_VALUE_BYTES]!;
    this.#seed0 = control.words[Header.HASH_SEED_0]!;
    this.#seed1 = control.words[Header.HASH_SEED_1]!;
    this.#arena = Arena.attach(memory.segments, control.words[Header.SEGMENT_SHIFT]!);
    this.#pages = new PageAllocator(control, memory.descriptors);
    this.locks = new ShardLocks(control, threadId, tracksPhases);
    this.credits = new BalanceReserve(
      this.#arena,
      this.#pages,
      control,
      () => this.reclaim(),
    );
    this.#blocks = new BlockAllocator(this.#arena, this.#pages, control, this.credits);
    this.#extents = new Extents(this.#arena, this.#blocks, this.#pages);
    this.#table = new Table(this.#arena, this.#blocks, control.words);
    this.#compactor = new Compactor(
      this.#arena,
      this.#blocks,
      control,
      this.#extents,
      this.#pages,
      this.#table,
    );
  }

  /**
   * Makes the shared memory and attaches this thread to it.
   *
   * Thread: the one that starts the server.
   *
   * @param threadId this thread's id
   */
  static create(options: StoreOptions, threadId = 0): Store {
    const { shardCount } = options;
    assert(
      Number.isInteger(Math.log2(shardCount)) && shardCount >= 1 && shardCount <= 4096,
      `${shardCount} shards is a power of two from 1 to 4096`,
    );
    assert(
      options.maxValueBytes >= 1 && options.maxValueBytes <= MAX_VALUE_BYTES,
      `the largest value is at most ${MAX_VALUE_BYTES} bytes`,
    );
    const pageCount = Math.floor(options.maxMemoryBytes / PAGE_BYTES);
    const arena = Arena.create(pageCount, options.segmentBytes);
    const control = ControlRegion.create({
      shardCount,
      lockKind: options.lockKind === "rwlock" ? 1 : 0,
      pageCount,
      threadCount: options.threadCount,
      hashSeed: options.hashSeed ?? crypto.getRandomValues(new Uint32Array(2)),
      maxValueBytes: options.maxValueBytes,
      segmentShift: arena.shift,
      timing: options.timing ?? false,
    });
    const memory: StoreMemory = {
      control: control.buffer,
      descriptors: PageAllocator.createDescriptors(pageCount),
      segments: arena.segments,
    };
    return new Store(memory, threadId, false);
  }

  /**
   * Opens a store that another thread created.
   *
   * @param memory the creator's {@link Store.memory}
   * @param threadId this thread's id, unique among living threads, below `threadCount`
   * @param canDieAlone whether this thread's death must not take the store with it: its mutations
   *   then leave a trail for {@link Store.recoverDeadOwner}
   */
  static attach(memory: StoreMemory, threadId: number, canDieAlone = true): Store {
    return new Store(memory, threadId, canDieAlone);
  }

  /** Hashes a key and finds its shard; fills the key's derived fields. */
  locate(key: Key): void {
    hashKey(key, this.#seed0, this.#seed1);
    const high = key.hashHigh;
    key.shard = high & (this.shardCount - 1);
    // Tag 0 marks an empty slot.
    key.tag = (high >>> 24) || 1;
  }

  /**
   * Finds the entry of a key. Needs the shard's lock, shared is enough.
   *
   * @returns the entry's address, valid until unlock or the next write; 0 when missing or expired
   */
  lookup(database: number, key: Key): number {
    const entry = this.#table.find(this.#control.rootAt(database, key.shard), key);
    if (entry === 0 || this.#isExpired(entry)) return 0;
    this.#arena.write(entry, Entry.CLOCK, (this.nowMs / 1000) >>> 0);
    return entry;
  }

  /** Type of an entry. */
  entryType(entry: number): EntryType {
    return (this.#arena.read(entry, Entry.TYPE) & 0xff) as EntryType;
  }

  /** Number of the entry's last mutation, 48 bits, drawn per shard. */
  entrySeq(entry: number): number {
    return (this.#arena.read(entry, Entry.KEY_BYTES) >>> 16) * 2 ** 32 +
      this.#arena.read(entry, Entry.SEQ_LO);
  }

  /** Expiry time of an entry in milliseconds since 1970; 0 = never. */
  expireAtMs(entry: number): number {
    if ((this.#flags(entry) & EntryFlag.HAS_TTL) === 0) return 0;
    const word = ENTRY_HEADER_BYTES / 4;
    return this.#arena.read(entry, word + 1) * 2 ** 32 + this.#arena.read(entry, word);
  }

  /** Length in bytes of a string as a client sees it; an integer counts its decimal digits. */
  stringLength(entry: number): number {
    if (this.#encoding(entry) !== Encoding.INTEGER) {
      return this.#arena.read(entry, Entry.VALUE_BYTES);
    }
    this.readInteger(entry, this.#sum);
    const value = this.#sum.toNumber();
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return decimalDigitCount(value);
    return formatInt64(this.#sum.hi, this.#sum.lo, DECIMAL, 0);
  }

  /**
   * Copies a string as a client sees it to `target[offset…]`.
   *
   * @returns bytes written, equal to {@link Store.stringLength}
   */
  copyString(entry: number, target: Uint8Array, offset: number): number {
    const encoding = this.#encoding(entry);
    if (encoding === Encoding.INTEGER) {
      this.readInteger(entry, this.#sum);
      return formatInt64(this.#sum.hi, this.#sum.lo, target, offset);
    }
    const byteCount = this.#arena.read(entry, Entry.VALUE_BYTES);
    if (encoding === Encoding.EXTENTS) {
      this.#extents.copyOut(entry, target, offset);
      return byteCount;
    }
    const bytes = this.#arena.bytesOf(entry);
    const at = this.#arena.byteAt(entry) + this.#keyOffset(entry) + this.#keyBytes(entry);
    if (byteCount <= 32) {
      for (let i = 0; i < byteCount; i++) target[offset + i] = bytes[at + i]!;
    } else {
      target.set(bytes.subarray(at, at + byteCount), offset);
    }
    return byteCount;
  }

  /** Copies the key of an entry to `target[offset…]`; returns its length. */
  copyKey(entry: number, target: Uint8Array, offset: number): number {
    const at = this.#arena.byteAt(entry) + this.#keyOffset(entry);
    const byteCount = this.#keyBytes(entry);
    target.set(this.#arena.bytesOf(entry).subarray(at, at + byteCount), offset);
    return byteCount;
  }

  /**
   * Reads a string as an integer.
   *
   * @returns false when it is not a canonical int64; `result` is then unchanged
   */
  readInteger(entry: number, result: Int64): boolean {
    const encoding = this.#encoding(entry);
    if (encoding === Encoding.INTEGER) {
      const word = this.#integerWord(entry);
      result.lo = this.#arena.read(entry, word);
      result.hi = this.#arena.read(entry, word + 1) | 0;
      return true;
    }
    const byteCount = this.#arena.read(entry, Entry.VALUE_BYTES);
    if (encoding !== Encoding.RAW || byteCount > INT64_MAX_DECIMAL_BYTES) return false;
    const at = this.#arena.byteAt(entry) + this.#keyOffset(entry) + this.#keyBytes(entry);
    return parseInt64(this.#arena.bytesOf(entry), at, at + byteCount, result);
  }

  /**
   * Sets a string. Needs the shard's exclusive lock.
   *
   * @param value buffer that holds the value in `[start, end)`
   * @param expireAtMs milliseconds since 1970; 0 = never
   */
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
    if (valueBytes > this.maxValueBytes) return WriteStatus.VALUE_TOO_LARGE;
    const flags = expireAtMs > 0 ? EntryFlag.HAS_TTL : 0;
    const encoding = needsExtents(flags, keyBytes, valueBytes) ? Encoding.EXTENTS : Encoding.RAW;
    this.#planExpireAtMs = expireAtMs;
    this.#planValue = value;
    this.#planValueStart = start;
    this.#planValueEnd = end;
    const rootAt = this.#control.rootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    const planned = this.#planWrite(database, key, rootAt, existing, flags, encoding, false);
    if (planned !== WriteStatus.OK) return planned;
    this.commitPlan();
    return WriteStatus.OK;
  }

  /**
   * Adds to an integer; a missing key counts as 0. Needs the shard's exclusive lock.
   *
   * @param result receives the sum when the outcome is OK
   */
  addInteger(database: number, key: Key, delta: Int64, result: Int64): WriteStatus {
    const planned = this.planAddInteger(database, key, delta, result, false);
    if (planned === WriteStatus.OK) this.commitPlan();
    return planned;
  }

  /**
   * Decides an addition and reserves what it needs, changing nothing that can be seen. Needs the
   * shard's exclusive lock until {@link Store.commitPlan} or {@link Store.cancelPlan}.
   *
   * @param result receives the sum that the commit will store
   * @param forEvent the addition settles an event that holds a credit: it may use the reserve, and
   *   the entry is never evicted
   */
  planAddInteger(
    database: number,
    key: Key,
    delta: Int64,
    result: Int64,
    forEvent: boolean,
  ): WriteStatus {
    const keyBytes = key.end - key.start;
    if (keyBytes > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
    const rootAt = this.#control.rootAt(database, key.shard);
    const existing = this.#table.find(rootAt, key);
    let flags = forEvent ? EntryFlag.PINNED : 0;
    const sum = this.#sum;
    this.#planExpireAtMs = 0;
    if (existing === 0 || this.#isExpired(existing)) {
      sum.copyFrom(delta);
    } else {
      if (this.entryType(existing) !== EntryType.STRING) return WriteStatus.WRONG_TYPE;
      if (!this.readInteger(existing, sum)) return WriteStatus.NOT_AN_INTEGER;
      if (!addInt64(sum, delta, sum)) return WriteStatus.OVERFLOW;
      flags |= this.#flags(existing);
      this.#planExpireAtMs = this.expireAtMs(existing);
      if (this.#encoding(existing) === Encoding.INTEGER) {
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
    this.#markPhase(key.shard, MutationPhase.WRITING);
    let entry: number;
    if (this.#planKind === PlanKind.ADD_IN_PLACE) {
      entry = this.#planExisting;
      const word = this.#integerWord(entry);
      this.#arena.write(entry, word, this.#planInteger.lo);
      this.#arena.write(entry, word + 1, this.#planInteger.hi);
      const head = this.#arena.read(entry, Entry.TYPE);
      this.#arena.write(entry, Entry.TYPE, (head & 0xff00ffff) | (this.#planFlags << 16));
      this.#stampSeq(entry, key);
    } else {
      assert(this.#planKind === PlanKind.WRITE, "a plan is under way");
      entry = this.#commitWrite(key);
    }
    this.#planKind = PlanKind.NONE;
    this.hook?.written(key.shard, this.#planDatabase, entry);
    this.#markPhase(key.shard, MutationPhase.DONE);
  }

  /** Drops the plan under way and gives back what it reserved. */
  cancelPlan(): void {
    const key = this.#planKey;
    if (this.#planKind === PlanKind.NONE || key === undefined) return;
    this.#planKind = PlanKind.NONE;
    this.#markPhase(key.shard, MutationPhase.PLANNING);
    this.#extents.cancel();
    if (this.#planBlock !== 0 && this.#planBlock !== this.#planExisting) {
      this.#blocks.free(this.#planBlock);
    }
    if (this.#planOverflow !== 0) this.#blocks.free(this.#planOverflow);
    this.#planBlock = 0;
    this.#planOverflow = 0;
    this.#markPhase(key.shard, MutationPhase.CLEAN);
  }

  /**
   * Deletes a key. Needs the shard's exclusive lock.
   *
   * @returns whether it existed and had not expired
   */
  remove(database: number, key: Key): boolean {
    const rootAt = this.#control.rootAt(database, key.shard);
    const entry = this.#table.find(rootAt, key);
    if (entry === 0) return false;
    this.#markPhase(key.shard, MutationPhase.WRITING);
    const existed = !this.#isExpired(entry);
    this.#table.removeFound(rootAt, key.hash);
    this.#freeEntry(entry);
    const seq = this.#nextSeq(key.shard);
    this.hook?.removed(key.shard, database, key, seq);
    this.#markPhase(key.shard, MutationPhase.DONE);
    return existed;
  }

  /** Keys in a database, expired ones that nobody touched included. Takes no lock: a snapshot. */
  keyCount(database: number): number {
    let count = 0;
    for (let shard = 0; shard < this.shardCount; shard++) {
      count += this.#control.words[this.#control.rootAt(database, shard) + Root.ENTRIES]!;
    }
    return count;
  }

  /**
   * Visits the entries at one scan position of a shard. Needs the shard's lock, shared is enough.
   *
   * @param position 0 to start
   * @returns the next position, 0 when done
   */
  scanShard(
    database: number,
    shard: number,
    position: number,
    visit: (entry: number) => void,
  ): number {
    return this.#table.scan(this.#control.rootAt(database, shard), position, visit);
  }

  /**
   * Frees memory after OUT_OF_MEMORY: moves blocks together so that pages become free.
   *
   * Thread: any that holds no shard lock. Looks at each shard once, those that are busy excepted,
   * and stops at the first page gained.
   *
   * @returns whether the write is worth another try
   */
  reclaim(): boolean {
    for (let i = 0; i < this.shardCount; i++) {
      const shard = (this.#nextReclaimShard + i) & (this.shardCount - 1);
      if (!this.locks.tryLock(shard, true)) continue;
      this.#markPhase(shard, MutationPhase.WRITING);
      const gained = this.#compactor.compactShard(shard);
      this.#markPhase(shard, MutationPhase.DONE);
      this.locks.unlock(shard, true);
      if (gained) {
        this.#nextReclaimShard = shard;
        return true;
      }
    }
    return false;
  }

  /** Sizes at this moment. Takes no lock. */
  stats(): StoreStats {
    const pagesTotal = this.#pages.pageCount;
    const pagesFree = this.#pages.freePages;
    let blockBytes = 0;
    for (let shard = 0; shard < this.shardCount; shard++) {
      blockBytes += this.#control
        .doubles[(this.#control.shardAt(shard) >> 1) + Shard.BLOCK_BYTES_DOUBLE]!;
    }
    let keyCount = 0;
    for (let database = 0; database < DATABASE_COUNT; database++) {
      keyCount += this.keyCount(database);
    }
    return {
      maxMemoryBytes: pagesTotal * PAGE_BYTES,
      usedBytes: (pagesTotal - pagesFree) * PAGE_BYTES,
      blockBytes,
      pagesTotal,
      pagesFree,
      keyCount,
    };
  }

  /**
   * Settles what a dead thread left locked or half done.
   *
   * Thread: the supervisor, once, after that thread's isolate has ended.
   *
   * @returns `none` it held nothing; `released` it held a lock and had changed nothing (reserved
   *   blocks are given back); `completed` its change was complete; `torn` it died inside a change:
   *   the shard is poisoned and the server must stop (C4)
   */
  recoverDeadOwner(threadId: number): DeadOwner {
    const locks = this.locks;
    locks.forgetDeadWaiter(threadId);
    const shard = locks.heldBy(threadId);
    if (shard < 0) return { kind: "none" };
    const words = this.#control.words;
    const shardAt = this.#control.shardAt(shard);
    const phase = Atomics.load(words, shardAt + Shard.PHASE);
    if (phase === MutationPhase.PLANNING || phase === MutationPhase.WRITING) {
      const operation = locks.operation(shard);
      locks.poison(shard, operation);
      return { kind: "torn", shard, operation };
    }
    locks.takeOver(shard);
    if (phase === MutationPhase.PLANNED) {
      for (const at of [shardAt + Shard.PLANNED_0, shardAt + Shard.PLANNED_1]) {
        if (words[at] !== 0) this.#blocks.free(words[at]! >>> 0);
      }
    }
    Atomics.store(words, shardAt + Shard.PHASE, MutationPhase.CLEAN);
    locks.unlock(shard, true);
    return { kind: phase === MutationPhase.DONE ? "completed" : "released", shard };
  }

  /**
   * Test hook: makes the allocation that many requests from now fail, once; negative = off.
   */
  failAllocationAfter(requests: number): void {
    this.#blocks.failAfterRequests = requests;
  }

  /**
   * Walks the whole arena and checks that every byte is in use, free or header.
   *
   * Thread: only with no other thread active; for tests.
   *
   * @param outstandingCredits credits taken and not given back, where the caller knows it
   * @throws {AssertionFault} naming what does not add up
   */
  assertInvariants(outstandingCredits?: number): void {
    assertStoreInvariants(outstandingCredits, {
      arena: this.#arena,
      control: this.#control,
      pages: this.#pages,
      table: this.#table,
      extents: this.#extents,
      reserve: this.credits,
      locate: (key) => this.locate(key),
    });
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
      ? INTEGER_VALUE_BYTES
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
      this.#encoding(existing) !== Encoding.EXTENTS &&
      this.#blocks.blockBytes(existing) === blockBytesFor(byteCount)
    ) {
      this.#planBlock = existing;
      return WriteStatus.OK;
    }
    this.#markPhase(shard, MutationPhase.PLANNING);
    if (encoding === Encoding.EXTENTS && !this.#extents.reserve(shard, valueBytes)) {
      return this.#failPlan();
    }
    this.#planBlock = this.#blocks.allocate(shard, PageKind.ENTRY, byteCount) ||
      (forEvent ? this.credits.draw() : 0);
    if (this.#planBlock === 0) return this.#failPlan();
    if (existing === 0) {
      const slot = this.#table.findFreeSlot(rootAt, shard, key.hash);
      if (slot < 0) return this.#failPlan();
      if (slot > 0) {
        this.#planOverflow = this.#blocks.allocate(shard, PageKind.NODE, BUCKET_BYTES) ||
          (forEvent ? this.credits.draw() : 0);
        if (this.#planOverflow === 0) return this.#failPlan();
      }
    }
    if (this.#tracksPhases) {
      const words = this.#control.words;
      const shardAt = this.#control.shardAt(shard);
      words[shardAt + Shard.PLANNED_0] = this.#planBlock;
      words[shardAt + Shard.PLANNED_1] = this.#planOverflow;
      this.#markPhase(shard, MutationPhase.PLANNED);
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
      this.#freeEntry(existing);
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
    const valueBytes = isInteger ? INTEGER_VALUE_BYTES : this.#planValueEnd - this.#planValueStart;
    words[at] = EntryType.STRING | (encoding << 8) | (flags << 16) | (this.#planDatabase << 24);
    words[at + Entry.KEY_BYTES] = keyBytes;
    words[at + Entry.CLOCK] = (this.nowMs / 1000) >>> 0;
    words[at + Entry.HASH] = key.hash;
    words[at + Entry.VALUE_BYTES] = valueBytes;
    this.#stampSeq(entry, key);
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
    let p = at * 4 + keyOffset(flags, encoding, valueBytes);
    copyBytes(key.bytes, key.start, key.end, bytes, p);
    p += keyBytes;
    if (encoding === Encoding.RAW) {
      copyBytes(this.#planValue, this.#planValueStart, this.#planValueEnd, bytes, p);
    } else if (encoding === Encoding.EXTENTS) {
      this.#extents.fill(entry, this.#planValue, this.#planValueStart);
    }
  }

  #freeEntry(entry: number): void {
    if (this.#encoding(entry) === Encoding.EXTENTS) this.#extents.release(entry);
    this.#blocks.free(entry);
  }

  #stampSeq(entry: number, key: Key): void {
    const seq = this.#nextSeq(key.shard);
    const keyBytes = this.#arena.read(entry, Entry.KEY_BYTES) & 0xffff;
    this.#arena.write(entry, Entry.KEY_BYTES, keyBytes | (Math.floor(seq / 2 ** 32) << 16));
    this.#arena.write(entry, Entry.SEQ_LO, seq >>> 0);
  }

  #nextSeq(shard: number): number {
    const words = this.#control.words;
    const at = this.#control.shardAt(shard);
    const lo = (words[at + Shard.SEQ_LO]! + 1) >>> 0;
    words[at + Shard.SEQ_LO] = lo;
    if (lo === 0) words[at + Shard.SEQ_HI]!++;
    return words[at + Shard.SEQ_HI]! * 2 ** 32 + lo;
  }

  #isExpired(entry: number): boolean {
    if ((this.#flags(entry) & EntryFlag.HAS_TTL) === 0) return false;
    return this.expireAtMs(entry) <= this.nowMs;
  }

  #markPhase(shard: number, phase: number): void {
    if (!this.#tracksPhases) return;
    Atomics.store(this.#control.words, this.#control.shardAt(shard) + Shard.PHASE, phase);
  }

  #flags(entry: number): number {
    return (this.#arena.read(entry, Entry.TYPE) >>> 16) & 0xff;
  }

  #encoding(entry: number): number {
    return (this.#arena.read(entry, Entry.TYPE) >>> 8) & 0xff;
  }

  #keyBytes(entry: number): number {
    return this.#arena.read(entry, Entry.KEY_BYTES) & 0xffff;
  }

  #keyOffset(entry: number): number {
    return keyOffset(
      this.#flags(entry),
      this.#encoding(entry),
      this.#arena.read(entry, Entry.VALUE_BYTES),
    );
  }

  #integerWord(entry: number): number {
    const hasTtl = (this.#flags(entry) & EntryFlag.HAS_TTL) !== 0;
    return (ENTRY_HEADER_BYTES + (hasTtl ? TTL_BYTES : 0)) / 4;
  }
}

/** What the header's value length says for integers; their bytes are not behind the key. */
const INTEGER_VALUE_BYTES = 8;
const EMPTY = new Uint8Array(0);
const DECIMAL = new Uint8Array(INT64_MAX_DECIMAL_BYTES);

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
