/// <reference lib="deno.worker" />
/**
 * One thread of the lock stress; see lock_harness.ts.
 *
 * @module
 */

import { keepAwake } from "../helpers/keep_awake.ts";
import { ControlRegion } from "../../src/store/control.ts";
import type { ShardLocks } from "../../src/store/locks.ts";
import {
  Block,
  BLOCK_WORDS,
  DATA_WORDS,
  LockEvidence,
  type LockOrders,
  type LockReport,
} from "./lock_evidence.ts";

/** Concurrent tasks of a thread with the role `tasks`. */
const TASKS = 6;

class Stress {
  readonly report: LockReport;
  readonly #orders: LockOrders;
  readonly #locks: ShardLocks;
  readonly #evidence: Int32Array;
  #left: number;
  #random: number;

  constructor(orders: LockOrders, locks: ShardLocks) {
    this.#orders = orders;
    this.#locks = locks;
    this.#evidence = new Int32Array(orders.evidence);
    this.#left = orders.sections;
    this.#random = (orders.threadId + 1) * 7919;
    this.report = {
      exclusiveSections: orders.hotShards.map(() => 0),
      sharedSections: 0,
      violations: 0,
      sharedOverlaps: 0,
      error: "",
    };
  }

  async run(): Promise<void> {
    const blocking = this.#orders.role === "blocking";
    while (this.#left > 0 && Atomics.load(this.#evidence, LockEvidence.STOP) === 0) {
      this.#left--;
      const hot = this.#next() % this.#orders.hotShards.length;
      const shard = this.#orders.hotShards[hot]!;
      const exclusive = this.#next() % 1000 < this.#orders.exclusiveShare * 1000;
      const way = this.#next() % 3;
      // Tries often enough that most of these are granted without a sleep, as in the server.
      let held = way === 0 && this.#locks.tryLock(shard, exclusive);
      for (let i = 0; way === 0 && !held && i < 20; i++) {
        held = this.#locks.tryLock(shard, exclusive);
      }
      if (!held) {
        if (blocking && way !== 2) this.#locks.lock(shard, exclusive);
        else await this.#locks.lockAsync(shard, exclusive);
      }
      if (this.#orders.releasesEarly) this.#locks.unlock(shard, exclusive);
      const alone = exclusive || !this.#orders.sharing;
      if (alone) this.#writeSection(hot);
      else this.#readSection(hot);
      if (!this.#orders.releasesEarly) this.#locks.unlock(shard, exclusive);
      // A thread that serves connections goes back to its event loop now and then.
      if (!blocking && this.#left % 32 === 0) await new Promise((done) => setTimeout(done, 0));
    }
  }

  /** Changes words one after the other, which only a lock makes look like one change. */
  #writeSection(hot: number): void {
    const evidence = this.#evidence;
    const block = LockEvidence.BLOCKS + hot * BLOCK_WORDS;
    const others = Atomics.add(evidence, block + Block.INSIDE_ALONE, 1) +
      Atomics.load(evidence, block + Block.INSIDE_SHARED);
    const value = evidence[block + Block.DATA]!;
    let torn = others !== 0;
    for (let i = 0; i < DATA_WORDS; i++) {
      const at = block + Block.DATA + i * 16;
      if (evidence[at] !== value) torn = true;
      evidence[at] = value + 1;
      // Wide enough that others knock at the door meanwhile.
      if (i === DATA_WORDS / 2) this.#linger();
    }
    Atomics.sub(evidence, block + Block.INSIDE_ALONE, 1);
    this.report.exclusiveSections[hot]!++;
    this.#note(torn);
  }

  #readSection(hot: number): void {
    const evidence = this.#evidence;
    const block = LockEvidence.BLOCKS + hot * BLOCK_WORDS;
    if (Atomics.add(evidence, block + Block.INSIDE_SHARED, 1) > 0) this.report.sharedOverlaps++;
    const value = evidence[block + Block.DATA]!;
    let torn = false;
    for (let i = DATA_WORDS - 1; i >= 0; i--) {
      if (evidence[block + Block.DATA + i * 16] !== value) torn = true;
    }
    if (Atomics.load(evidence, block + Block.INSIDE_ALONE) !== 0) torn = true;
    Atomics.sub(evidence, block + Block.INSIDE_SHARED, 1);
    this.report.sharedSections++;
    this.#note(torn);
  }

  #linger(): void {
    for (let i = this.#next() % 8; i > 0; i--) Atomics.pause?.();
  }

  #note(torn: boolean): void {
    if (!torn) return;
    this.report.violations++;
    // One is enough; a broken twin need not run to its end.
    Atomics.store(this.#evidence, LockEvidence.STOP, 1);
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return this.#random >>> 8;
  }
}

self.onmessage = async (message: MessageEvent<LockOrders>) => {
  using _awake = keepAwake();
  const orders = message.data;
  const module = await import(orders.locksModule) as { ShardLocks: typeof ShardLocks };
  const region = ControlRegion.attach(orders.control);
  const stress = new Stress(orders, new module.ShardLocks(region, orders.threadId, true));
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, LockEvidence.START, 0);
  // A pending waitAsync alone does not keep this thread alive.
  const timer = setInterval(() => {}, 1000);
  const taskCount = orders.role === "tasks" ? TASKS : 1;
  try {
    await Promise.all(Array.from({ length: taskCount }, () => stress.run()));
  } catch (error) {
    stress.report.error = String(error);
    Atomics.store(evidence, LockEvidence.STOP, 1);
  }
  clearInterval(timer);
  self.postMessage(stress.report);
  self.close();
};
