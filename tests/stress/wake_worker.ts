/// <reference lib="deno.worker" />
/**
 * One producer or consumer of the wake-up stress; see wake_harness.ts.
 *
 * @module
 */

import { type BoundedChannel, RecvStatus } from "../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../src/channel/consumer_slots.ts";
import { WakeEvidence, type WakeOrders, type WakeReport } from "./wake_evidence.ts";

/** Turns of a loop between two bursts at most: a consumer goes to sleep in that time. */
const PAUSE_TURNS_MAX = 300;

/** Waits until a counter that others raise has come to `target`; false when nobody raises it. */
function awaitCount(
  evidence: Int32Array<SharedArrayBuffer>,
  at: number,
  target: number,
  { forgottenAfterMs }: WakeOrders,
): boolean {
  for (;;) {
    const count = Atomics.load(evidence, at);
    if (((target - count) | 0) <= 0) return true;
    if (Atomics.load(evidence, WakeEvidence.STOP) !== 0) return false;
    if (Atomics.wait(evidence, at, count, forgottenAfterMs) === "timed-out") return false;
  }
}

/** Sends bursts; each is taken as a whole before the next one. */
function produce(
  orders: WakeOrders,
  channel: BoundedChannel,
  evidence: Int32Array<SharedArrayBuffer>,
): WakeReport {
  const takenAt = WakeEvidence.takenAt(orders.index);
  const job = new Uint8Array(8);
  const view = new DataView(job.buffer);
  const report: WakeReport = { count: 0, quietSends: 0, wasForgotten: false, fences: 0 };
  let random = orders.seed + orders.index * 7919;
  const draw = (below: number): number => {
    random = (Math.imul(random, 1664525) + 1013904223) | 0;
    return (random >>> 8) % below;
  };
  let target = 0;
  while (report.count < orders.bursts) {
    const size = 1 + draw(orders.burstJobs);
    const callsOften = draw(2) === 0;
    target = (target + size) | 0;
    view.setUint32(0, orders.index);
    view.setInt32(4, target);
    let isCallNeeded = false;
    for (let i = 0; i < size; i++) {
      if (!channel.tryReserve()) throw new Error("the channel is full");
      if (channel.put(job, 0, job.length)) isCallNeeded = true;
      else report.quietSends++;
      if (callsOften && isCallNeeded) channel.callConsumer();
    }
    if (isCallNeeded) channel.callConsumer();
    if (!awaitCount(evidence, takenAt, target, orders)) {
      report.wasForgotten = Atomics.load(evidence, WakeEvidence.STOP) === 0;
      return report;
    }
    report.count++;
    for (let turns = draw(PAUSE_TURNS_MAX); turns > 0; turns--) Atomics.load(evidence, takenAt);
  }
  return report;
}

/** Takes jobs, and keeps each until the whole burst was taken, so that all have to be awake for it. */
function consume(
  orders: WakeOrders,
  channel: BoundedChannel,
  evidence: Int32Array<SharedArrayBuffer>,
): WakeReport {
  const slots = ConsumerSlots.attach(orders.slots);
  const epochAt = WakeEvidence.epochAt(orders.producers, orders.index);
  const report: WakeReport = { count: 0, quietSends: 0, wasForgotten: false, fences: 0 };
  let slot = slots.own(orders.index, 0);
  for (;;) {
    const status = channel.recv(slot, Infinity);
    if (status === RecvStatus.CLOSED) return report;
    if (status === RecvStatus.FENCED) {
      report.fences++;
      if (!awaitCount(evidence, epochAt, slot.epoch + 2, orders)) return report;
      do {
        // The next life, in which the slot says "asleep" until it has begun: it may end before.
        slot = slots.own(orders.index, Atomics.load(evidence, epochAt));
      } while (!slot.wakeUp());
      continue;
    }
    const view = new DataView(slot.bytes.buffer, slot.jobStart, slot.jobLength);
    const takenAt = WakeEvidence.takenAt(view.getUint32(0));
    const target = view.getInt32(4);
    report.count++;
    Atomics.add(evidence, takenAt, 1);
    Atomics.notify(evidence, takenAt);
    awaitCount(evidence, takenAt, target, orders);
    slot.clear();
  }
}

self.onmessage = async (message: MessageEvent<WakeOrders>) => {
  const orders = message.data;
  const module = await import(orders.channelModule) as { BoundedChannel: typeof BoundedChannel };
  const channel = module.BoundedChannel.attach(orders.channel);
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, WakeEvidence.START, 0);
  const work = orders.role === "producer" ? produce : consume;
  self.postMessage(work(orders, channel, evidence));
  self.close();
};
