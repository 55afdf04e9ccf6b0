/**
 * What an embedded store is made with, and what other threads get of it.
 *
 * Types only: they are what the package for Node.js declares.
 *
 * @module
 */

/** What a store is made with; everything has a default. */
export interface StoreOptions {
  /**
   * Most that keys, values and index may take; the system commits it as it is used. Default: 64 MiB.
   */
  maxMemoryBytes?: number;
  /**
   * Parts with a lock each, a power of two: threads get in each other's way less, the more there are.
   * Each needs 512 KiB of `maxMemoryBytes`. Default: 64, or fewer if that is too many.
   */
  shards?: number;
  /** Largest value in bytes. Default: 1 MiB, or half of the memory of a small store. */
  maxValueBytes?: number;
  /**
   * What happens when the memory is full: writes are refused, or keys make room that were not used for
   * long, or those that expire first. Default: `noeviction`.
   */
  eviction?: "noeviction" | "allkeys-lru" | "volatile-ttl";
  /** Most threads that use it at one time, 1 to 4,096. Default: 64. */
  maxThreads?: number;
}

/**
 * A store's memory, for {@link Store.attach} in another thread. It can be sent there, any number of
 * times, by `postMessage` or `workerData`; nothing is copied.
 */
export interface StoreMemory {
  /** Tells it from other things. */
  readonly kind: "sluice-store";
  /** The memory, in an order that only the store knows. */
  readonly buffers: readonly SharedArrayBuffer[];
}
