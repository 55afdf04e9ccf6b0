import assert from "node:assert/strict";
import fc from "fast-check";
import { BuddyAllocator } from "../../../src/base/buddy_allocator.ts";

/** The same with no structure at all: which units are lent, and to which block. */
class Model {
  readonly lent = new Map<number, number>();
  readonly #owner: Int32Array;

  constructor(unitCount: number) {
    this.#owner = new Int32Array(unitCount).fill(-1);
  }

  /** Whether any aligned run of 2^order units is free. */
  hasRoom(order: number): boolean {
    const size = 2 ** order;
    for (let start = 0; start + size <= this.#owner.length; start += size) {
      if (this.#owner.subarray(start, start + size).every((owner) => owner === -1)) return true;
    }
    return false;
  }

  take(start: number, order: number): void {
    const units = this.#owner.subarray(start, start + 2 ** order);
    assert.equal(units.length, 2 ** order, "the block ends before the end");
    assert.equal(start % 2 ** order, 0, "the block is aligned to its size");
    assert.ok(units.every((owner) => owner === -1), "nobody else has any of it");
    units.fill(start);
    this.lent.set(start, order);
  }

  give(start: number): void {
    this.#owner.subarray(start, start + 2 ** this.lent.get(start)!).fill(-1);
    this.lent.delete(start);
  }

  get freeCount(): number {
    return this.#owner.filter((owner) => owner === -1).length;
  }
}

Deno.test("BuddyAllocator: lends what is free and nothing twice, like a plain model", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("take" as const), order: fc.nat(7) }),
    fc.record({ kind: fc.constant("give" as const), pick: fc.nat(1000) }),
  );
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 150 }),
    fc.array(step, { maxLength: 200, size: "max" }),
    (unitCount, steps) => {
      const blocks = new BuddyAllocator(unitCount);
      const model = new Model(unitCount);
      for (const step of steps) {
        if (step.kind === "take") {
          const expected = model.hasRoom(step.order);
          const start = blocks.tryTake(step.order);
          assert.equal(start >= 0, expected, `2^${step.order} units of ${unitCount}`);
          if (start >= 0) model.take(start, step.order);
        } else if (model.lent.size > 0) {
          const start = [...model.lent.keys()][step.pick % model.lent.size]!;
          blocks.give(start);
          model.give(start);
        }
        assert.equal(blocks.freeUnitCount, model.freeCount);
        blocks.assertInvariants();
      }
      for (const start of [...model.lent.keys()]) blocks.give(start);
      blocks.assertInvariants();
      assert.ok(
        blocks.tryTake(Math.floor(Math.log2(unitCount))) >= 0,
        "everything is joined again",
      );
    },
  ));
});

Deno.test("BuddyAllocator: giving what was not taken is our bug", () => {
  const blocks = new BuddyAllocator(8);
  const start = blocks.tryTake(1);
  assert.throws(() => blocks.give(start + 1), { name: "AssertionFault" });
  blocks.give(start);
  assert.throws(() => blocks.give(start), { name: "AssertionFault" });
});

Deno.test("BuddyAllocator: a block has no more units than it must", () => {
  const orders = [1, 2, 3, 4, 5, 8, 9, 1024, 1025].map((units) => BuddyAllocator.orderFor(units));
  assert.deepEqual(orders, [0, 1, 2, 2, 3, 3, 4, 10, 11]);
});
