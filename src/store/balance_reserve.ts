/**
 * Memory kept aside so that an accepted event can always be settled (C1).
 *
 * A new balance needs at most {@link BLOCKS_PER_CREDIT} blocks: its entry and an overflow bucket of
 * the index. Acceptance takes a credit, settlement gives it back; a worker that finds the arena
 * full draws blocks from here. All blocks have one size and lie in pages of kind RESERVE.
 *
 * Invariant: `free = spare + BLOCKS_PER_CREDIT × outstanding credits`, where `free` is the length of
 * the stack and `spare` the counter in the header. Each step keeps it:
 *
 * ```text
 *            free   spare   outstanding
 * acquire      0     - 2        + 1      only if spare >= 2
 * draw       - 1     - 1          0      by the worker that settles a credited event
 * release      0     + 2        - 1
 * free       + 1     + 1          0      a drawn block is deleted like any other
 * grow       + n     + n          0      one more page
 * ```
 *
 * An outstanding event draws at most two blocks, so `spare >= -(blocks drawn by outstanding
 * events)`, hence `free` covers what they may still need: a draw never fails.
 *
 * Nothing here takes a lock: a Treiber stack whose head carries a tag, and counters.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Arena } from "./arena.ts";
import type { ReserveSink } from "./block_allocator.ts";
import { type ControlRegion, Header } from "./control.ts";
import { type PageAllocator, PageKind } from "./page_allocator.ts";
import { CLASS_BYTES, PAGE_BYTES, PAGE_UNITS, sizeClassOf } from "./size_classes.ts";

/** Blocks that one new balance may need: its entry and an overflow bucket. */
export const BLOCKS_PER_CREDIT = 2;
/** Size of a reserve block in bytes, a size class; holds the largest balance entry and a bucket. */
export const RESERVE_BLOCK_BYTES = 200;

// A reserve block is written again in place when its class fits, so it must have all its bytes.
assert(
  CLASS_BYTES[sizeClassOf(RESERVE_BLOCK_BYTES)] === RESERVE_BLOCK_BYTES,
  "a reserve block has the size that its page's class says",
);

/** How often the reserve tries to grow after some memory was reclaimed. */
const MAX_RECLAIM_ATTEMPTS = 8;
const BLOCK_UNITS = RESERVE_BLOCK_BYTES / 8;
const BLOCKS_PER_PAGE = Math.floor(PAGE_BYTES / RESERVE_BLOCK_BYTES);
const TAG_STEP = 1n << 32n;
const ADDRESS_MASK = 0xffffffffn;

/** The reserve. Thread: any; lock-free. */
export class BalanceReserve implements ReserveSink {
  readonly #arena: Arena;
  readonly #pages: PageAllocator;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #longs: BigInt64Array<SharedArrayBuffer>;
  readonly #reclaim: () => boolean;

  /**
   * Wires the parts of one thread together.
   *
   * @param reclaim frees pages by compaction or eviction; called when the reserve cannot grow, with no lock held
   */
  constructor(
    arena: Arena,
    pages: PageAllocator,
    control: ControlRegion,
    reclaim: () => boolean,
  ) {
    this.#arena = arena;
    this.#pages = pages;
    this.#words = control.words;
    this.#longs = control.longs;
    this.#reclaim = reclaim;
  }

  /**
   * Takes a credit for one event, before it is accepted.
   *
   * Thread: any that holds no shard lock.
   *
   * @returns false when there is no memory for another balance: refuse the event
   */
  tryAcquire(): boolean {
    for (;;) {
      const spare = Atomics.load(this.#words, Header.RESERVE_SPARE);
      if (spare < BLOCKS_PER_CREDIT) {
        if (this.#grow() || this.#growAfterReclaim()) continue;
        return false;
      }
      if (
        Atomics.compareExchange(
          this.#words,
          Header.RESERVE_SPARE,
          spare,
          spare - BLOCKS_PER_CREDIT,
        ) === spare
      ) return true;
    }
  }

  /** Gives a credit back, exactly once per credit: the event is settled, or was not accepted. */
  release(): void {
    Atomics.add(this.#words, Header.RESERVE_SPARE, BLOCKS_PER_CREDIT);
  }

  /**
   * Takes a block.
   *
   * Thread: only the one that settles an event that holds a credit, at most twice per event.
   *
   * @returns its address, never 0
   */
  draw(): number {
    Atomics.sub(this.#words, Header.RESERVE_SPARE, 1);
    for (;;) {
      const head = Atomics.load(this.#longs, Header.RESERVE_STACK_LONG);
      const address = Number(head & ADDRESS_MASK);
      assert(address !== 0, "a credited event finds a reserve block");
      const link = BigInt(this.#arena.read(address, 0));
      const next = BigInt.asIntN(64, ((head & ~ADDRESS_MASK) + TAG_STEP) | link);
      if (
        Atomics.compareExchange(this.#longs, Header.RESERVE_STACK_LONG, head, next) === head
      ) {
        Atomics.sub(this.#words, Header.RESERVE_FREE, 1);
        return address;
      }
    }
  }

  /** Takes back a block that was drawn. */
  free(address: number): void {
    this.#push(address);
    Atomics.add(this.#words, Header.RESERVE_SPARE, 1);
  }

  /** Credits that could be taken without growing. */
  get spareCredits(): number {
    return Math.max(
      0,
      Math.floor(Atomics.load(this.#words, Header.RESERVE_SPARE) / BLOCKS_PER_CREDIT),
    );
  }

  /** Addresses on the stack, from the top. Thread: only with no other thread active. */
  freeBlocks(): number[] {
    const blocks: number[] = [];
    let address = Number(this.#longs[Header.RESERVE_STACK_LONG]! & ADDRESS_MASK);
    while (address !== 0) {
      blocks.push(address);
      address = this.#arena.read(address, 0);
    }
    return blocks;
  }

  #push(address: number): void {
    for (;;) {
      const head = Atomics.load(this.#longs, Header.RESERVE_STACK_LONG);
      this.#arena.write(address, 0, Number(head & ADDRESS_MASK));
      const next = BigInt.asIntN(64, ((head & ~ADDRESS_MASK) + TAG_STEP) | BigInt(address));
      if (
        Atomics.compareExchange(this.#longs, Header.RESERVE_STACK_LONG, head, next) === head
      ) break;
    }
    Atomics.add(this.#words, Header.RESERVE_FREE, 1);
  }

  /** Compaction and eviction may free a page; they say false when there is nothing to gain. */
  #growAfterReclaim(): boolean {
    for (let attempt = 0; attempt < MAX_RECLAIM_ATTEMPTS && this.#reclaim(); attempt++) {
      if (this.#grow()) return true;
    }
    return false;
  }

  #grow(): boolean {
    const page = this.#pages.lease(PageKind.RESERVE, sizeClassOf(RESERVE_BLOCK_BYTES), 0);
    if (page === 0) return false;
    for (let i = 0; i < BLOCKS_PER_PAGE; i++) this.#push(page * PAGE_UNITS + i * BLOCK_UNITS);
    Atomics.add(this.#words, Header.RESERVE_SPARE, BLOCKS_PER_PAGE);
    return true;
  }
}
