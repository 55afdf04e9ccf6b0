/**
 * Cursors: where one is in a run or in a tree of records.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { Extents } from "../extents.ts";
import { ElementView } from "./element.ts";
import { childAt, childCount, LEAF_RECORDS, Node } from "./node.ts";
import { RecordPlace } from "./record_place.ts";
import {
  MEDIUM_PART,
  orderBytes,
  readUint32,
  recordEnd,
  RecordKind,
  RUN_HEADER_BYTES,
  skipPart,
} from "./records.ts";
import { childOfScore, guess, HASH_END, recordOfScore } from "./search.ts";

const EMPTY = new Uint8Array(0);
// As constants of this module they are part of the code; V8 fetches those of others at each use.
const { HEAD } = Node;
const MEDIUM = MEDIUM_PART;
const childOf = childOfScore;
const recordOf = recordOfScore;
const guessed = guess;
/** Records of the same score beyond so many are not gone through one by one. */
const FEW = 4;

/**
 * A place in a sequence of records: on a record, or behind the last one of a leaf.
 *
 * It reads shared memory where it is and copies nothing. A write makes it invalid; seek again.
 *
 * Thread: belongs to one thread; needs the shard's lock, shared is enough, or a lease.
 */
export class RecordCursor extends RecordPlace {
  readonly #element: ElementView;
  readonly #value: ElementView;
  /** Starts of the records of the leaf, for going backwards; made on demand. */
  readonly #starts = new Int32Array(LEAF_RECORDS + 1);

  /** Reads the collections of one store. */
  constructor(arena: Arena, extents: Extents) {
    super(arena, extents);
    this.#element = new ElementView(extents);
    this.#value = new ElementView(extents);
  }

  /** The first part of the current record: element, field or member. */
  element(): ElementView {
    return this.#element.set(this.bytes, this.at + orderBytes(this.kind));
  }

  /** The value of the current record of a hash. */
  value(): ElementView {
    return this.#value.set(this.bytes, skipPart(this.bytes, this.at + orderBytes(this.kind)));
  }

  /** The score of the current record of a sorted set, by either of its trees. */
  score(): number {
    return this.readDouble(
      this.bytes,
      this.kind === RecordKind.SCORES ? this.at : this.end - 8,
      this.leaf,
    );
  }

  /** Starts to read a packed run whose header is at `bytes[header]`; stands on its first record. */
  openRun(kind: number, bytes: Uint8Array, header: number): void {
    this.kind = kind;
    this.top = 0;
    this.topLevel = 0;
    this.leaf = 0;
    this.stride = 0;
    this.startsLeaf = -1;
    this.bytes = bytes;
    this.first = header + RUN_HEADER_BYTES;
    this.limit = this.first + (bytes[header]! | (bytes[header + 1]! << 8));
    this.count = bytes[header + 2]! | (bytes[header + 3]! << 8);
    this.stand(this.first, 0);
  }

  /** Starts to read a tree; stands nowhere until it seeks. */
  openTree(kind: number, top: number): void {
    this.kind = kind;
    this.top = top;
    this.topLevel = top === 0 ? 0 : this.arena.read(top, Node.HEAD) & 0xff;
    this.leaf = 0;
    this.stride = 0;
    this.startsLeaf = -1;
    this.at = this.limit = this.first = 0;
    this.index = this.count = 0;
  }

  /** Goes to the first record; returns whether there is one. */
  seekFirst(): boolean {
    if (this.top !== 0) this.#descendFirst(this.top, this.topLevel);
    this.stand(this.first, 0);
    return this.isValid;
  }

  /** Goes to the last record; returns whether there is one. */
  seekLast(): boolean {
    this.seekEnd();
    return this.previous();
  }

  /** Goes behind the last record, where an append goes. */
  seekEnd(): void {
    if (this.top !== 0) this.#descendLast(this.top, this.topLevel);
    this.enterEnd();
  }

  /**
   * Goes to the record with `rank` records before it; to the end when there are no more.
   *
   * @returns whether there is such a record
   */
  seekRank(rank: number): boolean {
    let left = rank;
    if (this.top !== 0) {
      let node = this.top;
      for (let level = this.topLevel; level > 0; level--) {
        const words = this.arena.wordsOf(node);
        let at = this.arena.wordAt(node);
        const last = (words[at + Node.HEAD]! >>> 16) - 1;
        at += 5;
        let child = 0;
        while (child < last && left >= words[at]!) {
          left -= words[at]!;
          child++;
          at += 4;
        }
        this.nodes[level] = node;
        this.indexes[level] = child;
        node = words[at - 1]! >>> 0;
      }
      this.enter(node);
    }
    this.stand(this.first, 0);
    if (left >= this.count) {
      this.enterEnd();
      return false;
    }
    const { bytes, kind } = this;
    let { at } = this;
    if (this.stride > 0) at += left * this.stride;
    else for (let i = 0; i < left; i++) at = recordEnd(kind, bytes, at);
    this.stand(at, left);
    return true;
  }

  /** How many records are before the current one. */
  rank(): number {
    let sum = this.index;
    for (let level = 1; level <= this.topLevel; level++) {
      const node = this.nodes[level]!;
      for (let i = 0; i < this.indexes[level]!; i++) sum += childCount(this.arena, node, i);
    }
    return sum;
  }

  /**
   * Goes to the first record that is not before (order, bytes[start, end)), in the leaf where such a
   * record belongs: possibly behind the leaf's last (see {@link RecordCursor.settle}).
   *
   * @param start -1: behind every record of this order
   * @returns whether that record has exactly this order and these bytes
   */
  seekOrder(order: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.top !== 0) {
      if (this.kind !== RecordKind.SCORES) return this.#seekAnyHash(order, bytes, start, end);
      return this.seekScore(order, undefined, bytes, start, end);
    }
    this.stand(this.first, 0);
    return this.searchLeaf(order, bytes, start, end);
  }

  /** As {@link RecordPlace.seekHash}, of what a client says where a scan goes on. */
  #seekAnyHash(order: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (order >= 0 && order < HASH_END) return this.seekHash(order, undefined, bytes, start, end);
    if (order < 0) this.seekFirst();
    else this.seekEnd();
    return false;
  }

  /** As {@link RecordCursor.seekOrder}, and goes on to the next leaf's record when behind a leaf. */
  seekAtLeast(order: number, bytes: Uint8Array, start: number, end: number): boolean {
    const found = this.seekOrder(order, bytes, start, end);
    this.settle();
    return found;
  }

  /** Goes to the first record whose order is greater; returns whether there is one. */
  seekBehind(order: number): boolean {
    this.seekOrder(order, EMPTY, -1, -1);
    return this.settle();
  }

  /** When behind the last record of a leaf: goes to the first one of the next. */
  settle(): boolean {
    if (this.at >= this.limit) this.#nextLeaf();
    return this.isValid;
  }

  /**
   * Finds the record of (order, bytes) in a packed run that is not ordered so: of a hash or set.
   * At the end, where an insertion goes, when there is none.
   */
  findInRun(order: number, bytes: Uint8Array, start: number, end: number): boolean {
    const skip = orderBytes(this.kind);
    this.stand(this.first, 0);
    let { at, index } = this;
    while (at < this.limit) {
      const next = recordEnd(this.kind, this.bytes, at);
      if (
        readUint32(this.bytes, at) === order &&
        this.probe.set(this.bytes, at + skip).equals(bytes, start, end)
      ) {
        this.stand(at, index);
        return true;
      }
      at = next;
      index++;
    }
    this.enterEnd();
    return false;
  }

  /** Finds a member in the packed run of a sorted set; at the end when there is none. */
  findMemberInRun(bytes: Uint8Array, start: number, end: number): boolean {
    this.stand(this.first, 0);
    while (this.at < this.limit) {
      if (this.probe.set(this.bytes, this.at + 8).equals(bytes, start, end)) return true;
      this.stand(this.end, this.index + 1);
    }
    return false;
  }

  /** Goes to the next record; returns whether there is one. */
  next(): boolean {
    if (this.at >= this.limit) return false;
    this.stand(this.end, this.index + 1);
    return this.at < this.limit || this.settle();
  }

  /** Goes to the previous record; returns whether there is one (else it stays where it is). */
  previous(): boolean {
    if (this.index === 0) {
      if (!this.#previousLeaf()) return false;
      this.enterEnd();
    }
    if (this.startsLeaf !== this.first) this.#findStarts();
    this.stand(this.#starts[this.index - 1]!, this.index - 1);
    return true;
  }

  #descendFirst(from: number, fromLevel: number): void {
    let node = from;
    for (let level = fromLevel; level > 0; level--) {
      this.nodes[level] = node;
      this.indexes[level] = 0;
      node = this.arena.wordsOf(node)[this.arena.wordAt(node) + 4]! >>> 0;
    }
    this.enter(node);
  }

  #descendLast(from: number, fromLevel: number): void {
    let node = from;
    for (let level = fromLevel; level > 0; level--) {
      const last = (this.arena.read(node, Node.HEAD) >>> 16) - 1;
      this.nodes[level] = node;
      this.indexes[level] = last;
      node = childAt(this.arena, node, last);
    }
    this.enter(node);
  }

  #nextLeaf(): void {
    for (let level = 1; level <= this.topLevel; level++) {
      const node = this.nodes[level]!;
      const child = this.indexes[level]! + 1;
      if (child < this.arena.read(node, Node.HEAD) >>> 16) {
        this.indexes[level] = child;
        this.#descendFirst(childAt(this.arena, node, child), level - 1);
        this.stand(this.first, 0);
        return;
      }
    }
  }

  #previousLeaf(): boolean {
    for (let level = 1; level <= this.topLevel; level++) {
      const child = this.indexes[level]! - 1;
      if (child >= 0) {
        this.indexes[level] = child;
        this.#descendLast(childAt(this.arena, this.nodes[level]!, child), level - 1);
        return true;
      }
    }
    return false;
  }

  #findStarts(): void {
    let at = this.first;
    for (let i = 0; i < this.count; i++) {
      this.#starts[i] = at;
      at = recordEnd(this.kind, this.bytes, at);
    }
    this.startsLeaf = this.first;
  }

  /**
   * Goes to the first record that is not before (score, bytes[start, end)), as
   * {@link RecordCursor.seekOrder}, in a tree that is not empty and ordered by scores.
   *
   * @param compared the bytes as `MemberHash.words` has them, to compare them by
   */
  seekScore(
    score: number,
    compared: Int32Array | undefined,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const { arena } = this;
    let node = this.top;
    let low = -Infinity;
    let high = Infinity;
    for (let level = this.topLevel; level > 0; level--) {
      const words = arena.wordsOf(node);
      const orders = arena.doublesOf(node);
      const at = arena.wordAt(node);
      const firstOrder = (at >> 1) + 3;
      const last = (words[at + HEAD]! >>> 16) - 1;
      let child = childOf(orders, firstOrder, last, score);
      // Of first records with this score the bytes decide.
      if (child < last && orders[firstOrder + child * 2 + 2]! === score) {
        child = this.#childOfScore(node, level, score, bytes, start, end);
      }
      if (child > 0) low = orders[firstOrder + child * 2]!;
      if (child < last) high = orders[firstOrder + child * 2 + 2]!;
      this.nodes[level] = node;
      this.indexes[level] = child;
      node = words[at + 4 + child * 4]! >>> 0;
    }
    this.enter(node);
    const { bytes: own, count, first, stride } = this;
    if (stride === 0) {
      this.at = first;
      return this.searchLeaf(score, bytes, start, end);
    }
    const view = arena.viewOf(node);
    const from = guessed(score, low, high, count);
    const index = recordOf(view, first, stride, count, score, from);
    const at = this.at = first + index * stride;
    this.index = index;
    this.end = index < count ? at + stride : at;
    if (index === count || view.getFloat64(at, true) !== score) return false;
    if (compared === undefined || end - start >= MEDIUM) {
      return this.#searchSame(index, score, bytes, start, end);
    }
    // Several of one score: most often two or three, which are gone through.
    while (own[this.at + 8]! < MEDIUM && this.index - index < FEW) {
      const comparison = this.compareWords(view, own, this.at + 8, compared, bytes, start, end);
      if (comparison >= 0) return comparison === 0;
      this.at = this.end;
      if (++this.index === count) return false;
      this.end += stride;
      if (view.getFloat64(this.at, true) !== score) return false;
    }
    return this.#searchSame(this.index, score, bytes, start, end);
  }

  /** The last child whose first record is not behind the place; by halving. */
  #childOfScore(
    node: number,
    level: number,
    order: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const words = this.arena.wordsOf(node);
    const at = this.arena.wordAt(node);
    const orders = this.arena.doublesOf(node);
    const firstOrder = (at >> 1) + 3;
    const last = (words[at + Node.HEAD]! >>> 16) - 1;
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const separator = orders[firstOrder + middle * 2]!;
      const isBefore = separator < order ||
        (separator === order &&
          this.firstIsBefore(
            childAt(this.arena, node, middle),
            level - 1,
            order,
            bytes,
            start,
            end,
          ));
      if (isBefore) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Goes to where the bytes belong among the records of an even leaf, from the first of a score on. */
  #searchSame(
    from: number,
    score: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const { bytes: own, count, first, leaf, stride } = this;
    let low = from;
    let high = count;
    let found = -1;
    // The first one is the one most often.
    for (let index = low; low < high; index = (low + high) >>> 1) {
      const comparison = this.compare(own, first + index * stride, leaf, score, bytes, start, end);
      if (comparison < 0) {
        low = index + 1;
      } else {
        high = index;
        if (comparison === 0) found = index;
      }
    }
    this.index = low;
    this.at = first + low * stride;
    this.end = low < count ? this.at + stride : this.at;
    return found === low;
  }
}
