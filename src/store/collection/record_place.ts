/**
 * Where a cursor is, and how it comes to the place of a hash.
 *
 * @module
 */

import type { Arena } from "../arena.ts";
import type { Extents } from "../extents.ts";
import { ElementView } from "./element.ts";
import { childAt, LEAF_HEADER_BYTES, MAX_LEVELS, Node, NodeFlag } from "./node.ts";
import { MEDIUM_PART, orderBytes, readUint32, recordEnd, RecordKind } from "./records.ts";
import { childOfHash, guess, HASH_END, recordOfHash } from "./search.ts";

const EMPTY = new Uint8Array(0);

// What another module exports is fetched from there at each use; what belongs to this one becomes
// part of the code.
const { HEAD, RUN } = Node;
const { EVEN } = NodeFlag;
const { LIST, SCORES } = RecordKind;
const HEADER_BYTES = LEAF_HEADER_BYTES;
const FIRST_HIGH = HASH_END;
const MEDIUM = MEDIUM_PART;
const childOf = childOfHash;
const recordOf = recordOfHash;
const guessed = guess;

/**
 * A place in a sequence of records: what a `RecordCursor` stands on.
 *
 * Thread: belongs to one thread; needs the shard's lock, shared is enough, or a lease.
 */
export class RecordPlace {
  /** What the records look like. */
  kind: number = LIST;
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

  /** The nodes. */
  protected readonly arena: Arena;
  /** Bytes of each record of the leaf, where it is known that all are as long; else 0. */
  stride = 0;
  /** First byte of the leaf whose records' starts are known; -1 = of none. */
  protected startsLeaf: number = -1;
  /** Looks at parts that are compared. */
  protected readonly probe: ElementView;
  readonly #double = new Float64Array(1);
  readonly #doubleBytes = new Uint8Array(this.#double.buffer);

  /** Reads the collections of one store. */
  constructor(arena: Arena, extents: Extents) {
    this.arena = arena;
    this.probe = new ElementView(extents);
  }

  /** Whether there is a current record. */
  get isValid(): boolean {
    return this.at < this.limit;
  }

  /** Order of the current record: hash or score; 0 in a list. */
  get order(): number {
    return this.orderAt(this.bytes, this.at, this.leaf);
  }

  /** Stands on the record `index` of its leaf or run, which starts at `at`; or behind the last one. */
  stand(at: number, index: number): void {
    this.at = at;
    this.index = index;
    this.end = at < this.limit ? recordEnd(this.kind, this.bytes, at) : at;
  }

  /** Goes behind the last record of the leaf or run. */
  protected enterEnd(): void {
    this.at = this.end = this.limit;
    this.index = this.count;
  }

  /** Goes to a leaf; stands on no record yet. */
  protected enter(leaf: number): void {
    const arena = this.arena;
    const words = arena.wordsOf(leaf);
    const at = arena.wordAt(leaf);
    const run = words[at + RUN]!;
    this.leaf = leaf;
    this.bytes = arena.bytesOf(leaf);
    this.first = at * 4 + HEADER_BYTES + (words[at + HEAD]! >>> 16);
    this.limit = this.first + (run & 0xffff);
    this.count = run >>> 16;
    const isEven = (words[at + HEAD]! & EVEN) !== 0;
    this.stride = isEven ? ((run & 0xffff) / this.count) | 0 : 0;
    this.startsLeaf = -1;
  }

  /** Goes to the place of (order, bytes) in the leaf or run by walking, from where it stands on. */
  protected searchLeaf(order: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { kind, limit } = this;
    const own = this.bytes;
    let { at } = this;
    let index = 0;
    if (kind !== SCORES) {
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
      const comparison = this.compare(own, at, this.leaf, order, bytes, start, end);
      if (comparison >= 0) {
        this.stand(at, index);
        return comparison === 0;
      }
      at = recordEnd(kind, own, at);
    }
    this.enterEnd();
    return false;
  }

  /**
   * The record at `own[at]` against (order, bytes); `start` -1 is behind all of that order.
   *
   * @param leaf that it is in; 0 = a run
   */
  protected compare(
    own: Uint8Array,
    at: number,
    leaf: number,
    order: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const ownOrder = this.orderAt(own, at, leaf);
    if (ownOrder < order) return -1;
    if (ownOrder > order) return 1;
    if (start < 0) return -1;
    return this.probe.set(own, at + orderBytes(this.kind)).compare(bytes, start, end);
  }

  /** Order of the record at `bytes[at]`, in `leaf` or, where that is 0, in a run. */
  protected orderAt(bytes: Uint8Array, at: number, leaf: number): number {
    if (this.kind === SCORES) return this.readDouble(bytes, at, leaf);
    return this.kind === LIST ? 0 : readUint32(bytes, at);
  }

  /** The float64 at `bytes[at]`, in `leaf` or, where that is 0, in a run. */
  protected readDouble(bytes: Uint8Array, at: number, leaf: number): number {
    if (leaf !== 0) return this.arena.viewOf(leaf).getFloat64(at, true);
    const target = this.#doubleBytes;
    for (let i = 0; i < 8; i++) target[i] = bytes[at + i]!;
    return this.#double[0]!;
  }

  /**
   * Goes to the first record that is not before (hash, bytes[start, end)) in the leaf where such a
   * record belongs, of a tree that is ordered by hashes.
   *
   * All that a lookup in a large hash or set does is in here, with as few calls and as little kept
   * between the levels as can be.
   *
   * @param hashBits the hash; only its 32 bits count
   * @param compared the bytes as `MemberHash.words` has them, to compare them by; if left out, start
   *   may be -1: behind every record of this hash
   * @returns whether that record has exactly this hash and these bytes
   */
  seekHash(
    hashBits: number,
    compared: Int32Array | undefined,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const { arena } = this;
    const hash = hashBits >>> 0;
    if (this.top === 0) return false;
    let node = this.top;
    let low = 0;
    let high = FIRST_HIGH;
    for (let level = this.topLevel; level > 0; level--) {
      const words = arena.wordsOf(node);
      const orders = arena.doublesOf(node);
      const at = arena.wordAt(node);
      const firstOrder = (at >> 1) + 3;
      const last = (words[at + HEAD]! >>> 16) - 1;
      let child = childOf(orders, firstOrder, last, hash, low, high);
      // Where the next child begins with the same hash, first records decide.
      if (child < last && orders[firstOrder + child * 2 + 2]! === hash) {
        child = this.#childOfSame(node, level, child, hash, compared, bytes, start, end);
      }
      if (child > 0) low = orders[firstOrder + child * 2]!;
      if (child < last) high = orders[firstOrder + child * 2 + 2]!;
      this.nodes[level] = node;
      this.indexes[level] = child;
      node = words[at + 4 + child * 4]! >>> 0;
    }
    const words = arena.wordsOf(node);
    const at = arena.wordAt(node);
    const head = words[at + HEAD]!;
    const run = words[at + RUN]!;
    const count = run >>> 16;
    const own = arena.bytesOf(node);
    const first = at * 4 + HEADER_BYTES + (head >>> 16);
    this.leaf = node;
    this.bytes = own;
    this.first = first;
    this.limit = first + (run & 0xffff);
    this.count = count;
    this.startsLeaf = -1;
    if ((head & EVEN) === 0) {
      this.stride = 0;
      this.at = first;
      return this.searchLeaf(hash, bytes, start, end);
    }
    const stride = ((run & 0xffff) / count) | 0;
    this.stride = stride;
    const view = arena.viewOf(node);
    const from = guessed(hash, low, high, count);
    const index = recordOf(view, first, stride, count, hash, from);
    const found = first + index * stride;
    this.index = index;
    this.at = found;
    this.end = index < count ? found + stride : found;
    if (index === count || view.getUint32(found, true) !== hash) return false;
    if (
      compared !== undefined && this.isSame(view, own, found + 4, compared, bytes, start, end)
    ) return true;
    return this.#goAmongSame(hash, bytes, start, end);
  }

  /**
   * Goes to the record with exactly this hash and these bytes, if it is in a leaf. The way down to
   * the leaf is not known afterwards, so nothing may be spliced there.
   *
   * @param leaf one of this tree
   * @param fraction at which the record probably is. Unit: 1 / `LEAF_FRACTIONS`
   * @param hashBits as for {@link RecordPlace.seekHash}, and so is `compared`
   * @returns whether it is there
   */
  findInLeaf(
    leaf: number,
    fraction: number,
    hashBits: number,
    compared: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    this.enter(leaf);
    const { bytes: own, count, first, stride } = this;
    const hash = hashBits >>> 0;
    if (stride === 0) {
      this.at = first;
      return this.searchLeaf(hash, bytes, start, end);
    }
    const view = this.arena.viewOf(leaf);
    const index = recordOf(view, first, stride, count, hash, (fraction * count) >>> 16);
    const found = first + index * stride;
    this.index = index;
    this.at = found;
    this.end = index < count ? found + stride : found;
    if (index === count || view.getUint32(found, true) !== hash) return false;
    return this.isSame(view, own, found + 4, compared, bytes, start, end) ||
      this.#goAmongSame(hash, bytes, start, end);
  }

  /** Whether the part at `own[at]` is a short one that is the same as what `compared` has words of. */
  protected isSame(
    view: DataView,
    own: Uint8Array,
    at: number,
    compared: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const byteCount = end - start;
    if (byteCount >= MEDIUM || own[at] !== byteCount) return false;
    const whole = byteCount >>> 2;
    let p = at + 1;
    for (let word = 0; word < whole; word++) {
      if (view.getInt32(p, true) !== compared[word]) return false;
      p += 4;
    }
    for (let i = start + whole * 4; i < end; i++, p++) if (own[p] !== bytes[i]) return false;
    return true;
  }

  /**
   * The short part at `own[at]` against the bytes that `compared` has words of: negative, 0 or
   * positive as it is before, equal or behind.
   */
  protected compareWords(
    view: DataView,
    own: Uint8Array,
    at: number,
    compared: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const ownCount = own[at]!;
    const common = Math.min(ownCount, end - start);
    const from = at + 1;
    let i = 0;
    while (i + 4 <= common && view.getInt32(from + i, true) === compared[i >>> 2]) i += 4;
    for (; i < common; i++) {
      const difference = own[from + i]! - bytes[start + i]!;
      if (difference !== 0) return difference;
    }
    return ownCount - (end - start);
  }

  /** Goes on from the first record of a hash to where the bytes belong. */
  #goAmongSame(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    let comparison = 0;
    while (
      this.index < this.count &&
      (comparison = this.compare(this.bytes, this.at, this.leaf, hash, bytes, start, end)) < 0
    ) {
      this.at = this.end;
      this.index++;
      if (this.index < this.count) this.end += this.stride;
    }
    return this.index < this.count && comparison === 0;
  }

  /** Whether the first record below a node is not behind (order, bytes). */
  protected firstIsBefore(
    from: number,
    level: number,
    order: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    let node = from;
    for (let i = level; i > 0; i--) node = childAt(this.arena, node, 0);
    const words = this.arena.wordsOf(node);
    const at = this.arena.wordAt(node);
    const first = at * 4 + HEADER_BYTES + (words[at + HEAD]! >>> 16);
    const own = this.arena.bytesOf(node);
    return this.compare(own, first, node, order, bytes, start, end) <= 0;
  }

  /** The last child, from one before a separator of the same hash on, that is not behind the place. */
  #childOfSame(
    node: number,
    level: number,
    from: number,
    hash: number,
    compared: Int32Array | undefined,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const orders = this.arena.doublesOf(node);
    const firstOrder = (this.arena.wordAt(node) >> 1) + 3;
    const last = (this.arena.read(node, HEAD) >>> 16) - 1;
    let child = from;
    while (child < last && orders[firstOrder + child * 2 + 2]! === hash) {
      const next = childAt(this.arena, node, child + 1);
      // Most often it is the one that is looked for: where records are long, leaves have one or two.
      if (
        compared !== undefined && this.#firstIs(next, level - 1, hash, compared, bytes, start, end)
      ) {
        return child + 1;
      }
      if (!this.firstIsBefore(next, level - 1, hash, bytes, start, end)) return child;
      child++;
    }
    return child;
  }

  /** Whether the first record below a node has exactly this hash and these bytes, which are short. */
  #firstIs(
    from: number,
    level: number,
    hash: number,
    compared: Int32Array,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const { arena } = this;
    let node = from;
    for (let i = level; i > 0; i--) node = childAt(arena, node, 0);
    const at = arena.wordAt(node);
    const view = arena.viewOf(node);
    const first = at * 4 + HEADER_BYTES + (arena.wordsOf(node)[at + HEAD]! >>> 16);
    return view.getUint32(first, true) === hash &&
      this.isSame(view, arena.bytesOf(node), first + 4, compared, bytes, start, end);
  }
}
