/**
 * Flushes and swaps databases while workers write to them.
 *
 * @module
 */

import type { LockKind } from "../../src/store/locks.ts";
import { Store } from "../../src/store/store.ts";
import { enlist, sumOf } from "./crew.ts";
import type { FlushOrders, FlushReport } from "./flush_worker.ts";

/** What to run. */
export interface FlushStress {
  kind: LockKind;
  shardCount: number;
  threads: number;
  operationsPerThread: number;
  maxMemoryBytes: number;
  /** A twin that takes the lock of the first shard only. */
  locksOneShard?: boolean;
}

/** What came out. */
export interface FlushStressResult {
  /** What must not be; "" when all is well. */
  violation: string;
  whole: number;
  gone: number;
  settled: number;
  flushes: number;
  swaps: number;
}

const DATABASES = 3;

/** Runs one stress to its end. */
export async function runFlushStress(stress: FlushStress): Promise<FlushStressResult> {
  const store = Store.create({
    shardCount: stress.shardCount,
    lockKind: stress.kind,
    maxMemoryBytes: stress.maxMemoryBytes,
    maxValueBytes: 10_000,
    threadCount: stress.threads + 1,
  });
  store.nowMs = 1_000_000;
  const signal = new Int32Array(new SharedArrayBuffer(8));
  const crew = Array.from({ length: stress.threads }, (_, i) => {
    const orders: FlushOrders = {
      memory: store.memory,
      threadId: i + 1,
      operations: stress.operationsPerThread,
      pairs: 40,
      databases: DATABASES,
      signal: signal.buffer,
    };
    const url = new URL("./flush_worker.ts", import.meta.url);
    return enlist<FlushReport>(url, `flush stress ${i + 1}`, orders);
  });
  await Promise.all(crew.map(({ ready }) => ready));
  Atomics.store(signal, 0, 1);
  Atomics.notify(signal, 0);
  const done = changeDatabases(store, stress, signal);
  const reports = await Promise.all(crew.map(({ report }) => report));
  const { flushes, swaps } = await done;
  let violation = reports.map((report) => report.violation).find((text) => text !== "") ?? "";
  try {
    if (stress.locksOneShard !== true) {
      store.assertInvariants(0);
      store.keyspace.freeSlice(Infinity);
      store.assertInvariants(0);
    }
  } catch (error) {
    violation ||= String(error);
  }
  return {
    violation,
    whole: sumOf(reports, ({ whole }) => whole),
    gone: sumOf(reports, ({ gone }) => gone),
    settled: sumOf(reports, ({ settled }) => settled),
    flushes,
    swaps,
  };
}

async function changeDatabases(
  store: Store,
  stress: FlushStress,
  signal: Int32Array,
): Promise<{ flushes: number; swaps: number }> {
  const lockedCount = stress.locksOneShard === true ? 1 : store.shardCount;
  let flushes = 0;
  let swaps = 0;
  for (let i = 0; Atomics.load(signal, 1) < stress.threads; i++) {
    for (let shard = 0; shard < lockedCount; shard++) await store.locks.lockAsync(shard, true);
    if (stress.locksOneShard === true) {
      // Often enough that one falls between a worker's looks at two keys.
      for (let j = 0; j < 20_000; j++) store.keyspace.swap(j % DATABASES, (j + 1) % DATABASES);
      swaps++;
    } else if (i % 3 === 0) {
      if (store.keyspace.swap(i % DATABASES, Math.floor(i / 3) % DATABASES)) swaps++;
    } else if (store.keyspace.flush(i % DATABASES)) {
      flushes++;
    }
    for (let shard = 0; shard < lockedCount; shard++) store.locks.unlock(shard, true);
    if (i % 5 === 0) store.keyspace.freeSlice(performance.now() + 0.1);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return { flushes, swaps };
}
