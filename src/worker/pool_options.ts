/**
 * What a worker pool is started with, and what it tells of itself.
 *
 * @module
 */

import type { BoundedChannel } from "../channel/bounded_channel.ts";
import type { ConsumerSlots } from "../channel/consumer_slots.ts";
import type { ProcessorCounters } from "../metrics/processor_counters.ts";
import type { MetricsRegion, ThreadCounters } from "../metrics/region.ts";
import type { PubSubMemory } from "../pubsub/region.ts";
import type { EventIds } from "../store/event_ids.ts";
import type { Store } from "../store/store.ts";
import type { WaitRegion } from "../store/wait_region.ts";
import type { ThreadLog, ThreadLogMemory } from "../durability/thread_log.ts";
import type { LoadedProcessor } from "./processor_module.ts";
import type { InboxesMemory } from "./settlement_post.ts";

/** Where the pool says what happens; the shape of the server's loggers. */
export interface PoolLog {
  /** Details; left out: nobody wants them. */
  debug?(message: string, fields: Record<string, unknown>): void;
  /** Something worth knowing. */
  info(message: string, fields: Record<string, unknown>): void;
  /** Something that should not happen and was dealt with. */
  warn(message: string, fields: Record<string, unknown>): void;
  /** Something that should not happen and was not dealt with; left out: `warn`. */
  error?(message: string, fields: Record<string, unknown>): void;
}

/** A critical section was left half done: the server must stop at once, exit code 4 (C4). */
export interface InternalFault {
  /** The torn shard. */
  shard: number;
  /** The thread that held its lock. */
  threadId: number;
  /** What it was doing; see the command table for codes from 256, 1 is the settling of an event. */
  operation: number;
}

/** Times of a pool, in milliseconds. */
export interface PoolTimings {
  /** How often the load is looked at. */
  tickMs: number;
  /** See {@link PoolSizer}. */
  growAfterMs: number;
  /** See {@link PoolSizer}. */
  shrinkAfterMs: number;
  /** A worker that is not ready after this time is replaced. */
  startTimeoutMs: number;
  /** A worker that gave no sign of life for this long is reported as stuck. */
  stuckAfterMs: number;
  /**
   * A worker in whose processor one stretch of code runs longer than a try may take, and this on top, is
   * given up and replaced.
   */
  blockedGraceMs: number;
  /** A worker that lived shorter than this died "at once": the next one waits. */
  quickDeathMs: number;
  /** Longest wait before a replacement. */
  maxBackOffMs: number;
}

/** What a pool is started with. */
export interface WorkerPoolOptions {
  /** The main isolate's view of the store; its `threadCount` covers the workers' thread ids. */
  store: Store;
  /** Where jobs come from. */
  channel: BoundedChannel;
  /** Where is counted; covers the workers' thread ids. */
  metrics: MetricsRegion;
  /** Counters of the calling thread, for deaths. */
  counters: ThreadCounters;
  /** Thread id of slot 0; slot `i` has `firstThreadId + i`. */
  firstThreadId: number;
  /** Workers at least, 0 to `workersMax`; 0: the first one starts when it is needed. */
  workersMin: number;
  /** Workers at most, and number of slots. */
  workersMax: number;
  /** Inboxes of the threads whose clients wait for outcomes; absent: nobody waits. */
  inboxes?: InboxesMemory;
  /** Who subscribes to keyspace events; absent: nobody does. */
  pubsub?: PubSubMemory;
  /** Who waits for keys; absent: nobody does. */
  waits?: WaitRegion;
  /** Where workers write down what they do; absent: nowhere. */
  logMemory?: ThreadLogMemory | undefined;
  /** The same for what the supervisor does for the dead. */
  ownLog?: ThreadLog | undefined;
  /** Ids of events, whose outcomes are kept; absent: none are. */
  eventIds?: EventIds | undefined;
  /** Simulated work before the lock, in milliseconds. Default 0. */
  workMs?: number;
  /** Simulated work with the lock held, in milliseconds. Default 0. */
  holdMs?: number;
  /** Module whose default export is a Processor. Default: balances. */
  processorUrl?: string | undefined;
  /** What is in that module, if it was loaded already. */
  processor?: LoadedProcessor | undefined;
  /** What the objects of such a processor may take in each worker. Unit: bytes; default 128 MiB. */
  processorMemoryBytes?: number | undefined;
  /** Where such a processor counts; its own when left out. */
  processorCounters?: ProcessorCounters | undefined;
  /** Where the pool says what happens. */
  log: PoolLog;
  /**
   * The workers' in-flight slots, `workersMax` of them, times the concurrency of the processor; its own
   * when left out.
   */
  slots?: ConsumerSlots;
  /** Whether an empty pool is to grow although no job waits. Default: never. */
  isWanted?: () => boolean;
  /** Told how many workers take jobs, whenever that has changed. */
  onSize?: (size: number) => void;
  /**
   * Told how many workers are lost for good, because too many isolates are blocked that cannot be
   * ended, whenever that has changed.
   */
  onLost?: (lostCount: number) => void;
  /** Called once, when the server must say so and stop at once, without saving anything. */
  onInternalFault: (fault: InternalFault) => void;
  /** Overrides of {@link DEFAULT_TIMINGS}. */
  timings?: Partial<PoolTimings>;
  /** Tests only: the fault plan of the `startCount`-th worker (from 1) of a slot. */
  faultPlan?: (slotIndex: number, startCount: number) => string | undefined;
  /** Tests only: how the end of isolates is detected. */
  lifelineKind?: "lock" | "socket";
}

/** How a pool ended. */
export interface PoolReport {
  /** Whether everything that was sent was settled. */
  drained: boolean;
  /** Accepted jobs that were not settled: waiting ones and those in slots. */
  unsettled: number;
  /** Workers that had not ended. */
  workersLeft: number;
  /** Workers that died since the start. */
  deaths: number;
  /** How long draining took. */
  elapsedMs: number;
}

/** Times used unless a test asks for others. */
export const DEFAULT_TIMINGS: Readonly<PoolTimings> = {
  tickMs: 25,
  growAfterMs: 50,
  shrinkAfterMs: 10_000,
  startTimeoutMs: 30_000,
  stuckAfterMs: 5_000,
  blockedGraceMs: 2_000,
  quickDeathMs: 1_000,
  maxBackOffMs: 5_000,
};
