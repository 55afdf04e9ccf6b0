/**
 * Runs threads that fight for a few shard locks, and looks for what only a race can leave behind.
 *
 * Used by the stress task with many sections, by the normal suite with fewer, and with broken twins
 * of the locks that it must catch.
 *
 * @module
 */

import { ControlRegion } from "../../src/store/control.ts";
import { type LockKind, ShardLocks } from "../../src/store/locks.ts";
import { type CrewMember, enlist, sumOf } from "./crew.ts";
import {
  Block,
  BLOCK_WORDS,
  DATA_WORDS,
  LockEvidence,
  type LockOrders,
  type LockReport,
} from "./lock_evidence.ts";
import type { Mutation } from "./twin.ts";

/** Where the locks are. */
export const LOCKS_URL = new URL("../../src/store/locks.ts", import.meta.url);

/** What to run. */
export interface LockStress {
  kind: LockKind;
  shardCount: number;
  blockingThreads: number;
  taskThreads: number;
  sectionsPerThread: number;
  exclusiveShare: number;
  /** Module to take ShardLocks from; default: the real one. */
  locksModule?: string;
  releasesEarly?: boolean;
  deadlineMs: number;
}

/** What came out. */
export interface LockStressResult {
  sections: number;
  violations: number;
  /** Exclusive sections whose change is not in the data. */
  lost: number;
  contended: number;
  sharedOverlaps: number;
  timedOut: boolean;
  /** Bits, holders or waiters that were left behind, or errors; "" when there are none. */
  leftovers: string;
  elapsedMs: number;
}

/** Whether the locks did everything they promise. */
export function isClean(result: LockStressResult): boolean {
  return result.violations === 0 && result.lost === 0 && !result.timedOut &&
    result.leftovers === "";
}

/** Defects of the lock itself; the stress must find each. */
export const LOCK_MUTATIONS: readonly (Mutation & { kinds: LockKind[] })[] = [
  {
    name: "tryLock overlooks that the lock is held",
    kinds: ["mutex", "rwlock"],
    find: "      if (Atomics.compareExchange(this.#words, at, 0, this.#ownWord) === 0) {",
    replace: "      if (Atomics.exchange(this.#words, at, this.#ownWord) !== -1) {",
  },
  {
    name: "a waiter takes the lock without compare-and-swap",
    kinds: ["mutex"],
    find: "      if (Atomics.compareExchange(words, at, word, this.#ownWord) === word) {",
    replace: "      if (Atomics.exchange(words, at, this.#ownWord) !== -1) {",
  },
  {
    name: "shared holders enter beside an exclusive one",
    kinds: ["rwlock"],
    find: "\n    } else if (this.#enterShared(at, shard, EXCLUSIVE | STARVING | WRITER_FIRST)) {",
    replace: "\n    } else if (this.#enterShared(at, shard, STARVING | WRITER_FIRST)) {",
  },
  {
    name: "an exclusive waiter does not wait for shared holders",
    kinds: ["rwlock"],
    find: "      if ((word & OWNER_MASK) !== 0) {\n        // Shared",
    replace: "      if ((word & OWNER_MASK) > 0xfff) {\n        // Shared",
  },
];

/** Sleeps that end by the clock hide lost wake-ups; with these changes they do not. */
export const PATIENT: readonly Mutation[] = [
  {
    name: "long slices",
    find: "export const WAIT_SLICE_MS = 100;",
    replace: "export const WAIT_SLICE_MS = 600_000;",
  },
  {
    name: "long async slices",
    find: "const ASYNC_WAIT_SLICE_MS = 1000;",
    replace: "const ASYNC_WAIT_SLICE_MS = 600_000;",
  },
];

/** Lost wake-ups; together with {@link PATIENT} they make the stress hang. */
export const LOST_WAKE_UPS: readonly Mutation[] = [
  {
    name: "a waiter never says that it is awake",
    find: `        } else if (outcome === "ok" && alone) Atomics.sub(words, at + PENDING, 1);`,
    replace: "        }",
  },
  {
    name: "a notification that woke nobody counts",
    find: "        if (woken > 0) Atomics.add(words, at + PENDING, woken);",
    replace: "        Atomics.add(words, at + PENDING, Math.max(1, woken));",
  },
  {
    name: "who waited before is taken for a newcomer",
    find: `        const isNewcomer = gate === firstGate && slices === 0;
        if (this.#acquireAsWaiter(at, shard, alone, isNewcomer, slices)) {
          this.timing?.acquired(shard, alone, sinceMs);
          return;
        }
        const outcome = Atomics.wait(`,
    replace: `        const isNewcomer = slices === 0;
        if (this.#acquireAsWaiter(at, shard, alone, isNewcomer, slices)) return;
        const outcome = Atomics.wait(`,
  },
];

/** Runs one stress to its end or deadline. */
export async function runLockStress(stress: LockStress): Promise<LockStressResult> {
  const threads = stress.blockingThreads + stress.taskThreads;
  const region = ControlRegion.create({
    shardCount: stress.shardCount,
    lockKind: stress.kind === "rwlock" ? 1 : 0,
    pageCount: 2,
    threadCount: threads + 1,
    hashSeed: new Uint32Array(2),
    maxValueBytes: 1,
    segmentShift: 13,
  });
  const hotShards = stress.shardCount === 1 ? [0] : [3, stress.shardCount - 1];
  const evidence = new Int32Array(
    new SharedArrayBuffer((LockEvidence.BLOCKS + hotShards.length * BLOCK_WORDS) * 4),
  );
  const started = Array.from({ length: threads }, (_, i) =>
    start({
      role: i < stress.blockingThreads ? "blocking" : "tasks",
      threadId: i + 1,
      sections: stress.sectionsPerThread,
      exclusiveShare: stress.exclusiveShare,
      sharing: stress.kind === "rwlock",
      hotShards,
      locksModule: stress.locksModule ?? LOCKS_URL.href,
      releasesEarly: stress.releasesEarly ?? false,
      control: region.buffer,
      evidence: evidence.buffer,
    }));
  await Promise.all(started.map((thread) => thread.ready));
  const locks = new ShardLocks(region, 0, false);
  let timedOut = false;
  const startedAtMs = performance.now();
  const timer = setTimeout(() => {
    timedOut = true;
    Atomics.store(evidence, LockEvidence.STOP, 1);
    // Whoever sleeps for good is woken with an error and can report.
    for (const shard of hotShards) locks.poison(shard, 0);
  }, stress.deadlineMs);
  Atomics.store(evidence, LockEvidence.START, 1);
  Atomics.notify(evidence, LockEvidence.START);
  const reports = await Promise.all(started.map((thread) => thread.report));
  clearTimeout(timer);

  let lost = 0;
  let contended = 0;
  const leftovers = reports.map((report) => report.error).filter((error) => error !== "");
  for (const [hot, shard] of hotShards.entries()) {
    const done = reports.reduce((sum, report) => sum + report.exclusiveSections[hot]!, 0);
    for (let i = 0; i < DATA_WORDS; i++) {
      const at = LockEvidence.BLOCKS + hot * BLOCK_WORDS + Block.DATA + i * 16;
      lost = Math.max(lost, Math.abs(done - evidence[at]!));
    }
    contended += locks.counters(shard).contended;
    const line = region.words.subarray(region.shardAt(shard), region.shardAt(shard) + 3);
    if (line.some((word) => word !== 0)) leftovers.push(`shard ${shard}: ${[...line]}`);
  }
  return {
    sections: sumOf(
      reports,
      (report) => report.sharedSections + report.exclusiveSections.reduce((a, b) => a + b, 0),
    ),
    violations: sumOf(reports, (report) => report.violations),
    lost,
    contended,
    sharedOverlaps: sumOf(reports, (report) => report.sharedOverlaps),
    timedOut,
    leftovers: leftovers.join("; "),
    elapsedMs: performance.now() - startedAtMs,
  };
}

function start(orders: LockOrders): CrewMember<LockReport> {
  return enlist(
    new URL("./lock_worker.ts", import.meta.url),
    `lock stress ${orders.threadId}`,
    orders,
  );
}
