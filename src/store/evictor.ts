/**
 * Eviction: which keys go when there is no memory for a write.
 *
 * A few keys are looked at, at random places of one shard's tables. The best candidates of all that
 * were seen there are kept in a small pool, and the best of the pool goes: with `allkeys-lru` the
 * least recently used one, with `volatile-ttl` the one that expires first. A pool makes few samples
 * go a long way: a key that was used lately is taken only when no older one has been seen for a
 * while. For `volatile-ttl` the expiry index is asked as well: it finds keys that expire where most
 * do not, and those that expire within seconds.
 *
 * Balances that events wrote are never evicted.
 *
 * @see S. Sanfilippo, "Random notes on improving the Redis LRU algorithm", 2016
 * @module
 */

import type { Arena } from "./arena.ts";
import { type ControlRegion, DATABASE_TABLE_COUNT, Header, Shard } from "./control.ts";
import { Entry, EntryFlag } from "./entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { EntryWriter } from "./entry_writer.ts";
import type { ExpiryWheel } from "./expiry_wheel.ts";
import { Root, type Table } from "./table.ts";

/** What happens when memory is short, in the order of their numbers in shared memory. */
export const EVICTION_POLICIES = ["noeviction", "allkeys-lru", "volatile-ttl"] as const;
/** One of {@link EVICTION_POLICIES}. */
export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

const ALLKEYS_LRU = EVICTION_POLICIES.indexOf("allkeys-lru");
const VOLATILE_TTL = EVICTION_POLICIES.indexOf("volatile-ttl");

/** Keys looked at before one is chosen. */
const SAMPLE_COUNT = 8;
/** Places looked at to find them: tables have empty buckets, and pinned entries do not count. */
const MAX_PLACES = 16;
/** Candidates remembered for each shard. */
const POOL_SIZE = 16;
/** Entries of the expiry index that are looked at to find those that are not pinned. */
const MAX_TIMED_VISITS = 64;

/** What an evictor works with. */
export interface EvictorParts {
  /** Client data. */
  readonly arena: Arena;
  /** Policy, roots, counts. */
  readonly control: ControlRegion;
  /** Reads entries. */
  readonly reader: EntryReader;
  /** The index. */
  readonly table: Table;
  /** The expiry index. */
  readonly wheel: ExpiryWheel;
  /** Removes entries. */
  readonly writer: EntryWriter;
}

/** An entry that was seen to be old. By the time it is taken it may be gone, or in use again. */
interface Candidate {
  entry: number;
  rootAt: number;
  hash: number;
  /** The lower the better to take: access clock, or time of expiry. */
  score: number;
}

/** Chooses and removes keys. Thread: one instance per thread. */
export class Evictor {
  readonly #parts: EvictorParts;
  /** By shard, the best first. */
  readonly #pools = new Map<number, Candidate[]>();
  /** What the scores in the pools mean. */
  #poolPolicy = 0;
  #random: number;
  #pool: Candidate[] = [];
  #shard = 0;
  #seenCount = 0;
  #visitCount = 0;

  /** Wires the parts of one thread together. */
  constructor(parts: EvictorParts) {
    this.#parts = parts;
    this.#random = crypto.getRandomValues(new Uint32Array(1))[0]!;
  }

  /** What happens when memory is short; may be changed at any time, for all threads. */
  get policy(): EvictionPolicy {
    return EVICTION_POLICIES[Atomics.load(this.#parts.control.words, Header.EVICTION)]!;
  }

  set policy(policy: EvictionPolicy) {
    const number = EVICTION_POLICIES.indexOf(policy);
    Atomics.store(this.#parts.control.words, Header.EVICTION, number);
  }

  /** Whether anything is ever evicted. */
  get isOn(): boolean {
    return Atomics.load(this.#parts.control.words, Header.EVICTION) !== 0;
  }

  /** Makes the choices of this thread repeatable; for tests. */
  seed(value: number): void {
    this.#random = value >>> 0;
  }

  /** Whether a shard is worth a search. Needs no lock: a snapshot. */
  mayFindIn(shard: number): boolean {
    const { control, wheel } = this.#parts;
    const policy = Atomics.load(control.words, Header.EVICTION);
    return policy !== VOLATILE_TTL || wheel.count(shard) > 0;
  }

  /**
   * Removes the key of a shard that can best be spared. Needs the shard's exclusive lock.
   *
   * @returns whether there was one
   */
  evictFrom(shard: number): boolean {
    const { control, reader, writer } = this.#parts;
    const policy = Atomics.load(control.words, Header.EVICTION);
    if (policy === 0) return false;
    if (policy !== this.#poolPolicy) this.#pools.clear();
    this.#poolPolicy = policy;
    const entry = this.#choose(shard);
    if (entry === 0) return false;
    const hasExpired = reader.isExpired(entry, writer.clock.nowMs);
    const counter = hasExpired ? Shard.EXPIRED_DOUBLE : Shard.EVICTED_DOUBLE;
    writer.removeEntry(shard, entry, counter);
    return true;
  }

  /** A number below `bound`, by Marsaglia's xorshift. */
  random(bound: number): number {
    let x = this.#random || 1;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x >>> 0;
    return Math.floor(this.#random / 2 ** 32 * bound);
  }

  #choose(shard: number): number {
    const { control, table, wheel } = this.#parts;
    let keyCount = 0;
    for (let database = 0; database < DATABASE_TABLE_COUNT; database++) {
      keyCount += control.words[control.rootAt(database, shard) + Root.ENTRIES]!;
    }
    if (keyCount === 0) return 0;
    let pool = this.#pools.get(shard);
    if (pool === undefined) this.#pools.set(shard, pool = []);
    this.#pool = pool;
    this.#shard = shard;
    // When all of the pool are gone or in use again, it is worth another look.
    for (let round = 0; round < 2; round++) {
      this.#seenCount = 0;
      if (this.#poolPolicy === VOLATILE_TTL) {
        this.#visitCount = 0;
        wheel.forEachBySlot(shard, this.#visitTimed);
        this.#seenCount = 0;
      }
      for (let place = 0; place < MAX_PLACES && this.#seenCount < SAMPLE_COUNT; place++) {
        const rootAt = this.#pickTable(shard, this.random(keyCount));
        table.scan(rootAt, this.random(2 ** 32), this.#consider);
      }
      for (let candidate; (candidate = pool.shift()) !== undefined;) {
        if (this.#isStill(candidate)) return candidate.entry;
      }
    }
    return 0;
  }

  /** The table that holds the `index`-th key of a shard. */
  #pickTable(shard: number, index: number): number {
    const { control } = this.#parts;
    for (let database = 0; database < DATABASE_TABLE_COUNT; database++) {
      const rootAt = control.rootAt(database, shard);
      index -= control.words[rootAt + Root.ENTRIES]!;
      if (index < 0) return rootAt;
    }
    return control.rootAt(0, shard);
  }

  /** Puts an entry into the pool if it is better than one of those in it. */
  readonly #consider = (entry: number): void => {
    const score = this.#scoreOf(entry);
    if (score < 0) return;
    this.#seenCount++;
    const pool = this.#pool;
    if (pool.length === POOL_SIZE && score >= pool[POOL_SIZE - 1]!.score) return;
    let at = pool.length;
    for (let i = 0; i < pool.length; i++) {
      if (pool[i]!.entry === entry) return;
      if (at === pool.length && score < pool[i]!.score) at = i;
    }
    if (pool.length === POOL_SIZE) pool.pop();
    const { arena, control } = this.#parts;
    const rootAt = control.rootAt(arena.read(entry, Entry.TYPE) >>> 24, this.#shard);
    pool.splice(at, 0, { entry, rootAt, hash: arena.read(entry, Entry.HASH), score });
  };

  readonly #visitTimed = (entry: number): boolean => {
    this.#consider(entry);
    return ++this.#visitCount < MAX_TIMED_VISITS && this.#seenCount < SAMPLE_COUNT;
  };

  /** How badly a key is needed; -1 when it must stay. */
  #scoreOf(entry: number): number {
    const { arena, reader } = this.#parts;
    const flags = reader.flags(entry);
    if ((flags & EntryFlag.PINNED) !== 0) return -1;
    if (this.#poolPolicy === ALLKEYS_LRU) return arena.read(entry, Entry.CLOCK);
    return (flags & EntryFlag.HAS_TTL) === 0 ? -1 : reader.expireAtMs(entry);
  }

  #isStill({ entry, rootAt, hash, score }: Candidate): boolean {
    const { arena, table } = this.#parts;
    return table.findEntry(rootAt, hash, entry) && arena.read(entry, Entry.HASH) === hash &&
      this.#scoreOf(entry) === score;
  }
}
