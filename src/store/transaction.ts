/**
 * Transactions on the store: reads, then writes that are made together or not at all.
 *
 * ```text
 * begin()          nothing is locked, and nothing is while the user's code runs (C2)
 *   reads          each locks its shard for the read, and remembers the key's version
 *   writes         are noted (transaction/pending_writes.ts)
 * commit(steps)    steps.lock      the shards of all keys, ascending
 *                  steps.withLocks
 *                  what was read is as it was, else CONFLICT; every write can be made
 *                  memory for all of them is promised, else all is unlocked, reclaimed, tried again
 *                  steps.beforeChanges
 *                  the changes, of which none can fail (C6)
 *                  steps.afterChanges
 *                  the locks are given back; the first one puts all of it into the log, as one frame
 * ```
 *
 * A single addition, which is what the balance of an event is, goes a way of its own: it is planned and
 * committed as ever, and nothing is allocated.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { BALANCE_DATABASE } from "./control.ts";
import { Key } from "./key.ts";
import { LockSet } from "./lock_set.ts";
import { EntryType, type Store } from "./store.ts";
import { type PendingKey, PendingKind } from "./transaction/pending_key.ts";
import { PendingWrites } from "./transaction/pending_writes.ts";
import { toInt64, TransactionBytes } from "./transaction/transaction_bytes.ts";
import { TransactionChanges } from "./transaction/transaction_changes.ts";
import {
  TRANSACTION_OPERATION,
  TransactionMark,
  TransactionState,
} from "./transaction/transaction_mark.ts";
import { TransactionReader } from "./transaction/transaction_reader.ts";
import {
  CommitStatus,
  type CommitSteps,
  type KeyLike,
  type ScoredMember,
  type SetOptions,
  type TransactionOptions,
  type TransactionReads,
  type TransactionWrites,
  type ValueLike,
} from "./transaction/types.ts";
import { WriteStatus } from "./write_status.ts";

export * from "./transaction/types.ts";

/** Tries of a commit that finds no memory. */
const MAX_MEMORY_ATTEMPTS = 8;
const NO_STEPS: CommitSteps = {};

/** What a write's outcome is to a commit. */
const COMMIT_STATUSES: readonly CommitStatus[] = [
  CommitStatus.OK,
  CommitStatus.OUT_OF_MEMORY,
  CommitStatus.OVERFLOW,
  CommitStatus.NOT_AN_INTEGER,
  CommitStatus.WRONG_TYPE,
];

/**
 * One transaction after the other on a store.
 *
 * Thread: that of the store, which may sleep in {@link StoreTransaction.commit} and in reads.
 *
 * @example
 * ```ts
 * import { Store } from "./store.ts";
 * import { CommitStatus, StoreTransaction } from "./transaction.ts";
 * const store = Store.create({
 *   shardCount: 4,
 *   maxMemoryBytes: 16 * 2 ** 20,
 *   maxValueBytes: 2 ** 20,
 *   lockKind: "rwlock",
 *   threadCount: 1,
 * });
 * const transaction = new StoreTransaction(store);
 * do {
 *   transaction.begin();
 *   const left = transaction.getInteger("stock:apples") ?? 10n;
 *   transaction.set("stock:apples", left - 3n);
 *   transaction.add("sold", 3);
 * } while (transaction.commit() === CommitStatus.CONFLICT);
 * transaction.begin();
 * console.assert(transaction.get("stock:apples") === "7");
 * ```
 */
export class StoreTransaction implements TransactionReads, TransactionWrites {
  /** The sum that a single addition came to; known from `beforeChanges` on. Else 0. */
  readonly sum: Int64 = new Int64();

  readonly #store: Store;
  readonly #locks: LockSet;
  readonly #mark: TransactionMark;
  readonly #bytes = new TransactionBytes();
  readonly #writes: PendingWrites;
  readonly #reads: TransactionReader;
  readonly #changes: TransactionChanges;
  readonly #forEvents: boolean;
  readonly #clock: () => number;
  #isOpen = false;
  /** Of the commit under way. */
  #writtenKeys: readonly PendingKey[] = [];
  #byteCount = 0;

  // An addition, as long as it is alone.
  #isSingle = false;
  readonly #singleKey = new Key();
  readonly #singleDelta = new Int64();

  /** Prepares for transactions on a store; makes nothing of them shared until the first commit. */
  constructor(store: Store, { forEvents = false, clock = Date.now }: TransactionOptions = {}) {
    this.#store = store;
    this.#forEvents = forEvents;
    this.#clock = clock;
    this.#locks = new LockSet(store.locks, store.shardCount);
    this.#mark = new TransactionMark(store.parts.control, store.parts.threadId);
    this.#writes = new PendingWrites(store, this.#bytes);
    this.#reads = new TransactionReader(store, this.#bytes, clock);
    this.#changes = new TransactionChanges(store, this.#bytes, forEvents);
  }

  /** Begins anew: forgets what was read and written and not committed. */
  begin(): void {
    this.#forget();
    this.#isOpen = true;
  }

  /** Gives the transaction up. */
  abandon(): void {
    this.#forget();
    this.#isOpen = false;
  }

  #forget(): void {
    this.#bytes.clear();
    if (this.#writes.count > 0) this.#writes.clear();
    if (this.#reads.count > 0) this.#reads.clear();
    this.#isSingle = false;
  }

  /**
   * Makes all changes or none; the transaction has ended then.
   *
   * Thread: sleeps while locks are busy.
   *
   * @throws what a step throws, and {@link LockPoisonedError}; the shards are torn then, unless no lock
   *   was held or the step says that it is a death
   */
  commit(steps: CommitSteps = NO_STEPS): CommitStatus {
    this.#assertOpen();
    this.#isOpen = false;
    this.sum.hi = this.sum.lo = 0;
    if (this.#isSingle) {
      if (this.#reads.count === 0) return this.#commitSingle(steps);
      this.#spill();
    }
    this.#collectLocks();
    for (let attempt = 1;; attempt++) {
      this.#takeLocks(steps);
      const status = this.#commitLocked(steps);
      if (status === CommitStatus.FENCED) return status;
      this.#locks.unlock(true);
      if (this.#mark.state !== TransactionState.NONE) this.#mark.state = TransactionState.NONE;
      if (
        status !== CommitStatus.OUT_OF_MEMORY || attempt === MAX_MEMORY_ATTEMPTS ||
        !this.#store.reclaim()
      ) return status;
    }
  }

  #commitSingle(steps: CommitSteps): CommitStatus {
    const key = this.#singleKey;
    this.#store.locate(key);
    this.#locks.only(key.shard);
    let status: WriteStatus = WriteStatus.OUT_OF_MEMORY;
    for (let attempt = 1; attempt <= MAX_MEMORY_ATTEMPTS; attempt++) {
      if (steps.lock === undefined) this.#store.locks.lock(key.shard, true);
      else steps.lock(this.#locks);
      const isDone = this.#addLocked(key, steps);
      if (isDone < 0) return CommitStatus.FENCED;
      status = isDone as WriteStatus;
      this.#store.locks.unlock(key.shard, true);
      if (status !== WriteStatus.OUT_OF_MEMORY || !this.#store.reclaim()) break;
    }
    return COMMIT_STATUSES[status]!;
  }

  /** Returns a `WriteStatus`; -1: fenced. */
  #addLocked(key: Key, steps: CommitSteps): number {
    const store = this.#store;
    const { operation = TRANSACTION_OPERATION } = steps;
    try {
      store.locks.setOperation(key.shard, operation);
      if (steps.withLocks !== undefined && !steps.withLocks()) return -1;
      store.nowMs = this.#clock();
      const status = store.planAddInteger(
        BALANCE_DATABASE,
        key,
        this.#singleDelta,
        this.sum,
        this.#forEvents,
      );
      if (status !== WriteStatus.OK) return status;
      if (steps.beforeChanges !== undefined && !steps.beforeChanges()) return -1;
      store.commitPlan();
      if (steps.afterChanges !== undefined && steps.afterChanges() === false) return -1;
      return status;
    } catch (error) {
      // No half-made change may become visible: not unlocked, but poisoned (C4).
      if (steps.isDeath?.(error) !== true) this.#locks.poison(operation);
      throw error;
    }
  }

  #commitLocked(steps: CommitSteps): CommitStatus {
    const { operation = TRANSACTION_OPERATION } = steps;
    try {
      this.#locks.forEach((shard) => this.#store.locks.setOperation(shard, operation));
      if (steps.withLocks !== undefined && !steps.withLocks()) return CommitStatus.FENCED;
      this.#store.nowMs = this.#clock();
      if (this.#reads.haveChanged()) return CommitStatus.CONFLICT;
      const status = this.#changes.decide(this.#writtenKeys, this.#byteCount);
      if (status !== CommitStatus.OK) return status;
      if (!this.#changes.promise(this.#mark)) return CommitStatus.OUT_OF_MEMORY;
      if (steps.beforeChanges !== undefined && !steps.beforeChanges()) return CommitStatus.FENCED;
      this.#mark.state = TransactionState.CHANGING;
      this.#changes.make(this.#mark);
      this.#mark.state = TransactionState.COMPLETE;
      if (steps.afterChanges !== undefined && steps.afterChanges() === false) {
        return CommitStatus.FENCED;
      }
      return CommitStatus.OK;
    } catch (error) {
      if (steps.isDeath?.(error) !== true) this.#locks.poison(operation);
      throw error;
    }
  }

  #takeLocks(steps: CommitSteps): void {
    if (steps.lock === undefined) this.#locks.lock(true);
    else steps.lock(this.#locks);
  }

  #collectLocks(): void {
    const locks = this.#locks;
    locks.clear();
    this.#writtenKeys = [...this.#writes.keys.values()].sort((a, b) => a.key.shard - b.key.shard);
    this.#bytes.makeRoomFor(this.#writes.count);
    this.#byteCount = this.#bytes.end;
    for (const pending of this.#writtenKeys) {
      pending.seal();
      locks.add(pending.key.shard);
    }
    this.#reads.addShards(locks);
    locks.seal();
    // Steps always have a lock: with its end, what they put into the log is in there.
    const { shardCount, parts: { threadId } } = this.#store;
    if (locks.count === 0) locks.only(threadId % shardCount);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new Error("Cannot use a transaction: it has not begun, or has ended");
  }

  /** Puts the single addition, if there is one, among the other writes. */
  #spill(): void {
    if (!this.#isSingle) return;
    this.#isSingle = false;
    const key = this.#singleKey;
    this.#store.locate(key);
    this.#writes.adopt(key, this.#bytes.name(), this.#singleDelta);
  }

  /** What writes have in common. */
  #writing(): PendingWrites {
    this.#assertOpen();
    if (this.#isSingle) this.#spill();
    return this.#writes;
  }

  /** What reads have in common. */
  #reading(key: KeyLike): TransactionReader {
    this.#assertOpen();
    if (this.#isSingle) this.#spill();
    this.#reads.begin(key, this.#writes);
    return this.#reads;
  }

  /** See {@link TransactionReads.get}. */
  get(key: KeyLike): string | undefined {
    return this.#reading(key).get();
  }

  /** See {@link TransactionReads.getBytes}. */
  getBytes(key: KeyLike): Uint8Array<ArrayBuffer> | undefined {
    return this.#reading(key).getBytes();
  }

  /** See {@link TransactionReads.getInteger}. */
  getInteger(key: KeyLike): bigint | undefined {
    return this.#reading(key).getInteger();
  }

  /** See {@link TransactionReads.exists}. */
  exists(key: KeyLike): boolean {
    return this.#reading(key).exists();
  }

  /** See {@link TransactionReads.type}. */
  type(key: KeyLike): string | undefined {
    return this.#reading(key).type();
  }

  /** See {@link TransactionReads.ttlMs}. */
  ttlMs(key: KeyLike): number | undefined {
    return this.#reading(key).ttlMs();
  }

  /** See {@link TransactionReads.hget}. */
  hget(key: KeyLike, field: KeyLike): string | undefined {
    return this.#reading(key).hget(field);
  }

  /** See {@link TransactionReads.hgetall}. */
  hgetall(key: KeyLike): Map<string, string> {
    return this.#reading(key).hgetall();
  }

  /** See {@link TransactionReads.hlen}. */
  hlen(key: KeyLike): number {
    return this.#reading(key).elementCount(EntryType.HASH);
  }

  /** See {@link TransactionReads.sismember}. */
  sismember(key: KeyLike, member: KeyLike): boolean {
    return this.#reading(key).sismember(member);
  }

  /** See {@link TransactionReads.scard}. */
  scard(key: KeyLike): number {
    return this.#reading(key).elementCount(EntryType.SET);
  }

  /** See {@link TransactionReads.smembers}. */
  smembers(key: KeyLike): string[] {
    return this.#reading(key).smembers();
  }

  /** See {@link TransactionReads.zscore}. */
  zscore(key: KeyLike, member: KeyLike): number | undefined {
    return this.#reading(key).zscore(member);
  }

  /** See {@link TransactionReads.zrank}. */
  zrank(
    key: KeyLike,
    member: KeyLike,
    options?: { reverse?: boolean },
  ): number | undefined {
    return this.#reading(key).zrank(member, options?.reverse === true);
  }

  /** See {@link TransactionReads.zrange}. */
  zrange(
    key: KeyLike,
    start: number,
    stop: number,
    options?: { reverse?: boolean },
  ): ScoredMember[] {
    return this.#reading(key).zrange(start, stop, options?.reverse === true);
  }

  /** See {@link TransactionReads.zrangeByScore}. */
  zrangeByScore(
    key: KeyLike,
    min: number,
    max: number,
    options?: { limit?: number; reverse?: boolean },
  ): ScoredMember[] {
    return this.#reading(key).zrangeByScore(min, max, options?.limit, options?.reverse === true);
  }

  /** See {@link TransactionReads.zcard}. */
  zcard(key: KeyLike): number {
    return this.#reading(key).elementCount(EntryType.SORTED_SET);
  }

  /** See {@link TransactionReads.zcount}. */
  zcount(key: KeyLike, min: number, max: number): number {
    return this.#reading(key).zcount(min, max);
  }

  /** See {@link TransactionReads.lrange}. */
  lrange(key: KeyLike, start: number, stop: number): string[] {
    return this.#reading(key).lrange(start, stop);
  }

  /** See {@link TransactionReads.llen}. */
  llen(key: KeyLike): number {
    return this.#reading(key).elementCount(EntryType.LIST);
  }

  /** See {@link TransactionWrites.set}. */
  set(key: KeyLike, value: ValueLike, options?: SetOptions): void {
    this.#writing().set(key, value, options);
  }

  /** See {@link TransactionWrites.add}. */
  add(key: KeyLike, delta: number | bigint | Int64): void {
    this.#assertOpen();
    if (this.#isSingle) this.#spill();
    if (this.#writes.count > 0 || this.#reads.count > 0) return this.#writes.add(key, delta);
    toInt64(delta, this.#singleDelta);
    const bytes = this.#bytes;
    bytes.addKey(key);
    this.#singleKey.set(bytes.bytes, bytes.start, bytes.end);
    this.#isSingle = true;
  }

  /** See {@link TransactionWrites.del}. */
  del(key: KeyLike): void {
    this.#writing().del(key);
  }

  /** See {@link TransactionWrites.expire}. */
  expire(key: KeyLike, ttlMs: number): void {
    this.#writing().expire(key, ttlMs);
  }

  /** See {@link TransactionWrites.persist}. */
  persist(key: KeyLike): void {
    this.#writing().persist(key);
  }

  /** See {@link TransactionWrites.hset}. */
  hset(key: KeyLike, field: KeyLike, value: ValueLike): void {
    this.#writing().hset(key, field, value);
  }

  /** See {@link TransactionWrites.hincrby}. */
  hincrby(key: KeyLike, field: KeyLike, delta: number | bigint | Int64): void {
    this.#writing().hincrby(key, field, delta);
  }

  /** See {@link TransactionWrites.hdel}. */
  hdel(key: KeyLike, ...fields: KeyLike[]): void {
    this.#writing().remove(key, PendingKind.HASH, fields);
  }

  /** See {@link TransactionWrites.sadd}. */
  sadd(key: KeyLike, ...members: KeyLike[]): void {
    this.#writing().sadd(key, members);
  }

  /** See {@link TransactionWrites.srem}. */
  srem(key: KeyLike, ...members: KeyLike[]): void {
    this.#writing().remove(key, PendingKind.SET, members);
  }

  /** See {@link TransactionWrites.zadd}. */
  zadd(key: KeyLike, member: KeyLike, score: number): void {
    this.#writing().zadd(key, member, score);
  }

  /** See {@link TransactionWrites.zincrby}. */
  zincrby(key: KeyLike, member: KeyLike, by: number): void {
    this.#writing().zincrby(key, member, by);
  }

  /** See {@link TransactionWrites.zrem}. */
  zrem(key: KeyLike, ...members: KeyLike[]): void {
    this.#writing().remove(key, PendingKind.SORTED_SET, members);
  }

  /** See {@link TransactionWrites.lpush}. */
  lpush(key: KeyLike, ...values: ValueLike[]): void {
    this.#writing().push(key, true, values);
  }

  /** See {@link TransactionWrites.rpush}. */
  rpush(key: KeyLike, ...values: ValueLike[]): void {
    this.#writing().push(key, false, values);
  }
}
