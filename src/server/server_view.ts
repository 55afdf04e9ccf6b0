/**
 * The server's state in numbers, for `/metrics`, `INFO` and embedders.
 *
 * @module
 */

import { droppedLogLines } from "../base/log.ts";
import type { ServerSnapshot } from "../command/services.ts";
import type { ServerGauges } from "../metrics/gauges.ts";
import { type MetricsJson, metricsJson } from "../metrics/json.ts";
import { CounterIndex, PROTOCOL_COUNTERS, PROTOCOLS } from "../metrics/names.ts";
import { eventCounters } from "../metrics/region.ts";
import type { WorkerPool } from "../worker/worker_pool.ts";
import type { Config } from "./config.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { MAIN_THREAD_ID, type SharedParts } from "./shared_parts.ts";
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
 * Thread: main isolate.
 */
export class ServerView {
  /** Filled in when the listeners are bound. */
  ports: ServerPorts = { http: null, resp: null, proto: null };

  readonly #config: Config;
  readonly #shared: SharedParts;
  readonly #lifecycle: Lifecycle;
  readonly #pool: WorkerPool;

  /** Looks at these parts. */
  constructor(config: Config, shared: SharedParts, lifecycle: Lifecycle, pool: WorkerPool) {
    this.#config = config;
    this.#shared = shared;
    this.#lifecycle = lifecycle;
    this.#pool = pool;
  }

  /** What `/metrics` shows beyond counters. */
  gauges(): ServerGauges {
    const { channel, store, metrics } = this.#shared;
    const { workersMin, workersMax } = this.#config;
    metrics.counters(MAIN_THREAD_ID).set(CounterIndex.LOG_LINES_DROPPED, droppedLogLines());
    return {
      uptimeSeconds: (Date.now() - this.#lifecycle.startedAtMs) / 1000,
      residentBytes: Deno.memoryUsage().rss,
      channel: {
        depth: channel.depth,
        capacity: channel.capacity,
        highWaterMark: channel.highWaterMark,
      },
      store: store.stats(),
      workers: { running: this.#pool.size, min: workersMin, max: workersMax },
      locks: Array.from({ length: store.shardCount }, (_, shard) => store.locks.counters(shard)),
    };
  }

  /** The metrics as JSON. */
  json(): MetricsJson {
    return metricsJson(this.#shared.metrics, this.gauges());
  }

  /** What `INFO` and `HELLO` say. */
  snapshot(): ServerSnapshot {
    const { channel, metrics } = this.#shared;
    const sums = metrics.readCounters();
    const overProtocols = (name: keyof typeof PROTOCOL_COUNTERS.http): number =>
      PROTOCOLS.reduce((sum, protocol) => sum + sums[PROTOCOL_COUNTERS[protocol][name]]!, 0);
    return {
      version: VERSION,
      processId: Deno.pid,
      startedAtMs: this.#lifecycle.startedAtMs,
      respPort: this.ports.resp ?? 0,
      httpPort: this.ports.http ?? 0,
      protoPort: this.ports.proto ?? 0,
      activeConnections: overProtocols("active"),
      maxConnections: this.#config.maxConnections,
      acceptedConnections: overProtocols("accepted"),
      refusedConnections: overProtocols("refused"),
      processedCommands: overProtocols("commands"),
      readBytes: overProtocols("bytesRead"),
      writtenBytes: overProtocols("bytesWritten"),
      residentBytes: Deno.memoryUsage().rss,
      workers: this.#pool.size,
      events: { ...eventCounters(sums), invalid: sums[CounterIndex.INVALID]! },
      channel: {
        depth: channel.depth,
        capacity: channel.capacity,
        highWaterMark: channel.highWaterMark,
      },
    };
  }
}
