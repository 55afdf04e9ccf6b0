/**
 * Turns the effects of one thread on the store into records.
 *
 * @module
 */

import type { Arena } from "../store/arena.ts";
import type { Collection } from "../store/collection/collection.ts";
import { Encoding, ENTRY_HEADER_BYTES, EntryFlag, keyOffset } from "../store/entry.ts";
import { Key } from "../store/key.ts";
import { type CollectionChange, ElementEffect, type MutationHook } from "../store/mutation_hook.ts";
import { EntryType, type Store } from "../store/store.ts";
import { appendElements } from "./elements.ts";
import { RecordFlag, RecordType, RecordWriter, SOURCE_GOES } from "./record.ts";

const NO_KEY = new Uint8Array(0);
/** Type, encoding and flags in word 0 of an entry; what most strings have there. */
const SHAPE_MASK = 0x00ffffff;
const PLAIN_STRING = EntryType.STRING | (Encoding.RAW << 8);
const PLAIN_COUNTER = EntryType.STRING | (Encoding.INTEGER << 8);
const BODY_WORD = ENTRY_HEADER_BYTES / 4;

/** Strings and collections of so many bytes are not written again where a key got another's. */
const LONG_BYTES = 65_536;
/** When so much was recorded of one collection, it goes into the log before the rest. Unit: bytes. */
const MUCH_BYTES = 2 ** 27;
/** What a record has of an element besides its bytes, at most. */
const ELEMENT_HEAD_BYTES = 12;

/** The log, as far as a recorder needs it. */
export interface RecorderLog {
  /** Whether a snapshot is being taken. */
  readonly snapshotRuns: boolean;
  /** Puts what was recorded into the log. */
  publish(): void;
}

/**
 * Told of the mutations of one thread, it has their records until they are published.
 *
 * Thread: belongs to the thread of its store.
 */
export class EffectRecorder implements MutationHook {
  /** What was told since it was published last. */
  readonly records: RecordWriter;
  /** Where the records go; undefined: whoever made this takes them, and they stand alone. */
  log: RecorderLog | undefined;
  /** Tests only: so much of one collection goes into the log before the rest. Unit: bytes. */
  muchBytes: number = MUCH_BYTES;

  readonly #store: Store;
  readonly #key = new Key();
  readonly #arena: Arena;
  readonly #collection: Collection;

  /**
   * Writes down what happens to a store, once it is the store's hook.
   *
   * @param records where to; default: a writer of its own
   */
  constructor(store: Store, records: RecordWriter = new RecordWriter()) {
    this.#store = store;
    this.#arena = store.arena;
    this.records = records;
    // Its own: the handles may be in the hands of the command whose effects these are.
    this.#collection = store.collections.newHandle();
  }

  /** See {@link MutationHook.written}. */
  written(_shard: number, database: number, address: number): void {
    const words = this.#arena.wordsOf(address);
    const at = this.#arena.wordAt(address);
    const shape = words[at]! & SHAPE_MASK;
    if (shape === PLAIN_STRING) {
      this.records.appendString(RecordType.STRING, database, words, at, 0, at + BODY_WORD);
    } else if (shape === PLAIN_COUNTER) {
      this.records.appendString(RecordType.INTEGER, database, words, at, 0, at + BODY_WORD + 2);
    } else this.#writeOther(database, address);
  }

  #writeOther(database: number, address: number): void {
    const type = this.#store.entryType(address);
    if (type === EntryType.STRING) this.#writeString(database, address);
    else this.#writeCollection(database, address, type);
  }

  /** See {@link MutationHook.rangeWritten}. */
  rangeWritten(
    _shard: number,
    database: number,
    address: number,
    start: number,
    end: number,
  ): void {
    const { records } = this;
    const store = this.#store;
    this.#begin(RecordType.STRING_RANGE, database, address);
    records.appendUint64(start).appendUint64(store.stringLength(address));
    const at = records.extend(end - start);
    store.copyStringRange(address, start, end, records.bytes, at);
    records.end();
  }

  /** See {@link MutationHook.expiryChanged}. */
  expiryChanged(_shard: number, database: number, address: number): void {
    this.#begin(RecordType.EXPIRY, database, address);
    this.records.end();
  }

  /**
   * See {@link MutationHook.copied}.
   *
   * While a snapshot is taken it may have seen the one key before and the other one after, and then has
   * the value nowhere. That none is being taken is certain under the locks of both keys: it would have
   * been said before the first of them was looked at.
   *
   * Between two databases it is not enough: what is said here may be behind the position where the next
   * snapshot begins, and a flush of the target's database in front of it. That would empty the database
   * of what the snapshot has, whose source is gone. Within one database it empties both.
   */
  copied(
    shard: number,
    { database: fromDatabase, key }: { readonly database: number; readonly key: Key },
    goes: boolean,
    sourceSeq: number,
    database: number,
    address: number,
  ): boolean {
    const isReferred = fromDatabase === database && this.log?.snapshotRuns === false &&
      this.#isLong(address);
    if (!isReferred) return goes && this.#writeInParts(database, address, shard);
    const type = this.#store.entryType(address);
    this.#begin(RecordType.COPIED, database, address, type);
    this.records.appendUint64(fromDatabase + (goes ? SOURCE_GOES : 0)).appendUint64(sourceSeq);
    this.records.append(key.bytes, key.start, key.end).end();
    return true;
  }

  /**
   * Writes a value that may be in several parts, after a crash without the last ones, before its source
   * goes. Others come behind that: where they are read there need not be room for both.
   *
   * @returns false: it is one part, and nothing was written
   */
  #writeInParts(database: number, entry: number, shard: number): boolean {
    const store = this.#store;
    if (store.entryType(entry) === EntryType.STRING) return false;
    const c = this.#collection;
    store.collections.openEntry(c, entry);
    if (c.root === 0) return false;
    const { memory } = store.collections;
    if (memory.footprintBytes(c.root) + c.count * ELEMENT_HEAD_BYTES < this.muchBytes) return false;
    this.written(shard, database, entry);
    return true;
  }

  #isLong(entry: number): boolean {
    const store = this.#store;
    if (store.entryType(entry) === EntryType.STRING) return store.stringLength(entry) >= LONG_BYTES;
    const c = this.#collection;
    store.collections.openEntry(c, entry);
    return c.root !== 0 && store.collections.memory.footprintBytes(c.root) >= LONG_BYTES;
  }

  /** See {@link MutationHook.removed}. */
  removed(_shard: number, database: number, key: Key, seq: number): void {
    const { bytes, start, end } = key;
    this.records.begin(RecordType.REMOVED, database, bytes, start, end, seq).end();
  }

  /** See {@link MutationHook.changed}. */
  changed(_shard: number, database: number, key: Key, change: CollectionChange): void {
    const type = RECORD_TYPES[change.effect];
    const { records } = this;
    records.begin(type, database, key.bytes, key.start, key.end, change.seq, change.type);
    switch (type) {
      case RecordType.PUT:
        this.#appendPut(change);
        break;
      case RecordType.ELEMENT_REMOVED:
        records.append(change.bytes, change.start, change.end);
        break;
      case RecordType.RANGE_REMOVED:
        records.appendUint64(change.rank).appendUint64(change.count);
        break;
      default:
        records.appendUint64(change.rank).append(change.bytes, change.start, change.end);
    }
    records.end();
  }

  /** See {@link MutationHook.flushed}. */
  flushed(database: number): void {
    this.records.begin(RecordType.FLUSHED, database, NO_KEY, 0, 0, 0).end();
  }

  /** See {@link MutationHook.swapped}. */
  swapped(first: number, second: number): void {
    this.records.begin(RecordType.SWAPPED, first, NO_KEY, 0, 0, 0).appendUint64(second).end();
  }

  #appendPut(change: CollectionChange): void {
    const { records } = this;
    if (change.type === EntryType.SORTED_SET) records.appendFloat64(change.score);
    records.appendCounted(change.bytes, change.start, change.end);
    if (change.type === EntryType.HASH) {
      records.appendCounted(change.valueBytes, change.valueStart, change.valueEnd);
    }
  }

  #writeString(database: number, entry: number): void {
    const { records } = this;
    const words = this.#arena.wordsOf(entry);
    const at = this.#arena.wordAt(entry);
    const encoding = (words[at]! >>> 8) & 0xff;
    const entryFlags = (words[at]! >>> 16) & 0xff;
    if (encoding <= Encoding.INTEGER) {
      const type = encoding === Encoding.INTEGER ? RecordType.INTEGER : RecordType.STRING;
      const flags = ((entryFlags & EntryFlag.HAS_TTL) === 0 ? 0 : RecordFlag.HAS_EXPIRY) |
        ((entryFlags & EntryFlag.PINNED) === 0 ? 0 : RecordFlag.PINNED);
      const keyAt = at + (keyOffset(entryFlags, encoding) >> 2);
      records.appendString(type, database, words, at, flags, keyAt);
      return;
    }
    this.#begin(RecordType.STRING, database, entry);
    const copyAt = records.extend(this.#store.stringLength(entry));
    this.#store.copyString(entry, records.bytes, copyAt);
    records.end();
  }

  #writeCollection(database: number, entry: number, type: EntryType): void {
    const { records } = this;
    const c = this.#collection;
    this.#store.collections.openEntry(c, entry);
    this.#begin(RecordType.COLLECTION, database, entry, type);
    records.appendUint64(c.count).end();
    c.cursor.seekFirst();
    for (let left = c.count; left > 0;) {
      left -= appendElements(records, type, database, c.cursor, left, this.muchBytes);
      // What is longer than a buffer is in several pieces anyway, and need not be here at once.
      if (left > 0) this.log?.publish();
    }
  }

  #begin(recordType: RecordType, database: number, entry: number, type: number = EntryType.STRING) {
    const store = this.#store;
    const { bytes, start, end } = store.showKey(entry, this.#key);
    const flags = store.isPinned(entry) ? RecordFlag.PINNED : 0;
    const seq = store.entrySeq(entry);
    const expireAtMs = store.expireAtMs(entry);
    this.records.begin(recordType, database, bytes, start, end, seq, type, expireAtMs, flags);
  }
}

const RECORD_TYPES: Readonly<Record<ElementEffect, RecordType>> = {
  [ElementEffect.PUT]: RecordType.PUT,
  [ElementEffect.REMOVED]: RecordType.ELEMENT_REMOVED,
  [ElementEffect.INSERTED_AT]: RecordType.INSERTED_AT,
  [ElementEffect.SET_AT]: RecordType.SET_AT,
  [ElementEffect.RANGE_REMOVED]: RecordType.RANGE_REMOVED,
};
