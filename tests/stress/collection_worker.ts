/// <reference lib="deno.worker" />
/**
 * One thread of the collection stress; see collection_harness.ts.
 *
 * @module
 */

import { keepAwake } from "../helpers/keep_awake.ts";
import type * as leaseModule from "../../src/store/collection/collection_lease.ts";
import type { Collection } from "../../src/store/collection/collection.ts";
import { Key } from "../../src/store/key.ts";
import type * as storeModule from "../../src/store/store.ts";
import {
  CollectionEvidence,
  type CollectionOrders,
  type CollectionReport,
  LIST_SUM,
} from "./collection_evidence.ts";

/** Elements that a reader takes at a time. */
const PIECE = 40;
const MOST_LEASES = 3;
/** How long the last leases may take to end. Unit: ms. */
const PATIENCE_MS = 20_000;

interface Reading {
  lease: leaseModule.CollectionLease;
  keyIndex: number;
  seq: number;
  seen: number;
  sum: number;
}

class Stress {
  readonly report: CollectionReport = {
    listsRead: 0,
    changedMeanwhile: 0,
    changes: 0,
    reclaims: 0,
    violation: "",
  };
  readonly #orders: CollectionOrders;
  readonly #store: storeModule.Store;
  readonly #module: typeof storeModule;
  readonly #evidence: Int32Array;
  readonly #key = new Key();
  readonly #keyBytes = new Uint8Array(16);
  readonly #text = new Uint8Array(4096);
  readonly #readings: Reading[] = [];
  #random: number;

  constructor(orders: CollectionOrders, module: typeof storeModule) {
    this.#orders = orders;
    this.#module = module;
    this.#store = module.Store.attach(orders.memory, orders.threadId, false);
    this.#evidence = new Int32Array(orders.evidence);
    this.#random = (orders.threadId + 1) * 104729;
  }

  async run(): Promise<void> {
    for (let i = 0; i < this.#orders.operations && this.report.violation === ""; i++) {
      if (Atomics.load(this.#evidence, CollectionEvidence.STOP) !== 0) break;
      this.#store.nowMs = Date.now();
      const dice = this.#next() % 100;
      const index = this.#next() % this.#orders.keys;
      if (dice < 10) await this.#take(index);
      else if (dice < 45) await this.#readOn();
      else if (dice < 98) await this.#change(index);
      else if (dice < 99) await this.#remove(index);
      else if (this.#store.reclaim()) this.report.reclaims++;
      if (i % 64 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    for (const { lease } of this.#readings) lease.release();
    await this.#awaitOthers();
  }

  async #take(index: number): Promise<void> {
    if (this.#readings.length === MOST_LEASES) return this.#readOn();
    const shard = await this.#lock(index, false);
    const c = this.#open(false);
    if (c.count > 0) {
      const lease = this.#store.collectionLeases.take(c);
      lease.cursor.seekFirst();
      const seq = this.#store.entrySeq(c.entry);
      this.#readings.push({ lease, keyIndex: index, seq, seen: 0, sum: 0 });
    }
    this.#store.locks.unlock(shard, false);
  }

  /** Some more elements of one of the lists that are being read. */
  async #readOn(): Promise<void> {
    if (this.#readings.length === 0) return;
    const which = this.#next() % this.#readings.length;
    const reading = this.#readings[which]!;
    const { cursor, count } = reading.lease;
    for (let i = 0; i < PIECE && cursor.isValid; i++) {
      reading.sum += this.#numberAt(reading.lease);
      reading.seen++;
      if (reading.seen > count) return this.#violated(`more than ${count} elements`);
      cursor.next();
    }
    if (cursor.isValid) return;
    if (reading.seen !== count) this.#violated(`${reading.seen} of ${count} elements`);
    if (reading.sum !== LIST_SUM) this.#violated(`the sum is ${reading.sum}`);
    this.#readings.splice(which, 1);
    this.report.listsRead++;
    const shard = await this.#lock(reading.keyIndex, false);
    const { entry } = this.#open(false);
    if (entry === 0 || this.#store.entrySeq(entry) !== reading.seq) this.report.changedMeanwhile++;
    this.#store.locks.unlock(shard, false);
    reading.lease.release();
  }

  #numberAt(lease: leaseModule.CollectionLease): number {
    const element = lease.cursor.element();
    if (element.byteCount < 8 || element.byteCount > this.#text.length) {
      this.#violated(`an element of ${element.byteCount} bytes`);
      return 0;
    }
    element.copyTo(this.#text, 0);
    let number = 0;
    for (let i = 0; i < 8; i++) number = number * 10 + this.#text[i]! - 48;
    for (let i = 8; i < element.byteCount; i++) {
      if (this.#text[i] !== 48 + number % 10) this.#violated("a torn element");
    }
    return number;
  }

  /** Makes a list, or changes several of its elements under one lock, so that the sum stays. */
  async #change(index: number): Promise<void> {
    const shard = await this.#lock(index, true);
    const c = this.#open(true);
    if (c.count === 0) {
      for (let i = 0; i < 400; i++) this.#push(c, LIST_SUM / 400);
    } else {
      for (let i = 0; i < 6 && this.report.violation === ""; i++) this.#changeOne(c);
    }
    this.#store.locks.unlock(shard, true);
    this.report.changes++;
  }

  #changeOne(c: Collection): void {
    const { lists } = this.#store.collections;
    const rank = this.#next() % c.count;
    c.cursor.seekRank(rank);
    c.cursor.element().copyTo(this.#text, 0);
    let number = 0;
    for (let i = 0; i < 8; i++) number = number * 10 + this.#text[i]! - 48;
    if (c.count < 300 || (c.count < 500 && this.#next() % 2 === 0)) {
      const part = this.#next() % (number + 1);
      let length = this.#write(part);
      this.#must(lists.set(c, rank, this.#text, 0, length));
      length = this.#write(number - part);
      this.#must(lists.insert(c, this.#next() % (c.count + 1), this.#text, 0, length));
    } else {
      this.#must(lists.removeRanks(c, rank, 1));
      const other = this.#next() % c.count;
      c.cursor.seekRank(other);
      c.cursor.element().copyTo(this.#text, 0);
      for (let i = 0, digits = 0; i < 8; i++) {
        digits = digits * 10 + this.#text[i]! - 48;
        if (i === 7) number += digits;
      }
      const length = this.#write(number);
      this.#must(lists.set(c, other, this.#text, 0, length));
    }
  }

  #push(c: Collection, number: number): void {
    const length = this.#write(number);
    this.#must(this.#store.collections.lists.insert(c, c.count, this.#text, 0, length));
  }

  #must(status: storeModule.WriteStatus): void {
    if (status !== this.#module.WriteStatus.OK) this.#violated(`a write says ${status}`);
  }

  /** Eight digits, then the last one again and again; sometimes a long element. */
  #write(number: number): number {
    let left = number;
    for (let i = 7; i >= 0; i--) {
      this.#text[i] = 48 + left % 10;
      left = Math.floor(left / 10);
    }
    const length = 8 + (this.#next() % 40 === 0 ? this.#next() % 3000 : this.#next() % 20);
    this.#text.fill(48 + number % 10, 8, length);
    return length;
  }

  async #remove(index: number): Promise<void> {
    const shard = await this.#lock(index, true);
    this.#store.remove(0, this.#key);
    this.#store.locks.unlock(shard, true);
  }

  /** Who is last to finish is last to free; a thread must be there until its own are freed. */
  async #awaitOthers(): Promise<void> {
    Atomics.add(this.#evidence, CollectionEvidence.FINISHED, 1);
    const untilMs = performance.now() + PATIENCE_MS;
    while (Atomics.load(this.#evidence, CollectionEvidence.STOP) === 0) {
      const finished = Atomics.load(this.#evidence, CollectionEvidence.FINISHED);
      if (finished >= this.#orders.threads && this.#store.stats().orphanBytes === 0) return;
      if (performance.now() > untilMs) return this.#violated("memory is kept for nobody");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #open(willWrite: boolean): Collection {
    const { collections } = this.#store;
    const c = collections.handle(0);
    const { LIST } = this.#module.EntryType;
    this.#must(collections.open(c, 0, this.#key, LIST, willWrite));
    return c;
  }

  async #lock(index: number, exclusive: boolean): Promise<number> {
    const { written } = new TextEncoder().encodeInto(`k${index}`, this.#keyBytes);
    this.#store.locate(this.#key.set(this.#keyBytes, 0, written));
    const { locks } = this.#store;
    const { shard } = this.#key;
    if (!locks.tryLock(shard, exclusive)) await locks.lockAsync(shard, exclusive);
    return shard;
  }

  #violated(what: string): void {
    if (this.report.violation !== "") return;
    this.report.violation = what;
    Atomics.store(this.#evidence, CollectionEvidence.STOP, 1);
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return this.#random >>> 8;
  }
}

self.onmessage = async (message: MessageEvent<CollectionOrders>) => {
  using _awake = keepAwake();
  const orders = message.data;
  const stress = new Stress(orders, await import(orders.storeModule));
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, CollectionEvidence.START, 0);
  // A pending waitAsync alone does not keep this thread alive.
  const timer = setInterval(() => {}, 1000);
  try {
    await stress.run();
  } catch (error) {
    stress.report.violation ||= (error as Error).stack ?? String(error);
    Atomics.store(evidence, CollectionEvidence.STOP, 1);
  }
  clearInterval(timer);
  self.postMessage(stress.report);
  self.close();
};
