/**
 * Calls the clients that wait for keys (`BLPOP` and the like) when a worker makes such a key.
 *
 * A worker serves nobody: it has the waiters' own threads look, which take the locks of their keys as a
 * command does (docs/locking.md, "Clients that wait for keys").
 *
 * @module
 */

import { WAITER_MESSAGE_BYTES, WaiterMessage } from "../base/inbox_message.ts";
import { Inbox, type InboxSender } from "../channel/inbox.ts";
import { Key } from "../store/key.ts";
import type { Store } from "../store/store.ts";
import type { WaitQueues } from "../store/wait_queues.ts";
import {
  Waiter,
  WaiterState,
  type WaitMemory,
  WaitNews,
  WaitRegion,
} from "../store/wait_region.ts";
import type { InboxesMemory } from "./settlement_post.ts";

/** So many of a key are called by message; of more, everybody looks. Reason: a lock is held. */
const MAX_CALLED = 32;

/** What {@link callWaiters} works with; part of a worker's orders. */
export interface WaiterCallsParts {
  /** Who waits; absent: nobody can. */
  waits?: WaitMemory | undefined;
  /** Where they are told; absent: nowhere. */
  inboxes?: InboxesMemory | undefined;
  /** The worker's thread id. */
  threadId: number;
}

/** From now on clients are called that wait for keys which this thread makes. Thread: a worker, once. */
export function callWaiters({ inboxes, threadId, waits }: WaiterCallsParts, store: Store): void {
  if (waits === undefined || inboxes === undefined) return;
  const region = WaitRegion.attach(waits);
  const senders = inboxes.inboxes.map((memory) => Inbox.attach(memory).sender(threadId));
  const calls = new WaiterCalls(store, region, store.waitQueues(region), senders);
  store.readyKeys.isWatched = true;
  store.locks.onReady = (shard) => calls.callReady(shard);
}

/**
 * Has everybody who waits look, soon: a worker has died which may not have come to call them.
 * Thread: any.
 */
export function callAllWaiters(region: WaitRegion): void {
  for (let thread = 0; thread < region.threadCount; thread++) region.noteLost(thread);
}

/** Thread: one per worker; calls need the exclusive lock of the shard. */
class WaiterCalls {
  readonly #store: Store;
  readonly #region: WaitRegion;
  readonly #queues: WaitQueues;
  readonly #senders: readonly InboxSender[];
  readonly #key = new Key();
  readonly #message = new WaiterMessage();
  readonly #bytes = new Uint8Array(WAITER_MESSAGE_BYTES);

  constructor(
    store: Store,
    region: WaitRegion,
    queues: WaitQueues,
    senders: readonly InboxSender[],
  ) {
    this.#store = store;
    this.#region = region;
    this.#queues = queues;
    this.#senders = senders;
  }

  callReady(shard: number): void {
    const store = this.#store;
    for (const bytes of store.readyKeys.take(shard)) {
      const key = this.#key.set(bytes, 0, bytes.length);
      store.locate(key);
      this.#callThoseOf(key);
    }
  }

  #callThoseOf(key: Key): void {
    const queues = this.#queues;
    const region = this.#region;
    let called = 0;
    // Whether it is the type that they wait for, and their turn, they see for themselves.
    for (let node = queues.first(key); node >= 0; node = queues.after(node)) {
      const waiter = queues.waiterOf(node);
      if (region.stateOf(waiter) !== WaiterState.WAITING) continue;
      if (called++ === MAX_CALLED) return callAllWaiters(region);
      this.#call(waiter);
    }
  }

  #call(waiter: number): void {
    const region = this.#region;
    const thread = region.threadOf(waiter);
    const message = this.#message;
    message.news = WaitNews.LOOK;
    message.waiter = waiter;
    message.generation = region.words[region.waiterAt(waiter) + Waiter.GENERATION]! >>> 0;
    message.encode(this.#bytes);
    const isTold = this.#senders[thread]?.trySend(this.#bytes, 0, WAITER_MESSAGE_BYTES) === true;
    if (!isTold) region.noteLost(thread);
  }
}
