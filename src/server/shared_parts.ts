/**
 * The shared memory of a server: metrics, store, channel, census.
 *
 * @module
 */

import { BoundedChannel } from "../channel/bounded_channel.ts";
import { Inbox } from "../channel/inbox.ts";
import { MetricsRegion } from "../metrics/region.ts";
import { Store } from "../store/store.ts";
import type { Config } from "./config.ts";
import { ConnectionCensus } from "./connection_census.ts";
import { StartError } from "./start_error.ts";

/** Threads that serve connections: the main isolate. */
export const IO_THREAD_COUNT = 1;

/** Thread id of the main isolate. */
export const MAIN_THREAD_ID = 0;

/**
 * What all threads of a server share, as the main isolate sees it.
 *
 * Nothing here has to be stopped: memory goes when the last thread lets go of it.
 */
export interface SharedParts {
  /** Counters and histograms. */
  readonly metrics: MetricsRegion;
  /** Keys and values. */
  readonly store: Store;
  /** Events that wait. */
  readonly channel: BoundedChannel;
  /** Connections of all threads. */
  readonly census: ConnectionCensus;
  /** Mail for the I/O threads, in the order of their ids. */
  readonly inboxes: readonly Inbox[];
}

/**
 * Makes the shared memory.
 *
 * Thread: main isolate.
 *
 * @throws {StartError} when the system does not give that much memory
 */
export function createSharedParts(config: Config): SharedParts {
  const threadCount = IO_THREAD_COUNT + config.workersMax;
  try {
    return {
      metrics: MetricsRegion.create(threadCount),
      store: Store.create({
        shardCount: config.shards,
        lockKind: config.lock,
        maxMemoryBytes: config.maxMemoryBytes,
        maxValueBytes: config.maxValueBytes,
        threadCount,
      }, MAIN_THREAD_ID),
      channel: BoundedChannel.create({ capacity: config.channelCapacity }),
      census: ConnectionCensus.create({
        maxConnections: config.maxConnections,
        maxPerAddress: config.maxConnectionsPerIp,
      }),
      inboxes: [Inbox.create({ producerCount: threadCount })],
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StartError(
      `Cannot reserve ${config.maxMemoryBytes} bytes of memory: ${error.message}; ` +
        "choose less with --max-memory",
    );
  }
}
