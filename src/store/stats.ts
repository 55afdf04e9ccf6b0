/**
 * How much memory there is, and what it is used for.
 *
 * @module
 */

import { type ControlRegion, DATABASE_COUNT, Header, Shard } from "./control.ts";
import type { PageAllocator } from "./page_allocator.ts";
import { PAGE_BYTES } from "./size_classes.ts";
import { Root } from "./table.ts";

/** Sizes at a moment; read without stopping anyone. */
export interface StoreStats {
  /** Bytes of the arena. */
  maxMemoryBytes: number;
  /** Bytes in pages that are in use, the slack inside them included. */
  usedBytes: number;
  /** The largest that `usedBytes` has been. */
  peakBytes: number;
  /** Bytes in blocks that are in use. */
  blockBytes: number;
  /** Pages in the arena. */
  pagesTotal: number;
  /** Pages that nobody has. */
  pagesFree: number;
  /** Entries of flushed databases whose memory is still to be freed; part of `blockBytes`. */
  detachedKeys: number;
  /** Keys over all databases, expired ones that nobody touched included. */
  keyCount: number;
  /** Keys that have a time to live, expired ones that nobody touched included. */
  timedKeyCount: number;
  /** Keys that were removed because they had expired, since start. */
  expiredKeys: number;
  /** Keys that were removed to make room, since start. */
  evictedKeys: number;
  /** Leases of large values under way. */
  leases: number;
  /** Bytes in use by values that no key has any more, only leases; part of `blockBytes`. */
  orphanBytes: number;
}

/** Reads the sizes of all shards. Takes no lock. */
export function readStats(
  control: ControlRegion,
  pages: PageAllocator,
  detachedKeys: number,
): StoreStats {
  const pagesTotal = pages.pageCount;
  const pagesFree = pages.freePages;
  const { doubles, words, shardCount } = control;
  const stats: StoreStats = {
    maxMemoryBytes: pagesTotal * PAGE_BYTES,
    usedBytes: (pagesTotal - pagesFree) * PAGE_BYTES,
    peakBytes: (pagesTotal - pages.leastFreePages) * PAGE_BYTES,
    blockBytes: 0,
    pagesTotal,
    pagesFree,
    detachedKeys,
    keyCount: 0,
    timedKeyCount: 0,
    expiredKeys: 0,
    evictedKeys: 0,
    leases: Atomics.load(words, Header.LEASES),
    orphanBytes: 0,
  };
  for (let shard = 0; shard < shardCount; shard++) {
    const at = control.shardAt(shard);
    stats.blockBytes += doubles[(at >> 1) + Shard.BLOCK_BYTES_DOUBLE]!;
    stats.orphanBytes += doubles[(at >> 1) + Shard.ORPHAN_BYTES_DOUBLE]!;
    stats.expiredKeys += doubles[(at >> 1) + Shard.EXPIRED_DOUBLE]!;
    stats.evictedKeys += doubles[(at >> 1) + Shard.EVICTED_DOUBLE]!;
    stats.timedKeyCount += words[at + Shard.TIMED_KEYS]!;
  }
  for (let database = 0; database < DATABASE_COUNT; database++) {
    for (let shard = 0; shard < shardCount; shard++) {
      stats.keyCount += words[control.databaseRootAt(database, shard) + Root.ENTRIES]!;
    }
  }
  return stats;
}
