/** The full check finds whatever may be wrong with clients that wait for keys. */

import assert from "node:assert/strict";
import { ControlRegion, Shard } from "../../../src/store/control.ts";
import type { Key } from "../../../src/store/key.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import {
  NodeState,
  Waiter,
  WaiterState,
  WaitNode,
  WaitRegion,
  WaitSlots,
} from "../../../src/store/wait_region.ts";
import { keyOf, smallStore } from "./helpers.ts";

interface Scene {
  readonly store: Store;
  readonly region: WaitRegion;
  readonly slots: readonly WaitSlots[];
  /** The words of the region. */
  readonly words: Int32Array;
  /** Words of the control region, and where the shard of the waited key begins in them. */
  readonly control: Int32Array;
  readonly shardAt: number;
  /** Three nodes of the queue of one key, in its order; the last one's waiter has another key. */
  readonly nodes: readonly number[];
}

function enqueue(store: Store, region: WaitRegion, key: Key, node: number): void {
  store.locks.lock(key.shard, true);
  assert.equal(store.waitQueues(region).enqueue(key, node), WriteStatus.OK);
  store.locks.unlock(key.shard, true);
}

function scene(): Scene {
  const store = smallStore();
  const region = WaitRegion.create({ threadCount: 2, waitersPerThread: 4, nodesPerThread: 6 });
  const slots = [new WaitSlots(region, 0), new WaitSlots(region, 1)];
  const key = keyOf(store, "jobs");
  const nodes = [0, 1, 0].map((thread) => {
    const waiter = slots[thread]!.takeWaiter(1, 1);
    region.countWaiting(1);
    const node = slots[thread]!.takeNode(waiter, 0, 0);
    enqueue(store, region, key, node);
    return node;
  });
  const waiter = region.words[region.nodeAt(nodes[2]!) + WaitNode.WAITER]!;
  enqueue(store, region, keyOf(store, "other"), slots[0]!.takeNode(waiter, 0, 1));
  const control = ControlRegion.attach(store.memory.control);
  const shardAt = control.shardAt(key.shard);
  return { store, region, slots, words: region.words, control: control.words, shardAt, nodes };
}

/** Word of a node. */
function at({ region, nodes }: Scene, index: number, word: number): number {
  return region.nodeAt(nodes[index]!) + word;
}

/** Word of the waiter of a node. */
function waiterAt(all: Scene, index: number, word: number): number {
  return all.region.waiterAt(all.words[at(all, index, WaitNode.WAITER)]!) + word;
}

const DEFECTS: readonly (readonly [string, RegExp, (all: Scene) => void])[] = [
  ["a shard that counts one too many", /waiting nodes are counted/, ({ control, shardAt }) => {
    control[shardAt + Shard.WAITERS]!++;
  }],
  ["a shard that counts one too few", /waiting nodes are counted/, ({ control, shardAt }) => {
    control[shardAt + Shard.WAITERS]!--;
  }],
  ["a queue that ends too early", /its last node is/, (all) => {
    all.words[at(all, 1, WaitNode.NEXT)] = 0;
  }],
  ["a queue that goes round", /is in one queue, once/, (all) => {
    all.words[at(all, 2, WaitNode.NEXT)] = all.nodes[0]! + 1;
  }],
  ["a queue that leads out of the region", /exists/, (all) => {
    all.words[at(all, 2, WaitNode.NEXT)] = 1000;
  }],
  ["a node that does not link back", /links back/, (all) => {
    all.words[at(all, 1, WaitNode.PREVIOUS)] = 0;
  }],
  ["a node in a queue that says it is in none", /is queued/, (all) => {
    all.words[at(all, 1, WaitNode.STATE)] = NodeState.TAKEN;
  }],
  ["a node in no queue that says it is in one", /is queued iff it says so/, ({ region, words }) => {
    words[region.nodeAt(5) + WaitNode.STATE] = NodeState.QUEUED;
  }],
  ["a node whose waiter is gone", /its waiter waits \(leak\?\)/, (all) => {
    all.words[waiterAt(all, 1, Waiter.STATE)] = WaiterState.FREE;
    all.region.countWaiting(-1);
  }],
  ["a node that was never given back", /its waiter waits \(leak\?\)/, ({ region, words }) => {
    words[region.nodeAt(5) + WaitNode.STATE] = NodeState.TAKEN;
    words[region.nodeAt(5) + WaitNode.WAITER] = 3;
  }],
  ["a node of another thread than its waiter", /belongs to the thread of its waiter/, (all) => {
    all.words[at(all, 1, WaitNode.WAITER)] = 0;
  }],
  ["two nodes for one key of a waiter", /stands for a key of its own/, (all) => {
    all.words[at(all, 2, WaitNode.KEY_INDEX)] = 1;
  }],
  ["a waiter without a node", /waits for a key/, ({ region, slots }) => {
    slots[0]!.takeWaiter(1, 1);
    region.countWaiting(1);
  }],
  ["a waiter that one of its keys does not know of", /waits for all of its keys/, (all) => {
    const { slots, words } = all;
    slots[0]!.takeNode(words[at(all, 2, WaitNode.WAITER)]!, 0, 2);
  }],
  ["a client too many", /clients are counted/, ({ region }) => region.countWaiting(1)],
  ["a client too few", /clients are counted/, ({ region }) => region.countWaiting(-1)],
];

Deno.test("assertInvariants: clients that wait, come and go are in order", () => {
  const all = scene();
  all.store.assertInvariants();
  // One is leaving: it is not counted any more, or still, while its nodes are in their queues.
  assert.ok(all.region.tryMove(0, WaiterState.CANCELLED));
  all.store.assertInvariants();
  all.region.countWaiting(-1);
  all.store.assertInvariants();
  for (const slots of all.slots) slots.assertInvariants();
});

for (const [name, message, damage] of DEFECTS) {
  Deno.test(`assertInvariants: finds ${name}`, () => {
    const all = scene();
    damage(all);
    assert.throws(() => all.store.assertInvariants(), message);
  });
}

Deno.test("assertInvariants: sees who is not counted by the shard without the region, too", () => {
  const { store, control, shardAt } = scene();
  const other = Store.attach(store.memory, 1, false);
  other.assertInvariants();
  control[shardAt + Shard.WAITERS] = 0;
  assert.throws(() => other.assertInvariants(), /waiting nodes are counted/);
});

Deno.test("WaitSlots: what a thread lost sight of is found", () => {
  const { region, slots, words } = scene();
  for (const each of slots) each.assertInvariants();
  words[region.nodeAt(5) + WaitNode.STATE] = NodeState.TAKEN;
  assert.throws(() => slots[0]!.assertInvariants(), /node 5: is free/);
  words[region.waiterAt(7) + Waiter.STATE] = WaiterState.CANCELLED;
  assert.throws(() => slots[1]!.assertInvariants(), /waiter 7: is free/);
});
