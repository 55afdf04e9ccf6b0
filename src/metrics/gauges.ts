/**
 * What the expositions show beyond counters: values that the server reads when asked.
 *
 * @module
 */

/** The waiting line of events. */
export interface ChannelGauges {
  /** Jobs waiting now. */
  readonly depth: number;
  /** Jobs that may wait. */
  readonly capacity: number;
  /** Most jobs that ever waited. */
  readonly highWaterMark: number;
}

/** The store's memory and content. */
export interface StoreGauges {
  /** `--max-memory`, bytes. */
  readonly maxMemoryBytes: number;
  /** Bytes of the arena in use. */
  readonly usedBytes: number;
  /** Pages of the arena. */
  readonly pagesTotal: number;
  /** Pages that no shard has leased. */
  readonly pagesFree: number;
  /** Leases of large values under way: replies that are being sent. */
  readonly leases: number;
  /** Bytes of values that no key has any more, only leases; part of the bytes in use. */
  readonly orphanBytes: number;
  /** Keys of flushed databases whose memory is still to be freed. */
  readonly detachedKeys: number;
  /** Keys in all databases. */
  readonly keyCount: number;
  /** Keys that have a time to live. */
  readonly timedKeyCount: number;
  /** Keys removed because they had expired, since start. */
  readonly expiredKeys: number;
  /** Keys removed to make room, since start. */
  readonly evictedKeys: number;
  /** Bytes in blocks in use; the rest of the bytes in use is fragmentation. */
  readonly blockBytes: number;
  /** Most bytes of the arena that were ever in use. */
  readonly peakBytes: number;
}

/** The event workers. */
export interface WorkerGauges {
  /** Workers running now. */
  readonly running: number;
  /** Lower bound of the pool. */
  readonly min: number;
  /** Upper bound of the pool. */
  readonly max: number;
}

/** A processor of one's own. */
export interface ProcessorGauges {
  /** Its name. */
  readonly name: string;
  /** Its own counters. */
  readonly counters: readonly {
    /** As it declares it. */
    readonly name: string;
    /** Over all threads. */
    readonly total: number;
  }[];
}

/** The counters of one shard's lock. */
export interface LockGauges {
  /** Exclusive acquisitions. */
  readonly exclusive: number;
  /** Shared acquisitions. */
  readonly shared: number;
  /** Acquisitions that found the lock taken. */
  readonly contended: number;
  /** How long it was waited for, in all; absent without `--lock-timing`. Unit: µs. */
  readonly waitSumUs?: number;
  /** How long it was held, in all; absent without `--lock-timing`. Unit: µs. */
  readonly holdSumUs?: number;
}

/** The log of the data directory. */
export interface LogGauges {
  /** How it is. */
  readonly phase: "serving" | "failed" | "repairing";
  /** Behind everything that was written since the directory was made, bytes. */
  readonly position: number;
  /** Everything in front of it is on the disk. */
  readonly durablePosition: number;
  /** What waits to be written, bytes. */
  readonly waitingBytes: number;
  /** Bytes written since start. */
  readonly writtenBytes: number;
  /** Writes since start. */
  readonly pieces: number;
  /** Effects in these writes. */
  readonly records: number;
  /** Times that it could not be written or synced. */
  readonly failures: number;
  /** How long syncs took, all together and the longest. Unit: ms. */
  readonly syncSumMs: number;
  /** See `syncSumMs`. */
  readonly syncMaxMs: number;
  /** Upper bounds of `syncCounts`. Unit: µs. */
  readonly syncBoundsUs: readonly number[];
  /** Syncs that took no longer than each bound; one more number, the last: all. */
  readonly syncCounts: readonly number[];
  /** Snapshots completed since start. */
  readonly snapshots: number;
  /** Snapshots that could not be. */
  readonly snapshotFailures: number;
  /** Whether one is being taken. */
  readonly snapshotRuns: boolean;
  /** When the last was complete, ms since the epoch; 0 = none was since start. */
  readonly snapshotAtMs: number;
  /** How long it took, ms. */
  readonly snapshotTookMs: number;
  /** Keys in it. */
  readonly snapshotKeys: number;
  /** How long it is. */
  readonly snapshotBytes: number;
  /** How long the start took to read the directory, ms. */
  readonly recoveryTookMs: number;
  /** Effects that it applied. */
  readonly recoveryApplied: number;
  /** Bytes that it cut off the end of the log. */
  readonly recoveryTornBytes: number;
  /** Events that were accepted before and had to be settled. */
  readonly recoveryPending: number;
}

/**
 * Everything an exposition shows that is not in the metrics region.
 *
 * Thread: plain data, made by the server for each request of the metrics.
 */
export interface ServerGauges {
  /** Seconds since start. */
  readonly uptimeSeconds: number;
  /** Resident memory of the process, bytes. */
  readonly residentBytes: number;
  /** The waiting line. */
  readonly channel: ChannelGauges;
  /** The store. */
  readonly store: StoreGauges;
  /** Clients that wait for keys or for the outcome of an event. */
  readonly blockedClients: number;
  /** Ids of events that are remembered, those included whose place is not needed yet. */
  readonly eventIds: number;
  /** The processor of one's own; absent: there is none. */
  readonly processor?: ProcessorGauges | undefined;
  /** Threads that serve connections. */
  readonly ioThreads: number;
  /** The pool. */
  readonly workers: WorkerGauges;
  /** Whether waits for shard locks and holds of them are measured. */
  readonly isLockTimed: boolean;
  /** One element per shard. */
  readonly locks: readonly LockGauges[];
  /** The log; absent without `--data-dir`. */
  readonly log?: LogGauges | undefined;
}

/** The sum of the counts over all shards. */
export function sumLocks(locks: readonly LockGauges[]): LockGauges {
  const sum = { exclusive: 0, shared: 0, contended: 0 };
  for (const { exclusive, shared, contended } of locks) {
    sum.exclusive += exclusive;
    sum.shared += shared;
    sum.contended += contended;
  }
  return sum;
}
