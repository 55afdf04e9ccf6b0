/**
 * Runs threads that read leased lists a few elements at a time while others change them.
 *
 * Every change keeps the sum of a list's numbers. What must come out: each reader sees as many
 * elements as there were and that sum; when all leases have ended nothing is kept for readers, and
 * every byte of the arena is in use, free or header.
 *
 * @module
 */

import type { LockKind } from "../../src/store/locks.ts";
import type * as storeModule from "../../src/store/store.ts";
import {
  CollectionEvidence,
  type CollectionOrders,
  type CollectionReport,
} from "./collection_evidence.ts";
import { type CrewMember, enlist, sumOf } from "./crew.ts";
import { type Mutation, writeTwinOf } from "./twin.ts";

const ASSEMBLY_URL = new URL("../../src/store/store_assembly.ts", import.meta.url);
const STORE_URL = new URL("../../src/store/store.ts", import.meta.url);
const MEMORY_URL = new URL("../../src/store/collection/collection_memory.ts", import.meta.url);

/** A store that changes and frees nodes although readers may be looking at them. */
export const CHANGES_LEASED: readonly Mutation[] = [{
  name: "sees no readers",
  find: "    this.isShared = (leases & COLLECTION_LEASE_MASK) !== 0;",
  replace: "    this.isShared = false;",
}];

/** Writes a store with a defect; returns its module's address. */
export async function writeCollectionTwin(
  mutations: readonly Mutation[],
  folder: string,
): Promise<string> {
  const memory = await writeTwinOf(MEMORY_URL, mutations, folder);
  const find = 'from "./collection/collection_memory.ts"';
  const assembly = await writeTwinOf(
    ASSEMBLY_URL,
    [{ name: "uses it", find, replace: `from "${memory}"` }],
    folder,
  );
  const entry = {
    name: "uses it",
    find: 'from "./store_assembly.ts"',
    replace: `from "${assembly}"`,
  };
  return await writeTwinOf(STORE_URL, [entry], folder);
}

/** What to run. */
export interface CollectionStress {
  kind: LockKind;
  shardCount: number;
  threads: number;
  operationsPerThread: number;
  keys: number;
  storeModule?: string;
}

/** What came out. */
export interface CollectionStressResult {
  /** What must not be; "" when all is well. */
  violation: string;
  listsRead: number;
  changedMeanwhile: number;
  changes: number;
  reclaims: number;
}

/** Runs one stress to its end or first violation. */
export async function runCollectionStress(
  stress: CollectionStress,
): Promise<CollectionStressResult> {
  const module = stress.storeModule ?? STORE_URL.href;
  const { Store }: typeof storeModule = await import(module);
  const store = Store.create({
    shardCount: stress.shardCount,
    lockKind: stress.kind,
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: stress.threads + 1,
    segmentBytes: 4 * 2 ** 20,
  });
  const evidence = new Int32Array(new SharedArrayBuffer(CollectionEvidence.WORDS * 4));
  const started = Array.from({ length: stress.threads }, (_, i) =>
    start({
      threadId: i + 1,
      threads: stress.threads,
      operations: stress.operationsPerThread,
      keys: stress.keys,
      memory: store.memory,
      evidence: evidence.buffer,
      storeModule: module,
    }));
  await Promise.all(started.map((thread) => thread.ready));
  Atomics.store(evidence, CollectionEvidence.START, 1);
  Atomics.notify(evidence, CollectionEvidence.START);
  const reports = await Promise.all(started.map((thread) => thread.report));
  let violation = reports.map((report) => report.violation).find((text) => text !== "") ?? "";
  try {
    const { leases, orphanBytes } = store.stats();
    if (leases !== 0 || orphanBytes !== 0) {
      violation ||= `${leases} leases, ${orphanBytes} orphan bytes`;
    }
    if (violation === "") store.assertInvariants();
  } catch (error) {
    violation ||= String(error);
  }
  return {
    violation,
    listsRead: sumOf(reports, (report) => report.listsRead),
    changedMeanwhile: sumOf(reports, (report) => report.changedMeanwhile),
    changes: sumOf(reports, (report) => report.changes),
    reclaims: sumOf(reports, (report) => report.reclaims),
  };
}

function start(orders: CollectionOrders): CrewMember<CollectionReport> {
  return enlist(
    new URL("./collection_worker.ts", import.meta.url),
    `collection stress ${orders.threadId}`,
    orders,
  );
}
