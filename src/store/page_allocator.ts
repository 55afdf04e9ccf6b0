/**
 * Pages of the arena: who has them, and a lock-free stack of free ones.
 *
 * Every page has a descriptor of 32 bytes in a SharedArrayBuffer of its own:
 *
 * ```text
 * word 0   kind (8 bits) │ size class (8) │ shard (16)
 * word 1   first free block, its address (0 = none)
 * word 2   blocks in use
 * word 3   blocks cut so far; those beyond were never used
 * word 4   next page: of the shard's list, or of the free stack
 * word 5   previous page of the shard's list
 * word 6   owner: entry address of an extent page
 * word 7   position of an extent page in its value
 * ```
 *
 * A descriptor belongs to whoever leased the page (for shard pages: guarded by the shard's lock);
 * word 4 of a free page belongs to the stack. The stack is a Treiber stack whose head carries a
 * 32-bit tag against ABA, so there is no page lock at all: no thread can die with it, and no thread
 * waits. Taking and giving back are constant time.
 *
 * **Promises.** A write that cannot tell beforehand which blocks it will need promises itself pages:
 * it takes n off the count of unpromised free pages, and its next n leases cannot fail. Every other
 * lease takes its page off the same count. Pages released meanwhile count for the promise.
 *
 *     pages on the stack or never used >= unpromised + all promises
 *
 * @see R. K. Treiber, "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986
 * @module
 */

import { assert } from "../base/assert.ts";
import { type ControlRegion, Header } from "./control.ts";

/** What a page is used for. */
export const PageKind = {
  /** On the free stack or never used. */
  FREE: 0,
  /** Blocks that hold entries: a key and its value or root. */
  ENTRY: 1,
  /** Blocks of the index: directories, leaves, overflow buckets. */
  NODE: 2,
  /** Blocks with the tail of a large value. */
  CHUNK: 3,
  /** Blocks of large collections: roots, nodes, long elements. */
  COLLECTION: 4,
  /** The whole page is a leaf of the index: 1,024 buckets. */
  LEAF: 5,
  /** The whole page is a part of a large value. */
  EXTENT: 6,
  /** The whole page is a directory of the index. */
  DIRECTORY: 7,
  /** Blocks kept for balances of accepted events; see balance_reserve.ts. */
  RESERVE: 8,
} as const;
/** One of {@link PageKind}. */
export type PageKind = typeof PageKind[keyof typeof PageKind];

/** Word offsets inside a descriptor. */
export const Page = {
  KIND: 0,
  FREE_HEAD: 1,
  USED: 2,
  CUT: 3,
  NEXT: 4,
  PREVIOUS: 5,
  OWNER: 6,
  POSITION: 7,
} as const;

/** Words in a descriptor. */
export const PAGE_WORDS = 8;

/** Looks for a page that must be there; more than other threads could ever make fail in a row. */
const MAX_TRIES = 1_000_000;

const TAG_STEP = 1n << 32n;
const PAGE_MASK = 0xffffffffn;

/** The descriptors and the free stack. Thread: any; lock-free. */
export class PageAllocator {
  /** Descriptors as words: `descriptors[page * PAGE_WORDS + Page.X]`. */
  readonly descriptors: Int32Array<SharedArrayBuffer>;
  /** Pages in the arena, page 0 included. */
  readonly pageCount: number;

  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #longs: BigInt64Array<SharedArrayBuffer>;
  /** Leases of this thread that its promise did not cover: always 0 (`Store.assertInvariants`). */
  brokenPromises = 0;
  #promised = 0;
  #isPromising = false;

  /**
   * Attaches to the descriptors and the stack.
   *
   * @param control the region that holds the stack's head
   * @param descriptors made by {@link PageAllocator.createDescriptors}
   */
  constructor(control: ControlRegion, descriptors: SharedArrayBuffer) {
    this.descriptors = new Int32Array(descriptors);
    this.pageCount = control.words[Header.PAGE_COUNT]!;
    this.#words = control.words;
    this.#longs = control.longs;
  }

  /** Memory for the descriptors of `pageCount` pages, all free. */
  static createDescriptors(pageCount: number): SharedArrayBuffer {
    return new SharedArrayBuffer(pageCount * PAGE_WORDS * 4);
  }

  /** Pages that can still be leased. */
  get freePages(): number {
    return Atomics.load(this.#words, Header.PAGES_FREE);
  }

  /** Pages that were free when most were in use. */
  get leastFreePages(): number {
    return Atomics.load(this.#words, Header.PAGES_FREE_LEAST);
  }

  /** Pages that can be promised, or leased without a promise. */
  get unpromisedPages(): number {
    return Atomics.load(this.#words, Header.PAGES_UNPROMISED);
  }

  /** Whether a promise is under way on this thread. */
  get isPromising(): boolean {
    return this.#isPromising;
  }

  /**
   * Promises this thread `count` pages more, until {@link PageAllocator.endPromise}.
   *
   * @returns false when there are too few; then nothing has changed
   */
  promise(count: number): boolean {
    if (!this.#takeUnpromised(count)) return false;
    this.#promised += count;
    this.#isPromising = true;
    return true;
  }

  /** Gives back what is left of the promise. */
  endPromise(): void {
    if (!this.#isPromising) return;
    this.#isPromising = false;
    if (this.#promised > 0) Atomics.add(this.#words, Header.PAGES_UNPROMISED, this.#promised);
    this.#promised = 0;
  }

  #takeUnpromised(count: number): boolean {
    const words = this.#words;
    for (;;) {
      const free = Atomics.load(words, Header.PAGES_UNPROMISED);
      if (free < count) return false;
      const left = free - count;
      if (Atomics.compareExchange(words, Header.PAGES_UNPROMISED, free, left) === free) return true;
    }
  }

  /**
   * Leases a page. Its bytes are whatever they were; its descriptor is cleared but for kind, class
   * and shard.
   *
   * @returns the page's number, or 0 when all are in use
   */
  lease(kind: PageKind, sizeClass: number, shard: number): number {
    if (this.#promised > 0) {
      this.#promised--;
    } else {
      // Not fatal as long as there is a page; that it never happens is checked with the invariants.
      if (this.#isPromising) this.brokenPromises++;
      if (!this.#takeUnpromised(1)) return 0;
    }
    // The page exists; another thread may take the one that was seen, and leave one elsewhere.
    let page = 0;
    for (let tries = 0; page === 0; tries++) {
      assert(tries < MAX_TRIES, "a page that was counted as free is free");
      page = this.#pop() || this.#fresh();
    }
    const freePages = Atomics.sub(this.#words, Header.PAGES_FREE, 1) - 1;
    if (freePages < Atomics.load(this.#words, Header.PAGES_FREE_LEAST)) this.#noteLeast(freePages);
    const at = page * PAGE_WORDS;
    const descriptors = this.descriptors;
    descriptors[at + Page.KIND] = kind | (sizeClass << 8) | (shard << 16);
    descriptors[at + Page.FREE_HEAD] = 0;
    descriptors[at + Page.USED] = 0;
    descriptors[at + Page.CUT] = 0;
    descriptors[at + Page.NEXT] = 0;
    descriptors[at + Page.PREVIOUS] = 0;
    descriptors[at + Page.OWNER] = 0;
    descriptors[at + Page.POSITION] = 0;
    return page;
  }

  /** Gives a leased page back. */
  release(page: number): void {
    const at = page * PAGE_WORDS;
    this.descriptors[at + Page.KIND] = PageKind.FREE;
    const longs = this.#longs;
    for (;;) {
      const head = Atomics.load(longs, Header.PAGE_STACK_LONG);
      // The link is published by the compare-and-swap below, pairing with the load in #pop.
      Atomics.store(this.descriptors, at + Page.NEXT, Number(head & PAGE_MASK));
      const next = BigInt.asIntN(64, ((head & ~PAGE_MASK) + TAG_STEP) | BigInt(page));
      if (Atomics.compareExchange(longs, Header.PAGE_STACK_LONG, head, next) === head) break;
    }
    Atomics.add(this.#words, Header.PAGES_FREE, 1);
    if (this.#isPromising) this.#promised++;
    else Atomics.add(this.#words, Header.PAGES_UNPROMISED, 1);
  }

  /** Kind of a page. */
  kindOf(page: number): PageKind {
    return (this.descriptors[page * PAGE_WORDS]! & 0xff) as PageKind;
  }

  /** Size class of a page that is cut into blocks. */
  classOf(page: number): number {
    return (this.descriptors[page * PAGE_WORDS]! >>> 8) & 0xff;
  }

  /** Shard that leased a page. */
  shardOf(page: number): number {
    return this.descriptors[page * PAGE_WORDS]! >>> 16;
  }

  /** Lists the free stack from the top. Thread: only with no other thread active. */
  freeStack(): number[] {
    const pages: number[] = [];
    let page = Number(this.#longs[Header.PAGE_STACK_LONG]! & PAGE_MASK);
    while (page !== 0 && pages.length <= this.pageCount) {
      pages.push(page);
      page = this.descriptors[page * PAGE_WORDS + Page.NEXT]!;
    }
    return pages;
  }

  #noteLeast(freePages: number): void {
    const words = this.#words;
    for (let least = this.leastFreePages; freePages < least;) {
      const seen = Atomics.compareExchange(words, Header.PAGES_FREE_LEAST, least, freePages);
      if (seen === least) return;
      least = seen;
    }
  }

  #pop(): number {
    const longs = this.#longs;
    for (;;) {
      const head = Atomics.load(longs, Header.PAGE_STACK_LONG);
      const page = Number(head & PAGE_MASK);
      if (page === 0) return 0;
      // May be stale when another thread took the page meanwhile; the tag then fails the swap.
      const link = Atomics.load(this.descriptors, page * PAGE_WORDS + Page.NEXT);
      const next = BigInt.asIntN(64, ((head & ~PAGE_MASK) + TAG_STEP) | BigInt(link >>> 0));
      if (Atomics.compareExchange(longs, Header.PAGE_STACK_LONG, head, next) === head) return page;
    }
  }

  #fresh(): number {
    const words = this.#words;
    for (;;) {
      const page = Atomics.load(words, Header.PAGES_FRESH);
      if (page >= this.pageCount) return 0;
      if (Atomics.compareExchange(words, Header.PAGES_FRESH, page, page + 1) === page) return page;
    }
  }
}
