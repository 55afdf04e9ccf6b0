/**
 * Runs threads that read, write, add, delete and settle events on the same keys of one store.
 *
 * What must come out: no value is torn, every sum is exact, as many keys are there as were made and
 * not deleted, and every byte of the arena is in use, free or header.
 *
 * @module
 */

import { testedWorker } from "../helpers/tested_worker.ts";
import { Int64 } from "../../src/base/int64.ts";
import { Key } from "../../src/store/key.ts";
import type { LockKind } from "../../src/store/locks.ts";
import { Store } from "../../src/store/store.ts";
import { type CrewMember, enlist, sumOf } from "./crew.ts";
import {
  balanceName,
  type Defect,
  StoreEvidence,
  type StoreOrders,
  type StoreReport,
} from "./store_evidence.ts";

/** What to run. */
export interface StoreStress {
  kind: LockKind;
  shardCount: number;
  threads: number;
  operationsPerThread: number;
  keys: number;
  maxMemoryBytes: number;
  maxValueBytes: number;
  defect?: Defect;
}

/** What came out. */
export interface StoreStressResult {
  /** What must not be; "" when all is well. */
  violation: string;
  overlaps: number;
  contended: number;
  outOfMemory: number;
  reclaims: number;
  refusedCredits: number;
  keyCount: number;
  elapsedMs: number;
}

/** Runs one stress to its end or first violation. */
export async function runStoreStress(stress: StoreStress): Promise<StoreStressResult> {
  const store = Store.create({
    shardCount: stress.shardCount,
    lockKind: stress.kind,
    maxMemoryBytes: stress.maxMemoryBytes,
    maxValueBytes: stress.maxValueBytes,
    threadCount: stress.threads + 1,
    segmentBytes: 4 * 2 ** 20,
  });
  store.nowMs = Date.now();
  const key = new Key();
  const locate = (name: string) => {
    const bytes = new TextEncoder().encode(name);
    store.locate(key.set(bytes, 0, bytes.length));
  };
  for (let i = 0; i < stress.keys; i++) {
    locate(`n${i}`);
    store.addInteger(0, key, Int64.fromNumber(0), new Int64());
  }
  const evidence = new Int32Array(new SharedArrayBuffer(StoreEvidence.WORDS * 4));
  const started = Array.from({ length: stress.threads }, (_, i) =>
    start({
      threadId: i + 1,
      operations: stress.operationsPerThread,
      keys: stress.keys,
      maxValueBytes: stress.maxValueBytes,
      defect: stress.defect ?? "none",
      memory: store.memory,
      evidence: evidence.buffer,
    }));
  await Promise.all(started.map((thread) => thread.ready));
  const startedAtMs = performance.now();
  Atomics.store(evidence, StoreEvidence.START, 1);
  Atomics.notify(evidence, StoreEvidence.START);
  const reports = await Promise.all(started.map((thread) => thread.report));
  const elapsedMs = performance.now() - startedAtMs;

  let violation = reports.map((report) => report.violation).find((text) => text !== "") ?? "";
  let contended = 0;
  for (let shard = 0; shard < stress.shardCount; shard++) {
    contended += store.locks.counters(shard).contended;
  }
  try {
    violation ||= checkEnd(stress, store, reports, (name) => {
      locate(name);
      return key;
    });
  } catch (error) {
    violation ||= String(error);
  }
  return {
    violation,
    overlaps: sumOf(reports, (report) => report.overlaps),
    contended,
    outOfMemory: sumOf(reports, (report) => report.outOfMemory),
    reclaims: sumOf(reports, (report) => report.reclaims),
    refusedCredits: sumOf(reports, (report) => report.refusedCredits),
    keyCount: store.keyCount(0),
    elapsedMs,
  };
}

/** Compares what is in the store with what the threads say they did. */
function checkEnd(
  stress: StoreStress,
  store: Store,
  reports: StoreReport[],
  locate: (name: string) => Key,
): string {
  const value = new Int64();
  const numberAt = (name: string): number => {
    const entry = store.lookup(0, locate(name));
    if (entry === 0) return 0;
    return store.readInteger(entry, value) ? value.toNumber() : NaN;
  };
  for (let i = 0; i < stress.keys; i++) {
    const added = sumOf(reports, (report) => report.added[i]!);
    if (numberAt(`n${i}`) !== added) return `n${i} is ${numberAt(`n${i}`)} instead of ${added}`;
    const settled = sumOf(reports, (report) => report.settled[i]!);
    const balance = numberAt(balanceName(i));
    if (balance !== settled) return `balance ${i} is ${balance} instead of ${settled}`;
  }
  for (let i = 0; i < stress.keys; i++) store.remove(0, locate(`t${i}`));
  const keysMade = stress.keys + sumOf(reports, (report) => report.keysMade);
  if (store.keyCount(0) !== keysMade) return `${store.keyCount(0)} keys instead of ${keysMade}`;
  store.assertInvariants();
  // All credits are back: the reserve has nothing outstanding.
  for (let i = 0; i < stress.keys; i++) {
    for (const name of [`s${i}`, `n${i}`, balanceName(i)]) store.remove(0, locate(name));
  }
  store.assertInvariants();
  if (store.keyCount(0) !== 0) return `${store.keyCount(0)} keys are left`;
  const { blockBytes } = store.stats();
  // The indexes of database 0 and of its heir.
  if (blockBytes !== stress.shardCount * 4096) return `${blockBytes} bytes are left in blocks`;
  return "";
}

function start(orders: StoreOrders): CrewMember<StoreReport> {
  return enlist(
    testedWorker(new URL("./store_worker.ts", import.meta.url)),
    `store stress ${orders.threadId}`,
    orders,
  );
}
