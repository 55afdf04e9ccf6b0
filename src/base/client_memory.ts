/**
 * The memory that one I/O thread's connections read into and write from (C13).
 *
 * ```text
 * the pool: one ArrayBuffer, committed by the system page by page when first touched
 *
 *   byte 0   1024    4096    8192                  16384
 *   | 1 KiB| … 1 KiB | 4 KiB | 8 KiB               | 16 KiB …         blocks of 1 KiB × 2^k, each
 *   | idle connections| spare| a's request grows   | b's replies      aligned to its size
 *
 * beside it: blocks of their own, when no block in the pool is large enough, counted alike
 * ```
 *
 * Invariants:
 *
 * - `heldBytes` is the sum of the lengths of all blocks lent;
 * - {@link ClientMemory.tryTake} never brings it above `maxBytes`; only
 *   {@link ClientMemory.overdraw} does;
 * - a byte is in at most one block lent, and what was given back is not touched by who gave it.
 *
 * The pool makes no garbage, however many buffers grow and shrink. It may be in pieces when most of
 * it is needed at once: small blocks, held for long, between larger free ones. Then a block of its
 * own is lent; an eighth of `maxBytes` is left for these. What the process keeps resident for its
 * clients is therefore at most `maxBytes`, and what is overdrawn.
 *
 * @module
 */

import { assert } from "./assert.ts";
import { BuddyAllocator } from "./buddy_allocator.ts";
import { CONNECTION_BUFFER_BYTES, IDLE_INPUT_BYTES } from "./limits.ts";

const UNIT_BYTES = IDLE_INPUT_BYTES;
const UNIT_SHIFT = Math.log2(UNIT_BYTES);
const SPARE_BYTES = CONNECTION_BUFFER_BYTES;

assert(Number.isInteger(UNIT_SHIFT), "a unit is a power of two");
assert(Number.isInteger(Math.log2(SPARE_BYTES / UNIT_BYTES)), "a spare is a block");

/**
 * Blocks of {@link SPARE_BYTES} that are kept ready, with their views, instead of being joined to
 * larger ones.
 *
 * Unit: blocks. Reason: every batch of every connection takes one for its replies and gives it back;
 * so many batches may be under way at once.
 */
const SPARE_BLOCKS_MAX = 256;

/** Part of `maxBytes` that is left for blocks beside the pool. */
const BESIDE_SHARE = 1 / 8;

/**
 * Lends memory to the buffers of connections, within a bound.
 *
 * Thread: one I/O thread.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ClientMemory } from "./client_memory.ts";
 * const memory = new ClientMemory(1 << 20);
 * const block = memory.tryTake(5000)!;
 * assert.equal(block.length, 8192);
 * assert.equal(memory.tryTake(1 << 20), undefined);
 * memory.give(block);
 * assert.equal(memory.heldBytes, 0);
 * ```
 */
export class ClientMemory {
  /** What may be lent. Unit: bytes. */
  readonly maxBytes: number;
  /** What is lent. Unit: bytes. */
  heldBytes = 0;
  /** Called whenever something was given back; set while somebody waits for that. */
  onGiven: (() => void) | undefined = undefined;

  readonly #pool: ArrayBuffer;
  readonly #blocks: BuddyAllocator;
  readonly #spares: Uint8Array<ArrayBuffer>[] = [];
  readonly #maxBesideBytes: number;
  #besideBytes = 0;

  /**
   * Makes a memory; nothing is committed yet.
   *
   * @param maxBytes what may be lent at a time; a multiple of 4 KiB is used
   */
  constructor(maxBytes: number) {
    this.maxBytes = roundDown(maxBytes);
    this.#pool = new ArrayBuffer(roundDown(maxBytes * (1 - BESIDE_SHARE)));
    this.#maxBesideBytes = this.maxBytes - this.#pool.byteLength;
    this.#blocks = new BuddyAllocator(this.#pool.byteLength / UNIT_BYTES);
  }

  /** Whether more is lent than there should be. */
  get isOverdrawn(): boolean {
    return this.heldBytes > this.maxBytes || this.#besideBytes > this.#maxBesideBytes;
  }

  /** What may still be lent. Unit: bytes. */
  get freeBytes(): number {
    return this.isOverdrawn ? 0 : this.maxBytes - this.heldBytes;
  }

  /**
   * What would have to come back for `byteCount` bytes to be free; not positive when they are.
   *
   * That they are does not mean that they are in one piece.
   */
  shortBytes(byteCount: number): number {
    return Math.max(
      this.heldBytes + byteCount - this.maxBytes,
      this.#besideBytes - this.#maxBesideBytes,
    );
  }

  /** Length of the block that {@link ClientMemory.tryTake} gives for `byteCount` bytes. */
  static blockBytes(byteCount: number): number {
    return UNIT_BYTES * 2 ** BuddyAllocator.orderFor(Math.ceil(byteCount / UNIT_BYTES));
  }

  /**
   * Takes a block of at least `byteCount` bytes with any content.
   *
   * @param byteCount at least 1
   * @returns undefined when that would be more than there is
   */
  tryTake(byteCount: number): Uint8Array<ArrayBuffer> | undefined {
    const blockBytes = ClientMemory.blockBytes(byteCount);
    if (this.heldBytes + blockBytes > this.maxBytes) return undefined;
    const spare = blockBytes === SPARE_BYTES ? this.#spares.pop() : undefined;
    if (spare !== undefined) {
      this.heldBytes += SPARE_BYTES;
      return spare;
    }
    const order = BuddyAllocator.orderFor(blockBytes / UNIT_BYTES);
    let unit = this.#blocks.tryTake(order);
    if (unit < 0 && this.#spares.length > 0) {
      this.#joinSpares();
      unit = this.#blocks.tryTake(order);
    }
    if (unit < 0) return this.#tryTakeBeside(blockBytes);
    this.heldBytes += blockBytes;
    return new Uint8Array(this.#pool, unit << UNIT_SHIFT, blockBytes);
  }

  /**
   * Takes a block whether or not it is within the bound: for replies, whose makers cannot wait.
   *
   * Whoever overdraws sees to it that others give back, before somebody overdraws again.
   */
  overdraw(byteCount: number): Uint8Array<ArrayBuffer> {
    const block = new Uint8Array(Math.ceil(byteCount / UNIT_BYTES) * UNIT_BYTES);
    this.heldBytes += block.length;
    this.#besideBytes += block.length;
    return block;
  }

  /**
   * Gives a block back.
   *
   * Nothing may touch it any more: neither its old owner nor a read or write of the system that has
   * not ended.
   */
  give(block: Uint8Array<ArrayBuffer>): void {
    const byteCount = block.length;
    if (byteCount === 0) return;
    this.heldBytes -= byteCount;
    if (block.buffer !== this.#pool) {
      this.#besideBytes -= byteCount;
      // Frees it now and not when the garbage collector gets round to it.
      block.buffer.transfer(0);
    } else if (byteCount === SPARE_BYTES && this.#spares.length < SPARE_BLOCKS_MAX) {
      this.#spares.push(block);
    } else {
      this.#blocks.give(block.byteOffset >>> UNIT_SHIFT);
    }
    this.onGiven?.();
  }

  /** Checks that counts and blocks agree; for tests. */
  assertInvariants(): void {
    this.#blocks.assertInvariants();
    const { unitCount, freeUnitCount } = this.#blocks;
    const spareUnits = this.#spares.length * SPARE_BYTES / UNIT_BYTES;
    const lentUnits = unitCount - freeUnitCount - spareUnits;
    assert(
      this.heldBytes === lentUnits * UNIT_BYTES + this.#besideBytes,
      "what is lent is in the pool or beside it",
    );
    assert(
      new Set(this.#spares.map((block) => block.byteOffset)).size === this.#spares.length,
      "a spare is kept once",
    );
  }

  #tryTakeBeside(blockBytes: number): Uint8Array<ArrayBuffer> | undefined {
    if (this.#besideBytes + blockBytes > this.#maxBesideBytes) return undefined;
    return this.overdraw(blockBytes);
  }

  #joinSpares(): void {
    for (const spare of this.#spares) this.#blocks.give(spare.byteOffset >>> UNIT_SHIFT);
    this.#spares.length = 0;
  }
}

function roundDown(byteCount: number): number {
  return Math.floor(byteCount / SPARE_BYTES) * SPARE_BYTES;
}
