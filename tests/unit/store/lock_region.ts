/** A control region with nothing but locks, for tests of the locks alone. */

import { ControlRegion, Shard } from "../../../src/store/control.ts";
import { type LockKind, ShardLocks } from "../../../src/store/locks.ts";

/** Threads that may attach to {@link lockRegion}. */
export const LOCK_THREADS = 16;

/** Makes a region with locks of one kind. */
export function lockRegion(kind: LockKind, shardCount = 4): ControlRegion {
  return ControlRegion.create({
    shardCount,
    lockKind: kind === "rwlock" ? 1 : 0,
    pageCount: 2,
    threadCount: LOCK_THREADS,
    hashSeed: new Uint32Array([1, 2]),
    maxValueBytes: 1,
    segmentShift: 13,
  });
}

/** The locks as `threadId` sees them; several threads may live in one isolate for a test. */
export function locksOf(region: ControlRegion, threadId: number): ShardLocks {
  return new ShardLocks(region, threadId, threadId !== 0);
}

/** How many wait for a shard: `[exclusive, shared]`. */
export function waiting(region: ControlRegion, shard: number): [number, number] {
  const at = region.shardAt(shard);
  return [Atomics.load(region.words, at + 1), Atomics.load(region.words, at + 2)];
}

/** The lock word; 0 means that nobody holds it and that no bit was left behind. */
export function wordOf(region: ControlRegion, shard: number): number {
  return Atomics.load(region.words, region.shardAt(shard) + Shard.LOCK);
}
