/**
 * The log of the data directory, as the expositions show it.
 *
 * @module
 */

import type { LogGauges } from "./gauges.ts";
import type { PrometheusText } from "./prometheus_text.ts";

/** Every phase, for a series each. */
const PHASES = ["serving", "failed", "repairing"] as const;

/** Adds the series of the log to a page. */
export function addLog(text: PrometheusText, log: LogGauges): void {
  const set = (name: string, help: string, value: number): void =>
    text.family(`sluice_${name}`, help, "gauge").add(value);
  const count = (name: string, help: string, value: number): void =>
    text.family(`sluice_${name}`, help, "counter").add(value);
  const state = text.family("sluice_log_state", "How the log is: 1 for what is so.", "gauge");
  for (const phase of PHASES) state.add(phase === log.phase ? 1 : 0, { state: phase });
  set("log_position_bytes", "Behind all of the log that was written.", log.position);
  set("log_durable_bytes", "All of the log in front of it is on the disk.", log.durablePosition);
  set(
    "log_lag_bytes",
    "Written and not on the disk for sure, or waiting to be written.",
    log.position - log.durablePosition + log.waitingBytes,
  );
  count("log_written_bytes_total", "Bytes written to the log.", log.writtenBytes);
  count("log_writes_total", "Writes to the log, of all that had arrived meanwhile.", log.pieces);
  count("log_records_total", "Effects of commands and events in them.", log.records);
  count("log_failures_total", "Times that the log could not be written or synced.", log.failures);
  addSyncs(text, log);
  count("snapshots_total", "Snapshots completed.", log.snapshots);
  count("snapshot_failures_total", "Snapshots that could not be written.", log.snapshotFailures);
  set("snapshot_running", "1 while a snapshot is being taken.", log.snapshotRuns ? 1 : 0);
  set(
    "snapshot_timestamp_seconds",
    "When the last snapshot was complete; 0 = none was since the start.",
    log.snapshotAtMs / 1000,
  );
  set("snapshot_duration_seconds", "How long the last one took.", log.snapshotTookMs / 1000);
  set("snapshot_keys", "Keys in it.", log.snapshotKeys);
  set("snapshot_bytes", "How long it is.", log.snapshotBytes);
  set(
    "recovery_duration_seconds",
    "How long the start took to read the data directory.",
    log.recoveryTookMs / 1000,
  );
  set("recovery_applied", "Effects that the start applied.", log.recoveryApplied);
  set("recovery_torn_bytes", "Bytes that it cut off the end of the log.", log.recoveryTornBytes);
  set(
    "recovery_events_requeued",
    "Events that were accepted before the start and had to be settled.",
    log.recoveryPending,
  );
}

function addSyncs(text: PrometheusText, log: LogGauges): void {
  const help = "How long the disk took to have what was written.";
  const family = text.family("sluice_log_sync_seconds", help, "histogram");
  const total = log.syncCounts.at(-1)!;
  for (const [i, boundUs] of log.syncBoundsUs.entries()) {
    family.add(log.syncCounts[i]!, { le: String(boundUs / 1e6) }, "_bucket");
  }
  family.add(total, { le: "+Inf" }, "_bucket");
  family.add(log.syncSumMs / 1000, {}, "_sum");
  family.add(total, {}, "_count");
}

/** The log in `GET /metrics` with `Accept: application/json`. */
export interface LogJson {
  /** `"serving"`, `"failed"` or `"repairing"`. */
  state: LogGauges["phase"];
  /** Behind all that was written, bytes. */
  position: number;
  /** All in front of it is on the disk. */
  durable: number;
  /** What is written and not on the disk for sure, or waits to be written, bytes. */
  lag_bytes: number;
  /** Bytes written since start. */
  written_bytes: number;
  /** Writes. */
  writes: number;
  /** Effects of commands and events in these writes. */
  records: number;
  /** Times that it could not be written or synced. */
  failures: number;
  /** How long syncs took. */
  syncs: { count: number; sum_ms: number; max_ms: number };
  /** Snapshots since start. */
  snapshots: {
    completed: number;
    failed: number;
    running: boolean;
    last_at_ms: number;
    last_took_ms: number;
    last_keys: number;
    last_bytes: number;
  };
  /** What the start made of the directory. */
  recovery: { took_ms: number; applied: number; torn_bytes: number; events_requeued: number };
}

/** Makes it. */
export function logJson(log: LogGauges): LogJson {
  return {
    state: log.phase,
    position: log.position,
    durable: log.durablePosition,
    lag_bytes: log.position - log.durablePosition + log.waitingBytes,
    written_bytes: log.writtenBytes,
    writes: log.pieces,
    records: log.records,
    failures: log.failures,
    syncs: {
      count: log.syncCounts.at(-1)!,
      sum_ms: Math.round(log.syncSumMs * 1000) / 1000,
      max_ms: Math.round(log.syncMaxMs * 1000) / 1000,
    },
    snapshots: {
      completed: log.snapshots,
      failed: log.snapshotFailures,
      running: log.snapshotRuns,
      last_at_ms: log.snapshotAtMs,
      last_took_ms: log.snapshotTookMs,
      last_keys: log.snapshotKeys,
      last_bytes: log.snapshotBytes,
    },
    recovery: {
      took_ms: Math.round(log.recoveryTookMs),
      applied: log.recoveryApplied,
      torn_bytes: log.recoveryTornBytes,
      events_requeued: log.recoveryPending,
    },
  };
}
