/**
 * What the live page shows, a few times a second: `GET /metrics/stream?view=page`.
 *
 * Counters grow from the start of the server on, so that a page that misses an update loses
 * nothing; the page makes rates of them. What cannot be had from counters alone is worked out here,
 * once for all who watch: durations of the last second, what the workers were seen doing, what each
 * shard did since the last update.
 *
 * @module
 */

import { LogFigure, LogState, SYNC_BOUNDS_US } from "../../durability/log_status.ts";
import {
  CounterIndex,
  HistogramIndex,
  PROTOCOL_COUNTERS,
  type ProtocolLabel,
  PROTOCOLS,
} from "../../metrics/names.ts";
import { eventCounters } from "../../metrics/region.ts";
import type { Config } from "../config.ts";
import type { SharedParts } from "../shared_parts.ts";
import { VERSION } from "../version.ts";
import type { LogFrame, PageFrame, ProtocolFrame } from "./frame.ts";
import { LaneSampler } from "./lane_sampler.ts";
import { BucketWindow, LatencyWindow } from "./latency_window.ts";

/** A longer time between two updates is a break: nobody watched. Unit: ms. */
const BREAK_MS = 2000;

/** How often the system is asked how much memory the process has. Unit: ms. */
const RESIDENT_EVERY_MS = 1000;

/** What {@link PageView} reads besides shared memory. */
export interface PageViewOptions {
  /** The server's parts, as this thread sees them. */
  readonly shared: SharedParts;
  /** The settings. */
  readonly config: Pick<Config, "ioThreads" | "lock" | "workersMax">;
  /** A monotonic clock; `performance.now` when left out. Unit: ms. */
  readonly nowMs?: () => number;
  /** Resident memory of the process; asked of the system when left out. Unit: bytes. */
  readonly residentBytes?: () => number;
}

/**
 * Reads updates of the page.
 *
 * Thread: one I/O thread. Does nothing, and has no timer, while nobody watches.
 */
export class PageView {
  readonly #options: PageViewOptions;
  readonly #lanes: LaneSampler;
  readonly #windows: readonly (readonly [ProtocolLabel | "settlement", LatencyWindow])[];
  readonly #syncs = new BucketWindow(SYNC_BOUNDS_US);
  readonly #operations: Uint32Array;
  readonly #contended: Uint32Array;
  readonly #nowMs: () => number;
  #lastMs = -Infinity;
  #residentBytes = 0;
  #residentAtMs = -Infinity;

  /** Looks at nothing yet. */
  constructor(options: PageViewOptions) {
    const { store, channel, slots, threads, metrics } = options.shared;
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#lanes = new LaneSampler({
      ...{ slots, channel, locks: store.locks, shardCount: store.shardCount },
      firstThreadId: threads.firstWorkerThreadId,
      workerCount: options.config.workersMax,
    });
    const window = (histogram: HistogramIndex): LatencyWindow =>
      new LatencyWindow(() => metrics.snapshot(histogram));
    this.#windows = [
      ["http", window(HistogramIndex.HTTP_LATENCY)],
      ["resp", window(HistogramIndex.RESP_LATENCY)],
      ["proto", window(HistogramIndex.PROTO_LATENCY)],
      ["settlement", window(HistogramIndex.EVENT_SETTLEMENT)],
    ];
    this.#operations = new Uint32Array(store.shardCount);
    this.#contended = new Uint32Array(store.shardCount);
  }

  /** Told whether anybody watches. */
  watch(isWatched: boolean): void {
    if (isWatched) return this.#lanes.start();
    this.#lanes[Symbol.dispose]();
    for (const [, window] of this.#windows) window.clear();
    this.#syncs.clear();
    this.#lastMs = -Infinity;
  }

  /** Reads an update. */
  read(): PageFrame {
    const { shared, config } = this.#options;
    const { lifecycle } = shared;
    const nowMs = this.#nowMs();
    const sums = shared.metrics.readCounters();
    const store = shared.store.stats();
    const { lanes, deepest } = this.#lanes.take();
    const { depth, capacity, highWaterMark } = shared.channel;
    const shards = this.#readShards(nowMs);
    this.#lastMs = nowMs;
    return {
      at_ms: Math.round(nowMs),
      server: {
        version: VERSION,
        uptime_ms: Date.now() - lifecycle.startedAtMs,
        readiness: lifecycle.readiness,
        io_threads: config.ioThreads,
        workers: { running: lifecycle.workerCount, max: config.workersMax },
        lock: config.lock,
        viewers: sums[CounterIndex.SSE_VIEWERS]! + sums[CounterIndex.WEBSOCKET_VIEWERS]!,
      },
      events: { ...eventCounters(sums), invalid: sums[CounterIndex.INVALID]! },
      protocols: protocolFrames(sums),
      latency: Object.fromEntries(
        this.#windows.map(([name, window]) => [name, window.take(nowMs)]),
      ) as PageFrame["latency"],
      channel: {
        ...{ depth, capacity },
        deepest: Math.max(deepest, depth),
        high_water_mark: highWaterMark,
      },
      lanes,
      shards,
      memory: {
        used: store.usedBytes,
        max: store.maxMemoryBytes,
        clients: sums[CounterIndex.CLIENT_MEMORY_BYTES]!,
        resident: this.#readResident(nowMs),
        keys: store.keyCount,
      },
      log: this.#readLog(nowMs),
    };
  }

  #readShards(nowMs: number): PageFrame["shards"] {
    const { locks, shardCount } = this.#options.shared.store;
    const passedMs = nowMs - this.#lastMs;
    const isBreak = passedMs > BREAK_MS;
    const operations = new Array<number>(isBreak ? 0 : shardCount);
    const contended = new Array<number>(isBreak ? 0 : shardCount);
    for (let shard = 0; shard < shardCount; shard++) {
      const counters = locks.counters(shard);
      const operationCount = (counters.exclusive + counters.shared) >>> 0;
      if (!isBreak) {
        // They begin again at 0 after 2^32, and so do differences.
        operations[shard] = (operationCount - this.#operations[shard]!) >>> 0;
        contended[shard] = (counters.contended - this.#contended[shard]!) >>> 0;
      }
      this.#operations[shard] = operationCount;
      this.#contended[shard] = counters.contended;
    }
    return { ms: isBreak ? 0 : Math.round(passedMs), operations, contended };
  }

  /** All that the page knows of the log comes from here. */
  #readLog(nowMs: number): LogFrame | null {
    const status = this.#options.shared.log?.status;
    if (status === undefined) return null;
    return {
      serving: status.state === LogState.SERVING,
      unsynced_bytes: Math.max(
        0,
        status.get(LogFigure.POSITION) - status.get(LogFigure.DURABLE_POSITION),
      ),
      syncs: status.get(LogFigure.SYNCS),
      sync_sum_ms: status.get(LogFigure.SYNC_SUM_MS),
      sync_p99_ms: this.#syncs.p99Ms(nowMs, status.syncCounts()),
    };
  }

  #readResident(nowMs: number): number {
    if (nowMs - this.#residentAtMs >= RESIDENT_EVERY_MS) {
      const { residentBytes = () => Deno.memoryUsage().rss } = this.#options;
      this.#residentBytes = residentBytes();
      this.#residentAtMs = nowMs;
    }
    return this.#residentBytes;
  }
}

function protocolFrames(sums: Float64Array): PageFrame["protocols"] {
  const entries = PROTOCOLS.map((protocol): [ProtocolLabel, ProtocolFrame] => {
    const ids = PROTOCOL_COUNTERS[protocol];
    return [protocol, {
      commands: sums[ids.commands]!,
      active: sums[ids.active]!,
      refused: sums[ids.refused]! + sums[ids.refusedPerIp]! + sums[ids.refusedDenied]!,
      bytes_read: sums[ids.bytesRead]!,
      bytes_written: sums[ids.bytesWritten]!,
    }];
  });
  return Object.fromEntries(entries) as PageFrame["protocols"];
}
