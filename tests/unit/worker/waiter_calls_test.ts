/** Clients that wait for keys are called when a worker makes such a key. */

import assert from "node:assert/strict";
import { WaiterMessage } from "../../../src/base/inbox_message.ts";
import { Inbox } from "../../../src/channel/inbox.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import { CommitStatus, StoreTransaction } from "../../../src/store/transaction.ts";
import type { WaitQueues } from "../../../src/store/wait_queues.ts";
import { WaitNews, WaitRegion, WaitSlots } from "../../../src/store/wait_region.ts";
import { callWaiters } from "../../../src/worker/waiter_calls.ts";
import { keyOf, smallStore } from "../store/helpers.ts";

const WORKER = 3;

class World {
  readonly store = smallStore();
  readonly region = WaitRegion.create({
    threadCount: 2,
    waitersPerThread: 100,
    nodesPerThread: 300,
  });
  readonly slots = [new WaitSlots(this.region, 0), new WaitSlots(this.region, 1)];
  readonly queues: WaitQueues = this.store.waitQueues(this.region);
  readonly inboxes: Inbox[];
  readonly worker = Store.attach(this.store.memory, WORKER);
  readonly transaction = new StoreTransaction(this.worker);

  constructor(ringBytes = 4096) {
    this.inboxes = [0, 1].map(() => Inbox.create({ producerCount: WORKER + 1, ringBytes }));
    callWaiters({
      waits: this.region.memory,
      inboxes: { firstThreadId: 1, inboxes: this.inboxes.map(({ memory }) => memory) },
      threadId: WORKER,
    }, this.worker);
  }

  /** A client of an I/O thread waits for a key; returns its waiter. */
  wait(thread: number, name: string): number {
    const { queues, region, slots, store } = this;
    const waiter = slots[thread]!.takeWaiter(1, 1);
    region.countWaiting(1);
    const node = slots[thread]!.takeNode(waiter, 0, 0);
    const key = keyOf(store, name);
    store.locks.lock(key.shard, true);
    assert.equal(queues.enqueue(key, node), WriteStatus.OK);
    store.locks.unlock(key.shard, true);
    return waiter;
  }

  commit(write: (t: StoreTransaction) => void): void {
    this.transaction.begin();
    write(this.transaction);
    assert.equal(this.transaction.commit(), CommitStatus.OK);
  }

  /** Waiters of an I/O thread that were told to look. */
  told(thread: number): number[] {
    const waiters: number[] = [];
    const message = new WaiterMessage();
    this.inboxes[thread]!.receiver().drain((bytes, start, end, producer) => {
      assert.equal(producer, WORKER);
      const { generation, news, waiter } = message.decode(bytes, start, end);
      assert.equal(news, WaitNews.LOOK);
      assert.equal(generation, this.slots[thread]!.generationOf(waiter));
      waiters.push(waiter);
    });
    return waiters;
  }
}

Deno.test("callWaiters: those who wait for a key look when a transaction makes it, and nobody else", () => {
  const world = new World();
  const first = world.wait(0, "list");
  const second = world.wait(1, "list");
  const third = world.wait(0, "scores");
  world.wait(1, "other");
  world.commit((t) => t.set("other", "a string is nothing to wait for"));
  assert.deepEqual([world.told(0), world.told(1)], [[], []]);
  world.commit((t) => {
    t.rpush("list", "a");
    t.zadd("scores", "m", 1);
  });
  assert.deepEqual(world.told(0).sort(), [first, third].sort());
  assert.deepEqual(world.told(1), [second]);
  // It is there already: who waits now has looked.
  world.commit((t) => t.rpush("list", "b"));
  assert.deepEqual([world.told(0), world.told(1)], [[], []]);
  assert.deepEqual([world.region.takeLost(0), world.region.takeLost(1)], [false, false]);
  world.store.assertInvariants();
});

Deno.test("callWaiters: where an inbox is full, or very many wait, the threads look at all", () => {
  const full = new World(64);
  for (let i = 0; i < 6; i++) full.wait(0, "list");
  full.commit((t) => t.rpush("list", "a"));
  assert.ok(full.told(0).length < 6);
  assert.deepEqual([full.region.takeLost(0), full.region.takeLost(1)], [true, false]);
  const crowded = new World();
  for (let i = 0; i < 40; i++) crowded.wait(i % 2, "list");
  crowded.commit((t) => t.lpush("list", "a"));
  assert.equal(crowded.told(0).length + crowded.told(1).length, 32);
  assert.deepEqual([crowded.region.takeLost(0), crowded.region.takeLost(1)], [true, true]);
});
