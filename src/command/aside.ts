/**
 * Sorted sets that are made aside, in slices, and put at their key when they are complete.
 *
 * @module
 */

import type { Collection } from "../store/collection/collection.ts";
import type { RecordCursor } from "../store/collection/cursor.ts";
import type { ElementView } from "../store/collection/element.ts";
import type { Key } from "../store/key.ts";
import { EntryType, type Store, WriteStatus } from "../store/store.ts";
import type { CommandCall } from "./call.ts";
import { STEP_RECLAIM_ATTEMPTS } from "./reclaim_limits.ts";
import type { Slices } from "./slices.ts";

/** What adding a member weighs, in the units of `Slices.isOver`. */
const ADD_WEIGHT = 32;

/** Members with scores that come one after the other, each once. */
export interface MemberProducer {
  /**
   * Goes to the next member, the first one at first; false when there is none. At most some
   * microseconds of work.
   *
   * @returns undefined: not found yet, ask again
   */
  next(): boolean | undefined;
  /** The member it is at. */
  element(): ElementView;
  /** Its score. */
  score(): number;
  /** Where the member is, if they come in the order of a sorted set. */
  readonly cursor?: RecordCursor;
}

/** The members of a sorted set at some ranks. */
export class RankProducer implements MemberProducer {
  readonly cursor: RecordCursor;
  readonly #intervals: readonly (readonly [number, number])[];
  #interval = -1;
  #left = 0;

  /** Gives the members at the ranks `[from, to)` of each interval. */
  constructor(cursor: RecordCursor, ...intervals: readonly (readonly [number, number])[]) {
    this.cursor = cursor;
    this.#intervals = intervals;
  }

  /** See {@link MemberProducer.next}. */
  next(): boolean {
    if (this.#left > 0) {
      this.cursor.next();
    } else {
      do {
        if (++this.#interval >= this.#intervals.length) return false;
        const [from, to] = this.#intervals[this.#interval]!;
        this.#left = to - from;
      } while (this.#left <= 0);
      this.cursor.seekRank(this.#intervals[this.#interval]![0]);
    }
    this.#left--;
    return true;
  }

  /** See {@link MemberProducer.element}. */
  element(): ElementView {
    return this.cursor.element();
  }

  /** See {@link MemberProducer.score}. */
  score(): number {
    return this.cursor.score();
  }
}

/** Adds what a producer gives to a collection that is made aside. */
class Filling {
  readonly #store: Store;
  readonly #producer: MemberProducer;
  /** The producer is at a member that could not be added yet. */
  #isOwed = false;

  constructor(store: Store, producer: MemberProducer) {
    this.#store = store;
    this.#producer = producer;
  }

  /**
   * Adds members until there are no more, the slice is over or memory is short; needs the lock.
   *
   * @returns whether it is complete; undefined without memory
   */
  run(c: Collection, slices: Slices | undefined): boolean | undefined {
    this.#store.collections.rewind(c);
    for (;;) {
      if (!this.#isOwed) {
        const next = this.#producer.next();
        if (next === false) return true;
        this.#isOwed = next === true;
      }
      if (this.#isOwed) {
        if (this.#add(c) !== WriteStatus.OK) return undefined;
        this.#isOwed = false;
      }
      if (slices?.isOver(ADD_WEIGHT) === true) return false;
    }
  }

  #add(c: Collection): WriteStatus {
    const { collections } = this.#store;
    const { cursor } = this.#producer;
    if (cursor !== undefined) return collections.append(c, cursor);
    const { sortedSets } = collections;
    const element = this.#producer.element();
    const status = sortedSets.beginOne(c, element.byteCount);
    if (status !== WriteStatus.OK) return status;
    if (element.longRoot === 0) {
      sortedSets.put(c, element.bytes, element.start, element.end, this.#producer.score());
    } else {
      sortedSets.put(c, element.toBytes(), 0, element.byteCount, this.#producer.score());
    }
    sortedSets.finish(c);
    return WriteStatus.OK;
  }
}

/**
 * Makes a sorted set for a key aside, with no lock held between slices. Ends with `publish` or
 * {@link abandonAside}.
 *
 * Thread: the I/O thread that runs the command.
 *
 * @returns undefined without memory
 */
export async function buildAside(
  store: Store,
  database: number,
  key: Key,
  producer: MemberProducer,
  slices: Slices,
): Promise<Collection | undefined> {
  const { shard } = key;
  const filling = new Filling(store, producer);
  let c: Collection | undefined = undefined;
  let countBefore = 0;
  for (let failures = 0;;) {
    if (!slices.tryLock(shard, true)) {
      slices.wanted(shard, true);
      await slices.next();
      continue;
    }
    const isComplete: boolean | undefined = slices.guard(shard, () => {
      c ??= store.collections.make(database, key, EntryType.SORTED_SET);
      return c === undefined ? undefined : filling.run(c, slices);
    });
    slices.unlock(shard, true);
    if (isComplete === true) return c;
    const { count } = c ?? { count: 0 };
    if (count > countBefore) failures = 0;
    countBefore = count;
    if (isComplete === undefined && (++failures > STEP_RECLAIM_ATTEMPTS || !store.reclaim())) {
      if (c !== undefined) await abandonAside(store, c, slices);
      return undefined;
    }
    await slices.next();
  }
}

/** Lets go of a sorted set that was made aside, with no lock held. Thread: as {@link buildAside}. */
export async function abandonAside(store: Store, c: Collection, slices: Slices): Promise<void> {
  const { shard } = c.key;
  while (!slices.tryLock(shard, true)) {
    slices.wanted(shard, true);
    await slices.next();
  }
  slices.guard(shard, () => store.collections.abandon(c));
  slices.unlock(shard, true);
}

/**
 * Makes a sorted set and puts it at the key that argument `index` names, whose exclusive lock is
 * held; an empty one deletes the key.
 *
 * Thread: the connection's I/O thread.
 *
 * @param result how many members it has, if the status is OK
 * @returns OK, OUT_OF_MEMORY or KEY_TOO_LONG; unless it is OK, nothing has changed
 */
export function storeNow(
  call: CommandCall,
  index: number,
  producer: MemberProducer,
  result: { count: number },
): WriteStatus {
  const { collections } = call.store;
  const c = collections.make(call.database, call.keyAt(index), EntryType.SORTED_SET);
  if (c === undefined) return WriteStatus.OUT_OF_MEMORY;
  const filling = new Filling(call.store, producer);
  const isFilled = filling.run(c, undefined) === true;
  const { count } = c;
  const status = isFilled ? collections.publish(c) : WriteStatus.OUT_OF_MEMORY;
  if (status === WriteStatus.OK) result.count = count;
  else collections.abandon(c);
  return status;
}

/**
 * Puts a sorted set that was made aside in the place of the one at its key, which keeps its time to
 * live. The key's exclusive lock is held.
 *
 * Thread: the connection's I/O thread.
 *
 * @returns OK or OUT_OF_MEMORY; then it is still aside
 */
export function replaceBy(store: Store, c: Collection): WriteStatus {
  const entry = store.lookup(c.database, c.key);
  const expireAtMs = entry === 0 ? 0 : store.expireAtMs(entry);
  if (expireAtMs === 0 || c.count === 0) return store.collections.publish(c);
  const { collections } = store;
  if (!collections.reserve(PUBLISH_PAGES)) return WriteStatus.OUT_OF_MEMORY;
  collections.publish(c);
  // A larger block for the entry: one of the pages that were reserved.
  store.setExpiry(c.database, c.key, expireAtMs);
  collections.settle();
  return WriteStatus.OK;
}

/** Pages that an entry, its place in the index and its time to live may need. */
const PUBLISH_PAGES = 10;
