/// <reference lib="deno.worker" />
/**
 * One thread of the lease stress; see lease_harness.ts.
 *
 * @module
 */

import { keepAwake } from "../helpers/keep_awake.ts";
import { Key } from "../../src/store/key.ts";
import type * as storeModule from "../../src/store/store.ts";
import { LeaseEvidence, type LeaseOrders, type LeaseReport } from "./lease_evidence.ts";
import { faultIn, fillValue } from "./store_evidence.ts";

/** Leases that a thread reads in turn. */
const MOST_LEASES = 3;

/** How long the last leases may take to end. Unit: ms. */
const PATIENCE_MS = 20_000;

/** A value that is being read. */
interface Reading {
  lease: storeModule.ValueLease;
  keyIndex: number;
  bytes: Uint8Array;
  byteCount: number;
}

class Stress {
  readonly report: LeaseReport = {
    valuesRead: 0,
    orphanPieces: 0,
    abandoned: 0,
    outOfMemory: 0,
    reclaims: 0,
    violation: "",
  };
  readonly #orders: LeaseOrders;
  readonly #store: storeModule.Store;
  readonly #statuses: typeof storeModule.WriteStatus;
  readonly #evidence: Int32Array;
  readonly #key = new Key();
  readonly #keyBytes = new Uint8Array(16);
  readonly #value: Uint8Array;
  readonly #readings: Reading[] = [];
  readonly #spareBytes: Uint8Array[] = [];
  #random: number;

  constructor(orders: LeaseOrders, { Store, WriteStatus }: typeof storeModule) {
    this.#orders = orders;
    this.#store = Store.attach(orders.memory, orders.threadId, false);
    this.#statuses = WriteStatus;
    this.#evidence = new Int32Array(orders.evidence);
    this.#value = new Uint8Array(orders.maxValueBytes);
    for (let i = 0; i < MOST_LEASES; i++) {
      this.#spareBytes.push(new Uint8Array(orders.maxValueBytes));
    }
    this.#random = (orders.threadId + 1) * 104729;
  }

  async run(): Promise<void> {
    for (let i = 0; i < this.#orders.operations && this.report.violation === ""; i++) {
      if (Atomics.load(this.#evidence, LeaseEvidence.STOP) !== 0) break;
      this.#store.nowMs = Date.now();
      const dice = this.#next() % 100;
      const index = this.#next() % this.#orders.keys;
      if (dice < 12) await this.#take(index);
      else if (dice < 70) this.#readOn();
      else if (dice < 90) await this.#write(index);
      else if (dice < 95) await this.#remove(index);
      else if (this.#store.reclaim()) this.report.reclaims++;
    }
    for (const { lease } of this.#readings) lease.release();
    await this.#awaitLastOrphan();
  }

  async #take(index: number): Promise<void> {
    if (this.#readings.length === MOST_LEASES) return this.#readOn();
    const shard = this.#locate(index);
    await this.#lock(shard, false);
    const entry = this.#store.lookup(0, this.#key);
    const byteCount = entry === 0 ? 0 : this.#store.stringLength(entry);
    if (byteCount > 8192) {
      const bytes = this.#spareBytes.pop()!;
      this.#readings.push({ lease: this.#store.lease(entry), keyIndex: index, bytes, byteCount });
    }
    this.#store.locks.unlock(shard, false);
  }

  /** A piece of one of the values that are being read; sometimes its reader leaves. */
  #readOn(): void {
    if (this.#readings.length === 0) return;
    const which = this.#next() % this.#readings.length;
    const { lease, bytes, byteCount, keyIndex } = this.#readings[which]!;
    const piece = Math.min(lease.remaining, 1 + this.#next() % 20_000);
    lease.copyNext(bytes, byteCount - lease.remaining, piece);
    if (lease.isOrphan) this.report.orphanPieces++;
    const leaves = this.#next() % 20 === 0;
    if (lease.remaining > 0 && !leaves) return;
    if (lease.remaining === 0) {
      this.#violated(faultIn(bytes, byteCount, keyIndex));
      this.report.valuesRead++;
    } else {
      this.report.abandoned++;
    }
    lease.release();
    this.#spareBytes.push(bytes);
    this.#readings.splice(which, 1);
  }

  async #write(index: number): Promise<void> {
    const shard = this.#locate(index);
    // Mostly large ones; the small ones take the places that compaction and frees leave.
    const most = this.#next() % 10 === 0 ? 9000 : this.#orders.maxValueBytes;
    const byteCount = 12 + this.#next() % (most - 12);
    fillValue(this.#value, byteCount, index, this.#next());
    for (let attempt = 0; attempt < 3; attempt++) {
      await this.#lock(shard, true);
      const status = this.#store.setString(0, this.#key, this.#value, 0, byteCount, 0);
      this.#store.locks.unlock(shard, true);
      if (status === this.#statuses.OK) return;
      if (status !== this.#statuses.OUT_OF_MEMORY) return this.#violated(`set says ${status}`);
      this.report.outOfMemory++;
      if (!this.#store.reclaim()) return;
      this.report.reclaims++;
    }
  }

  async #remove(index: number): Promise<void> {
    const shard = this.#locate(index);
    await this.#lock(shard, true);
    this.#store.remove(0, this.#key);
    this.#store.locks.unlock(shard, true);
  }

  /** Who is last to finish is last to free; a thread must be there until its own are freed. */
  async #awaitLastOrphan(): Promise<void> {
    Atomics.add(this.#evidence, LeaseEvidence.FINISHED, 1);
    const untilMs = performance.now() + PATIENCE_MS;
    while (Atomics.load(this.#evidence, LeaseEvidence.STOP) === 0) {
      const allFinished =
        Atomics.load(this.#evidence, LeaseEvidence.FINISHED) >= this.#orders.threads;
      if (allFinished && this.#store.stats().orphanBytes === 0) return;
      if (performance.now() > untilMs) {
        return this.#violated("orphans are left when all leases have ended");
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async #lock(shard: number, exclusive: boolean): Promise<void> {
    // As threads that serve connections do. One that slept here would keep its own ended leases
    // from the lock that they wait for.
    const { locks } = this.#store;
    if (!locks.tryLock(shard, exclusive)) await locks.lockAsync(shard, exclusive);
  }

  #locate(index: number): number {
    const { written } = new TextEncoder().encodeInto(`k${index}`, this.#keyBytes);
    this.#store.locate(this.#key.set(this.#keyBytes, 0, written));
    return this.#key.shard;
  }

  #violated(what: string): void {
    if (what === "" || this.report.violation !== "") return;
    this.report.violation = what;
    Atomics.store(this.#evidence, LeaseEvidence.STOP, 1);
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return this.#random >>> 8;
  }
}

self.onmessage = async (message: MessageEvent<LeaseOrders>) => {
  using _awake = keepAwake();
  const orders = message.data;
  const stress = new Stress(orders, await import(orders.storeModule));
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, LeaseEvidence.START, 0);
  // A pending waitAsync alone does not keep this thread alive.
  const timer = setInterval(() => {}, 1000);
  try {
    await stress.run();
  } catch (error) {
    stress.report.violation ||= (error as Error).stack ?? String(error);
    Atomics.store(evidence, LeaseEvidence.STOP, 1);
  }
  clearInterval(timer);
  self.postMessage(stress.report);
  self.close();
};
