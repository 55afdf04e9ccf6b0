/**
 * Where a thread's waits for shard locks and its holds of them are counted.
 *
 * @module
 */

import { HistogramIndex } from "../metrics/names.ts";
import type { MetricsRegion } from "../metrics/region.ts";
import type { ShardLocks } from "../store/locks.ts";

/**
 * Has what is measured counted in the thread's own histograms, too; does nothing when nothing is.
 *
 * Thread: the one whose locks and metrics they are, before it takes a lock.
 */
export function recordLockTimes(
  { timing }: ShardLocks,
  metrics: MetricsRegion,
  threadId: number,
): void {
  if (timing === undefined) return;
  timing.thread = {
    wait: metrics.histogram(threadId, HistogramIndex.LOCK_WAIT),
    hold: metrics.histogram(threadId, HistogramIndex.LOCK_HOLD),
  };
}
