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
    return this.#read((job) => job.get(key));
  }

  /** See `TransactionReads.getBytes`. */
  getBytes(key: KeyLike): Uint8Array<ArrayBuffer> | undefined {
    return this.#read((job) => job.getBytes(key));
  }

  /** See `TransactionReads.getInteger`. */
  getInteger(key: KeyLike): bigint | undefined {
    return this.#read((job) => job.getInteger(key));
  }

  /** See `TransactionReads.exists`. */
  exists(key: KeyLike): boolean {
    return this.#read((job) => job.exists(key));
  }

  /** See `TransactionReads.type`. */
  type(key: KeyLike): string | undefined {
    return this.#read((job) => job.type(key));
  }

  /** See `TransactionReads.ttlMs`. */
  ttlMs(key: KeyLike): number | undefined {
    return this.#read((job) => job.ttlMs(key));
  }

  /** See `TransactionReads.hget`. */
  hget(key: KeyLike, field: KeyLike): string | undefined {
    return this.#read((job) => job.hget(key, field));
  }

  /** See `TransactionReads.hgetall`. */
  hgetall(key: KeyLike): Map<string, string> {
    return this.#read((job) => job.hgetall(key));
  }

  /** See `TransactionReads.hlen`. */
  hlen(key: KeyLike): number {
    return this.#read((job) => job.hlen(key));
  }

  /** See `TransactionReads.sismember`. */
  sismember(key: KeyLike, member: KeyLike): boolean {
    return this.#read((job) => job.sismember(key, member));
  }

  /** See `TransactionReads.scard`. */
  scard(key: KeyLike): number {
    return this.#read((job) => job.scard(key));
  }

  /** See `TransactionReads.smembers`. */
  smembers(key: KeyLike): string[] {
    return this.#read((job) => job.smembers(key));
  }

  /** See `TransactionReads.zscore`. */
  zscore(key: KeyLike, member: KeyLike): number | undefined {
    return this.#read((job) => job.zscore(key, member));
  }

  /** See `TransactionReads.zrank`. */
  zrank(key: KeyLike, member: KeyLike, options?: { reverse?: boolean }): number | undefined {
    return this.#read((job) => job.zrank(key, member, options));
  }

  /** See `TransactionReads.zrange`. */
  zrange(
    key: KeyLike,
    start: number,
    stop: number,
    options?: { reverse?: boolean },
  ): ScoredMember[] {
    return this.#read((job) => job.zrange(key, start, stop, options));
  }

  /** See `TransactionReads.zrangeByScore`. */
  zrangeByScore(
    key: KeyLike,
    min: number,
    max: number,
    options?: { limit?: number; reverse?: boolean },
  ): ScoredMember[] {
    return this.#read((job) => job.zrangeByScore(key, min, max, options));
  }

  /** See `TransactionReads.zcard`. */
  zcard(key: KeyLike): number {
    return this.#read((job) => job.zcard(key));
  }

  /** See `TransactionReads.zcount`. */
  zcount(key: KeyLike, min: number, max: number): number {
    return this.#read((job) => job.zcount(key, min, max));
  }

  /** See `TransactionReads.lrange`. */
  lrange(key: KeyLike, start: number, stop: number): string[] {
    return this.#read((job) => job.lrange(key, start, stop));
  }

  /** See `TransactionReads.llen`. */
  llen(key: KeyLike): number {
    return this.#read((job) => job.llen(key));
  }

  /** See `TransactionWrites.set`. */
  set(key: KeyLike, value: ValueLike, options?: SetOptions): void {
    this.#open().set(key, value, options);
  }

  /** See `TransactionWrites.add`. */
  add(key: KeyLike, delta: number | bigint | Int64): void {
    this.#open().add(key, delta);
  }

  /** See `TransactionWrites.del`. */
  del(key: KeyLike): void {
    this.#open().del(key);
  }

  /** See `TransactionWrites.expire`. */
  expire(key: KeyLike, ttlMs: number): void {
    this.#open().expire(key, ttlMs);
  }

  /** See `TransactionWrites.persist`. */
  persist(key: KeyLike): void {
    this.#open().persist(key);
  }

  /** See `TransactionWrites.hset`. */
  hset(key: KeyLike, field: KeyLike, value: ValueLike): void {
    this.#open().hset(key, field, value);
  }

  /** See `TransactionWrites.hincrby`. */
  hincrby(key: KeyLike, field: KeyLike, delta: number | bigint | Int64): void {
    this.#open().hincrby(key, field, delta);
  }

  /** See `TransactionWrites.hdel`. */
  hdel(key: KeyLike, ...fields: KeyLike[]): void {
    this.#open().hdel(key, ...fields);
  }

  /** See `TransactionWrites.sadd`. */
  sadd(key: KeyLike, ...members: KeyLike[]): void {
    this.#open().sadd(key, ...members);
  }

  /** See `TransactionWrites.srem`. */
  srem(key: KeyLike, ...members: KeyLike[]): void {
    this.#open().srem(key, ...members);
  }

  /** See `TransactionWrites.zadd`. */
  zadd(key: KeyLike, member: KeyLike, score: number): void {
    this.#open().zadd(key, member, score);
  }

  /** See `TransactionWrites.zincrby`. */
  zincrby(key: KeyLike, member: KeyLike, by: number): void {
    this.#open().zincrby(key, member, by);
  }

  /** See `TransactionWrites.zrem`. */
  zrem(key: KeyLike, ...members: KeyLike[]): void {
    this.#open().zrem(key, ...members);
  }

  /** See `TransactionWrites.lpush`. */
  lpush(key: KeyLike, ...values: ValueLike[]): void {
    this.#open().lpush(key, ...values);
  }

  /** See `TransactionWrites.rpush`. */
  rpush(key: KeyLike, ...values: ValueLike[]): void {
    this.#open().rpush(key, ...values);
  }
}
