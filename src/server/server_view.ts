/**
 * The server's state in numbers, for `/metrics`, `INFO` and embedders.
 *
 * @module
 */

import type { ServerSnapshot } from "../command/services.ts";
import type { ServerGauges } from "../metrics/gauges.ts";
import { type MetricsJson, metricsJson } from "../metrics/json.ts";
import { CounterIndex, PROTOCOL_COUNTERS, PROTOCOLS } from "../metrics/names.ts";
import { eventCounters } from "../metrics/region.ts";
import type { Config } from "./config.ts";
import { processorTime } from "./processor_time.ts";
import type { SharedParts } from "./shared_parts.ts";
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

/**
 * Reads everything that can be counted or measured.
 *
 * Thread: any; one object per thread, and all show the same.
 */
export class ServerView {
  readonly #config: Config;
  readonly #shared: SharedParts;

  /** Looks at these parts. */
  constructor(config: Config, shared: SharedParts) {
    this.#config = config;
    this.#shared = shared;
  }

  /** Where the server listens; all null before it does. */
  get ports(): ServerPorts {
    return this.#shared.lifecycle.ports;
  }

  /** What `/metrics` shows beyond counters. */
  gauges(): ServerGauges {
    const { channel, store, lifecycle, waits } = this.#shared;
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
      ioThreads,
      workers: { running: lifecycle.workerCount, min: workersMin, max: workersMax },
      locks: Array.from({ length: store.shardCount }, (_, shard) => store.locks.counters(shard)),
    };
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
    const overProtocols = (name: keyof typeof PROTOCOL_COUNTERS.http): number =>
      PROTOCOLS.reduce((sum, protocol) => sum + sums[PROTOCOL_COUNTERS[protocol][name]]!, 0);
    return {
      version: VERSION,
      processId: Deno.pid,
      startedAtMs: lifecycle.startedAtMs,
      respPort: ports.resp ?? 0,
      httpPort: ports.http ?? 0,
      protoPort: ports.proto ?? 0,
      activeConnections: overProtocols("active"),
      maxConnections: this.#config.maxConnections,
      acceptedConnections: overProtocols("accepted"),
      refusedConnections: overProtocols("refused"),
      processedCommands: overProtocols("commands"),
      readBytes: overProtocols("bytesRead"),
      writtenBytes: overProtocols("bytesWritten"),
      residentBytes: Deno.memoryUsage().rss,
      cpuUserMicros: cpu.user,
      cpuSystemMicros: cpu.system,
      ioThreads: this.#config.ioThreads,
      workers: lifecycle.workerCount,
      events: { ...eventCounters(sums), invalid: sums[CounterIndex.INVALID]! },
      channel: {
        depth: channel.depth,
        capacity: channel.capacity,
        highWaterMark: channel.highWaterMark,
      },
    };
  }
}
