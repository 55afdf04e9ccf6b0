/**
 * Sets and sorted sets side by side, in the order in which all of them have their members.
 *
 * Large sets, and the members of large sorted sets, are ordered by (hash, bytes), and the hash is the
 * same everywhere. So unions, intersections and differences are merges, which need no memory for
 * members however many there are. Small ones are put into that order first.
 *
 * @module
 */

import type { CollectionLease } from "../store/collection/collection_lease.ts";
import type { RecordCursor } from "../store/collection/cursor.ts";
import type { ElementView } from "../store/collection/element.ts";
import { RecordKind } from "../store/collection/records.ts";
import { EntryType, type Store } from "../store/store.ts";
import type { CommandCall } from "./call.ts";

/** So many members are passed by before a search begins. */
const STEPS_BEFORE_SEARCH = 4;

/** Where a small collection's member is in its run, and its place in the order. */
interface PackedMember {
  readonly hash: number;
  readonly rank: number;
}

/**
 * A set or sorted set as it was at one moment, walked in the order of (hash, bytes).
 *
 * Thread: one I/O thread.
 */
export class MemberSource {
  /** Members. */
  readonly count: number;
  /** What its scores are multiplied by. */
  weight = 1;
  /** Whether there is a member where it stands. */
  isValid = false;
  /** Hash of that member. */
  hash = 0;
  readonly #lease: CollectionLease;
  readonly #cursor: RecordCursor;
  readonly #hasScores: boolean;
  readonly #store: Store;
  /** Members of a small one in order; undefined: the cursor has them in order. */
  #order: PackedMember[] | undefined;
  #at = 0;

  /** Takes over a lease of members. */
  constructor(store: Store, lease: CollectionLease) {
    this.#lease = lease;
    this.#cursor = lease.cursor;
    this.count = lease.count;
    const { kind } = lease.cursor;
    this.#hasScores = kind === RecordKind.SCORES || kind === RecordKind.MEMBERS;
    this.#store = store;
  }

  /** Goes to the first member. */
  seekFirst(): void {
    this.#at = 0;
    if (this.#cursor.top === 0) this.#order ??= inOrder(this.#store, this.#cursor);
    if (this.#order === undefined) this.#cursor.seekFirst();
    this.#arrive();
  }

  /** Goes to the next member. */
  next(): void {
    this.#at++;
    if (this.#order === undefined) this.#cursor.next();
    this.#arrive();
  }

  /** Goes forward to the first member that is not before another source's; is it the same? */
  seek(hash: number, element: ElementView): boolean {
    for (let steps = 0; this.isValid; steps++) {
      const place = this.compare(hash, element);
      if (place >= 0) return place === 0;
      if (steps < STEPS_BEFORE_SEARCH || this.#order !== undefined) {
        this.next();
      } else if (element.longRoot === 0) {
        this.#cursor.seekAtLeast(hash, element.bytes, element.start, element.end);
        this.#arrive();
      } else {
        this.#cursor.seekAtLeast(hash, element.toBytes(), 0, element.byteCount);
        this.#arrive();
      }
    }
    return false;
  }

  /** Negative, 0 or positive as its member is before, equal to or behind another one. */
  compare(hash: number, element: ElementView): number {
    return this.hash - hash || compareElements(this.element(), element);
  }

  /** The member. */
  element(): ElementView {
    return this.#cursor.element();
  }

  /** The member's score times the weight; a set's members have 1. Not a number is 0. */
  weighted(): number {
    const score = this.#hasScores ? this.#cursor.score() : 1;
    const product = score * this.weight;
    // No -0, as ZADD takes none.
    return Number.isNaN(product) ? 0 : product + 0;
  }

  /** The member's score. */
  score(): number {
    return this.#hasScores ? this.#cursor.score() : 1;
  }

  /** Ends the lease. */
  release(): void {
    this.#lease.release();
  }

  #arrive(): void {
    const order = this.#order;
    if (order === undefined) {
      this.isValid = this.#cursor.isValid;
      if (this.isValid) this.hash = this.#cursor.order;
    } else {
      this.isValid = this.#at < order.length;
      if (!this.isValid) return;
      const { hash, rank } = order[this.#at]!;
      this.#cursor.seekRank(rank);
      this.hash = hash;
    }
  }
}

/**
 * The sources of a command, as they were at one moment.
 *
 * Thread: one I/O thread. Whoever captures them releases them.
 */
export class MemberSources {
  /** The sources in the order of their keys. */
  readonly sources: MemberSource[] = [];
  readonly #seqs: number[] = [];

  /**
   * Captures the sets and sorted sets at keys; needs their locks, shared is enough.
   *
   * @returns false, and nothing is captured, when one of the keys holds another type
   */
  capture(call: CommandCall, firstKey: number, keyCount: number): boolean {
    const { store, database } = call;
    const { collections } = store;
    this.release();
    for (let i = firstKey; i < firstKey + keyCount; i++) {
      const entry = store.peek(database, call.keyAt(i));
      const type = entry === 0 ? EntryType.SET : store.entryType(entry);
      if (type !== EntryType.SET && type !== EntryType.SORTED_SET) {
        this.release();
        return false;
      }
      const c = collections.handle(0);
      collections.open(c, database, call.key, type, false);
      const lease = store.collectionLeases.takeMembers(c);
      this.sources.push(new MemberSource(store, lease));
      this.#seqs.push(entry === 0 ? -1 : store.entrySeq(entry));
    }
    return true;
  }

  /** Whether the keys still hold what was captured; needs their locks. */
  areUnchanged(call: CommandCall, first: number): boolean {
    const { store, database } = call;
    return this.#seqs.every((seq, i) => {
      const entry = store.peek(database, call.keyAt(first + i));
      return seq === (entry === 0 ? -1 : store.entrySeq(entry));
    });
  }

  /** Gives up all of them; may be called any number of times. */
  release(): void {
    for (const source of this.sources) source.release();
    this.sources.length = this.#seqs.length = 0;
  }
}

/** Negative, 0 or positive as one element is before, equal to or behind the other. Thread: any. */
export function compareElements(one: ElementView, other: ElementView): number {
  if (other.longRoot === 0) return one.compare(other.bytes, other.start, other.end);
  if (one.longRoot === 0) return -other.compare(one.bytes, one.start, one.end);
  return one.compare(other.toBytes(), 0, other.byteCount);
}

/** The members of a run, which has them in some other order. */
function inOrder(store: Store, cursor: RecordCursor): PackedMember[] {
  const members: (PackedMember & { bytes: Uint8Array })[] = [];
  let more = cursor.seekFirst();
  for (let rank = 0; more; rank++, more = cursor.next()) {
    const { bytes, start, end } = cursor.element();
    const hash = store.collections.hashOf(bytes, start, end);
    members.push({ hash, rank, bytes: bytes.subarray(start, end) });
  }
  return members.sort((a, b) => a.hash - b.hash || compareBytes(a.bytes, b.bytes));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
