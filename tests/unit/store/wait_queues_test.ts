/** Clients that wait for keys: who is first, and that nothing is left behind. */

import assert from "node:assert/strict";
import type { Key } from "../../../src/store/key.ts";
import { type Store, WriteStatus } from "../../../src/store/store.ts";
import type { WaitQueues } from "../../../src/store/wait_queues.ts";
import { WaiterState, WaitRegion, WaitSlots } from "../../../src/store/wait_region.ts";
import { keyOf, smallStore } from "./helpers.ts";

interface World {
  store: Store;
  region: WaitRegion;
  slots: WaitSlots[];
  queues: WaitQueues;
}

function world(options: { waiters?: number; nodes?: number } = {}): World {
  const store = smallStore();
  const region = WaitRegion.create({
    threadCount: 2,
    waitersPerThread: options.waiters ?? 100,
    nodesPerThread: options.nodes ?? 300,
  });
  const slots = [new WaitSlots(region, 0), new WaitSlots(region, 1)];
  return { store, region, slots, queues: store.waitQueues(region) };
}

/** Runs with the key's lock held. */
function locked<T>(store: Store, key: Key, run: () => T): T {
  store.locks.lock(key.shard, true);
  const value = run();
  store.locks.unlock(key.shard, true);
  return value;
}

function wait(all: World, thread: number, name: string, table = 0): number {
  const { store, slots, queues, region } = all;
  const waiter = slots[thread]!.takeWaiter(1, 1);
  region.countWaiting(1);
  const node = slots[thread]!.takeNode(waiter, table, 0);
  const key = keyOf(store, name);
  assert.equal(locked(store, key, () => queues.enqueue(key, node)), WriteStatus.OK);
  return node;
}

function order({ store, queues }: World, name: string, table = 0): number[] {
  const key = keyOf(store, name);
  return locked(store, key, () => {
    const nodes: number[] = [];
    for (let node = queues.first(key); node >= 0; node = queues.after(node)) {
      if (queues.databaseOf(node) === table) nodes.push(node);
    }
    return nodes;
  });
}

function leave({ store, queues }: World, name: string, node: number): void {
  const key = keyOf(store, name);
  locked(store, key, () => queues.remove(key, node));
}

/** Gives back a node that is in no queue any more, and its waiter. */
function forget({ queues, region, slots }: World, node: number): void {
  const waiter = queues.waiterOf(node);
  const own = slots[region.threadOf(waiter)]!;
  own.giveNode(node);
  own.giveWaiter(waiter);
  region.countWaiting(-1);
}

Deno.test("WaitQueues: who came first is first, whichever thread it is on", () => {
  const all = world();
  const nodes = [0, 1, 1, 0].map((thread) => wait(all, thread, "jobs"));
  assert.deepEqual(order(all, "jobs"), nodes);
  assert.deepEqual(order(all, "other"), []);
});

Deno.test("WaitQueues: a database's clients see no one of another database", () => {
  const all = world();
  const here = wait(all, 0, "jobs", 0);
  const there = wait(all, 0, "jobs", 5);
  const alsoHere = wait(all, 1, "jobs", 0);
  assert.deepEqual(order(all, "jobs", 0), [here, alsoHere]);
  assert.deepEqual(order(all, "jobs", 5), [there]);
});

Deno.test("WaitQueues: who leaves is gone, from the front, the middle and the end", () => {
  const all = world();
  const [a, b, c, d] = [0, 0, 0, 0].map(() => wait(all, 0, "jobs")) as [
    number,
    number,
    number,
    number,
  ];
  leave(all, "jobs", b);
  assert.deepEqual(order(all, "jobs"), [a, c, d]);
  leave(all, "jobs", a);
  assert.deepEqual(order(all, "jobs"), [c, d]);
  leave(all, "jobs", d);
  assert.deepEqual(order(all, "jobs"), [c]);
  const e = wait(all, 1, "jobs");
  assert.deepEqual(order(all, "jobs"), [c, e]);
  leave(all, "jobs", c);
  leave(all, "jobs", c);
  leave(all, "jobs", e);
  assert.deepEqual(order(all, "jobs"), []);
  assert.equal(all.store.stats().keyCount, 0, "the hidden entry went with the last");
  for (const node of [a, b, c, d, e]) forget(all, node);
  all.store.assertInvariants();
});

Deno.test("WaitQueues: random coming and going matches a list per key", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const all = world();
  const model = new Map<string, number[]>();
  for (let step = 0; step < 3000; step++) {
    const name = `k${random(6)}`;
    const queue = model.get(name) ?? [];
    model.set(name, queue);
    if (random(100) < 52 && all.slots[0]!.nodeCount < 300) {
      const thread = random(2);
      if (all.slots[thread]!.waiterCount >= 100) continue;
      queue.push(wait(all, thread, name));
    } else if (queue.length > 0) {
      const [node] = queue.splice(random(queue.length), 1);
      leave(all, name, node!);
      forget(all, node!);
    }
    assert.deepEqual(order(all, name), queue, `seed ${seed}, step ${step}`);
  }
  all.store.assertInvariants();
  for (const slots of all.slots) slots.assertInvariants();
});

Deno.test("WaitQueues: a shard knows how many wait for its keys", () => {
  const all = world();
  const key = keyOf(all.store, "jobs");
  assert.equal(all.queues.countOf(key.shard), 0);
  const node = wait(all, 0, "jobs");
  wait(all, 1, "jobs", 3);
  assert.equal(all.queues.countOf(key.shard), 2);
  leave(all, "jobs", node);
  assert.equal(all.queues.countOf(key.shard), 1);
});

Deno.test("WaitQueues: without memory a client does not begin to wait, and nothing changed", () => {
  const all = world();
  const key = keyOf(all.store, "jobs");
  const [slots] = all.slots as [WaitSlots];
  for (let k = 0;; k++) {
    const waiter = slots.takeWaiter(1, 1);
    const node = slots.takeNode(waiter, 0, 0);
    all.store.failAllocationAfter(k);
    const status = locked(all.store, key, () => all.queues.enqueue(key, node));
    all.store.failAllocationAfter(-1);
    if (status === WriteStatus.OK) {
      assert.ok(k > 0, "there was an allocation to fail");
      assert.deepEqual(order(all, "jobs"), [node]);
      break;
    }
    assert.equal(status, WriteStatus.OUT_OF_MEMORY);
    slots.giveNode(node);
    slots.giveWaiter(waiter);
    assert.deepEqual(order(all, "jobs"), []);
    assert.equal(all.queues.countOf(key.shard), 0);
    all.store.assertInvariants();
  }
});

Deno.test("WaitRegion: of all who want to move a waiter, one does", () => {
  const { region, slots } = world();
  const waiter = slots[0]!.takeWaiter(1, 1);
  assert.equal(region.tryMove(waiter, WaiterState.SERVED), true);
  assert.equal(region.tryMove(waiter, WaiterState.CANCELLED), false);
  assert.equal(region.tryMove(waiter, WaiterState.SERVED), false);
  assert.equal(region.stateOf(waiter), WaiterState.SERVED);
});

Deno.test("WaitSlots: a thread runs out of waiters and nodes, and gets given ones back", () => {
  const { slots } = world({ waiters: 2, nodes: 2 });
  const first = slots[1]!.takeWaiter(1, 1);
  const generation = slots[1]!.generationOf(first);
  assert.ok(slots[1]!.takeWaiter(1, 1) >= 0);
  assert.equal(slots[1]!.takeWaiter(1, 1), -1);
  const node = slots[1]!.takeNode(first, 0, 0);
  assert.ok(slots[1]!.takeNode(first, 0, 1) >= 0);
  assert.equal(slots[1]!.takeNode(first, 0, 2), -1);
  slots[1]!.giveNode(node);
  slots[1]!.giveWaiter(first);
  assert.equal(slots[1]!.takeWaiter(1, 1), first);
  assert.notEqual(slots[1]!.generationOf(first), generation, "late messages are told apart");
  assert.ok(slots[1]!.takeNode(first, 0, 0) >= 0);
});
