/**
 * The shared memory of a store.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { MEMORY_PER_SHARD_BYTES } from "../base/limits.ts";
import { Arena } from "./arena.ts";
import { ControlRegion } from "./control.ts";
import { MAX_VALUE_BYTES } from "./entry.ts";
import type { EvictionPolicy } from "./evictor.ts";
import { createLockTimingMemory } from "./lock_timing.ts";
import type { LockKind } from "./locks.ts";
import { PageAllocator } from "./page_allocator.ts";
import { PAGE_BYTES } from "./size_classes.ts";
/** What a store is created with. */
export interface StoreOptions {
  /** Power of two, 1 to 4,096. */
  shardCount: number;
  /** How shards are locked. */
  lockKind: LockKind;
  /** Bytes of the arena; whole pages of 64 KiB count. */
  maxMemoryBytes: number;
  /** Largest value in bytes, at most {@link MAX_VALUE_BYTES}. */
  maxValueBytes: number;
  /** Threads that may be attached at one time. */
  threadCount: number;
  /** Secret key of the hash; drawn at random when absent. */
  hashSeed?: Uint32Array;
  /** What happens when memory is short; default `noeviction`. */
  evictionPolicy?: EvictionPolicy;
  /** Whether waits and holds of the shard locks are measured; default no. */
  lockTiming?: boolean;
  /** Segment size in bytes, for tests that want several. */
  segmentBytes?: number;
}

/** Everything another thread needs to attach; structured-cloneable, shares the memory. */
export interface StoreMemory {
  /** The control region. */
  control: SharedArrayBuffer;
  /** Page descriptors. */
  descriptors: SharedArrayBuffer;
  /** Arena segments. */
  segments: SharedArrayBuffer[];
  /** Waits and holds of the shard locks; absent: they are not measured. */
  lockTiming?: SharedArrayBuffer | undefined;
}

/** The smallest arena in bytes for a number of shards: each leases pages per size in use. */
export function minimumMemoryBytes(shardCount: number): number {
  return shardCount * MEMORY_PER_SHARD_BYTES;
}

/**
 * Makes the memory of a store, in which nothing is yet.
 *
 * Thread: the one that starts the server.
 */
export function createStoreMemory(options: StoreOptions): StoreMemory {
  const { shardCount } = options;
  assert(
    Number.isInteger(Math.log2(shardCount)) && shardCount >= 1 && shardCount <= 4096,
    `${shardCount} shards is a power of two from 1 to 4096`,
  );
  assert(
    options.maxValueBytes >= 1 && options.maxValueBytes <= MAX_VALUE_BYTES,
    `the largest value is at most ${MAX_VALUE_BYTES} bytes`,
  );
  const pageCount = Math.floor(options.maxMemoryBytes / PAGE_BYTES);
  const arena = Arena.create(pageCount, options.segmentBytes);
  const control = ControlRegion.create({
    shardCount,
    lockKind: options.lockKind === "rwlock" ? 1 : 0,
    pageCount,
    threadCount: options.threadCount,
    hashSeed: options.hashSeed ?? crypto.getRandomValues(new Uint32Array(2)),
    maxValueBytes: options.maxValueBytes,
    segmentShift: arena.shift,
  });
  return {
    control: control.buffer,
    descriptors: PageAllocator.createDescriptors(pageCount),
    segments: arena.segments,
    lockTiming: options.lockTiming ? createLockTimingMemory(shardCount) : undefined,
  };
}
