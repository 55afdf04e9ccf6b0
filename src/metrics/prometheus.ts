/**
 * The metrics as Prometheus text.
 *
 * `prom-client` writes the format; its own counting is not used, because the counts live in shared
 * memory. Each scrape copies one snapshot into the registry and renders it.
 *
 * @module
 */

import { Counter, Gauge, type Histogram, Registry } from "prom-client";
import { METRICS_MAX_SHARD_SERIES } from "../base/limits.ts";
import { type ServerGauges, sumLocks } from "./gauges.ts";
import type { HistogramSnapshot } from "./histogram.ts";
import { COUNTER_ROWS, HistogramIndex } from "./names.ts";
import { type EventCounters, eventCounters, type MetricsRegion } from "./region.ts";

/** Bucket bounds that a scrape shows, µs: powers of two, which are exact, from 16 µs to 33 s. */
const SHOWN_BOUNDS_US: readonly number[] = Array.from({ length: 22 }, (_, i) => 2 ** (i + 4));

/** The same for locks, which most are held for less, from 1 µs on. */
const LOCK_BOUNDS_US: readonly number[] = Array.from({ length: 26 }, (_, i) => 2 ** i);

type Labels = Record<string, string>;

/** A histogram series as the exposition shows it. */
interface HistogramSeries {
  readonly labels: Labels;
  readonly snapshot: HistogramSnapshot;
}

/**
 * Renders metrics as Prometheus text.
 *
 * Thread: belongs to one thread; needs nothing but read access to the region.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export class PrometheusExposition {
  /** Value for the `Content-Type` header. */
  readonly contentType: string;

  readonly #region: MetricsRegion;
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();

  /**
   * Prepares the metric families; nothing is read before {@link PrometheusExposition.render}.
   *
   * @param isLockTimed whether waits for shard locks and holds of them are measured
   */
  constructor(region: MetricsRegion, isLockTimed = false) {
    this.#region = region;
    this.contentType = this.#registry.contentType;
    this.#addHistogram(
      "sluice_request_duration_seconds",
      "From reading a request to its reply.",
      () => [
        { labels: { protocol: "http" }, snapshot: region.snapshot(HistogramIndex.HTTP_LATENCY) },
        { labels: { protocol: "resp" }, snapshot: region.snapshot(HistogramIndex.RESP_LATENCY) },
        { labels: { protocol: "proto" }, snapshot: region.snapshot(HistogramIndex.PROTO_LATENCY) },
      ],
    );
    this.#addHistogram(
      "sluice_event_settlement_seconds",
      "From the acceptance of an event to its settlement.",
      () => [{ labels: {}, snapshot: region.snapshot(HistogramIndex.EVENT_SETTLEMENT) }],
    );
    if (!isLockTimed) return;
    this.#addHistogram(
      "sluice_lock_wait_seconds",
      "From asking for a shard lock to having it, all shards and threads.",
      () => [{ labels: {}, snapshot: region.snapshot(HistogramIndex.LOCK_WAIT) }],
      LOCK_BOUNDS_US,
    );
    this.#addHistogram(
      "sluice_lock_hold_seconds",
      "From having a shard lock to giving it back, all shards and threads.",
      () => [{ labels: {}, snapshot: region.snapshot(HistogramIndex.LOCK_HOLD) }],
      LOCK_BOUNDS_US,
    );
  }

  /**
   * Takes a snapshot and renders it.
   *
   * Thread: the one that made this object.
   */
  render(gauges: ServerGauges): Promise<string> {
    // A counter cannot be set: it starts again at 0 and grows by the whole value.
    for (const counter of this.#counters.values()) counter.reset();
    const events = this.#setCounters();
    this.#setGauges(gauges, events);
    // The registry reads every value before its first await, so overlapping scrapes do not mix.
    return this.#registry.metrics();
  }

  #setCounters(): EventCounters {
    const sums = this.#region.readCounters();
    for (const { index, family, help, kind, labels } of COUNTER_ROWS) {
      if (kind === "counter") this.#count(family, help, sums[index]!, labels);
      else this.#set(family, help, sums[index]!, labels);
    }
    return eventCounters(sums);
  }

  #setGauges(gauges: ServerGauges, events: EventCounters): void {
    const { channel, store, workers, locks } = gauges;
    this.#set("sluice_events_pending", "Accepted events not settled yet.", events.pending);
    this.#set("sluice_channel_depth", "Jobs waiting in the channel.", channel.depth);
    this.#set("sluice_channel_capacity", "Jobs that may wait in the channel.", channel.capacity);
    this.#set(
      "sluice_channel_high_water_mark",
      "Most jobs that ever waited in the channel.",
      channel.highWaterMark,
    );
    this.#set(
      "sluice_blocked_clients",
      "Clients that wait for keys or for the outcome of an event.",
      gauges.blockedClients,
    );
    this.#set("sluice_io_threads", "Threads that serve connections.", gauges.ioThreads);
    this.#set("sluice_workers", "Event workers running.", workers.running);
    this.#set("sluice_workers_min", "Fewest event workers.", workers.min);
    this.#set("sluice_workers_max", "Most event workers.", workers.max);
    this.#set("sluice_keys", "Keys in all databases.", store.keyCount);
    this.#set("sluice_memory_used_bytes", "Bytes of the arena in use.", store.usedBytes);
    this.#set("sluice_memory_max_bytes", "Bytes of the arena.", store.maxMemoryBytes);
    this.#set("sluice_memory_pages", "Pages of the arena.", store.pagesTotal);
    this.#set("sluice_memory_pages_free", "Pages leased by no shard.", store.pagesFree);
    this.#set("sluice_memory_peak_bytes", "Most bytes ever in use.", store.peakBytes);
    this.#set("sluice_memory_block_bytes", "Bytes in use inside of pages.", store.blockBytes);
    this.#set("sluice_keys_with_ttl", "Keys that have a time to live.", store.timedKeyCount);
    this.#count("sluice_expired_keys_total", "Keys removed when expired.", store.expiredKeys);
    this.#count("sluice_evicted_keys_total", "Keys removed to make room.", store.evictedKeys);
    this.#set("sluice_value_leases", "Large values being sent to clients.", store.leases);
    this.#set(
      "sluice_memory_orphan_bytes",
      "Bytes of values without a key that are still being sent.",
      store.orphanBytes,
    );
    this.#set(
      "sluice_flushed_keys_pending",
      "Keys of flushed databases whose memory is still to be freed.",
      store.detachedKeys,
    );
    this.#set("sluice_uptime_seconds", "Seconds since start.", gauges.uptimeSeconds);
    this.#set("process_resident_memory_bytes", "Resident memory.", gauges.residentBytes);
    const sum = sumLocks(locks);
    const acquired = "sluice_lock_acquisitions_total";
    const acquiredHelp = "Acquisitions of shard locks, all shards.";
    this.#count(acquired, acquiredHelp, sum.exclusive, { mode: "exclusive" });
    this.#count(acquired, acquiredHelp, sum.shared, { mode: "shared" });
    this.#count(
      "sluice_lock_contended_total",
      "Acquisitions that found the shard lock taken, all shards.",
      sum.contended,
    );
    // Thousands of series would cost more to scrape than they tell.
    if (locks.length > METRICS_MAX_SHARD_SERIES) return;
    for (const [shard, lock] of locks.entries()) {
      const labels = { shard: String(shard) };
      this.#count(
        "sluice_shard_lock_acquisitions_total",
        "Acquisitions of a shard's lock.",
        lock.exclusive + lock.shared,
        labels,
      );
      this.#count(
        "sluice_shard_lock_contended_total",
        "Acquisitions that found a shard's lock taken.",
        lock.contended,
        labels,
      );
      if (lock.waitSumUs === undefined || lock.holdSumUs === undefined) continue;
      this.#count(
        "sluice_shard_lock_wait_seconds_total",
        "How long a shard's lock was waited for.",
        lock.waitSumUs / 1e6,
        labels,
      );
      this.#count(
        "sluice_shard_lock_hold_seconds_total",
        "How long a shard's lock was held.",
        lock.holdSumUs / 1e6,
        labels,
      );
    }
  }

  #count(name: string, help: string, value: number, labels: Readonly<Labels> = {}): void {
    let counter = this.#counters.get(name);
    if (counter === undefined) {
      counter = new Counter(this.#options(name, help, Object.keys(labels)));
      this.#counters.set(name, counter);
    }
    counter.inc(labels, value);
  }

  #set(name: string, help: string, value: number, labels: Readonly<Labels> = {}): void {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge(this.#options(name, help, Object.keys(labels)));
      this.#gauges.set(name, gauge);
    }
    gauge.set(labels, value);
  }

  #options(name: string, help: string, labelNames: string[]): {
    name: string;
    help: string;
    labelNames: string[];
    registers: Registry[];
  } {
    return { name, help, labelNames, registers: [this.#registry] };
  }

  #addHistogram(
    name: string,
    help: string,
    read: () => HistogramSeries[],
    boundsUs = SHOWN_BOUNDS_US,
  ): void {
    const get = (): Promise<unknown> =>
      Promise.resolve({
        name,
        help,
        type: "histogram",
        aggregator: "sum",
        values: read().flatMap((series) => histogramValues(name, series, boundsUs)),
      });
    // A registry asks a metric for nothing but these; prom-client's own histogram cannot be set.
    this.#registry.registerMetric({ name, help, get } as unknown as Histogram);
  }
}

function histogramValues(
  name: string,
  { labels, snapshot }: HistogramSeries,
  boundsUs: readonly number[],
): { metricName: string; labels: Labels; value: number }[] {
  const bucketName = `${name}_bucket`;
  const counts = snapshot.cumulative(boundsUs);
  const buckets = boundsUs.map((boundUs, i) => ({
    metricName: bucketName,
    labels: { ...labels, le: String(boundUs / 1e6) },
    value: counts[i]!,
  }));
  return [
    ...buckets,
    { metricName: bucketName, labels: { ...labels, le: "+Inf" }, value: snapshot.count },
    { metricName: `${name}_sum`, labels, value: snapshot.sumUs / 1e6 },
    { metricName: `${name}_count`, labels, value: snapshot.count },
  ];
}
