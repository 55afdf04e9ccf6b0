/**
 * How many pages a change can lease, from how many blocks of each size it can need.
 *
 * **Why this is an upper bound.** A shard leases a page for a size when all pages that it has for
 * that size are full; one that becomes empty goes back. So after a lease the pages of a size are as
 * few as hold the blocks in use, and at any moment of a change
 *
 *     pages leased for a size, less those given back <= ceil((G - F) / B)
 *
 * where G is by how many the blocks of that size in use have grown at most since the change began, F
 * how many were free on the shard's list then, B how many a page has. The sum over all sizes is what
 * is promised. G counts blocks that are there at the same time: a leaf that moves from one size to
 * the next is one of each at most, because its old page may stay for the sake of others.
 *
 * What is nice to have but can be done without (joining leaves, smaller blocks) is not in here: it
 * promises itself a page more or is left (`BlockAllocator.allocateOptional`).
 *
 * @module
 */

import type { BlockAllocator } from "../block_allocator.ts";
import {
  CHUNK_HEADER_BYTES,
  CHUNK_VALUE_BYTES,
  extentPageCount,
  extentsRootBytes,
} from "../entry.ts";
import { PageKind } from "../page_allocator.ts";
import {
  CLASS_BLOCKS,
  MAX_BLOCK_BYTES,
  MAX_SIZE_CLASSES,
  PAGE_BYTES,
  sizeClassOf,
} from "../size_classes.ts";

const KINDS = 4;
/** The end of a page that blocks of no size use, as a factor of what they do use. */
const PAGE_WASTE = 1.04;

/** Blocks and pages that a change may need. Thread: one instance per thread; reused. */
export class BlockDemand {
  readonly #counts = new Int32Array(KINDS * MAX_SIZE_CLASSES);
  /** Which of the counts are not 0. */
  readonly #used: number[] = [];
  #wholePages = 0;
  #mixedPages = 0;
  /** Whether {@link BlockDemand.addMixed} was used: then blocks on lists may be gone. */
  #hasMixed = false;
  /** Nodes that can be there at the same time, whatever their sizes. */
  #mostNodes = 0;
  /** Whether entries are to take larger blocks that are free before they lease a page. */
  borrowsEntries = false;
  /** Ranges of size classes of entries: first, last, most blocks. */
  readonly #ranges: number[] = [];

  /** Forgets everything. */
  clear(): void {
    for (let i = 0; i < this.#used.length; i++) this.#counts[this.#used[i]!] = 0;
    this.#used.length = 0;
    this.#wholePages = this.#mixedPages = this.#mostNodes = 0;
    this.#hasMixed = false;
    this.#ranges.length = 0;
    this.borrowsEntries = false;
  }

  /** Whether nothing is needed. */
  get isEmpty(): boolean {
    return this.#used.length === 0 && this.#wholePages === 0 && !this.#hasMixed &&
      this.#ranges.length === 0;
  }

  /** Adds `count` blocks of at least `byteCount` bytes, all there at the same time. */
  add(kind: PageKind, byteCount: number, count: number): void {
    if (count <= 0) return;
    const index = (kind - PageKind.ENTRY) * MAX_SIZE_CLASSES + sizeClassOf(byteCount);
    if (this.#counts[index] === 0) this.#used.push(index);
    this.#counts[index]! += count;
  }

  /** Says that of what is added for nodes at most `count` more are there at the same time. */
  addMostNodes(count: number): void {
    this.#mostNodes += count;
  }

  /** Adds pages that are needed as a whole. */
  addPages(count: number): void {
    this.#wholePages += count;
  }

  /** Adds up to `count` blocks of nodes of any sizes, of `byteCount` bytes together. */
  addMixed(count: number, byteCount: number, sizes: number): void {
    if (count <= 0) return;
    const pages = Math.ceil(byteCount * PAGE_WASTE / PAGE_BYTES) + sizes;
    this.#mixedPages += Math.min(count, pages);
    this.#hasMixed = true;
  }

  /**
   * Adds the blocks of an entry that grows in steps, from one of `from` to one of `to` bytes: one
   * per size on the way, and `steps` in all.
   */
  addEntrySteps(from: number, to: number, steps: number): void {
    this.#ranges.push(sizeClassOf(from), sizeClassOf(Math.min(to, MAX_BLOCK_BYTES)), steps);
  }

  /** Adds a value in extents (`extents.ts`) of `valueBytes` bytes. */
  addExtents(valueBytes: number): void {
    this.#wholePages += extentPageCount(valueBytes);
    for (let left = valueBytes % PAGE_BYTES; left > 0; left -= CHUNK_VALUE_BYTES) {
      this.add(PageKind.CHUNK, CHUNK_HEADER_BYTES + Math.min(left, CHUNK_VALUE_BYTES), 1);
    }
    this.add(PageKind.CHUNK, extentsRootBytes(valueBytes), 1);
  }

  /** Adds what another demand has, but its entries. */
  addAll(other: BlockDemand): void {
    for (let i = 0; i < other.#used.length; i++) {
      const index = other.#used[i]!;
      if (this.#counts[index] === 0) this.#used.push(index);
      this.#counts[index]! += other.#counts[index]!;
    }
    this.#wholePages += other.#wholePages;
  }

  /** Adds everything that another demand has: of a change that is promised together with this. */
  addChange(other: BlockDemand): void {
    this.addAll(other);
    this.#mixedPages += other.#mixedPages;
    this.#mostNodes += other.#mostNodes;
    this.#hasMixed ||= other.#hasMixed;
    for (let i = 0; i < other.#ranges.length; i++) this.#ranges.push(other.#ranges[i]!);
  }

  /**
   * Upper bound of the pages that are leased for all of this.
   *
   * @param blocks where the shard's free blocks are
   * @param shard the shard that is locked; -1 = do not count on the free blocks it has, because
   *   something else that is promised together with this may take them
   */
  pages(blocks: BlockAllocator, shard: number): number {
    const counts = this.#hasMixed ? -1 : shard;
    let sum = this.#wholePages + this.#mixedPages;
    let nodePages = 0;
    for (let i = 0; i < this.#used.length; i++) {
      const index = this.#used[i]!;
      const sizeClass = index % MAX_SIZE_CLASSES;
      const kind = (Math.floor(index / MAX_SIZE_CLASSES) + PageKind.ENTRY) as PageKind;
      const count = this.#counts[index]!;
      if (kind === PageKind.ENTRY && this.borrowsEntries && counts >= 0) continue;
      // Steps of entries may take one more of each size.
      const spare = kind === PageKind.ENTRY ? this.#ranges.length / 3 : 0;
      const free = counts < 0
        ? 0
        : Math.max(0, blocks.listedBlocks(counts, kind, sizeClass, count + spare) - spare);
      const pages = Math.ceil(Math.max(0, count - free) / CLASS_BLOCKS[sizeClass]!);
      if (kind === PageKind.COLLECTION) nodePages += pages;
      else sum += pages;
    }
    // No more pages than blocks.
    sum += Math.min(nodePages, this.#mostNodes);
    if (this.borrowsEntries && counts >= 0) return sum + this.#pagesOfBorrowers(blocks, counts);
    for (let i = 0; i < this.#ranges.length; i += 3) {
      sum += this.#pagesOfSteps(blocks, counts, i);
    }
    return sum;
  }

  /** A page for each entry, but for those for which there are as many larger blocks as entries. */
  #pagesOfBorrowers(blocks: BlockAllocator, shard: number): number {
    let entries = 0;
    for (let c = 0; c < MAX_SIZE_CLASSES; c++) entries += this.#counts[c]!;
    for (let i = 0; i < this.#ranges.length; i += 3) entries += this.#ranges[i + 2]!;
    let pages = 0;
    for (let c = 0; c < MAX_SIZE_CLASSES; c++) {
      const count = this.#counts[c]!;
      if (count > 0 && blocks.borrowableEntries(shard, c, entries) < entries) pages += count;
    }
    for (let i = 0; i < this.#ranges.length; i += 3) {
      const has = blocks.borrowableEntries(shard, this.#ranges[i]!, entries) >= entries;
      if (!has) pages += this.#ranges[i + 2]!;
    }
    return pages;
  }

  #pagesOfSteps(blocks: BlockAllocator, shard: number, at: number): number {
    const last = this.#ranges[at + 1]!;
    const steps = this.#ranges[at + 2]!;
    let pages = 0;
    for (let sizeClass = this.#ranges[at]!; sizeClass <= last && pages < steps; sizeClass++) {
      // Others that are counted above may take one.
      const taken = this.#counts[sizeClass]! + this.#ranges.length / 3;
      if (shard < 0 || blocks.listedBlocks(shard, PageKind.ENTRY, sizeClass, taken) < taken) {
        pages++;
      }
    }
    return pages;
  }
}
