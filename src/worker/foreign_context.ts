/**
 * The context that somebody else's code is given: good for one try of one event.
 *
 * Whoever keeps it and uses it later gets an error, and not the next event's transaction. Reads wake the
 * worker up for as long as they take (foreign_gate.ts); writes are only noted, so they need not.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import type { KeyLike, ScoredMember, SetOptions, ValueLike } from "../store/transaction.ts";
import type { ForeignGate } from "./foreign_gate.ts";
import type { JobContext } from "./job_context.ts";
import type { ProcessorContext, ProcessorLogger } from "./processor.ts";

/** Thread: a worker. */
export class ForeignContext implements ProcessorContext {
  /** See {@link ProcessorContext.log}. */
  readonly log: ProcessorLogger;
  /** See {@link ProcessorContext.attempt}. */
  readonly attempt: number;

  readonly #gate: ForeignGate;
  #job: JobContext | undefined;
  #controller: AbortController | undefined;
  #abortReason: Error | undefined;

  /** Stands for `job` until {@link ForeignContext.end}. */
  constructor(job: JobContext, gate: ForeignGate) {
    this.#job = job;
    this.#gate = gate;
    this.log = job.log;
    this.attempt = job.attempt;
  }

  /** The try has ended: nothing can be done with it any more. */
  end(): void {
    this.#job = undefined;
  }

  /** Tells the code that it may stop. Runs code that listens to the signal. */
  abort(reason: Error): void {
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  /** See {@link ProcessorContext.signal}. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** See {@link ProcessorContext.count}. */
  count(counter: string, by?: number): void {
    this.#open().count(counter, by);
  }

  /** See {@link ProcessorContext.emit}. */
  emit(value: unknown, channel?: string): void {
    this.#open().emit(value, channel);
  }

  #open(): JobContext {
    if (this.#job === undefined) {
      throw new Error("Cannot use the context of an event: its processing has ended");
    }
    return this.#job;
  }

  #read<T>(read: (job: JobContext) => T): T {
    const job = this.#open();
    this.#gate.enterCall();
    try {
      return read(job);
    } finally {
      this.#gate.leaveCall();
    }
  }

  /** See `TransactionReads.get`. */
  get(key: KeyLike): string | undefined {
    const name = plain(key);
    return this.#read((job) => job.get(name));
  }

  /** See `TransactionReads.getBytes`. */
  getBytes(key: KeyLike): Uint8Array<ArrayBuffer> | undefined {
    const name = plain(key);
    return this.#read((job) => job.getBytes(name));
  }

  /** See `TransactionReads.getInteger`. */
  getInteger(key: KeyLike): bigint | undefined {
    const name = plain(key);
    return this.#read((job) => job.getInteger(name));
  }

  /** See `TransactionReads.exists`. */
  exists(key: KeyLike): boolean {
    const name = plain(key);
    return this.#read((job) => job.exists(name));
  }

  /** See `TransactionReads.type`. */
  type(key: KeyLike): string | undefined {
    const name = plain(key);
    return this.#read((job) => job.type(name));
  }

  /** See `TransactionReads.ttlMs`. */
  ttlMs(key: KeyLike): number | undefined {
    const name = plain(key);
    return this.#read((job) => job.ttlMs(name));
  }

  /** See `TransactionReads.hget`. */
  hget(key: KeyLike, field: KeyLike): string | undefined {
    const name = plain(key);
    const other = plain(field);
    return this.#read((job) => job.hget(name, other));
  }

  /** See `TransactionReads.hgetall`. */
  hgetall(key: KeyLike): Map<string, string> {
    const name = plain(key);
    return this.#read((job) => job.hgetall(name));
  }

  /** See `TransactionReads.hlen`. */
  hlen(key: KeyLike): number {
    const name = plain(key);
    return this.#read((job) => job.hlen(name));
  }

  /** See `TransactionReads.sismember`. */
  sismember(key: KeyLike, member: KeyLike): boolean {
    const name = plain(key);
    const other = plain(member);
    return this.#read((job) => job.sismember(name, other));
  }

  /** See `TransactionReads.scard`. */
  scard(key: KeyLike): number {
    const name = plain(key);
    return this.#read((job) => job.scard(name));
  }

  /** See `TransactionReads.smembers`. */
  smembers(key: KeyLike): string[] {
    const name = plain(key);
    return this.#read((job) => job.smembers(name));
  }

  /** See `TransactionReads.zscore`. */
  zscore(key: KeyLike, member: KeyLike): number | undefined {
    const name = plain(key);
    const other = plain(member);
    return this.#read((job) => job.zscore(name, other));
  }

  /** See `TransactionReads.zrank`. */
  zrank(key: KeyLike, member: KeyLike, options?: { reverse?: boolean }): number | undefined {
    const name = plain(key);
    const other = plain(member);
    const reverse = options?.reverse === true;
    return this.#read((job) => job.zrank(name, other, { reverse }));
  }

  /** See `TransactionReads.zrange`. */
  zrange(
    key: KeyLike,
    start: number,
    stop: number,
    options?: { reverse?: boolean },
  ): ScoredMember[] {
    const name = plain(key);
    const reverse = options?.reverse === true;
    return this.#read((job) => job.zrange(name, start, stop, { reverse }));
  }

  /** See `TransactionReads.zrangeByScore`. */
  zrangeByScore(
    key: KeyLike,
    min: number,
    max: number,
    options?: { limit?: number; reverse?: boolean },
  ): ScoredMember[] {
    const name = plain(key);
    const given = { limit: options?.limit, reverse: options?.reverse === true };
    return this.#read((job) => job.zrangeByScore(name, min, max, given as { limit?: number }));
  }

  /** See `TransactionReads.zcard`. */
  zcard(key: KeyLike): number {
    const name = plain(key);
    return this.#read((job) => job.zcard(name));
  }

  /** See `TransactionReads.zcount`. */
  zcount(key: KeyLike, min: number, max: number): number {
    const name = plain(key);
    return this.#read((job) => job.zcount(name, min, max));
  }

  /** See `TransactionReads.lrange`. */
  lrange(key: KeyLike, start: number, stop: number): string[] {
    const name = plain(key);
    return this.#read((job) => job.lrange(name, start, stop));
  }

  /** See `TransactionReads.llen`. */
  llen(key: KeyLike): number {
    const name = plain(key);
    return this.#read((job) => job.llen(name));
  }

  /** See `TransactionWrites.set`. */
  set(key: KeyLike, value: ValueLike, options?: SetOptions): void {
    this.#open().set(plain(key), plain(value), options);
  }

  /** See `TransactionWrites.add`. */
  add(key: KeyLike, delta: number | bigint | Int64): void {
    this.#open().add(plain(key), delta);
  }

  /** See `TransactionWrites.del`. */
  del(key: KeyLike): void {
    this.#open().del(plain(key));
  }

  /** See `TransactionWrites.expire`. */
  expire(key: KeyLike, ttlMs: number): void {
    this.#open().expire(plain(key), ttlMs);
  }

  /** See `TransactionWrites.persist`. */
  persist(key: KeyLike): void {
    this.#open().persist(plain(key));
  }

  /** See `TransactionWrites.hset`. */
  hset(key: KeyLike, field: KeyLike, value: ValueLike): void {
    this.#open().hset(plain(key), plain(field), plain(value));
  }

  /** See `TransactionWrites.hincrby`. */
  hincrby(key: KeyLike, field: KeyLike, delta: number | bigint | Int64): void {
    this.#open().hincrby(plain(key), plain(field), delta);
  }

  /** See `TransactionWrites.hdel`. */
  hdel(key: KeyLike, ...fields: KeyLike[]): void {
    this.#open().hdel(plain(key), ...fields.map(plain));
  }

  /** See `TransactionWrites.sadd`. */
  sadd(key: KeyLike, ...members: KeyLike[]): void {
    this.#open().sadd(plain(key), ...members.map(plain));
  }

  /** See `TransactionWrites.srem`. */
  srem(key: KeyLike, ...members: KeyLike[]): void {
    this.#open().srem(plain(key), ...members.map(plain));
  }

  /** See `TransactionWrites.zadd`. */
  zadd(key: KeyLike, member: KeyLike, score: number): void {
    this.#open().zadd(plain(key), plain(member), score);
  }

  /** See `TransactionWrites.zincrby`. */
  zincrby(key: KeyLike, member: KeyLike, by: number): void {
    this.#open().zincrby(plain(key), plain(member), by);
  }

  /** See `TransactionWrites.zrem`. */
  zrem(key: KeyLike, ...members: KeyLike[]): void {
    this.#open().zrem(plain(key), ...members.map(plain));
  }

  /** See `TransactionWrites.lpush`. */
  lpush(key: KeyLike, ...values: ValueLike[]): void {
    this.#open().lpush(plain(key), ...values.map(plain));
  }

  /** See `TransactionWrites.rpush`. */
  rpush(key: KeyLike, ...values: ValueLike[]): void {
    this.#open().rpush(plain(key), ...values.map(plain));
  }
}

/**
 * A key or value as it is now, of which nothing can run somebody's code later: arrays of bytes may have
 * a class of their own, or memory that other threads write to.
 */
function plain<T>(value: T): T {
  if (typeof value !== "object" && typeof value !== "function") return value;
  if (value instanceof Uint8Array) return new Uint8Array(value) as T;
  throw new TypeError(`Cannot use ${typeof value} as text: it takes a string or a Uint8Array`);
}
