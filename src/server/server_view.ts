/**
 * The server's state in numbers, for `/metrics`, `INFO` and embedders.
 *
 * @module
 */

import type { ServerSnapshot } from "../command/services.ts";
import type { LockGauges, ProcessorGauges, ServerGauges } from "../metrics/gauges.ts";
import { type MetricsJson, metricsJson } from "../metrics/json.ts";
import {
  CounterIndex,
  PROTOCOL_COUNTERS,
  type ProtocolCounterIds,
  PROTOCOLS,
} from "../metrics/names.ts";
import { eventCounters } from "../metrics/region.ts";
import { processorTime } from "../base/processor_time.ts";
import type { ShardLocks } from "../store/locks.ts";
import type { Config } from "./config.ts";
import { contentionPage } from "./contention_page.ts";
import { logGauges } from "./log_gauges.ts";
import type { SharedParts, SharedProcessor } from "./shared_parts.ts";
import { TrafficRate } from "./traffic_rate.ts";
import { VERSION } from "./version.ts";

/**
 * The ports that listeners are bound to; null where there is no listener.
 *
 * Shape: `{ http: 8080, resp: null, proto: 9090 }`.
 */
export interface ServerPorts {
  /** HTTP. */
  readonly http: number | null;
  /** RESP. */
  readonly resp: number | null;
  /** Protobuf. */
  readonly proto: number | null;
}

/** What traffic is, in the order of its rates. */
const TRAFFIC = ["commands", "bytesRead", "bytesWritten"] as const;

function overProtocols(sums: Float64Array, name: keyof ProtocolCounterIds): number {
  return PROTOCOLS.reduce((sum, protocol) => sum + sums[PROTOCOL_COUNTERS[protocol][name]]!, 0);
}

function lockGauges(locks: ShardLocks, shard: number): LockGauges {
  const counters = locks.counters(shard);
  const { timing } = locks;
  if (timing === undefined) return counters;
  return {
    ...counters,
    waitSumUs: timing.waitSumUs(shard),
    holdSumUs: timing.holdSumUs(shard),
  };
}

/**
 * Reads everything that can be counted or measured.
 *
 * Thread: any; one object per thread, and all show the same.
 */
export class ServerView implements Disposable {
  readonly #config: Config;
  readonly #shared: SharedParts;
  #rate: TrafficRate | undefined;

  /** Looks at these parts. */
  constructor(config: Config, shared: SharedParts) {
    this.#config = config;
    this.#shared = shared;
  }

  /** Looks at the traffic from now on, so that its rate can be told. */
  watchTraffic(): this {
    this.#rate ??= new TrafficRate(() => {
      const sums = this.#shared.metrics.readCounters();
      return TRAFFIC.map((name) => overProtocols(sums, name));
    });
    return this;
  }

  /** Looks no more. */
  [Symbol.dispose](): void {
    this.#rate?.[Symbol.dispose]();
  }

  /** Where the server listens; all null before it does. */
  get ports(): ServerPorts {
    return this.#shared.lifecycle.ports;
  }

  /** What `/metrics` shows beyond counters. */
  gauges(): ServerGauges {
    const { channel, eventIds, log, store, lifecycle, waits } = this.#shared;
    const { ioThreads, workersMin, workersMax } = this.#config;
    return {
      uptimeSeconds: (Date.now() - lifecycle.startedAtMs) / 1000,
      residentBytes: Deno.memoryUsage().rss,
      channel: {
        depth: channel.depth,
        capacity: channel.capacity,
        highWaterMark: channel.highWaterMark,
      },
      store: store.stats(),
      blockedClients: waits.blockedCount,
      eventIds: eventIds?.size ?? 0,
      ioThreads,
      workers: { running: lifecycle.workerCount, min: workersMin, max: workersMax },
      isLockTimed: store.locks.timing !== undefined,
      locks: Array.from({ length: store.shardCount }, (_, shard) => lockGauges(store.locks, shard)),
      log: log && logGauges(log),
      processor: this.#shared.processor && processorGauges(this.#shared.processor),
    };
  }

  /** What `/metrics/contention` answers. */
  contention(): Promise<Uint8Array<ArrayBuffer>> {
    return contentionPage(this.#shared);
  }

  /** The metrics as JSON. */
  json(): MetricsJson {
    return metricsJson(this.#shared.metrics, this.gauges());
  }

  /** What `INFO` and `HELLO` say. */
  snapshot(): ServerSnapshot {
    const { channel, metrics, lifecycle } = this.#shared;
    const { ports } = lifecycle;
    const sums = metrics.readCounters();
    const cpu = processorTime();
    const { os, arch } = Deno.build;
    const [commandRate = 0, inputRate = 0, outputRate = 0] = this.#rate?.perSecond() ?? [];
    return {
      version: VERSION,
      operatingSystem: `${os[0]!.toUpperCase()}${os.slice(1)} ${arch}`,
      processId: Deno.pid,
      startedAtMs: lifecycle.startedAtMs,
      respPort: ports.resp ?? 0,
      httpPort: ports.http ?? 0,
      protoPort: ports.proto ?? 0,
      activeConnections: overProtocols(sums, "active"),
      maxConnections: this.#shared.census.maxConnections,
      acceptedConnections: overProtocols(sums, "accepted"),
      refusedConnections: overProtocols(sums, "refused"),
      processedCommands: overProtocols(sums, "commands"),
      readBytes: overProtocols(sums, "bytesRead"),
      writtenBytes: overProtocols(sums, "bytesWritten"),
      keyspaceHits: sums[CounterIndex.KEYSPACE_HITS]!,
      keyspaceMisses: sums[CounterIndex.KEYSPACE_MISSES]!,
      authFailures: sums[CounterIndex.AUTH_FAILURES]!,
      evictedClients: sums[CounterIndex.CLOSED_CLIENT_MEMORY]!,
      slowSubscribers: sums[CounterIndex.CLOSED_SLOW_SUBSCRIBER]!,
      clientMemoryBytes: sums[CounterIndex.CLIENT_MEMORY_BYTES]!,
      commandsPerSecond: commandRate,
      readBytesPerSecond: inputRate,
      writtenBytesPerSecond: outputRate,
      residentBytes: Deno.memoryUsage().rss,
      cpuUserMicros: cpu.user,
      cpuSystemMicros: cpu.system,
      ioThreads: this.#config.ioThreads,
      workers: lifecycle.workerCount,
      events: {
        ...eventCounters(sums),
        invalid: sums[CounterIndex.INVALID]!,
        duplicates: sums[CounterIndex.DUPLICATES]!,
      },
      processor: this.#shared.processor?.name,
      channel: {
        depth: channel.depth,
        capacity: channel.capacity,
        highWaterMark: channel.highWaterMark,
      },
    };
  }
}

function processorGauges({ name, counters }: SharedProcessor): ProcessorGauges {
  const names = counters?.names ?? [];
  return {
    name,
    counters: names.map((counter, index) => ({ name: counter, total: counters!.total(index) })),
  };
}
