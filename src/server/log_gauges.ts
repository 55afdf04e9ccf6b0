/**
 * The log of the data directory in numbers.
 *
 * @module
 */

import { LogFigure, SYNC_BOUNDS_US } from "../durability/log_status.ts";
import type { ThreadLog } from "../durability/thread_log.ts";
import type { LogGauges } from "../metrics/gauges.ts";

/** Reads them. Thread: any. */
export function logGauges({ intake, phase, recovery, status }: ThreadLog): LogGauges {
  return {
    phase,
    // In this order, so that what is durable is not found beyond what is written.
    durablePosition: status.get(LogFigure.DURABLE_POSITION),
    position: status.get(LogFigure.POSITION),
    waitingBytes: intake.waitingBytes,
    writtenBytes: status.get(LogFigure.BYTES),
    pieces: status.get(LogFigure.PIECES),
    records: status.get(LogFigure.RECORDS),
    failures: status.get(LogFigure.FAILURES),
    syncSumMs: status.get(LogFigure.SYNC_SUM_MS),
    syncMaxMs: status.get(LogFigure.SYNC_MAX_MS),
    syncBoundsUs: SYNC_BOUNDS_US,
    syncCounts: status.syncCounts(),
    snapshots: status.get(LogFigure.SNAPSHOTS),
    snapshotFailures: status.get(LogFigure.SNAPSHOT_FAILURES),
    snapshotRuns: status.get(LogFigure.SNAPSHOT_RUNS) !== 0,
    snapshotAtMs: status.get(LogFigure.SNAPSHOT_AT_MS),
    snapshotTookMs: status.get(LogFigure.SNAPSHOT_TOOK_MS),
    snapshotKeys: status.get(LogFigure.SNAPSHOT_KEYS),
    snapshotBytes: status.get(LogFigure.SNAPSHOT_BYTES),
    recoveryTookMs: recovery?.tookMs ?? 0,
    recoveryApplied: recovery?.appliedCount ?? 0,
    recoveryTornBytes: recovery?.tornBytes ?? 0,
    recoveryPending: recovery?.pendingCount ?? 0,
  };
}
