/**
 * Throughput of one store by number of workers, number of shards and kind of lock.
 *
 * Each operation sleeps with the lock held, so it is the locks that decide how many operations
 * there are in a second, and not the processors: sleepers need none. One lock grants a thousand of
 * them at most; what more there is comes from shards that are used at the same time, and from
 * readers that share.
 *
 * @module
 */

import { Crew, type CrewResult } from "../crew/crew.ts";
import type { SweepPoint, SweepReport } from "../model.ts";
import type { StageContext } from "../stage.ts";
import { SweepStore } from "./sweep_store.ts";

/** What to go through. */
export interface SweepPlan {
  /** Kinds of lock. */
  readonly locks: readonly SweepPoint["lock"][];
  /** Numbers of shards. */
  readonly shards: readonly number[];
  /** Numbers of workers. */
  readonly workers: readonly number[];
  /** How long each combination is measured. Unit: ms. */
  readonly pointMs: number;
}

/** The sweep of the report. It takes about a minute. */
export const FULL_SWEEP: SweepPlan = {
  locks: ["mutex", "rwlock"],
  shards: [1, 4, 16, 64, 256],
  workers: [1, 2, 4, 8, 16],
  pointMs: 1100,
};

/** How long {@link FULL_SWEEP} takes. Unit: s. */
export const SWEEP_EXPECTED_SECONDS = 60;

/** How long an operation sleeps with the lock held. Unit: ms. */
const HELD_MS = 1;

/**
 * Measures all combinations.
 *
 * @param plan what to measure; {@link FULL_SWEEP} unless said otherwise
 * @throws what the signal was aborted with; an `Error` when a store does not hold what was written
 */
export async function runSweep(
  context: Pick<StageContext, "signal" | "show">,
  plan: SweepPlan = FULL_SWEEP,
): Promise<SweepReport> {
  const { signal } = context;
  signal.throwIfAborted();
  using crew = new Crew(Math.max(...plan.workers));
  const points: SweepPoint[] = [];
  const pointCount = plan.locks.length * plan.shards.length * plan.workers.length;
  for (const lock of plan.locks) {
    for (const shards of plan.shards) {
      const store = new SweepStore(lock, shards);
      for (const workers of plan.workers) {
        context.show(points.length / pointCount, `${lock}, ${shards} shards, ${workers} workers`);
        const measured = await measure(crew, store, { workers, pointMs: plan.pointMs, signal });
        signal.throwIfAborted();
        points.push({ lock, shards, workers, ...measured });
      }
    }
  }
  return {
    operation: `${HELD_MS} ms of sleep under the lock of the key's shard, half of them reads`,
    durationMs: plan.pointMs,
    points,
  };
}

interface PointOptions {
  readonly workers: number;
  readonly pointMs: number;
  readonly signal: AbortSignal;
}

async function measure(
  crew: Crew,
  store: SweepStore,
  { workers, pointMs, signal }: PointOptions,
): Promise<Pick<SweepPoint, "operationsPerSecond" | "contendedShare">> {
  const sumBefore = store.sum();
  const before = store.lockTotals();
  const tasks = store.tasks(workers, HELD_MS);
  const result = await crew.runFor({ tasks, durationMs: pointMs, signal });
  const after = store.lockTotals();
  const acquired = after.acquired - before.acquired;
  assertCounted(result, store.sum() - sumBefore, acquired);
  return {
    operationsPerSecond: result.workCount / result.wallMs * 1000,
    contendedShare: acquired === 0 ? 0 : (after.contended - before.contended) / acquired,
  };
}

/** What is fast because it is wrong is not worth a point. */
function assertCounted(result: CrewResult, added: number, acquired: number): void {
  if (added !== result.writeCount) {
    throw new Error(`Cannot trust the sweep: ${result.writeCount} writes added ${added}`);
  }
  if (acquired !== result.workCount) {
    throw new Error(`Cannot trust the sweep: ${result.workCount} operations, ${acquired} locks`);
  }
}
