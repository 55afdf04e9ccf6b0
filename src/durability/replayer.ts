/**
 * Puts what records tell into a store that is empty at first: those of a snapshot, then those of the
 * log behind it.
 *
 * A snapshot's keys are of different moments, so some of them are newer than the log's first records.
 * Those do nothing to a key whose own mutation has the same number or a higher one. And a change of an
 * element may belong to a key that is not there, because it was deleted before the snapshot came to
 * it: then the deletion is still to come in the log, and until then it does not matter what the key
 * is.
 *
 * @module
 */

import { formatInt64, INT64_MAX_DECIMAL_BYTES } from "../base/int64.ts";
import type { Collection } from "../store/collection/collection.ts";
import { DATABASE_COUNT } from "../store/control.ts";
import type { Place } from "../store/entry_mover.ts";
import { Key } from "../store/key.ts";
import type { MutationHook } from "../store/mutation_hook.ts";
import type { Restoration } from "../store/restoration.ts";
import { EntryType, type Store, WriteStatus } from "../store/store.ts";
import { ElementReader } from "./elements.ts";
import { RecordFlag, type RecordReader, RecordType, SOURCE_GOES } from "./record.ts";

const latin1 = new TextDecoder("latin1");

/** How often a record is tried again after memory was found. */
const MAX_RECLAIM_ATTEMPTS = 1000;

/** Thrown when the data do not fit the store; who starts the server says what to do about it. */
export class NoRoomError extends Error {
  /** Always `"NoRoomError"`. */
  override readonly name = "NoRoomError";
  /** The flag that gives more room. */
  readonly flag: "--max-memory" | "--max-value-bytes";

  /**
   * Says for what there is no room.
   *
   * @param message in words, without a full stop
   */
  constructor(message: string, flag: "--max-memory" | "--max-value-bytes" = "--max-memory") {
    super(message);
    this.flag = flag;
  }
}

/** A key, and where it is. */
export interface EvictedKey {
  /** Its database. */
  readonly database: number;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** A collection, or one that is passed over, whose elements are still to come. */
interface Unfinished {
  readonly coming: Collection | undefined;
  readonly count: number;
  readonly record: { seq: number; expireAtMs: number; flags: number };
  readonly skippedElements: number;
}

/** What a record can be that was told of no event and is no part of the log's own. */
type Outcome = "done" | "no memory" | "too large" | "not a record";

/**
 * Applies records.
 *
 * Thread: the one that starts the server, before there are others.
 */
export class Replayer {
  /** Records that were applied. */
  appliedCount = 0;
  /** Records that a newer key did not need. */
  skippedCount = 0;

  readonly #store: Store;
  readonly #restoration: Restoration;
  readonly #key = new Key();
  readonly #digits = new Uint8Array(INT64_MAX_DECIMAL_BYTES);
  readonly #elements = new ElementReader();
  readonly #collection: Collection;
  /** A collection that is not whole yet, and how many elements it is to have. */
  #coming: Collection | undefined;
  #comingCount = 0;
  #comingRecord = { seq: 0, expireAtMs: 0, flags: 0 };
  /** How many elements are still to come of a collection that its key does not need. */
  #skippedElements = 0;
  /** A collection that was too long for one frame, and between whose parts something has come. */
  #suspended: Unfinished | undefined;
  /** The highest number of a mutation so far. */
  #seq = 0;
  /** The key and the mutation of the part before: effects of one command share a number. */
  readonly #lastKey = new Key();
  #lastSeq = -1;
  /** Keys that had to go to make room, and have got no other value since. */
  readonly #evicted = new Map<string, EvictedKey>();
  readonly #evictions: MutationHook = {
    removed: (_shard, database, key) => this.#noteEvicted(database, key),
    written: () => {},
    changed: () => {},
    flushed: () => {},
    swapped: () => {},
  };

  /**
   * Fills a store.
   *
   * @param store empty, with a hook that is not set; its clock is set to 0, so that nothing expires
   *   on the way
   */
  constructor(store: Store) {
    this.#store = store;
    this.#restoration = store.restoration();
    this.#collection = store.collections.newHandle();
    store.nowMs = 0;
  }

  /**
   * Applies a record. Those of events, marks and ends are not for this.
   *
   * @returns what is wrong with the record; undefined: nothing
   * @throws {NoRoomError} when the store has no room
   */
  apply(record: RecordReader): string | undefined {
    this.#seq = Math.max(this.#seq, record.seq);
    if (record.type === RecordType.ELEMENTS) this.#resume();
    else this.#suspend();
    if (this.#coming !== undefined && record.type !== RecordType.ELEMENTS) {
      return "a collection ends before it has all its elements";
    }
    if (record.type === RecordType.FLUSHED || record.type === RecordType.SWAPPED) {
      return this.#applyToDatabase(record);
    }
    for (let attempt = 0;; attempt++) {
      const outcome = this.#attempt(record);
      if (outcome === "done") return undefined;
      if (outcome === "not a record") return `a record of type ${record.type} has a wrong payload`;
      if (outcome === "too large") throw this.#tooLarge(record);
      if (attempt === MAX_RECLAIM_ATTEMPTS || !this.#reclaim()) {
        throw new NoRoomError("the store has no room for all keys");
      }
    }
  }

  get #isUnfinished(): boolean {
    return this.#coming !== undefined || this.#skippedElements > 0;
  }

  /** A server that had more room for values wrote it. */
  #tooLarge({ bytes, keyStart, keyEnd, payloadBytes }: RecordReader): NoRoomError {
    const key = latin1.decode(bytes.subarray(keyStart, Math.min(keyEnd, keyStart + 64)));
    const where = keyStart === keyEnd ? "" : ` of key ${JSON.stringify(key)}`;
    return new NoRoomError(
      `a value${where}, about ${payloadBytes} bytes long, is above ${this.#store.maxValueBytes}`,
      "--max-value-bytes",
    );
  }

  /**
   * Goes on with a collection. What is too long for one frame is in several, between which there may be
   * effects of other threads; or, when the server crashed between them, all that came after.
   */
  #resume(): void {
    const suspended = this.#suspended;
    if (suspended === undefined || this.#isUnfinished) return;
    this.#suspended = undefined;
    this.#coming = suspended.coming;
    this.#comingCount = suspended.count;
    this.#comingRecord = suspended.record;
    this.#skippedElements = suspended.skippedElements;
  }

  #suspend(): void {
    // Of two that are not whole nobody could say whose elements follow.
    if (!this.#isUnfinished || this.#suspended !== undefined) return;
    this.#suspended = {
      coming: this.#coming,
      count: this.#comingCount,
      record: this.#comingRecord,
      skippedElements: this.#skippedElements,
    };
    this.#coming = undefined;
    this.#skippedElements = 0;
  }

  /**
   * Ends the replay. A collection that does not have all its elements was being written when the
   * server crashed: its key stays what it was. Mutations to come have higher numbers than all that
   * were.
   */
  finish(): void {
    const { collections, locks } = this.#store;
    for (const c of [this.#coming, this.#suspended?.coming]) {
      if (c === undefined) continue;
      locks.lock(c.key.shard, true);
      collections.abandon(c);
      locks.unlock(c.key.shard, true);
    }
    this.#coming = this.#suspended = undefined;
    this.#restoration.finish(this.#seq);
  }

  /** The highest number of a mutation so far. */
  get seq(): number {
    return this.#seq;
  }

  /**
   * Keys that had to go to make room: a snapshot whose keys are of different moments may have more of
   * them than there ever were at once. The log does not have that.
   */
  get evicted(): readonly EvictedKey[] {
    return [...this.#evicted.values()];
  }

  #attempt(record: RecordReader): Outcome {
    const store = this.#store;
    if (record.type === RecordType.ELEMENTS) return this.#addElements(record);
    if (this.#evicted.size > 0 && this.#isOfEvicted(record)) {
      this.skippedCount++;
      return "done";
    }
    const key = this.#key.set(record.bytes, record.keyStart, record.keyEnd);
    store.locate(key);
    const source = record.type === RecordType.COPIED ? this.#sourceOf(record) : undefined;
    if (source === undefined && record.type === RecordType.COPIED) return "not a record";
    store.locks.lock(key.shard, true);
    const otherShard = source === undefined ? key.shard : source.key.shard;
    if (otherShard !== key.shard) store.locks.lock(otherShard, true);
    try {
      if (this.#isOld(record, key)) {
        this.skippedCount++;
        return record.type === RecordType.COLLECTION ? this.#skipCollection(record) : "done";
      }
      const outcome = source === undefined
        ? this.#applyToKey(record, key)
        : this.#copy(record, key, source);
      if (outcome !== "done") return outcome;
      this.appliedCount++;
      this.#notePart(record, key);
      if (record.type !== RecordType.COLLECTION) this.#stamp(record.database, key, record);
      return "done";
    } finally {
      if (otherShard !== key.shard) store.locks.unlock(otherShard, true);
      store.locks.unlock(key.shard, true);
    }
  }

  #sourceOf(record: RecordReader): Place | undefined {
    const database = record.uint64At(0) % SOURCE_GOES;
    if (!(database < DATABASE_COUNT) || record.payloadBytes < 16) return undefined;
    const key = new Key().set(record.bytes, record.payloadStart + 16, record.payloadEnd);
    this.#store.locate(key);
    return { database, key };
  }

  /**
   * Gives a key the value of another one, which has it still. A source that is not there, or newer, was changed before a snapshot came to both of them; then the key
   * is still to be changed, too.
   */
  #copy(record: RecordReader, key: Key, source: Place): Outcome {
    const store = this.#store;
    const { bytes, start, end } = source.key;
    if (this.#evicted.has(nameOf(source.database, bytes, start, end))) {
      store.remove(record.database, key);
      this.#noteEvicted(record.database, key);
      return "done";
    }
    const entry = store.peek(source.database, source.key);
    if (entry === 0 || store.entrySeq(entry) > record.uint64At(8)) return "done";
    const target = { database: record.database, key };
    return outcomeOf(store.keyspace.transfer(source, target, record.uint64At(0) >= SOURCE_GOES));
  }

  #noteEvicted(database: number, key: Key): void {
    const bytes = key.bytes.slice(key.start, key.end);
    this.#evicted.set(nameOf(database, bytes, 0, bytes.length), { database, bytes });
  }

  /** Whether a record changes a part of a key that had to go; a whole value ends that. */
  #isOfEvicted({ type, database, bytes, keyStart, keyEnd }: RecordReader): boolean {
    const name = nameOf(database, bytes, keyStart, keyEnd);
    const isWhole = !isPart(type) && type !== RecordType.EXPIRY &&
      type !== RecordType.STRING_RANGE;
    if (!isWhole) return this.#evicted.has(name);
    this.#evicted.delete(name);
    return false;
  }

  /** Finds memory; remembers which keys went for it. */
  #reclaim(): boolean {
    const store = this.#store;
    store.hook = this.#evictions;
    try {
      return store.reclaim();
    } finally {
      store.hook = undefined;
    }
  }

  /** Whether the key is newer than the record. */
  #isOld(record: RecordReader, key: Key): boolean {
    const entry = this.#store.peek(record.database, key);
    if (entry === 0 || this.#store.entrySeq(entry) < record.seq) return false;
    // The same mutation: the key has all of it, unless it has just got a part of it here.
    return record.seq !== this.#lastSeq || !isSameKey(key, this.#lastKey);
  }

  /** A change of an element may be a part of its command's effects; a whole value is all of them. */
  #notePart(record: RecordReader, key: Key): void {
    const isOne = isPart(record.type);
    this.#lastSeq = isOne ? record.seq : -1;
    if (isOne) this.#lastKey.set(key.bytes.slice(key.start, key.end), 0, key.end - key.start);
  }

  #applyToKey(record: RecordReader, key: Key): Outcome {
    const store = this.#store;
    const { database, bytes, payloadStart, payloadEnd, expireAtMs } = record;
    switch (record.type) {
      case RecordType.STRING:
        return outcomeOf(
          store.setString(database, key, bytes, payloadStart, payloadEnd, expireAtMs),
        );
      case RecordType.INTEGER:
        return this.#setInteger(record, key);
      case RecordType.STRING_RANGE:
        return this.#writeRange(record, key);
      case RecordType.REMOVED:
        store.remove(database, key);
        return "done";
      case RecordType.EXPIRY:
        if (store.peek(database, key) === 0) return "done";
        return outcomeOf(store.setExpiry(database, key, expireAtMs));
      case RecordType.COLLECTION:
        return this.#beginCollection(record, key);
      case RecordType.PUT:
      case RecordType.ELEMENT_REMOVED:
      case RecordType.INSERTED_AT:
      case RecordType.SET_AT:
      case RecordType.RANGE_REMOVED:
        return this.#changeElement(record, key);
      default:
        return "not a record";
    }
  }

  #setInteger(record: RecordReader, key: Key): Outcome {
    if (record.payloadBytes !== 8) return "not a record";
    const digits = formatInt64(record.wordAt(4), record.wordAt(0), this.#digits, 0);
    return outcomeOf(
      this.#store.setString(record.database, key, this.#digits, 0, digits, record.expireAtMs),
    );
  }

  /** Of a key that is there the record's predecessor was the last change; else it is still to go. */
  #writeRange(record: RecordReader, key: Key): Outcome {
    const { strings } = this.#store;
    const { bytes, database, payloadEnd } = record;
    const from = record.payloadStart + 16;
    const start = record.uint64At(0);
    const byteCount = record.uint64At(8);
    // False where one of them is none.
    if (!(from <= payloadEnd && start + payloadEnd - from <= byteCount)) return "not a record";
    const entry = this.#store.peek(database, key);
    if (entry === 0 || this.#store.entryType(entry) !== EntryType.STRING) return "done";
    const status = strings.begin(database, key, entry, byteCount, byteCount);
    if (status !== WriteStatus.OK) return outcomeOf(status);
    if (from < payloadEnd) strings.write(start, bytes, from, payloadEnd);
    strings.end();
    return "done";
  }

  #changeElement(record: RecordReader, key: Key): Outcome {
    const { collections } = this.#store;
    const c = this.#collection;
    const type = record.valueType as EntryType;
    if (type < EntryType.LIST || type > EntryType.SORTED_SET) return "not a record";
    const status = collections.open(c, record.database, key, type, true);
    // A key of another type was deleted before it had this one, and the snapshot came after that.
    if (status === WriteStatus.WRONG_TYPE) return "done";
    if (status !== WriteStatus.OK) return outcomeOf(status);
    const { bytes, payloadStart, payloadEnd } = record;
    const elements = this.#elements.open(bytes, payloadStart, payloadEnd);
    const { hashes, sortedSets } = collections;
    switch (record.type) {
      case RecordType.PUT:
        if (!elements.read(type) || elements.at !== elements.end) return "not a record";
        return outcomeOf(elements.put(this.#store, c));
      case RecordType.ELEMENT_REMOVED:
        if (!c.exists) return "done";
        return outcomeOf(
          type === EntryType.SORTED_SET
            ? sortedSets.remove(c, bytes, payloadStart, payloadEnd)
            : hashes.removeOne(c, bytes, payloadStart, payloadEnd),
        );
      default:
        return this.#changeRank(record, c);
    }
  }

  /** A change at a rank; of a key that is not whole, ranks may be beyond its end. */
  #changeRank(record: RecordReader, c: Collection): Outcome {
    const { lists, sortedSets } = this.#store.collections;
    const rank = record.uint64At(0);
    if (Number.isNaN(rank)) return "not a record";
    const { bytes, payloadStart, payloadEnd } = record;
    if (record.type === RecordType.INSERTED_AT) {
      const at = Math.min(rank, c.count);
      return outcomeOf(lists.insert(c, at, bytes, payloadStart + 8, payloadEnd));
    }
    if (rank >= c.count) return "done";
    if (record.type === RecordType.SET_AT) {
      return outcomeOf(lists.set(c, rank, bytes, payloadStart + 8, payloadEnd));
    }
    const count = Math.min(record.uint64At(8), c.count - rank);
    if (Number.isNaN(count)) return "not a record";
    const operations = c.type === EntryType.SORTED_SET ? sortedSets : lists;
    return outcomeOf(operations.removeRanks(c, rank, count));
  }

  #beginCollection(record: RecordReader, key: Key): Outcome {
    const count = record.uint64At(0);
    const type = record.valueType as EntryType;
    const isKnown = type >= EntryType.LIST && type <= EntryType.SORTED_SET;
    if (Number.isNaN(count) || count === 0 || !isKnown) return "not a record";
    const c = this.#store.collections.make(record.database, key, type);
    if (c === undefined) return "no memory";
    const { seq, expireAtMs, flags } = record;
    this.#coming = c;
    this.#comingCount = count;
    this.#comingRecord = { seq, expireAtMs, flags };
    return "done";
  }

  /** The elements of a collection that the key does not need follow all the same. */
  #skipCollection(record: RecordReader): Outcome {
    const count = record.uint64At(0);
    if (Number.isNaN(count)) return "not a record";
    this.#skippedElements = count;
    return "done";
  }

  #addElements(record: RecordReader): Outcome {
    const { bytes, payloadStart, payloadEnd } = record;
    const elements = this.#elements.open(bytes, payloadStart, payloadEnd);
    const c = this.#coming;
    if (c === undefined) return this.#skipElements(record);
    const { locks } = this.#store;
    locks.lock(c.key.shard, true);
    try {
      while (elements.at < elements.end) {
        if (c.count === this.#comingCount || !elements.read(c.type)) return "not a record";
        const outcome = this.#addElement(c);
        if (outcome !== "done") return outcome;
      }
      return c.count === this.#comingCount ? this.#publish(c) : "done";
    } finally {
      locks.unlock(c.key.shard, true);
    }
  }

  #addElement(c: Collection): Outcome {
    const before = c.count;
    for (let attempt = 0;; attempt++) {
      const outcome = outcomeOf(this.#elements.put(this.#store, c));
      if (outcome === "done") return c.count === before + 1 ? "done" : "not a record";
      if (outcome !== "no memory" || attempt === MAX_RECLAIM_ATTEMPTS) return outcome;
      this.#reclaimUnlocked(c.key.shard);
    }
  }

  #publish(c: Collection): Outcome {
    const { collections } = this.#store;
    let status = collections.publish(c);
    for (let attempt = 0; status === WriteStatus.OUT_OF_MEMORY; attempt++) {
      if (attempt === MAX_RECLAIM_ATTEMPTS) return "no memory";
      this.#reclaimUnlocked(c.key.shard);
      status = collections.publish(c);
    }
    this.#coming = undefined;
    const { bytes, start, end } = c.key;
    this.#evicted.delete(nameOf(c.database, bytes, start, end));
    const { expireAtMs } = this.#comingRecord;
    // What memory is found for may be what goes.
    while (expireAtMs !== 0 && this.#store.peek(c.database, c.key) !== 0) {
      if (this.#store.setExpiry(c.database, c.key, expireAtMs) === WriteStatus.OK) break;
      this.#reclaimUnlocked(c.key.shard);
    }
    this.#stamp(c.database, c.key, this.#comingRecord);
    return "done";
  }

  #skipElements(record: RecordReader): Outcome {
    const elements = this.#elements;
    while (elements.at < elements.end) {
      if (this.#skippedElements-- === 0) return "not a record";
      if (!elements.read(record.valueType as EntryType)) return "not a record";
    }
    return "done";
  }

  /** Finds memory in the middle of a collection, which nobody sees yet. */
  #reclaimUnlocked(shard: number): void {
    const { locks } = this.#store;
    locks.unlock(shard, true);
    const found = this.#reclaim();
    locks.lock(shard, true);
    if (!found) throw new NoRoomError("the store has no room for all keys");
  }

  #stamp(database: number, key: Key, { seq, flags }: { seq: number; flags: number }): void {
    const entry = this.#store.peek(database, key);
    if (entry !== 0) this.#restoration.restore(entry, seq, (flags & RecordFlag.PINNED) !== 0);
  }

  #applyToDatabase(record: RecordReader): string | undefined {
    const { locks, keyspace, shardCount } = this.#store;
    const other = record.type === RecordType.SWAPPED ? record.uint64At(0) : 0;
    if (!(other < DATABASE_COUNT)) return "a swap is with no database";
    for (let attempt = 0; attempt < MAX_RECLAIM_ATTEMPTS; attempt++) {
      for (let shard = 0; shard < shardCount; shard++) locks.lock(shard, true);
      const isDone = record.type === RecordType.FLUSHED
        ? keyspace.flush(record.database)
        : keyspace.swap(record.database, other);
      for (let shard = 0; shard < shardCount; shard++) locks.unlock(shard, true);
      this.appliedCount++;
      if (isDone) {
        this.#moveEvicted(record, other);
        return undefined;
      }
      keyspace.reclaim();
    }
    throw new NoRoomError("the store has no room for the index of a database");
  }

  /** What happens to a database happens to those of its keys that had to go. */
  #moveEvicted({ type, database: first }: RecordReader, second: number): void {
    const all = this.evicted;
    this.#evicted.clear();
    for (const { database, bytes } of all) {
      if (type === RecordType.FLUSHED && database === first) continue;
      let now = database;
      if (type === RecordType.SWAPPED && database === first) now = second;
      else if (type === RecordType.SWAPPED && database === second) now = first;
      this.#evicted.set(nameOf(now, bytes, 0, bytes.length), { database: now, bytes });
    }
  }
}

/** Whether it is a change of a part of a collection. */
function isPart(type: RecordType): boolean {
  return type >= RecordType.PUT && type <= RecordType.RANGE_REMOVED;
}

function nameOf(database: number, bytes: Uint8Array, start: number, end: number): string {
  return `${database} ${latin1.decode(bytes.subarray(start, end))}`;
}

function isSameKey(a: Key, b: Key): boolean {
  if (a.end - a.start !== b.end - b.start) return false;
  for (let i = a.start, j = b.start; i < a.end; i++, j++) {
    if (a.bytes[i] !== b.bytes[j]) return false;
  }
  return true;
}

function outcomeOf(status: WriteStatus): Outcome {
  if (status === WriteStatus.OK) return "done";
  if (status === WriteStatus.VALUE_TOO_LARGE) return "too large";
  return status === WriteStatus.OUT_OF_MEMORY ? "no memory" : "not a record";
}
