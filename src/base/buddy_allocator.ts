/**
 * Cuts a range of units into blocks of powers of two, and joins them again (Knowlton 1965).
 *
 * ```text
 * 11 units, after a block of 1 and one of 2 were taken:
 *
 *   unit      0   1   2   3   4   5   6   7   8   9  10
 *   block   | 1 |(1)| 2     |(4)            |(2)    |(1)|      (n) = free block of n units
 *   tag       1  -1   2   0  -3   0   0   0  -2   0  -1
 *   list      order 0: 1, 10     order 1: 8     order 2: 4
 * ```
 *
 * A block of 2^k units (order k) starts at a multiple of 2^k. Its buddy is the block with which it
 * once was one of 2^(k+1): the same start but for bit k. Invariants:
 *
 * - every unit is in exactly one block, free or lent;
 * - two free buddies of one order are never apart: they are joined as soon as both are free;
 * - a block is on the list of its order exactly when it is free.
 *
 * Knows no memory, only numbers.
 *
 * @module
 */

import { assert } from "./assert.ts";

/** Orders that there can be: 2^30 units would be the largest block. */
const ORDER_COUNT = 31;

const NONE = -1;

/**
 * Lends blocks of units. Taking and giving take at most one step per order.
 *
 * Thread: the one that made it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { BuddyAllocator } from "./buddy_allocator.ts";
 * const blocks = new BuddyAllocator(4);
 * assert.equal(blocks.tryTake(1), 0); // units 0 and 1
 * assert.equal(blocks.tryTake(2), -1); // no four units in a row are left
 * blocks.give(0);
 * assert.equal(blocks.tryTake(2), 0);
 * ```
 */
export class BuddyAllocator {
  /** Units altogether. */
  readonly unitCount: number;
  /** Units in no lent block. */
  freeUnitCount: number;

  /** First unit of a block: order + 1, negative when the block is free. Other units: 0. */
  readonly #tags: Int8Array;
  /** Neighbours on the list of a free block. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** First free block of each order. */
  readonly #heads = new Int32Array(ORDER_COUNT).fill(NONE);
  /** Bit k is set when there is a free block of order k. */
  #freeOrders = 0;

  /** Makes an allocator in which everything is free. */
  constructor(unitCount: number) {
    assert(unitCount > 0 && unitCount < 2 ** 30, `${unitCount} units can be cut into blocks`);
    this.unitCount = unitCount;
    this.freeUnitCount = unitCount;
    this.#tags = new Int8Array(unitCount);
    this.#next = new Int32Array(unitCount);
    this.#previous = new Int32Array(unitCount);
    let start = 0;
    for (let order = ORDER_COUNT - 2; order >= 0; order--) {
      if ((unitCount & (1 << order)) === 0) continue;
      this.#link(start, order);
      start += 1 << order;
    }
  }

  /** The smallest order whose blocks have `unitCount` units. */
  static orderFor(unitCount: number): number {
    return 32 - Math.clz32(unitCount - 1);
  }

  /**
   * Takes a block of 2^`order` units.
   *
   * @returns its first unit, or -1 when no such block is free
   */
  tryTake(order: number): number {
    const larger = order < ORDER_COUNT ? this.#freeOrders & (-1 << order) : 0;
    if (larger === 0) return -1;
    let from = 31 - Math.clz32(larger & -larger);
    const start = this.#heads[from]!;
    this.#unlink(start, from);
    while (from > order) {
      from--;
      this.#link(start + (1 << from), from);
    }
    this.#tags[start] = order + 1;
    this.freeUnitCount -= 1 << order;
    return start;
  }

  /** Gives back the block that starts at `start`. */
  give(start: number): void {
    const tag = this.#tags[start]!;
    assert(tag > 0, `a block that was taken starts at unit ${start}`);
    let order = tag - 1;
    this.freeUnitCount += 1 << order;
    this.#tags[start] = 0;
    let joined = start;
    for (;;) {
      const buddy = joined ^ (1 << order);
      // Behind the end there is no block; a tag of another order means that it was cut up.
      if (buddy >= this.unitCount || this.#tags[buddy] !== -(order + 1)) break;
      this.#unlink(buddy, order);
      joined &= buddy;
      order++;
    }
    this.#link(joined, order);
  }

  /** Checks the invariants above; for tests. */
  assertInvariants(): void {
    let freeUnits = 0;
    let freeBlocks = 0;
    let unit = 0;
    while (unit < this.unitCount) {
      const tag = this.#tags[unit]!;
      assert(tag !== 0, `a block starts at unit ${unit}`);
      const order = Math.abs(tag) - 1;
      const size = 1 << order;
      assert(unit % size === 0, `the block at ${unit} is aligned to its ${size} units`);
      for (let i = 1; i < size; i++) assert(this.#tags[unit + i] === 0, `${unit + i} starts none`);
      if (tag < 0) {
        freeUnits += size;
        freeBlocks++;
        const buddy = unit ^ size;
        assert(buddy >= this.unitCount || this.#tags[buddy] !== tag, `${unit} was joined`);
      }
      unit += size;
    }
    assert(unit === this.unitCount, "the blocks end where the units end");
    assert(freeUnits === this.freeUnitCount, "free units are counted");
    assert(freeBlocks === this.#countListed(), "free blocks are listed");
  }

  #countListed(): number {
    let count = 0;
    for (let order = 0; order < ORDER_COUNT; order++) {
      const hasBit = (this.#freeOrders >>> order & 1) === 1;
      assert(hasBit === (this.#heads[order] !== NONE), `bit ${order} says whether there are any`);
      let previous = NONE;
      for (let block = this.#heads[order]!; block !== NONE; block = this.#next[block]!) {
        assert(this.#tags[block] === -(order + 1), `${block} is free and of order ${order}`);
        assert(this.#previous[block] === previous, `${block} knows its neighbour`);
        previous = block;
        count++;
      }
    }
    return count;
  }

  #link(start: number, order: number): void {
    const head = this.#heads[order]!;
    this.#tags[start] = -(order + 1);
    this.#next[start] = head;
    this.#previous[start] = NONE;
    if (head === NONE) this.#freeOrders |= 1 << order;
    else this.#previous[head] = start;
    this.#heads[order] = start;
  }

  #unlink(start: number, order: number): void {
    const next = this.#next[start]!;
    const previous = this.#previous[start]!;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) this.#next[previous] = next;
    else {
      this.#heads[order] = next;
      if (next === NONE) this.#freeOrders &= ~(1 << order);
    }
    this.#tags[start] = 0;
  }
}
