/**
 * Cursors: where one is in a run or in a tree of records.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { Extents } from "../extents.ts";
import { ElementView } from "./element.ts";
import {
  childAt,
  childCount,
  LEAF_HEADER_BYTES,
  LEAF_RECORDS,
  MAX_LEVELS,
  Node,
  NodeFlag,
} from "./node.ts";
import {
  orderBytes,
  readUint32,
  recordEnd,
  RecordKind,
  RUN_HEADER_BYTES,
  skipPart,
} from "./records.ts";
import { childOfHash, guess, HASH_END, recordOfHash, recordOfScore } from "./search.ts";

const EMPTY = new Uint8Array(0);

/**
 * A place in a sequence of records: on a record, or behind the last one of a leaf.
 *
 * It reads shared memory where it is and copies nothing. A write makes it invalid; seek again.
 *
 * Thread: belongs to one thread; needs the shard's lock, shared is enough, or a lease.
 */
export class RecordCursor {
  /** What the records look like. */
  kind: number = RecordKind.LIST;
  /** Buffer with the current record. */
  bytes: Uint8Array = EMPTY;
  /** First byte of the current record. */
  at = 0;
  /** Behind its last byte; meaningful while {@link RecordCursor.isValid}. */
  end = 0;
  /** Leaf it is in; 0 = a packed run, or an empty tree. */
  leaf = 0;
  /** Index of the record in its leaf or run. */
  index = 0;
  /** Records in the leaf or run. */
  count = 0;
  /** First byte of the leaf's or run's records. */
  first = 0;
  /** Behind their last byte. */
  limit = 0;
  /** Node at the top; 0 = a packed run, or an empty tree. */
  top = 0;
  /** Level of the top. */
  topLevel = 0;
  /** Interior nodes on the way down, by level; [0] is not used. */
  readonly nodes: number[] = new Array<number>(MAX_LEVELS).fill(0);
  /** Which child of each was taken. */
  readonly indexes: number[] = new Array<number>(MAX_LEVELS).fill(0);

  readonly #arena: Arena;
  readonly #element: ElementView;
  readonly #value: ElementView;
  readonly #probe: ElementView;
  readonly #double = new Float64Array(1);
  readonly #doubleBytes = new Uint8Array(this.#double.buffer);
  /** Starts of the records of the leaf, for going backwards; made on demand. */
  readonly #starts = new Int32Array(LEAF_RECORDS + 1);
  #startsLeaf = -1;
  /** Bytes of each record of the leaf, where all are as long; else 0. */
  #stride = 0;
  /** No order in the leaf that a search came to is smaller, and none is larger than the other. */
  #lowest = 0;
  #highest = HASH_END;

  /** Reads the collections of one store. */
  constructor(arena: Arena, extents: Extents) {
    this.#arena = arena;
    this.#element = new ElementView(extents);
    this.#value = new ElementView(extents);
    this.#probe = new ElementView(extents);
  }

  /** Whether there is a current record. */
  get isValid(): boolean {
    return this.at < this.limit;
  }

  /** Bytes of each record of its leaf, where it is known that all are as long; else 0. */
  get stride(): number {
    return this.#stride;
  }

  /** Order of the current record: hash or score; 0 in a list. */
  get order(): number {
    return this.#orderAt(this.bytes, this.at, this.leaf);
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
    return this.#readDouble(
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
    this.#stride = 0;
    this.#startsLeaf = -1;
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
    this.topLevel = top === 0 ? 0 : this.#arena.read(top, Node.HEAD) & 0xff;
    this.leaf = 0;
    this.#stride = 0;
    this.#startsLeaf = -1;
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
    this.#enterEnd();
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
        const words = this.#arena.wordsOf(node);
        let at = this.#arena.wordAt(node);
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
      this.#enter(node);
    }
    this.stand(this.first, 0);
    if (left >= this.count) {
      this.#enterEnd();
      return false;
    }
    const { bytes, kind } = this;
    let { at } = this;
    if (this.#stride > 0) at += left * this.#stride;
    else for (let i = 0; i < left; i++) at = recordEnd(kind, bytes, at);
    this.stand(at, left);
    return true;
  }

  /** How many records are before the current one. */
  rank(): number {
    let sum = this.index;
    for (let level = 1; level <= this.topLevel; level++) {
      const node = this.nodes[level]!;
      for (let i = 0; i < this.indexes[level]!; i++) sum += childCount(this.#arena, node, i);
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
      if (this.kind === RecordKind.SCORES) this.#descendScore(order, bytes, start, end);
      else this.#descendHash(order, bytes, start, end);
      if (this.#stride > 0) return this.#searchEven(order, bytes, start, end);
    }
    this.stand(this.first, 0);
    return this.#searchLeaf(order, bytes, start, end);
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
        this.#probe.set(this.bytes, at + skip).equals(bytes, start, end)
      ) {
        this.stand(at, index);
        return true;
      }
      at = next;
      index++;
    }
    this.#enterEnd();
    return false;
  }

  /** Finds a member in the packed run of a sorted set; at the end when there is none. */
  findMemberInRun(bytes: Uint8Array, start: number, end: number): boolean {
    this.stand(this.first, 0);
    while (this.at < this.limit) {
      if (this.#probe.set(this.bytes, this.at + 8).equals(bytes, start, end)) return true;
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
      this.#enterEnd();
    }
    if (this.#startsLeaf !== this.first) this.#findStarts();
    this.stand(this.#starts[this.index - 1]!, this.index - 1);
    return true;
  }

  /** Stands on the record `index` of its leaf or run, which starts at `at`; or behind the last one. */
  stand(at: number, index: number): void {
    this.at = at;
    this.index = index;
    this.end = at < this.limit ? recordEnd(this.kind, this.bytes, at) : at;
  }

  #enterEnd(): void {
    this.at = this.end = this.limit;
    this.index = this.count;
  }

  #enter(leaf: number): void {
    const arena = this.#arena;
    const words = arena.wordsOf(leaf);
    const at = arena.wordAt(leaf);
    const run = words[at + Node.RUN]!;
    this.leaf = leaf;
    this.bytes = arena.bytesOf(leaf);
    this.first = at * 4 + LEAF_HEADER_BYTES + (words[at + Node.HEAD]! >>> 16);
    this.limit = this.first + (run & 0xffff);
    this.count = run >>> 16;
    const isEven = (words[at + Node.HEAD]! & NodeFlag.EVEN) !== 0;
    this.#stride = isEven ? ((run & 0xffff) / this.count) | 0 : 0;
    this.#startsLeaf = -1;
  }

  #descendFirst(from: number, fromLevel: number): void {
    let node = from;
    for (let level = fromLevel; level > 0; level--) {
      this.nodes[level] = node;
      this.indexes[level] = 0;
      node = this.#arena.wordsOf(node)[this.#arena.wordAt(node) + 4]! >>> 0;
    }
    this.#enter(node);
  }

  #descendLast(from: number, fromLevel: number): void {
    let node = from;
    for (let level = fromLevel; level > 0; level--) {
      const last = (this.#arena.read(node, Node.HEAD) >>> 16) - 1;
      this.nodes[level] = node;
      this.indexes[level] = last;
      node = childAt(this.#arena, node, last);
    }
    this.#enter(node);
  }

  #nextLeaf(): void {
    for (let level = 1; level <= this.topLevel; level++) {
      const node = this.nodes[level]!;
      const child = this.indexes[level]! + 1;
      if (child < this.#arena.read(node, Node.HEAD) >>> 16) {
        this.indexes[level] = child;
        this.#descendFirst(childAt(this.#arena, node, child), level - 1);
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
        this.#descendLast(childAt(this.#arena, this.nodes[level]!, child), level - 1);
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
    this.#startsLeaf = this.first;
  }

  /** Goes to the leaf where a hash belongs; notes between which hashes its records are. */
  #descendHash(order: number, bytes: Uint8Array, start: number, end: number): void {
    const arena = this.#arena;
    let node = this.top;
    let low = 0;
    let high = HASH_END;
    for (let level = this.topLevel; level > 0; level--) {
      const words = arena.wordsOf(node);
      const orders = arena.doublesOf(node);
      const at = arena.wordAt(node);
      const firstOrder = (at >> 1) + 3;
      const last = (words[at + Node.HEAD]! >>> 16) - 1;
      let child = childOfHash(orders, firstOrder, last, order, low, high);
      // Separators that are equal to it are rare: then first records decide.
      while (
        child < last && orders[firstOrder + child * 2 + 2]! === order &&
        this.#firstIsBefore(childAt(arena, node, child + 1), level - 1, order, bytes, start, end)
      ) child++;
      if (child > 0) low = orders[firstOrder + child * 2]!;
      if (child < last) high = orders[firstOrder + child * 2 + 2]!;
      this.nodes[level] = node;
      this.indexes[level] = child;
      node = words[at + 4 + child * 4]! >>> 0;
    }
    this.#lowest = low;
    this.#highest = high;
    this.#enter(node);
  }

  /** Goes to the leaf where (score, bytes) belongs. */
  #descendScore(order: number, bytes: Uint8Array, start: number, end: number): void {
    let node = this.top;
    this.#lowest = -Infinity;
    this.#highest = Infinity;
    for (let level = this.topLevel; level > 0; level--) {
      const child = this.#childOfScore(node, level, order, bytes, start, end);
      this.nodes[level] = node;
      this.indexes[level] = child;
      node = childAt(this.#arena, node, child);
    }
    this.#enter(node);
  }

  /** The last child whose first record is not behind the place; notes between which scores it is. */
  #childOfScore(
    node: number,
    level: number,
    order: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const words = this.#arena.wordsOf(node);
    const at = this.#arena.wordAt(node);
    const orders = this.#arena.doublesOf(node);
    const firstOrder = (at >> 1) + 3;
    const last = (words[at + Node.HEAD]! >>> 16) - 1;
    let low = 0;
    let high = last;
    let step = 1;
    // Where all are the same it is a search among bytes.
    const second = orders[firstOrder + 2]!;
    const lastOrder = orders[firstOrder + last * 2]!;
    let middle = second < lastOrder ? guess(order, second, lastOrder, last) + 1 : (last + 1) >>> 1;
    while (low < high) {
      const separator = orders[firstOrder + middle * 2]!;
      const isBefore = separator < order ||
        (separator === order &&
          this.#firstIsBefore(
            childAt(this.#arena, node, middle),
            level - 1,
            order,
            bytes,
            start,
            end,
          ));
      if (isBefore) {
        low = middle;
        middle += step;
      } else {
        high = middle - 1;
        middle -= step;
      }
      step *= 2;
      if (middle <= low || middle > high) middle = (low + high + 1) >>> 1;
    }
    if (low > 0) this.#lowest = orders[firstOrder + low * 2]!;
    if (low < last) this.#highest = orders[firstOrder + low * 2 + 2]!;
    return low;
  }

  #firstIsBefore(
    from: number,
    level: number,
    order: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    let node = from;
    for (let i = level; i > 0; i--) node = childAt(this.#arena, node, 0);
    const words = this.#arena.wordsOf(node);
    const at = this.#arena.wordAt(node);
    const first = at * 4 + LEAF_HEADER_BYTES + (words[at + Node.HEAD]! >>> 16);
    const own = this.#arena.bytesOf(node);
    return this.#compare(own, first, node, order, bytes, start, end) <= 0;
  }

  /** As `#searchLeaf`, where all records are as long: they need not be gone through. */
  #searchEven(order: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { bytes: own, count, first, kind } = this;
    const view = this.#arena.viewOf(this.leaf);
    const stride = this.#stride;
    let low = kind === RecordKind.SCORES
      ? recordOfScore(view, first, stride, count, order, this.#lowest, this.#highest)
      : recordOfHash(view, first, stride, count, order, this.#lowest, this.#highest);
    let high = count;
    // Of records of the same order the bytes decide; the first one is the one most often.
    for (let at = low; low < high; at = (low + high) >>> 1) {
      const comparison = this.#compare(
        own,
        first + at * stride,
        this.leaf,
        order,
        bytes,
        start,
        end,
      );
      if (comparison < 0) {
        low = at + 1;
      } else if (comparison === 0 || at === low) {
        this.at = first + at * stride;
        this.end = this.at + stride;
        this.index = at;
        return comparison === 0;
      } else {
        high = at;
      }
    }
    if (low === count) this.#enterEnd();
    else this.stand(first + low * stride, low);
    return false;
  }

  #searchLeaf(order: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { kind, limit } = this;
    const own = this.bytes;
    let { at } = this;
    let index = 0;
    if (kind !== RecordKind.SCORES) {
      // Hashes: nearly all records differ in the order, and it is read without a call.
      while (at < limit) {
        const ownOrder = (own[at]! | (own[at + 1]! << 8) | (own[at + 2]! << 16) |
          (own[at + 3]! << 24)) >>> 0;
        if (ownOrder >= order) break;
        at = recordEnd(kind, own, at);
        index++;
      }
    }
    for (; at < limit; index++) {
      const comparison = this.#compare(own, at, this.leaf, order, bytes, start, end);
      if (comparison >= 0) {
        this.stand(at, index);
        return comparison === 0;
      }
      at = recordEnd(kind, own, at);
    }
    this.#enterEnd();
    return false;
  }

  /**
   * The record at `own[at]` against (order, bytes); `start` -1 is behind all of that order.
   *
   * @param leaf that it is in; 0 = a run
   */
  #compare(
    own: Uint8Array,
    at: number,
    leaf: number,
    order: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const ownOrder = this.#orderAt(own, at, leaf);
    if (ownOrder < order) return -1;
    if (ownOrder > order) return 1;
    if (start < 0) return -1;
    return this.#probe.set(own, at + orderBytes(this.kind)).compare(bytes, start, end);
  }

  #orderAt(bytes: Uint8Array, at: number, leaf: number): number {
    if (this.kind === RecordKind.SCORES) return this.#readDouble(bytes, at, leaf);
    return this.kind === RecordKind.LIST ? 0 : readUint32(bytes, at);
  }

  #readDouble(bytes: Uint8Array, at: number, leaf: number): number {
    if (leaf !== 0) return this.#arena.viewOf(leaf).getFloat64(at, true);
    const target = this.#doubleBytes;
    for (let i = 0; i < 8; i++) target[i] = bytes[at + i]!;
    return this.#double[0]!;
  }
}
