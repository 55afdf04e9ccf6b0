/**
 * The metrics as Prometheus text.
 *
 * The counts live in shared memory; each scrape reads one snapshot of them and writes it down. The
 * format is simple enough to be written here: a client library counts, which is not needed, and
 * would take a sixth of an idle server's memory and a tenth of its start.
 *
 * @module
 */

import { METRICS_MAX_SHARD_SERIES } from "../base/limits.ts";
import { type ProcessorGauges, type ServerGauges, sumLocks } from "./gauges.ts";
import { addLog } from "./log_exposition.ts";
import { COUNTER_ROWS, HistogramIndex } from "./names.ts";
import { type Labels, PROMETHEUS_CONTENT_TYPE, PrometheusText } from "./prometheus_text.ts";
import { type EventCounters, eventCounters, type MetricsRegion } from "./region.ts";

/** Bucket bounds that a scrape shows, µs: powers of two, which are exact, from 16 µs to 33 s. */
const SHOWN_BOUNDS_US: readonly number[] = Array.from({ length: 22 }, (_, i) => 2 ** (i + 4));

/** The same for locks, which most are held for less, from 1 µs on. */
const LOCK_BOUNDS_US: readonly number[] = Array.from({ length: 26 }, (_, i) => 2 ** i);

/**
 * Renders metrics as Prometheus text.
 *
 * Thread: belongs to one thread; needs nothing but read access to the region.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export class PrometheusExposition {
  /** Value for the `Content-Type` header. */
  readonly contentType: string = PROMETHEUS_CONTENT_TYPE;

  readonly #region: MetricsRegion;
  readonly #isLockTimed: boolean;

  /**
   * Nothing is read before {@link PrometheusExposition.render}.
   *
   * @param isLockTimed whether waits for shard locks and holds of them are measured
   */
  constructor(region: MetricsRegion, isLockTimed = false) {
    this.#region = region;
    this.#isLockTimed = isLockTimed;
  }

  /**
   * Takes a snapshot and renders it.
   *
   * Thread: the one that made this object.
   */
  render(gauges: ServerGauges): string {
    const page = new Page(this.#region);
    page.addHistograms(this.#isLockTimed);
    const events = page.addCounters();
    page.addGauges(gauges, events);
    return page.toString();
  }
}

/** One page under way. */
class Page {
  readonly #region: MetricsRegion;
  readonly #text = new PrometheusText();

  constructor(region: MetricsRegion) {
    this.#region = region;
  }

  toString(): string {
    return this.#text.toString();
  }

  addHistograms(isLockTimed: boolean): void {
    const duration = "sluice_request_duration_seconds";
    const durationHelp = "From reading a request to its reply.";
    this.#addHistogram(duration, durationHelp, HistogramIndex.HTTP_LATENCY, { protocol: "http" });
    this.#addHistogram(duration, durationHelp, HistogramIndex.RESP_LATENCY, { protocol: "resp" });
    this.#addHistogram(duration, durationHelp, HistogramIndex.PROTO_LATENCY, { protocol: "proto" });
    this.#addHistogram(
      "sluice_event_settlement_seconds",
      "From the acceptance of an event to its settlement.",
      HistogramIndex.EVENT_SETTLEMENT,
    );
    if (!isLockTimed) return;
    this.#addHistogram(
      "sluice_lock_wait_seconds",
      "From asking for a shard lock to having it, all shards and threads.",
      HistogramIndex.LOCK_WAIT,
      {},
      LOCK_BOUNDS_US,
    );
    this.#addHistogram(
      "sluice_lock_hold_seconds",
      "From having a shard lock to giving it back, all shards and threads.",
      HistogramIndex.LOCK_HOLD,
      {},
      LOCK_BOUNDS_US,
    );
  }

  addCounters(): EventCounters {
    const sums = this.#region.readCounters();
    for (const { index, family, help, kind, labels } of COUNTER_ROWS) {
      if (kind === "counter") this.#count(family, help, sums[index]!, labels);
      else this.#set(family, help, sums[index]!, labels);
    }
    return eventCounters(sums);
  }

  addGauges(gauges: ServerGauges, events: EventCounters): void {
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
    this.#set("sluice_event_ids", "Ids of events that are remembered.", gauges.eventIds);
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
    if (gauges.log !== undefined) addLog(this.#text, gauges.log);
    if (gauges.processor !== undefined) this.#addProcessor(gauges.processor);
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

  #addProcessor({ name, counters }: ProcessorGauges): void {
    this.#set("sluice_processor_info", "The processor of one's own; always 1.", 1, {
      processor: name,
    });
    for (const { name: counter, total } of counters) {
      this.#count(`sluice_processor_${counter}_total`, "A counter of the processor's own.", total);
    }
  }

  #count(name: string, help: string, value: number, labels?: Labels): void {
    this.#text.family(name, help, "counter").add(value, labels);
  }

  #set(name: string, help: string, value: number, labels?: Labels): void {
    this.#text.family(name, help, "gauge").add(value, labels);
  }

  #addHistogram(
    name: string,
    help: string,
    index: HistogramIndex,
    labels: Labels = {},
    boundsUs = SHOWN_BOUNDS_US,
  ): void {
    const family = this.#text.family(name, help, "histogram");
    const snapshot = this.#region.snapshot(index);
    const counts = snapshot.cumulative(boundsUs);
    for (const [i, boundUs] of boundsUs.entries()) {
      family.add(counts[i]!, { ...labels, le: String(boundUs / 1e6) }, "_bucket");
    }
    family.add(snapshot.count, { ...labels, le: "+Inf" }, "_bucket");
    family.add(snapshot.sumUs / 1e6, labels, "_sum");
    family.add(snapshot.count, labels, "_count");
  }
}
