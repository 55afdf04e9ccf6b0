/// <reference lib="deno.worker" />
/**
 * A worker that writes pairs of keys, looks at them, and settles events, while others flush and swap.
 *
 * Both keys of a pair are written with both locks held, so whoever holds both sees either two equal
 * numbers or nothing, whatever became of the database in between.
 *
 * @module
 */

import { Int64 } from "../../src/base/int64.ts";
import { Key } from "../../src/store/key.ts";
import { Store, type StoreMemory, WriteStatus } from "../../src/store/store.ts";

/** What a worker is told. */
export interface FlushOrders {
  memory: StoreMemory;
  threadId: number;
  operations: number;
  pairs: number;
  databases: number;
  /** Word 0: go when it is 1. Word 1: how many workers are done. */
  signal: SharedArrayBuffer;
}

/** What a worker did. */
export interface FlushReport {
  /** What must not be; "" when all is well. */
  violation: string;
  /** Pairs seen whole. */
  whole: number;
  /** Pairs seen to be gone. */
  gone: number;
  /** Events settled. */
  settled: number;
}

self.onmessage = ({ data }: MessageEvent<FlushOrders>) => {
  const signal = new Int32Array(data.signal);
  self.postMessage("ready");
  Atomics.wait(signal, 0, 0);
  let report: FlushReport;
  try {
    report = run(data);
  } catch (error) {
    report = { violation: String(error), whole: 0, gone: 0, settled: 0 };
  }
  Atomics.add(signal, 1, 1);
  self.postMessage(report);
  self.close();
};

function run(orders: FlushOrders): FlushReport {
  const store = Store.attach(orders.memory, orders.threadId);
  store.nowMs = 1_000_000;
  const report: FlushReport = { violation: "", whole: 0, gone: 0, settled: 0 };
  const first = new Key();
  const second = new Key();
  const user = new Key();
  const number = new Int64();
  const value = new Uint8Array(3000);
  let state = orders.threadId * 2654435761 >>> 0;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * bound);
  };
  for (let i = 0; i < orders.operations && report.violation === ""; i++) {
    const pair = below(orders.pairs);
    const database = below(orders.databases);
    locate(store, first, `a${pair}`);
    locate(store, second, `b${pair}`);
    const shards = [...new Set([first.shard, second.shard])].sort((a, b) => a - b);
    for (const shard of shards) store.locks.lock(shard, true);
    if (below(2) === 0) {
      // The second key's value is its number with a tail, so that it takes some memory.
      value.fill(0x30 + i % 10);
      const byteCount = 1 + below(2) * 2999;
      const isWritten =
        store.setString(database, second, value, 0, byteCount, 0) === WriteStatus.OK &&
        store.setString(database, first, value, 0, 1, 0) === WriteStatus.OK;
      // Without memory for both there is neither.
      if (!isWritten) {
        store.remove(database, first);
        store.remove(database, second);
      }
    } else {
      const a = firstByte(store, database, first);
      const b = firstByte(store, database, second);
      if (a !== b) report.violation = `pair ${pair} of database ${database}: ${a} and ${b}`;
      if (a < 0) report.gone++;
      else report.whole++;
    }
    for (const shard of shards) store.locks.unlock(shard, true);
    if (i % 4 === 0 && store.credits.tryAcquire()) {
      locate(store, user, `balance:${below(50)}`);
      store.locks.lock(user.shard, true);
      const status = store.planAddInteger(0, user, Int64.fromNumber(1), number, true);
      if (status === WriteStatus.OK) store.commitPlan();
      else report.violation = `an event was not settled: ${status}`;
      store.locks.unlock(user.shard, true);
      store.credits.release();
      report.settled++;
    }
  }
  return report;
}

const scratch = new Uint8Array(4096);

function firstByte(store: Store, database: number, key: Key): number {
  const entry = store.lookup(database, key);
  if (entry === 0) return -1;
  store.copyString(entry, scratch, 0);
  return scratch[0]!;
}

function locate(store: Store, key: Key, name: string): void {
  const bytes = new TextEncoder().encode(name);
  store.locate(key.set(bytes, 0, bytes.length));
}
