/**
 * Compaction: empties sparse pages so that their memory can serve other sizes and shards.
 *
 * After many deletes a size class may hold many pages with a few blocks each, none of them empty.
 * When the arena runs out of pages, the blocks of the sparsest page of a class move into the other
 * pages of that class; everything that points at a block can be found from the block itself: an
 * entry knows its hash, its database and its neighbours in the expiry index, a chunk its owner.
 *
 * Index blocks (NODE) and reserve blocks do not move; the index gives its own back as it shrinks.
 * Nor does what belongs to a leased value (extents.ts): its page is left alone.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Arena } from "./arena.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import type { CollectionMemory } from "./collection/collection_memory.ts";
import { rootWord } from "./collection/entries.ts";
import { CollectionRoot, isLeasedNode } from "./collection/node.ts";
import { relocateCollectionBlock } from "./collection/relocation.ts";
import { type ControlRegion, Header, Shard } from "./control.ts";
import { Encoding, Entry } from "./entry.ts";
import type { ExpiryWheel } from "./expiry_wheel.ts";
import type { Extents } from "./extents.ts";
import { Page, PAGE_WORDS, type PageAllocator, PageKind } from "./page_allocator.ts";
import { CLASS_BLOCKS, CLASS_BYTES, CLASS_COUNT, PAGE_UNITS } from "./size_classes.ts";
import type { Table } from "./table.ts";

/** Pages of a list that are looked at to find a sparse one. */
const CANDIDATES = 32;
/** Garbage that is collected instead of moving anything, at a time: well below a millisecond. */
const GARBAGE_STEPS = 2048;
/** Pages emptied at a time: a write may have asked for several. */
const PAGES_AT_A_TIME = 4;

/** Moves blocks. Thread: one instance per thread, under the shard's exclusive lock. */
export class Compactor {
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #collections: CollectionMemory;
  readonly #control: ControlRegion;
  readonly #extents: Extents;
  readonly #pages: PageAllocator;
  readonly #table: Table;
  readonly #wheel: ExpiryWheel;
  readonly #isFree = new Uint8Array(4096);

  /** Wires the parts of one thread together. */
  constructor(
    arena: Arena,
    blocks: BlockAllocator,
    collections: CollectionMemory,
    control: ControlRegion,
    extents: Extents,
    pages: PageAllocator,
    table: Table,
    wheel: ExpiryWheel,
  ) {
    this.#arena = arena;
    this.#blocks = blocks;
    this.#collections = collections;
    this.#control = control;
    this.#extents = extents;
    this.#pages = pages;
    this.#table = table;
    this.#wheel = wheel;
  }

  /**
   * Empties a few pages of a shard at most.
   *
   * @returns whether a page was freed
   */
  compactShard(shard: number): boolean {
    // What is garbage points at what may be gone already: it must not move, so it goes first.
    this.#collections.settleWaiting(shard);
    if (this.#collections.collect(shard, GARBAGE_STEPS) > 0) return true;
    let pageCount = 0;
    while (pageCount < PAGES_AT_A_TIME && this.#compactOne(shard)) pageCount++;
    return pageCount > 0;
  }

  #compactOne(shard: number): boolean {
    for (let sizeClass = CLASS_COUNT - 1; sizeClass >= 0; sizeClass--) {
      if (this.#compactList(shard, PageKind.ENTRY, sizeClass)) return true;
      if (this.#compactList(shard, PageKind.CHUNK, sizeClass)) return true;
      if (this.#compactList(shard, PageKind.COLLECTION, sizeClass)) return true;
    }
    return false;
  }

  #compactList(shard: number, kind: PageKind, sizeClass: number): boolean {
    const listAt = this.#blocks.listAt(shard, kind, sizeClass);
    const blockCount = CLASS_BLOCKS[sizeClass]!;
    const descriptors = this.#pages.descriptors;
    let sparsest = 0;
    let sparsestUsed = blockCount;
    let freeBlocks = 0;
    let page = this.#control.words[listAt]!;
    for (let seen = 0; page !== 0 && seen < CANDIDATES; seen++) {
      const used = descriptors[page * PAGE_WORDS + Page.USED]!;
      freeBlocks += blockCount - used;
      if (used < sparsestUsed && !this.#isPinned(page, shard, kind, sizeClass)) {
        sparsestUsed = used;
        sparsest = page;
      }
      page = descriptors[page * PAGE_WORDS + Page.NEXT]!;
    }
    // The others must have room for all of its blocks, so that moving never leases a page.
    if (sparsest === 0 || freeBlocks - (blockCount - sparsestUsed) < sparsestUsed) return false;
    this.#evacuate(sparsest, shard, kind, sizeClass, listAt);
    return true;
  }

  #evacuate(
    page: number,
    shard: number,
    kind: PageKind,
    sizeClass: number,
    listAt: number,
  ): void {
    const byteCount = CLASS_BYTES[sizeClass]!;
    const cut = this.#findFree(page, byteCount);
    this.#blocks.unlink(page, listAt);
    for (let index = 0; index < cut; index++) {
      if (this.#isFree[index] === 1) continue;
      const from = page * PAGE_UNITS + index * (byteCount >>> 3);
      const to = this.#blocks.allocateListed(shard, kind, sizeClass);
      this.#arena.copyBlock(from, to, byteCount);
      if (kind === PageKind.ENTRY) this.#relocateEntry(shard, from, to);
      else if (kind === PageKind.CHUNK) this.#extents.relocate(from, to);
      else relocateCollectionBlock(this.#arena, from, to);
    }
    this.#blocks.releaseEvacuated(page);
  }

  /** Marks the free blocks of a page in `#isFree`; returns how many blocks were ever cut. */
  #findFree(page: number, byteCount: number): number {
    const at = page * PAGE_WORDS;
    const cut = this.#pages.descriptors[at + Page.CUT]!;
    this.#isFree.fill(0, 0, cut);
    for (let free = this.#pages.descriptors[at + Page.FREE_HEAD]! >>> 0; free !== 0;) {
      this.#isFree[(free - page * PAGE_UNITS) / (byteCount >>> 3)] = 1;
      free = this.#arena.read(free, 0);
    }
    return cut;
  }

  /** Whether a page holds a part of a leased value. */
  #isPinned(page: number, shard: number, kind: PageKind, sizeClass: number): boolean {
    if (kind === PageKind.ENTRY) return false;
    const words = this.#control.words;
    // Nobody can take a lease in this shard meanwhile. An orphan may be without one and not freed
    // yet, so the list counts as well.
    if (
      Atomics.load(words, Header.LEASES) === 0 &&
      words[this.#control.shardAt(shard) + Shard.ORPHAN_HEAD] === 0 &&
      this.#collections.waitingHead(shard) === 0
    ) return false;
    const byteCount = CLASS_BYTES[sizeClass]!;
    const cut = this.#findFree(page, byteCount);
    for (let index = 0; index < cut; index++) {
      if (this.#isFree[index] === 1) continue;
      const block = page * PAGE_UNITS + index * (byteCount >>> 3);
      if (!this.#isBlockPinned(kind, block)) continue;
      // First the word, then another look: the lease that ends in between is either seen as ended
      // here, or finds the word set (ValueLeases.end).
      Atomics.store(words, Header.PINNED_PAGE_SEEN, 1);
      if (this.#isBlockPinned(kind, block)) return true;
    }
    return false;
  }

  #isBlockPinned(kind: PageKind, block: number): boolean {
    if (kind === PageKind.CHUNK) return this.#extents.isPinned(block);
    return isLeasedNode(this.#arena, block);
  }

  #relocateEntry(shard: number, from: number, to: number): void {
    const head = this.#arena.read(to, Entry.TYPE);
    const rootAt = this.#control.rootAt(head >>> 24, shard);
    const moved = this.#table.relocate(rootAt, this.#arena.read(to, Entry.HASH), from, to);
    assert(moved, "every entry block is in the index");
    this.#wheel.relocate(shard, to);
    const encoding = (head >>> 8) & 0xff;
    if (encoding === Encoding.EXTENTS) this.#extents.adopt(to);
    else if (encoding === Encoding.TREE) {
      const root = this.#arena.read(to, rootWord(head >>> 16));
      this.#arena.write(root, CollectionRoot.OWNER, to);
    }
  }
}
