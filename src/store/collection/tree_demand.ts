/**
 * Upper bound of the nodes that a change makes in one tree: how many can be there at the same time
 * that were not there before, by size.
 *
 * **Leaves.** Let n records come, R bytes together, the longest of L, to a tree of which they touch
 * at most T leaves with X bytes in them. Each record makes one leaf larger, or splits it.
 *
 * 1. *By count.* A leaf that becomes larger is one for one; a split makes one more, or two where a
 *    record is longer than a quarter of a leaf (is *heavy*). And a leaf has a record. So there are at
 *    most 2 n (3 n) new leaves, and at most as many as there are records.
 * 2. *By bytes.* A leaf of a size was made because what was in it did not fit the size before. While
 *    both are there, two leaves have nothing in common. So of a size whose predecessor holds p
 *    bytes there are at most (X + R) / p.
 * 3. *By splits*, where no record is heavy and none goes. A leaf is split at the record nearest to its middle, so
 *    that no half has more than 502 + L bytes; the next split of it takes at least d = 503 - L bytes
 *    more. Before its first, each touched leaf may be full. At an end of the tree a full leaf stays
 *    as it is; for that, too, it must have been filled, by 1005 - L bytes, and it may be split once
 *    more. Where records are so short that a leaf has 128 of them, it is split there in halves of as
 *    many records, and the same holds for counts. Where records go meanwhile (a new score), each new
 *    leaf has at least had (1005 - L) / 2 bytes, or a neighbour with 1005 - L, so 2 holds with these.
 *
 * **Leaves of lists** (list_leaves.ts) never need more than one split for a record, because none is
 * longer than a seventh of what they may have. One that is made at an end stays where it is while
 * others come; one that is smaller than 1,024 bytes moves, as above. So where all comes at an end, larger
 * blocks than a single record needs are as many as leaves are full; elsewhere a split may make two of
 * any size, and 2 holds for them.
 *
 * **Interior nodes.** A node above one that is split takes a child more, so it moves to a larger block
 * or is split: in halves of 60, at an end of the tree 119 to 1. So of A children that come to a level
 * with k nodes at most min(A, k) move, and at most 3 k + A / 29 + 4 are split.
 *
 * **Shared trees.** Nodes that readers share are copied once, on the ways to what is touched.
 *
 * *Whole blocks*: when even the bound above cannot be promised, leaves that grow or are made get
 * blocks of 1,024 bytes at once, and interior nodes of 2,048, and no leaves are joined. Then there is
 * one size instead of six, and the bound is that much closer to what is used.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import { PageKind } from "../page_allocator.ts";
import type { BlockDemand } from "./block_demand.ts";
import {
  endLeafBytes,
  LARGEST_LIST_LEAF_BYTES,
  LIST_LEAF_RECORD_BYTES,
  LIST_LEAF_STEPS,
  LONE_LEAF_BYTES,
  recordsInLeaf,
} from "./list_leaves.ts";
import {
  childAt,
  HEAVY_RECORD_BYTES,
  LEAF_HEADER_BYTES,
  LEAF_RECORD_BYTES,
  LEAF_RECORDS,
  MAX_CHILDREN,
  MAX_LEVELS,
  Node,
  WHOLE_INTERIOR_BYTES,
  WHOLE_LEAF_BYTES,
} from "./node.ts";

/**
 * Sizes of leaves of other trees than lists, and behind the last one the largest that one record can
 * take.
 */
const LEAF_STEPS = [128, 256, 384, 512, 768, 1024, 1536, 2048, 2078];
const LIGHT_STEPS = 6;
const INTERIOR_STEPS = [128, 256, 384, 512, 768, 1024, 1536, 2048];
/** Changes up to which it is not worth while to count the nodes of a tree. */
const FEW_CHANGES = 8;
/** Nodes of a level that are looked at to count those below them. */
const COUNTED_NODES = 128;
const LARGEST_LEAF_BYTES = 2184;

/** A change of a tree. Reused. */
export interface TreeChange {
  /** Top of the tree now; 0 = none. */
  top: number;
  /** Records in it now. */
  elements: number;
  /** Bytes that the collection takes now. */
  footprintBytes: number;
  /** Records that come. */
  records: number;
  /** Their bytes. */
  recordBytes: number;
  /** Bytes of the longest one. */
  longest: number;
  /** Bytes of the shortest one. */
  shortest: number;
  /** Whether a leaf may come to have 128 records. */
  mayFillByCount: boolean;
  /** Records that go, or places where a range goes. */
  removals: number;
  /** Whether the tree has, or had, a heavy record. */
  isHeavy: boolean;
  /** Whether leaves may lose records, become empty or be joined while others come. */
  mayRemove: boolean;
  /** Whether all comes at one end. */
  isAtEdge: boolean;
  /** Whether readers share its nodes. */
  isShared: boolean;
  /** Whether it is the tree of a list, whose leaves have other sizes (list_leaves.ts). */
  isList: boolean;
}

/** Nodes of each level of the tree at hand; 0: leaves. */
const levelNodes = new Float64Array(MAX_LEVELS + 1);

/** Adds the nodes that a change of a tree may need; `whole`: with whole blocks. */
export function addTreeDemand(
  demand: BlockDemand,
  arena: Arena,
  change: TreeChange,
  whole: boolean,
): void {
  const levels = countNodes(arena, change);
  if (change.isShared) addCopies(demand, change, levels);
  if (change.records === 0) return;
  const splits = change.isList
    ? addListLeaves(demand, change, whole)
    : addLeaves(demand, change, whole);
  addInteriors(demand, splits, levels, whole);
}

/** Fills {@link levelNodes} with upper bounds; returns how many levels there are. */
function countNodes(arena: Arena, change: TreeChange): number {
  const { top } = change;
  if (top === 0) {
    levelNodes[0] = 0;
    return 0;
  }
  const topLevel = arena.read(top, Node.HEAD) & 0xff;
  levelNodes[topLevel] = 1;
  const isWorthWhile = change.records + change.removals > FEW_CHANGES;
  for (let level = topLevel - 1; level >= 0; level--) {
    const above = levelNodes[level + 1]!;
    levelNodes[level] = isWorthWhile && above <= COUNTED_NODES
      ? childrenAt(arena, top, level + 1)
      : above * MAX_CHILDREN;
  }
  const most = Math.min(change.elements, Math.floor(change.footprintBytes / LEAF_STEPS[0]!));
  levelNodes[0] = Math.min(levelNodes[0]!, Math.max(1, most));
  return topLevel + 1;
}

/** Children of all nodes of a level. */
function childrenAt(arena: Arena, node: number, level: number): number {
  const head = arena.read(node, Node.HEAD);
  if ((head & 0xff) === level) return head >>> 16;
  let sum = 0;
  for (let i = 0; i < head >>> 16; i++) sum += childrenAt(arena, childAt(arena, node, i), level);
  return sum;
}

/** What readers share is copied once, in blocks of the sizes that it has. */
function addCopies(demand: BlockDemand, change: TreeChange, levels: number): void {
  const ways = change.records + change.removals;
  let count = 0;
  for (let level = 0; level < levels; level++) count += Math.min(ways, levelNodes[level]!);
  const largest = change.isList ? LARGEST_LIST_LEAF_BYTES : LARGEST_LEAF_BYTES;
  const sizes = change.isList ? LIST_LEAF_STEPS.length : LEAF_STEPS.length;
  demand.addMixed(count, Math.min(count * largest, change.footprintBytes), sizes);
}

/** Returns how many leaves there are more at most. */
function addLeaves(demand: BlockDemand, change: TreeChange, whole: boolean): number {
  const { records } = change;
  const touched = Math.min(change.isAtEdge ? 1 : records, levelNodes[0]!);
  const isHeavy = change.isHeavy || change.longest > HEAVY_RECORD_BYTES;
  // What is joined is made smaller first, and grows again: it counts as touched.
  const mayJoin = change.mayRemove && !whole;
  const grown = mayJoin ? records : Math.max(1, touched);
  const byteCount = change.recordBytes + (mayJoin ? records : touched) * LEAF_RECORD_BYTES;
  const edges = Math.min(records, edgeSplits(change, byteCount, isHeavy, touched));
  let splits: number;
  if (change.isAtEdge) splits = edges;
  else if (isHeavy) splits = 2 * records;
  else if (mayJoin) splits = records;
  else splits = Math.min(records, edges + lightSplits(change, byteCount, touched));
  const most = Math.min(grown + splits, change.elements + records);
  demand.addMostNodes(most);
  const steps = isHeavy ? LEAF_STEPS.length : LIGHT_STEPS;
  for (let i = 0; i < steps; i++) {
    const block = LEAF_STEPS[i]!;
    if (whole && block < WHOLE_LEAF_BYTES) continue;
    let count = most;
    if (i > 0 && !(whole && block === WHOLE_LEAF_BYTES)) {
      const fits = LEAF_STEPS[i - 1]! - LEAF_HEADER_BYTES;
      count = Math.min(count, Math.floor(byteCount / fits) + 1);
      // A new leaf at an end gets its whole block at once.
      if (block === WHOLE_LEAF_BYTES) count = Math.min(most, count + edges);
    }
    demand.add(PageKind.COLLECTION, block, count);
  }
  return splits;
}

/** As {@link addLeaves}, of a list. */
function addListLeaves(demand: BlockDemand, change: TreeChange, whole: boolean): number {
  const { isAtEdge, records } = change;
  const touched = Math.min(isAtEdge ? 1 : records, levelNodes[0]!);
  const mayJoin = change.mayRemove && !whole;
  const grown = mayJoin ? records : Math.max(1, touched);
  const byteCount = change.recordBytes + (mayJoin ? records : touched) * LIST_LEAF_RECORD_BYTES;
  const edges = Math.min(records, listEdges(change, byteCount, touched, whole));
  const splits = isAtEdge ? edges : records;
  const most = Math.min(grown + splits, change.elements + records);
  demand.addMostNodes(most);
  for (let i = 0; i < LIST_LEAF_STEPS.length; i++) {
    const block = LIST_LEAF_STEPS[i]!;
    const isMadeFull = isAtEdge && block > LONE_LEAF_BYTES;
    if (whole && (block < WHOLE_LEAF_BYTES || isMadeFull)) continue;
    let count = most;
    if (i > 0 && !(whole && block === WHOLE_LEAF_BYTES)) {
      const fits = LIST_LEAF_STEPS[i - 1]! - LEAF_HEADER_BYTES;
      count = isMadeFull ? 0 : Math.floor(byteCount / fits) + 1;
      if (block >= WHOLE_LEAF_BYTES) count += edges;
    }
    demand.add(PageKind.COLLECTION, block, Math.min(most, count));
  }
  return splits;
}

/** Leaves that come at the ends of a list because those there are full. */
function listEdges(
  change: TreeChange,
  byteCount: number,
  touched: number,
  whole: boolean,
): number {
  const { longest, records } = change;
  if (longest === change.shortest && !change.mayRemove) {
    // Records of one length: each leaf is full before the next comes, at either end.
    const block = endLeafBytes(longest, whole ? 0 : change.elements);
    return 1 + Math.ceil(records / recordsInLeaf(block, longest));
  }
  // A record that comes is counted twice: in the leaf that it fills, and as what was too much.
  const byRecords = (records + (change.mayRemove ? touched * LEAF_RECORDS : 0)) / LEAF_RECORDS;
  return Math.ceil(2 + 2 * byteCount / (LEAF_RECORD_BYTES + 1) + 2 * byRecords);
}

/** Leaves that come at the ends of the tree because those there are full. */
function edgeSplits(
  change: TreeChange,
  byteCount: number,
  isHeavy: boolean,
  touched: number,
): number {
  const byRecords = change.mayFillByCount
    ? (change.records + (change.mayRemove ? touched * LEAF_RECORDS : 0)) / LEAF_RECORDS
    : 0;
  const overfull = LEAF_RECORD_BYTES + 1;
  // A record that comes is counted twice: in the leaf that it fills, and as what was too much.
  if (isHeavy) return Math.ceil(2 + 2 * byteCount / overfull + 2 * byRecords);
  const most = change.elements > 0 ? HEAVY_RECORD_BYTES : change.longest;
  if (!change.mayRemove) return Math.ceil(2 + change.recordBytes / (overfull - most) + byRecords);
  return Math.ceil(2 + 2 * byteCount / (overfull - most) + 2 * byRecords);
}

/** Splits of leaves in halves, where no record is heavy and no leaves are joined. */
function lightSplits(change: TreeChange, byteCount: number, touched: number): number {
  const { records } = change;
  const most = change.elements > 0 ? HEAVY_RECORD_BYTES : change.longest;
  if (change.mayRemove) {
    // Each has had half of what a leaf has, and none of it in common with another.
    const byRecords = change.mayFillByCount ? 2 * touched + records / 64 : 0;
    return Math.ceil(2 * byteCount / (LEAF_RECORD_BYTES + 1 - most) + byRecords);
  }
  const byBytes = touched + change.recordBytes / (LEAF_RECORD_BYTES / 2 + 1 - most);
  return Math.ceil(byBytes + (change.mayFillByCount ? touched + records / 63 : 0));
}

function addInteriors(
  demand: BlockDemand,
  splits: number,
  levels: number,
  whole: boolean,
): void {
  let coming = splits;
  let count = 0;
  for (let level = 1; coming > 0; level++) {
    const there = level < levels ? levelNodes[level]! : 0;
    const moved = Math.min(coming, Math.max(1, there));
    const fitsOne = there === 0 && coming < MAX_CHILDREN;
    const split = fitsOne ? 0 : Math.min(coming, 3 * there + Math.ceil(coming / 29) + 4);
    count += moved + split;
    // Above the top there is only what comes from below.
    coming = split;
  }
  demand.addMostNodes(count);
  for (let i = 0; i < INTERIOR_STEPS.length; i++) {
    if (whole && INTERIOR_STEPS[i]! < WHOLE_INTERIOR_BYTES) continue;
    demand.add(PageKind.COLLECTION, INTERIOR_STEPS[i]!, count);
  }
}
