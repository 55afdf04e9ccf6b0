/**
 * Events that were accepted before the start and not settled: they go through the channel again.
 *
 * In the order in which they were accepted, in front of all that is accepted from now on: the server
 * listens when the last of them is in the channel. They go in portions where there is no room for all
 * of them, neither in the channel nor in the memory for their balances, which those that are settled
 * give back. A wish to stop and a torn store end it: what is left stays pending in the log, for the
 * next start.
 *
 * @module
 */

import { forgetWaiter, hasFields, MAX_JOB_BYTES } from "../base/job.ts";
import { CounterIndex } from "../metrics/names.ts";
import { pause } from "./pause.ts";
import { StartError } from "./start_error.ts";

/** How often it is looked whether there is room. Unit: ms. */
const LOOK_EVERY_MS = 5;
/**
 * Looks in vain, with nothing under way, after which there is no memory. Reason: a worker counts an
 * event as settled before it gives the memory back.
 */
const MAX_IDLE_LOOKS = 100;

/** What {@link requeueEvents} works with. */
export interface RequeueParts {
  /** Where events wait. */
  readonly channel: {
    readonly jobBytes: number;
    tryReserve(): boolean;
    put(bytes: Uint8Array, start: number, end: number): boolean;
    callConsumer(): void;
  };
  /** The memory for balances. */
  readonly credits: { tryAcquire(): boolean; release(): void };
  /** The thread's counters. */
  readonly counters: { add(counter: CounterIndex): void };
  /** Events that are accepted and not settled. */
  readonly pendingCount: () => number;
  /** Aborted when there is no use in going on: the server is to stop, or its store is torn. */
  readonly signal: AbortSignal;
}

/**
 * Puts the events into the channel.
 *
 * Thread: the one that starts the server; workers run, and nobody else accepts events.
 *
 * @param jobs as they are in the channel (base/job.ts), in order
 * @returns how many were put there: all, unless the signal was aborted
 * @throws {StartError} when there is no memory for the balance of a single one, or nobody
 *   who knows their fields
 */
export async function requeueEvents(
  jobs: Iterable<Uint8Array>,
  parts: RequeueParts,
): Promise<number> {
  const { channel, credits, counters, signal } = parts;
  let count = 0;
  for (const job of jobs) {
    // Nobody who reads fields made the channel that small.
    if (hasFields(job) && channel.jobBytes <= MAX_JOB_BYTES) {
      throw new StartError(
        "Cannot settle events that were accepted before: they have further fields; start with the " +
          "--processor that they were accepted for",
      );
    }
    if (!await acquireCredit(parts)) return count;
    while (!channel.tryReserve()) {
      await pause(LOOK_EVERY_MS, signal);
      if (!signal.aborted) continue;
      credits.release();
      return count;
    }
    const bytes = job.slice();
    forgetWaiter(bytes);
    counters.add(CounterIndex.RECEIVED);
    if (channel.put(bytes, 0, bytes.length)) channel.callConsumer();
    count++;
  }
  return count;
}

async function acquireCredit(parts: RequeueParts): Promise<boolean> {
  const { credits, pendingCount, signal } = parts;
  for (let idleLooks = 0; !signal.aborted;) {
    if (credits.tryAcquire()) return true;
    idleLooks = pendingCount() === 0 ? idleLooks + 1 : 0;
    if (idleLooks === MAX_IDLE_LOOKS) {
      throw new StartError(
        "Cannot settle events that were accepted before: there is no memory for their balances; " +
          "give more with --max-memory",
      );
    }
    await pause(LOOK_EVERY_MS, signal);
  }
  return false;
}
