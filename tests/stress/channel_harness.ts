/**
 * Runs producers and consumers on one channel, each in its own Worker, and looks at what came out.
 *
 * Used by the stress task with millions of jobs, by the normal suite with fewer, and with broken
 * twins of the channel that it must catch (a race test that cannot fail proves nothing).
 *
 * @module
 */

import { BoundedChannel } from "../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../src/channel/consumer_slots.ts";
import { type CrewMember, enlist } from "./crew.ts";
import { Evidence, type Orders, type WorkerReport } from "./channel_evidence.ts";

const CHANNEL_URL = new URL("../../src/channel/bounded_channel.ts", import.meta.url);

/** What to run. */
export interface ChannelStress {
  producers: number;
  consumers: number;
  jobs: number;
  capacity: number;
  jobBytes?: number;
  firstTicket?: number;
  /** Module to take BoundedChannel from; default: the real one. */
  channelModule?: string;
  /** A hung run (a broken twin's) is stopped after this time. */
  deadlineMs: number;
}

/** What came out. */
export interface ChannelStressResult {
  /** Tickets that no consumer saw. */
  missing: number;
  /** Jobs that were torn, out of order for their consumer, or had a ticket twice. */
  wrong: number;
  /** Places in ticket order where a producer's jobs do not follow each other. */
  outOfOrder: number;
  sendOverlaps: number;
  recvOverlaps: number;
  refusals: number;
  highWaterMark: number;
  timedOut: boolean;
  elapsedMs: number;
  /** Text of a violated invariant at the end, or "". */
  violation: string;
}

/** Whether the channel did everything it promises. */
export function isClean(result: ChannelStressResult): boolean {
  return result.missing === 0 && result.wrong === 0 && result.outOfOrder === 0 &&
    !result.timedOut && result.violation === "";
}

/** Runs one stress to its end or deadline. */
export async function runChannelStress(stress: ChannelStress): Promise<ChannelStressResult> {
  const { producers, consumers, jobs, capacity, jobBytes = 512, firstTicket = 0 } = stress;
  const jobsPerProducer = Math.floor(jobs / producers);
  const total = jobsPerProducer * producers;
  const channel = BoundedChannel.create({ capacity, jobBytes, firstTicket });
  const slots = ConsumerSlots.create({ slotCount: consumers, jobBytes });
  const evidence = new Int32Array(new SharedArrayBuffer((Evidence.RECORDS + total) * 4));
  const orders = (role: Orders["role"], index: number): Orders => ({
    role,
    index,
    producers,
    jobsPerProducer,
    jobBytes,
    firstTicket,
    channelModule: stress.channelModule ?? CHANNEL_URL.href,
    channel: channel.memory,
    slots: slots.memory,
    evidence: evidence.buffer,
  });
  const senders = Array.from({ length: producers }, (_, i) => start(orders("producer", i)));
  const receivers = Array.from({ length: consumers }, (_, i) => start(orders("consumer", i)));
  await Promise.all([...senders, ...receivers].map((worker) => worker.ready));

  const startedAtMs = performance.now();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    Atomics.store(evidence, Evidence.STOP, 1);
    channel.close();
  }, stress.deadlineMs);
  Atomics.store(evidence, Evidence.START, 1);
  Atomics.notify(evidence, Evidence.START);
  const sent = await Promise.all(senders.map((worker) => worker.report));
  channel.close();
  const received = await Promise.all(receivers.map((worker) => worker.report));
  clearTimeout(timer);
  const elapsedMs = performance.now() - startedAtMs;

  let violation = "";
  try {
    channel.assertInvariants();
    slots.assertInvariants();
  } catch (error) {
    violation = String(error);
  }
  return {
    ...judge(evidence, producers, jobsPerProducer),
    wrong: received.reduce((sum, report) => sum + report.wrong, 0),
    sendOverlaps: sent.reduce((sum, report) => sum + report.overlaps, 0),
    recvOverlaps: received.reduce((sum, report) => sum + report.overlaps, 0),
    refusals: sent.reduce((sum, report) => sum + report.attempts, 0) - total,
    highWaterMark: channel.highWaterMark,
    timedOut,
    elapsedMs,
    violation,
  };
}

/** A way to break the channel: in its source, `find` becomes `replace`. */
export interface Mutation {
  name: string;
  find: string;
  replace: string;
}

/** Twins of the channel that look right and are not; the stress must catch each. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: "publishes before the job is copied",
    find: `    words[(cellAt >> 2) + 1] = length;
    copyBytes(bytes, start, end, this.#bytes, cellAt + CELL_HEADER_BYTES);
    Atomics.store(words, cellAt >> 2, (ticket + 1) | 0);`,
    replace: `    words[(cellAt >> 2) + 1] = length;
    Atomics.store(words, cellAt >> 2, (ticket + 1) | 0);
    copyBytes(bytes, start, end, this.#bytes, cellAt + CELL_HEADER_BYTES);`,
  },
  {
    name: "takes the head without the consumer lock",
    find: "        this.#lock.acquire(slot.index);\n",
    replace: "",
  },
  {
    name: "draws a ticket without an atomic add",
    find: "    const ticket = Atomics.add(words, Header.TAIL, 1);",
    replace: "    const ticket = words[Header.TAIL]!; words[Header.TAIL] = ticket + 1;",
  },
  {
    name: "reserves without compare-and-swap",
    find: `      const seen = Atomics.compareExchange(
        words,
        Header.RESERVED,
        reserved,
        (reserved + 1) | 0,
      );
      if (seen !== reserved) {`,
    replace: `      const seen = reserved;
      Atomics.store(words, Header.RESERVED, (reserved + 1) | 0);
      if (seen !== reserved) {`,
  },
];

/**
 * Writes a broken twin into `folder`.
 *
 * @returns its URL
 * @throws {Error} when the source no longer has the text to break
 */
export async function writeTwin(mutation: Mutation, folder: string): Promise<string> {
  const source = await Deno.readTextFile(CHANNEL_URL);
  const parts = source.split(mutation.find);
  if (parts.length !== 2) {
    throw new Error(`Cannot break the channel (${mutation.name}): its source has changed`);
  }
  const twin = parts.join(mutation.replace)
    .replaceAll(`"../base/`, `"${new URL("../base/", CHANNEL_URL).href}`)
    .replaceAll(`"./`, `"${new URL("./", CHANNEL_URL).href}`);
  const path = `${folder}/${mutation.name.replaceAll(" ", "_")}.ts`;
  await Deno.writeTextFile(path, twin);
  return new URL(`file://${path}`).href;
}

function judge(
  evidence: Int32Array,
  producers: number,
  jobsPerProducer: number,
): { missing: number; outOfOrder: number } {
  const next = new Float64Array(producers);
  let missing = 0;
  let outOfOrder = 0;
  for (let at = Evidence.RECORDS; at < evidence.length; at++) {
    const value = evidence[at]! - 1;
    if (value < 0) {
      missing++;
      continue;
    }
    const producer = Math.floor(value / jobsPerProducer);
    const sequence = value % jobsPerProducer;
    if (sequence !== next[producer]) outOfOrder++;
    next[producer] = sequence + 1;
  }
  return { missing, outOfOrder };
}

function start(orders: Orders): CrewMember<WorkerReport> {
  return enlist(
    new URL("./channel_worker.ts", import.meta.url),
    `${orders.role} ${orders.index}`,
    orders,
  );
}
