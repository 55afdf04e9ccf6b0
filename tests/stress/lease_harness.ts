/**
 * Runs threads that read leased values piece by piece while others overwrite and delete them.
 *
 * What must come out: every value read is one that was written, whole; when all leases have ended
 * no orphan is left, and every byte of the arena is in use, free or header.
 *
 * @module
 */

import { Key } from "../../src/store/key.ts";
import type { LockKind } from "../../src/store/locks.ts";
import type * as storeModule from "../../src/store/store.ts";
import { type CrewMember, enlist, sumOf } from "./crew.ts";
import { LeaseEvidence, type LeaseOrders, type LeaseReport } from "./lease_evidence.ts";
import { type Mutation, writeTwinOf } from "./twin.ts";

const ASSEMBLY_URL = new URL("../../src/store/store_assembly.ts", import.meta.url);
const STORE_URL = new URL("../../src/store/store.ts", import.meta.url);
const EXTENTS_URL = new URL("../../src/store/extents.ts", import.meta.url);

/**
 * A store that frees the extents of a value although it is leased.
 *
 * That compaction moves none of them is a matter of one thread: value_lease_test.ts.
 */
export const FREES_LEASED: readonly Mutation[] = [
  {
    name: "frees at once",
    find: "    else this.#addOrphan(root);",
    replace: `    else {
      this.#addOrphan(root);
      this.forEach(root, (extent) => this.#free(extent));
    }`,
  },
  {
    name: "and not again",
    find: "    this.#countOrphan(root, -1);\n    this.#freeRoot(root);",
    replace: "    this.#countOrphan(root, -1);\n    this.#blocks.free(root);",
  },
];

/** Writes a store with a defect; returns its module's address. */
export async function writeStoreTwin(
  mutations: readonly Mutation[],
  folder: string,
): Promise<string> {
  const extents = await writeTwinOf(EXTENTS_URL, mutations, folder);
  const link = { name: "uses it", find: 'from "./extents.ts"', replace: `from "${extents}"` };
  const assembly = await writeTwinOf(ASSEMBLY_URL, [link], folder);
  const entry = {
    name: "uses it",
    find: 'from "./store_assembly.ts"',
    replace: `from "${assembly}"`,
  };
  return await writeTwinOf(STORE_URL, [entry], folder);
}

/** What to run. */
export interface LeaseStress {
  kind: LockKind;
  shardCount: number;
  threads: number;
  operationsPerThread: number;
  keys: number;
  maxMemoryBytes: number;
  maxValueBytes: number;
  storeModule?: string;
}

/** What came out. */
export interface LeaseStressResult {
  /** What must not be; "" when all is well. */
  violation: string;
  valuesRead: number;
  orphanPieces: number;
  abandoned: number;
  outOfMemory: number;
  reclaims: number;
  elapsedMs: number;
}

/** Runs one stress to its end or first violation. */
export async function runLeaseStress(stress: LeaseStress): Promise<LeaseStressResult> {
  const module = stress.storeModule ?? STORE_URL.href;
  const { Store }: typeof storeModule = await import(module);
  const store = Store.create({
    shardCount: stress.shardCount,
    lockKind: stress.kind,
    maxMemoryBytes: stress.maxMemoryBytes,
    maxValueBytes: stress.maxValueBytes,
    threadCount: stress.threads + 1,
    segmentBytes: 4 * 2 ** 20,
  });
  const { blockBytes } = store.stats();
  const evidence = new Int32Array(new SharedArrayBuffer(LeaseEvidence.WORDS * 4));
  const started = Array.from({ length: stress.threads }, (_, i) =>
    start({
      threadId: i + 1,
      threads: stress.threads,
      operations: stress.operationsPerThread,
      keys: stress.keys,
      maxValueBytes: stress.maxValueBytes,
      memory: store.memory,
      evidence: evidence.buffer,
      storeModule: module,
    }));
  await Promise.all(started.map((thread) => thread.ready));
  const startedAtMs = performance.now();
  Atomics.store(evidence, LeaseEvidence.START, 1);
  Atomics.notify(evidence, LeaseEvidence.START);
  const reports = await Promise.all(started.map((thread) => thread.report));
  const elapsedMs = performance.now() - startedAtMs;
  let violation = reports.map((report) => report.violation).find((text) => text !== "") ?? "";
  try {
    violation ||= checkEnd(stress, store, blockBytes);
  } catch (error) {
    violation ||= String(error);
  }
  return {
    violation,
    valuesRead: sumOf(reports, (report) => report.valuesRead),
    orphanPieces: sumOf(reports, (report) => report.orphanPieces),
    abandoned: sumOf(reports, (report) => report.abandoned),
    outOfMemory: sumOf(reports, (report) => report.outOfMemory),
    reclaims: sumOf(reports, (report) => report.reclaims),
    elapsedMs,
  };
}

function checkEnd(
  stress: LeaseStress,
  store: storeModule.Store,
  blockBytesBefore: number,
): string {
  const { leases, orphanBytes } = store.stats();
  if (leases !== 0 || orphanBytes !== 0) return `${leases} leases, ${orphanBytes} orphan bytes`;
  store.assertInvariants();
  const key = new Key();
  for (let i = 0; i < stress.keys; i++) {
    const bytes = new TextEncoder().encode(`k${i}`);
    store.locate(key.set(bytes, 0, bytes.length));
    store.remove(0, key);
  }
  store.assertInvariants();
  const { blockBytes } = store.stats();
  return blockBytes === blockBytesBefore ? "" : `${blockBytes} bytes are left in blocks`;
}

function start(orders: LeaseOrders): CrewMember<LeaseReport> {
  return enlist(
    new URL("./lease_worker.ts", import.meta.url),
    `lease stress ${orders.threadId}`,
    orders,
  );
}
