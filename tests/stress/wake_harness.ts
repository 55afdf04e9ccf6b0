/**
 * Sends jobs to consumers that sleep, and looks whether any is forgotten.
 *
 * A consumer of the server's looks around ten times a second even if nobody calls, so a lost wake-up
 * would only be slow. Here sleepers sleep until they are called, in every twin, also in the one that
 * has no other change: a lost wake-up shows as a burst that nobody takes. A burst of several jobs is
 * kept by those who took its jobs until all are taken, so it shows, too, when too few were woken.
 *
 * @module
 */

import { BoundedChannel } from "../../src/channel/bounded_channel.ts";
import { ConsumerSlots } from "../../src/channel/consumer_slots.ts";
import { enlist, sumOf } from "./crew.ts";
import { type Mutation, writeTwinOf } from "./twin.ts";
import { WakeEvidence, type WakeOrders, type WakeReport } from "./wake_evidence.ts";

const CHANNEL_URL = new URL("../../src/channel/bounded_channel.ts", import.meta.url);
const IDLE_URL = new URL("../../src/channel/idle_consumers.ts", import.meta.url);

/**
 * Makes the few nanoseconds between two steps as long as a preemption would. A sleep: while a thread
 * spins, another one gets no further that shares the processor with it.
 */
const PREEMPTION = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.2);";

/** Sleepers do not look around. */
const NO_SLICES: Mutation = {
  name: "sleeps until it is called",
  find: "const sliceMs = Math.min(deadlineMs - nowMs, SLEEP_SLICE_MS);",
  replace: "const sliceMs = Infinity;",
};

/** A change of the channel or of its sleepers. */
export interface WakeMutation extends Mutation {
  where: "channel" | "idle";
  /** What shows it: one job at a time, bursts, or consumers that die. Default: `single`. */
  shownBy?: "bursts" | "deaths";
}

/** Twins that forget a consumer; the stress must catch each. */
export const WAKE_UP_MUTATIONS: readonly WakeMutation[] = [
  {
    name: "leaves without taking the call along",
    where: "idle",
    find: "(idle & ~CALLED) - 1)",
    replace: "idle - 1)",
  },
  {
    name: "does not look again once it is counted in",
    where: "channel",
    find: `      this.#idle.enter();
      slot.markCountedAsleep();
      if (!this.#isPublished() && !this.#isDrained()) {
        const sliceMs = Math.min(deadlineMs - nowMs`,
    replace: `      ${PREEMPTION}
      this.#idle.enter();
      slot.markCountedAsleep();
      if (!this.#isDrained()) {
        const sliceMs = Math.min(deadlineMs - nowMs`,
  },
  {
    name: "looks for sleepers before it publishes",
    where: "channel",
    find: `    Atomics.store(words, cellAt >> 2, (ticket + 1) | 0);
    return this.#idle.isCallNeeded;`,
    replace: `    const { isCallNeeded } = this.#idle;
    ${PREEMPTION}
    Atomics.store(words, cellAt >> 2, (ticket + 1) | 0);
    return isCallNeeded;`,
  },
  {
    name: "calls without moving the signal",
    where: "idle",
    find: `    Atomics.add(this.#words, this.#signalAt, 1);
    Atomics.notify(this.#words, this.#signalAt, 1);`,
    replace: "    Atomics.notify(this.#words, this.#signalAt, 1);",
  },
  {
    name: "wakes before it notes the call",
    where: "idle",
    find: `      const seen = Atomics.compareExchange(words, at, idle, idle | CALLED);
      if (seen === idle) return this.passOn();`,
    replace: `      this.passOn();
      const seen = Atomics.compareExchange(words, at, idle, idle | CALLED);
      if (seen === idle) return;`,
  },
  {
    name: "reads the signal when it goes to sleep",
    where: "channel",
    find: "this.#idle.sleep(signal, sliceMs);",
    replace: `${PREEMPTION}
        this.#idle.sleep(this.#idle.signal, sliceMs);`,
  },
  {
    name: "takes a job and calls nobody for the next",
    where: "channel",
    shownBy: "bursts",
    find: `    this.onStep?.(RecvStep.UNLOCKED);
    this.#callOthers();
    return RecvStatus.JOB;`,
    replace: `    this.onStep?.(RecvStep.UNLOCKED);
    return RecvStatus.JOB;`,
  },
  {
    name: "leaves the dead counted in",
    where: "channel",
    shownBy: "deaths",
    find: "if (slot.takeAsleepCount()) this.#idle.leave();\n    let recovery",
    replace: "slot.takeAsleepCount();\n    let recovery",
  },
];

/** What to run. */
export interface WakeStress {
  producers: number;
  consumers: number;
  bursts: number;
  /** Jobs in a burst at most; times `producers`, not more than `consumers`. */
  burstJobs: number;
  /** Sleeping consumers that are fenced and replaced, before the last bursts. Default 0. */
  deaths?: number;
  /** A job that nobody takes for so long was forgotten. Default: long enough for any machine. */
  forgottenAfterMs?: number;
  seed: number;
  /** From {@link writeWakeTwin}. */
  channelModule: string;
}

/** What came out. */
export interface WakeResult {
  /** Producers whose burst was not taken. */
  forgotten: number;
  bursts: number;
  /** Sends without a need to call. */
  quietSends: number;
  fences: number;
  seed: number;
  /** Text of a violated invariant at the end, or "". */
  violation: string;
}

/** Whether every job was taken without anybody looking around. */
export function isWakeful(result: WakeResult): boolean {
  return result.forgotten === 0 && result.violation === "";
}

/** Writes a channel whose sleepers do not look around, with a defect if one is given. */
export async function writeWakeTwin(
  folder: string,
  mutation?: WakeMutation,
): Promise<string> {
  const idle = mutation?.where === "idle" ? [mutation] : [];
  const ofIdle: Mutation = {
    name: "has sleepers of its own",
    find: `from "./idle_consumers.ts"`,
    replace: `from "${await writeTwinOf(IDLE_URL, idle, folder)}"`,
  };
  const channel = mutation?.where === "channel" ? [mutation] : [];
  return await writeTwinOf(CHANNEL_URL, [...channel, NO_SLICES, ofIdle], folder);
}

/** Runs one stress to its end, or until a job was forgotten. */
export async function runWakeStress(stress: WakeStress): Promise<WakeResult> {
  const { producers, consumers, bursts, burstJobs, seed, channelModule, deaths = 0 } = stress;
  const { forgottenAfterMs = 60_000 } = stress;
  const module = await import(channelModule) as { BoundedChannel: typeof BoundedChannel };
  const channel = module.BoundedChannel.create({ capacity: producers * burstJobs, jobBytes: 8 });
  const slots = ConsumerSlots.create({ slotCount: consumers, jobBytes: 8 });
  const words = WakeEvidence.epochAt(producers, consumers);
  const evidence = new Int32Array(new SharedArrayBuffer(words * 4));
  const start = (role: WakeOrders["role"], index: number) =>
    enlist<WakeReport>(new URL("./wake_worker.ts", import.meta.url), `${role} ${index}`, {
      role,
      index,
      producers,
      bursts,
      burstJobs,
      forgottenAfterMs,
      seed,
      channelModule,
      channel: channel.memory,
      slots: slots.memory,
      evidence: evidence.buffer,
    });
  const senders = Array.from({ length: producers }, (_, index) => start("producer", index));
  const receivers = Array.from({ length: consumers }, (_, index) => start("consumer", index));
  await Promise.all([...senders, ...receivers].map((worker) => worker.ready));
  Atomics.store(evidence, WakeEvidence.START, 1);
  Atomics.notify(evidence, WakeEvidence.START);

  for (let left = deaths; left > 0;) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (fenceOne(channel, slots, evidence, producers, left % consumers)) left--;
  }
  const sent = await Promise.all(senders.map((worker) => worker.report));
  Atomics.store(evidence, WakeEvidence.STOP, 1);
  for (let at = 32; at < words; at += 16) Atomics.notify(evidence, at);
  channel.close();
  const received = await Promise.all(receivers.map((worker) => worker.report));
  const forgotten = sumOf(sent, (report) => report.wasForgotten ? 1 : 0);
  return {
    forgotten,
    bursts: sumOf(sent, (report) => report.count),
    quietSends: sumOf(sent, (report) => report.quietSends),
    fences: sumOf(received, (report) => report.fences),
    seed,
    violation: forgotten > 0 ? "" : violationOf(channel, slots),
  };
}

/** What a supervisor does with a consumer that is gone; the thread begins a new life. */
function fenceOne(
  channel: BoundedChannel,
  slots: ConsumerSlots,
  evidence: Int32Array,
  producers: number,
  index: number,
): boolean {
  const slot = slots.supervise(index);
  if (!slot.fenceSleeper()) return false;
  channel.recoverDeadConsumer(slot);
  const epochAt = WakeEvidence.epochAt(producers, index);
  Atomics.store(evidence, epochAt, slot.prepare(0));
  Atomics.notify(evidence, epochAt);
  return true;
}

function violationOf(channel: BoundedChannel, slots: ConsumerSlots): string {
  try {
    channel.assertInvariants();
    slots.assertInvariants();
  } catch (error) {
    return String(error);
  }
  return "";
}
