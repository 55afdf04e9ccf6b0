import assert from "node:assert/strict";
import type { ServerGauges } from "../../../src/metrics/gauges.ts";
import { metricsJson } from "../../../src/metrics/json.ts";
import { COUNTER_ROWS, CounterIndex, HistogramIndex } from "../../../src/metrics/names.ts";
import { PrometheusExposition } from "../../../src/metrics/prometheus.ts";
import { MetricsRegion } from "../../../src/metrics/region.ts";

function gauges(shardCount = 2): ServerGauges {
  return {
    uptimeSeconds: 12.5,
    residentBytes: 50_000_000,
    channel: { depth: 3, capacity: 1000, highWaterMark: 17 },
    store: {
      maxMemoryBytes: 268435456,
      usedBytes: 131072,
      pagesTotal: 4096,
      pagesFree: 4094,
      leases: 2,
      orphanBytes: 70000,
      timedKeyCount: 3,
      expiredKeys: 5,
      evictedKeys: 6,
      blockBytes: 100,
      peakBytes: 200,
      detachedKeys: 6,
      keyCount: 5,
    },
    blockedClients: 4,
    eventIds: 7,
    ioThreads: 2,
    workers: { running: 2, min: 1, max: 4 },
    isLockTimed: false,
    locks: Array.from({ length: shardCount }, (_, i) => ({
      exclusive: 10 + i,
      shared: 100,
      contended: i,
    })),
  };
}

/** Samples by series, e.g. `sluice_active_connections{protocol="http"}` → 3. */
function samples(text: string): Map<string, number> {
  const result = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const match = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    assert.ok(match, `a sample line: ${line}`);
    assert.ok(!result.has(match[1]!), `${match[1]} appears once`);
    result.set(match[1]!, Number(match[2]));
  }
  return result;
}

Deno.test("PrometheusExposition: every counter is shown with its labels, help and type", async () => {
  const region = MetricsRegion.create(2);
  for (const [i, { index }] of COUNTER_ROWS.entries()) region.counters(1).set(index, 1000 + i);
  region.counters(0).set(CounterIndex.RECEIVED, 1_000_000);
  const text = await new PrometheusExposition(region).render(gauges());
  const shown = samples(text);
  for (const [i, { index, family, help, kind, labels }] of COUNTER_ROWS.entries()) {
    if (index === CounterIndex.RECEIVED) continue;
    const inner = Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join(",");
    const series = inner === "" ? family : `${family}{${inner}}`;
    assert.equal(shown.get(series), 1000 + i, series);
    assert.ok(text.includes(`# HELP ${family} ${help}\n# TYPE ${family} ${kind}\n`), family);
  }
  assert.equal(shown.get("sluice_events_received_total"), 1_001_000);
});

Deno.test("PrometheusExposition: a second scrape shows the values of its own time", async () => {
  const region = MetricsRegion.create(1);
  const exposition = new PrometheusExposition(region);
  region.counters(0).add(CounterIndex.RECEIVED, 5);
  const first = exposition.render(gauges());
  region.counters(0).add(CounterIndex.RECEIVED, 5);
  const second = exposition.render(gauges());
  assert.equal(samples(await first).get("sluice_events_received_total"), 5);
  assert.equal(samples(await second).get("sluice_events_received_total"), 10);
});

Deno.test("PrometheusExposition: histograms are cumulative, in seconds, and end with +Inf", async () => {
  const region = MetricsRegion.create(1);
  const histogram = region.histogram(0, HistogramIndex.RESP_LATENCY);
  for (const ms of [0.1, 1.5, 1.5, 900, 100_000]) histogram.recordMs(ms);
  const shown = samples(await new PrometheusExposition(region).render(gauges()));
  const name = "sluice_request_duration_seconds";
  const bucket = (le: string): number | undefined =>
    shown.get(`${name}_bucket{protocol="resp",le="${le}"}`);
  assert.equal(bucket("0.000064"), 0);
  assert.equal(bucket("0.000128"), 1);
  assert.equal(bucket("0.002048"), 3);
  assert.equal(bucket("1.048576"), 4);
  assert.equal(bucket("+Inf"), 5);
  assert.equal(shown.get(`${name}_count{protocol="resp"}`), 5);
  assert.equal(shown.get(`${name}_sum{protocol="resp"}`), 100.9031);
  assert.equal(shown.get(`${name}_count{protocol="http"}`), 0);
});

Deno.test("PrometheusExposition: shards are shown one by one only while they are few", async () => {
  const exposition = new PrometheusExposition(MetricsRegion.create(1));
  const few = samples(await exposition.render(gauges(2)));
  assert.equal(few.get('sluice_shard_lock_acquisitions_total{shard="1"}'), 111);
  assert.equal(few.get('sluice_shard_lock_contended_total{shard="1"}'), 1);
  assert.equal(few.get('sluice_lock_acquisitions_total{mode="exclusive"}'), 21);
  const many = await new PrometheusExposition(MetricsRegion.create(1)).render(gauges(4096));
  assert.ok(!many.includes("sluice_shard_lock"));
  assert.equal(samples(many).get('sluice_lock_acquisitions_total{mode="shared"}'), 409_600);
});

Deno.test("PrometheusExposition: times of locks are shown if they are measured, those of few shards one by one", async () => {
  const region = MetricsRegion.create(2);
  region.histogram(0, HistogramIndex.LOCK_WAIT).recordUs(0);
  region.histogram(1, HistogramIndex.LOCK_WAIT).recordUs(3.5);
  region.histogram(1, HistogramIndex.LOCK_HOLD).recordUs(0.25);
  const timed = (shardCount: number): ServerGauges => ({
    ...gauges(shardCount),
    isLockTimed: true,
    locks: gauges(shardCount).locks.map((lock, i) => ({
      ...lock,
      waitSumUs: 1500 * i,
      holdSumUs: 250,
    })),
  });
  const few = samples(await new PrometheusExposition(region, true).render(timed(2)));
  assert.equal(few.get('sluice_lock_wait_seconds_bucket{le="0.000002"}'), 1);
  assert.equal(few.get('sluice_lock_wait_seconds_bucket{le="0.000004"}'), 2);
  assert.equal(few.get("sluice_lock_wait_seconds_sum"), 3.5e-6);
  assert.equal(few.get("sluice_lock_hold_seconds_sum"), 0.25e-6);
  assert.equal(few.get("sluice_lock_hold_seconds_count"), 1);
  assert.equal(few.get('sluice_shard_lock_wait_seconds_total{shard="1"}'), 0.0015);
  assert.equal(few.get('sluice_shard_lock_hold_seconds_total{shard="0"}'), 0.00025);
  const many = await new PrometheusExposition(region, true).render(timed(4096));
  assert.ok(many.includes("sluice_lock_wait_seconds_count 2"));
  assert.ok(!many.includes("sluice_shard_lock"));
  const most = await new PrometheusExposition(region, true).render(timed(256));
  assert.ok(most.length < 100_000, `${most.length} bytes`);
  const off = await new PrometheusExposition(region).render(gauges(2));
  assert.doesNotMatch(off, /lock_(wait|hold)/);
});

Deno.test("metricsJson: times of locks are those of all threads, and null if they are not measured", () => {
  const region = MetricsRegion.create(2);
  region.histogram(0, HistogramIndex.LOCK_WAIT).recordUs(10_000);
  region.histogram(1, HistogramIndex.LOCK_WAIT).recordUs(0.5);
  region.histogram(1, HistogramIndex.LOCK_WAIT).recordUs(0.5);
  const { locks } = metricsJson(region, { ...gauges(), isLockTimed: true });
  assert.deepEqual(locks.wait, {
    count: 3,
    sum_ms: 10.001,
    p50_ms: 0.001,
    p90_ms: 10,
    p99_ms: 10,
    p999_ms: 10,
    max_ms: 10,
  });
  assert.equal(locks.hold?.count, 0);
  assert.equal(metricsJson(region, gauges()).locks.wait, null);
});

Deno.test("PrometheusExposition: names its content type", () => {
  const { contentType } = new PrometheusExposition(MetricsRegion.create(1));
  assert.match(contentType, /^text\/plain; version=0\.0\.4/);
});

Deno.test("metricsJson: has the event counters and all connections at top level", () => {
  const region = MetricsRegion.create(2);
  const io = region.counters(0);
  io.add(CounterIndex.RECEIVED, 10);
  io.add(CounterIndex.DROPPED_BUSY, 2);
  io.add(CounterIndex.INVALID, 4);
  io.add(CounterIndex.HTTP_CONNECTIONS_ACTIVE, 3);
  io.add(CounterIndex.RESP_CONNECTIONS_ACTIVE, 2);
  region.counters(1).add(CounterIndex.PROCESSED, 5);
  region.counters(1).add(CounterIndex.FAILED_OVERFLOW, 1);
  region.histogram(1, HistogramIndex.EVENT_SETTLEMENT).recordMs(2);
  const json = metricsJson(region, gauges());
  assert.equal(json.received, 10);
  assert.equal(json.processed, 5);
  assert.equal(json.dropped, 2);
  assert.equal(json.failed, 1);
  assert.equal(json.pending, 2);
  assert.equal(json.invalid, 4);
  assert.equal(json.active_connections, 5);
  assert.deepEqual(json.dropped_by_reason, {
    server_busy: 2,
    out_of_memory: 0,
    shutting_down: 0,
    storage_unavailable: 0,
  });
  assert.equal(json.failed_by_reason.overflow, 1);
  assert.equal(json.settlement.count, 1);
  assert.equal(json.settlement.p99_ms, 2);
  assert.equal(json.channel.high_water_mark, 17);
  assert.deepEqual(json.locks, {
    shards: 2,
    exclusive: 21,
    shared: 200,
    contended: 1,
    wait: null,
    hold: null,
  });
  assert.deepEqual(JSON.parse(JSON.stringify(json)), json);
});

Deno.test("metrics: the log is shown with a data directory, and without one there is nothing of it", () => {
  const region = MetricsRegion.create(1);
  const log: NonNullable<ServerGauges["log"]> = {
    phase: "repairing",
    position: 1000,
    durablePosition: 700,
    waitingBytes: 50,
    writtenBytes: 900,
    pieces: 4,
    records: 12,
    failures: 1,
    syncSumMs: 12.5,
    syncMaxMs: 10,
    syncBoundsUs: [16, 32],
    syncCounts: [1, 2, 3],
    snapshots: 2,
    snapshotFailures: 1,
    snapshotRuns: true,
    snapshotAtMs: 5000,
    snapshotTookMs: 250,
    snapshotKeys: 7,
    snapshotBytes: 4096,
    recoveryTookMs: 1500,
    recoveryApplied: 99,
    recoveryTornBytes: 8,
    recoveryPending: 3,
  };
  const text = new PrometheusExposition(region).render({ ...gauges(), log });
  const shown = samples(text);
  const expected = {
    'sluice_log_state{state="serving"}': 0,
    'sluice_log_state{state="repairing"}': 1,
    sluice_log_lag_bytes: 350,
    sluice_log_written_bytes_total: 900,
    sluice_log_writes_total: 4,
    sluice_log_records_total: 12,
    sluice_log_failures_total: 1,
    'sluice_log_sync_seconds_bucket{le="0.000016"}': 1,
    'sluice_log_sync_seconds_bucket{le="0.000032"}': 2,
    'sluice_log_sync_seconds_bucket{le="+Inf"}': 3,
    sluice_log_sync_seconds_sum: 0.0125,
    sluice_log_sync_seconds_count: 3,
    sluice_snapshots_total: 2,
    sluice_snapshot_failures_total: 1,
    sluice_snapshot_running: 1,
    sluice_snapshot_timestamp_seconds: 5,
    sluice_snapshot_duration_seconds: 0.25,
    sluice_snapshot_keys: 7,
    sluice_snapshot_bytes: 4096,
    sluice_recovery_duration_seconds: 1.5,
    sluice_recovery_applied: 99,
    sluice_recovery_torn_bytes: 8,
    sluice_recovery_events_requeued: 3,
  };
  for (const [series, value] of Object.entries(expected)) {
    assert.equal(shown.get(series), value, series);
  }
  const json = metricsJson(region, { ...gauges(), log }).log!;
  assert.equal(json.state, "repairing");
  assert.equal(json.lag_bytes, 350);
  assert.deepEqual(json.syncs, { count: 3, sum_ms: 12.5, max_ms: 10 });
  assert.equal(json.snapshots.last_keys, 7);
  assert.equal(json.recovery.events_requeued, 3);
  assert.ok(!new PrometheusExposition(region).render(gauges()).includes("sluice_log_state"));
  assert.equal(metricsJson(region, gauges()).log, null);
});
