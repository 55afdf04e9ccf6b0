/// <reference lib="deno.worker" />
/**
 * One thread of bench:scale: does one kind of operation as fast as it can, and counts.
 *
 * @module
 */

import {
  BoundedChannel,
  type ChannelMemory,
  RecvStatus,
} from "../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../src/channel/consumer_slots.ts";
import type { ConsumerSlotsMemory } from "../../src/channel/slot_layout.ts";
import { Key } from "../../src/store/key.ts";
import { Store, type StoreMemory, WriteStatus } from "../../src/store/store.ts";
import { KEY_BYTES, KEY_COUNT, keyNames, Phase, VALUE_BYTES } from "./lib/scale_parts.ts";

/** What a thread is to do. */
export type ThreadOrders =
  & {
    /** One word: the {@link Phase}. */
    readonly phase: SharedArrayBuffer;
    /** 0, 1, … */
    readonly index: number;
  }
  & (
    | { readonly kind: "spin" }
    | { readonly kind: "store"; readonly store: StoreMemory }
    | {
      readonly kind: "channel";
      readonly channel: ChannelMemory;
      readonly slots: ConsumerSlotsMemory;
      /** Which ends this thread has; the one that has both is alone. */
      readonly role: "both" | "producer" | "consumer";
    }
  );

/** What a thread says in the end. */
export interface ThreadResult {
  /** Operations between start and stop. */
  readonly count: number;
  /** From its own start to its own stop. Unit: ms. */
  readonly elapsedMs: number;
}

/** Operations between two looks at the phase. */
const BATCH = 1000;
/** Longest wait for a job, in ms: then the phase is looked at. */
const RECV_MS = 5;

self.onmessage = ({ data }: MessageEvent<ThreadOrders>) => {
  const phase = new Int32Array(data.phase);
  const runBatch = batchOf(data);
  // What the compiler has to see, it sees before the start.
  while (Atomics.load(phase, 0) === Phase.WARM_UP) runBatch();
  const startedAtMs = performance.now();
  let count = 0;
  while (Atomics.load(phase, 0) === Phase.RUN) count += runBatch();
  const result: ThreadResult = { count, elapsedMs: performance.now() - startedAtMs };
  self.postMessage(result);
  self.close();
};
self.postMessage("ready");

/** @returns what does some operations and says how many */
function batchOf(orders: ThreadOrders): () => number {
  switch (orders.kind) {
    case "spin":
      return spin();
    case "store":
      return useStore(Store.attach(orders.store, orders.index + 1), orders.index);
    case "channel":
      return useChannel(
        BoundedChannel.attach(orders.channel),
        ConsumerSlots.attach(orders.slots),
        orders.role,
        orders.index,
      );
  }
}

/** Counts, and touches no memory that others see: what the processors can give at most. */
function spin(): () => number {
  let state = 1;
  return () => {
    for (let i = 0; i < BATCH * 10; i++) state = (Math.imul(state, 1664525) + 1013904223) | 0;
    // The sum is used, or the loop would be taken out.
    return BATCH * 10 + (state === 0 ? 1 : 0);
  };
}

/** Reads and writes in turn, each under the lock of its shard, of keys in random order. */
function useStore(store: Store, index: number): () => number {
  store.nowMs = Date.now();
  const names = keyNames();
  const key = new Key();
  const target = new Uint8Array(VALUE_BYTES);
  const value = new Uint8Array(VALUE_BYTES).fill(0x76);
  let state = index + 1;
  return () => {
    for (let i = 0; i < BATCH; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const at = ((state >>> 8) % KEY_COUNT) * KEY_BYTES;
      store.locate(key.set(names, at, at + KEY_BYTES));
      const writes = (i & 1) === 0;
      store.locks.lock(key.shard, writes);
      if (!writes) store.copyString(store.lookup(0, key), target, 0);
      else if (store.setString(0, key, value, 0, VALUE_BYTES, 0) !== WriteStatus.OK) {
        throw new Error("Cannot measure: the store is full");
      }
      store.locks.unlock(key.shard, writes);
    }
    return BATCH;
  };
}

/** Sends jobs of 48 bytes, takes them, or both in turn; what is taken counts. */
function useChannel(
  channel: BoundedChannel,
  slots: ConsumerSlots,
  role: "both" | "producer" | "consumer",
  index: number,
): () => number {
  const job = new Uint8Array(48).fill(7);
  if (role === "producer") {
    return () => {
      for (let i = 0; i < BATCH; i++) channel.trySend(job, 0, job.length);
      return 0;
    };
  }
  const slot = slots.own(index, 0);
  return () => {
    for (let i = 0; i < BATCH; i++) {
      if (role === "both") channel.trySend(job, 0, job.length);
      if (channel.recv(slot, RECV_MS) !== RecvStatus.JOB) return i;
      slot.clear();
    }
    return BATCH;
  };
}
