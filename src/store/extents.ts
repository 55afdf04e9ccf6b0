/**
 * Large values: a root block, then whole pages and chunks.
 *
 * ```text
 * root, a block in a page of kind CHUNK
 *   word 0  owner: address of the entry, or of the leaf of a collection (collection/node.ts) of
 *           which it is a long element; 0 = orphan, or on a list of what is freed later
 *   word 1  0xffffffff: a root and not a chunk
 *   word 2  leases: bit 31 ORPHAN, below it how many readers use the value (atomic)
 *   word 3  value bytes
 *   word 4  next orphan of the shard      word 5  previous one
 *   word 6… one word per extent: its address
 * chunk, a block in a page of kind CHUNK
 *   word 0  owner: address of the root    word 1  index of the extent
 *   then up to CHUNK_VALUE_BYTES bytes of the value
 * extent page: 65,536 bytes of the value; owner and index are in its descriptor
 * ```
 *
 * The entry names the root and nothing else, so the two can move apart.
 *
 * **Leases.** A reader that takes its time, such as a reply to a slow client, leases the value
 * (value_lease.ts): it adds 1 to word 2 under the shard's lock, shared is enough, and may then read
 * the value without any lock until it subtracts the 1 again. For this, who holds the exclusive lock
 * keeps to three rules as long as word 2 is not 0:
 *
 * 1. **Nothing is freed.** {@link Extents.release} sets ORPHAN and, where readers are left, puts the
 *    root on the shard's list of orphans, whose memory stays in use. No entry names an orphan, so it
 *    gets no new reader; the one whose subtraction leaves ORPHAN alone frees it, under the lock.
 *    Setting the bit and subtracting are atomic, so exactly one of the two sees both.
 * 2. **Nothing moves:** not the root, not a chunk (extent pages never do). The entry may.
 * 3. **Nothing is written** into its extents: a change in place needs
 *    {@link Extents.mayChangeInPlace}, else the value is written anew, elsewhere.
 *
 * The count can only fall while the exclusive lock is held, so what the holder found at 0 stays so.
 *
 * @module
 */

import { copyBytes } from "../base/shared_copy.ts";
import type { Arena } from "./arena.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import { isLeasedNode, replaceLongPart } from "./collection/node.ts";
import { type ControlRegion, Shard } from "./control.ts";
import {
  CHUNK_HEADER_BYTES,
  CHUNK_VALUE_BYTES,
  Entry,
  ENTRY_HEADER_BYTES,
  EntryFlag,
  extentCount,
  extentPageCount,
  EXTENTS_ROOT_HEADER_BYTES,
  extentsRootBytes,
  TTL_BYTES,
} from "./entry.ts";
import { Page, PAGE_WORDS, type PageAllocator, PageKind } from "./page_allocator.ts";
import { PAGE_BYTES, PAGE_UNITS } from "./size_classes.ts";

/** Word offsets in a root. */
export const ExtentsRoot = {
  OWNER: 0,
  MARK: 1,
  LEASES: 2,
  VALUE_BYTES: 3,
  NEXT_ORPHAN: 4,
  PREVIOUS_ORPHAN: 5,
} as const;

/** Word 1 of a root; no extent has this index. */
export const ROOT_MARK = 0xffffffff;
/** Bit of word 2: no entry names the value any more. */
export const ORPHAN = 1 << 31;
/** The other bits of word 2: how many leases there are. */
export const LEASE_COUNT_MASK = 0x7fffffff;

const LIST_WORD = EXTENTS_ROOT_HEADER_BYTES / 4;
const NO_BYTES = new Uint8Array(0);

/** How a value grows; the tail is what is behind the last whole page, in chunks. */
interface Growth {
  pagesBefore: number;
  pages: number;
  /** Bytes of the tail that stay in chunks. */
  tailBefore: number;
  /** Bytes of the tail afterwards. */
  tail: number;
  /** Where in the tail the first chunk begins that is new or gets more bytes. */
  firstChunkAt: number;
  movesRoot: boolean;
}

/** Bytes of the block of the chunk that begins at byte `at` of a tail of `tail` bytes. */
function chunkBytes(tail: number, at: number): number {
  return CHUNK_HEADER_BYTES + Math.min(tail - at, CHUNK_VALUE_BYTES);
}

/** Extents of large values. Thread: one instance per thread, under the shard's lock. */
export class Extents {
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #control: ControlRegion;
  readonly #pages: PageAllocator;
  /** Addresses reserved by a plan: the extents in value order, then the root. */
  readonly #reserved: number[] = [];
  // Where #seek pointed last.
  #partBytes: Uint8Array = NO_BYTES;
  #partAt = 0;
  #partLength = 0;

  /** Wires the parts of one thread together. */
  constructor(arena: Arena, blocks: BlockAllocator, control: ControlRegion, pages: PageAllocator) {
    this.#arena = arena;
    this.#blocks = blocks;
    this.#control = control;
    this.#pages = pages;
  }

  /** Reserves what a value of `valueBytes` needs; false (and nothing reserved) without memory. */
  reserve(shard: number, valueBytes: number): boolean {
    const pageCount = extentPageCount(valueBytes);
    for (let i = 0; i < pageCount; i++) {
      if (!this.#keep(this.#blocks.allocatePage(shard, PageKind.EXTENT))) return false;
    }
    for (let left = valueBytes % PAGE_BYTES; left > 0; left -= CHUNK_VALUE_BYTES) {
      const byteCount = CHUNK_HEADER_BYTES + Math.min(left, CHUNK_VALUE_BYTES);
      if (!this.#keep(this.#blocks.allocate(shard, PageKind.CHUNK, byteCount))) return false;
    }
    const rootBytes = extentsRootBytes(valueBytes);
    return this.#keep(this.#blocks.allocate(shard, PageKind.CHUNK, rootBytes));
  }

  /** Gives back what was reserved and not used. */
  cancel(): void {
    while (this.#reserved.length > 0) this.#free(this.#reserved.pop()!);
  }

  /**
   * Sets aside what was reserved, so that something else can be reserved; see
   * {@link Extents.giveReserved}.
   */
  takeReserved(): number[] {
    return this.#reserved.splice(0);
  }

  /** Makes what {@link Extents.takeReserved} set aside the reservation at hand. */
  giveReserved(addresses: readonly number[]): void {
    for (const address of addresses) this.#reserved.push(address);
  }

  /** Makes a root the value of another entry, whose header is written. */
  handOver(entry: number, root: number): void {
    this.#arena.write(entry, this.#rootWord(entry), root);
    this.#arena.write(root, ExtentsRoot.OWNER, entry);
  }

  /** Moves what was reserved into an entry and copies the value of another root into it. */
  fillFrom(entry: number, source: number): void {
    const root = this.install(entry);
    const valueBytes = this.#arena.read(entry, Entry.VALUE_BYTES);
    for (let at = 0; at < valueBytes;) {
      this.#seek(root, at, valueBytes);
      const [bytes, offset, byteCount] = [this.#partBytes, this.#partAt, this.#partLength];
      this.copyRange(source, at, at + byteCount, bytes, offset);
      at += byteCount;
    }
  }

  /** Moves what was reserved into an entry and copies the value into it. */
  fill(entry: number, value: Uint8Array, start: number): void {
    const root = this.install(entry);
    this.writeRange(root, 0, value, start, start + this.#arena.read(entry, Entry.VALUE_BYTES));
  }

  /**
   * Moves what was reserved into an entry; the bytes of the value are whatever they are.
   *
   * @returns the root
   */
  install(entry: number): number {
    const root = this.#makeRoot(entry, this.#arena.read(entry, Entry.VALUE_BYTES));
    this.#arena.write(entry, this.#rootWord(entry), root);
    return root;
  }

  /**
   * Makes a value of `valueBytes` bytes of what was reserved for it.
   *
   * @param owner the entry, or the leaf of a collection, that will name the value
   * @returns the root
   */
  make(owner: number, value: Uint8Array, start: number, valueBytes: number): number {
    const root = this.#makeRoot(owner, valueBytes);
    this.writeRange(root, 0, value, start, start + valueBytes);
    return root;
  }

  /**
   * Moves what was reserved into a value that no key has, only `leaseCount` readers: an orphan from
   * the start, which the last of them frees.
   *
   * @returns its root
   */
  fillOrphan(value: Uint8Array, start: number, end: number, leaseCount: number): number {
    const root = this.#makeRoot(0, end - start);
    this.writeRange(root, 0, value, start, end);
    this.#addOrphan(root);
    this.#arena.write(root, ExtentsRoot.LEASES, ORPHAN | leaseCount);
    return root;
  }

  #makeRoot(owner: number, valueBytes: number): number {
    const arena = this.#arena;
    const root = this.#reserved.pop()!;
    arena.write(root, ExtentsRoot.OWNER, owner);
    arena.write(root, ExtentsRoot.MARK, ROOT_MARK);
    arena.write(root, ExtentsRoot.LEASES, 0);
    arena.write(root, ExtentsRoot.VALUE_BYTES, valueBytes);
    arena.write(root, ExtentsRoot.NEXT_ORPHAN, 0);
    arena.write(root, ExtentsRoot.PREVIOUS_ORPHAN, 0);
    for (let i = 0; i < this.#reserved.length; i++) {
      arena.write(root, LIST_WORD + i, this.#reserved[i]!);
      this.#setOwner(this.#reserved[i]!, i, valueBytes, root);
    }
    this.#reserved.length = 0;
    return root;
  }

  /**
   * Reserves what a value needs to grow to `valueBytes` where it is; false (and nothing reserved)
   * without memory. Only for a value that nobody leases.
   */
  reserveGrowth(shard: number, root: number, valueBytes: number): boolean {
    const growth = this.#growthOf(root, valueBytes);
    for (let i = growth.pagesBefore; i < growth.pages; i++) {
      if (!this.#keep(this.#blocks.allocatePage(shard, PageKind.EXTENT))) return false;
    }
    for (let at = growth.firstChunkAt; at < growth.tail; at += CHUNK_VALUE_BYTES) {
      if (this.#chunkStays(root, growth, at)) continue;
      const byteCount = chunkBytes(growth.tail, at);
      if (!this.#keep(this.#blocks.allocate(shard, PageKind.CHUNK, byteCount))) return false;
    }
    if (!growth.movesRoot) return true;
    const rootBytes = extentsRootBytes(valueBytes);
    return this.#keep(this.#blocks.allocate(shard, PageKind.CHUNK, rootBytes));
  }

  /**
   * Grows a value to `valueBytes` with what {@link Extents.reserveGrowth} reserved: at most the last
   * 64 KiB of it are copied. The new bytes are whatever they are.
   */
  grow(entry: number, valueBytes: number): void {
    const arena = this.#arena;
    const oldRoot = this.rootOf(entry);
    const growth = this.#growthOf(oldRoot, valueBytes);
    const reserved = this.#reserved;
    const root = growth.movesRoot ? reserved.pop()! : oldRoot;
    const before = arena.read(oldRoot, ExtentsRoot.VALUE_BYTES);
    const countBefore = extentCount(before);
    let next = 0;
    if (growth.pages > growth.pagesBefore) {
      const tailAt = growth.pagesBefore * PAGE_BYTES;
      const page = reserved[0]!;
      this.copyRange(oldRoot, tailAt, before, arena.bytesOf(page), arena.byteAt(page));
      for (let i = growth.pagesBefore; i < countBefore; i++) {
        this.#blocks.free(arena.read(oldRoot, LIST_WORD + i));
      }
    }
    if (growth.movesRoot) {
      const kept = Math.min(countBefore, extentCount(valueBytes));
      for (let i = 0; i < LIST_WORD + kept; i++) arena.write(root, i, arena.read(oldRoot, i));
    }
    for (let i = growth.pagesBefore; i < growth.pages; i++) {
      arena.write(root, LIST_WORD + i, reserved[next]!);
      this.#setOwner(reserved[next++]!, i, valueBytes, root);
    }
    for (let at = growth.firstChunkAt; at < growth.tail; at += CHUNK_VALUE_BYTES) {
      if (this.#chunkStays(oldRoot, growth, at)) continue;
      const i = growth.pages + at / CHUNK_VALUE_BYTES;
      const chunk = reserved[next++]!;
      if (at < growth.tailBefore) {
        const old = arena.read(oldRoot, LIST_WORD + i);
        const from = arena.byteAt(old);
        const byteCount = chunkBytes(growth.tailBefore, at);
        copyBytes(
          arena.bytesOf(old),
          from,
          from + byteCount,
          arena.bytesOf(chunk),
          arena.byteAt(chunk),
        );
        this.#blocks.free(old);
      }
      arena.write(root, LIST_WORD + i, chunk);
      this.#setOwner(chunk, i, valueBytes, root);
    }
    reserved.length = 0;
    arena.write(root, ExtentsRoot.VALUE_BYTES, valueBytes);
    arena.write(entry, Entry.VALUE_BYTES, valueBytes);
    if (!growth.movesRoot) return;
    arena.write(entry, this.#rootWord(entry), root);
    this.forEach(root, (extent, i) => this.#setOwner(extent, i, valueBytes, root));
    this.#blocks.free(oldRoot);
  }

  /** Length of the value of a root in bytes. */
  byteCountOf(root: number): number {
    return this.#arena.read(root, ExtentsRoot.VALUE_BYTES);
  }

  /** Root of the value of an entry. */
  rootOf(entry: number): number {
    return this.#arena.read(entry, this.#rootWord(entry));
  }

  /** Copies the value of an entry to `target[offset…]`. */
  copyOut(entry: number, target: Uint8Array, offset: number): void {
    this.copyRange(
      this.rootOf(entry),
      0,
      this.#arena.read(entry, Entry.VALUE_BYTES),
      target,
      offset,
    );
  }

  /**
   * Copies `value[start, end)` to `target[offset…]`.
   *
   * Thread: any that holds the shard's lock or a lease of the value.
   */
  copyRange(root: number, start: number, end: number, target: Uint8Array, offset: number): void {
    for (let at = start; at < end;) {
      this.#seek(root, at, end);
      const partEnd = this.#partAt + this.#partLength;
      copyBytes(this.#partBytes, this.#partAt, partEnd, target, offset + at - start);
      at += this.#partLength;
    }
  }

  /** Copies `bytes[from, to)` to the value from byte `start` on. Only where no reader is. */
  writeRange(root: number, start: number, bytes: Uint8Array, from: number, to: number): void {
    const end = start + to - from;
    for (let at = start; at < end;) {
      this.#seek(root, at, end);
      const first = from + at - start;
      copyBytes(bytes, first, first + this.#partLength, this.#partBytes, this.#partAt);
      at += this.#partLength;
    }
  }

  /** Copies the first `byteCount` bytes of one value to another. */
  copyValue(from: number, to: number, byteCount: number): void {
    for (let at = 0; at < byteCount;) {
      this.#seek(to, at, byteCount);
      const length = this.#partLength;
      this.copyRange(from, at, at + length, this.#partBytes, this.#partAt);
      at += length;
    }
  }

  /** Makes `value[start, end)` zeros. Only where no reader is. */
  zeroRange(root: number, start: number, end: number): void {
    for (let at = start; at < end;) {
      this.#seek(root, at, end);
      this.#partBytes.fill(0, this.#partAt, this.#partAt + this.#partLength);
      at += this.#partLength;
    }
  }

  /** Finds the bytes of a value from `at` to `end` that lie in one extent. */
  #seek(root: number, at: number, end: number): void {
    const arena = this.#arena;
    const valueBytes = arena.read(root, ExtentsRoot.VALUE_BYTES);
    const pageCount = extentPageCount(valueBytes);
    const inPages = pageCount * PAGE_BYTES;
    const isPage = at < inPages;
    const size = isPage ? PAGE_BYTES : CHUNK_VALUE_BYTES;
    const inPart = isPage ? at : at - inPages;
    const index = Math.floor(inPart / size);
    const within = inPart - index * size;
    const i = isPage ? index : pageCount + index;
    const extent = arena.read(root, LIST_WORD + i);
    this.#partBytes = arena.bytesOf(extent);
    this.#partAt = this.#dataAt(extent, i, valueBytes) + within;
    this.#partLength = Math.min(end - at, size - within);
  }

  /**
   * Whether the extents of an entry may be written: nobody else is reading them. Needs the shard's
   * exclusive lock; the answer holds until unlock. If false, the value is written anew.
   */
  mayChangeInPlace(entry: number): boolean {
    return this.leasesOf(this.rootOf(entry)) === 0;
  }

  /** Word 2 of a root: how many leases, and {@link ORPHAN}. */
  leasesOf(root: number): number {
    const words = this.#arena.wordsOf(root);
    return Atomics.load(words, this.#arena.wordAt(root) + ExtentsRoot.LEASES);
  }

  /** Adds `amount` to the leases of a root; returns word 2 as it was before. */
  countLease(root: number, amount: 1 | -1): number {
    const words = this.#arena.wordsOf(root);
    return Atomics.add(words, this.#arena.wordAt(root) + ExtentsRoot.LEASES, amount);
  }

  /** Frees the value of an entry that is going away, now or when its last reader is done. */
  release(entry: number): void {
    this.releaseRoot(this.rootOf(entry));
  }

  /** As {@link Extents.release}, of a value that may belong to a collection. */
  releaseRoot(root: number): void {
    const words = this.#arena.wordsOf(root);
    const at = this.#arena.wordAt(root) + ExtentsRoot.LEASES;
    const before = Atomics.or(words, at, ORPHAN);
    if ((before & LEASE_COUNT_MASK) === 0) this.#freeRoot(root);
    else this.#addOrphan(root);
  }

  /** Frees an orphan whose last lease has ended. */
  freeOrphan(root: number): void {
    const arena = this.#arena;
    const shardAt = this.#control.shardAt(this.shardOf(root));
    const next = arena.read(root, ExtentsRoot.NEXT_ORPHAN);
    const previous = arena.read(root, ExtentsRoot.PREVIOUS_ORPHAN);
    if (previous === 0) this.#control.words[shardAt + Shard.ORPHAN_HEAD] = next;
    else arena.write(previous, ExtentsRoot.NEXT_ORPHAN, next);
    if (next !== 0) arena.write(next, ExtentsRoot.PREVIOUS_ORPHAN, previous);
    this.#countOrphan(root, -1);
    this.#freeRoot(root);
  }

  /** The shard that a root belongs to. */
  shardOf(root: number): number {
    return this.#pages.shardOf(Math.floor(root / PAGE_UNITS));
  }

  /** Bytes of the arena that a value takes: its pages, chunks and root, slack included. */
  footprintBytes(root: number): number {
    const valueBytes = this.#arena.read(root, ExtentsRoot.VALUE_BYTES);
    const pageCount = extentPageCount(valueBytes);
    const count = extentCount(valueBytes);
    let byteCount = this.#blocks.blockBytes(root) + pageCount * PAGE_BYTES;
    for (let i = pageCount; i < count; i++) {
      byteCount += this.#blocks.blockBytes(this.#arena.read(root, LIST_WORD + i));
    }
    return byteCount;
  }

  /** Tells the value of a moved entry where the entry lives now. */
  adopt(entry: number): void {
    this.#arena.write(this.rootOf(entry), ExtentsRoot.OWNER, entry);
  }

  /** Whether the root or chunk at `block` must stay where it is, because its value is leased. */
  isPinned(block: number): boolean {
    const isRoot = this.#arena.read(block, ExtentsRoot.MARK) === ROOT_MARK;
    const root = isRoot ? block : this.#arena.read(block, 0);
    if (this.leasesOf(root) !== 0) return true;
    const owner = this.#arena.read(root, ExtentsRoot.OWNER);
    if (owner === 0) return true;
    return this.#isLeaf(owner) && isLeasedNode(this.#arena, owner);
  }

  /** Points whatever points at a moved root or chunk at its new address. */
  relocate(from: number, to: number): void {
    const arena = this.#arena;
    const owner = arena.read(to, 0);
    const index = arena.read(to, 1);
    if (index !== ROOT_MARK) {
      arena.write(owner, LIST_WORD + index, to);
      return;
    }
    if (this.#isLeaf(owner)) replaceLongPart(arena, owner, from, to);
    else arena.write(owner, this.#rootWord(owner), to);
    const valueBytes = arena.read(to, ExtentsRoot.VALUE_BYTES);
    this.forEach(to, (extent, i) => this.#setOwner(extent, i, valueBytes, to));
  }

  /** Calls `visit` for each extent of a root in value order. */
  forEach(root: number, visit: (extent: number, index: number) => void): void {
    const count = extentCount(this.#arena.read(root, ExtentsRoot.VALUE_BYTES));
    for (let i = 0; i < count; i++) visit(this.#arena.read(root, LIST_WORD + i), i);
  }

  #keep(address: number): boolean {
    if (address === 0) {
      this.cancel();
      return false;
    }
    this.#reserved.push(address);
    return true;
  }

  #addOrphan(root: number): void {
    const arena = this.#arena;
    const words = this.#control.words;
    const headAt = this.#control.shardAt(this.shardOf(root)) + Shard.ORPHAN_HEAD;
    const next = words[headAt]! >>> 0;
    arena.write(root, ExtentsRoot.OWNER, 0);
    arena.write(root, ExtentsRoot.NEXT_ORPHAN, next);
    arena.write(root, ExtentsRoot.PREVIOUS_ORPHAN, 0);
    if (next !== 0) arena.write(next, ExtentsRoot.PREVIOUS_ORPHAN, root);
    words[headAt] = root;
    this.#countOrphan(root, 1);
  }

  #countOrphan(root: number, sign: 1 | -1): void {
    const shardAt = this.#control.shardAt(this.shardOf(root));
    this.#control.doubles[(shardAt >> 1) + Shard.ORPHAN_BYTES_DOUBLE]! += sign *
      this.footprintBytes(root);
  }

  #freeRoot(root: number): void {
    this.forEach(root, (extent) => this.#free(extent));
    this.#blocks.free(root);
  }

  #free(address: number): void {
    if (this.#isPage(address)) this.#blocks.freePage(address);
    else this.#blocks.free(address);
  }

  #isLeaf(owner: number): boolean {
    return this.#pages.kindOf(Math.floor(owner / PAGE_UNITS)) === PageKind.COLLECTION;
  }

  #isPage(extent: number): boolean {
    return this.#pages.kindOf(Math.floor(extent / PAGE_UNITS)) === PageKind.EXTENT;
  }

  #growthOf(root: number, valueBytes: number): Growth {
    const before = this.#arena.read(root, ExtentsRoot.VALUE_BYTES);
    const pagesBefore = extentPageCount(before);
    const pages = extentPageCount(valueBytes);
    // A tail that becomes part of a page leaves no chunk behind.
    const tailBefore = pages === pagesBefore ? before % PAGE_BYTES : 0;
    return {
      pagesBefore,
      pages,
      tailBefore,
      tail: valueBytes % PAGE_BYTES,
      firstChunkAt: Math.floor(tailBefore / CHUNK_VALUE_BYTES) * CHUNK_VALUE_BYTES,
      movesRoot: extentsRootBytes(valueBytes) > this.#blocks.blockBytes(root),
    };
  }

  /** Whether the chunk with byte `at` of the tail exists and has room for what it will hold. */
  #chunkStays(root: number, growth: Growth, at: number): boolean {
    if (at >= growth.tailBefore) return false;
    const i = growth.pages + at / CHUNK_VALUE_BYTES;
    const chunk = this.#arena.read(root, LIST_WORD + i);
    return this.#blocks.blockBytes(chunk) >= chunkBytes(growth.tail, at);
  }

  #dataAt(extent: number, index: number, valueBytes: number): number {
    const at = this.#arena.byteAt(extent);
    return index < extentPageCount(valueBytes) ? at : at + CHUNK_HEADER_BYTES;
  }

  #setOwner(extent: number, index: number, valueBytes: number, root: number): void {
    if (index < extentPageCount(valueBytes)) {
      const at = Math.floor(extent / PAGE_UNITS) * PAGE_WORDS;
      this.#pages.descriptors[at + Page.OWNER] = root;
      this.#pages.descriptors[at + Page.POSITION] = index;
    } else {
      this.#arena.write(extent, 0, root);
      this.#arena.write(extent, 1, index);
    }
  }

  #rootWord(entry: number): number {
    const flags = (this.#arena.read(entry, Entry.TYPE) >>> 16) & 0xff;
    const bytes = ENTRY_HEADER_BYTES + ((flags & EntryFlag.HAS_TTL) !== 0 ? TTL_BYTES : 0);
    return bytes / 4;
  }
}
