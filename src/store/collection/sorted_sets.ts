/**
 * Sorted sets: what their commands are made of.
 *
 * @module
 */

import { WriteStatus } from "../entry_writer.ts";
import { ElementEffect } from "../mutation_hook.ts";
import type { Collection, ElementSource } from "./collection.ts";
import type { CollectionCore } from "./core.ts";
import type { RecordCursor } from "./cursor.ts";
import type { MemberHash } from "./member_hash.ts";
import { encodedPartBytes, RecordKind } from "./records.ts";

const EMPTY = new Uint8Array(0);

// As constants of this module they are part of the code; V8 fetches those of others at each use.
const { OK } = WriteStatus;
const { PUT } = ElementEffect;
const { MEMBERS, SCORES } = RecordKind;

/**
 * Operations on sorted sets that were opened. To read by rank, score or (at one score) by bytes:
 * `cursor.seekRank(rank)`, `cursor.seekAtLeast(score, EMPTY, 0, 0)` (first with at least that score),
 * `cursor.seekBehind(score)` (first with a greater one), `cursor.seekAtLeast(score, bytes, start,
 * end)`; then `next`, `previous`, `element()`, `score()`, `rank()`.
 *
 * Thread: one instance per thread; what changes needs the shard's exclusive lock.
 */
export class SortedSets {
  /** Score of the member that {@link SortedSets.find} found, or that was replaced or removed. */
  score = 0;
  readonly #collections: CollectionCore;
  readonly #hasher: MemberHash;
  /** Hash of the member that was looked for last in a large one. */
  #hash = 0;

  /** Operations on the sorted sets of a store. */
  constructor(collections: CollectionCore) {
    this.#collections = collections;
    this.#hasher = collections.hasher;
  }

  /** Looks for a member; when it exists, its score is {@link SortedSets.score}. */
  find(c: Collection, bytes: Uint8Array, start: number, end: number): boolean {
    if (!c.exists) return false;
    if (c.root === 0) {
      if (!c.cursor.findMemberInRun(bytes, start, end)) return false;
      this.score = c.cursor.score();
      return true;
    }
    const hasher = this.#hasher;
    this.#hash = hasher.bitsOf(bytes, start, end);
    if (!c.members.seekHash(this.#hash, hasher.words, bytes, start, end)) return false;
    this.score = c.members.score();
    return true;
  }

  /** Puts the cursor on a member in the order of scores; returns its rank, -1 = no such member. */
  rankOf(c: Collection, bytes: Uint8Array, start: number, end: number): number {
    if (!this.find(c, bytes, start, end)) return -1;
    if (c.root !== 0) c.cursor.seekOrder(this.score, bytes, start, end);
    return c.cursor.rank();
  }

  /**
   * Promises the memory that up to `members` puts need, of members that are `source[first]`,
   * `source[first + stride]` and so on; then {@link SortedSets.put} cannot fail until
   * {@link CollectionCore.finish}. So conditions (`NX`, `GT`, `INCR`) are decided between
   * {@link SortedSets.find} and put, member by member, all or nothing.
   *
   * @returns OK or OUT_OF_MEMORY
   */
  begin(
    c: Collection,
    members: number,
    source: ElementSource,
    first = 0,
    stride = 1,
  ): WriteStatus {
    c.changed = 0;
    const coming = this.#collections.startComing(c);
    for (let i = 0, at = first; i < members; i++, at += stride) {
      coming.add(source.ends[at]! - source.starts[at]!);
    }
    return this.#collections.begin(c, 0);
  }

  /** As {@link SortedSets.begin}, for one put of a member of `byteCount` bytes. */
  beginOne(c: Collection, byteCount: number): WriteStatus {
    c.changed = 0;
    this.#collections.startComing(c).add(byteCount);
    return this.#collections.begin(c, 0);
  }

  /** As {@link SortedSets.begin}, for up to `members` calls of {@link SortedSets.take}. */
  beginRemoval(c: Collection, members: number): WriteStatus {
    c.changed = 0;
    this.#collections.startComing(c);
    return this.#collections.begin(c, members);
  }

  /** Ends what {@link SortedSets.begin} began. */
  finish(c: Collection): void {
    this.#collections.finish(c);
  }

  /** Whether a member of `byteCount` bytes is too long: to be asked before beginning. */
  isTooLong(byteCount: number): boolean {
    return byteCount > this.#collections.maxElementBytes;
  }

  /**
   * Gives a member a score, between {@link SortedSets.begin} and {@link SortedSets.finish}.
   *
   * @param score not NaN
   * @returns whether the member is new; else its old score is {@link SortedSets.score}
   */
  put(c: Collection, bytes: Uint8Array, start: number, end: number, score: number): boolean {
    const exists = this.find(c, bytes, start, end);
    this.putFound(c, exists, bytes, start, end, score);
    return !exists;
  }

  /**
   * As {@link SortedSets.put}, of a member that {@link SortedSets.find} has looked for since the last
   * change.
   *
   * @param exists what it said
   */
  putFound(
    c: Collection,
    exists: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    score: number,
  ): void {
    if (exists && Object.is(this.score, score)) return;
    const collections = this.#collections;
    const isTree = c.root !== 0;
    if (exists) {
      // Among the members of a large one it stays where it is.
      if (isTree) collections.trees.setScore(c.root, 1, c.members, score);
      this.#takeScore(c, bytes, start, end);
    } else if (isTree) {
      this.#addMember(c, this.#hash, bytes, start, end, score);
    }
    collections.makeRoom(c, 8 + encodedPartBytes(end - start), end - start);
    c.cursor.seekOrder(score, bytes, start, end);
    collections.record.begin(SCORES, score);
    collections.addPart(c, bytes, start, end);
    collections.splice(c, 0, collections.record);
    if (c.root !== 0 && !isTree) {
      const hash = this.#hasher.bitsOf(bytes, start, end);
      c.members.seekHash(hash, this.#hasher.words, bytes, start, end);
      this.#addMember(c, hash, bytes, start, end, score);
    }
    if (!exists) c.changed++;
    if (collections.hasHook) {
      collections.tell(c, PUT, bytes, start, end, 0, score);
    }
  }

  /**
   * Gives one member a score, and that is all of the change: nothing is begun or finished around it.
   * {@link SortedSets.find} has looked for the member.
   *
   * Most often the new record goes into free bytes of its leaf, and then nothing is promised: what
   * comes takes no memory, and neither does what goes, since nobody reads the set. It comes **before**
   * the old one goes, because leaves may join where something went, and the place would be another.
   *
   * @param exists what find said; then the score is not the one that the member has
   * @returns OK or OUT_OF_MEMORY
   */
  putOne(
    c: Collection,
    exists: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    score: number,
  ): WriteStatus {
    const collections = this.#collections;
    if (!this.#fits(c, exists, bytes, start, end, score)) {
      const status = this.beginOne(c, end - start);
      if (status !== OK) return status;
      this.putFound(c, exists, bytes, start, end, score);
      collections.finish(c);
      return OK;
    }
    collections.beginFitting(c);
    collections.record.begin(SCORES, score);
    collections.addPart(c, bytes, start, end);
    if (exists && c.root !== 0) {
      this.#moveScore(c, bytes, start, end, score);
      c.changed = 0;
      if (collections.hasHook) collections.tell(c, PUT, bytes, start, end, 0, score);
      collections.finish(c);
      return OK;
    }
    collections.splice(c, 0, collections.record);
    if (exists) {
      this.#takeScore(c, bytes, start, end);
    } else if (c.root !== 0) {
      this.#addMember(c, this.#hash, bytes, start, end, score);
    }
    c.changed = exists ? 0 : 1;
    if (collections.hasHook) {
      collections.tell(c, PUT, bytes, start, end, 0, score);
    }
    collections.finish(c);
    return OK;
  }

  /**
   * Whether {@link SortedSets.putOne} of a member needs no memory.
   *
   * @param score not the one that it has
   * @param exists what {@link SortedSets.find} said
   */
  fitsOne(
    c: Collection,
    exists: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    score: number,
  ): boolean {
    return this.#fits(c, exists, bytes, start, end, score);
  }

  /** Whether the records of a member with a score fit where they belong; the cursor is there then. */
  #fits(
    c: Collection,
    exists: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    score: number,
  ): boolean {
    if (!c.exists) return false;
    const collections = this.#collections;
    const partBytes = encodedPartBytes(end - start);
    this.#seekScore(c, score, bytes, start, end);
    if (!collections.fits(c, 0, 8 + partBytes, end - start)) return false;
    return exists || c.root === 0 || collections.trees.takes(c.members, 0, 4 + partBytes + 8);
  }

  /** Removes a member; `c.changed` is 1 and {@link SortedSets.score} its score when it existed. */
  remove(c: Collection, bytes: Uint8Array, start: number, end: number): WriteStatus {
    const status = this.beginRemoval(c, 1);
    if (status !== OK) return status;
    this.take(c, bytes, start, end);
    this.#collections.finish(c);
    return OK;
  }

  /** Removes a member between begin and finish; returns whether it existed. */
  take(c: Collection, bytes: Uint8Array, start: number, end: number): boolean {
    if (c.count === 0 || !this.find(c, bytes, start, end)) return false;
    this.#takeOut(c, bytes, start, end);
    c.changed++;
    if (this.#collections.hasHook) {
      this.#collections.tell(c, ElementEffect.REMOVED, bytes, start, end, 0);
    }
    return true;
  }

  /**
   * Removes the `count` members from rank `rank` on, which exist. Takes time per member: callers with
   * many do it in slices.
   *
   * @returns OK or OUT_OF_MEMORY
   */
  removeRanks(c: Collection, rank: number, count: number): WriteStatus {
    if (count === 0) return OK;
    const status = this.beginRemoval(c, count);
    if (status !== OK) return status;
    const collections = this.#collections;
    if (c.root !== 0 && count < c.count) {
      c.cursor.seekRank(rank);
      for (let i = 0; i < count; i++) {
        const element = c.cursor.element();
        const { bytes, start, end } = element.longRoot === 0
          ? element
          : { bytes: element.toBytes(), start: 0, end: element.byteCount };
        c.members.seekOrder(collections.hashOf(bytes, start, end), bytes, start, end);
        collections.spliceMembers(c, 1, undefined);
        c.cursor.next();
      }
    }
    collections.removeRanks(c, rank, rank + count);
    c.changed = count;
    if (collections.hasHook) collections.tellRange(c, rank, count);
    collections.finish(c);
    return OK;
  }

  /** Scans as hashes do (see `Hashes.scanFrom`); the cursor has `element()` and `score()`. */
  scanFrom(c: Collection, position: number): RecordCursor {
    if (c.root === 0) {
      c.cursor.seekFirst();
      return c.cursor;
    }
    c.members.seekAtLeast(position, EMPTY, 0, 0);
    return c.members;
  }

  /** Puts the cursor where a score of the member belongs that was hashed last. */
  #seekScore(c: Collection, score: number, bytes: Uint8Array, start: number, end: number): void {
    if (c.cursor.top === 0) c.cursor.seekOrder(score, bytes, start, end);
    else c.cursor.seekScore(score, this.#hasher.words, bytes, start, end);
  }

  /** Takes a member that was just found out of the records. */
  #takeOut(c: Collection, bytes: Uint8Array, start: number, end: number): void {
    const collections = this.#collections;
    if (c.root === 0) {
      collections.splice(c, 1, undefined);
    } else {
      collections.spliceMembers(c, 1, undefined);
      this.#takeScore(c, bytes, start, end);
    }
  }

  /** Puts the record in, where the cursor is, and takes the one with the old score out: of a tree. */
  #moveScore(c: Collection, bytes: Uint8Array, start: number, end: number, score: number): void {
    const collections = this.#collections;
    const { record, trees } = collections;
    const { cursor, root } = c;
    trees.splice(root, 0, cursor, 0, record);
    trees.setScore(root, 1, c.members, score);
    // It went into free bytes of a leaf: the nodes are the same.
    cursor.seekScore(this.score, this.#hasher.words, bytes, start, end);
    trees.splice(root, 0, cursor, 1, undefined);
    collections.rewindScores(c);
  }

  /** Takes a member that was just found out of the scores. */
  #takeScore(c: Collection, bytes: Uint8Array, start: number, end: number): void {
    this.#seekScore(c, this.score, bytes, start, end);
    this.#collections.splice(c, 1, undefined);
  }

  /** Adds a member to those of a large sorted set, where `c.members` is. */
  #addMember(
    c: Collection,
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    score: number,
  ): void {
    const collections = this.#collections;
    collections.record.begin(MEMBERS, hash >>> 0);
    collections.addPart(c, bytes, start, end);
    collections.record.score(score);
    collections.spliceMembers(c, 0, collections.record);
  }
}
