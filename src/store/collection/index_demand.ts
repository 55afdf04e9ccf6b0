/**
 * What a new key may need of memory in the index.
 *
 * @module
 */

import type { ControlRegion } from "../control.ts";
import { PageKind } from "../page_allocator.ts";
import { MAX_BLOCK_BYTES, PAGE_BYTES } from "../size_classes.ts";
import { BUCKET_BYTES, GROW_ABOVE, PAGE_LEAF_BUCKETS, Root, SMALL_LEAF_BUCKETS } from "../table.ts";
import type { BlockDemand } from "./block_demand.ts";

const SMALL_LEAF_BYTES = SMALL_LEAF_BUCKETS * BUCKET_BYTES;
/** Bytes of the first directory. */
const FIRST_DIRECTORY_BYTES = 1024;

/**
 * Adds the blocks that the insertion of a key may take: the table and its first leaf, an overflow
 * bucket, a leaf for a bucket more, a larger directory.
 */
export function addIndexDemand(demand: BlockDemand, control: ControlRegion, rootAt: number): void {
  const { words } = control;
  const buckets = words[rootAt + Root.BUCKETS]!;
  demand.add(PageKind.NODE, BUCKET_BYTES, 1);
  if (buckets === 0) {
    demand.add(PageKind.NODE, FIRST_DIRECTORY_BYTES, 1);
    demand.add(PageKind.NODE, SMALL_LEAF_BYTES, 1);
    return;
  }
  if (words[rootAt + Root.ENTRIES]! + 1 <= buckets * GROW_ABOVE) return;
  const isSmall = buckets < PAGE_LEAF_BUCKETS;
  const leafBuckets = isSmall ? SMALL_LEAF_BUCKETS : PAGE_LEAF_BUCKETS;
  if (buckets % leafBuckets !== 0) return;
  if (isSmall) demand.add(PageKind.NODE, SMALL_LEAF_BYTES, 1);
  else demand.addPages(1);
  const leaves = isSmall
    ? buckets / SMALL_LEAF_BUCKETS
    : PAGE_LEAF_BUCKETS / SMALL_LEAF_BUCKETS - 1 + buckets / PAGE_LEAF_BUCKETS;
  const directoryLeaves = words[rootAt + Root.DIRECTORY_LEAVES]!;
  if (leaves < directoryLeaves) return;
  if (directoryLeaves * 4 * 8 >= PAGE_BYTES) demand.addPages(1);
  else demand.add(PageKind.NODE, MAX_BLOCK_BYTES, 1);
}

/**
 * Adds the blocks that the insertion of `count` keys may take, one after the other: for each an overflow
 * bucket and one more bucket of the table; and the first directory, or a larger one of each size.
 */
export function addManyIndexDemand(
  demand: BlockDemand,
  control: ControlRegion,
  rootAt: number,
  count: number,
): void {
  const buckets = control.words[rootAt + Root.BUCKETS]!;
  demand.add(PageKind.NODE, BUCKET_BYTES, count);
  if (buckets === 0) demand.add(PageKind.NODE, FIRST_DIRECTORY_BYTES, 1);
  if (buckets < PAGE_LEAF_BUCKETS) {
    demand.add(PageKind.NODE, SMALL_LEAF_BYTES, Math.ceil(count / SMALL_LEAF_BUCKETS) + 1);
  }
  if (buckets + count >= PAGE_LEAF_BUCKETS) {
    demand.addPages(Math.ceil(count / PAGE_LEAF_BUCKETS) + 1);
    demand.add(PageKind.NODE, MAX_BLOCK_BYTES, 1);
    demand.addPages(1);
  }
}
