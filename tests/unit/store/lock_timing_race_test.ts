/** Many threads that count waits and holds of one lock at the same time. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { createLockTimingMemory, LockTiming } from "../../../src/store/lock_timing.ts";
import type { LockKind } from "../../../src/store/locks.ts";
import { lockRegion, locksOf } from "./lock_region.ts";
import type { TimedThreadOrders, TimedThreadReport } from "./lock_timing_worker.ts";

const THREADS = 3;

/** Counts of a run, as the threads and as the shard's record have them. */
interface Run {
  acquisitions: number;
  contended: number;
  threads: TimedThreadReport;
  shard: TimedThreadReport;
}

async function race(kind: LockKind, rounds: number, isBroken: boolean): Promise<Run> {
  const region = lockRegion(kind, 1);
  const timing = createLockTimingMemory(1);
  const signals = new Int32Array(new SharedArrayBuffer(8));
  const reports = Array.from({ length: THREADS }, (_, i) => {
    const url = new URL("./lock_timing_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const orders: TimedThreadOrders = {
      control: region.buffer,
      timing,
      signals: signals.buffer,
      threadId: i + 1,
      what: "loop",
      rounds,
      exclusiveEvery: 50,
      isBroken,
    };
    worker.postMessage(orders);
    return new Promise<TimedThreadReport>((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
    });
  });
  while (Atomics.load(signals, 0) < THREADS) await delay(1);
  Atomics.store(signals, 1, 1);
  const threads = (await Promise.all(reports)).reduce((sum, one) => ({
    waits: sum.waits + one.waits,
    holds: sum.holds + one.holds,
    waitSumUs: sum.waitSumUs + one.waitSumUs,
    holdSumUs: sum.holdSumUs + one.holdSumUs,
  }));
  const { exclusive, shared, contended } = locksOf(region, 0).counters(0);
  const reader = new LockTiming(timing);
  const [waits, holds] = [reader.waits(0), reader.holds(0)];
  return {
    acquisitions: exclusive + shared,
    contended,
    threads,
    shard: {
      waits: waits.count,
      holds: holds.count,
      waitSumUs: waits.sumUs,
      holdSumUs: holds.sumUs,
    },
  };
}

/** Sums in whole nanoseconds may be half of one off for each duration. */
function isComplete({ acquisitions, threads, shard }: Run): boolean {
  const roundingUs = acquisitions * 0.001;
  return shard.waits === acquisitions && shard.holds === acquisitions &&
    Math.abs(shard.waitSumUs - threads.waitSumUs) <= roundingUs &&
    Math.abs(shard.holdSumUs - threads.holdSumUs) <= roundingUs;
}

for (const kind of ["mutex", "rwlock"] as const) {
  Deno.test(`LockTiming (${kind}): a shard's record misses nothing that any thread counted`, async () => {
    if (kind === "rwlock") {
      let broken = await race(kind, 20_000, true);
      for (let round = 1; round < 20 && isComplete(broken); round++) {
        broken = await race(kind, 20_000, true);
      }
      assert.ok(!isComplete(broken), "inconclusive: shared holders never met in the record");
    }
    let contended = 0;
    for (let round = 0; round < 20 && contended < 1000; round++) {
      const run = await race(kind, 20_000, false);
      assert.equal(run.acquisitions, THREADS * 20_000);
      assert.equal(run.threads.waits, run.acquisitions);
      assert.equal(run.threads.holds, run.acquisitions);
      assert.ok(isComplete(run), JSON.stringify(run));
      contended += run.contended;
    }
    assert.ok(contended >= 1000, `inconclusive: ${contended} contended acquisitions`);
  });
}
