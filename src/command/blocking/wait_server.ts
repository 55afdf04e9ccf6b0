/**
 * Gives clients that wait for keys what has come to be at these.
 *
 * Whoever makes a key poppable serves those who wait for it before it gives back the lock of the
 * key's shard: nobody can come in between. It takes the elements, puts them into the arena
 * (`Store.share`), names them in the waiter's record, and tells the waiter's thread.
 *
 * What cannot be done so, the waiter's own thread does: moves to another list, which need another
 * lock; a lot of elements, or long ones; and everything when memory is short. It is told to *look*.
 * The waiter keeps its place meanwhile: those behind it are served when it has left the queue, and
 * whoever takes it out sees to that ({@link WaitServer.serve} again).
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { Notifier } from "../../pubsub/notifier.ts";
import type { Collection } from "../../store/collection/collection.ts";
import { Key } from "../../store/key.ts";
import { EntryType, type Store, WriteStatus } from "../../store/store.ts";
import type { WaitQueues } from "../../store/wait_queues.ts";
import { Waiter, WaiterState, WaitNews, type WaitRegion } from "../../store/wait_region.ts";
import { HandOver } from "./hand_over.ts";

/** What a waiter takes. */
export const Take = {
  /** The first elements of a list. */
  LIST_FRONT: 0,
  /** The last ones, the very last first. */
  LIST_BACK: 1,
  /** Members of a sorted set, the lowest score first. */
  SCORE_MIN: 2,
  /** The highest first. */
  SCORE_MAX: 3,
} as const;

/** One of the values of {@link Take}. */
export type Take = (typeof Take)[keyof typeof Take];

export { WaitNews };

/** What is published of it, by {@link Take}. */
const EVENTS = ["lpop", "rpop", "zpopmin", "zpopmax"] as const;

/** Added to a {@link Take}: only the waiter's own thread can do it. */
export const TAKE_ITSELF = 4;

/** Tells a waiter's thread; never waits, and may be lost (`WaitRegion.noteLost`). */
export type TellWaiter = (waiter: number, generation: number, news: WaitNews) => void;

/** More elements are taken by the waiter's own thread. Reason: some 50 µs. */
const MAX_HANDED_ELEMENTS = 64;

/** The same in bytes. */
const MAX_HANDED_BYTES = 16384;

/** So many are served at a stretch, the next one has to look. Reason: some 100 µs. */
const MAX_SERVED = 32;

/** What a {@link WaitServer} works with. */
export interface WaitServerParts {
  /** The store. */
  readonly store: Store;
  /** The waiters. */
  readonly region: WaitRegion;
  /** Their queues. */
  readonly queues: WaitQueues;
  /** Tells their threads. */
  readonly tell: TellWaiter;
  /**
   * Notes what was taken; whoever gives the lock back publishes it. Behind the note of the command
   * that made the key poppable, as in Redis.
   */
  readonly notifier: Notifier | undefined;
}

/** Thread: one per I/O thread; calls need the exclusive lock of the key's shard. */
export class WaitServer {
  readonly #parts: WaitServerParts;
  readonly #key = new Key();
  readonly #handOver = new HandOver();

  /** From now on the thread serves what becomes ready under its locks. */
  constructor(parts: WaitServerParts) {
    this.#parts = parts;
    const { readyKeys, locks } = parts.store;
    readyKeys.isWatched = true;
    locks.onReady = (shard) => this.#serveReady(shard);
  }

  /**
   * Serves those who wait for a key, in the order in which they came.
   *
   * @param self a waiter that is here to look, with the locks of all its keys
   * @returns whether it is its turn, and there is something
   */
  serve(key: Key, self = -1): boolean {
    const { queues, region } = this.#parts;
    let served = 0;
    let node = queues.first(key);
    while (node >= 0) {
      const next = queues.after(node);
      const waiter = queues.waiterOf(node);
      if (region.stateOf(waiter) === WaiterState.WAITING) {
        const c = this.#open(key, node, waiter);
        if (c !== undefined) {
          if (waiter === self) return true;
          if (served === MAX_SERVED || !this.#serveOne(c, key, node, waiter)) {
            this.#tell(waiter, WaitNews.LOOK);
            return false;
          }
          served++;
        }
      }
      node = next;
    }
    return false;
  }

  #serveReady(shard: number): void {
    const { store } = this.#parts;
    for (const bytes of store.readyKeys.take(shard)) {
      const key = this.#key.set(bytes, 0, bytes.length);
      store.locate(key);
      this.serve(key);
    }
  }

  /** The collection that a waiter waits for, if it is there. */
  #open(key: Key, node: number, waiter: number): Collection | undefined {
    const { queues, store } = this.#parts;
    const { collections } = store;
    const take = this.#operationOf(waiter) & ~TAKE_ITSELF;
    const type = take <= Take.LIST_BACK ? EntryType.LIST : EntryType.SORTED_SET;
    const c = collections.handle(0);
    const status = collections.open(c, queues.databaseOf(node), key, type, true);
    return status === WriteStatus.OK && c.count > 0 ? c : undefined;
  }

  #operationOf(waiter: number): number {
    const { region } = this.#parts;
    return region.words[region.waiterAt(waiter) + Waiter.OPERATION]!;
  }

  /**
   * Hands over what a waiter wants, unless it has just left.
   *
   * @returns false when it has to look for itself
   */
  #serveOne(c: Collection, key: Key, node: number, waiter: number): boolean {
    const { queues, region, store } = this.#parts;
    const { collections } = store;
    const operation = this.#operationOf(waiter);
    if ((operation & TAKE_ITSELF) !== 0) return false;
    const wanted = region.words[region.waiterAt(waiter) + Waiter.COUNT]!;
    const count = Math.min(wanted, c.count);
    if (count > MAX_HANDED_ELEMENTS) return false;
    const isFromEnd = operation === Take.LIST_BACK || operation === Take.SCORE_MAX;
    const hasScores = operation >= Take.SCORE_MIN;
    if (!this.#handOver.collect(c.cursor, count, isFromEnd, hasScores, MAX_HANDED_BYTES)) {
      return false;
    }
    const { bytes, length } = this.#handOver;
    const result = store.share(key.shard, bytes, 0, length, 1);
    if (result === 0) return false;
    if (!collections.reserve(collections.pagesFor(c, 2 * count, 0, 0))) {
      store.openShared(result).release();
      return false;
    }
    // From here on nothing fails. Who has left meanwhile leaves everything as it is.
    if (region.tryMove(waiter, WaiterState.SERVED)) {
      const rank = isFromEnd ? c.count - count : 0;
      if (hasScores) collections.sortedSets.removeRanks(c, rank, count);
      else collections.lists.removeRanks(c, rank, count);
      const keyIndex = queues.keyIndexOf(node);
      this.#note(c, key, node, operation as Take);
      queues.remove(key, node);
      region.finish(waiter, result, keyIndex);
      this.#tell(waiter, WaitNews.SERVED);
      collections.settle();
    } else {
      collections.settle();
      store.openShared(result).release();
    }
    return true;
  }

  /** Notes that a waiter took something, and that it was the last, if it was. */
  #note(c: Collection, key: Key, node: number, take: Take): void {
    const { notifier, queues } = this.#parts;
    if (notifier === undefined) return;
    const database = queues.databaseOf(node);
    const kind = take <= Take.LIST_BACK ? NotifyClass.LIST : NotifyClass.SORTED_SET;
    notifier.note(kind, EVENTS[take], database, key);
    if (c.count === 0) notifier.note(NotifyClass.GENERIC, "del", database, key);
  }

  #tell(waiter: number, news: WaitNews): void {
    const { region, tell } = this.#parts;
    tell(waiter, region.words[region.waiterAt(waiter) + Waiter.GENERATION]! >>> 0, news);
  }
}
