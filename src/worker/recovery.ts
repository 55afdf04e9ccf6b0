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
import type { ThreadProcessorCounters } from "../metrics/processor_counters.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import type { EventIds } from "../store/event_ids.ts";
import type { DeadOwner } from "../store/dead_owner.ts";
import type { Store } from "../store/store.ts";
import type { WaitRegion } from "../store/wait_region.ts";
import type { ThreadLog } from "../durability/thread_log.ts";
import { counterOf, Outcome } from "./outcome.ts";
import type { SettlementPost } from "./settlement_post.ts";
import { callAllWaiters } from "./waiter_calls.ts";

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
  /** The slot that is seen to; of a worker, its first. */
  slot: SlotSupervision;
  /** All slots of the worker; left out: it has one. */
  lanes?: readonly SlotSupervision[] | undefined;
  /** Its thread id. */
  threadId: number;
  /** Its counters. */
  counters: ThreadCounters;
  /** Those of its processor; absent: there are none. */
  processorCounters?: ThreadProcessorCounters | undefined;
  /** The channel it received from. */
  channel: BoundedChannel;
  /** The supervisor's view of the store. */
  store: Store;
  /** Whether the job in the slot may be what it died of; see {@link MAX_DEATHS_PER_JOB}. */
  mayBlameJob: boolean;
  /** Whether it was given up because code of its processor did not end. */
  isBlocked?: boolean | undefined;
  /** Whether nobody takes the worker's place, who would run what it left. */
  isLast?: boolean | undefined;
  /** The supervisor's log; absent: there is none. */
  log?: ThreadLog | undefined;
  /** Where the outcomes of events with an id are kept; absent: nowhere. */
  eventIds?: EventIds | undefined;
  /** Whether a thread still runs; for the log. */
  isAlive?: ((threadId: number) => boolean) | undefined;
  /** Who waits for keys, and may not have been called; absent: nobody does. */
  waits?: WaitRegion | undefined;
  /** Where outcomes go that clients wait for, sending as the dead worker; absent: nowhere. */
  post?: SettlementPost | undefined;
}

/**
 * Finishes what is finished, releases what is held and keeps the jobs that are neither.
 *
 * Thread: the supervisor, once per death, after the isolate has ended or was fenced while asleep.
 *
 * @returns what became of each of its slots, in their order; or that it died in the middle of a change
 */
export function recoverDeadWorker(remains: Remains): Recovery[] {
  const { slot, channel, store, threadId, log, isAlive = () => false } = remains;
  const { lanes = [slot] } = remains;
  for (const lane of lanes) channel.recoverDeadConsumer(lane);
  // Else the log would wait for what the dead worker was about to put into it.
  log?.intake.voidClaimOf(threadId, isAlive);
  // What it was in the middle of; it settles one job at a time.
  const applied = lanes.find(({ kind }) => kind === SlotKind.APPLIED);
  let isRepaired = false;
  const owner = store.recoverDeadOwner(threadId, (shard) => {
    if (log === undefined) return;
    // Of several shards that a job has changed, one says that it was settled.
    if (isRepaired) log.repair(shard);
    else repairLog(applied ?? slot, log, shard);
    isRepaired = true;
  });
  if (owner.kind === "torn") {
    return [{ kind: "torn", shard: owner.shard, operation: owner.operation }];
  }
  if (owner.kind === "completed" && remains.waits !== undefined) callAllWaiters(remains.waits);
  const blamed = blamedLane(lanes);
  return lanes.map((lane) => {
    const isBlamed = lane === blamed;
    const own = { ...remains, slot: lane, mayBlameJob: isBlamed && remains.mayBlameJob };
    return recoverSlot({ ...own, isBlocked: isBlamed && remains.isBlocked }, owner);
  });
}

/**
 * The slot whose job may be what the worker died of: the one whose code ran; the only one, if that is
 * not known. Of several nobody can tell, and they are run one after the other now (foreign_loop.ts).
 */
function blamedLane(lanes: readonly SlotSupervision[]): SlotSupervision | undefined {
  const running = lanes[lanes[0]!.runningLane];
  if (running !== undefined && running.kind !== SlotKind.EMPTY) return running;
  const busy = lanes.filter(({ kind }) => kind !== SlotKind.EMPTY);
  return busy.length === 1 ? busy[0] : undefined;
}

function recoverSlot(remains: Remains, owner: DeadOwner): Recovery {
  const { slot } = remains;
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

/**
 * A change is complete that the log may not have; what it was died with the worker. So all of it is
 * written anew. An event that it settled is settled there, too. The lock of the shard is held.
 */
function repairLog(slot: SlotSupervision, log: ThreadLog, shard: number): void {
  if (slot.kind !== SlotKind.APPLIED || slot.outcome !== Outcome.PROCESSED) {
    return log.repair(shard);
  }
  const job = new JobView().attach(slot.bytes, slot.jobStart, slot.jobLength);
  log.repair(shard, job.number, Outcome.PROCESSED, balanceOf(slot, job));
}

function requeue(remains: Remains): Recovery {
  const { slot, counters, mayBlameJob, isBlocked, isLast } = remains;
  slot.become(SlotKind.CLAIMED);
  const deaths = mayBlameJob ? slot.countDeath() : slot.deaths;
  if (deaths < MAX_DEATHS_PER_JOB && isBlocked !== true && isLast !== true) {
    return { kind: "requeued", deaths };
  }
  // It would end every replacement too, or there is none; its effect was not made, so it can be
  // counted as failed.
  const outcome = isBlocked === true ? Outcome.FAILED_TIMEOUT : Outcome.FAILED_PROCESSOR_ERROR;
  counters.add(counterOf(outcome));
  writeDown(remains, outcome);
  return empty(remains, outcome);
}

/** Says that a job failed; that it was processed is in one frame with its effect. */
function writeDown({ slot, log }: Remains, outcome: Outcome): void {
  if (log === undefined || outcome === Outcome.PROCESSED) return;
  const job = new JobView().attach(slot.bytes, slot.jobStart, slot.jobLength);
  log.settleEvent(job.number, outcome, false, balanceOf(slot, job));
}

/** The balance that the log has with the outcome of an event; only those with an id have one. */
function balanceOf(slot: SlotSupervision, job: JobView): Int64 | undefined {
  if (job.idStart === job.idEnd) return undefined;
  const balance = new Int64();
  slot.readResult(balance);
  return balance;
}

function settle(remains: Remains): Recovery {
  const { slot, counters } = remains;
  writeDown(remains, slot.outcome as Outcome);
  counters.set(counterOf(slot.outcome), slot.counterValue);
  if (slot.outcome === Outcome.PROCESSED) remains.processorCounters?.settle();
  return empty(remains, slot.outcome as Outcome);
}

function empty(remains: Remains, outcome: Outcome): Recovery {
  remains.slot.become(SlotKind.EMPTY);
  remains.store.credits.release();
  tellWhoWaits(remains, outcome);
  return { kind: "settled", outcome };
}

/** Last, as a worker does: what a client is told is counted and visible. The slot keeps the bytes. */
function tellWhoWaits({ slot, eventIds, post }: Remains, outcome: Outcome): void {
  const job = new JobView();
  try {
    job.attach(slot.bytes, slot.jobStart, slot.jobLength);
  } catch {
    // It may be what its workers died of; bytes that are no job name nobody who waits.
    return;
  }
  const balance = new Int64();
  slot.readResult(balance);
  if (job.idTicket !== 0) eventIds?.settle(job.idSlot, job.idTicket, outcome, balance);
  if ((job.flags & JobFlag.WANTS_REPLY) !== 0) post?.post(job, outcome, balance, slot.resultText);
}
