/**
 * The reads of a transaction, and whether they still hold.
 *
 * What is read is copied under the lock, and made texts and lists of when it has been given back. Before
 * the first read of a key its version is remembered, as `WATCH` does.
 *
 * **Which lock.** A thread whose death the store survives takes a shard exclusively, for readers too: who
 * holds it exclusively is known, and who shares it is only counted, so that the count would never go
 * down again.
 *
 * @module
 */

import { AssertionFault } from "../../base/assert.ts";
import { Int64 } from "../../base/int64.ts";
import type { Collection } from "../collection/collection.ts";
import type { RecordCursor } from "../collection/cursor.ts";
import type { ElementView } from "../collection/element.ts";
import { BALANCE_DATABASE } from "../control.ts";
import { Key } from "../key.ts";
import type { KeyVersion } from "../key_versions.ts";
import type { LockSet } from "../lock_set.ts";
import { EntryType, type Store, WriteStatus } from "../store.ts";
import type { PendingWrites } from "./pending_writes.ts";
import { decodeText, type TransactionBytes } from "./transaction_bytes.ts";
import { TRANSACTION_OPERATION } from "./transaction_mark.ts";
import { type KeyLike, type ScoredMember, TransactionLimit } from "./types.ts";

const DATABASE = BALANCE_DATABASE;
const EMPTY = new Uint8Array(0);
const TYPE_NAMES = ["", "string", "list", "hash", "set", "zset"];
/** Text of an error: as Redis has it. */
const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

/** A key that was read. */
class ReadKey {
  readonly key = new Key();
  readonly version: KeyVersion = { seq: 0, exists: false, creations: 0, turnover: 0 };
}

/** Reads one key after the other. Thread: that of the store; sleeps while a lock is busy. */
export class TransactionReader {
  readonly #store: Store;
  readonly #bytes: TransactionBytes;
  readonly #clock: () => number;
  readonly #isAlone: boolean;
  readonly #keys = new Map<string, ReadKey>();
  readonly #collection: Collection;
  readonly #integer = new Int64();
  /** The key that is being read. */
  #key = new Key();
  /** The same, when its version is not known yet. */
  #unseen: ReadKey | undefined;
  #unseenName = "";

  // What was read: pieces one behind the other, and the scores of members.
  #out = new Uint8Array(1024);
  #outBytes = 0;
  readonly #ends: number[] = [];
  readonly #scores: number[] = [];
  #error: Error | undefined;

  /** Reads from a store; what is asked for is kept in `bytes`. */
  constructor(store: Store, bytes: TransactionBytes, clock: () => number) {
    this.#store = store;
    this.#bytes = bytes;
    this.#clock = clock;
    this.#isAlone = store.parts.canDieAlone;
    // Its own: the handles may be in the hands of a command of this thread.
    this.#collection = store.collections.newHandle();
  }

  /** Keys that were read. */
  get count(): number {
    return this.#keys.size;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#keys.clear();
    if (this.#out.length > 65_536) this.#out = new Uint8Array(1024);
  }

  /** Adds the shards of the keys that were read. */
  addShards(locks: LockSet): void {
    for (const { key } of this.#keys.values()) locks.add(key.shard);
  }

  /** Whether a key is not as it was read, or may have changed meanwhile. Needs the locks of all of them. */
  haveChanged(): boolean {
    const { versions } = this.#store;
    for (const { key, version } of this.#keys.values()) {
      if (versions.hasChanged(DATABASE, key, version)) return true;
    }
    return false;
  }

  /** Begins a read: its key, which the transaction must not have written. */
  begin(key: KeyLike, writes: PendingWrites): void {
    const bytes = this.#bytes;
    const { end } = bytes;
    bytes.addKey(key);
    const name = bytes.name();
    const known = this.#keys.get(name);
    if (known !== undefined || writes.has(name)) bytes.cutAt(end);
    if (writes.has(name)) {
      throw new Error("Cannot read a key that the same transaction has written");
    }
    this.#unseen = undefined;
    if (known !== undefined) {
      this.#key = known.key;
      return;
    }
    if (this.#keys.size >= TransactionLimit.READ_KEYS) {
      bytes.cutAt(end);
      throw new RangeError(
        `Cannot read more: a transaction reads ${TransactionLimit.READ_KEYS} keys at most`,
      );
    }
    const read = new ReadKey();
    read.key.set(bytes.bytes, bytes.start, bytes.end);
    this.#store.locate(read.key);
    this.#key = read.key;
    this.#unseen = read;
    this.#unseenName = name;
  }

  /** See `TransactionReads.get`. */
  get(): string | undefined {
    return this.#readString() ? this.#textOf(0, this.#outBytes) : undefined;
  }

  /** See `TransactionReads.getBytes`. */
  getBytes(): Uint8Array<ArrayBuffer> | undefined {
    return this.#readString() ? this.#out.slice(0, this.#outBytes) : undefined;
  }

  /** See `TransactionReads.getInteger`. */
  getInteger(): bigint | undefined {
    const store = this.#store;
    const isThere = this.#look(() => {
      const entry = this.#string();
      if (entry === 0) return false;
      if (store.readInteger(entry, this.#integer)) return true;
      return this.#fail(new TypeError("Cannot read an integer: the string at the key is none"));
    });
    return isThere ? this.#integer.toBigInt() : undefined;
  }

  /** See `TransactionReads.exists`. */
  exists(): boolean {
    return this.#look(() => this.#store.lookup(DATABASE, this.#key) !== 0);
  }

  /** See `TransactionReads.type`. */
  type(): string | undefined {
    const store = this.#store;
    let type = 0;
    this.#look(() => {
      const entry = store.lookup(DATABASE, this.#key);
      if (entry !== 0) type = store.entryType(entry);
      return true;
    });
    return type === 0 ? undefined : TYPE_NAMES[type];
  }

  /** See `TransactionReads.ttlMs`. */
  ttlMs(): number | undefined {
    const store = this.#store;
    let ttlMs: number | undefined;
    this.#look(() => {
      const entry = store.lookup(DATABASE, this.#key);
      if (entry === 0) return false;
      const expireAtMs = store.expireAtMs(entry);
      ttlMs = expireAtMs === 0 ? Infinity : expireAtMs - store.nowMs;
      return true;
    });
    return ttlMs;
  }

  /** See `TransactionReads.hget`. */
  hget(field: KeyLike): string | undefined {
    const isThere = this.#lookFor(EntryType.HASH, field, (c, bytes, start, end) => {
      if (!this.#store.collections.hashes.find(c, bytes, start, end)) return false;
      return this.#take(c.cursor.value());
    });
    return isThere ? this.#textOf(0, this.#outBytes) : undefined;
  }

  /** See `TransactionReads.hgetall`. */
  hgetall(): Map<string, string> {
    this.#takeAll(
      EntryType.HASH,
      (cursor) => this.#take(cursor.element()) && this.#take(cursor.value()),
    );
    const texts = this.#texts();
    const fields = new Map<string, string>();
    for (let i = 0; i < texts.length; i += 2) fields.set(texts[i]!, texts[i + 1]!);
    return fields;
  }

  /** See `TransactionReads.sismember`. */
  sismember(member: KeyLike): boolean {
    const { hashes } = this.#store.collections;
    return this.#lookFor(EntryType.SET, member, (c, bytes, start, end) => {
      return hashes.find(c, bytes, start, end);
    });
  }

  /** See `TransactionReads.smembers`. */
  smembers(): string[] {
    this.#takeAll(EntryType.SET, (cursor) => this.#take(cursor.element()));
    return this.#texts();
  }

  /** How many elements, fields or members a collection has. */
  elementCount(type: EntryType): number {
    let count = 0;
    this.#lookInto(type, (c) => {
      count = c.count;
      return true;
    });
    return count;
  }

  /** See `TransactionReads.zscore`. */
  zscore(member: KeyLike): number | undefined {
    const { sortedSets } = this.#store.collections;
    let score = 0;
    const isThere = this.#lookFor(EntryType.SORTED_SET, member, (c, bytes, start, end) => {
      if (!sortedSets.find(c, bytes, start, end)) return false;
      score = sortedSets.score;
      return true;
    });
    return isThere ? score : undefined;
  }

  /** See `TransactionReads.zrank`. */
  zrank(member: KeyLike, reverse: boolean): number | undefined {
    const { sortedSets } = this.#store.collections;
    let rank = -1;
    this.#lookFor(EntryType.SORTED_SET, member, (c, bytes, start, end) => {
      rank = sortedSets.rankOf(c, bytes, start, end);
      if (reverse && rank >= 0) rank = c.count - 1 - rank;
      return true;
    });
    return rank < 0 ? undefined : rank;
  }

  /** See `TransactionReads.zrange`. */
  zrange(start: number, stop: number, reverse: boolean): ScoredMember[] {
    checkIndex(start);
    checkIndex(stop);
    this.#lookInto(EntryType.SORTED_SET, (c) => {
      const { first, count } = rangeOf(start, stop, c.count);
      return this.#takeRanks(c, reverse ? c.count - 1 - first : first, count, reverse);
    });
    return this.#members();
  }

  /** See `TransactionReads.zrangeByScore`. */
  zrangeByScore(
    min: number,
    max: number,
    limit: number | undefined,
    reverse: boolean,
  ): ScoredMember[] {
    checkScores(min, max);
    if (limit !== undefined) checkIndex(limit);
    this.#lookInto(EntryType.SORTED_SET, (c) => {
      const first = ranksBelow(c, min);
      const behind = ranksUpTo(c, max);
      const count = Math.max(0, Math.min(behind - first, limit ?? Infinity));
      return this.#takeRanks(c, reverse ? behind - 1 : first, count, reverse);
    });
    return this.#members();
  }

  /** See `TransactionReads.zcount`. */
  zcount(min: number, max: number): number {
    checkScores(min, max);
    let count = 0;
    this.#lookInto(EntryType.SORTED_SET, (c) => {
      count = Math.max(0, ranksUpTo(c, max) - ranksBelow(c, min));
      return true;
    });
    return count;
  }

  /** See `TransactionReads.lrange`. */
  lrange(start: number, stop: number): string[] {
    checkIndex(start);
    checkIndex(stop);
    this.#lookInto(EntryType.LIST, (c) => {
      const { first, count } = rangeOf(start, stop, c.count);
      if (!this.#mayTake(count)) return false;
      if (count > 0) c.cursor.seekRank(first);
      for (let left = count; left > 0; left--) {
        if (!this.#take(c.cursor.element())) return false;
        c.cursor.next();
      }
      return true;
    });
    return this.#texts();
  }

  #takeRanks(c: Collection, first: number, count: number, reverse: boolean): boolean {
    if (!this.#mayTake(count)) return false;
    const { cursor } = c;
    if (count > 0) cursor.seekRank(first);
    for (let left = count; left > 0; left--) {
      if (!this.#take(cursor.element())) return false;
      this.#scores.push(cursor.score());
      if (reverse) cursor.previous();
      else cursor.next();
    }
    return true;
  }

  /** Takes all elements of a collection. */
  #takeAll(type: EntryType, take: (cursor: RecordCursor) => boolean): void {
    this.#lookInto(type, (c) => {
      if (!this.#mayTake(c.count)) return false;
      for (let more = c.count > 0 && c.cursor.seekFirst(); more; more = c.cursor.next()) {
        if (!take(c.cursor)) return false;
      }
      return true;
    });
  }

  #readString(): boolean {
    const store = this.#store;
    return this.#look(() => {
      const entry = this.#string();
      if (entry === 0) return false;
      const byteCount = store.stringLength(entry);
      if (!this.#makeRoom(byteCount)) return false;
      store.copyString(entry, this.#out, 0);
      this.#outBytes = byteCount;
      return true;
    });
  }

  /** The entry of the key, which is a string; 0 = there is none. */
  #string(): number {
    const store = this.#store;
    const entry = store.lookup(DATABASE, this.#key);
    if (entry === 0 || store.entryType(entry) === EntryType.STRING) return entry;
    this.#fail(new TypeError(WRONG_TYPE));
    return 0;
  }

  /** Looks for a field or member. */
  #lookFor(
    type: EntryType,
    member: KeyLike,
    find: (c: Collection, bytes: Uint8Array, start: number, end: number) => boolean,
  ): boolean {
    const own = this.#bytes;
    const before = own.end;
    own.addText(member);
    const { bytes, start, end } = own;
    own.cutAt(before);
    return this.#lookInto(type, (c) => find(c, bytes, start, end));
  }

  /** Looks into the collection at the key; one that does not exist has no elements. */
  #lookInto(type: EntryType, look: (c: Collection) => boolean): boolean {
    const c = this.#collection;
    return this.#look(() => {
      const status = this.#store.collections.open(c, DATABASE, this.#key, type, false);
      if (status === WriteStatus.OK) return look(c);
      return this.#fail(new TypeError(WRONG_TYPE));
    });
  }

  /** Looks at the key, under the lock of its shard; throws what `look` failed with. */
  #look(look: () => boolean): boolean {
    const store = this.#store;
    const { shard } = this.#key;
    this.#outBytes = this.#ends.length = this.#scores.length = 0;
    this.#error = undefined;
    let result: boolean;
    const unseen = this.#unseen;
    // Only what is looked at counts as read: what the caller asks for may be refused before.
    if (unseen !== undefined) this.#keys.set(this.#unseenName, unseen);
    store.locks.lock(shard, this.#isAlone);
    try {
      store.nowMs = this.#clock();
      if (unseen !== undefined) store.versions.read(DATABASE, unseen.key, unseen.version);
      this.#unseen = undefined;
      result = look();
    } catch (error) {
      // Nothing was changed: when there is no memory for the copy, only this read fails.
      if (error instanceof AssertionFault) store.locks.poison(shard, TRANSACTION_OPERATION);
      else store.locks.unlock(shard, this.#isAlone);
      throw error;
    }
    store.locks.unlock(shard, this.#isAlone);
    if (this.#error !== undefined) throw this.#error;
    return result;
  }

  /** Has the read throw, once the lock was given back. */
  #fail(error: Error): false {
    this.#error = error;
    return false;
  }

  #mayTake(count: number): boolean {
    const most = TransactionLimit.READ_ELEMENTS;
    return count <= most || this.#fail(
      new RangeError(`Cannot read ${count} elements at once: a read returns ${most} at most`),
    );
  }

  #take(element: ElementView): boolean {
    if (!this.#makeRoom(this.#outBytes + element.byteCount)) return false;
    element.copyTo(this.#out, this.#outBytes);
    this.#outBytes += element.byteCount;
    this.#ends.push(this.#outBytes);
    return true;
  }

  #makeRoom(byteCount: number): boolean {
    const most = TransactionLimit.READ_BYTES;
    if (byteCount > most) {
      return this.#fail(
        new RangeError(`Cannot read ${byteCount} bytes at once: a read returns ${most} at most`),
      );
    }
    if (byteCount > this.#out.length) {
      const grown = new Uint8Array(Math.min(most, Math.max(byteCount, this.#out.length * 2)));
      grown.set(this.#out.subarray(0, this.#outBytes));
      this.#out = grown;
    }
    return true;
  }

  #textOf(start: number, end: number): string {
    return decodeText(this.#out, start, end);
  }

  #texts(): string[] {
    return this.#ends.map((end, index) =>
      this.#textOf(index === 0 ? 0 : this.#ends[index - 1]!, end)
    );
  }

  #members(): ScoredMember[] {
    const scores = this.#scores;
    return this.#texts().map((member, index) => ({ member, score: scores[index]! }));
  }
}

/** Members with lower scores. */
function ranksBelow({ count, cursor }: Collection, score: number): number {
  if (count === 0) return 0;
  cursor.seekAtLeast(score, EMPTY, 0, 0);
  return cursor.isValid ? cursor.rank() : count;
}

/** Members with at most this score. */
function ranksUpTo({ count, cursor }: Collection, score: number): number {
  if (count === 0) return 0;
  return cursor.seekBehind(score) ? cursor.rank() : count;
}

/** The elements from `start` to `stop`, which may count from the end, of `count`. */
function rangeOf(start: number, stop: number, count: number): { first: number; count: number } {
  const first = start < 0 ? Math.max(0, count + start) : start;
  const last = Math.min(count - 1, stop < 0 ? count + stop : stop);
  return { first, count: Math.max(0, last - first + 1) };
}

function checkIndex(index: number): void {
  if (!Number.isSafeInteger(index)) {
    throw new RangeError(`Cannot read from ${index}: it is not a whole number`);
  }
}

function checkScores(min: number, max: number): void {
  if (
    typeof min !== "number" || typeof max !== "number" || Number.isNaN(min) || Number.isNaN(max)
  ) {
    throw new TypeError("Cannot read a range of scores: an end of it is not a number");
  }
}
