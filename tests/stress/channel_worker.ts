/// <reference lib="deno.worker" />
/**
 * One producer or consumer of the channel stress; see channel_harness.ts.
 *
 * @module
 */

import { type BoundedChannel, RecvStatus, RecvStep } from "../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../src/channel/consumer_slots.ts";
import {
  Evidence,
  fillJob,
  type Orders,
  sequenceOf,
  type WorkerReport,
} from "./channel_evidence.ts";

let attempts = 0;
let overlaps = 0;

function enter(evidence: Int32Array, word: number): void {
  attempts++;
  if (Atomics.add(evidence, word, 1) > 0) overlaps++;
}

function produce(orders: Orders, channel: BoundedChannel, evidence: Int32Array): WorkerReport {
  const job = new Uint8Array(orders.jobBytes);
  const idle = new Int32Array(new SharedArrayBuffer(4));
  for (let sequence = 0; sequence < orders.jobsPerProducer; sequence++) {
    const length = fillJob(job, orders.index, sequence, orders.jobBytes);
    for (;;) {
      enter(evidence, Evidence.SENDERS_INSIDE);
      const sent = channel.trySend(job, 0, length);
      Atomics.sub(evidence, Evidence.SENDERS_INSIDE, 1);
      if (sent) break;
      if (Atomics.load(evidence, Evidence.STOP) !== 0) return { attempts, overlaps, wrong: 0 };
      Atomics.wait(idle, 0, 0, 0.05);
    }
  }
  return { attempts, overlaps, wrong: 0 };
}

function consume(orders: Orders, channel: BoundedChannel, evidence: Int32Array): WorkerReport {
  const slot = ConsumerSlots.attach(orders.slots).own(orders.index, 0);
  const lastOfProducer = new Float64Array(orders.producers).fill(-1);
  let wrong = 0;
  // The window is from seeing a job to having left the lock; idle sleep does not count.
  channel.onStep = (step) => {
    if (step === RecvStep.SEEN) enter(evidence, Evidence.RECEIVERS_INSIDE);
    else if (step === RecvStep.UNLOCKED) Atomics.sub(evidence, Evidence.RECEIVERS_INSIDE, 1);
  };
  while (Atomics.load(evidence, Evidence.STOP) === 0) {
    const status = channel.recv(slot, 50);
    if (status === RecvStatus.CLOSED) break;
    if (status !== RecvStatus.JOB) continue;
    const producer = slot.bytes[slot.jobStart]!;
    const sequence = sequenceOf(slot.bytes, slot.jobStart, slot.jobLength);
    if (sequence < 0 || producer >= orders.producers || sequence <= lastOfProducer[producer]!) {
      wrong++;
    } else {
      lastOfProducer[producer] = sequence;
      const order = (slot.ticket - orders.firstTicket) >>> 0;
      const record = Evidence.RECORDS + order;
      const value = producer * orders.jobsPerProducer + sequence + 1;
      if (record >= evidence.length || Atomics.exchange(evidence, record, value) !== 0) wrong++;
    }
    // One defect is enough; a broken twin need not be run to its deadline.
    if (wrong > 0) Atomics.store(evidence, Evidence.STOP, 1);
    slot.clear();
  }
  return { attempts, overlaps, wrong };
}

self.onmessage = async (message: MessageEvent<Orders>) => {
  const orders = message.data;
  const module = await import(orders.channelModule) as {
    BoundedChannel: typeof BoundedChannel;
  };
  const channel = module.BoundedChannel.attach(orders.channel);
  const evidence = new Int32Array(orders.evidence);
  self.postMessage("ready");
  Atomics.wait(evidence, Evidence.START, 0);
  let report: WorkerReport;
  try {
    report = orders.role === "producer"
      ? produce(orders, channel, evidence)
      : consume(orders, channel, evidence);
  } catch {
    // A broken twin may trip over itself; that counts as caught.
    report = { attempts, overlaps, wrong: 1 };
  }
  self.postMessage(report);
  self.close();
};
