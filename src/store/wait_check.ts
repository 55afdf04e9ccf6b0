/**
 * The full check of clients that wait for keys: queues, shards' counts and wait region agree.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { type ControlRegion, DATABASE_COUNT, Shard, SpecialTable } from "./control.ts";
import { Root, type Table } from "./table.ts";
import { NodeState, WaiterState, WaitNode, type WaitRegion } from "./wait_region.ts";

/** What the check looks at. */
export interface WaitCheckParts {
  /** Counts of the shards. */
  readonly control: ControlRegion;
  /** The index, with the waited keys. */
  readonly table: Table;
  /** The wait region; undefined where no thread of this process serves clients. */
  readonly region: WaitRegion | undefined;
  /** Length of the string at an entry. */
  stringLength(entry: number): number;
  /** Copies the string at an entry. */
  copyString(entry: number, target: Uint8Array, offset: number): number;
}

/** First and last node of a queue, two words. */
const HEAD_BYTES = 8;

/**
 * Checks all queues; no thread may be using them.
 *
 * Every waited key names the ends of a queue whose links agree in both directions; every node is in
 * one queue or in none, as it says itself; whoever waits is in a queue; nothing belongs to a waiter
 * that is free; the shards' counts are those of their queues.
 *
 * @throws {AssertionFault} naming the first thing that does not add up
 */
export function checkWaits(parts: WaitCheckParts): void {
  const { control, region } = parts;
  const queued = new Set<number>();
  for (let shard = 0; shard < control.shardCount; shard++) {
    const before = queued.size;
    const keyCount = walkShard(parts, shard, queued);
    const counted = control.words[control.shardAt(shard) + Shard.WAITERS]!;
    const where = `shard ${shard}: ${counted} waiting nodes are counted`;
    if (region !== undefined) assert(counted === queued.size - before, where);
    else assert(keyCount === 0 ? counted === 0 : counted >= keyCount, where);
  }
  if (region !== undefined) checkRegion(region, queued);
}

/** Walks the queues of a shard's keys; returns how many keys there are. */
function walkShard(parts: WaitCheckParts, shard: number, queued: Set<number>): number {
  const { control, table, region } = parts;
  const rootAt = control.rootAt(SpecialTable.WAITED_KEYS, shard);
  if (control.words[rootAt + Root.BUCKETS] === 0) return 0;
  const ends = new Uint32Array(2);
  let keyCount = 0;
  let position = 0;
  do {
    position = table.scan(rootAt, position, (entry) => {
      const name = `waited key ${++keyCount} of shard ${shard}`;
      assert(parts.stringLength(entry) === HEAD_BYTES, `${name}: names two ends`);
      parts.copyString(entry, new Uint8Array(ends.buffer), 0);
      assert(ends[0] !== 0 && ends[1] !== 0, `${name}: has a queue`);
      if (region !== undefined) walkQueue(region, ends[0]!, ends[1]!, name, queued);
    });
  } while (position !== 0);
  return keyCount;
}

/** Follows a queue from its first node, by index + 1, to its last. */
function walkQueue(
  region: WaitRegion,
  first: number,
  last: number,
  name: string,
  queued: Set<number>,
): void {
  const { words } = region;
  const nodeCount = region.threadCount * region.nodesPerThread;
  let previous = 0;
  for (let link = first; link !== 0; link = words[region.nodeAt(link - 1) + WaitNode.NEXT]!) {
    const node = link - 1;
    assert(node >= 0 && node < nodeCount, `${name}: node ${node} exists`);
    assert(!queued.has(node), `${name}: node ${node} is in one queue, once`);
    queued.add(node);
    const at = region.nodeAt(node);
    assert(words[at + WaitNode.STATE] === NodeState.QUEUED, `${name}: node ${node} is queued`);
    assert(words[at + WaitNode.PREVIOUS] === previous, `${name}: node ${node} links back`);
    const database = words[at + WaitNode.DATABASE]!;
    assert(database >= 0 && database < DATABASE_COUNT, `${name}: node ${node} has a database`);
    previous = link;
  }
  assert(previous === last, `${name}: its last node is ${previous - 1} and not ${last - 1}`);
}

/** Compares nodes and waiters with the queues. */
function checkRegion(region: WaitRegion, queued: ReadonlySet<number>): void {
  const { words, threadCount, waitersPerThread, nodesPerThread } = region;
  const keysOf = new Map<number, Set<number>>();
  const leavesOf = new Map<number, number>();
  for (let node = 0; node < threadCount * nodesPerThread; node++) {
    const at = region.nodeAt(node);
    const state = words[at + WaitNode.STATE]!;
    const isQueued = state === NodeState.QUEUED;
    assert(isQueued === queued.has(node), `node ${node}: is queued iff it says so`);
    if (state === NodeState.FREE) continue;
    const waiter = words[at + WaitNode.WAITER]!;
    assert(waiter >= 0 && waiter < threadCount * waitersPerThread, `node ${node}: has a waiter`);
    const isOwn = region.threadOf(waiter) === Math.floor(node / nodesPerThread);
    assert(isOwn, `node ${node}: belongs to the thread of its waiter`);
    assert(region.stateOf(waiter) !== WaiterState.FREE, `node ${node}: its waiter waits (leak?)`);
    if (!isQueued) leavesOf.set(waiter, (leavesOf.get(waiter) ?? 0) + 1);
    const keys = keysOf.get(waiter) ?? new Set();
    keysOf.set(waiter, keys);
    const keyIndex = words[at + WaitNode.KEY_INDEX]!;
    assert(!keys.has(keyIndex), `node ${node}: stands for a key of its own`);
    keys.add(keyIndex);
  }
  let waiting = 0;
  let leaving = 0;
  for (let waiter = 0; waiter < threadCount * waitersPerThread; waiter++) {
    const state = region.stateOf(waiter);
    if (state === WaiterState.FREE) continue;
    if (state === WaiterState.WAITING) {
      waiting++;
      assert(keysOf.has(waiter), `waiter ${waiter}: waits for a key`);
      assert(!leavesOf.has(waiter), `waiter ${waiter}: waits for all of its keys`);
    } else {
      leaving++;
    }
  }
  const counted = region.waitingCount;
  assert(
    counted >= waiting && counted <= waiting + leaving,
    `${counted} clients are counted, ${waiting} wait, ${leaving} are leaving`,
  );
}
