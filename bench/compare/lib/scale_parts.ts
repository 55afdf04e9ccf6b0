/**
 * What bench:scale and its threads agree on, and how threads are let go together.
 *
 * @module
 */

import { BoundedChannel } from "../../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../../src/channel/consumer_slots.ts";
import { Key } from "../../../src/store/key.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import type { ThreadOrders, ThreadResult } from "../scale_worker.ts";

/** Keys in the store. */
export const KEY_COUNT = 100_000;
/** Length of a key. */
export const KEY_BYTES = 11;
/** Length of a value. */
export const VALUE_BYTES = 32;

/** What all threads do at a time. */
export const Phase = {
  /** What they will do, uncounted. */
  WARM_UP: 0,
  /** It counts. */
  RUN: 1,
  /** They end. */
  STOP: 2,
} as const;

/** How long threads warm up at most; before a shorter run, no longer than it. Unit: ms. */
const WARM_UP_MS = 300;

/** All keys, one behind the other. */
export function keyNames(): Uint8Array {
  const names = new Uint8Array(KEY_COUNT * KEY_BYTES);
  const encoder = new TextEncoder();
  for (let i = 0; i < KEY_COUNT; i++) {
    encoder.encodeInto(`key:${String(i).padStart(7, "0")}`, names.subarray(i * KEY_BYTES));
  }
  return names;
}

/** What the threads of one measurement do. */
export type Deed =
  /** Count. */
  | "spin"
  /** Use a store of that many shards. */
  | { readonly shards: number }
  /** Pass jobs through a channel. */
  | "channel";

/** Orders without what all threads have. */
type Task = ThreadOrders extends infer Orders
  ? Orders extends ThreadOrders ? Omit<Orders, "phase" | "index"> : never
  : never;

/**
 * Operations a second of `threadCount` threads together.
 *
 * A channel with one thread is sent to and taken from by it in turn; with more, every second thread
 * sends and the others take.
 */
export async function measureThreads(
  deed: Deed,
  threadCount: number,
  durationMs: number,
): Promise<number> {
  const phase = new SharedArrayBuffer(4);
  const words = new Int32Array(phase);
  const tasks = tasksOf(deed, threadCount);
  const url = new URL("../scale_worker.ts", import.meta.url);
  const workers = tasks.map(() => new Worker(url, { type: "module" }));
  await Promise.all(workers.map((worker) => messageOf(worker)));
  const results = workers.map((worker) => messageOf<ThreadResult>(worker));
  workers.forEach((worker, index) => worker.postMessage({ ...tasks[index]!, phase, index }));
  await pause(Math.min(WARM_UP_MS, durationMs));
  Atomics.store(words, 0, Phase.RUN);
  await pause(durationMs);
  Atomics.store(words, 0, Phase.STOP);
  const found = await Promise.all(results);
  return found.reduce((sum, { count, elapsedMs }) => sum + count / elapsedMs * 1000, 0);
}

function tasksOf(deed: Deed, threadCount: number): Task[] {
  if (deed === "spin") return Array.from({ length: threadCount }, () => ({ kind: "spin" }));
  if (deed === "channel") {
    const channel = BoundedChannel.create({ capacity: 1000 }).memory;
    const slots = ConsumerSlots.create({ slotCount: threadCount }).memory;
    const role = (i: number) => threadCount === 1 ? "both" : i % 2 === 0 ? "producer" : "consumer";
    return Array.from({ length: threadCount }, (_, i) => ({
      kind: "channel",
      channel,
      slots,
      role: role(i),
    }));
  }
  const store = filledStore(deed.shards, threadCount).memory;
  return Array.from({ length: threadCount }, () => ({ kind: "store", store }));
}

function filledStore(shardCount: number, threadCount: number): Store {
  const store = Store.create({
    shardCount,
    lockKind: "mutex",
    maxMemoryBytes: 128 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: threadCount + 1,
  });
  store.nowMs = Date.now();
  const names = keyNames();
  const key = new Key();
  const value = new Uint8Array(VALUE_BYTES);
  for (let at = 0; at < names.length; at += KEY_BYTES) {
    store.locate(key.set(names, at, at + KEY_BYTES));
    store.locks.tryLock(key.shard, true);
    const status = store.setString(0, key, value, 0, VALUE_BYTES, 0);
    store.locks.unlock(key.shard, true);
    if (status !== WriteStatus.OK) throw new Error("Cannot fill the store");
  }
  return store;
}

function messageOf<T>(worker: Worker): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(`Cannot measure: a thread died: ${message}`));
  return promise;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** 1, 2, 4, … up to the number of processors, and that number. */
export function threadCounts(processorCount: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < processorCount; count *= 2) counts.push(count);
  return [...counts, processorCount];
}
