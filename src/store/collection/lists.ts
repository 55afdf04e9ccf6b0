/**
 * Lists: what their commands are made of.
 *
 * @module
 */

import { WriteStatus } from "../entry_writer.ts";
import { ElementEffect } from "../mutation_hook.ts";
import type { Collection, ElementSource } from "./collection.ts";
import type { CollectionCore } from "./core.ts";
import { encodedPartBytes, RecordKind } from "./records.ts";

/**
 * Operations on lists that were opened. To read: `cursor.seekRank(index)`, `seekFirst`, `seekLast`,
 * `next`, `previous`, `element()`.
 *
 * Thread: one instance per thread; what changes needs the shard's exclusive lock.
 */
export class Lists {
  readonly #collections: CollectionCore;

  /** Operations on the lists of a store. */
  constructor(collections: CollectionCore) {
    this.#collections = collections;
  }

  /**
   * Pushes `count` values, all or none, one after the other: at the front the last one ends up first.
   *
   * @param first index of the first one in `source`
   * @returns OK, OUT_OF_MEMORY, VALUE_TOO_LARGE
   */
  push(
    c: Collection,
    atFront: boolean,
    source: ElementSource,
    first: number,
    count: number,
  ): WriteStatus {
    if (count === 1) {
      return this.#pushOne(c, atFront, source.bytes, source.starts[first]!, source.ends[first]!);
    }
    const coming = this.#collections.startComing(c);
    for (let i = first; i < first + count; i++) {
      const length = source.ends[i]! - source.starts[i]!;
      if (length > this.#collections.maxElementBytes) return WriteStatus.VALUE_TOO_LARGE;
      coming.add(length);
    }
    const status = this.#collections.begin(c, 0, true);
    if (status !== WriteStatus.OK) return status;
    for (let i = first; i < first + count; i++) {
      this.#insert(c, atFront ? 0 : c.count, source.bytes, source.starts[i]!, source.ends[i]!);
    }
    this.#collections.finish(c);
    return WriteStatus.OK;
  }

  #pushOne(
    c: Collection,
    atFront: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): WriteStatus {
    const collections = this.#collections;
    if (end - start > collections.maxElementBytes) return WriteStatus.VALUE_TOO_LARGE;
    if (collections.ends.tryPush(c, atFront, bytes, start, end)) {
      if (collections.hasHook) {
        const rank = atFront ? 0 : c.count - 1;
        collections.tell(c, ElementEffect.INSERTED_AT, bytes, start, end, rank);
      }
      collections.finish(c);
      collections.ends.follow(c);
      return WriteStatus.OK;
    }
    const byteCount = end - start;
    if (atFront) c.cursor.seekFirst();
    else c.cursor.seekEnd();
    if (c.exists && collections.fits(c, 0, encodedPartBytes(byteCount), byteCount)) {
      collections.beginFitting(c);
      this.#put(c, atFront ? 0 : c.count, bytes, start, end);
    } else {
      collections.startComing(c).add(byteCount);
      const status = collections.begin(c, 0, true);
      if (status !== WriteStatus.OK) return status;
      this.#insert(c, atFront ? 0 : c.count, bytes, start, end);
    }
    collections.finish(c);
    return WriteStatus.OK;
  }

  /** Inserts `bytes[start, end)` so that its index is `rank`, 0 to `c.count`. */
  insert(
    c: Collection,
    rank: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): WriteStatus {
    if (end - start > this.#collections.maxElementBytes) return WriteStatus.VALUE_TOO_LARGE;
    this.#collections.startComing(c).add(end - start);
    const status = this.#collections.begin(c, 0);
    if (status !== WriteStatus.OK) return status;
    this.#insert(c, rank, bytes, start, end);
    this.#collections.finish(c);
    return WriteStatus.OK;
  }

  /** Whether {@link Lists.push} of one element of so many bytes needs no memory. */
  fitsOne(c: Collection, atFront: boolean, byteCount: number): boolean {
    if (!c.exists) return false;
    if (atFront) c.cursor.seekFirst();
    else c.cursor.seekEnd();
    return this.#collections.fits(c, 0, encodedPartBytes(byteCount), byteCount);
  }

  /** Pushes one element, `bytes[start, end)`. */
  pushElement(
    c: Collection,
    atFront: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): WriteStatus {
    return this.#pushOne(c, atFront, bytes, start, end);
  }

  /** As {@link Lists.insert}, between `CollectionCore.begin`, which was told of it, and `finish`. */
  insertBegun(c: Collection, rank: number, bytes: Uint8Array, start: number, end: number): void {
    this.#insert(c, rank, bytes, start, end);
  }

  /** Replaces the element at index `rank`, which exists. */
  set(c: Collection, rank: number, bytes: Uint8Array, start: number, end: number): WriteStatus {
    if (end - start > this.#collections.maxElementBytes) return WriteStatus.VALUE_TOO_LARGE;
    const collections = this.#collections;
    collections.startComing(c).add(end - start);
    const status = collections.begin(c, 0);
    if (status !== WriteStatus.OK) return status;
    collections.makeRoom(c, encodedPartBytes(end - start), end - start);
    c.cursor.seekRank(rank);
    this.#encode(c, bytes, start, end);
    collections.splice(c, 1, collections.record);
    if (collections.hasHook) collections.tell(c, ElementEffect.SET_AT, bytes, start, end, rank);
    collections.finish(c);
    return WriteStatus.OK;
  }

  /**
   * Removes `count` elements from index `rank` on, which exist. Only a list that has readers needs
   * memory for that.
   *
   * @returns OK or OUT_OF_MEMORY
   */
  removeRanks(c: Collection, rank: number, count: number): WriteStatus {
    if (count === 0) return WriteStatus.OK;
    if (count === 1 && (rank === 0 || rank === c.count - 1)) {
      this.seekEnd(c, rank === 0);
      return this.removeEnd(c, rank === 0);
    }
    return this.#removeRanks(c, rank, count);
  }

  /**
   * Goes to the first or the last element. For one that is then removed: `seekLast` of the cursor is
   * for those who go on backwards.
   *
   * @returns whether there is one
   */
  seekEnd(c: Collection, atFront: boolean): boolean {
    return this.#collections.ends.seek(c, atFront);
  }

  /**
   * Removes the first or the last element of a list, which its cursor stands on.
   *
   * @returns OK or OUT_OF_MEMORY, as {@link Lists.removeRanks}
   */
  removeEnd(c: Collection, atFront: boolean): WriteStatus {
    const collections = this.#collections;
    if (!collections.ends.tryRemove(c, atFront)) {
      return this.#removeRanks(c, atFront ? 0 : c.count - 1, 1);
    }
    if (collections.hasHook) collections.tellRange(c, atFront ? 0 : c.count, 1);
    collections.finish(c);
    collections.ends.follow(c);
    return WriteStatus.OK;
  }

  #removeRanks(c: Collection, rank: number, count: number): WriteStatus {
    const collections = this.#collections;
    // However many go, at most two ways from the top to a leaf are changed.
    collections.startComing(c);
    const status = collections.begin(c, 2);
    if (status !== WriteStatus.OK) return status;
    if (count === 1 && c.count > 1) {
      if (rank === c.count - 1) c.cursor.seekLast();
      else c.cursor.seekRank(rank);
      collections.splice(c, 1, undefined);
    } else {
      collections.removeRanks(c, rank, rank + count);
    }
    if (collections.hasHook) collections.tellRange(c, rank, count);
    collections.finish(c);
    return WriteStatus.OK;
  }

  #insert(c: Collection, rank: number, bytes: Uint8Array, start: number, end: number): void {
    const collections = this.#collections;
    collections.makeRoom(c, encodedPartBytes(end - start), end - start);
    if (rank === c.count) c.cursor.seekEnd();
    else c.cursor.seekRank(rank);
    this.#put(c, rank, bytes, start, end);
  }

  /** Inserts at the cursor, which stands at `rank`. */
  #put(c: Collection, rank: number, bytes: Uint8Array, start: number, end: number): void {
    const collections = this.#collections;
    this.#encode(c, bytes, start, end);
    collections.splice(c, 0, collections.record);
    if (collections.hasHook) {
      collections.tell(c, ElementEffect.INSERTED_AT, bytes, start, end, rank);
    }
  }

  #encode(c: Collection, bytes: Uint8Array, start: number, end: number): void {
    this.#collections.record.begin(RecordKind.LIST, 0);
    this.#collections.addPart(c, bytes, start, end);
  }
}
