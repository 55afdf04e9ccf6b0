/**
 * The changes of a transaction: whether they can be made, what memory they take, and making them.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { addInt64, Int64, parseInt64 } from "../../base/int64.ts";
import type { Collection } from "../collection/collection.ts";
import { BALANCE_DATABASE } from "../control.ts";
import { EntryType, type Store, WriteStatus } from "../store.ts";
import {
  ElementKind,
  type PendingElement,
  PendingExpiry,
  type PendingKey,
  PendingKind,
} from "./pending_key.ts";
import type { TransactionBytes } from "./transaction_bytes.ts";
import { TransactionDemand } from "./transaction_demand.ts";
import type { TransactionMark } from "./transaction_mark.ts";
import { CommitStatus } from "./types.ts";

const DATABASE = BALANCE_DATABASE;
/** Type of the collection that a kind is about. */
const COLLECTION_TYPES: readonly EntryType[] = [
  EntryType.STRING,
  EntryType.STRING,
  EntryType.STRING,
  EntryType.STRING,
  EntryType.LIST,
  EntryType.HASH,
  EntryType.SET,
  EntryType.SORTED_SET,
];
const NO_BYTES = new Uint8Array(0);

/** Decides and makes changes. Thread: that of the store; every call needs the exclusive locks. */
export class TransactionChanges {
  readonly #store: Store;
  readonly #bytes: TransactionBytes;
  readonly #isForEvents: boolean;
  readonly #demand: TransactionDemand;
  readonly #sum = new Int64();
  readonly #collection: Collection;
  #keys: readonly PendingKey[] = [];

  /**
   * Changes a store.
   *
   * @param bytes of all keys and values
   * @param isForEvents whether sums are balances, which are never evicted
   */
  constructor(store: Store, bytes: TransactionBytes, isForEvents: boolean) {
    this.#store = store;
    this.#bytes = bytes;
    this.#isForEvents = isForEvents;
    this.#collection = store.collections.newHandle();
    this.#demand = new TransactionDemand(store, bytes);
  }

  /**
   * Finds out whether all changes can be made, but for memory, and what they come to.
   *
   * @param keptBytes so many bytes are those of the transaction; behind them are those of an earlier try
   */
  decide(keys: readonly PendingKey[], keptBytes: number): CommitStatus {
    this.#keys = keys;
    this.#bytes.cutAt(keptBytes);
    for (let i = 0; i < keys.length; i++) {
      const status = this.#decideKey(keys[i]!);
      if (status !== CommitStatus.OK) return status;
    }
    return CommitStatus.OK;
  }

  /**
   * Promises the memory that the changes need: none of them fails then.
   *
   * @returns false when there is too little; nothing has changed
   */
  promise(mark: TransactionMark): boolean {
    let pages = this.#demand.pagesFor(this.#keys, this.#openPending, false);
    if (pages > this.#store.parts.blocks.unpromisedPages) {
      pages = this.#demand.pagesFor(this.#keys, this.#openPending, true);
    }
    if (!this.#store.collections.reserve(pages)) return false;
    mark.promisedPages = pages;
    return true;
  }

  /** Makes all changes, and gives back what is left of the promise. Cannot fail. */
  make(mark: TransactionMark): void {
    const keys = this.#keys;
    for (let i = 0; i < keys.length; i++) this.#makeKey(keys[i]!);
    mark.promisedPages = 0;
    this.#store.collections.settle();
    this.#keys = [];
  }

  #decideKey(pending: PendingKey): CommitStatus {
    switch (pending.kind) {
      case PendingKind.NONE:
      case PendingKind.DELETE:
      case PendingKind.STRING:
        return CommitStatus.OK;
      case PendingKind.ADD:
        return this.#decideSum(pending);
      default:
        return this.#decideElements(pending);
    }
  }

  #decideSum({ delta, key, replaces }: PendingKey): CommitStatus {
    const store = this.#store;
    const entry = replaces ? 0 : store.peek(DATABASE, key);
    if (entry === 0) return CommitStatus.OK;
    if (store.entryType(entry) !== EntryType.STRING) return CommitStatus.WRONG_TYPE;
    const sum = this.#sum;
    if (!store.readInteger(entry, sum)) return CommitStatus.NOT_AN_INTEGER;
    return addInt64(sum, delta, sum) ? CommitStatus.OK : CommitStatus.OVERFLOW;
  }

  #decideElements(pending: PendingKey): CommitStatus {
    const c = this.#collection;
    if (!this.#open(c, pending, false)) return CommitStatus.WRONG_TYPE;
    if (pending.kind === PendingKind.HASH) return this.#decideFields(c, pending);
    if (pending.kind === PendingKind.SORTED_SET) return this.#decideScores(c, pending);
    return CommitStatus.OK;
  }

  /** Works out the sums of fields, and writes them behind the bytes. */
  #decideFields(c: Collection, { items }: PendingKey): CommitStatus {
    const own = this.#bytes;
    const sum = this.#sum;
    for (let i = 0; i < items.length; i++) {
      const element = items[i]!;
      if (element.kind !== ElementKind.ADD) continue;
      sum.setNumber(0);
      if (this.#store.collections.hashes.find(c, own.bytes, element.start, element.end)) {
        const value = c.cursor.value();
        const isInteger = value.longRoot === 0 &&
          parseInt64(value.bytes, value.start, value.end, sum);
        if (!isInteger) return CommitStatus.NOT_AN_INTEGER;
      }
      if (!addInt64(sum, element.delta, sum)) return CommitStatus.OVERFLOW;
      own.addInteger(sum);
      element.valueStart = own.start;
      element.valueEnd = own.end;
    }
    return CommitStatus.OK;
  }

  #decideScores(c: Collection, { items }: PendingKey): CommitStatus {
    const { bytes } = this.#bytes;
    const { sortedSets } = this.#store.collections;
    for (let i = 0; i < items.length; i++) {
      const element = items[i]!;
      element.newScore = element.score;
      if (element.kind !== ElementKind.ADD) continue;
      if (sortedSets.find(c, bytes, element.start, element.end)) {
        element.newScore = sortedSets.score + element.score + 0;
        if (Number.isNaN(element.newScore)) return CommitStatus.OVERFLOW;
      }
    }
    return CommitStatus.OK;
  }

  readonly #openPending = (pending: PendingKey): Collection => {
    this.#open(this.#collection, pending, false);
    return this.#collection;
  };

  /** Opens the collection that a key has; of one that goes first it is empty. */
  #open(c: Collection, pending: PendingKey, willWrite: boolean): boolean {
    const { collections } = this.#store;
    const type = COLLECTION_TYPES[pending.kind]!;
    const status = collections.open(c, DATABASE, pending.key, type, willWrite);
    if (!pending.replaces) return status === WriteStatus.OK;
    c.entry = c.root = c.count = 0;
    collections.rewind(c);
    return true;
  }

  #makeKey(pending: PendingKey): void {
    const store = this.#store;
    const { key, kind } = pending;
    if (pending.replaces && kind !== PendingKind.STRING) store.remove(DATABASE, key);
    switch (kind) {
      case PendingKind.NONE:
      case PendingKind.DELETE:
        break;
      case PendingKind.STRING:
        this.#makeString(pending);
        return;
      case PendingKind.ADD:
        this.#makeSum(pending);
        break;
      default:
        this.#makeElements(pending);
    }
    if (pending.expiry !== PendingExpiry.KEEP) this.#makeExpiry(pending);
  }

  #makeString(pending: PendingKey): void {
    const store = this.#store;
    const { key, valueEnd, valueStart } = pending;
    const { bytes } = this.#bytes;
    const expireAtMs = this.#expireAtMs(pending);
    isDone(store.setString(DATABASE, key, bytes, valueStart, valueEnd, expireAtMs));
  }

  #makeSum({ delta, key }: PendingKey): void {
    const store = this.#store;
    isDone(store.planAddInteger(DATABASE, key, delta, this.#sum, this.#isForEvents));
    store.commitPlan();
  }

  #makeExpiry(pending: PendingKey): void {
    const store = this.#store;
    const { key } = pending;
    if (store.peek(DATABASE, key) === 0) return;
    isDone(store.setExpiry(DATABASE, key, this.#expireAtMs(pending)));
  }

  /** When a key expires from now on; 0 = never. */
  #expireAtMs({ expiry, key, replaces, ttlMs }: PendingKey): number {
    const store = this.#store;
    if (expiry === PendingExpiry.AFTER) return store.nowMs + ttlMs;
    if (expiry === PendingExpiry.NEVER || replaces) return 0;
    const entry = store.peek(DATABASE, key);
    return entry === 0 ? 0 : store.expireAtMs(entry);
  }

  /** What comes is put first, and then goes what goes: so it is never more than what was promised. */
  #makeElements(pending: PendingKey): void {
    const { collections } = this.#store;
    const c = this.#collection;
    const { back, front, items, kind } = pending;
    const isOpen = collections.open(c, DATABASE, pending.key, COLLECTION_TYPES[kind]!, true);
    isDone(isOpen);
    if (pending.fits) return isDone(this.#putFitting(c, pending));
    collections.beginReserved(c, pending.way);
    const { bytes } = this.#bytes;
    for (let i = 0; i < front.length; i++) {
      collections.lists.insertBegun(c, 0, bytes, front[i]!.start, front[i]!.end);
    }
    for (let i = 0; i < back.length; i++) {
      collections.lists.insertBegun(c, c.count, bytes, back[i]!.start, back[i]!.end);
    }
    for (let i = 0; i < items.length; i++) {
      if (items[i]!.kind !== ElementKind.REMOVE) this.#put(c, items[i]!, bytes);
    }
    for (let i = 0; i < items.length; i++) {
      const element = items[i]!;
      if (element.kind !== ElementKind.REMOVE) continue;
      if (kind === PendingKind.SORTED_SET) {
        collections.sortedSets.take(c, bytes, element.start, element.end);
      } else collections.hashes.removeBegun(c, bytes, element.start, element.end);
    }
    collections.finish(c);
  }

  /** Puts the only element that changes, where there is room for it. */
  #putFitting(c: Collection, { back, front, items }: PendingKey): WriteStatus {
    const { hashes, lists, sets, sortedSets } = this.#store.collections;
    const { bytes } = this.#bytes;
    const { end, newScore, start, valueEnd, valueStart } = items[0] ?? front[0] ?? back[0]!;
    switch (c.type) {
      case EntryType.LIST:
        return lists.pushElement(c, front.length === 1, bytes, start, end);
      case EntryType.HASH:
        return hashes.putField(c, bytes, start, end, bytes, valueStart, valueEnd);
      case EntryType.SET:
        return sets.addMember(c, bytes, start, end);
      default: {
        const exists = sortedSets.find(c, bytes, start, end);
        if (exists && sortedSets.score === newScore) return WriteStatus.OK;
        return sortedSets.putOne(c, exists, bytes, start, end, newScore);
      }
    }
  }

  #put(c: Collection, element: PendingElement, bytes: Uint8Array): void {
    const { hashes, sortedSets } = this.#store.collections;
    const { end, start, valueEnd, valueStart } = element;
    if (c.type === EntryType.SORTED_SET) {
      sortedSets.put(c, bytes, start, end, element.newScore);
    } else if (c.type === EntryType.HASH) {
      hashes.putBegun(c, bytes, start, end, bytes, valueStart, valueEnd);
    } else {
      hashes.putBegun(c, bytes, start, end, NO_BYTES, 0, 0);
    }
  }
}

/** What was decided and promised does not fail. */
function isDone(status: WriteStatus): void {
  assert(status === WriteStatus.OK, "a change that was decided can be made");
}
