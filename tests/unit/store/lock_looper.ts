/// <reference lib="deno.worker" />
/** A thread of locks_test.ts: takes shard 0's lock in a tight loop, or once. */

import { ControlRegion } from "../../../src/store/control.ts";
import { locksOf } from "./lock_region.ts";

/** What the thread is told. */
export interface LooperOrders {
  control: SharedArrayBuffer;
  /** Word 0: stop. Word 1: loops begun. Word 2: rounds of all. */
  signals: SharedArrayBuffer;
  threadId: number;
  /** `loop` until told to stop; `once` and report how it ended. */
  what: "loop" | "once";
  exclusive: boolean;
}

self.onmessage = (message: MessageEvent<LooperOrders>) => {
  const { threadId, what, exclusive } = message.data;
  const signals = new Int32Array(message.data.signals);
  const locks = locksOf(ControlRegion.attach(message.data.control), threadId);
  Atomics.add(signals, 1, 1);
  let outcome = "done";
  try {
    do {
      locks.lock(0, exclusive);
      locks.unlock(0, exclusive);
      Atomics.add(signals, 2, 1);
    } while (what === "loop" && Atomics.load(signals, 0) === 0);
  } catch (error) {
    outcome = (error as Error).name;
  }
  self.postMessage(outcome);
  self.close();
};
