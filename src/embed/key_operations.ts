/**
 * Whole operations on single keys of a store: each takes the lock of the key's shard, sleeps while
 * another thread has it, and gives it back.
 *
 * They are what the server's command handlers are made of, with the lock and the error around them.
 * Nothing is allocated by a read or a write but what it returns.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { MAX_KEY_BYTES } from "../store/entry.ts";
import { Key } from "../store/key.ts";
import { EntryType, MAX_EXPIRE_AT_MS, type Store as Engine, WriteStatus } from "../store/store.ts";
import type { KeyLike, SetOptions, ValueLike } from "../store/transaction.ts";
import { closedError, StoreError, toStoreError } from "./store_error.ts";
import { TextBytes } from "./text_bytes.ts";

/** Operation number of what embedding programs do, for the text of a fault. */
const EMBED_OPERATION = 13;
/** How often a write that finds no memory has some freed. */
const MAX_RECLAIMS = 512;
/** Embedding programs have one database. */
const DATABASE = 0;

/** What may be at a key. */
export type StoreValueType = "string" | "list" | "hash" | "set" | "zset";

const TYPE_NAMES: Readonly<Record<EntryType, StoreValueType>> = {
  [EntryType.STRING]: "string",
  [EntryType.LIST]: "list",
  [EntryType.HASH]: "hash",
  [EntryType.SET]: "set",
  [EntryType.SORTED_SET]: "zset",
};

/**
 * Operations on single keys, whatever they hold, and on strings.
 *
 * Thread: one object per thread; any operation may sleep.
 */
export class KeyOperations {
  readonly #engine: Engine;
  readonly #key = new Key();
  readonly #keyText = new TextBytes();
  readonly #value = new TextBytes();
  readonly #delta = new Int64();
  readonly #sum = new Int64();
  #isClosed = false;

  /** Works on a store. */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Ends loops over the keys that are under way: this thread's id is given back. */
  close(): void {
    this.#isClosed = true;
  }

  /** The string at a key; bytes that are no UTF-8 are replaced. Undefined: there is none. */
  get(key: KeyLike): string | undefined {
    return this.#readString(key) ? this.#value.text() : undefined;
  }

  /** The string at a key as bytes of one's own. */
  getBytes(key: KeyLike): Uint8Array<ArrayBuffer> | undefined {
    if (!this.#readString(key)) return undefined;
    return this.#value.bytes.slice(0, this.#value.length);
  }

  /**
   * The integer at a key.
   *
   * @throws {StoreError} `NOT_AN_INTEGER`
   */
  getInteger(key: KeyLike): bigint | undefined {
    const engine = this.#begin(key);
    let isInteger = true;
    const entry = this.#look();
    try {
      if (entry !== 0) isInteger = engine.readInteger(entry, this.#sum);
    } catch (error) {
      throw this.#torn(error);
    }
    engine.locks.unlock(this.#key.shard, true);
    if (!isInteger) throw new StoreError("NOT_AN_INTEGER", "Cannot read an integer: it is none");
    return entry === 0 ? undefined : this.#sum.toBigInt();
  }

  /** Whether there is anything at a key. */
  exists(key: KeyLike): boolean {
    return this.type(key) !== undefined;
  }

  /** What is at a key. */
  type(key: KeyLike): StoreValueType | undefined {
    const engine = this.#begin(key);
    this.#lock();
    let type: StoreValueType | undefined;
    try {
      const entry = engine.lookup(DATABASE, this.#key);
      if (entry !== 0) type = TYPE_NAMES[engine.entryType(entry)];
    } catch (error) {
      throw this.#torn(error);
    }
    engine.locks.unlock(this.#key.shard, true);
    return type;
  }

  /** How long a key has to live. Undefined: there is no such key; Infinity: it never expires. */
  ttlMs(key: KeyLike): number | undefined {
    const engine = this.#begin(key);
    this.#lock();
    let expireAtMs = -1;
    try {
      const entry = engine.lookup(DATABASE, this.#key);
      if (entry !== 0) expireAtMs = engine.expireAtMs(entry);
    } catch (error) {
      throw this.#torn(error);
    }
    engine.locks.unlock(this.#key.shard, true);
    if (expireAtMs < 0) return undefined;
    return expireAtMs === 0 ? Infinity : expireAtMs - engine.nowMs;
  }

  /**
   * Puts a value at a key, whatever was there.
   *
   * @throws {StoreError} `OUT_OF_MEMORY`, `VALUE_TOO_LARGE`
   */
  set(key: KeyLike, value: ValueLike, options?: SetOptions): void {
    const engine = this.#begin(key);
    this.#value.put(value);
    const { bytes, length } = this.#value;
    const newExpireAtMs = this.#expireAtMs(options?.ttlMs);
    for (let reclaims = 0;; reclaims++) {
      this.#lock();
      let status: WriteStatus;
      try {
        const expireAtMs = options?.keepTtl && newExpireAtMs === 0
          ? this.#oldExpireAtMs()
          : newExpireAtMs;
        status = engine.setString(DATABASE, this.#key, bytes, 0, length, expireAtMs);
      } catch (error) {
        throw this.#torn(error);
      }
      engine.locks.unlock(this.#key.shard, true);
      if (status === WriteStatus.OK) return;
      this.#reclaim(status, reclaims);
    }
  }

  /**
   * Adds to the integer at a key, which counts as 0 when there is none.
   *
   * @returns the sum
   * @throws {StoreError} `NOT_AN_INTEGER`, `OVERFLOW`, `WRONG_TYPE`, `OUT_OF_MEMORY`
   */
  add(key: KeyLike, delta: number | bigint = 1): bigint {
    const engine = this.#begin(key);
    setInt64(this.#delta, delta);
    for (let reclaims = 0;; reclaims++) {
      this.#lock();
      let status: WriteStatus;
      try {
        status = engine.addInteger(DATABASE, this.#key, this.#delta, this.#sum);
      } catch (error) {
        throw this.#torn(error);
      }
      engine.locks.unlock(this.#key.shard, true);
      if (status === WriteStatus.OK) return this.#sum.toBigInt();
      this.#reclaim(status, reclaims);
    }
  }

  /** Removes a key; returns whether there was anything. */
  del(key: KeyLike): boolean {
    const engine = this.#begin(key);
    this.#lock();
    let existed: boolean;
    try {
      existed = engine.remove(DATABASE, this.#key);
    } catch (error) {
      throw this.#torn(error);
    }
    engine.locks.unlock(this.#key.shard, true);
    return existed;
  }

  /**
   * Changes when a key expires; undefined = never.
   *
   * @returns whether there is such a key
   */
  setExpiry(key: KeyLike, ttlMs: number | undefined): boolean {
    const engine = this.#begin(key);
    const expireAtMs = this.#expireAtMs(ttlMs);
    for (let reclaims = 0;; reclaims++) {
      this.#lock();
      let status: WriteStatus = WriteStatus.OK;
      let exists: boolean;
      try {
        exists = engine.peek(DATABASE, this.#key) !== 0;
        if (exists) status = engine.setExpiry(DATABASE, this.#key, expireAtMs);
      } catch (error) {
        throw this.#torn(error);
      }
      engine.locks.unlock(this.#key.shard, true);
      if (status === WriteStatus.OK) return exists;
      this.#reclaim(status, reclaims);
    }
  }

  /**
   * All keys, in no order.
   *
   * It holds a lock for a few keys at a time, so others may change the store meanwhile: a key that is
   * there from beginning to end is found once.
   */
  *keys(): Generator<string, void, undefined> {
    const engine = this.#engine;
    const text = new TextBytes();
    for (let shard = 0; shard < engine.shardCount; shard++) {
      let position = 0;
      do {
        if (this.#isClosed) throw closedError();
        const found: string[] = [];
        engine.nowMs = Date.now();
        this.#key.shard = shard;
        this.#lock();
        try {
          position = engine.keyspace.scanOnce(DATABASE, shard, position, (entry) => {
            const expireAtMs = engine.expireAtMs(entry);
            if (expireAtMs !== 0 && expireAtMs <= engine.nowMs) return;
            text.reserve(MAX_KEY_BYTES);
            text.length = engine.copyKey(entry, text.bytes, 0);
            found.push(text.text());
          });
        } catch (error) {
          throw this.#torn(error);
        }
        engine.locks.unlock(shard, true);
        yield* found;
      } while (position !== 0);
    }
  }

  /** Points `#key` at a key, and says what time it is. */
  #begin(key: KeyLike): Engine {
    const engine = this.#engine;
    this.#keyText.put(key);
    const { bytes, length } = this.#keyText;
    if (length > MAX_KEY_BYTES) {
      throw new StoreError(
        "KEY_TOO_LONG",
        `Cannot use a key of ${length} bytes: keys have at most ${MAX_KEY_BYTES}`,
      );
    }
    engine.locate(this.#key.set(bytes, 0, length));
    engine.nowMs = Date.now();
    return engine;
  }

  /** Takes the lock of `#key`'s shard. All locks are mutexes: a dead reader could not be found. */
  #lock(): void {
    const { locks } = this.#engine;
    const { shard } = this.#key;
    try {
      locks.lock(shard, true);
    } catch (error) {
      throw toStoreError(error);
    }
    locks.setOperation(shard, EMBED_OPERATION);
  }

  /** An exception with the lock held: the shard may be half changed, and stays locked. */
  #torn(error: unknown): unknown {
    this.#engine.locks.poison(this.#key.shard, EMBED_OPERATION);
    return error;
  }

  /** Takes the lock and finds the string at `#key`; 0 = there is none. */
  #look(): number {
    this.#lock();
    const engine = this.#engine;
    let entry: number;
    let type: EntryType = EntryType.STRING;
    try {
      entry = engine.lookup(DATABASE, this.#key);
      if (entry !== 0) type = engine.entryType(entry);
    } catch (error) {
      throw this.#torn(error);
    }
    if (type === EntryType.STRING) return entry;
    engine.locks.unlock(this.#key.shard, true);
    throw new StoreError("WRONG_TYPE", `Cannot read a string: the key holds a ${TYPE_NAMES[type]}`);
  }

  /** Copies the string at a key to `#value`; false = there is none. */
  #readString(key: KeyLike): boolean {
    const engine = this.#begin(key);
    const value = this.#value;
    for (;;) {
      const entry = this.#look();
      let length = 0;
      let fits = true;
      try {
        if (entry !== 0) length = engine.stringLength(entry);
        fits = length <= value.bytes.length;
        if (fits && entry !== 0) engine.copyString(entry, value.bytes, 0);
      } catch (error) {
        throw this.#torn(error);
      }
      engine.locks.unlock(this.#key.shard, true);
      if (entry === 0) return false;
      value.length = length;
      if (fits) return true;
      // Made with no lock held: it may fail.
      value.reserve(length);
    }
  }

  #expireAtMs(ttlMs: number | undefined): number {
    if (ttlMs === undefined) return 0;
    const expireAtMs = this.#engine.nowMs + ttlMs;
    if (!Number.isInteger(ttlMs) || ttlMs < 1 || expireAtMs > MAX_EXPIRE_AT_MS) {
      throw new RangeError(`Cannot let a key live for ${ttlMs} ms: it takes a whole number from 1`);
    }
    return expireAtMs;
  }

  /** Expiry of what is at `#key`, whose lock is held. */
  #oldExpireAtMs(): number {
    const entry = this.#engine.peek(DATABASE, this.#key);
    return entry === 0 ? 0 : this.#engine.expireAtMs(entry);
  }

  /** After a write that was refused: frees memory if that was it, and throws if it is no use. */
  #reclaim(status: WriteStatus, reclaims: number): void {
    if (status !== WriteStatus.OUT_OF_MEMORY) throw writeError(status, this.#engine.maxValueBytes);
    if (reclaims >= MAX_RECLAIMS || !this.#engine.reclaim()) {
      throw new StoreError("OUT_OF_MEMORY", "Cannot write: the store is full");
    }
  }
}

function writeError(status: WriteStatus, maxValueBytes: number): StoreError {
  switch (status) {
    case WriteStatus.NOT_AN_INTEGER:
      return new StoreError("NOT_AN_INTEGER", "Cannot add: the value is not an integer");
    case WriteStatus.OVERFLOW:
      return new StoreError("OVERFLOW", "Cannot add: the sum does not fit 64 bits");
    case WriteStatus.WRONG_TYPE:
      return new StoreError("WRONG_TYPE", "Cannot write: the key holds another type");
    case WriteStatus.VALUE_TOO_LARGE:
      return new StoreError(
        "VALUE_TOO_LARGE",
        `Cannot write: values have at most ${maxValueBytes} bytes`,
      );
    default:
      return new StoreError(
        "KEY_TOO_LONG",
        `Cannot write: keys have at most ${MAX_KEY_BYTES} bytes`,
      );
  }
}

function setInt64(target: Int64, value: number | bigint): void {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) {
      throw new RangeError(`Cannot add ${value}: it takes a safe integer, or a bigint`);
    }
    target.setNumber(value);
    return;
  }
  if (typeof value !== "bigint") {
    throw new TypeError(`Cannot add ${typeof value}: it takes a safe integer, or a bigint`);
  }
  if (BigInt.asIntN(64, value) !== value) {
    throw new RangeError(`Cannot add ${value}: it does not fit 64 bits`);
  }
  target.lo = Number(value & 0xffffffffn);
  target.hi = Number(value >> 32n);
}
