/** Long commands in slices. */

import assert from "node:assert/strict";
import { Slices, SliceTurns } from "../../../src/command/slices.ts";
import { LockPoisonedError } from "../../../src/store/locks.ts";
import { Store } from "../../../src/store/store.ts";
import { Harness, settled } from "./harness.ts";

function slicesOf(store: Store, turns: SliceTurns, isAtomic = false): Slices {
  return new Slices({
    locks: store.locks,
    turns,
    refreshClock: () => void (store.nowMs = 17),
    operation: 300,
    isAtomic,
  });
}

/** Does a step's worth of nothing until the slice is over; the steps it took. */
function workUntilOver(slices: Slices): number {
  for (let steps = 1; steps < 1e8; steps++) if (slices.isOver()) return steps;
  return Infinity;
}

Deno.test("Slices: a slice ends, and the next one begins with the right time of day", async () => {
  const { store } = new Harness({ shardCount: 1 });
  const slices = slicesOf(store, new SliceTurns());
  assert.equal(slices.isOver(), false, "no clock is read for a single step");
  assert.ok(Number.isFinite(workUntilOver(slices)));
  await slices.next();
  assert.equal(store.nowMs, 17);
  assert.equal(slices.isOver(), false);
});

Deno.test("Slices: in a transaction a slice never ends and no lock is touched", () => {
  const { store } = new Harness({ shardCount: 1 });
  const slices = slicesOf(store, new SliceTurns(), true);
  const untilMs = performance.now() + 3;
  while (performance.now() < untilMs) assert.equal(slices.isOver(1000), false);
  store.locks.lock(0, true);
  assert.equal(slices.tryLock(0, true), true);
  slices.unlock(0, true);
  assert.equal(store.locks.heldBy(0), 0, "the transaction still holds it");
  assert.throws(() => slices.guard(0, () => assert.fail("a fault")), /a fault/);
  store.locks.unlock(0, true);
  assert.equal(store.locks.tryLock(0, true), true, "tearing shards is for the transaction to do");
  store.locks.unlock(0, true);
});

Deno.test("Slices: a busy lock is waited for, and not held over the turn that follows", async () => {
  const { store } = new Harness({ shardCount: 1 });
  const other = Store.attach(store.memory, 1);
  other.locks.lock(0, true);
  const slices = slicesOf(store, new SliceTurns());
  assert.equal(slices.tryLock(0, false), false);
  slices.wanted(0, false);
  let isOver = false;
  const next = slices.next().then(() => isOver = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(isOver, false);
  other.locks.unlock(0, true);
  await settled(next);
  assert.equal(store.locks.heldBy(0), -1);
  assert.equal(slices.tryLock(0, false), true);
  slices.unlock(0, false);
});

Deno.test("Slices: a step that throws leaves its shard torn", () => {
  const { store } = new Harness({ shardCount: 1 });
  const slices = slicesOf(store, new SliceTurns());
  slices.tryLock(0, true);
  assert.throws(() => slices.guard(0, () => assert.fail("a fault")), /a fault/);
  assert.throws(() => store.locks.tryLock(0, true), LockPoisonedError);
});

Deno.test("SliceTurns: commands go on in the order they came, one per turn", async () => {
  const turns = new SliceTurns();
  const order: string[] = [];
  const command = async (name: string): Promise<void> => {
    for (let slice = 0; slice < 3; slice++) {
      await turns.next();
      order.push(name);
      // Nobody else has been let go in the same turn.
      queueMicrotask(() => assert.equal(order.at(-1), name));
    }
  };
  await Promise.all([command("a"), command("b"), command("c")]);
  assert.equal(order.join(""), "abcabcabc");
  assert.equal(turns.waitingCount, 0);
});
