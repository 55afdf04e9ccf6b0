/**
 * Takes a snapshot of a store that is being changed meanwhile.
 *
 * The shards are walked as `SCAN` walks them, a bucket at a time under the shard's shared lock: a key
 * that is there all the while is visited, and once only. What is small is written down under
 * the lock. A large value is leased there and written down afterwards, so that no lock is held for
 * longer than a bucket of small values takes, whatever the store has.
 *
 * Nothing keeps `SWAPDB` from coming in between, after which some keys would be missing or in the wrong
 * database. Who takes a snapshot has to give it up then, and begin again.
 *
 * @module
 */

import { AssertionFault } from "../base/assert.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { CollectionLease } from "../store/collection/collection_lease.ts";
import { MAX_KEY_BYTES } from "../store/entry.ts";
import { SNAPSHOT_OPERATION } from "../store/locks.ts";
import { BALANCE_DATABASE, EntryType, type Store } from "../store/store.ts";
import type { ValueLease } from "../store/value_lease.ts";
import { EffectRecorder } from "./effect_recorder.ts";

import type { EventIdSnapshot } from "./event_id_records.ts";
import { appendElements } from "./elements.ts";
import { RecordFlag, RecordType } from "./record.ts";
import type { SnapshotWriter } from "./snapshot_file.ts";

/** A collection with more elements is leased. Reason: some 0.1 ms under the lock. */
const ELEMENTS_AT_ONCE = 512;
/** One that takes more than this is leased, too, however few elements it has. Unit: bytes. */
const BYTES_AT_ONCE = 2 ** 17;
/** Elements of a leased collection per step. */
const ELEMENTS_PER_STEP = 2000;
/** Bytes of them per step, and one element. */
const ELEMENT_BYTES_PER_STEP = 2 ** 20;
/** Bytes of a leased string per step; all in one record. */
const STRING_BYTES_PER_STEP = 2 ** 20;

/** What a large value's record begins with, copied under the lock. */
interface LargeValue {
  readonly database: number;
  readonly key: Uint8Array;
  readonly type: EntryType;
  readonly seq: number;
  readonly expireAtMs: number;
  readonly flags: number;
  readonly value: ValueLease | CollectionLease;
  /** Elements that are not written yet; negative = not begun. */
  left: number;
}

/**
 * Takes one snapshot, step by step.
 *
 * Thread: one whose end stops the server, because it leases. It never sleeps for locks.
 */
export class SnapshotTaker {
  /** Keys that were written. */
  keyCount = 0;

  readonly #store: Store;
  readonly #ids: EventIdSnapshot | undefined;
  readonly #writer: SnapshotWriter;
  readonly #recorder: EffectRecorder;
  readonly #databaseCount: number;
  readonly #collection: Collection;
  readonly #key = new Uint8Array(MAX_KEY_BYTES);
  readonly #large: LargeValue[] = [];
  #database: number = BALANCE_DATABASE;
  #shard = 0;
  #position = 0;

  /**
   * Begins.
   *
   * @param databaseCount how many databases there are
   * @param ids of events, which are to be in the snapshot, too
   */
  constructor(store: Store, writer: SnapshotWriter, databaseCount: number, ids?: EventIdSnapshot) {
    this.#store = store;
    this.#ids = ids;
    this.#writer = writer;
    this.#databaseCount = databaseCount;
    this.#recorder = new EffectRecorder(store, writer.records);
    this.#collection = store.collections.newHandle();
  }

  /**
   * Goes on for about a tenth of a millisecond, more where a single element is long; not at all where
   * a lock is busy.
   *
   * @returns whether there is more
   * @throws what the system says; the snapshot is to be abandoned then
   * @throws {AssertionFault} when the store is not as it must be; the shard is poisoned
   */
  step(): boolean {
    const large = this.#large.at(-1);
    if (large !== undefined) {
      if (!this.#writeLarge(large)) this.#large.pop()!.value.release();
    } else if (!this.#ids?.step(this.#writer.records)) {
      if (this.#database === this.#databaseCount) return false;
      this.#scan();
    }
    if (this.#isBetweenRecords()) this.#writer.flushIfFull();
    return true;
  }

  /** Lets go of everything leased, when the snapshot is given up. */
  release(): void {
    for (const { value } of this.#large.splice(0)) value.release();
  }

  #isBetweenRecords(): boolean {
    const large = this.#large.at(-1);
    return large === undefined || large.type !== EntryType.STRING || large.left < 0;
  }

  #scan(): void {
    const store = this.#store;
    const database = this.#database;
    // Not waited for: who has the lock may be waiting for room in the log, which this thread makes.
    if (!store.locks.tryLock(this.#shard, false)) return;
    try {
      this.#position = store.keyspace.scanOnce(database, this.#shard, this.#position, (entry) => {
        this.keyCount++;
        if (!this.#takeLarge(database, entry)) this.#recorder.written(this.#shard, database, entry);
      });
    } catch (error) {
      // Who reads has torn nothing, unless what it read is not what it must be.
      if (error instanceof AssertionFault) store.locks.poison(this.#shard, SNAPSHOT_OPERATION);
      else store.locks.unlock(this.#shard, false);
      throw error;
    }
    store.locks.unlock(this.#shard, false);
    if (this.#position !== 0) return;
    this.#shard = (this.#shard + 1) % store.shardCount;
    if (this.#shard === 0) this.#database++;
  }

  /** Leases a large value; false: it is small. */
  #takeLarge(database: number, entry: number): boolean {
    const store = this.#store;
    const type = store.entryType(entry);
    let value: ValueLease | CollectionLease;
    if (type === EntryType.STRING) {
      if (!store.isLeasable(entry)) return false;
      value = store.lease(entry);
    } else {
      const c = this.#collection;
      store.collections.openEntry(c, entry);
      const byteCount = c.root === 0 ? 0 : store.collections.memory.footprintBytes(c.root);
      if (c.count <= ELEMENTS_AT_ONCE && byteCount <= BYTES_AT_ONCE) return false;
      value = store.collectionLeases.take(c);
    }
    this.#large.push({
      database,
      key: this.#key.slice(0, store.copyKey(entry, this.#key, 0)),
      type,
      seq: store.entrySeq(entry),
      expireAtMs: store.expireAtMs(entry),
      flags: store.isPinned(entry) ? RecordFlag.PINNED : 0,
      value,
      left: -1,
    });
    return true;
  }

  /** Writes a part of a large value; whether there is more. */
  #writeLarge(large: LargeValue): boolean {
    const { value } = large;
    return "cursor" in value ? this.#writeElements(large, value) : this.#writeString(large, value);
  }

  #writeString(large: LargeValue, value: ValueLease): boolean {
    const { records } = this.#writer;
    if (large.left < 0) this.#begin(large, RecordType.STRING);
    large.left = value.remaining;
    const byteCount = Math.min(large.left, STRING_BYTES_PER_STEP);
    const at = records.extend(byteCount);
    value.copyNext(records.bytes, at, byteCount);
    if (value.remaining > 0) return true;
    records.end();
    return false;
  }

  #writeElements(large: LargeValue, { count, cursor }: CollectionLease): boolean {
    const { records } = this.#writer;
    const { type, database } = large;
    if (large.left < 0) {
      this.#begin(large, RecordType.COLLECTION);
      records.appendUint64(count).end();
      large.left = count;
      cursor.seekFirst();
    }
    const most = Math.min(large.left, ELEMENTS_PER_STEP);
    large.left -= appendElements(records, type, database, cursor, most, ELEMENT_BYTES_PER_STEP);
    return large.left > 0;
  }

  #begin(
    { database, key, type, seq, expireAtMs, flags }: LargeValue,
    recordType: RecordType,
  ): void {
    const { records } = this.#writer;
    records.begin(recordType, database, key, 0, key.length, seq, type, expireAtMs, flags);
  }
}
