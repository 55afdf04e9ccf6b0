/**
 * Settles what a dead worker left behind (C3).
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { JobFlag, JobView } from "../base/job.ts";
import type { BoundedChannel } from "../channel/bounded_channel.ts";
import { SlotKind } from "../channel/slot_layout.ts";
import type { SlotSupervision } from "../channel/slot_supervision.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import type { Store } from "../store/store.ts";
import { counterOf, Outcome } from "./outcome.ts";
import type { SettlementPost } from "./settlement_post.ts";

/** Workers that may die with one job before the job is taken for the cause. Unit: deaths. */
export const MAX_DEATHS_PER_JOB = 3;

/** What was found, and what remains to be done. */
export type Recovery =
  /** The slot was empty. */
  | { kind: "idle" }
  /** The slot holds a job without effect: the replacement runs it. */
  | { kind: "requeued"; deaths: number }
  /** The job's effect was complete (or it had failed): it was counted. */
  | { kind: "settled"; outcome: number }
  /** The worker died in the middle of a change: the server must stop (C4). */
  | { kind: "torn"; shard: number; operation: number };

/** The parts of a dead worker's world. */
export interface Remains {
  /** Its slot. */
  slot: SlotSupervision;
  /** Its thread id. */
  threadId: number;
  /** Its counters. */
  counters: ThreadCounters;
  /** The channel it received from. */
  channel: BoundedChannel;
  /** The supervisor's view of the store. */
  store: Store;
  /** Whether the job in the slot may be what it died of; see {@link MAX_DEATHS_PER_JOB}. */
  mayBlameJob: boolean;
  /** Where outcomes go that clients wait for, sending as the dead worker; absent: nowhere. */
  post?: SettlementPost | undefined;
}

/**
 * Finishes what is finished, releases what is held and keeps the job that is neither.
 *
 * Thread: the supervisor, once per death, after the isolate has ended or was fenced while asleep.
 */
export function recoverDeadWorker(remains: Remains): Recovery {
  const { slot, channel, store, threadId } = remains;
  channel.recoverDeadConsumer(slot);
  const owner = store.recoverDeadOwner(threadId);
  if (owner.kind === "torn") {
    return { kind: "torn", shard: owner.shard, operation: owner.operation };
  }
  switch (slot.kind) {
    case SlotKind.EMPTY:
      return { kind: "idle" };
    case SlotKind.CLAIMED:
      return requeue(remains);
    case SlotKind.APPLIED:
      // A lock still held without a write says that the swap was the last thing it did.
      if (owner.kind === "released" && slot.outcome === Outcome.PROCESSED) return requeue(remains);
      return settle(remains);
    case SlotKind.SETTLED:
      return settle(remains);
  }
}

function requeue(remains: Remains): Recovery {
  const { slot, counters, mayBlameJob } = remains;
  slot.become(SlotKind.CLAIMED);
  const deaths = mayBlameJob ? slot.countDeath() : slot.deaths;
  if (deaths < MAX_DEATHS_PER_JOB) return { kind: "requeued", deaths };
  // It would end every replacement too; its effect was not made, so it can be counted as failed.
  const outcome = Outcome.FAILED_PROCESSOR_ERROR;
  counters.add(counterOf(outcome));
  return empty(remains, outcome);
}

function settle(remains: Remains): Recovery {
  const { slot, counters } = remains;
  counters.set(counterOf(slot.outcome), slot.counterValue);
  return empty(remains, slot.outcome as Outcome);
}

function empty({ slot, store, post }: Remains, outcome: Outcome): Recovery {
  slot.become(SlotKind.EMPTY);
  store.credits.release();
  if (post !== undefined) tellWhoWaits(slot, outcome, post);
  return { kind: "settled", outcome };
}

/** Last, as a worker does: what a client is told is counted and visible. The slot keeps the bytes. */
function tellWhoWaits(slot: SlotSupervision, outcome: Outcome, post: SettlementPost): void {
  const job = new JobView();
  try {
    job.attach(slot.bytes, slot.jobStart, slot.jobLength);
  } catch {
    // It may be what its workers died of; bytes that are no job name nobody who waits.
    return;
  }
  if ((job.flags & JobFlag.WANTS_REPLY) === 0) return;
  const balance = new Int64();
  slot.readResult(balance);
  post.post(job, outcome, balance);
}
