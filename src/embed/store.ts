/**
 * The store for programs that embed it: keys and values in memory that all threads share, without
 * a server.
 *
 * What is beneath is the server's own store (`src/store/store.ts`), whose operations need a shard's
 * lock, a key made of bytes and a thread id. Here each method does one whole operation: it takes the
 * lock, sleeps while another thread has it, and gives it back.
 *
 * @module
 */

import type { BackgroundWork } from "../store/background.ts";
import { Store as Engine } from "../store/store.ts";
import type { KeyLike, ScoredMember, SetOptions, ValueLike } from "../store/transaction.ts";
import { checkDurationMs } from "./argument_checks.ts";
import { KeyOperations, type StoreValueType } from "./key_operations.ts";
import { repeatInBackground } from "./runtime.ts";
import { type Seat, Seats } from "./seats.ts";
import { closedError, StoreError } from "./store_error.ts";
import type { StoreMemory, StoreOptions } from "./store_options.ts";
import { readStoreOptions, toEngineMemory, toMemory } from "./store_settings.ts";
import { type Transaction, type TransactionRunOptions, Transactions } from "./transactions.ts";

/** How long a lock is waited for. Unit: slices of 100 ms. */
const LOCK_PATIENCE_SLICES = 50;
/** How often the thread that made the store looks for expired keys. Unit: ms. */
const SWEEP_PAUSE_MS = 100;
/** How long it does at a time. Unit: ms. */
const SWEEP_MS = 1;
/** Embedding programs have one database. */
const DATABASE = 0;

/** How full a store is. */
export interface StoreUsage {
  /** Keys, those included that have expired and were not met since. */
  keyCount: number;
  /** Bytes that it may use. */
  maxMemoryBytes: number;
  /** Bytes in pages in use, the slack inside them included. */
  usedBytes: number;
  /** Keys removed because their time was over, since it was made. */
  expiredKeys: number;
  /** Keys removed to make room, since it was made. */
  evictedKeys: number;
  /** Threads that use it now. */
  threadCount: number;
}

/**
 * What became of a thread that had ended: `none` it held nothing, `released` it held a lock and had
 * changed nothing, `completed` its last change is complete, `torn` it was ended in the middle of one,
 * so that the store must not be used any more.
 */
export type ThreadRecovery = "none" | "released" | "completed" | "torn";

/**
 * Keys and values in shared memory, used by any number of threads at once.
 *
 * One thread makes it with {@link Store.create} and sends {@link Store.memory} to others, which open
 * it with {@link Store.attach}. Each operation is atomic, and every thread sees it at once when it
 * has returned. `using` gives back what the thread has of it; the keys are gone when no thread
 * has the memory any more.
 *
 * Thread: an instance belongs to the thread that made it.
 *
 * @example Keys, numbers, and keys that go by themselves
 * ```ts
 * import { Store } from "./portable.ts";
 *
 * using store = Store.create({ maxMemoryBytes: 16 * 2 ** 20 });
 * store.set("greeting", "hello");
 * console.assert(store.get("greeting") === "hello");
 * console.assert(store.add("visits", 2) === 2n && store.add("visits") === 3n);
 * store.set("session:1", "alice", { ttlMs: 60_000 });
 * console.assert(store.ttlMs("session:1")! > 59_000);
 * console.assert([...store.keys()].length === 3);
 * ```
 *
 * @example Another thread
 * ```ts
 * import { Store } from "./portable.ts";
 *
 * using store = Store.create({ maxMemoryBytes: 16 * 2 ** 20 });
 * const module = new URL("./portable.ts", import.meta.url).href;
 * const code = `
 *   import { Store } from ${JSON.stringify(module)};
 *   self.onmessage = ({ data }) => {
 *     using store = Store.attach(data);
 *     for (let i = 0; i < 1000; i++) store.add("counter");
 *     self.postMessage("done");
 *   };`;
 * const worker = new Worker(`data:text/javascript,${encodeURIComponent(code)}`, { type: "module" });
 * const done = new Promise((resolve) => worker.onmessage = resolve);
 * worker.postMessage(store.memory);
 * for (let i = 0; i < 1000; i++) store.add("counter");
 * await done;
 * worker.terminate();
 * console.assert(store.getInteger("counter") === 2000n);
 * ```
 */
export class Store implements Disposable {
  /** To send to another thread, which gives it to {@link Store.attach}. */
  readonly memory: StoreMemory;
  /** Number of this thread among those that use the store; see {@link Store.recover}. */
  readonly threadId: number;
  /** Largest value in bytes. */
  readonly maxValueBytes: number;

  readonly #engine: Engine;
  readonly #seats: Seats;
  readonly #seat: Seat;
  readonly #keyOperations: KeyOperations;
  readonly #transactions: Transactions;
  readonly #closing = new AbortController();
  #endSweeps: (() => void) | undefined;
  #background: BackgroundWork | undefined;
  #isClosed = false;

  private constructor(memory: StoreMemory, engine: Engine, seats: Seats, seat: Seat) {
    this.memory = memory;
    this.threadId = seat.index;
    this.maxValueBytes = engine.maxValueBytes;
    this.#engine = engine;
    this.#seats = seats;
    this.#seat = seat;
    this.#keyOperations = new KeyOperations(engine);
    this.#transactions = new Transactions(engine);
    engine.locks.patienceSlices = LOCK_PATIENCE_SLICES;
  }

  /**
   * Makes an empty store.
   *
   * While its thread returns to its event loop now and then, it also removes expired keys and notices
   * threads that have ended; neither keeps the process alive.
   *
   * @throws {RangeError} when an option is out of range, or the system does not give so much memory
   */
  static create(options: StoreOptions = {}): Store {
    const { engineOptions, maxThreads } = readStoreOptions(options);
    const seats = Seats.create(maxThreads);
    const seat = seats.take()!;
    // This thread's end need not be that of all: it may be a worker itself.
    const memory = Engine.create(engineOptions, seat.index).memory;
    const engine = Engine.attach(memory, seat.index);
    const store = new Store(toMemory(memory, seats.buffer), engine, seats, seat);
    store.#lookAfter();
    return store;
  }

  /**
   * Opens a store that another thread made, with a thread id of its own.
   *
   * @param memory the other's {@link Store.memory}, as it came by `postMessage` or `workerData`
   * @throws {TypeError} when it is something else
   * @throws {StoreError} `TOO_MANY_THREADS`
   */
  static attach(memory: StoreMemory): Store {
    const { engineMemory, seats: buffer } = toEngineMemory(memory);
    const seats = Seats.attach(buffer);
    const seat = seats.take();
    if (seat === undefined) {
      throw new StoreError(
        "TOO_MANY_THREADS",
        `Cannot attach: all ${seats.count} threads of the store are taken; make it with a larger ` +
          "maxThreads, and close() it in threads that are done",
      );
    }
    return new Store(memory, Engine.attach(engineMemory, seat.index), seats, seat);
  }

  /** The string at a key; bytes that are no UTF-8 are replaced. Undefined: there is none. */
  get(key: KeyLike): string | undefined {
    return this.#keys.get(key);
  }

  /** The string at a key as bytes of one's own. */
  getBytes(key: KeyLike): Uint8Array<ArrayBuffer> | undefined {
    return this.#keys.getBytes(key);
  }

  /**
   * The integer at a key.
   *
   * @throws {StoreError} `NOT_AN_INTEGER`
   */
  getInteger(key: KeyLike): bigint | undefined {
    return this.#keys.getInteger(key);
  }

  /** Whether there is anything at a key. */
  exists(key: KeyLike): boolean {
    return this.#keys.type(key) !== undefined;
  }

  /** What is at a key. */
  type(key: KeyLike): StoreValueType | undefined {
    return this.#keys.type(key);
  }

  /** How long a key has to live. Undefined: there is no such key; Infinity: it never expires. */
  ttlMs(key: KeyLike): number | undefined {
    return this.#keys.ttlMs(key);
  }

  /**
   * Puts a string at a key, whatever was there.
   *
   * @throws {StoreError} `OUT_OF_MEMORY`, `VALUE_TOO_LARGE`
   */
  set(key: KeyLike, value: ValueLike, options?: SetOptions): void {
    this.#keys.set(key, value, options);
  }

  /**
   * Adds to the integer at a key, which counts as 0 when there is none.
   *
   * @returns the sum
   * @throws {StoreError} `NOT_AN_INTEGER`, `OVERFLOW`, `WRONG_TYPE`, `OUT_OF_MEMORY`
   */
  add(key: KeyLike, delta: number | bigint = 1): bigint {
    return this.#keys.add(key, delta);
  }

  /** Removes a key, whatever it holds; returns whether there was anything. */
  del(key: KeyLike): boolean {
    return this.#keys.del(key);
  }

  /** Gives a key a time to live from now on; returns whether there is such a key. */
  expire(key: KeyLike, ttlMs: number): boolean {
    return this.#keys.setExpiry(key, ttlMs);
  }

  /** Takes a key's time to live away; returns whether there is such a key. */
  persist(key: KeyLike): boolean {
    return this.#keys.setExpiry(key, undefined);
  }

  /**
   * All keys, in no order.
   *
   * It holds a lock for a few keys at a time, so others may change the store meanwhile: a key that is
   * there from beginning to end is found once.
   */
  keys(): Generator<string, void, undefined> {
    return this.#keys.keys();
  }

  /** A field of a hash. */
  hget(key: KeyLike, field: KeyLike): string | undefined {
    return this.#open.read((reads) => reads.hget(key, field));
  }

  /** All fields of a hash, at most 1,000. */
  hgetall(key: KeyLike): Map<string, string> {
    return this.#open.read((reads) => reads.hgetall(key));
  }

  /** How many fields a hash has. */
  hlen(key: KeyLike): number {
    return this.#open.read((reads) => reads.hlen(key));
  }

  /** Sets a field of a hash. */
  hset(key: KeyLike, field: KeyLike, value: ValueLike): void {
    this.#open.write((writes) => writes.hset(key, field, value));
  }

  /** Adds to the integer in a field of a hash; a missing one counts as 0. */
  hincrby(key: KeyLike, field: KeyLike, delta: number | bigint): void {
    this.#open.write((writes) => writes.hincrby(key, field, delta));
  }

  /** Removes fields of a hash. */
  hdel(key: KeyLike, ...fields: KeyLike[]): void {
    this.#open.write((writes) => writes.hdel(key, ...fields));
  }

  /** Whether a set has a member. */
  sismember(key: KeyLike, member: KeyLike): boolean {
    return this.#open.read((reads) => reads.sismember(key, member));
  }

  /** How many members a set has. */
  scard(key: KeyLike): number {
    return this.#open.read((reads) => reads.scard(key));
  }

  /** All members of a set, at most 1,000. */
  smembers(key: KeyLike): string[] {
    return this.#open.read((reads) => reads.smembers(key));
  }

  /** Adds members to a set. */
  sadd(key: KeyLike, ...members: KeyLike[]): void {
    this.#open.write((writes) => writes.sadd(key, ...members));
  }

  /** Removes members of a set. */
  srem(key: KeyLike, ...members: KeyLike[]): void {
    this.#open.write((writes) => writes.srem(key, ...members));
  }

  /** Score of a member of a sorted set. */
  zscore(key: KeyLike, member: KeyLike): number | undefined {
    return this.#open.read((reads) => reads.zscore(key, member));
  }

  /** Rank of a member of a sorted set, 0 = the one with the lowest score. */
  zrank(key: KeyLike, member: KeyLike, options?: { reverse?: boolean }): number | undefined {
    return this.#open.read((reads) => reads.zrank(key, member, options));
  }

  /** Members of a sorted set by rank, both ends included, at most 1,000; -1 is the last one. */
  zrange(
    key: KeyLike,
    start: number,
    stop: number,
    options?: { reverse?: boolean },
  ): ScoredMember[] {
    return this.#open.read((reads) => reads.zrange(key, start, stop, options));
  }

  /** Members of a sorted set with scores in `[min, max]`, lowest first unless `reverse`. */
  zrangeByScore(
    key: KeyLike,
    min: number,
    max: number,
    options?: { limit?: number; reverse?: boolean },
  ): ScoredMember[] {
    return this.#open.read((reads) => reads.zrangeByScore(key, min, max, options));
  }

  /** How many members a sorted set has. */
  zcard(key: KeyLike): number {
    return this.#open.read((reads) => reads.zcard(key));
  }

  /** How many members have scores in `[min, max]`. */
  zcount(key: KeyLike, min: number, max: number): number {
    return this.#open.read((reads) => reads.zcount(key, min, max));
  }

  /** Gives a member of a sorted set a score. */
  zadd(key: KeyLike, member: KeyLike, score: number): void {
    this.#open.write((writes) => writes.zadd(key, member, score));
  }

  /** Adds to the score of a member of a sorted set; a missing one has 0. */
  zincrby(key: KeyLike, member: KeyLike, by: number): void {
    this.#open.write((writes) => writes.zincrby(key, member, by));
  }

  /** Removes members of a sorted set. */
  zrem(key: KeyLike, ...members: KeyLike[]): void {
    this.#open.write((writes) => writes.zrem(key, ...members));
  }

  /** Elements of a list by index, both ends included, at most 1,000; -1 is the last one. */
  lrange(key: KeyLike, start: number, stop: number): string[] {
    return this.#open.read((reads) => reads.lrange(key, start, stop));
  }

  /** How many elements a list has. */
  llen(key: KeyLike): number {
    return this.#open.read((reads) => reads.llen(key));
  }

  /** Puts values in front of a list, one after the other: the last one ends up first. */
  lpush(key: KeyLike, ...values: ValueLike[]): void {
    this.#open.write((writes) => writes.lpush(key, ...values));
  }

  /** Puts values behind the last one of a list. */
  rpush(key: KeyLike, ...values: ValueLike[]): void {
    this.#open.write((writes) => writes.rpush(key, ...values));
  }

  /**
   * Runs a function whose reads and writes are one: nobody sees some of its changes and not the others,
   * and nothing that it read has changed when they are made.
   *
   * No lock is held while it runs. When another thread was faster it is run again, so it must do nothing
   * but look and write; when it throws, nothing is changed. It may read 1,024 keys, and write 1,024
   * things and 1 MiB; it reads before it writes, as it cannot see what it has written.
   *
   * @returns what the function returned
   * @throws what the function throws; {@link StoreError}
   *
   * @example
   * ```ts
   * import { Store } from "./portable.ts";
   *
   * using store = Store.create({ maxMemoryBytes: 16 * 2 ** 20 });
   * store.set("alice", 100);
   * const isPaid = store.transaction((tx) => {
   *   const balance = tx.getInteger("alice") ?? 0n;
   *   if (balance < 30n) return false;
   *   tx.add("alice", -30);
   *   tx.add("bob", 30);
   *   tx.zadd("payments", "alice to bob", Date.now());
   *   return true;
   * });
   * console.assert(isPaid && store.getInteger("bob") === 30n);
   * ```
   */
  transaction<T>(body: (tx: Transaction) => T, options: TransactionRunOptions = {}): T {
    return this.#open.run(body, options);
  }

  /**
   * The same for a function that waits for something in between. Others go on meanwhile; the longer it
   * takes, the more often it will be run again.
   */
  transactionAsync<T>(
    body: (tx: Transaction) => Promise<T>,
    options: TransactionRunOptions = {},
  ): Promise<T> {
    return this.#open.runAsync(body, options);
  }

  /** How full it is. Takes no lock. */
  usage(): StoreUsage {
    this.#assertOpen();
    const { maxMemoryBytes, usedBytes, expiredKeys, evictedKeys } = this.#engine.stats();
    return {
      keyCount: this.#engine.keyCount(DATABASE),
      maxMemoryBytes,
      usedBytes,
      expiredKeys,
      evictedKeys,
      threadCount: this.#seats.takenCount,
    };
  }

  /**
   * Removes expired keys, for about that long. The thread that made the store does it by itself, unless
   * it never returns to its event loop.
   *
   * @returns whether there is more to do
   */
  sweep(budgetMs: number = SWEEP_MS): boolean {
    this.#assertOpen();
    checkDurationMs("sweep", "budgetMs", budgetMs);
    this.#background ??= this.#engine.backgroundWork(Date.now);
    return this.#background.run(budgetMs);
  }

  /**
   * Settles what a thread left behind that has ended without {@link Store.close}: gives back the locks
   * that it held, and its id.
   *
   * Needed in two cases only: the thread that made the store is gone or blocked, or the runtime has no
   * Web Locks (Node.js before 24, Deno before 2.9). Elsewhere the maker does it by itself.
   *
   * @param threadId the other's {@link Store.threadId}; it must really have ended
   */
  recover(threadId: number): ThreadRecovery {
    this.#assertOpen();
    if (!Number.isInteger(threadId) || threadId < 0 || threadId >= this.#seats.count) {
      throw new RangeError(`Cannot recover thread ${threadId}: there is none`);
    }
    if (threadId === this.threadId) {
      throw new RangeError(`Cannot recover thread ${threadId}: it is the one that asks`);
    }
    if (!this.#seats.isTaken(threadId)) return "none";
    const { kind } = this.#engine.recoverDeadOwner(threadId);
    this.#seats.free(threadId);
    return kind;
  }

  /**
   * Gives this thread's id back; the instance must not be used any more. What is stored stays, as long
   * as any thread has the memory.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#keyOperations.close();
    this.#transactions.close();
    this.#closing.abort();
    this.#endSweeps?.();
    this.#seat.giveBack();
  }

  /** Whether this thread has closed it. */
  get closed(): boolean {
    return this.#isClosed;
  }

  /** As {@link Store.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #lookAfter(): void {
    this.#endSweeps = repeatInBackground(() => this.sweep(), SWEEP_PAUSE_MS);
    this.#seats.watch((threadId) => this.recover(threadId), this.#closing.signal);
  }

  /** Operations on single keys, unless the store is closed. */
  get #keys(): KeyOperations {
    if (this.#isClosed) throw closedError();
    return this.#keyOperations;
  }

  /** Transactions, unless the store is closed. */
  get #open(): Transactions {
    if (this.#isClosed) throw closedError();
    return this.#transactions;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError();
  }
}
