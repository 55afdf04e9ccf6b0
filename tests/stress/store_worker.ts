/// <reference lib="deno.worker" />
/**
 * One thread of the store stress; see store_harness.ts.
 *
 * @module
 */

import { keepAwake } from "../helpers/keep_awake.ts";
import { Int64 } from "../../src/base/int64.ts";
import type { BackgroundWork } from "../../src/store/background.ts";
import { Key } from "../../src/store/key.ts";
import { Store, WriteStatus } from "../../src/store/store.ts";
import {
  balanceName,
  faultIn,
  fillValue,
  StoreEvidence,
  type StoreOrders,
  type StoreReport,
} from "./store_evidence.ts";

class Stress {
  readonly report: StoreReport;
  readonly #orders: StoreOrders;
  readonly #store: Store;
  readonly #evidence: Int32Array;
  readonly #key = new Key();
  readonly #keyBytes = new Uint8Array(200);
  readonly #value: Uint8Array;
  readonly #delta = new Int64();
  readonly #sum = new Int64();
  readonly #sweep: BackgroundWork;
  #random: number;

  constructor(orders: StoreOrders) {
    this.#orders = orders;
    this.#store = Store.attach(orders.memory, orders.threadId);
    this.#sweep = this.#store.backgroundWork(() => Date.now() - 500 + this.#next() % 1000);
    this.#evidence = new Int32Array(orders.evidence);
    this.#value = new Uint8Array(orders.maxValueBytes + 16);
    this.#random = (orders.threadId + 1) * 104729;
    this.report = {
      added: new Array<number>(orders.keys).fill(0),
      settled: new Array<number>(orders.keys).fill(0),
      keysMade: 0,
      overlaps: 0,
      outOfMemory: 0,
      reclaims: 0,
      refusedCredits: 0,
      violation: "",
    };
  }

  async run(): Promise<void> {
    const { operations, keys } = this.#orders;
    for (let i = 0; i < operations && this.report.violation === ""; i++) {
      if (Atomics.load(this.#evidence, StoreEvidence.STOP) !== 0) return;
      this.#store.nowMs = Date.now();
      // Out of step with the other threads, as after the clock was set.
      if (this.#next() % 64 === 0) this.#sweep.run(0.2);
      const dice = this.#next() % 100;
      const index = this.#next() % keys;
      if (dice < 30) await this.#read("s", index);
      else if (dice < 55) await this.#write("s", index);
      else if (dice < 75) await this.#add(index);
      else if (dice < 83) await this.#remove("s", index);
      else if (dice < 86) await this.#read("t", index);
      else if (dice < 91) await this.#write("t", index);
      else if (dice < 92) await this.#remove("t", index);
      else if (dice < 93) await this.#expire("t", index);
      else if (dice < 99) await this.#settle(index);
      else await this.#removeBalance(index);
    }
  }

  async #read(kind: string, index: number): Promise<void> {
    const shard = this.#locate(`${kind}${index}`);
    const unlocked = this.#orders.defect === "reads without the lock";
    if (!unlocked) await this.#enter(shard, false);
    const entry = this.#store.lookup(0, this.#key);
    let byteCount = -1;
    if (entry !== 0) {
      byteCount = this.#store.stringLength(entry);
      if (byteCount > this.#value.length) this.#violated(`a value of ${byteCount} bytes`);
      else this.#store.copyString(entry, this.#value, 0);
    }
    if (!unlocked) this.#leave(shard, false);
    if (byteCount >= 0) this.#violated(faultIn(this.#value, byteCount, index));
  }

  async #write(kind: string, index: number): Promise<void> {
    const shard = this.#locate(`${kind}${index}`);
    const byteCount = this.#valueBytes();
    fillValue(this.#value, byteCount, index, this.#next());
    const expireAtMs = kind === "t" ? this.#store.nowMs + (this.#next() % 20) : 0;
    for (let attempt = 0; attempt < 5; attempt++) {
      await this.#enter(shard, true);
      const isNew = kind === "s" && this.#store.lookup(0, this.#key) === 0;
      const status = this.#store.setString(0, this.#key, this.#value, 0, byteCount, expireAtMs);
      this.#leave(shard, true);
      if (status === WriteStatus.OK) {
        if (isNew) this.report.keysMade++;
        return;
      }
      if (status !== WriteStatus.OUT_OF_MEMORY) return this.#violated(`set says ${status}`);
      this.report.outOfMemory++;
      if (!this.#store.reclaim()) return;
      this.report.reclaims++;
    }
  }

  /** Gives a key another time to live, or none. */
  async #expire(kind: string, index: number): Promise<void> {
    const shard = this.#locate(`${kind}${index}`);
    const spanMs = this.#next() % 3 === 0 ? 100_000 : 20;
    const expireAtMs = this.#next() % 4 === 0 ? 0 : this.#store.nowMs + 1 + this.#next() % spanMs;
    await this.#enter(shard, true);
    if (this.#store.lookup(0, this.#key) !== 0) {
      const status = this.#store.setExpiry(0, this.#key, expireAtMs);
      if (status === WriteStatus.OUT_OF_MEMORY) this.report.outOfMemory++;
    }
    this.#leave(shard, true);
  }

  async #add(index: number): Promise<void> {
    const shard = this.#locate(`n${index}`);
    const amount = (this.#next() % 2001) - 1000;
    this.#delta.setNumber(amount);
    await this.#enter(shard, true);
    const status = this.#store.planAddInteger(0, this.#key, this.#delta, this.#sum, false);
    if (this.#orders.defect === "adds in two sections") {
      this.#leave(shard, true);
      await this.#enter(shard, true);
    }
    if (status === WriteStatus.OK) this.#store.commitPlan();
    this.#leave(shard, true);
    if (status === WriteStatus.OK) this.report.added[index]! += amount;
    else this.#violated(`add to a number that exists says ${status}`);
  }

  async #remove(kind: string, index: number): Promise<void> {
    const shard = this.#locate(`${kind}${index}`);
    await this.#enter(shard, true);
    const existed = this.#store.remove(0, this.#key);
    this.#leave(shard, true);
    if (existed && kind === "s") this.report.keysMade--;
  }

  /** What acceptance and a worker do for an event, a plan that is dropped now and then included. */
  async #settle(index: number): Promise<void> {
    if (!this.#store.credits.tryAcquire()) {
      this.report.refusedCredits++;
      return;
    }
    const shard = this.#locate(balanceName(index));
    const amount = this.#next() % 1000;
    this.#delta.setNumber(amount);
    await this.#enter(shard, true);
    for (let dropped = this.#next() % 4 === 0;; dropped = false) {
      const isNew = this.#store.lookup(0, this.#key) === 0;
      const status = this.#store.planAddInteger(0, this.#key, this.#delta, this.#sum, true);
      if (status !== WriteStatus.OK) {
        this.#violated(`a credited event is refused with ${status}`);
        break;
      }
      if (dropped) {
        this.#store.cancelPlan();
        continue;
      }
      this.#store.commitPlan();
      this.report.settled[index]! += amount;
      if (isNew) this.report.keysMade++;
      break;
    }
    this.#leave(shard, true);
    this.#store.credits.release();
  }

  async #removeBalance(index: number): Promise<void> {
    const shard = this.#locate(balanceName(index));
    await this.#enter(shard, true);
    const entry = this.#store.lookup(0, this.#key);
    if (entry !== 0) {
      if (!this.#store.readInteger(entry, this.#sum)) this.#violated("a balance is a number");
      this.report.settled[index]! -= this.#sum.toNumber();
      this.#store.remove(0, this.#key);
      this.report.keysMade--;
    }
    this.#leave(shard, true);
  }

  async #enter(shard: number, exclusive: boolean): Promise<void> {
    if (this.#orders.defect !== "no lock at all") {
      const locks = this.#store.locks;
      const way = this.#next() % 4;
      if (!locks.tryLock(shard, exclusive)) {
        if (way === 0) await locks.lockAsync(shard, exclusive);
        else locks.lock(shard, exclusive);
      }
    }
    if (Atomics.add(this.#evidence, StoreEvidence.INSIDE, 1) > 0) this.report.overlaps++;
  }

  #leave(shard: number, exclusive: boolean): void {
    Atomics.sub(this.#evidence, StoreEvidence.INSIDE, 1);
    if (this.#orders.defect !== "no lock at all") this.#store.locks.unlock(shard, exclusive);
  }

  #locate(name: string): number {
    const { written } = new TextEncoder().encodeInto(name, this.#keyBytes);
    this.#store.locate(this.#key.set(this.#keyBytes, 0, written));
    return this.#key.shard;
  }

  /** Mostly small, sometimes a whole block, rarely several extents. */
  #valueBytes(): number {
    const dice = this.#next() % 100;
    const most = dice < 70 ? 300 : dice < 93 ? 9000 : this.#orders.maxValueBytes;
    return 12 + (this.#next() % (Math.min(most, this.#orders.maxValueBytes) - 12));
  }

  #violated(what: string): void {
    if (what === "" || this.report.violation !== "") return;
    this.report.violation = what;
    Atomics.store(this.#evidence, StoreEvidence.STOP, 1);
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return this.#random >>> 8;
  }
}

self.onmessage = async (message: MessageEvent<StoreOrders>) => {
  using _awake = keepAwake();
  const orders = message.data;
  const stress = new Stress(orders);
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, StoreEvidence.START, 0);
  // A pending waitAsync alone does not keep this thread alive.
  const timer = setInterval(() => {}, 1000);
  try {
    await stress.run();
  } catch (error) {
    stress.report.violation ||= (error as Error).stack ?? String(error);
    Atomics.store(evidence, StoreEvidence.STOP, 1);
  }
  clearInterval(timer);
  self.postMessage(stress.report);
  self.close();
};
