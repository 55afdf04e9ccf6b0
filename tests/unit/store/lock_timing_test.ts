/** Waits and holds of the shard locks, with a clock that the test turns. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { LockSet } from "../../../src/store/lock_set.ts";
import type { ControlRegion } from "../../../src/store/control.ts";
import {
  createLockTimingMemory,
  LockTimes,
  LockTiming,
  type ThreadLockTimes,
} from "../../../src/store/lock_timing.ts";
import { type LockKind, ShardLocks } from "../../../src/store/locks.ts";
import { Store } from "../../../src/store/store.ts";
import { keyOf } from "./helpers.ts";
import { lockRegion, locksOf } from "./lock_region.ts";
import type { TimedThreadOrders } from "./lock_timing_worker.ts";

const KINDS: LockKind[] = ["mutex", "rwlock"];
const SHARDS = 4;

/** What one thread told its recorder, in µs. */
class Recorded implements ThreadLockTimes {
  readonly waitsUs: number[] = [];
  readonly holdsUs: number[] = [];
  readonly wait = { recordUs: (us: number) => void this.waitsUs.push(us) };
  readonly hold = { recordUs: (us: number) => void this.holdsUs.push(us) };
}

/** Threads of one isolate with a clock of their own, in ms. */
class Scene {
  nowMs = 1000;
  /** Called at every look at the clock. */
  onLook: (() => void) | undefined;
  readonly region: ControlRegion;
  readonly #memory = createLockTimingMemory(SHARDS);

  constructor(kind: LockKind) {
    this.region = lockRegion(kind, SHARDS);
  }

  thread(threadId: number): { locks: ShardLocks; timing: LockTiming; recorded: Recorded } {
    const timing = new LockTiming(this.#memory, () => {
      this.onLook?.();
      return this.nowMs;
    });
    const recorded = new Recorded();
    timing.thread = recorded;
    const locks = new ShardLocks(this.region, threadId, threadId !== 0, timing);
    return { locks, timing, recorded };
  }
}

/** Count, sum and longest, in µs. */
function facts({ count, sumUs, maxUs }: LockTimes): number[] {
  return [count, sumUs, maxUs];
}

for (const kind of KINDS) {
  for (const exclusive of [true, false]) {
    const mode = `${kind}, ${exclusive ? "exclusive" : "shared"}`;

    Deno.test(`LockTiming (${mode}): a free lock is had at once and held until it is given back`, () => {
      const scene = new Scene(kind);
      const { locks, timing, recorded } = scene.thread(0);
      for (const holdMs of [0.25, 10, 0]) {
        assert.ok(locks.tryLock(2, exclusive));
        scene.nowMs += holdMs;
        locks.unlock(2, exclusive);
        scene.nowMs += 77;
      }
      assert.deepEqual(facts(timing.waits(2)), [3, 0, 0]);
      assert.deepEqual(facts(timing.holds(2)), [3, 10_250, 10_000]);
      assert.deepEqual(recorded.waitsUs, [0, 0, 0]);
      assert.deepEqual(recorded.holdsUs, [250, 10_000, 0]);
      assert.deepEqual(facts(timing.holds(1)), [0, 0, 0], "the neighbour knows nothing of it");
      assert.deepEqual(facts(timing.waits(3)), [0, 0, 0]);
    });

    Deno.test(`LockTiming (${mode}): an attempt that gives up is no acquisition`, () => {
      const scene = new Scene(kind);
      const { locks: holder } = scene.thread(0);
      const { locks, timing, recorded } = scene.thread(1);
      assert.ok(holder.tryLock(0, true));
      assert.equal(locks.tryLock(0, exclusive), false);
      assert.equal(timing.waits(0).count, 1, "the holder's own");
      assert.deepEqual(recorded.waitsUs, []);
      holder.unlock(0, true);
    });

    Deno.test(`LockTiming (${mode}): what tryLock spins is a wait`, () => {
      const scene = new Scene(kind);
      const { locks: holder } = scene.thread(0);
      const { locks, recorded } = scene.thread(1);
      assert.ok(holder.tryLock(0, true));
      scene.onLook = () => {
        scene.onLook = undefined;
        holder.unlock(0, true);
        // The release comes while the spinning thread looks at the clock, the next look is later.
        scene.onLook = () => scene.nowMs += 0.5;
      };
      assert.ok(locks.tryLock(0, exclusive));
      assert.deepEqual(recorded.waitsUs, [500]);
    });

    Deno.test(`LockTiming (${mode}): time asleep in lockAsync is a wait, and ends with the acquisition`, async () => {
      const scene = new Scene(kind);
      const { locks: holder } = scene.thread(0);
      const { locks, timing, recorded } = scene.thread(1);
      assert.ok(holder.tryLock(0, true));
      const waiting = locks.lockAsync(0, exclusive);
      scene.nowMs += 30;
      holder.unlock(0, true);
      await Promise.all([waiting, delay(1)]);
      scene.nowMs += 5;
      locks.unlock(0, exclusive);
      assert.deepEqual(recorded.waitsUs, [30_000]);
      assert.deepEqual(recorded.holdsUs, [5000]);
      assert.deepEqual(facts(timing.waits(0)), [2, 30_000, 30_000]);
      assert.deepEqual(facts(timing.holds(0)), [2, 35_000, 30_000]);
    });
  }

  Deno.test(`LockTiming (${kind}): two connections that wait for two shards do not mix`, async () => {
    const scene = new Scene(kind);
    const { locks: holder } = scene.thread(0);
    const { locks, timing } = scene.thread(1);
    assert.ok(holder.tryLock(0, true) && holder.tryLock(1, true));
    const first = locks.lockAsync(0, true);
    scene.nowMs += 10;
    const second = locks.lockAsync(1, true);
    scene.nowMs += 10;
    holder.unlock(1, true);
    await Promise.all([second, delay(1)]);
    scene.nowMs += 10;
    holder.unlock(0, true);
    await Promise.all([first, delay(1)]);
    assert.deepEqual(facts(timing.waits(0)), [2, 30_000, 30_000]);
    assert.deepEqual(facts(timing.waits(1)), [2, 10_000, 10_000]);
  });

  for (const exclusive of [true, false]) {
    Deno.test(`LockTiming (${kind}, exclusive: ${exclusive}): time asleep in lock is a wait`, async () => {
      const scene = new Scene(kind);
      const { locks, recorded } = scene.thread(0);
      const signals = new Int32Array(new SharedArrayBuffer(8));
      const url = new URL("./lock_timing_worker.ts", import.meta.url);
      const holder = new Worker(url, { type: "module" });
      const done = new Promise((resolve) => holder.onmessage = resolve);
      const orders: TimedThreadOrders = {
        control: scene.region.buffer,
        timing: createLockTimingMemory(SHARDS),
        signals: signals.buffer,
        threadId: 1,
        what: "hold",
        rounds: 0,
        exclusiveEvery: 1,
        isBroken: false,
      };
      holder.postMessage(orders);
      while (Atomics.load(signals, 0) === 0) await delay(1);
      // Each look at the clock is 7 ms after the one before: the wait is 7 ms, whatever it took.
      scene.onLook = () => scene.nowMs += 7;
      // The holder goes only when this thread is among those that wait.
      locks.lock(0, exclusive);
      locks.unlock(0, exclusive);
      await done;
      assert.deepEqual(recorded.waitsUs, [7000]);
      assert.deepEqual(recorded.holdsUs, [7000]);
    });
  }

  Deno.test(`LockTiming (${kind}): locks that are held together count each for itself`, () => {
    const scene = new Scene(kind);
    const { locks, timing } = scene.thread(0);
    const set = new LockSet(locks, SHARDS);
    for (const shard of [3, 0, 1]) set.add(shard);
    set.seal();
    assert.equal(set.tryLock(true), -1);
    scene.nowMs += 4;
    set.unlock(true);
    assert.deepEqual([0, 1, 2, 3].map((shard) => timing.holds(shard).sumUs), [4000, 4000, 0, 4000]);
  });

  Deno.test(`LockTiming (${kind}): a command that waits one by one holds what it has meanwhile`, async () => {
    const scene = new Scene(kind);
    const { locks: holder } = scene.thread(0);
    const { locks, timing } = scene.thread(1);
    assert.ok(holder.tryLock(2, true));
    assert.ok(locks.tryLock(0, true));
    const waiting = locks.lockAsync(2, true);
    scene.nowMs += 20;
    holder.unlock(2, true);
    await Promise.all([waiting, delay(1)]);
    locks.unlock(0, true);
    scene.nowMs += 1;
    locks.unlock(2, true);
    assert.deepEqual(facts(timing.holds(0)), [1, 20_000, 20_000]);
    assert.deepEqual(facts(timing.waits(2)), [2, 20_000, 20_000]);
    assert.deepEqual(facts(timing.holds(2)), [2, 21_000, 20_000]);
  });

  Deno.test(`LockTiming (${kind}): what a dead owner held is not recorded`, () => {
    const scene = new Scene(kind);
    const supervisor = scene.thread(0);
    const worker = scene.thread(1);
    assert.ok(supervisor.locks.tryLock(0, true));
    supervisor.locks.unlock(0, true);
    assert.ok(worker.locks.tryLock(0, true));
    scene.nowMs += 5000;
    supervisor.locks.takeOver(0);
    supervisor.locks.unlock(0, true);
    assert.deepEqual(facts(supervisor.timing.waits(0)), [2, 0, 0]);
    assert.deepEqual(facts(supervisor.timing.holds(0)), [1, 0, 0]);
    assert.deepEqual(supervisor.recorded.holdsUs, [0]);
    // The replacement has the dead one's id and begins anew.
    const replacement = scene.thread(1);
    assert.ok(replacement.locks.tryLock(0, true));
    scene.nowMs += 2;
    replacement.locks.unlock(0, true);
    assert.deepEqual(replacement.recorded.holdsUs, [2000]);
  });
}

Deno.test("LockTiming (rwlock): shared holds of one thread that overlap add up, in any order", () => {
  const scene = new Scene("rwlock");
  const { locks, timing, recorded } = scene.thread(0);
  fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (steps) => {
    const before = timing.holds(1);
    const heldBefore = recorded.holdsUs.length;
    let holders = 0;
    let expectedUs = 0;
    // Which of the holders gives its lock back cannot be seen in the sum.
    for (const takes of [...steps, ...steps.map(() => false)]) {
      if (takes) {
        assert.ok(locks.tryLock(1, false));
        holders++;
      } else if (holders > 0) {
        locks.unlock(1, false);
        holders--;
      }
      scene.nowMs += 3;
      expectedUs += holders * 3000;
    }
    assert.equal(holders, 0);
    const after = timing.holds(1);
    assert.equal(after.count - before.count, steps.filter((takes) => takes).length);
    assert.equal(after.sumUs - before.sumUs, expectedUs);
    const own = recorded.holdsUs.slice(heldBefore).reduce((sum, us) => sum + us, 0);
    assert.equal(own, expectedUs);
  }));
  assert.ok(locks.tryLock(1, true), "nobody holds it any more");
});

Deno.test("LockTiming: a clock that is set back makes no negative durations", () => {
  const scene = new Scene("mutex");
  const { locks, timing } = scene.thread(0);
  assert.ok(locks.tryLock(0, true));
  scene.nowMs -= 500;
  locks.unlock(0, true);
  assert.deepEqual(facts(timing.holds(0)), [1, 0, 0]);
});

for (const kind of KINDS) {
  Deno.test(`LockTimes (${kind}): quantiles are not below the true ones, and less than twice as long`, () => {
    const durations = fc.array(fc.double({ min: 0.0001, max: 60_000, noNaN: true }), {
      minLength: 1,
      maxLength: 100,
    });
    const quantile = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(fc.property(durations, quantile, (list, quantile) => {
      const scene = new Scene(kind);
      const { locks, timing } = scene.thread(0);
      for (const durationMs of list) {
        // From 0, so that the clock's own steps do not matter.
        scene.nowMs = 0;
        assert.ok(locks.tryLock(0, false));
        scene.nowMs = durationMs;
        locks.unlock(0, false);
      }
      const times = timing.holds(0);
      const sorted = list.toSorted((a, b) => a - b);
      const exactMs = sorted[Math.max(0, Math.ceil(list.length * quantile) - 1)]!;
      const gotMs = times.quantileMs(quantile);
      assert.equal(times.count, list.length);
      assert.ok(gotMs >= exactMs, `${gotMs} >= ${exactMs}`);
      // The last bucket has no end but the longest duration.
      const mostMs = exactMs > 2 ** 25 / 1000 ? times.maxUs / 1000 : Math.max(0.001, 2 * exactMs);
      assert.ok(gotMs <= mostMs, `${gotMs} is close to ${exactMs}`);
      const sumUs = list.reduce((sum, ms) => sum + ms * 1000, 0);
      assert.ok(Math.abs(times.sumUs - sumUs) <= 0.001 * list.length, `${times.sumUs} ${sumUs}`);
      assert.equal(times.quantileMs(1), Math.ceil(sorted.at(-1)! * 1000) / 1000);
    }));
  });
}

Deno.test("LockTimes: without durations everything is 0", () => {
  const { timing } = new Scene("mutex").thread(0);
  assert.deepEqual(facts(timing.waits(0)), [0, 0, 0]);
  assert.equal(timing.waits(0).quantileMs(0.99), 0);
});

Deno.test("Store: locks are timed if it was made so, on every thread; 4,096 shards take 1 MiB", () => {
  const options = {
    lockKind: "mutex",
    maxMemoryBytes: 64 * 2 ** 20,
    maxValueBytes: 1000,
    threadCount: 4,
  } as const;
  const plain = Store.create({ ...options, shardCount: 4 });
  assert.equal(plain.memory.lockTiming, undefined);
  assert.equal(plain.locks.timing, undefined);
  assert.equal(Store.attach(structuredClone(plain.memory), 1).locks.timing, undefined);

  const main = Store.create({ ...options, shardCount: 4, lockTiming: true });
  const worker = Store.attach(structuredClone(main.memory), 1);
  const key = keyOf(main, "a");
  worker.locks.lock(key.shard, true);
  worker.locks.unlock(key.shard, true);
  assert.equal(main.locks.timing?.waits(key.shard).count, 1);
  assert.equal(main.locks.timing?.holds(key.shard).count, 1);
  assert.equal(createLockTimingMemory(4096).byteLength, 2 ** 20);
});

Deno.test("ShardLocks: without timing nothing changes for who waits or holds", () => {
  const region = lockRegion("mutex");
  const locks = locksOf(region, 0);
  assert.equal(locks.timing, undefined);
  assert.ok(locks.tryLock(0, true));
  assert.equal(locksOf(region, 1).tryLock(0, true), false);
  locks.unlock(0, true);
  assert.deepEqual(locks.counters(0), { exclusive: 1, shared: 0, contended: 0 });
});
