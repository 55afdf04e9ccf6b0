/** What the supervisor finds when a thread died with a lock, in each phase of a change. */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { ControlRegion, Header, Shard } from "../../../src/store/control.ts";
import type { Key } from "../../../src/store/key.ts";
import { LockPoisonedError, MutationPhase } from "../../../src/store/locks.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import { get, keyOf, set, smallStore } from "./helpers.ts";

const WORKER = 3;

interface Scene {
  main: Store;
  worker: Store;
  key: Key;
  name: string;
}

/** A store with a worker that holds the lock of `balance:amy` and then stops for ever. */
function scene(): Scene {
  const main = smallStore();
  set(main, "neighbour", "x");
  const worker = Store.attach(main.memory, WORKER);
  worker.nowMs = main.nowMs;
  const name = "balance:amy";
  const key = keyOf(main, name);
  worker.locks.lock(key.shard, true);
  return { main, worker, key, name };
}

function plan(worker: Store, key: Key, amount = 5): void {
  const status = worker.planAddInteger(0, key, Int64.fromNumber(amount), new Int64(), true);
  assert.equal(status, WriteStatus.OK);
}

/** The lock works again, and every byte is accounted for. */
function assertUsable(main: Store, key: Key): void {
  assert.ok(main.locks.tryLock(key.shard, true));
  main.locks.unlock(key.shard, true);
  main.assertInvariants();
}

Deno.test("recoverDeadOwner: says none for a thread that held nothing", () => {
  const main = smallStore();
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "none" });
  const { main: other, worker, key } = scene();
  worker.locks.unlock(key.shard, true);
  assert.deepEqual(other.recoverDeadOwner(WORKER), { kind: "none" });
  assertUsable(other, key);
});

Deno.test("recoverDeadOwner: frees a lock whose holder had done nothing", () => {
  const { main, key, name } = scene();
  assert.equal(main.locks.heldBy(WORKER), key.shard);
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "released", shard: key.shard });
  assert.equal(main.locks.heldBy(WORKER), -1);
  assert.equal(get(main, name), undefined);
  assertUsable(main, key);
});

Deno.test("recoverDeadOwner: gives back what a plan had reserved", () => {
  const { main, worker, key, name } = scene();
  const before = main.stats().blockBytes;
  plan(worker, key);
  assert.ok(main.stats().blockBytes > before, "the plan reserved a block");
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "released", shard: key.shard });
  assert.equal(main.stats().blockBytes, before);
  assert.equal(get(main, name), undefined);
  assertUsable(main, key);
});

Deno.test("recoverDeadOwner: gives back both blocks of a plan in a full store to the reserve", () => {
  const main = smallStore({ shardCount: 1, maxMemoryBytes: 2 ** 20 });
  for (let i = 0; i < 4; i++) assert.ok(main.credits.tryAcquire());
  for (const byteCount of [60_000, 3000, 130, 20, 0]) {
    for (let i = 0; set(main, `f${byteCount}/${i}`, "v".repeat(byteCount)) === 0; i++);
  }
  main.assertInvariants();
  const spare = ControlRegion.attach(main.memory.control);
  const before = spare.words[Header.RESERVE_SPARE]!;
  // Some name whose bucket is full needs a second block.
  let drawn = 0;
  for (let i = 0; drawn < 2 && i < 20_000; i++) {
    const worker = Store.attach(main.memory, WORKER);
    const key = keyOf(main, `balance:${"w".repeat(120)}${i}`);
    worker.locks.lock(key.shard, true);
    plan(worker, key);
    drawn = Math.max(drawn, before - spare.words[Header.RESERVE_SPARE]!);
    assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "released", shard: 0 });
    assert.equal(spare.words[Header.RESERVE_SPARE], before);
  }
  assert.ok(drawn >= 1, "the full store forced a draw");
  main.assertInvariants();
});

Deno.test("recoverDeadOwner: a plan that changes a number in place leaves it as it was", () => {
  const { main, worker, key, name } = scene();
  plan(worker, key);
  worker.commitPlan();
  worker.locks.unlock(key.shard, true);
  worker.locks.lock(key.shard, true);
  plan(worker, key, 100);
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "released", shard: key.shard });
  assert.equal(get(main, name), "5");
  assertUsable(main, key);
});

Deno.test("recoverDeadOwner: a change that was complete counts", () => {
  const { main, worker, key, name } = scene();
  plan(worker, key);
  worker.commitPlan();
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "completed", shard: key.shard });
  assert.equal(get(main, name), "5");
  assertUsable(main, key);
});

Deno.test("recoverDeadOwner: a cancelled plan is as if nothing had happened", () => {
  const { main, worker, key, name } = scene();
  plan(worker, key);
  worker.cancelPlan();
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "released", shard: key.shard });
  assert.equal(get(main, name), undefined);
  assertUsable(main, key);
});

Deno.test("recoverDeadOwner: the next holder's death is not taken for the last one's change", () => {
  const { main, worker, key } = scene();
  plan(worker, key);
  worker.commitPlan();
  worker.locks.unlock(key.shard, true);
  const next = Store.attach(main.memory, WORKER + 1);
  next.locks.lock(key.shard, true);
  assert.deepEqual(main.recoverDeadOwner(WORKER + 1), { kind: "released", shard: key.shard });
  assertUsable(main, key);
});

Deno.test("recoverDeadOwner: a death inside a change poisons the shard and says who and what", async () => {
  const { main, worker, key } = scene();
  worker.locks.setOperation(key.shard, 42);
  plan(worker, key);
  // The hook runs in the middle of the commit: the thread dies there.
  worker.hook = {
    written: () => {
      throw new Error("dies here");
    },
    removed: () => {},
    flushed: () => {},
    swapped: () => {},
  };
  assert.throws(() => worker.commitPlan(), /dies here/);
  const fault = main.locks.waitForFault();
  const torn = main.recoverDeadOwner(WORKER);
  assert.deepEqual(torn, { kind: "torn", shard: key.shard, operation: 42 });
  assert.deepEqual(await fault, { shard: key.shard, threadId: WORKER, operation: 42 });
  assert.throws(() => main.locks.tryLock(key.shard, true), LockPoisonedError);
});

Deno.test("recoverDeadOwner: a death while the allocator's lists change poisons the shard", () => {
  const { main, key } = scene();
  const control = ControlRegion.attach(main.memory.control);
  control.words[control.shardAt(key.shard) + Shard.PHASE] = MutationPhase.PLANNING;
  assert.equal(main.recoverDeadOwner(WORKER).kind, "torn");
});

Deno.test("recoverDeadOwner: waiters of the dead holder get the lock", async () => {
  const { main, key } = scene();
  const waiter = main.locks.lockAsync(key.shard, true);
  assert.equal(main.recoverDeadOwner(WORKER).kind, "released");
  await waiter;
  main.locks.unlock(key.shard, true);
  assertUsable(main, key);
});
