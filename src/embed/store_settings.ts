/**
 * From the options of an embedded store to the store beneath, and back to what other threads get.
 *
 * @module
 */

import {
  MEMORY_MAX_BYTES,
  MEMORY_MIN_BYTES,
  MEMORY_PER_SHARD_BYTES,
  SHARDS_MAX,
  VALUE_MAX_BYTES,
} from "../base/limits.ts";
import type {
  EvictionPolicy,
  StoreMemory as EngineMemory,
  StoreOptions as EngineOptions,
} from "../store/store.ts";
import type { StoreMemory, StoreOptions } from "./store_options.ts";

export type { StoreMemory, StoreOptions } from "./store_options.ts";

const MIB = 2 ** 20;
const MAX_THREADS = 4096;

/** Fills in the defaults and checks the ranges. */
export function readStoreOptions(
  options: StoreOptions,
): { readonly engineOptions: EngineOptions; readonly maxThreads: number } {
  const { maxMemoryBytes = 64 * MIB, maxThreads = 64, eviction = "noeviction" } = options;
  check("maxMemoryBytes", maxMemoryBytes, MEMORY_MIN_BYTES, MEMORY_MAX_BYTES);
  check("maxThreads", maxThreads, 1, MAX_THREADS);
  const mostShards = Math.min(Math.floor(maxMemoryBytes / MEMORY_PER_SHARD_BYTES), SHARDS_MAX);
  const shardCount = options.shards ?? Math.min(64, 2 ** Math.floor(Math.log2(mostShards)));
  check("shards", shardCount, 1, SHARDS_MAX);
  if (!Number.isInteger(Math.log2(shardCount))) {
    throw new RangeError(`Cannot make a store with ${shardCount} shards: it takes a power of two`);
  }
  if (shardCount > mostShards) {
    throw new RangeError(
      `Cannot make a store with ${shardCount} shards in ${maxMemoryBytes} bytes: each needs ` +
        `${MEMORY_PER_SHARD_BYTES}`,
    );
  }
  const maxValueBytes = options.maxValueBytes ?? Math.min(MIB, Math.floor(maxMemoryBytes / 2));
  check("maxValueBytes", maxValueBytes, 1, VALUE_MAX_BYTES);
  if (!["noeviction", "allkeys-lru", "volatile-ttl"].includes(eviction)) {
    throw new RangeError(
      `Cannot make a store with eviction ${eviction}: it takes noeviction, allkeys-lru or volatile-ttl`,
    );
  }
  return {
    engineOptions: {
      shardCount,
      lockKind: "mutex",
      maxMemoryBytes,
      maxValueBytes,
      threadCount: maxThreads,
      evictionPolicy: eviction satisfies EvictionPolicy,
    },
    maxThreads,
  };
}

function check(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot make a store with ${name} ${value}: it takes a whole number from ${min} to ${max}`,
  );
}

/** What other threads get. */
export function toMemory(engine: EngineMemory, seats: SharedArrayBuffer): StoreMemory {
  const { control, descriptors, segments } = engine;
  return { kind: "sluice-store", buffers: [seats, control, descriptors, ...segments] };
}

/** Whether these are buffers that came as they were sent: JSON makes something else of them. */
export function isShared(buffers: unknown): boolean {
  return Array.isArray(buffers) && buffers.length >= 3 &&
    buffers.every((buffer) => buffer instanceof SharedArrayBuffer);
}

/** What {@link toMemory} was given. */
export function toEngineMemory(
  memory: StoreMemory,
): { readonly engineMemory: EngineMemory; readonly seats: SharedArrayBuffer } {
  // It came from elsewhere, whatever its type says.
  if (memory?.kind !== "sluice-store" || !isShared(memory.buffers)) {
    throw new TypeError("Cannot attach: this is not the memory of a store");
  }
  const [seats, control, descriptors, ...segments] = memory.buffers;
  return {
    engineMemory: { control: control!, descriptors: descriptors!, segments },
    seats: seats!,
  };
}
