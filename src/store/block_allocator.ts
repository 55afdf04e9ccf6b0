/**
 * Blocks: what a shard cuts its leased pages into.
 *
 * For every (kind, size class) a shard keeps a doubly linked list of its pages that have a free
 * block. A page's free blocks are chained through their first word (addresses); blocks beyond
 * `CUT` were never used and need no chain, so leasing a page touches none of its bytes.
 *
 * Invariant, per page: free chain length + used = cut <= blocks per page, and the page is on its
 * list exactly when used < blocks per page. A page whose last block is freed goes back at once.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Arena } from "./arena.ts";
import { type ControlRegion, Shard } from "./control.ts";
import { Page, PAGE_WORDS, type PageAllocator, PageKind } from "./page_allocator.ts";
import {
  CLASS_BLOCKS,
  CLASS_BYTES,
  CLASS_COUNT,
  MAX_BLOCK_BYTES,
  MAX_SIZE_CLASSES,
  PAGE_BYTES,
  PAGE_UNITS,
  PAGE_UNITS_SHIFT,
  sizeClassOf,
} from "./size_classes.ts";

/** Kinds of pages that are cut into blocks. */
const LISTED_KINDS = 4;
/** Pages of a list that are looked at to count free blocks. */
const LOOKED_AT_PAGES = 8;

/** Receives blocks that lie in pages of kind RESERVE. */
export interface ReserveSink {
  /** Takes back one reserve block. */
  free(address: number): void;
}

/**
 * Allocates blocks and whole pages for shards.
 *
 * Thread: one instance per thread; every call needs the exclusive lock of the shard it names.
 */
export class BlockAllocator {
  /**
   * Test hook: the allocation that many requests from now fails, once; negative = off.
   *
   * Lets tests show that a write that runs out of memory at any step changes nothing.
   */
  failAfterRequests: number = -1;
  /** Shard of the last request for which there was no page; -1 = none since this was set to it. */
  failedShard: number = -1;
  /** Head of the list on which a block would have served that request; 0 = it takes a page. */
  failedListAt: number = 0;

  /**
   * Whether entries take larger blocks before they lease a page: part of a tight promise, see
   * `BlockDemand.borrowsEntries`.
   */
  borrowsEntries: boolean = false;

  #mayBorrow = false;
  #couldBorrow = false;
  readonly #arena: Arena;
  readonly #pages: PageAllocator;
  readonly #control: ControlRegion;
  readonly #reserve: ReserveSink;
  /** Blocks taken under the promise under way that were not part of it, by (kind, size class). */
  readonly #optional = new Int32Array(LISTED_KINDS * MAX_SIZE_CLASSES);
  #hasOptional = false;

  /** Wires the parts of one thread together. */
  constructor(arena: Arena, pages: PageAllocator, control: ControlRegion, reserve: ReserveSink) {
    this.#arena = arena;
    this.#pages = pages;
    this.#control = control;
    this.#reserve = reserve;
  }

  /**
   * Takes a block of at least `byteCount` bytes.
   *
   * @param kind ENTRY, NODE or CHUNK
   * @param byteCount 1 to 8,192
   * @returns its address, or 0 when memory is used up; the content is not cleared
   */
  allocate(shard: number, kind: PageKind, byteCount: number): number {
    if (this.#injectedFailure()) return 0;
    const sizeClass = sizeClassOf(byteCount);
    const words = this.#control.words;
    const shardAt = this.#control.shardAt(shard);
    const listAt = shardAt + listOffset(kind, sizeClass);
    let page = words[listAt]!;
    if (page === 0) {
      if (this.borrowsEntries && kind === PageKind.ENTRY) {
        const borrowed = this.#borrow(shardAt, kind, sizeClass);
        if (borrowed !== 0) return borrowed;
      }
      page = this.#pages.lease(kind, sizeClass, shard);
      if (page === 0) {
        if (this.#mayBorrow) {
          const borrowed = this.#borrow(shardAt, kind, sizeClass);
          if (borrowed !== 0) return borrowed;
        }
        this.#couldBorrow = !this.#mayBorrow && this.#largerWithFree(shardAt, kind, sizeClass) >= 0;
        this.#mayBorrow = false;
        return this.#fail(shard, listAt);
      }
      this.#mayBorrow = false;
      words[shardAt + Shard.PAGES_LEASED]!++;
      words[listAt] = page;
    }
    return this.#takeFrom(page, sizeClass, shardAt, listAt);
  }

  /**
   * Lets what cannot have a page take larger blocks, up to twice as large, where the last request
   * that failed would have found one. The last resort before a write is refused: every shard keeps
   * pages of its own for every size, and they are not full.
   *
   * @returns whether another try is worth while
   */
  startBorrowing(): boolean {
    if (!this.#couldBorrow) return false;
    this.#couldBorrow = false;
    this.#mayBorrow = true;
    return true;
  }

  /** Free blocks on the lists of entries that one of `sizeClass` may borrow, its own included. */
  borrowableEntries(shard: number, sizeClass: number, enough: number): number {
    const last = Math.min(CLASS_COUNT - 1, sizeClassOf(borrowedBytes(sizeClass)));
    let count = 0;
    for (let c = sizeClass; c <= last && count < enough; c++) {
      count += this.listedBlocks(shard, PageKind.ENTRY, c, enough - count);
    }
    return count;
  }

  /** A block of the next larger size that has a free one; 0 = none. */
  #borrow(shardAt: number, kind: PageKind, sizeClass: number): number {
    const larger = this.#largerWithFree(shardAt, kind, sizeClass);
    if (larger < 0) return 0;
    const listAt = shardAt + listOffset(kind, larger);
    return this.#takeFrom(this.#control.words[listAt]!, larger, shardAt, listAt);
  }

  #largerWithFree(shardAt: number, kind: PageKind, sizeClass: number): number {
    const last = sizeClassOf(borrowedBytes(sizeClass));
    for (let larger = sizeClass + 1; larger <= last; larger++) {
      if (this.#control.words[shardAt + listOffset(kind, larger)] !== 0) return larger;
    }
    return -1;
  }

  /**
   * Takes a block from a page that is on the list already; compaction has made sure there is one.
   *
   * @returns its address, never 0
   */
  allocateListed(shard: number, kind: PageKind, sizeClass: number): number {
    const shardAt = this.#control.shardAt(shard);
    const listAt = shardAt + listOffset(kind, sizeClass);
    const page = this.#control.words[listAt]!;
    assert(page !== 0, "another page of the list has a free block");
    return this.#takeFrom(page, sizeClass, shardAt, listAt);
  }

  /**
   * As {@link BlockAllocator.allocate} of something that can be done without: where a promise is
   * under way, it takes nothing of that, but promises itself what it may lease.
   */
  allocateOptional(shard: number, kind: PageKind, byteCount: number): number {
    if (this.#pages.isPromising) {
      const sizeClass = sizeClassOf(byteCount);
      const index = (kind - PageKind.ENTRY) * MAX_SIZE_CLASSES + sizeClass;
      const count = this.#optional[index]!;
      // So many blocks more take a page more at most.
      if (count % CLASS_BLOCKS[sizeClass]! === 0 && !this.#pages.promise(1)) return 0;
      this.#optional[index] = count + 1;
      this.#hasOptional = true;
    }
    return this.allocate(shard, kind, byteCount);
  }

  /** Free blocks in the first pages of a list, at most about `enough`. */
  listedBlocks(shard: number, kind: PageKind, sizeClass: number, enough: number): number {
    const descriptors = this.#pages.descriptors;
    let count = 0;
    let page = this.#control.words[this.listAt(shard, kind, sizeClass)]!;
    for (let seen = 0; page !== 0 && seen < LOOKED_AT_PAGES && count < enough; seen++) {
      count += CLASS_BLOCKS[sizeClass]! - descriptors[page * PAGE_WORDS + Page.USED]!;
      page = descriptors[page * PAGE_WORDS + Page.NEXT]!;
    }
    return count;
  }

  /** Gives a block back. `address` may lie in a reserve page. */
  free(address: number): void {
    const page = address >>> PAGE_UNITS_SHIFT;
    const descriptors = this.#pages.descriptors;
    const at = page * PAGE_WORDS;
    const head = descriptors[at]!;
    const kind = (head & 0xff) as PageKind;
    if (kind === PageKind.RESERVE) {
      this.#reserve.free(address);
      return;
    }
    const sizeClass = (head >>> 8) & 0xff;
    const shardAt = this.#control.shardAt(head >>> 16);
    const classBytes = CLASS_BYTES[sizeClass]!;
    this.#arena.write(address, 0, descriptors[at + Page.FREE_HEAD]!);
    descriptors[at + Page.FREE_HEAD] = address;
    const used = --descriptors[at + Page.USED]!;
    this.#control.words[shardAt + Shard.FREES]!++;
    this.#control.doubles[(shardAt >> 1) + Shard.BLOCK_BYTES_DOUBLE]! -= classBytes;
    const listAt = shardAt + listOffset(kind, sizeClass);
    if (used + 1 === CLASS_BLOCKS[sizeClass]!) this.#link(page, listAt);
    if (used === 0) {
      this.unlink(page, listAt);
      this.#control.words[shardAt + Shard.PAGES_LEASED]!--;
      this.#pages.release(page);
    }
  }

  /**
   * Leases a whole page for one object (LEAF, EXTENT, DIRECTORY).
   *
   * @returns its address, or 0 when memory is used up; the content is not cleared
   */
  allocatePage(shard: number, kind: PageKind): number {
    if (this.#injectedFailure()) return 0;
    const page = this.#pages.lease(kind, 0, shard);
    if (page === 0) return this.#fail(shard, 0);
    const shardAt = this.#control.shardAt(shard);
    this.#control.words[shardAt + Shard.PAGES_LEASED]!++;
    this.#control.doubles[(shardAt >> 1) + Shard.BLOCK_BYTES_DOUBLE]! += PAGE_BYTES;
    return page * PAGE_UNITS;
  }

  /** Gives back a page taken with {@link BlockAllocator.allocatePage}. */
  freePage(address: number): void {
    const page = address >>> PAGE_UNITS_SHIFT;
    const shardAt = this.#control.shardAt(this.#pages.shardOf(page));
    this.#control.words[shardAt + Shard.PAGES_LEASED]!--;
    this.#control.doubles[(shardAt >> 1) + Shard.BLOCK_BYTES_DOUBLE]! -= PAGE_BYTES;
    this.#pages.release(page);
  }

  /** Word index of the list head of (kind, class) in a shard. */
  listAt(shard: number, kind: PageKind, sizeClass: number): number {
    return this.#control.shardAt(shard) + listOffset(kind, sizeClass);
  }

  /** Bytes that the block at `address` really has. */
  blockBytes(address: number): number {
    // Asked for by every write, and a division takes longer than a shift.
    return CLASS_BYTES[this.#pages.classOf(address >>> PAGE_UNITS_SHIFT)]!;
  }

  /**
   * Takes a page off its list without freeing it (compaction empties it next).
   *
   * @param listAt head of the list it is on
   */
  unlink(page: number, listAt: number): void {
    const descriptors = this.#pages.descriptors;
    const at = page * PAGE_WORDS;
    const next = descriptors[at + Page.NEXT]!;
    const previous = descriptors[at + Page.PREVIOUS]!;
    if (previous === 0) this.#control.words[listAt] = next;
    else descriptors[previous * PAGE_WORDS + Page.NEXT] = next;
    if (next !== 0) descriptors[next * PAGE_WORDS + Page.PREVIOUS] = previous;
    descriptors[at + Page.NEXT] = 0;
    descriptors[at + Page.PREVIOUS] = 0;
  }

  /** Gives back a page whose blocks were all moved away; it must be off its list. */
  releaseEvacuated(page: number): void {
    const shardAt = this.#control.shardAt(this.#pages.shardOf(page));
    const used = this.#pages.descriptors[page * PAGE_WORDS + Page.USED]!;
    const classBytes = CLASS_BYTES[this.#pages.classOf(page)]!;
    this.#control.doubles[(shardAt >> 1) + Shard.BLOCK_BYTES_DOUBLE]! -= used * classBytes;
    this.#control.words[shardAt + Shard.PAGES_LEASED]!--;
    this.#pages.release(page);
  }

  #takeFrom(page: number, sizeClass: number, shardAt: number, listAt: number): number {
    const descriptors = this.#pages.descriptors;
    const at = page * PAGE_WORDS;
    const unitCount = CLASS_BYTES[sizeClass]! >>> 3;
    let address = descriptors[at + Page.FREE_HEAD]! >>> 0;
    if (address !== 0) {
      descriptors[at + Page.FREE_HEAD] = this.#arena.read(address, 0);
    } else {
      address = page * PAGE_UNITS + descriptors[at + Page.CUT]!++ * unitCount;
    }
    if (++descriptors[at + Page.USED]! === CLASS_BLOCKS[sizeClass]!) this.unlink(page, listAt);
    this.#control.doubles[(shardAt >> 1) + Shard.BLOCK_BYTES_DOUBLE]! += unitCount * 8;
    return address;
  }

  #link(page: number, listAt: number): void {
    const descriptors = this.#pages.descriptors;
    const words = this.#control.words;
    const next = words[listAt]!;
    descriptors[page * PAGE_WORDS + Page.NEXT] = next;
    descriptors[page * PAGE_WORDS + Page.PREVIOUS] = 0;
    if (next !== 0) descriptors[next * PAGE_WORDS + Page.PREVIOUS] = page;
    words[listAt] = page;
  }

  #fail(shard: number, listAt: number): 0 {
    this.failedShard = shard;
    this.failedListAt = listAt;
    return 0;
  }

  /**
   * Promises the write under way `pageCount` pages: as many allocations that lease one cannot fail
   * until {@link BlockAllocator.endPromise}.
   */
  promise(pageCount: number): boolean {
    if (this.#injectedFailure()) return false;
    return this.#pages.promise(pageCount);
  }

  /** Gives back what is left of the promise. */
  endPromise(): void {
    this.#pages.endPromise();
    this.borrowsEntries = false;
    if (!this.#hasOptional) return;
    this.#optional.fill(0);
    this.#hasOptional = false;
  }

  /** Pages that can be promised. */
  get unpromisedPages(): number {
    return this.#pages.unpromisedPages;
  }

  /** Whether a block of this size can be had without leasing a page. */
  hasListed(shard: number, kind: PageKind, byteCount: number): boolean {
    return this.#control.words[this.listAt(shard, kind, sizeClassOf(byteCount))] !== 0;
  }

  #injectedFailure(): boolean {
    if (this.#pages.isPromising) return false;
    return this.failAfterRequests >= 0 && this.failAfterRequests-- === 0;
  }
}

/** Largest block that may be borrowed for one of a size class. */
function borrowedBytes(sizeClass: number): number {
  return Math.min(2 * CLASS_BYTES[sizeClass]!, MAX_BLOCK_BYTES);
}

function listOffset(kind: PageKind, sizeClass: number): number {
  return Shard.LISTS + (kind - PageKind.ENTRY) * MAX_SIZE_CLASSES + sizeClass;
}
