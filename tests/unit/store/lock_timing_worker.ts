/// <reference lib="deno.worker" />
/** A thread of lock_timing_test.ts and lock_timing_race_test.ts. */

import { ControlRegion } from "../../../src/store/control.ts";
import { LockTiming } from "../../../src/store/lock_timing.ts";
import { ShardLocks } from "../../../src/store/locks.ts";
import { waiting } from "./lock_region.ts";

/** What the thread is told. */
export interface TimedThreadOrders {
  control: SharedArrayBuffer;
  timing: SharedArrayBuffer;
  /** Word 0: threads that are ready; word 1: go. */
  signals: SharedArrayBuffer;
  threadId: number;
  /** Holds shard 0's lock until somebody waits for it, or takes it `rounds` times. */
  what: "hold" | "loop";
  rounds: number;
  /** Every so many-th acquisition is exclusive. */
  exclusiveEvery: number;
  /** Broken twin: shared holders write as if they were alone. */
  isBroken: boolean;
}

/** What the thread saw. */
export interface TimedThreadReport {
  waits: number;
  holds: number;
  waitSumUs: number;
  holdSumUs: number;
}

class BrokenTiming extends LockTiming {
  override acquired(shard: number, _alone: boolean, sinceMs: number): void {
    super.acquired(shard, true, sinceMs);
  }

  override released(shard: number): void {
    super.released(shard, true);
  }
}

self.onmessage = ({ data }: MessageEvent<TimedThreadOrders>) => {
  const region = ControlRegion.attach(data.control);
  const timing = new (data.isBroken ? BrokenTiming : LockTiming)(data.timing);
  const report: TimedThreadReport = { waits: 0, holds: 0, waitSumUs: 0, holdSumUs: 0 };
  timing.thread = {
    wait: {
      recordUs(us) {
        report.waits++;
        report.waitSumUs += us;
      },
    },
    hold: {
      recordUs(us) {
        report.holds++;
        report.holdSumUs += us;
      },
    },
  };
  const locks = new ShardLocks(region, data.threadId, true, timing);
  const signals = new Int32Array(data.signals);
  if (data.what === "hold") {
    locks.lock(0, true);
    Atomics.add(signals, 0, 1);
    while (waiting(region, 0).every((count) => count === 0)) Atomics.wait(signals, 1, 0, 1);
    locks.unlock(0, true);
  } else {
    Atomics.add(signals, 0, 1);
    while (Atomics.load(signals, 1) === 0);
    for (let round = 1; round <= data.rounds; round++) {
      const exclusive = round % data.exclusiveEvery === 0;
      locks.lock(0, exclusive);
      locks.unlock(0, exclusive);
    }
  }
  self.postMessage(report);
  self.close();
};
