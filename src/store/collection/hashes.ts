/**
 * Hashes and sets: what their commands are made of.
 *
 * @module
 */

import { EntryType } from "../entry.ts";
import { WriteStatus } from "../entry_writer.ts";
import { ElementEffect } from "../mutation_hook.ts";
import type { Collection, ElementSource } from "./collection.ts";
import type { CollectionCore } from "./core.ts";
import type { RecordCursor } from "./cursor.ts";
import type { MemberHash } from "./member_hash.ts";
import type { MembersAhead } from "./members_ahead.ts";
import {
  copyBytes,
  encodedPartBytes,
  isLongPart,
  MEDIUM_PART,
  orderBytes,
  partLength,
  partStart,
  RecordKind,
  skipPart,
} from "./records.ts";

const EMPTY = new Uint8Array(0);

// As constants of this module they are part of the code; V8 fetches those of others at each use.
const { OK, VALUE_TOO_LARGE } = WriteStatus;
const { SET } = EntryType;
const MEDIUM = MEDIUM_PART;

/** Ranges of ranks. */
export interface Ranges {
  /** How many there are. */
  readonly rangeCount: number;
  /** First rank of a range. */
  startOf(range: number): number;
  /** Ranks in a range. */
  countOf(range: number): number;
}

/**
 * Operations on hashes and sets that were opened. To read: {@link Hashes.find}, then
 * `cursor.element()` and `cursor.value()`; `cursor.seekFirst`, `next` for all;
 * `cursor.seekRank(random)` for a random one.
 *
 * Thread: one instance per thread; what changes needs the shard's exclusive lock.
 */
export class Hashes {
  readonly #collections: CollectionCore;
  readonly #hasher: MemberHash;
  readonly #ahead: MembersAhead;

  /** Operations on the hashes and sets of a store. */
  constructor(collections: CollectionCore) {
    this.#collections = collections;
    this.#hasher = collections.hasher;
    this.#ahead = collections.membersAhead;
  }

  /** Puts the cursor on the field or member `bytes[start, end)`; returns whether it exists. */
  find(c: Collection, bytes: Uint8Array, start: number, end: number): boolean {
    if (!c.exists) return false;
    return this.#seek(c, this.#hasher.bitsOf(bytes, start, end), bytes, start, end);
  }

  /**
   * Sets fields, all or none: `fields[first]`, `values = fields[first + 1]`, next field at
   * `first + 2` and so on. `c.changed` is how many are new.
   *
   * @returns OK, OUT_OF_MEMORY, VALUE_TOO_LARGE
   */
  putFields(c: Collection, source: ElementSource, first: number, pairs: number): WriteStatus {
    const { bytes, starts, ends } = source;
    if (pairs === 1) {
      const at = first + 1;
      return this.#putOne(c, bytes, starts[first]!, ends[first]!, bytes, starts[at]!, ends[at]!);
    }
    const coming = this.#collections.startComing(c);
    for (let i = first; i < first + 2 * pairs; i += 2) {
      const fieldBytes = ends[i]! - starts[i]!;
      const valueBytes = ends[i + 1]! - starts[i + 1]!;
      const longest = Math.max(fieldBytes, valueBytes);
      if (longest > this.#collections.maxElementBytes) return VALUE_TOO_LARGE;
      coming.add(fieldBytes, valueBytes);
    }
    c.changed = 0;
    const status = this.#collections.begin(c, 0);
    if (status !== OK) return status;
    for (let i = first; i < first + 2 * pairs; i += 2) {
      this.putBegun(c, bytes, starts[i]!, ends[i]!, bytes, starts[i + 1]!, ends[i + 1]!);
    }
    this.#collections.finish(c);
    return OK;
  }

  /** Sets one field; `c.changed` is 1 when it is new. The value may lie in another buffer. */
  putField(
    c: Collection,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): WriteStatus {
    return this.#putOne(c, bytes, start, end, valueBytes, valueStart, valueEnd);
  }

  /** Adds members to a set, all or none; `c.changed` is how many are new. */
  addMembers(c: Collection, source: ElementSource, first: number, count: number): WriteStatus {
    if (count === 1) {
      return this.#putOne(c, source.bytes, source.starts[first]!, source.ends[first]!, EMPTY, 0, 0);
    }
    const coming = this.#collections.startComing(c);
    for (let i = first; i < first + count; i++) {
      const length = source.ends[i]! - source.starts[i]!;
      if (length > this.#collections.maxElementBytes) return VALUE_TOO_LARGE;
      coming.add(length);
    }
    c.changed = 0;
    const status = this.#collections.begin(c, 0);
    if (status !== OK) return status;
    for (let i = first; i < first + count; i++) {
      this.putBegun(c, source.bytes, source.starts[i]!, source.ends[i]!, EMPTY, 0, 0);
    }
    this.#collections.finish(c);
    return OK;
  }

  /** Adds one member to a set; `c.changed` is 1 when it is new. */
  addMember(c: Collection, bytes: Uint8Array, start: number, end: number): WriteStatus {
    return this.#putOne(c, bytes, start, end, EMPTY, 0, 0);
  }

  /**
   * Removes fields or members, all that exist or none; `c.changed` is how many existed. Only a
   * collection that has readers needs memory for that.
   *
   * @returns OK or OUT_OF_MEMORY
   */
  remove(c: Collection, source: ElementSource, first: number, count: number): WriteStatus {
    c.changed = 0;
    if (!c.exists) return OK;
    const status = this.#beginRemoval(c, count);
    if (status !== OK) return status;
    for (let i = first; i < first + count && c.count > 0; i++) {
      this.#remove(c, source.bytes, source.starts[i]!, source.ends[i]!);
    }
    this.#collections.finish(c);
    return OK;
  }

  /** Removes one field or member; `c.changed` is 1 when it existed. */
  removeOne(c: Collection, bytes: Uint8Array, start: number, end: number): WriteStatus {
    c.changed = 0;
    if (!c.exists) return OK;
    const status = this.#beginRemoval(c, 1);
    if (status !== OK) return status;
    this.#remove(c, bytes, start, end);
    this.#collections.finish(c);
    return OK;
  }

  /** Whether {@link Hashes.putField} or {@link Hashes.addMember} needs no memory. */
  fitsOne(
    c: Collection,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueBytes: number,
  ): boolean {
    const exists = this.find(c, bytes, start, end);
    const isSet = c.type === SET;
    if (exists && isSet) return true;
    const recordBytes = 4 + encodedPartBytes(end - start) +
      (isSet ? 0 : encodedPartBytes(valueBytes));
    const longest = Math.max(end - start, valueBytes);
    return this.#collections.fits(c, exists ? 1 : 0, recordBytes, longest);
  }

  /** Removes a field or member between `CollectionCore.begin` and `finish`, if it exists. */
  removeBegun(c: Collection, bytes: Uint8Array, start: number, end: number): void {
    if (c.count > 0) this.#remove(c, bytes, start, end);
  }

  /**
   * Removes the field or member at a rank, which exists (`SPOP`: read it through the cursor first).
   */
  removeRank(c: Collection, rank: number): WriteStatus {
    const status = this.#beginRemoval(c, 1);
    if (status !== OK) return status;
    c.cursor.seekRank(rank);
    this.#tellRemoved(c);
    this.#collections.splice(c, 1, undefined);
    c.changed = 1;
    this.#collections.finish(c);
    return OK;
  }

  /**
   * Removes the fields or members at ranks, all or none; `c.changed` is how many. It costs the same
   * however long the ranges are.
   *
   * @param ranges ascending, apart from each other
   * @returns OK or OUT_OF_MEMORY
   */
  removeRanges(c: Collection, ranges: Ranges): WriteStatus {
    const collections = this.#collections;
    const { rangeCount } = ranges;
    // However many go, at most two ways from the top to a leaf are changed for each range.
    const status = this.#beginRemoval(c, 2 * rangeCount);
    if (status !== OK) return status;
    const before = c.count;
    if (collections.hasHook) this.#tellRanges(c, ranges);
    for (let i = rangeCount - 1; i >= 0; i--) {
      const start = ranges.startOf(i);
      collections.removeRanks(c, start, start + ranges.countOf(i));
    }
    c.changed = before - c.count;
    collections.finish(c);
    return OK;
  }

  /**
   * Starts a scan at a position, 0 at first. Of a large collection the cursor is on the first element
   * whose hash is at least `position`; a packed one is given as a whole each time.
   *
   * The caller takes elements from the returned cursor with `next()` until it has enough **and**
   * {@link Hashes.mayPause} says so, then asks {@link Hashes.scanPosition}. What is present
   * throughout a scan is returned at least once.
   */
  scanFrom(c: Collection, position: number): RecordCursor {
    if (c.root === 0) c.cursor.seekFirst();
    else c.cursor.seekAtLeast(position, EMPTY, 0, 0);
    return c.cursor;
  }

  /** Whether a scan may stop before the cursor's element, the last taken one having had `order`. */
  mayPause(c: Collection, cursor: RecordCursor, order: number): boolean {
    return !cursor.isValid || (c.root !== 0 && cursor.order !== order);
  }

  /** Where to go on with a scan that stops before the cursor's element; 0 = it is complete. */
  scanPosition(cursor: RecordCursor): number {
    return cursor.isValid ? cursor.order : 0;
  }

  #beginRemoval(c: Collection, removals: number): WriteStatus {
    this.#collections.startComing(c);
    return this.#collections.begin(c, removals);
  }

  /** @param hash what the hasher said last, of these bytes */
  #seek(c: Collection, hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    return c.root === 0
      ? c.cursor.findInRun(hash >>> 0, bytes, start, end)
      : c.cursor.seekHash(hash, this.#hasher.words, bytes, start, end);
  }

  /**
   * Puts a field or member whose memory is promised, between `CollectionCore.begin`, which was told of
   * it, and `finish`; of a member there is no value.
   */
  putBegun(
    c: Collection,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const hash = this.#hasher.bitsOf(bytes, start, end);
    const exists = c.exists && this.#seek(c, hash, bytes, start, end);
    if (exists && c.type === SET) return;
    this.#commit(c, hash, exists, false, bytes, start, end, valueBytes, valueStart, valueEnd);
  }

  /** A single put, which needs no promise when its record fits where it belongs. */
  #putOne(
    c: Collection,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): WriteStatus {
    const collections = this.#collections;
    const longest = Math.max(end - start, valueEnd - valueStart);
    if (longest > collections.maxElementBytes) return VALUE_TOO_LARGE;
    const ahead = this.#ahead;
    if (ahead.isEmpty) {
      if (!ahead.isWanted) ahead.missed(c);
    } else if (this.#putKnown(c, bytes, start, end, valueBytes, valueStart, valueEnd)) {
      return OK;
    }
    const hash = this.#hasher.bitsOf(bytes, start, end);
    const exists = c.exists && this.#seek(c, hash, bytes, start, end);
    const isSet = c.type === SET;
    c.changed = 0;
    if (exists) {
      if (isSet) return OK;
      if (collections.mayOverwrite(c) && this.#overwrite(c, valueBytes, valueStart, valueEnd)) {
        c.seq = 0;
        collections.tellField(c, bytes, start, end, valueBytes, valueStart, valueEnd);
        collections.stamp(c);
        return OK;
      }
    }
    const recordBytes = 4 + encodedPartBytes(end - start) +
      (isSet ? 0 : encodedPartBytes(valueEnd - valueStart));
    const fits = collections.fits(c, exists ? 1 : 0, recordBytes, longest);
    if (fits) {
      collections.beginFitting(c);
    } else {
      collections.startComing(c).add(end - start, isSet ? -1 : valueEnd - valueStart);
      const status = collections.begin(c, 0);
      if (status !== OK) return status;
    }
    this.#commit(c, hash, exists, fits, bytes, start, end, valueBytes, valueStart, valueEnd);
    collections.finish(c);
    return OK;
  }

  /**
   * Puts a field or member where it is known to be, if it is there and nothing but its value changes.
   *
   * @returns whether that was all
   */
  #putKnown(
    c: Collection,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const ahead = this.#ahead;
    const collections = this.#collections;
    const index = ahead.take(c, bytes, start, end);
    if (index < 0) return false;
    const leaf = ahead.leafAt(index);
    const fraction = ahead.fractionAt(index);
    const hash = ahead.hashAt(index);
    const words = ahead.wordsAt(index);
    if (!c.cursor.findInLeaf(leaf, fraction, hash, words, bytes, start, end)) {
      ahead.failed();
      return false;
    }
    ahead.succeeded();
    c.changed = 0;
    if (c.type === SET) return true;
    if (!collections.mayOverwrite(c)) return false;
    if (!this.#overwrite(c, valueBytes, valueStart, valueEnd)) return false;
    c.seq = 0;
    collections.tellField(c, bytes, start, end, valueBytes, valueStart, valueEnd);
    collections.stamp(c);
    return true;
  }

  /** Writes a value over the one at the cursor, which nobody reads, when it is as long. */
  #overwrite(c: Collection, bytes: Uint8Array, start: number, end: number): boolean {
    const { cursor } = c;
    const target = cursor.bytes;
    const at = skipPart(target, cursor.at + 4);
    const byteCount = end - start;
    if (byteCount < MEDIUM) {
      if (target[at] !== byteCount) return false;
      copyBytes(bytes, start, end, target, at + 1);
      return true;
    }
    if (byteCount !== partLength(target, at) || isLongPart(target, at)) return false;
    copyBytes(bytes, start, end, target, partStart(target, at));
    return true;
  }

  #commit(
    c: Collection,
    hash: number,
    wasFound: boolean,
    fits: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const collections = this.#collections;
    const isHash = c.type === EntryType.HASH;
    const kind = isHash ? RecordKind.HASH : RecordKind.SET;
    if (!fits) {
      let recordBytes = orderBytes(kind) + encodedPartBytes(end - start);
      if (isHash) recordBytes += encodedPartBytes(valueEnd - valueStart);
      const { root, entry } = c;
      collections.makeRoom(c, recordBytes, Math.max(end - start, valueEnd - valueStart));
      if (root !== c.root || entry !== c.entry) {
        // Of a new tree all members were hashed, this one not as the last.
        this.#seek(c, this.#hasher.bitsOf(bytes, start, end), bytes, start, end);
      }
    }
    collections.record.begin(kind, hash >>> 0);
    collections.addPart(c, bytes, start, end);
    if (isHash) collections.addPart(c, valueBytes, valueStart, valueEnd);
    collections.splice(c, wasFound ? 1 : 0, collections.record);
    if (!wasFound) c.changed++;
    if (!collections.hasHook) return;
    if (isHash) collections.tellField(c, bytes, start, end, valueBytes, valueStart, valueEnd);
    else collections.tell(c, ElementEffect.PUT, bytes, start, end, 0);
  }

  #remove(c: Collection, bytes: Uint8Array, start: number, end: number): void {
    if (!this.find(c, bytes, start, end)) return;
    this.#collections.splice(c, 1, undefined);
    c.changed++;
    if (this.#collections.hasHook) {
      this.#collections.tell(c, ElementEffect.REMOVED, bytes, start, end, 0);
    }
  }

  #tellRanges(c: Collection, ranges: Ranges): void {
    for (let i = 0; i < ranges.rangeCount; i++) {
      c.cursor.seekRank(ranges.startOf(i));
      for (let left = ranges.countOf(i); left > 0; left--) {
        this.#tellRemoved(c);
        c.cursor.next();
      }
    }
  }

  #tellRemoved(c: Collection): void {
    if (!this.#collections.hasHook) return;
    const bytes = c.cursor.element().toBytes();
    this.#collections.tell(c, ElementEffect.REMOVED, bytes, 0, bytes.length, 0);
  }
}
