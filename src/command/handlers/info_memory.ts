/**
 * The memory section of `INFO`.
 *
 * @module
 */

import type { StoreStats } from "../../store/store.ts";
import type { CommandServices, ServerSnapshot } from "../services.ts";

const UNITS = ["B", "K", "M", "G", "T"];

/**
 * A size for people, as Redis writes it: `1.25M`, `0B`.
 *
 * @param byteCount a whole number
 */
export function humanBytes(byteCount: number): string {
  let unit = 0;
  let value = byteCount;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${byteCount}B` : `${value.toFixed(2)}${UNITS[unit]}`;
}

/** Bytes of pages in use for each byte of blocks in use; 1 is ideal, and what an empty store has. */
export function fragmentationRatio(stats: StoreStats): number {
  return stats.blockBytes === 0 ? 1 : stats.usedBytes / stats.blockBytes;
}

/**
 * The lines of `INFO memory`, with Redis's names.
 *
 * `used_memory` counts the pages that are in use, as `--max-memory` does; what is between that and
 * `used_memory_dataset`, the blocks in them, is fragmentation.
 */
export function memoryLines(services: CommandServices, snapshot: ServerSnapshot): string[] {
  const { store } = services;
  const stats = store.stats();
  const { usedBytes, peakBytes, blockBytes, maxMemoryBytes } = stats;
  const fragmentedBytes = usedBytes - blockBytes;
  const { residentBytes } = snapshot;
  return [
    `used_memory:${usedBytes}`,
    `used_memory_human:${humanBytes(usedBytes)}`,
    `used_memory_rss:${residentBytes}`,
    `used_memory_rss_human:${humanBytes(residentBytes)}`,
    `used_memory_peak:${peakBytes}`,
    `used_memory_peak_human:${humanBytes(peakBytes)}`,
    `used_memory_peak_perc:${percent(usedBytes, peakBytes)}`,
    `used_memory_overhead:${fragmentedBytes}`,
    `used_memory_dataset:${blockBytes}`,
    `used_memory_dataset_perc:${percent(blockBytes, usedBytes)}`,
    `mem_clients_normal:${snapshot.clientMemoryBytes}`,
    `allocator_allocated:${blockBytes}`,
    `allocator_active:${usedBytes}`,
    `allocator_resident:${residentBytes}`,
    `maxmemory:${maxMemoryBytes}`,
    `maxmemory_human:${humanBytes(maxMemoryBytes)}`,
    `maxmemory_policy:${store.evictionPolicy}`,
    `allocator_frag_ratio:${fragmentationRatio(stats).toFixed(2)}`,
    `allocator_frag_bytes:${fragmentedBytes}`,
    `mem_fragmentation_ratio:${fragmentationRatio(stats).toFixed(2)}`,
    `mem_fragmentation_bytes:${fragmentedBytes}`,
    "mem_allocator:pages",
    `mem_pages:${stats.pagesTotal}`,
    `mem_pages_free:${stats.pagesFree}`,
    `mem_orphan_bytes:${stats.orphanBytes}`,
    "active_defrag_running:0",
  ];
}

function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : part / whole * 100).toFixed(2)}%`;
}
