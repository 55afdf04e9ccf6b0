/** The sweep: how much it does at a time, who does it, and what a death in it leaves behind. */

import assert from "node:assert/strict";
import { type BackgroundStep, BackgroundWork } from "../../../src/store/background.ts";
import { ControlRegion } from "../../../src/store/control.ts";
import { MAX_DELETES_PER_HOLD } from "../../../src/store/expiry_sweeper.ts";
import { LockPoisonedError } from "../../../src/store/locks.ts";
import { Store } from "../../../src/store/store.ts";
import { hookWith, set, smallStore } from "./helpers.ts";

const WORKER = 3;
const START_MS = 1_700_000_000_000;
const LATER_MS = START_MS + 60_000;

/** A store with expired keys, and a worker that may sweep them. */
function scene(keyCount: number, shardCount = 1): { main: Store; worker: Store } {
  const main = smallStore({ shardCount });
  main.nowMs = START_MS;
  for (let i = 0; i < keyCount; i++) set(main, `k${i}`, "v", { expireAtMs: START_MS + 1 + i });
  set(main, "stays", "v");
  return { main, worker: Store.attach(main.memory, WORKER) };
}

Deno.test("ExpirySweeper: removes at most 64 keys before it gives the lock back", () => {
  const { main, worker } = scene(1000);
  let inHold = 0;
  let longest = 0;
  worker.hook = hookWith({
    written() {},
    removed() {
      longest = Math.max(longest, ++inHold);
    },
  });
  const unlock = worker.locks.unlock.bind(worker.locks);
  worker.locks.unlock = (shard, exclusive) => {
    inHold = 0;
    unlock(shard, exclusive);
  };
  const work = worker.backgroundWork(() => LATER_MS);
  while (work.run(1000));
  assert.equal(longest, MAX_DELETES_PER_HOLD);
  assert.equal(main.keyCount(0), 1);
  assert.equal(main.stats().expiredKeys, 1000);
  main.assertInvariants();
});

Deno.test("ExpirySweeper: says when its time was too short, and goes on where it stopped", () => {
  const { main, worker } = scene(5000, 4);
  const work = worker.backgroundWork(() => LATER_MS);
  assert.ok(work.run(0.001), "there is more");
  assert.ok(main.keyCount(0) > 4000);
  let slices = 0;
  while (work.run(0.001)) slices++;
  assert.ok(slices > 10);
  assert.equal(main.keyCount(0), 1);
});

Deno.test("ExpirySweeper: leaves a shard alone that somebody has locked", () => {
  const { main, worker } = scene(10);
  const work = worker.backgroundWork(() => LATER_MS);
  main.locks.lock(0, false);
  work.run(10);
  assert.equal(main.keyCount(0), 11);
  main.locks.unlock(0, false);
  work.run(10);
  assert.equal(main.keyCount(0), 1);
});

Deno.test("ExpirySweeper: a worker that dies behind a removal is taken for done", () => {
  const { main, worker } = scene(200);
  worker.locks.unlock = () => {
    throw new Error("the end of this thread");
  };
  assert.throws(() => worker.backgroundWork(() => LATER_MS).run(10), /the end of this thread/);
  assert.equal(main.locks.heldBy(WORKER), 0);
  assert.deepEqual(main.recoverDeadOwner(WORKER), { kind: "completed", shard: 0 });
  assert.equal(main.keyCount(0), 201 - MAX_DELETES_PER_HOLD);
  main.assertInvariants();
  const successor = Store.attach(main.memory, WORKER).backgroundWork(() => LATER_MS);
  while (successor.run(10));
  assert.equal(main.keyCount(0), 1);
  main.assertInvariants();
});

Deno.test("ExpirySweeper: a worker that dies inside a removal tears the shard", () => {
  const { main, worker } = scene(10);
  worker.hook = hookWith({
    written() {},
    removed() {
      const { kind } = main.recoverDeadOwner(WORKER);
      throw new Error(`found ${kind}`);
    },
  });
  assert.throws(() => worker.backgroundWork(() => LATER_MS).run(10), /found torn/);
  assert.throws(() => main.locks.tryLock(0, true), LockPoisonedError);
});

Deno.test("ExpirySweeper: an exception inside a removal poisons the shard", () => {
  const { main, worker } = scene(10);
  worker.hook = hookWith({
    written() {},
    removed() {
      throw new Error("a bug");
    },
  });
  assert.throws(() => worker.backgroundWork(() => LATER_MS).run(10), /a bug/);
  assert.throws(() => main.locks.tryLock(0, true), LockPoisonedError);
});

/** Counts its runs and has more to do as long as `more` says so. */
class CountingStep implements BackgroundStep {
  runs = 0;
  more = false;

  run(): boolean {
    this.runs++;
    return this.more;
  }
}

function makeWork(step: BackgroundStep): BackgroundWork {
  const control = ControlRegion.create({
    shardCount: 1,
    lockKind: 0,
    pageCount: 2,
    threadCount: 1,
    hashSeed: new Uint32Array(2),
    maxValueBytes: 1,
    segmentShift: 13,
  });
  return new BackgroundWork([step], control);
}

Deno.test("BackgroundWork: runs once a second when there is nothing to do, at once when there is", () => {
  const step = new CountingStep();
  const work = makeWork(step);
  let nowMs = 0;
  const runFor = (durationMs: number, isBusy: boolean): number => {
    step.runs = 0;
    for (const endMs = nowMs + durationMs; nowMs < endMs; nowMs++) {
      work.runBetweenJobs(nowMs, isBusy);
    }
    return step.runs;
  };
  // A slice that begins late on a busy machine says that there is more to do.
  const now = performance.now;
  performance.now = () => nowMs;
  try {
    runFor(5000, false);
    assert.equal(runFor(10_000, false), 10);
    assert.equal(work.waitMs(nowMs, 100), 100);
    step.more = true;
    runFor(1000, false);
    assert.equal(runFor(1000, false), 1000, "an idle worker does nothing else");
    assert.equal(work.waitMs(nowMs, 100), 0);
    assert.equal(runFor(1000, true), 200, "a busy one gives it a fifth of its time");
    step.more = false;
    assert.ok(runFor(1000, false) >= 3, "it slows down step by step");
  } finally {
    performance.now = now;
  }
});
