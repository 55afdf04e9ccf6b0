/**
 * Throughput of one store by number of workers, number of shards and kind of lock.
 *
 * Each operation sleeps with the lock held, so it is the locks that decide how many operations
 * there are in a second, and not the processors: sleepers need none. One lock grants a thousand of
 * them at most; what more there is comes from shards that are used at the same time, and from
 * readers that share. A thread that gives a lock back and takes it again at once finds it free, so
 * about half of the acquisitions of one lock are not contended, however many want it.
 *
 * Beside it the same operations are measured without the sleep. Those are limited by the processors:
 * beyond one worker for each, more shards only keep workers from being in each other's way.
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
  /** The same for operations that do not sleep; 0 = not measured. Unit: ms. */
  readonly barePointMs: number;
}

/** The sweep of the report. It takes a little more than a minute. */
export const FULL_SWEEP: SweepPlan = {
  locks: ["mutex", "rwlock"],
  shards: [1, 4, 16, 64, 256],
  workers: [1, 2, 4, 8, 16],
  pointMs: 1000,
  barePointMs: 200,
};

/** How long {@link FULL_SWEEP} takes. Unit: s. */
export const SWEEP_EXPECTED_SECONDS = 66;

/** How long an operation sleeps with the lock held. Unit: ms. */
const HELD_MS = 1;

/** How long each thread warms up, where they have one processor for all. Unit: ms. */
const WARM_UP_MS = 30;

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
  const barePoints: SweepPoint[] = [];
  if (plan.barePointMs > 0) await warmUp(crew, signal);
  const storeCount = plan.locks.length * plan.shards.length;
  for (const lock of plan.locks) {
    for (const shards of plan.shards) {
      const store = new SweepStore(lock, shards);
      for (const workers of plan.workers) {
        context.show(
          points.length / (storeCount * plan.workers.length),
          `${lock}, ${shards} shards, ${workers} workers`,
        );
        const combination = { lock, shards, workers };
        const sleeping = { workers, heldMs: HELD_MS, pointMs: plan.pointMs, signal };
        points.push({ ...combination, ...await measure(crew, store, sleeping) });
        if (plan.barePointMs === 0) continue;
        const bare = { workers, heldMs: 0, pointMs: plan.barePointMs, signal };
        barePoints.push({ ...combination, ...await measure(crew, store, bare) });
      }
    }
  }
  return {
    operation: `${HELD_MS} ms of sleep under the lock of the key's shard, half of them reads`,
    durationMs: plan.pointMs,
    points,
    ...(barePoints.length > 0 ? { barePoints } : {}),
  };
}

/** Operations that do not sleep are slow until every thread's compiler has seen enough of them. */
async function warmUp(crew: Crew, signal: AbortSignal): Promise<void> {
  const tasks = new SweepStore("rwlock", 16).tasks(crew.threadCount, 0);
  await crew.runFor({ tasks, durationMs: crew.threadCount * WARM_UP_MS, signal });
}

interface PointOptions {
  readonly workers: number;
  readonly heldMs: number;
  readonly pointMs: number;
  readonly signal: AbortSignal;
}

async function measure(
  crew: Crew,
  store: SweepStore,
  { workers, heldMs, pointMs, signal }: PointOptions,
): Promise<Pick<SweepPoint, "operationsPerSecond" | "contendedShare">> {
  const sumBefore = store.sum();
  const before = store.lockTotals();
  const tasks = store.tasks(workers, heldMs);
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
