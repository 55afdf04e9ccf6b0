/**
 * What a transaction on the store is to its user: what it reads, what it writes, how it ends.
 *
 * @module
 */

import type { Int64 } from "../../base/int64.ts";
import type { LockSet } from "../lock_set.ts";

/** A key, field or member; text is UTF-8. */
export type KeyLike = string | Uint8Array;

/** A value; text is UTF-8, numbers are written as in JSON. */
export type ValueLike = string | Uint8Array | number | bigint;

/** A member of a sorted set. */
export interface ScoredMember {
  /** The member; bytes that are no UTF-8 are replaced. */
  member: string;
  /** Its score. */
  score: number;
}

/**
 * Looks at the store, in database 0. Each call sees the store as it is at that moment; that all of them
 * saw the same state is made sure of when the transaction is committed.
 *
 * Every method throws a `TypeError` when the key holds another type (`WRONGTYPE …`), a `RangeError`
 * when a bound is passed (see {@link TransactionLimit}), and an `Error` when the same transaction has
 * written the key.
 */
export interface TransactionReads {
  /** The string at a key; bytes that are no UTF-8 are replaced. Undefined: there is none. */
  get(key: KeyLike): string | undefined;
  /** The string at a key as bytes, a copy. */
  getBytes(key: KeyLike): Uint8Array<ArrayBuffer> | undefined;
  /** The integer at a key; throws a `TypeError` when the string is none. */
  getInteger(key: KeyLike): bigint | undefined;
  /** Whether a key exists. */
  exists(key: KeyLike): boolean;
  /** Type of a key: `string`, `list`, `hash`, `set` or `zset`. */
  type(key: KeyLike): string | undefined;
  /** How long a key has to live. Undefined: there is no such key; Infinity: it never expires. Unit: ms. */
  ttlMs(key: KeyLike): number | undefined;
  /** A field of a hash. */
  hget(key: KeyLike, field: KeyLike): string | undefined;
  /** All fields of a hash. */
  hgetall(key: KeyLike): Map<string, string>;
  /** How many fields a hash has. */
  hlen(key: KeyLike): number;
  /** Whether a set has a member. */
  sismember(key: KeyLike, member: KeyLike): boolean;
  /** How many members a set has. */
  scard(key: KeyLike): number;
  /** All members of a set. */
  smembers(key: KeyLike): string[];
  /** Score of a member of a sorted set. */
  zscore(key: KeyLike, member: KeyLike): number | undefined;
  /** Rank of a member of a sorted set, 0 = the one with the lowest score. */
  zrank(key: KeyLike, member: KeyLike, options?: { reverse?: boolean }): number | undefined;
  /** Members of a sorted set by rank, both ends included; -1 is the last one. */
  zrange(
    key: KeyLike,
    start: number,
    stop: number,
    options?: { reverse?: boolean },
  ): ScoredMember[];
  /** Members of a sorted set with scores in `[min, max]`, lowest first unless `reverse`. */
  zrangeByScore(
    key: KeyLike,
    min: number,
    max: number,
    options?: { limit?: number; reverse?: boolean },
  ): ScoredMember[];
  /** How many members a sorted set has. */
  zcard(key: KeyLike): number;
  /** How many members have scores in `[min, max]`. */
  zcount(key: KeyLike, min: number, max: number): number;
  /** Elements of a list by index, both ends included; -1 is the last one. */
  lrange(key: KeyLike, start: number, stop: number): string[];
  /** How many elements a list has. */
  llen(key: KeyLike): number;
}

/** Options of {@link TransactionWrites.set}. */
export interface SetOptions {
  /** The key expires so many milliseconds after the commit. */
  ttlMs?: number;
  /** The key keeps the time to live that it has. */
  keepTtl?: boolean;
}

/**
 * Notes changes of the store, in database 0. Nothing is changed before the commit, which makes all of
 * them or none.
 *
 * Changes of one key come one after the other; what counts is what they come to, so that 5 less and 10
 * more is 5 more, and whether the key expires is decided at the commit, too. What the commit could not
 * decide is refused at once: an `Error` says why, and nothing is noted; of several members or elements,
 * those before it are.
 */
export interface TransactionWrites {
  /** Sets a string, whatever the key holds; without options it does not expire. */
  set(key: KeyLike, value: ValueLike, options?: SetOptions): void;
  /** Adds to an integer; a missing key counts as 0. Such a key is never evicted. */
  add(key: KeyLike, delta: number | bigint | Int64): void;
  /** Deletes a key, whatever it holds. */
  del(key: KeyLike): void;
  /** Lets a key that exists then expire so many milliseconds after the commit. */
  expire(key: KeyLike, ttlMs: number): void;
  /** Lets a key never expire. */
  persist(key: KeyLike): void;
  /** Sets a field of a hash. */
  hset(key: KeyLike, field: KeyLike, value: ValueLike): void;
  /** Adds to the integer in a field of a hash; a missing one counts as 0. */
  hincrby(key: KeyLike, field: KeyLike, delta: number | bigint | Int64): void;
  /** Removes fields of a hash. */
  hdel(key: KeyLike, ...fields: KeyLike[]): void;
  /** Adds members to a set. */
  sadd(key: KeyLike, ...members: KeyLike[]): void;
  /** Removes members of a set. */
  srem(key: KeyLike, ...members: KeyLike[]): void;
  /** Gives a member of a sorted set a score. */
  zadd(key: KeyLike, member: KeyLike, score: number): void;
  /** Adds to the score of a member of a sorted set; a missing one has 0. */
  zincrby(key: KeyLike, member: KeyLike, by: number): void;
  /** Removes members of a sorted set. */
  zrem(key: KeyLike, ...members: KeyLike[]): void;
  /** Puts values in front of a list, one after the other: the last one ends up first. */
  lpush(key: KeyLike, ...values: ValueLike[]): void;
  /** Puts values behind the last one of a list. */
  rpush(key: KeyLike, ...values: ValueLike[]): void;
}

/** How a commit ended. Only after {@link CommitStatus.OK} has anything changed. */
export const CommitStatus = {
  /** All changes were made. */
  OK: 0,
  /** A key that was read has changed since: to be run again. */
  CONFLICT: 1,
  /** A key holds another type. */
  WRONG_TYPE: 2,
  /** What is added to is no integer. */
  NOT_AN_INTEGER: 3,
  /** A sum does not fit 64 bits, or a score would be no number. */
  OVERFLOW: 4,
  /** There is no memory for the changes. */
  OUT_OF_MEMORY: 5,
  /** A step said no: this thread must not touch anything shared any more, nor unlock. */
  FENCED: 6,
} as const;
/** One of {@link CommitStatus}. */
export type CommitStatus = typeof CommitStatus[keyof typeof CommitStatus];

/**
 * What else belongs to a commit. All methods are called with no lock held, or with all, as they say.
 * What throws with locks held ends the server (C4), unless `isDeath` says otherwise.
 */
export interface CommitSteps {
  /** What the commit is called in the text of a fault; default: a transaction. */
  readonly operation?: number;
  /** Takes the locks, by `locks.lock(true)`; called again for each try after memory was short. */
  lock?(locks: LockSet): void;
  /** All locks are held, nothing was looked at. False: the thread was fenced. */
  withLocks?(): boolean;
  /**
   * Everything is decided, and nothing can fail any more. False: the thread was fenced. Not called when
   * the commit ends in anything but OK or FENCED.
   */
  beforeChanges?(): boolean;
  /**
   * All changes are made, and the locks still held: what is put into the log here is in one frame with
   * them. False: the thread was fenced meanwhile, and gives nothing back.
   */
  afterChanges?(): boolean | void;
  /** Whether an error thrown by a step is the planned death of the thread, as tests have it. */
  isDeath?(error: unknown): boolean;
}

/** What a transaction may do at most. Reason: locks are held for as long as a commit takes (C14). */
export const TransactionLimit = {
  /** Changes: keys, fields, members, elements. */
  WRITES: 1024,
  /** Keys that are read. */
  READ_KEYS: 1024,
  /** Bytes of all keys and values that are written or read by. */
  BYTES: 1024 * 1024,
  /** Elements that one read returns. */
  READ_ELEMENTS: 1000,
  /** Bytes that one read returns. */
  READ_BYTES: 1024 * 1024,
} as const;

/** How a `StoreTransaction` is made. */
export interface TransactionOptions {
  /**
   * Whether each transaction settles an event, which has a credit: a single addition may then use the
   * memory that was kept for it.
   */
  readonly forEvents?: boolean;
  /** Time of day; default: `Date.now`. Unit: ms since 1970. */
  readonly clock?: () => number;
}
