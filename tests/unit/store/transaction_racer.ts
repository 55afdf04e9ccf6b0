/// <reference lib="deno.worker" />
/**
 * One thread of the race of transactions; see transaction_race_test.ts.
 *
 * @module
 */

import { Store, type StoreMemory } from "../../../src/store/store.ts";
import type * as transactions from "../../../src/store/transaction.ts";

/** The three keys, of which each holds a part of the sum. */
export const KEYS = ["number", "hash", "scores"] as const;
/** How often somebody moved something. */
export const MOVES_KEY = "moves";

/** What a racer is told. */
export interface RaceOrders {
  memory: StoreMemory;
  threadId: number;
  /** Module of the transactions. */
  module: string;
  /** Moves to make. */
  moves: number;
  /** The sum that is never another. */
  total: number;
  /** One word: 1 = go. */
  start: SharedArrayBuffer;
}

/** What it says. */
export interface RaceReport {
  moves: number;
  conflicts: number;
  /** Looks that were not disturbed. */
  looks: number;
  /** Of these, those that found another sum. */
  torn: number;
  fault: string;
}

class Racer {
  readonly report: RaceReport = { moves: 0, conflicts: 0, looks: 0, torn: 0, fault: "" };
  readonly #orders: RaceOrders;
  readonly #t: transactions.StoreTransaction;
  readonly #ok: number;
  #random: number;

  constructor(orders: RaceOrders, module: typeof transactions) {
    this.#orders = orders;
    this.#ok = module.CommitStatus.OK;
    this.#t = new module.StoreTransaction(Store.attach(orders.memory, orders.threadId));
    this.#random = orders.threadId * 7919;
  }

  run(): void {
    for (let i = 0; i < this.#orders.moves; i++) {
      const kind = this.#roll(4);
      if (kind === 0) this.#look();
      else if (kind === 1) this.#moveByAdding();
      else this.#moveByWriting();
    }
  }

  #read(key: number): number {
    const t = this.#t;
    if (key === 0) return Number(t.getInteger(KEYS[0]) ?? 0n);
    if (key === 1) return Number(t.hget(KEYS[1], "part") ?? 0);
    return t.zscore(KEYS[2], "part") ?? 0;
  }

  #write(key: number, value: number): void {
    const t = this.#t;
    if (key === 0) t.set(KEYS[0], value);
    else if (key === 1) t.hset(KEYS[1], "part", value);
    else t.zadd(KEYS[2], "part", value);
  }

  /** Takes from one key and gives to another what it has read of both. */
  #moveByWriting(): void {
    const t = this.#t;
    for (;;) {
      t.begin();
      const from = this.#roll(3);
      const to = (from + 1 + this.#roll(2)) % 3;
      const amount = this.#roll(100);
      const has = this.#read(from);
      const had = this.#read(to);
      // All of it now and then: then the key or field goes, and comes again.
      const moved = this.#roll(8) === 0 ? has : amount;
      if (moved === has && from === 1) t.hdel(KEYS[1], "part");
      else if (moved === has && from === 2) t.zrem(KEYS[2], "part");
      else this.#write(from, has - moved);
      this.#write(to, had + moved);
      t.add(MOVES_KEY, 1);
      if (t.commit() === this.#ok) break;
      this.report.conflicts++;
    }
    this.report.moves++;
  }

  /** Takes and gives without looking. */
  #moveByAdding(): void {
    const t = this.#t;
    const amount = this.#roll(100);
    t.begin();
    t.add(KEYS[0], -amount);
    if (this.#roll(2) === 0) t.hincrby(KEYS[1], "part", amount);
    else t.zincrby(KEYS[2], "part", amount);
    t.add(MOVES_KEY, 1);
    const status = t.commit();
    if (status !== this.#ok) throw new Error(`an addition ended with ${status}`);
    this.report.moves++;
  }

  #look(): void {
    const t = this.#t;
    for (;;) {
      t.begin();
      const sum = this.#read(0) + this.#read(1) + this.#read(2);
      if (t.commit() === this.#ok) {
        this.report.looks++;
        if (sum !== this.#orders.total) this.report.torn++;
        return;
      }
      this.report.conflicts++;
    }
  }

  #roll(sides: number): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return (this.#random >>> 8) % sides;
  }
}

self.onmessage = async ({ data: orders }: MessageEvent<RaceOrders>) => {
  const module: typeof transactions = await import(orders.module);
  const racer = new Racer(orders, module);
  self.postMessage("ready");
  Atomics.wait(new Int32Array(orders.start), 0, 0);
  try {
    racer.run();
  } catch (error) {
    racer.report.fault = (error as Error).stack ?? String(error);
  }
  self.postMessage(racer.report);
  self.close();
};
