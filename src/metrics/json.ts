/**
 * The metrics as one JSON object.
 *
 * @module
 */

import { type LogJson, logJson } from "./log_exposition.ts";
import { type ProcessorGauges, type ServerGauges, sumLocks } from "./gauges.ts";
import {
  CounterIndex,
  HistogramIndex,
  PROTOCOL_COUNTERS,
  type ProtocolLabel,
  PROTOCOLS,
} from "./names.ts";
import { eventCounters, type MetricsRegion } from "./region.ts";

/** One protocol's connections and traffic. */
export interface ProtocolJson {
  /** Connections let in since start. */
  connections_accepted: number;
  /** Connections open now. */
  active_connections: number;
  /** Connections turned away, by reason. */
  connections_refused: { max_connections: number };
  /** Commands or requests executed. */
  commands_processed: number;
  /** Bytes read from clients. */
  bytes_read: number;
  /** Bytes written to clients. */
  bytes_written: number;
  /** From reading a request to its reply. */
  latency: LatencyJson;
}

/** A histogram in a few numbers; durations in milliseconds, at most 6.25 % too large. */
export interface LatencyJson {
  /** Durations counted. */
  count: number;
  /** Median. */
  p50_ms: number;
  /** 90 of 100 are at most this long. */
  p90_ms: number;
  /** 99 of 100 are at most this long. */
  p99_ms: number;
  /** 999 of 1,000 are at most this long. */
  p999_ms: number;
  /** The longest. */
  max_ms: number;
}

/** The same with the sum, for durations of which many are short. */
export interface DurationsJson extends LatencyJson {
  /** Sum of the durations. */
  sum_ms: number;
}

/** What {@link durationsJson} needs to know of a histogram. */
export interface DurationHistogram {
  /** Durations counted. */
  readonly count: number;
  /** Their sum. Unit: µs. */
  readonly sumUs: number;
  /** The longest. Unit: µs. */
  readonly maxUs: number;
  /** The duration that a share of all durations does not exceed. Unit: ms. */
  quantileMs(quantile: number): number;
}

/**
 * What `GET /metrics` answers with `Accept: application/json`.
 *
 * Shape: `{"received":3,"processed":2,"dropped":0,"failed":0,"pending":1,"invalid":0,"duplicates":0,
 * "active_connections":1,…}`; `received = processed + dropped + failed + pending`.
 */
export interface MetricsJson {
  /** Well-formed events. */
  received: number;
  /** Events that changed a balance. */
  processed: number;
  /** Refused events. */
  dropped: number;
  /** Accepted events settled without effect. */
  failed: number;
  /** Accepted events not settled yet. */
  pending: number;
  /** Malformed events. */
  invalid: number;
  /** Events that were accepted before, by their id; not in `received`. */
  duplicates: number;
  /** Ids that were forgotten before their time. */
  event_ids_forgotten: number;
  /** Connections open now, all protocols. */
  active_connections: number;
  /** `dropped` by reason. */
  dropped_by_reason: {
    server_busy: number;
    out_of_memory: number;
    shutting_down: number;
    storage_unavailable: number;
  };
  /** `failed` by reason. */
  failed_by_reason: {
    overflow: number;
    wrong_type: number;
    out_of_memory: number;
    processor_error: number;
    timeout: number;
  };
  /** From acceptance to settlement. */
  settlement: LatencyJson;
  /** Commands that waited for a shard lock. */
  commands_parked: number;
  /** By protocol. */
  protocols: Record<ProtocolLabel, ProtocolJson>;
  /** The waiting line. */
  channel: { depth: number; capacity: number; high_water_mark: number };
  /** Clients that wait for keys or for the outcome of an event. */
  blocked_clients: number;
  /** Ids of events that are remembered. */
  event_ids: number;
  /** Threads that serve connections. */
  io_threads: number;
  /** The pool. */
  workers: { running: number; min: number; max: number; deaths: number };
  /** The store. */
  store: {
    keys: number;
    used_bytes: number;
    max_memory_bytes: number;
    pages_total: number;
    pages_free: number;
    leases: number;
    orphan_bytes: number;
    keys_with_ttl: number;
    expired_keys: number;
    evicted_keys: number;
    block_bytes: number;
    peak_bytes: number;
    flushed_keys_pending: number;
  };
  /** Shard locks, all shards and threads together; no times without `--lock-timing`. */
  locks: {
    shards: number;
    exclusive: number;
    shared: number;
    contended: number;
    wait: DurationsJson | null;
    hold: DurationsJson | null;
  };
  /** Files kept in memory for `/static/`. */
  static_cache: { hits: number; misses: number; evictions: number; bytes: number };
  /** The processor of one's own, with its counters; left out where there is none. */
  processor?: { name: string; counters: Record<string, number> };
  /** The log of the data directory; null without `--data-dir`. */
  log: LogJson | null;
  /** Log lines dropped. */
  log_lines_dropped: number;
  /** Seconds since start. */
  uptime_seconds: number;
  /** Resident memory, bytes. */
  resident_bytes: number;
}

/**
 * Takes a snapshot.
 *
 * Thread: any; stops nobody.
 */
export function metricsJson(region: MetricsRegion, gauges: ServerGauges): MetricsJson {
  const { channel, store, workers } = gauges;
  const sums = region.readCounters();
  const total = (counter: CounterIndex): number => sums[counter]!;
  const protocols = protocolsJson(region, total);
  return {
    ...eventCounters(sums),
    invalid: total(CounterIndex.INVALID),
    duplicates: total(CounterIndex.DUPLICATES),
    event_ids_forgotten: total(CounterIndex.FORGOTTEN_IDS),
    active_connections: PROTOCOLS.reduce(
      (sum, protocol) => sum + protocols[protocol].active_connections,
      0,
    ),
    dropped_by_reason: {
      server_busy: total(CounterIndex.DROPPED_BUSY),
      out_of_memory: total(CounterIndex.DROPPED_OUT_OF_MEMORY),
      shutting_down: total(CounterIndex.DROPPED_SHUTTING_DOWN),
      storage_unavailable: total(CounterIndex.DROPPED_STORAGE_UNAVAILABLE),
    },
    failed_by_reason: {
      overflow: total(CounterIndex.FAILED_OVERFLOW),
      wrong_type: total(CounterIndex.FAILED_WRONG_TYPE),
      out_of_memory: total(CounterIndex.FAILED_OUT_OF_MEMORY),
      processor_error: total(CounterIndex.FAILED_PROCESSOR_ERROR),
      timeout: total(CounterIndex.FAILED_TIMEOUT),
    },
    settlement: latencyJson(region.snapshot(HistogramIndex.EVENT_SETTLEMENT)),
    commands_parked: total(CounterIndex.PARKED_COMMANDS),
    protocols,
    channel: {
      depth: channel.depth,
      capacity: channel.capacity,
      high_water_mark: channel.highWaterMark,
    },
    blocked_clients: gauges.blockedClients,
    event_ids: gauges.eventIds,
    io_threads: gauges.ioThreads,
    workers: { ...workers, deaths: total(CounterIndex.WORKER_DEATHS) },
    store: {
      keys: store.keyCount,
      used_bytes: store.usedBytes,
      max_memory_bytes: store.maxMemoryBytes,
      pages_total: store.pagesTotal,
      pages_free: store.pagesFree,
      leases: store.leases,
      orphan_bytes: store.orphanBytes,
      keys_with_ttl: store.timedKeyCount,
      expired_keys: store.expiredKeys,
      evicted_keys: store.evictedKeys,
      block_bytes: store.blockBytes,
      peak_bytes: store.peakBytes,
      flushed_keys_pending: store.detachedKeys,
    },
    locks: locksJson(region, gauges),
    static_cache: {
      hits: total(CounterIndex.STATIC_CACHE_HITS),
      misses: total(CounterIndex.STATIC_CACHE_MISSES),
      evictions: total(CounterIndex.STATIC_CACHE_EVICTIONS),
      bytes: total(CounterIndex.STATIC_CACHE_BYTES),
    },
    ...(gauges.processor === undefined ? {} : { processor: processorJson(gauges.processor) }),
    log: gauges.log === undefined ? null : logJson(gauges.log),
    log_lines_dropped: total(CounterIndex.LOG_LINES_DROPPED),
    uptime_seconds: Math.floor(gauges.uptimeSeconds),
    resident_bytes: gauges.residentBytes,
  };
}

function processorJson(
  { name, counters }: ProcessorGauges,
): { name: string; counters: Record<string, number> } {
  return { name, counters: Object.fromEntries(counters.map(({ name, total }) => [name, total])) };
}

function protocolsJson(
  region: MetricsRegion,
  total: (counter: CounterIndex) => number,
): Record<ProtocolLabel, ProtocolJson> {
  const histogramOf = {
    http: HistogramIndex.HTTP_LATENCY,
    resp: HistogramIndex.RESP_LATENCY,
    proto: HistogramIndex.PROTO_LATENCY,
  };
  const entries = PROTOCOLS.map((protocol): [ProtocolLabel, ProtocolJson] => {
    const ids = PROTOCOL_COUNTERS[protocol];
    return [protocol, {
      connections_accepted: total(ids.accepted),
      active_connections: total(ids.active),
      connections_refused: { max_connections: total(ids.refused) },
      commands_processed: total(ids.commands),
      bytes_read: total(ids.bytesRead),
      bytes_written: total(ids.bytesWritten),
      latency: latencyJson(region.snapshot(histogramOf[protocol])),
    }];
  });
  return Object.fromEntries(entries) as Record<ProtocolLabel, ProtocolJson>;
}

function locksJson(
  region: MetricsRegion,
  { locks, isLockTimed }: ServerGauges,
): MetricsJson["locks"] {
  const read = (histogram: HistogramIndex): DurationsJson | null =>
    isLockTimed ? durationsJson(region.snapshot(histogram)) : null;
  return {
    shards: locks.length,
    ...sumLocks(locks),
    wait: read(HistogramIndex.LOCK_WAIT),
    hold: read(HistogramIndex.LOCK_HOLD),
  };
}

/** A histogram in a few numbers, with its sum to the microsecond. */
export function durationsJson(histogram: DurationHistogram): DurationsJson {
  const { count, ...durations } = latencyJson(histogram);
  return { count, sum_ms: Math.round(histogram.sumUs) / 1000, ...durations };
}

function latencyJson(snapshot: DurationHistogram): LatencyJson {
  return {
    count: snapshot.count,
    p50_ms: snapshot.quantileMs(0.5),
    p90_ms: snapshot.quantileMs(0.9),
    p99_ms: snapshot.quantileMs(0.99),
    p999_ms: snapshot.quantileMs(0.999),
    max_ms: snapshot.maxUs / 1000,
  };
}
