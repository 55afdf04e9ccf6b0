/**
 * The writes of a transaction before they are made.
 *
 * Changes of one key are put together as they come: what is kept is what they come to. So a commit has
 * each key, field and member once, and everything that can fail about it can be found out before the
 * first one is changed.
 *
 * @module
 */

import { addInt64, Int64, parseInt64 } from "../../base/int64.ts";
import type { Key } from "../key.ts";
import type { Store } from "../store.ts";
import {
  ElementKind,
  PendingElement,
  PendingExpiry,
  PendingKey,
  PendingKind,
} from "./pending_key.ts";
import { toInt64, type TransactionBytes } from "./transaction_bytes.ts";
import { type KeyLike, type SetOptions, TransactionLimit, type ValueLike } from "./types.ts";

/** Longest time to live: far below what an entry can keep. Unit: ms. */
const MAX_TTL_MS = 2 ** 47;
const KIND_NAMES = ["key", "key", "string", "integer", "list", "hash", "set", "sorted set"];

/** Collects writes. Thread: belongs to one transaction. */
export class PendingWrites {
  /** What becomes of each key, in the order in which they were named first. */
  readonly keys: Map<string, PendingKey> = new Map();
  /** Keys, fields, members and elements that were named. */
  count = 0;

  readonly #store: Store;
  readonly #bytes: TransactionBytes;
  readonly #delta = new Int64();
  readonly #sum = new Int64();

  /** Collects writes to a store, whose bytes are kept in `bytes`. */
  constructor(store: Store, bytes: TransactionBytes) {
    this.#store = store;
    this.#bytes = bytes;
  }

  /** Forgets everything. */
  clear(): void {
    this.keys.clear();
    this.count = 0;
  }

  /** Whether a key is written: its bytes as a string. */
  has(name: string): boolean {
    return this.keys.has(name);
  }

  /** See `TransactionWrites.set`. */
  set(key: KeyLike, value: ValueLike, options: SetOptions | undefined): void {
    const ttlMs = options?.ttlMs;
    if (ttlMs !== undefined) checkTtl(ttlMs);
    const bytes = this.#bytes;
    this.#change(key, (pending) => {
      bytes.addValue(value);
      const byteCount = bytes.end - bytes.start;
      this.#checkValue(byteCount);
      pending.drop();
      pending.kind = PendingKind.STRING;
      pending.valueStart = bytes.start;
      pending.valueEnd = bytes.end;
      if (ttlMs !== undefined) {
        pending.expiry = PendingExpiry.AFTER;
        pending.ttlMs = ttlMs;
      } else if (options?.keepTtl !== true) {
        pending.expiry = PendingExpiry.NEVER;
      }
    });
  }

  /** See `TransactionWrites.add`. */
  add(key: KeyLike, delta: number | bigint | Int64): void {
    toInt64(delta, this.#delta);
    this.#change(key, (pending) => this.#add(pending));
  }

  /** Takes over an addition that stood alone so far; its key is located and lies in the bytes. */
  adopt(key: Key, name: string, delta: Int64): void {
    const pending = new PendingKey();
    pending.key.copyFrom(key);
    pending.kind = PendingKind.ADD;
    pending.delta.copyFrom(delta);
    this.keys.set(name, pending);
    this.count = 1;
  }

  #add(pending: PendingKey): void {
    const delta = this.#delta;
    const sum = this.#sum;
    switch (pending.kind) {
      case PendingKind.NONE:
      case PendingKind.DELETE:
        pending.kind = PendingKind.ADD;
        pending.delta.copyFrom(delta);
        return;
      case PendingKind.ADD:
        if (!addInt64(pending.delta, delta, pending.delta)) throw overflow();
        return;
      case PendingKind.STRING: {
        const bytes = this.#bytes;
        if (!parseInt64(bytes.bytes, pending.valueStart, pending.valueEnd, sum)) {
          throw new TypeError("Cannot add to a key: the transaction sets it to what is no integer");
        }
        if (!addInt64(sum, delta, sum)) throw overflow();
        bytes.addInteger(sum);
        pending.valueStart = bytes.start;
        pending.valueEnd = bytes.end;
        return;
      }
      default:
        throw mixed("an integer", pending.kind);
    }
  }

  /** See `TransactionWrites.del`. */
  del(key: KeyLike): void {
    this.#change(key, (pending) => {
      pending.drop();
      pending.kind = PendingKind.DELETE;
      pending.replaces = true;
      pending.expiry = PendingExpiry.KEEP;
    });
  }

  /** See `TransactionWrites.expire`. */
  expire(key: KeyLike, ttlMs: number): void {
    checkTtl(ttlMs);
    this.#change(key, (pending) => {
      if (pending.kind === PendingKind.DELETE) return;
      pending.expiry = PendingExpiry.AFTER;
      pending.ttlMs = ttlMs;
    });
  }

  /** See `TransactionWrites.persist`. */
  persist(key: KeyLike): void {
    this.#change(key, (pending) => {
      if (pending.kind !== PendingKind.DELETE) pending.expiry = PendingExpiry.NEVER;
    });
  }

  /** See `TransactionWrites.hset`. */
  hset(key: KeyLike, field: KeyLike, value: ValueLike): void {
    const bytes = this.#bytes;
    this.#changeElement(key, PendingKind.HASH, field, (element) => {
      bytes.addValue(value);
      this.#checkValue(bytes.end - bytes.start);
      element.kind = ElementKind.PUT;
      element.valueStart = bytes.start;
      element.valueEnd = bytes.end;
    });
  }

  /** See `TransactionWrites.hincrby`. */
  hincrby(key: KeyLike, field: KeyLike, delta: number | bigint | Int64): void {
    toInt64(delta, this.#delta);
    this.#changeElement(key, PendingKind.HASH, field, (element, isNew, replaces) => {
      this.#addToField(element, isNew, replaces);
    });
  }

  #addToField(element: PendingElement, isNew: boolean, replaces: boolean): void {
    const delta = this.#delta;
    const sum = this.#sum;
    const bytes = this.#bytes;
    if (isNew && !replaces) {
      element.kind = ElementKind.ADD;
      element.delta.copyFrom(delta);
      return;
    }
    if (element.kind === ElementKind.ADD) {
      if (!addInt64(element.delta, delta, element.delta)) throw overflow();
      return;
    }
    // It is known what there is: nothing, or what the transaction puts there.
    sum.setNumber(0);
    if (
      !isNew && element.kind === ElementKind.PUT &&
      !parseInt64(bytes.bytes, element.valueStart, element.valueEnd, sum)
    ) {
      throw new TypeError("Cannot add to a field: the transaction sets it to what is no integer");
    }
    if (!addInt64(sum, delta, sum)) throw overflow();
    bytes.addInteger(sum);
    element.kind = ElementKind.PUT;
    element.valueStart = bytes.start;
    element.valueEnd = bytes.end;
  }

  /** See `TransactionWrites.sadd`. */
  sadd(key: KeyLike, members: readonly KeyLike[]): void {
    this.#changeEach(key, PendingKind.SET, members, (element) => {
      element.kind = ElementKind.PUT;
    });
  }

  /** See `TransactionWrites.hdel`, `srem` and `zrem`. */
  remove(key: KeyLike, kind: PendingKind, members: readonly KeyLike[]): void {
    this.#changeEach(key, kind, members, (element) => {
      element.kind = ElementKind.REMOVE;
    });
  }

  /** See `TransactionWrites.zadd`. */
  zadd(key: KeyLike, member: KeyLike, score: number): void {
    checkScore(score);
    this.#changeElement(key, PendingKind.SORTED_SET, member, (element) => {
      element.kind = ElementKind.PUT;
      // Scores are never -0.
      element.score = score + 0;
    });
  }

  /** See `TransactionWrites.zincrby`. */
  zincrby(key: KeyLike, member: KeyLike, by: number): void {
    checkScore(by);
    this.#changeElement(key, PendingKind.SORTED_SET, member, (element, isNew, replaces) => {
      const isKnown = isNew ? replaces : element.kind !== ElementKind.ADD;
      const before = isNew || element.kind === ElementKind.REMOVE ? 0 : element.score;
      const score = before + by;
      if (Number.isNaN(score)) throw new RangeError("Cannot add to a score: the sum is no number");
      element.kind = isKnown ? ElementKind.PUT : ElementKind.ADD;
      element.score = score + 0;
    });
  }

  /** See `TransactionWrites.lpush` and `rpush`. */
  push(key: KeyLike, atFront: boolean, values: readonly ValueLike[]): void {
    const bytes = this.#bytes;
    this.#checkAll(key, values, (value) => bytes.addValue(value));
    for (const value of values) {
      this.#change(key, (pending) => {
        checkKind(pending, PendingKind.LIST);
        bytes.addValue(value);
        this.#checkValue(bytes.end - bytes.start);
        pending.kind = PendingKind.LIST;
        (atFront ? pending.front : pending.back).push(new PendingElement(bytes.start, bytes.end));
      });
    }
  }

  #changeEach(
    key: KeyLike,
    kind: PendingKind,
    members: readonly KeyLike[],
    change: (element: PendingElement) => void,
  ): void {
    this.#checkAll(key, members, (member) => this.#bytes.addText(member));
    for (const member of members) this.#changeElement(key, kind, member, change);
  }

  /**
   * Before the first of several: throws if one of them cannot be added, so that it is all of them or none.
   */
  #checkAll<T>(key: KeyLike, things: readonly T[], add: (thing: T) => void): void {
    if (things.length < 2) return;
    if (this.count + things.length > TransactionLimit.WRITES) throw tooManyWrites();
    const bytes = this.#bytes;
    const { end } = bytes;
    try {
      // As each of them will: with the key in front, which stays the first time.
      let hasKey: boolean | undefined;
      for (const thing of things) {
        const keyAt = bytes.end;
        bytes.addKey(key);
        hasKey ??= this.keys.has(bytes.name());
        if (hasKey) bytes.cutAt(keyAt);
        hasKey = true;
        add(thing);
        this.#checkValue(bytes.end - bytes.start);
      }
    } finally {
      bytes.cutAt(end);
    }
  }

  /** Changes what becomes of a field or member. */
  #changeElement(
    key: KeyLike,
    kind: PendingKind,
    member: KeyLike,
    change: (element: PendingElement, isNew: boolean, replaces: boolean) => void,
  ): void {
    const bytes = this.#bytes;
    this.#change(key, (pending) => {
      checkKind(pending, kind);
      bytes.addText(member);
      this.#checkValue(bytes.end - bytes.start);
      const name = bytes.name();
      const known = pending.elements.get(name);
      const element = known ?? new PendingElement(bytes.start, bytes.end);
      change(element, known === undefined, pending.replaces);
      pending.kind = kind;
      if (known === undefined) pending.elements.set(name, element);
    });
  }

  /** Changes what becomes of a key; if `change` throws, nothing has changed. */
  #change(key: KeyLike, change: (pending: PendingKey) => void): void {
    if (this.count >= TransactionLimit.WRITES) throw tooManyWrites();
    const bytes = this.#bytes;
    const { end } = bytes;
    try {
      bytes.addKey(key);
      const name = bytes.name();
      let pending = this.keys.get(name);
      if (pending !== undefined) {
        // It has the bytes already.
        bytes.cutAt(end);
        change(pending);
      } else {
        pending = new PendingKey();
        pending.key.set(bytes.bytes, bytes.start, bytes.end);
        change(pending);
        this.#store.locate(pending.key);
        this.keys.set(name, pending);
      }
      this.count++;
    } catch (error) {
      bytes.cutAt(end);
      throw error;
    }
  }

  #checkValue(byteCount: number): void {
    const { maxValueBytes } = this.#store;
    if (byteCount > maxValueBytes) {
      throw new RangeError(
        `Cannot store a value of ${byteCount} bytes: the store takes ${maxValueBytes} at most`,
      );
    }
  }
}

function mixed(wanted: string, kind: PendingKind): Error {
  const name = KIND_NAMES[kind]!;
  const article = kind === PendingKind.ADD ? "an" : "a";
  return new Error(
    `Cannot write a key as ${wanted}: the same transaction writes it as ${article} ${name}`,
  );
}

function checkKind({ kind: was }: PendingKey, kind: PendingKind): void {
  if (was !== kind && was !== PendingKind.NONE && was !== PendingKind.DELETE) {
    throw mixed(`a ${KIND_NAMES[kind]}`, was);
  }
}

function tooManyWrites(): RangeError {
  return new RangeError(
    `Cannot write more: a transaction has at most ${TransactionLimit.WRITES} changes`,
  );
}

function overflow(): RangeError {
  return new RangeError("Cannot add: the sum does not fit 64 bits");
}

function checkTtl(ttlMs: number): void {
  if (!Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs > MAX_TTL_MS) {
    throw new RangeError(
      `Cannot let a key live for ${ttlMs} ms: it must be a whole number, 1 to ${MAX_TTL_MS}`,
    );
  }
}

function checkScore(score: number): void {
  if (typeof score !== "number" || Number.isNaN(score)) {
    throw new TypeError(`Cannot use ${score} as a score: it is not a number`);
  }
}
