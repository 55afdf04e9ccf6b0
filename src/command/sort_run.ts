/**
 * One `SORT`: from the leased elements to what is replied or stored.
 *
 * @module
 */

import { parseDouble } from "../base/double.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { CollectionLease } from "../store/collection/collection_lease.ts";
import type { Key } from "../store/key.ts";
import { EntryType, type Store, WriteStatus } from "../store/store.ts";
import { STEP_RECLAIM_ATTEMPTS } from "./reclaim_limits.ts";
import type { Slices } from "./slices.ts";
import type { SortPattern } from "./sort_pattern.ts";
import { sortInSlices } from "./sorter.ts";
import { type TextHoldings, Texts } from "./texts.ts";

/** Weights of steps, see `Slices.isOver`. */
const Weight = { ELEMENT: 2, SCORE: 3, LOOKUP: 20, HOLD: 32 } as const;
/** Elements stored per lock hold. */
const STORED_PER_HOLD = 16;
/** A longer element may hold any text, but no number. */
const SPACES = [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d];

/** What a call of SORT asks for. */
export interface SortOrder {
  /** Numbers of the elements, or other keys' values, to sort by; undefined = the elements. */
  readonly by: SortPattern | undefined;
  /** Elements are left in their order. */
  readonly keepsOrder: boolean;
  /** From the greatest to the least. */
  readonly descends: boolean;
  /** By bytes and not by numbers. */
  readonly isAlpha: boolean;
  /** What is returned of each; empty = the elements. */
  readonly gets: readonly SortPattern[];
  /** Elements to skip. */
  readonly offset: number;
  /** Most elements that are returned; negative = all. */
  readonly most: number;
}

/** Why a run ended. */
export const SortOutcome = { DONE: 0, NOT_A_NUMBER: 1, TOO_MUCH: 2, OUT_OF_MEMORY: 3 } as const;
/** One of {@link SortOutcome}. */
export type SortOutcome = typeof SortOutcome[keyof typeof SortOutcome];

/** What a {@link SortRun} works with. */
export interface SortParts {
  /** The store. */
  readonly store: Store;
  /** Database of all keys. */
  readonly database: number;
  /** What this thread's runs may hold. */
  readonly holdings: TextHoldings;
  /** The slices that it runs in. */
  readonly slices: Slices;
  /** Whether the locks of the command's keys are held throughout; then it looks up no others. */
  readonly isLocked: boolean;
}

/**
 * One run. Its generators yield when their slice is over or a lock is busy.
 *
 * Thread: one I/O thread.
 */
export class SortRun {
  /** What is returned, by {@link SortRun.resultAt}. */
  results: Texts;
  /** How many are returned. */
  resultCount = 0;

  readonly #parts: SortParts;
  readonly #order: SortOrder;
  readonly #elements: Texts;
  readonly #keys: Texts;
  /** Which elements are returned. */
  #chosen: Uint32Array = new Uint32Array(0);

  /** Prepares to run. */
  constructor(parts: SortParts, order: SortOrder) {
    this.#parts = parts;
    this.#order = order;
    this.#elements = this.results = new Texts(parts.holdings);
    this.#keys = new Texts(parts.holdings);
  }

  /** Gives up what it holds; may be called again. */
  release(): void {
    this.#elements.release();
    this.#keys.release();
    this.results.release();
  }

  /** Index in {@link SortRun.results} of what is returned at `index`. */
  resultAt(index: number): number {
    return this.results === this.#elements ? this.#chosen[index]! : index;
  }

  /** Reads, sorts, and looks up what is returned. */
  *run(lease: CollectionLease): Generator<void, SortOutcome> {
    const { keepsOrder, gets } = this.#order;
    const outcome = keepsOrder ? yield* this.#gatherRange(lease) : yield* this.#gatherAll(lease);
    if (outcome !== SortOutcome.DONE) return outcome;
    if (gets.length === 0) {
      this.resultCount = this.#chosen.length;
      return SortOutcome.DONE;
    }
    this.results = new Texts(this.#parts.holdings);
    for (const index of this.#chosen) {
      for (const pattern of gets) {
        if (!(yield* this.#lookUp(pattern, index, this.results))) return SortOutcome.TOO_MUCH;
      }
    }
    this.resultCount = this.results.count;
    return SortOutcome.DONE;
  }

  /**
   * Makes a list of the results, aside. With locks held OUT_OF_MEMORY is final.
   *
   * @returns undefined = OUT_OF_MEMORY
   */
  *list(key: Key): Generator<void, Collection | undefined> {
    const { database, slices, store } = this.#parts;
    const { collections } = store;
    let c: Collection | undefined;
    let at = 0;
    const step = (): boolean => {
      c ??= collections.make(database, key, EntryType.LIST);
      if (c === undefined) return false;
      for (let i = 0; i < STORED_PER_HOLD && at < this.resultCount; i++) {
        if (!this.#append(c, at)) return false;
        at++;
      }
      return true;
    };
    for (let attempts = 0; c === undefined || at < this.resultCount;) {
      if (!(yield* this.#withLock(key.shard, true, step))) {
        const mayReclaim = !this.#holdsLocks && ++attempts <= STEP_RECLAIM_ATTEMPTS;
        if (mayReclaim && store.reclaim()) continue;
        if (c !== undefined) {
          const made = c;
          yield* this.#withLock(key.shard, true, () => collections.abandon(made));
        }
        return undefined;
      }
      attempts = 0;
      if (slices.isOver(Weight.HOLD)) yield;
    }
    return c;
  }

  get #holdsLocks(): boolean {
    return this.#parts.isLocked || this.#parts.slices.isAtomic;
  }

  #append(c: Collection, index: number): boolean {
    const { lists } = this.#parts.store.collections;
    const { results } = this;
    const at = this.resultAt(index);
    // What is missing is stored as an empty element.
    const start = results.isMissing(at) ? 0 : results.starts[at]!;
    const end = results.isMissing(at) ? 0 : results.ends[at]!;
    return lists.insert(c, c.count, results.bytes, start, end) === WriteStatus.OK;
  }

  /** Reads only what is returned, of elements whose order stays. */
  *#gatherRange(lease: CollectionLease): Generator<void, SortOutcome> {
    const [from, to] = this.#range(lease.count);
    const { cursor } = lease;
    const { descends } = this.#order;
    if (from < to) cursor.seekRank(descends ? lease.count - 1 - from : from);
    for (let i = from; i < to; i++) {
      if (!this.#take(lease)) return SortOutcome.TOO_MUCH;
      if (descends) cursor.previous();
      else cursor.next();
      if (this.#parts.slices.isOver(Weight.ELEMENT)) yield;
    }
    this.#chosen = new Uint32Array(to - from).map((_, i) => i);
    return SortOutcome.DONE;
  }

  *#gatherAll(lease: CollectionLease): Generator<void, SortOutcome> {
    const { slices } = this.#parts;
    for (let more = lease.cursor.seekFirst(); more; more = lease.cursor.next()) {
      if (!this.#take(lease)) return SortOutcome.TOO_MUCH;
      if (slices.isOver(Weight.ELEMENT)) yield;
    }
    lease.release();
    const { by, isAlpha } = this.#order;
    if (by !== undefined) {
      for (let i = 0; i < this.#elements.count; i++) {
        if (!(yield* this.#lookUp(by, i, this.#keys))) return SortOutcome.TOO_MUCH;
      }
    }
    const compare = isAlpha ? this.#textOrder() : yield* this.#numberOrder();
    if (compare === undefined) return SortOutcome.NOT_A_NUMBER;
    const sorted = yield* sortInSlices(this.#elements.count, compare, slices);
    this.#chosen = sorted.subarray(...this.#range(sorted.length));
    return SortOutcome.DONE;
  }

  /** Adds the element at the cursor. */
  #take({ cursor }: CollectionLease): boolean {
    const element = cursor.element();
    const offset = this.#elements.add(element.byteCount);
    if (offset < 0) return false;
    element.copyTo(this.#elements.bytes, offset);
    return true;
  }

  #textOrder(): (a: number, b: number) => number {
    const sign = this.#order.descends ? -1 : 1;
    const keys = this.#keys;
    if (this.#order.by === undefined) return (a, b) => sign * this.#elements.compare(a, b);
    // What is missing comes first.
    return (a, b) => {
      const aIsMissing = keys.isMissing(a);
      const bIsMissing = keys.isMissing(b);
      if (aIsMissing || bIsMissing) return sign * (Number(bIsMissing) - Number(aIsMissing));
      return sign * keys.compare(a, b);
    };
  }

  *#numberOrder(): Generator<void, ((a: number, b: number) => number) | undefined> {
    const texts = this.#order.by === undefined ? this.#elements : this.#keys;
    const scores = new Float64Array(texts.count);
    for (let i = 0; i < scores.length; i++) {
      if (texts.isMissing(i)) continue;
      const score = sortScore(texts.bytes, texts.starts[i]!, texts.ends[i]!);
      if (Number.isNaN(score)) return undefined;
      scores[i] = score;
      if (this.#parts.slices.isOver(Weight.SCORE)) yield;
    }
    const sign = this.#order.descends ? -1 : 1;
    return (a, b) => {
      const one = scores[a]!;
      const other = scores[b]!;
      if (one !== other) return one < other ? -sign : sign;
      return sign * this.#elements.compare(a, b);
    };
  }

  /** Adds what a pattern names for an element; false = too much. */
  *#lookUp(pattern: SortPattern, index: number, target: Texts): Generator<void, boolean> {
    const { database, slices, store } = this.#parts;
    const { bytes, starts, ends } = this.#elements;
    const start = starts[index]!;
    const end = ends[index]!;
    if (pattern.isElement) {
      const offset = target.add(end - start);
      if (offset < 0) return false;
      target.bytes.set(bytes.subarray(start, end), offset);
      if (slices.isOver(Weight.ELEMENT)) yield;
      return true;
    }
    if (!pattern.hasStar) return target.addMissing();
    const { shard } = pattern.locate(store, bytes, start, end);
    const read = (): boolean => pattern.read(store, database, target);
    const fits = yield* this.#withLock(shard, false, read);
    if (slices.isOver(Weight.LOOKUP)) yield;
    return fits;
  }

  /** Runs a step with a shard's lock, waiting for it if it is busy. */
  *#withLock<Result>(
    shard: number,
    exclusive: boolean,
    step: () => Result,
  ): Generator<void, Result> {
    const { slices, isLocked } = this.#parts;
    if (isLocked) return step();
    while (!slices.tryLock(shard, exclusive)) {
      slices.wanted(shard, exclusive);
      yield;
    }
    const result = slices.guard(shard, step);
    slices.unlock(shard, exclusive);
    return result;
  }

  /** First index that is returned, and behind the last one. */
  #range(count: number): [number, number] {
    const { offset, most } = this.#order;
    const from = Math.min(Math.max(offset, 0), count);
    return [from, most < 0 ? count : Math.min(from + most, count)];
  }
}

/** A text as a number, as C's `strtod` takes it; the empty one is 0. NaN when it is none. */
export function sortScore(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return 0;
  let at = start;
  while (at < end && SPACES.includes(bytes[at]!)) at++;
  let value = 0;
  // Most are short whole numbers.
  for (let i = at; i < end && end - at <= 15; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return parseDouble(bytes, at, end);
    value = value * 10 + digit;
  }
  return at < end && end - at <= 15 ? value : parseDouble(bytes, at, end);
}
