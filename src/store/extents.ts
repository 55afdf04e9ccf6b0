/**
 * Large values: a root block, then whole pages and chunks.
 *
 * ```text
 * root, a block in a page of kind CHUNK
 *   word 0  owner: address of the entry; 0 = orphan
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

import type { Arena } from "./arena.ts";
import type { BlockAllocator } from "./block_allocator.ts";
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

/** Extents of large values. Thread: one instance per thread, under the shard's lock. */
export class Extents {
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #control: ControlRegion;
  readonly #pages: PageAllocator;
  /** Addresses reserved by a plan: the extents in value order, then the root. */
  readonly #reserved: number[] = [];

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

  /** Moves what was reserved into an entry and copies the value into it. */
  fill(entry: number, value: Uint8Array, start: number): void {
    const root = this.#fillRoot(
      entry,
      value,
      start,
      start + this.#arena.read(entry, Entry.VALUE_BYTES),
    );
    this.#arena.write(entry, this.#rootWord(entry), root);
  }

  /**
   * Moves what was reserved into a value that no key has, only `leaseCount` readers: an orphan from
   * the start, which the last of them frees.
   *
   * @returns its root
   */
  fillOrphan(value: Uint8Array, start: number, end: number, leaseCount: number): number {
    const root = this.#fillRoot(0, value, start, end);
    this.#addOrphan(root);
    this.#arena.write(root, ExtentsRoot.LEASES, ORPHAN | leaseCount);
    return root;
  }

  /** Length of the value of a root in bytes. */
  byteCountOf(root: number): number {
    return this.#arena.read(root, ExtentsRoot.VALUE_BYTES);
  }

  #fillRoot(owner: number, value: Uint8Array, start: number, end: number): number {
    const arena = this.#arena;
    const valueBytes = end - start;
    const root = this.#reserved.pop()!;
    arena.write(root, ExtentsRoot.OWNER, owner);
    arena.write(root, ExtentsRoot.MARK, ROOT_MARK);
    arena.write(root, ExtentsRoot.LEASES, 0);
    arena.write(root, ExtentsRoot.VALUE_BYTES, valueBytes);
    arena.write(root, ExtentsRoot.NEXT_ORPHAN, 0);
    arena.write(root, ExtentsRoot.PREVIOUS_ORPHAN, 0);
    let from = start;
    for (let i = 0; i < this.#reserved.length; i++) {
      const extent = this.#reserved[i]!;
      arena.write(root, LIST_WORD + i, extent);
      const byteCount = Math.min(end - from, this.#room(i, valueBytes));
      arena.bytesOf(extent).set(
        value.subarray(from, from + byteCount),
        this.#dataAt(extent, i, valueBytes),
      );
      from += byteCount;
      this.#setOwner(extent, i, valueBytes, root);
    }
    this.#reserved.length = 0;
    return root;
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
    const arena = this.#arena;
    const valueBytes = arena.read(root, ExtentsRoot.VALUE_BYTES);
    const pageCount = extentPageCount(valueBytes);
    const inPages = pageCount * PAGE_BYTES;
    for (let at = start; at < end;) {
      const isPage = at < inPages;
      const size = isPage ? PAGE_BYTES : CHUNK_VALUE_BYTES;
      const inPart = isPage ? at : at - inPages;
      const index = Math.floor(inPart / size);
      const within = inPart - index * size;
      const i = isPage ? index : pageCount + index;
      const extent = arena.read(root, LIST_WORD + i);
      const from = this.#dataAt(extent, i, valueBytes) + within;
      const byteCount = Math.min(end - at, size - within);
      target.set(arena.bytesOf(extent).subarray(from, from + byteCount), offset + at - start);
      at += byteCount;
    }
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
    const root = this.rootOf(entry);
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
    let byteCount = this.#blocks.blockBytes(root);
    this.forEach(root, (extent) => {
      byteCount += this.#isPage(extent) ? PAGE_BYTES : this.#blocks.blockBytes(extent);
    });
    return byteCount;
  }

  /** Tells the value of a moved entry where the entry lives now. */
  adopt(entry: number): void {
    this.#arena.write(this.rootOf(entry), ExtentsRoot.OWNER, entry);
  }

  /** Whether the root or chunk at `block` must stay where it is, because its value is leased. */
  isPinned(block: number): boolean {
    const isRoot = this.#arena.read(block, ExtentsRoot.MARK) === ROOT_MARK;
    return this.leasesOf(isRoot ? block : this.#arena.read(block, 0)) !== 0;
  }

  /** Points whatever points at a moved root or chunk at its new address. */
  relocate(to: number): void {
    const arena = this.#arena;
    const owner = arena.read(to, 0);
    const index = arena.read(to, 1);
    if (index !== ROOT_MARK) {
      arena.write(owner, LIST_WORD + index, to);
      return;
    }
    arena.write(owner, this.#rootWord(owner), to);
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

  #isPage(extent: number): boolean {
    return this.#pages.kindOf(Math.floor(extent / PAGE_UNITS)) === PageKind.EXTENT;
  }

  #room(index: number, valueBytes: number): number {
    return index < extentPageCount(valueBytes) ? PAGE_BYTES : CHUNK_VALUE_BYTES;
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
