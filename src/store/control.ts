/**
 * The store's control region: everything that is not client data, in one SharedArrayBuffer.
 *
 * ```text
 * byte 0      header, 8 cache lines
 *   0         line 0: what the store is. magic, shard count, lock kind, page count, thread count,
 *             hash seed (2 words), largest value, segment shift, eviction policy
 *   64        line 1: page allocator. free stack head (int64: tag << 32 | page), pages free,
 *             pages never used yet, free pages not promised; word 30: fewest pages ever free
 *   128       line 2: balance reserve. free stack head (int64: tag << 32 | block), spare blocks
 *   192       line 3: fault record. signal, shard, thread, operation;
 *             leases: how many there are, whether compaction met a leased page, how many such pages
 *             may have become free since; when a worker last had time (background.ts)
 *   256       line 4: which table each database has now, 16 words
 *   320       line 5: bit mask of detached tables, the heir of balances (see table_map.ts)
 *   384       lines 6 and 7: per table of keys, shards that still have a part of it to free
 * 512         thread records, 64 bytes each: [0] shard whose lock it waits for + 1; [1] how far its
 *             transaction has come, [2] pages promised to that (transaction_mark.ts)
 * …           shard blocks, 2,048 bytes each
 *   0         lock line (see locks.ts)
 *   64        lock counters (see locks.ts)
 *   128       state: seq lo, seq hi, pages leased, frees, block bytes (float64), phase of the
 *             mutation under way, 2 blocks reserved by its plan, first orphan (extents.ts), bytes
 *             that orphans take (float64); words 60, 61: first waiting collection, first garbage
 *   256       heads of the lists of pages with free blocks, one word per (kind, size class)
 *   1280      expiry index (see expiry_wheel.ts): 162 list heads, 5 words of occupied slots, entries,
 *             tick (float64); keys expired and keys evicted so far (float64 each)
 *   1976      free
 * …           roots, 64 bytes each, index = table * shardCount + shard (see table.ts)
 * …           turnovers, 8 bytes per shard; then creations, a power of two of words per shard (see
 *             key_versions.ts)
 * ```
 *
 * Words of a shard block and of its roots are guarded by that shard's lock unless locks.ts says
 * otherwise; the header's words are atomics, but for line 4: it changes under the locks of all shards
 * and is read under any of them.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { MAX_SIZE_CLASSES } from "./size_classes.ts";

/** Databases that `SELECT` can name, as in Redis's default configuration. */
export const DATABASE_COUNT = 16;

/** Where events keep balances. */
export const BALANCE_DATABASE = 0;

/**
 * Tables that each shard has a root for. Those below {@link DATABASE_TABLE_COUNT} hold keys; the
 * others index what is not a key, by a name that a client chose.
 */
export const TABLE_COUNT = 40;
/** Tables of keys: one for each database, and as many that a database may change to. */
export const DATABASE_TABLE_COUNT = 32;
/** Tables behind the databases' own. */
export const SpecialTable = {
  /** Channels that have subscribers. */
  CHANNELS: 32,
  /** Keys that blocked clients wait for. */
  WAITED_KEYS: 33,
  /** Shard channels that have subscribers. */
  SHARD_CHANNELS: 34,
} as const;

/** Word offsets in the header. */
export const Header = {
  MAGIC: 0,
  SHARD_COUNT: 1,
  LOCK_KIND: 2,
  PAGE_COUNT: 3,
  THREAD_COUNT: 4,
  HASH_SEED_0: 5,
  HASH_SEED_1: 6,
  MAX_VALUE_BYTES: 7,
  SEGMENT_SHIFT: 8,
  /** What happens when memory is short: 0 nothing, 1 allkeys-lru, 2 volatile-ttl. */
  EVICTION: 9,
  /** int64 index 8 = byte 64. */
  PAGE_STACK_LONG: 8,
  PAGES_FREE: 18,
  PAGES_FRESH: 19,
  PAGES_FREE_LEAST: 30,
  /** Free pages that no write has been promised. */
  PAGES_UNPROMISED: 20,
  /** int64 index 16 = byte 128. */
  RESERVE_STACK_LONG: 16,
  RESERVE_SPARE: 34,
  RESERVE_FREE: 35,
  FAULT_SIGNAL: 48,
  FAULT_SHARD: 49,
  FAULT_THREAD: 50,
  FAULT_OPERATION: 51,
  LEASES: 52,
  PINNED_PAGE_SEEN: 53,
  PINNED_PAGES_FREED: 54,
  /** When a worker last had time for background work; see background.ts. */
  BACKGROUND_BEAT: 55,
  TABLE_OF_DATABASE: 64,
  DETACHED_TABLES: 80,
  HEIR_TABLE: 81,
  DETACHED_PARTS: 96,
} as const;

/** Word offsets inside a shard block, from its first word. */
export const Shard = {
  LOCK: 0,
  LOCK_COUNTERS: 16,
  SEQ_LO: 32,
  SEQ_HI: 33,
  PAGES_LEASED: 34,
  /** Blocks freed so far, modulo 2^32: without new ones compaction has nothing new to gain. */
  FREES: 35,
  /** float64 index, from the block's first double. */
  BLOCK_BYTES_DOUBLE: 18,
  PHASE: 38,
  PLANNED_0: 39,
  PLANNED_1: 40,
  /** Root of the first value that no key has any more but readers have. */
  ORPHAN_HEAD: 41,
  /** float64 index, from the block's first double. */
  ORPHAN_BYTES_DOUBLE: 21,
  /** Root of the first leased collection that has something to free later (leases.ts). */
  WAITING_HEAD: 60,
  /** First of what is freed in slices (garbage.ts). */
  GARBAGE_HEAD: 61,
  /** Nodes in the queues of clients that wait for keys of the shard (wait_queues.ts). */
  WAITERS: 62,
  LISTS: 64,
  /** See expiry_wheel.ts. */
  WHEEL: 320,
  /** Entries in the expiry index; part of it. */
  TIMED_KEYS: 487,
  /** float64 index, from the block's first double. */
  EXPIRED_DOUBLE: 245,
  /** float64 index, from the block's first double. */
  EVICTED_DOUBLE: 246,
} as const;

const MAGIC = 0x534c4335;
const HEADER_BYTES = 512;
const THREAD_BYTES = 64;
const SHARD_BYTES = 2048;
const ROOT_BYTES = 64;
/** A counter; the region stays a whole number of doubles. */
const TURNOVER_BYTES = 8;
/**
 * Counters of created keys over all shards. Reason: a transaction that watches a missing key is
 * aborted without need when another key of the same counter is created meanwhile, one in so many.
 */
const CREATION_COUNTERS = 16384;
/** Fewest of them in a shard. */
const SHARD_CREATION_COUNTERS_MIN = 64;
/** Page kinds that are cut into blocks and therefore have lists: entry, node, chunk, collection. */
const LISTED_KINDS = 4;

assert(
  Shard.LISTS + LISTED_KINDS * MAX_SIZE_CLASSES <= Shard.WHEEL &&
    (Shard.EVICTED_DOUBLE + 1) * 8 <= SHARD_BYTES,
  "page lists and expiry index fit the shard block",
);

/** What the control region is created with. */
export interface ControlOptions {
  /** Power of two, 1 to 4096. */
  shardCount: number;
  /** 0 = mutex, 1 = rwlock. */
  lockKind: number;
  /** Pages in the arena, page 0 included. */
  pageCount: number;
  /** Threads that may ever attach at one time; thread ids are below it. */
  threadCount: number;
  /** Secret key of the hash, two 32-bit words. */
  hashSeed: Uint32Array;
  /** Largest value in bytes. */
  maxValueBytes: number;
  /** log2 of the units (8 bytes) in a segment. */
  segmentShift: number;
}

/** Typed views and offsets over the control region. */
export class ControlRegion {
  /** The region itself. */
  readonly buffer: SharedArrayBuffer;
  /** The region as 32-bit words. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The region as doubles. */
  readonly doubles: Float64Array<SharedArrayBuffer>;
  /** The region as 64-bit integers, for the tagged stacks. */
  readonly longs: BigInt64Array<SharedArrayBuffer>;
  /** Number of shards. */
  readonly shardCount: number;
  /** Number of thread records. */
  readonly threadCount: number;
  /** Word index of shard 0's block. */
  readonly shardBase: number;
  /** Word index of root 0. */
  readonly rootBase: number;
  /** Word index of shard 0's turnover. */
  readonly turnoverBase: number;
  readonly #creationCounters: number;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.longs = new BigInt64Array(buffer);
    assert(this.words[Header.MAGIC] === MAGIC, "the buffer is a control region of this version");
    this.shardCount = this.words[Header.SHARD_COUNT]!;
    this.threadCount = this.words[Header.THREAD_COUNT]!;
    this.shardBase = (HEADER_BYTES + this.threadCount * THREAD_BYTES) / 4;
    this.rootBase = this.shardBase + this.shardCount * SHARD_BYTES / 4;
    this.turnoverBase = this.rootBase + TABLE_COUNT * this.shardCount * ROOT_BYTES / 4;
    this.#creationCounters = creationCounters(this.shardCount);
  }

  /** Makes and initialises a region. Thread: the one that starts the server, before all others. */
  static create(options: ControlOptions): ControlRegion {
    const byteCount = HEADER_BYTES + options.threadCount * THREAD_BYTES +
      options.shardCount * (SHARD_BYTES + TABLE_COUNT * ROOT_BYTES) +
      options.shardCount * (TURNOVER_BYTES + creationCounters(options.shardCount) * 4);
    const buffer = new SharedArrayBuffer(byteCount);
    const words = new Int32Array(buffer);
    words[Header.MAGIC] = MAGIC;
    words[Header.SHARD_COUNT] = options.shardCount;
    words[Header.LOCK_KIND] = options.lockKind;
    words[Header.PAGE_COUNT] = options.pageCount;
    words[Header.THREAD_COUNT] = options.threadCount;
    words[Header.HASH_SEED_0] = options.hashSeed[0]!;
    words[Header.HASH_SEED_1] = options.hashSeed[1]!;
    words[Header.MAX_VALUE_BYTES] = options.maxValueBytes;
    words[Header.SEGMENT_SHIFT] = options.segmentShift;
    // Page 0 is never handed out, so that address 0 can mean "none".
    words[Header.PAGES_FREE] = options.pageCount - 1;
    words[Header.PAGES_FRESH] = 1;
    words[Header.PAGES_FREE_LEAST] = options.pageCount - 1;
    words[Header.PAGES_UNPROMISED] = options.pageCount - 1;
    for (let database = 0; database < DATABASE_COUNT; database++) {
      words[Header.TABLE_OF_DATABASE + database] = database;
    }
    words[Header.HEIR_TABLE] = DATABASE_COUNT;
    return new ControlRegion(buffer);
  }

  /** Opens a region made by {@link ControlRegion.create}, possibly in another thread. */
  static attach(buffer: SharedArrayBuffer): ControlRegion {
    return new ControlRegion(buffer);
  }

  /** Word index of a shard's block. */
  shardAt(shard: number): number {
    return this.shardBase + shard * (SHARD_BYTES / 4);
  }

  /** Word index of the root of (table, shard). */
  rootAt(table: number, shard: number): number {
    return this.rootBase + (table * this.shardCount + shard) * (ROOT_BYTES / 4);
  }

  /** The table that a database's keys are in now. Needs the lock of any shard, shared is enough. */
  tableOf(database: number): number {
    if (database >= DATABASE_TABLE_COUNT) return database;
    return this.words[Header.TABLE_OF_DATABASE + database]!;
  }

  /** The database whose keys are in a table now; -1 when the table is detached or free. */
  databaseOf(table: number): number {
    for (let database = 0; database < DATABASE_COUNT; database++) {
      if (this.words[Header.TABLE_OF_DATABASE + database] === table) return database;
    }
    return -1;
  }

  /** Word index of the root of a database's table in a shard. */
  databaseRootAt(database: number, shard: number): number {
    return this.rootAt(this.tableOf(database), shard);
  }

  /** Word index of a shard's turnover. */
  turnoverAt(shard: number): number {
    return this.turnoverBase + shard * (TURNOVER_BYTES / 4);
  }

  /** Word index of the counter of creations of keys with this hash. */
  creationsAt(shard: number, hash: number): number {
    const count = this.#creationCounters;
    return this.turnoverAt(this.shardCount) + shard * count + (hash & (count - 1));
  }

  /** Word index of a thread's record. */
  threadAt(threadId: number): number {
    assert(threadId >= 0 && threadId < this.threadCount, `thread id ${threadId} is in range`);
    return (HEADER_BYTES + threadId * THREAD_BYTES) / 4;
  }
}

/** Counters of created keys in each of so many shards. */
function creationCounters(shardCount: number): number {
  return Math.max(SHARD_CREATION_COUNTERS_MIN, CREATION_COUNTERS / shardCount);
}
