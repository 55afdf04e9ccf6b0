/**
 * The shared memory of a server: metrics, store, channel, inboxes, census, lifecycle.
 *
 * @module
 */

import { MAX_JOB_BYTES } from "../base/job.ts";
import { BoundedChannel, type ChannelMemory } from "../channel/bounded_channel.ts";
import { ConsumerSlots } from "../channel/consumer_slots.ts";
import type { ConsumerSlotsMemory } from "../channel/slot_layout.ts";
import { Inbox, type InboxMemory } from "../channel/inbox.ts";
import { type OperationsMemory, OperationsRegion } from "../command/operations_memory.ts";
import {
  logLevelIndex,
  MEMORY_POLICIES,
  RuntimeSettings,
  SettingIndex,
} from "../command/runtime_settings.ts";
import {
  INBOX_MAX_BYTES,
  INBOX_RING_BYTES,
  INBOX_RING_MAX_BYTES,
  RESULT_MAX_BYTES,
} from "../base/limits.ts";
import { ProcessorCounters, type ProcessorCountersMemory } from "../metrics/processor_counters.ts";
import { type MetricsMemory, MetricsRegion } from "../metrics/region.ts";
import type { ThreadLog, ThreadLogMemory } from "../durability/thread_log.ts";
import { type PubSubMemory, PubSubRegion } from "../pubsub/region.ts";
import { EventIds, type EventIdsMemory } from "../store/event_ids.ts";
import { Store, type StoreMemory } from "../store/store.ts";
import { type WaitMemory, WaitRegion } from "../store/wait_region.ts";
import { recordLockTimes } from "../worker/lock_times.ts";
import type { Config } from "./config.ts";
import { type CensusMemory, ConnectionCensus } from "./connection_census.ts";
import { Lifecycle, type LifecycleMemory } from "./lifecycle.ts";
import { RequestLimiter, type RequestLimiterMemory } from "./request_limiter.ts";
import { StartError } from "./start_error.ts";
import { MAIN_THREAD_ID, planThreads, type ThreadPlan } from "./threads.ts";

/** Keys that clients can wait for, on the average. Reason: 128 bytes per connection. */
const WAITED_KEYS_PER_CONNECTION = 4;

/**
 * What all threads of a server share, as one of them sees it.
 *
 * Nothing here has to be stopped: memory goes when the last thread lets go of it.
 */
export interface SharedParts {
  /** Id of the thread whose view this is. */
  readonly threadId: number;
  /** The ids of all threads. */
  readonly threads: ThreadPlan;
  /** Counters and histograms. */
  readonly metrics: MetricsRegion;
  /** Keys and values. */
  readonly store: Store;
  /** Events that wait. */
  readonly channel: BoundedChannel;
  /** Ids of events that were accepted lately; undefined with `--dedup-window 0`. */
  readonly eventIds: EventIds | undefined;
  /** What the event workers work on. */
  readonly slots: ConsumerSlots;
  /** Mail for the I/O threads, in the order of their ids. */
  readonly inboxes: readonly Inbox[];
  /** What threads know of each other's subscribers. */
  readonly pubsub: PubSubRegion;
  /** Clients that wait for keys. */
  readonly waits: WaitRegion;
  /** Connections of all threads. */
  readonly census: ConnectionCensus;
  /** HTTP requests by client address; undefined without `--rate-limit`. */
  readonly requestLimiter: RequestLimiter | undefined;
  /** Where in its life the server is. */
  readonly lifecycle: Lifecycle;
  /** Settings that change, and what commands cost. */
  readonly operations: OperationsRegion;
  /** The processor of one's own; undefined: there is none. */
  readonly processor?: SharedProcessor | undefined;
  /** The log; undefined without `--data-dir`. */
  readonly log?: ThreadLog | undefined;
  /** What other threads need of it. */
  readonly logMemory?: ThreadLogMemory | undefined;
}

/** What all threads know of a processor of one's own. */
export interface SharedProcessor {
  /** Its name. */
  readonly name: string;
  /** Its own counters; undefined: it has none. */
  readonly counters: ProcessorCounters | undefined;
}

/** What another thread needs to attach; structured-cloneable, shares the memory. */
export interface SharedMemory {
  /** See {@link SharedParts.metrics}. */
  readonly metrics: MetricsMemory;
  /** See {@link SharedParts.store}. */
  readonly store: StoreMemory;
  /** See {@link SharedParts.channel}. */
  readonly channel: ChannelMemory;
  /** See {@link SharedParts.eventIds}. */
  readonly eventIds: EventIdsMemory | undefined;
  /** See {@link SharedParts.slots}. */
  readonly slots: ConsumerSlotsMemory;
  /** See {@link SharedParts.inboxes}. */
  readonly inboxes: readonly InboxMemory[];
  /** See {@link SharedParts.pubsub}. */
  readonly pubsub: PubSubMemory;
  /** See {@link SharedParts.waits}. */
  readonly waits: WaitMemory;
  /** See {@link SharedParts.census}. */
  readonly census: CensusMemory;
  /** See {@link SharedParts.requestLimiter}. */
  readonly requestLimiter: RequestLimiterMemory | undefined;
  /** See {@link SharedParts.lifecycle}. */
  readonly lifecycle: LifecycleMemory;
  /** See {@link SharedParts.operations}. */
  readonly operations: OperationsMemory;
  /** See {@link SharedParts.processor}. */
  readonly processor?: SharedProcessorMemory | undefined;
  /** See {@link SharedParts.log}. */
  readonly log?: ThreadLogMemory | undefined;
}

/** See {@link SharedProcessor}. */
export interface SharedProcessorMemory {
  /** Its name. */
  readonly name: string;
  /** Names of its counters. */
  readonly counterNames: readonly string[];
  /** Its counters; undefined: it has none. */
  readonly counters: ProcessorCountersMemory | undefined;
}

/** What a processor of one's own asks of the shared memory. */
export interface SharedProcessorNeeds {
  /** Its name. */
  readonly name: string;
  /** Names of its counters. */
  readonly counters: readonly string[];
  /** Events that a worker has in hand at once. */
  readonly concurrency: number;
  /** Longest job. Unit: bytes. */
  readonly jobBytes: number;
}

/**
 * Makes the shared memory.
 *
 * Thread: main isolate.
 *
 * @param own the processor of one's own; left out: there is none
 * @throws {StartError} when the system does not give that much memory
 */
export function createSharedParts(config: Config, own?: SharedProcessorNeeds): SharedParts {
  const threads = planThreads(config);
  const { threadCount, ioThreadCount } = threads;
  try {
    const channel = BoundedChannel.create({
      capacity: config.channelCapacity,
      jobBytes: own?.jobBytes ?? MAX_JOB_BYTES,
    });
    const shared: SharedParts = {
      threadId: MAIN_THREAD_ID,
      threads,
      metrics: MetricsRegion.create(threadCount),
      store: Store.create({
        shardCount: config.shards,
        lockKind: config.lock,
        lockTiming: config.lockTiming,
        maxMemoryBytes: config.maxMemoryBytes,
        maxValueBytes: config.maxValueBytes,
        evictionPolicy: config.eviction,
        threadCount,
      }, MAIN_THREAD_ID),
      channel,
      eventIds: createEventIds(config),
      slots: ConsumerSlots.create({
        slotCount: config.workersMax * (own?.concurrency ?? 1),
        jobBytes: channel.jobBytes,
        resultBytes: own === undefined ? 0 : RESULT_MAX_BYTES,
      }),
      inboxes: Array.from(
        { length: ioThreadCount },
        () => Inbox.create({ producerCount: threadCount, ringBytes: ringBytes(threadCount) }),
      ),
      pubsub: PubSubRegion.create(config.shards, ioThreadCount),
      waits: WaitRegion.create({
        threadCount: ioThreadCount,
        waitersPerThread: config.maxConnections,
        nodesPerThread: config.maxConnections * WAITED_KEYS_PER_CONNECTION,
      }),
      requestLimiter: config.rateLimit === null
        ? undefined
        : RequestLimiter.create(config.rateLimit),
      census: ConnectionCensus.create({
        maxConnections: config.maxConnections,
        maxPerAddress: config.maxConnectionsPerIp,
      }),
      lifecycle: Lifecycle.create(),
      operations: createOperationsRegion(config, ioThreadCount),
      processor: own && {
        name: own.name,
        counters: own.counters.length === 0
          ? undefined
          : ProcessorCounters.create(threadCount, own.counters),
      },
    };
    recordLockTimes(shared.store.locks, shared.metrics, MAIN_THREAD_ID);
    return shared;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StartError(
      `Cannot reserve ${config.maxMemoryBytes} bytes of memory: ${error.message}; ` +
        "choose less with --max-memory",
    );
  }
}

/** @throws {StartError} when the system does not give that much memory */
function createEventIds({ dedupMax, dedupWindowMs }: Config): EventIds | undefined {
  if (dedupWindowMs === 0) return undefined;
  try {
    return EventIds.create({ maxIds: dedupMax, windowMs: dedupWindowMs });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StartError(
      `Cannot reserve memory for ${dedupMax} ids of events: ${error.message}; ` +
        "choose less with --dedup-max",
    );
  }
}

/** Room for the messages of one thread in an inbox: less, the more threads there are. */
function ringBytes(threadCount: number): number {
  const share = 2 ** Math.floor(Math.log2(INBOX_MAX_BYTES / threadCount));
  return Math.min(INBOX_RING_MAX_BYTES, Math.max(INBOX_RING_BYTES, share));
}

/** What to send to another thread for {@link attachSharedParts}. */
export function sharedMemoryOf(shared: SharedParts): SharedMemory {
  return {
    metrics: shared.metrics.memory,
    store: shared.store.memory,
    channel: shared.channel.memory,
    eventIds: shared.eventIds?.memory,
    slots: shared.slots.memory,
    inboxes: shared.inboxes.map(({ memory }) => memory),
    pubsub: shared.pubsub.memory,
    waits: shared.waits.memory,
    census: shared.census.memory,
    requestLimiter: shared.requestLimiter?.memory,
    lifecycle: shared.lifecycle.memory,
    operations: shared.operations.memory,
    processor: shared.processor && {
      name: shared.processor.name,
      counterNames: shared.processor.counters?.names ?? [],
      counters: shared.processor.counters?.memory,
    },
    log: shared.logMemory,
  };
}

/** Has a thread take part in the log. */
export type LogAttacher = (
  memory: ThreadLogMemory,
  store: Store,
  threadId: number,
) => ThreadLog;

/**
 * Opens the shared memory in an I/O thread.
 *
 * Thread: that one; it never ends alone (its end ends the server), so it leaves no trail of its
 * changes.
 *
 * @param attachLog needed where there is a log
 */
export function attachSharedParts(
  memory: SharedMemory,
  config: Config,
  threadId: number,
  attachLog?: LogAttacher,
): SharedParts {
  const metrics = MetricsRegion.attach(memory.metrics);
  const store = Store.attach(memory.store, threadId, false);
  recordLockTimes(store.locks, metrics, threadId);
  return {
    threadId,
    threads: planThreads(config),
    metrics,
    store,
    channel: BoundedChannel.attach(memory.channel),
    eventIds: memory.eventIds && EventIds.attach(memory.eventIds),
    slots: ConsumerSlots.attach(memory.slots),
    inboxes: memory.inboxes.map((inbox) => Inbox.attach(inbox)),
    pubsub: PubSubRegion.attach(memory.pubsub),
    waits: WaitRegion.attach(memory.waits),
    census: ConnectionCensus.attach(memory.census),
    requestLimiter: memory.requestLimiter && RequestLimiter.attach(memory.requestLimiter),
    lifecycle: Lifecycle.attach(memory.lifecycle),
    operations: OperationsRegion.attach(memory.operations),
    processor: memory.processor && attachProcessor(memory.processor),
    log: memory.log && attachLog?.(memory.log, store, threadId),
    logMemory: memory.log,
  };
}

function attachProcessor(
  { name, counterNames, counters }: SharedProcessorMemory,
): SharedProcessor {
  return { name, counters: counters && ProcessorCounters.attach(counters, counterNames) };
}

/** The settings begin as the command line has them. */
function createOperationsRegion(config: Config, ioThreadCount: number): OperationsRegion {
  const region = OperationsRegion.create(ioThreadCount);
  const { values } = new RuntimeSettings(region.settings).begin();
  values[SettingIndex.MEMORY_POLICY] = MEMORY_POLICIES.indexOf(config.eviction);
  values[SettingIndex.TIMEOUT] = config.respIdleTimeoutMs / 1000;
  values[SettingIndex.MAX_CLIENTS] = values[SettingIndex.MAX_CLIENTS_EVER] = config.maxConnections;
  values[SettingIndex.LOG_LEVEL] = logLevelIndex(config.logLevel);
  return region;
}
