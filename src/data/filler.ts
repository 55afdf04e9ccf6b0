/**
 * Puts keys into a store, from wherever they come.
 *
 * @module
 */

import { MAX_KEY_BYTES } from "../store/entry.ts";
import { addElement } from "../store/collection/add_element.ts";
import type { Collection } from "../store/collection/collection.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import { Key } from "../store/key.ts";
import { MAX_EXPIRE_AT_MS } from "../store/expiry_writer.ts";
import type { Restoration } from "../store/restoration.ts";
import { EntryType, type Store, WriteStatus } from "../store/store.ts";
import { noRoom, type RoomOptions } from "./data_store.ts";
import type { Skipped } from "./skipped.ts";

const NO_BYTES = new Uint8Array(0);

/** What every key has. */
export interface KeyFacts {
  /** Number of its database. */
  readonly database: number;
  /** Its bytes. */
  readonly key: Uint8Array;
  /** When it expires, ms since the epoch, perhaps long ago; 0 = never. */
  readonly expireAtMs: number;
  /** Whether an event wrote it. */
  readonly isBalance?: boolean;
}

/**
 * Puts keys into a store that nobody else uses; what a key had is gone then.
 *
 * Thread: the only one that uses the store.
 */
export class Filler {
  /** Where the keys go. */
  readonly store: Store;
  /** What has no place here. */
  readonly skipped: Skipped;
  /** Keys that were put. */
  keyCount = 0;

  readonly #room: RoomOptions;
  readonly #restoration: Restoration;
  readonly #key = new Key();
  /** The collection that is being filled; undefined: none, or one that is passed over. */
  #coming: Collection | undefined;
  #comingFacts: KeyFacts | undefined;

  /** Fills `store`, which was made with these options. */
  constructor(store: Store, room: RoomOptions, skipped: Skipped) {
    this.store = store;
    this.#room = room;
    this.skipped = skipped;
    this.#restoration = store.restoration();
  }

  /** Whether there is a place for such a key; if not, that is counted. */
  accepts({ database, key }: KeyFacts): boolean {
    if (database >= DATABASE_COUNT) {
      return this.#skip(`databases above ${DATABASE_COUNT - 1}`, key);
    }
    if (key.length > MAX_KEY_BYTES) return this.#skip(`keys above ${MAX_KEY_BYTES} bytes`, key);
    return true;
  }

  /** Whether there is a place for a string or an element of that length; if not, that is counted. */
  acceptsLength(byteCount: number, key: Uint8Array): boolean {
    if (byteCount <= this.store.maxValueBytes) return true;
    return this.#skip(
      `values above ${this.store.maxValueBytes} bytes (see --max-value-bytes)`,
      key,
    );
  }

  /** Sets a string, unless there is no place for it. */
  putString(facts: KeyFacts, value: Uint8Array): void {
    if (!this.accepts(facts) || !this.acceptsLength(value.length, facts.key)) return;
    const { database } = facts;
    const key = this.#locate(facts);
    this.#remove(database, key);
    const expireAtMs = Math.min(facts.expireAtMs, MAX_EXPIRE_AT_MS);
    this.#attempt(
      key.shard,
      () => this.store.setString(database, key, value, 0, value.length, expireAtMs),
    );
    this.#finishKey(facts, key);
  }

  /** Begins a collection; {@link Filler.endCollection} ends it. */
  beginCollection(facts: KeyFacts, type: EntryType): void {
    this.#comingFacts = facts;
    if (!this.accepts(facts)) return;
    const key = this.#locate(facts);
    this.#attempt(key.shard, () => {
      this.#coming = this.store.collections.make(facts.database, key, type);
      return this.#coming === undefined ? WriteStatus.OUT_OF_MEMORY : WriteStatus.OK;
    });
  }

  /**
   * Adds an element to the collection that was begun.
   *
   * @param value of a field
   * @param score of a member of a sorted set
   */
  addElement(element: Uint8Array, value: Uint8Array = NO_BYTES, score = 0): void {
    const c = this.#coming;
    if (c === undefined) return;
    const longest = Math.max(element.length, value.length);
    if (!this.acceptsLength(longest, this.#comingFacts!.key)) {
      this.#abandon(c);
      return;
    }
    const { collections } = this.store;
    this.#attempt(
      c.key.shard,
      () => addElement(collections, c, element, 0, element.length, value, 0, value.length, score),
    );
  }

  /** Puts the collection at its key; one without elements is none. */
  endCollection(): void {
    const c = this.#coming;
    if (c === undefined) return;
    const isEmpty = c.count === 0;
    const { shard } = c.key;
    this.#attempt(shard, () => this.store.collections.publish(c));
    this.#coming = undefined;
    const facts = this.#comingFacts!;
    if (isEmpty) return;
    const key = this.#locate(facts);
    const expireAtMs = Math.min(facts.expireAtMs, MAX_EXPIRE_AT_MS);
    if (expireAtMs !== 0) {
      this.#attempt(shard, () => this.store.setExpiry(facts.database, key, expireAtMs));
    }
    this.#finishKey(facts, key);
  }

  /** Gives up the collection that was begun, if one was. */
  abandonCollection(): void {
    if (this.#coming !== undefined) this.#abandon(this.#coming);
  }

  /** Removes the keys that have expired; returns how many these were. */
  removeExpired(nowMs: number): number {
    const { store } = this;
    let count = 0;
    for (let database = 0; database < DATABASE_COUNT; database++) {
      const expired: Uint8Array[] = [];
      for (let shard = 0; shard < store.shardCount; shard++) {
        let position = 0;
        do {
          position = store.keyspace.scanOnce(database, shard, position, (entry) => {
            const expireAtMs = store.expireAtMs(entry);
            if (expireAtMs === 0 || expireAtMs > nowMs) return;
            const { bytes, start, end } = store.showKey(entry, this.#key);
            expired.push(bytes.slice(start, end));
          });
        } while (position !== 0);
      }
      for (const key of expired) {
        this.#remove(database, this.#locate({ database, key, expireAtMs: 0 }));
      }
      count += expired.length;
    }
    return count;
  }

  #abandon(c: Collection): void {
    const { locks, collections } = this.store;
    locks.lock(c.key.shard, true);
    collections.abandon(c);
    locks.unlock(c.key.shard, true);
    this.#coming = undefined;
  }

  #finishKey({ database, isBalance }: KeyFacts, key: Key): void {
    this.keyCount++;
    if (isBalance !== true) return;
    const entry = this.store.peek(database, key);
    this.#restoration.restore(entry, this.store.entrySeq(entry), true);
  }

  #locate({ key: bytes }: KeyFacts): Key {
    const key = this.#key.set(bytes, 0, bytes.length);
    this.store.locate(key);
    return key;
  }

  /** What is written over a balance is none. */
  #remove(database: number, key: Key): void {
    const { locks } = this.store;
    locks.lock(key.shard, true);
    this.store.remove(database, key);
    locks.unlock(key.shard, true);
  }

  /** Does something under a shard's lock, as often as memory is found for it. */
  #attempt(shard: number, action: () => WriteStatus): void {
    const { locks } = this.store;
    for (;;) {
      locks.lock(shard, true);
      const status = action();
      locks.unlock(shard, true);
      if (status === WriteStatus.OK) return;
      if (status !== WriteStatus.OUT_OF_MEMORY) throw new Error(`a write ended with ${status}`);
      if (!this.store.reclaim()) throw noRoom(this.#room, "the keys do not fit the memory");
    }
  }

  #skip(what: string, key: Uint8Array): false {
    this.skipped.add(what, key);
    return false;
  }
}
