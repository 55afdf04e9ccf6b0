/**
 * A store to be used by a crew: its keys are there, and it can tell what was done to it.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { Int64 } from "../../base/int64.ts";
import { Key } from "../../store/key.ts";
import type { LockKind } from "../../store/locks.ts";
import { BALANCE_DATABASE, minimumMemoryBytes, Store, WriteStatus } from "../../store/store.ts";
import { keyNames, pickKey, STORE_KEYS, type StoreTask } from "./store_work.ts";

/** Threads besides the one that makes the store. */
export const STORE_THREADS_MAX = 16;
const MEMORY_LEAST_BYTES = 16 * 2 ** 20;

/** How often a store's locks were taken. */
export interface LockTotals {
  /** Acquisitions, shared and exclusive ones. */
  readonly acquired: number;
  /** Those that found the lock taken. */
  readonly contended: number;
}

/** A store with {@link STORE_KEYS} integers. Thread: the one that made it, but for its memory. */
export class SweepStore {
  readonly #store: Store;
  readonly #names = keyNames();
  readonly #key = new Key();

  /** Makes the store; all integers are 0. */
  constructor(lockKind: LockKind, shardCount: number) {
    const store = Store.create({
      shardCount,
      lockKind,
      maxMemoryBytes: Math.max(minimumMemoryBytes(shardCount), MEMORY_LEAST_BYTES),
      maxValueBytes: 1024,
      threadCount: STORE_THREADS_MAX + 1,
    });
    store.nowMs = Date.now();
    this.#store = store;
    const sum = new Int64();
    for (let i = 0; i < STORE_KEYS; i++) {
      pickKey(store, this.#key, this.#names, i);
      const status = store.addInteger(BALANCE_DATABASE, this.#key, new Int64(), sum);
      assert(status === WriteStatus.OK, "an empty store has room for small integers");
    }
  }

  /**
   * Tasks for a number of threads.
   *
   * @param heldMs how long each operation sleeps with the lock held; 0 = it does not
   */
  tasks(threadCount: number, heldMs: number): StoreTask[] {
    return Array.from({ length: threadCount }, (_, i) => ({
      kind: "store",
      memory: this.#store.memory,
      threadId: i + 1,
      heldMs,
      seed: (i + 1) * 7919,
    }));
  }

  /** What all integers add up to: the writes since the store was made. Only while nobody writes. */
  sum(): number {
    const value = new Int64();
    let total = 0;
    for (let i = 0; i < STORE_KEYS; i++) {
      pickKey(this.#store, this.#key, this.#names, i);
      const entry = this.#store.peek(BALANCE_DATABASE, this.#key);
      assert(entry !== 0 && this.#store.readInteger(entry, value), "the key holds an integer");
      total += value.toNumber();
    }
    return total;
  }

  /** How often the locks were taken since the store was made. */
  lockTotals(): LockTotals {
    let acquired = 0;
    let contended = 0;
    for (let shard = 0; shard < this.#store.shardCount; shard++) {
      const counters = this.#store.locks.counters(shard);
      acquired += counters.exclusive + counters.shared;
      contended += counters.contended;
    }
    return { acquired, contended };
  }
}
