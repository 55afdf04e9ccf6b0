/**
 * Settles one job at a time, so that a death at any point can be settled by others (C1, C3).
 *
 * ```text
 * step                                 slot       a death here means
 * the job was received                 CLAIMED    the replacement runs it
 *   afterTake
 * the processor decides; work-ms       CLAIMED    the replacement runs it
 *   beforeLock
 * lock the shard                       CLAIMED    the lock is released, the replacement runs it
 *   withLock; hold-ms; plan
 * swap                                 APPLIED    the lock says that nothing was written: as above
 *   afterSwap
 * commit                               APPLIED    torn: the server stops (C4)
 *   inCommit
 * the commit is complete               APPLIED    the lock says so: released, counted
 *   afterEffect
 * unlock                               APPLIED    no lock is held: counted
 *   afterUnlock
 * swap                                 SETTLED    counted
 *   afterSettle
 * count, keep the outcome for its id   SETTLED    counted
 * EMPTY, give the credit back          EMPTY      nothing to do
 * tell who waits for the outcome       EMPTY      the client is told "accepted" at its timeout
 * ```
 *
 * Whoever counts a job tells who waits for its outcome: so does the supervisor, except after a death
 * behind EMPTY, when it cannot know whether the worker had told them.
 *
 * Counting writes the absolute value that was put in the slot before APPLIED, so that it does not
 * matter who counts, nor whether it was done before.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { JobFlag, JobView } from "../base/job.ts";
import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import type { HistogramRecorder } from "../metrics/histogram.ts";
import type { ThreadLog } from "../durability/thread_log.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import type { EventIds } from "../store/event_ids.ts";
import { Key } from "../store/key.ts";
import { BALANCE_DATABASE, type Store, WriteStatus } from "../store/store.ts";
import type { JobTracer } from "./job_tracer.ts";
import { type FaultInjector, InjectedDeath } from "./fault_plan.ts";
import { counterOf, Outcome, outcomeOf } from "./outcome.ts";
import { Effect, type EffectProcessor, MAX_EFFECT_KEY_BYTES } from "./processor.ts";
import type { SettlementPost } from "./settlement_post.ts";

/** Operation code of a settlement in the text of a fault; command codes start above. */
export const SETTLE_EVENT_OPERATION = 1;
/** Tries of a write that finds no memory; acceptance reserves it, so one is normally enough. */
const MAX_MEMORY_ATTEMPTS = 8;

/** What a {@link JobRunner} works with. */
export interface JobRunnerOptions {
  /** This worker's store. */
  store: Store;
  /** Where it writes down what became of events; absent: nowhere. */
  log?: ThreadLog | undefined;
  /** This worker's slot. */
  slot: ConsumerSlot;
  /** This worker's counters. */
  counters: ThreadCounters;
  /** Where the time from acceptance to settlement is recorded. */
  settlement: HistogramRecorder;
  /** What events do. */
  processor: EffectProcessor;
  /** Simulated work before the lock is taken, in milliseconds. */
  workMs: number;
  /** Simulated work while the lock is held, in milliseconds. */
  holdMs: number;
  /** Where the outcomes of events with an id are kept; absent: nowhere. */
  eventIds?: EventIds | undefined;
  /** Where outcomes go that clients wait for; absent: nowhere. */
  post?: SettlementPost | undefined;
  /** Makes spans of jobs; absent: nobody does. */
  tracer?: JobTracer | undefined;
  /** Ends the worker by plan; tests only. */
  faults?: FaultInjector | undefined;
  /** Told of every job that failed, after it was counted. */
  onFailed?: ((job: JobView, outcome: Outcome, error: unknown) => void) | undefined;
}

/** Runs the jobs of one worker. Thread: a worker; sleeps. */
export class JobRunner {
  /** When the last job was settled. Unit: ms since the epoch. */
  settledAtMs = 0;

  readonly #options: JobRunnerOptions;
  readonly #job = new JobView();
  readonly #effect = new Effect();
  readonly #key = new Key();
  readonly #sum = new Int64();
  #error: unknown = undefined;

  /** Makes a runner. */
  constructor(options: JobRunnerOptions) {
    this.#options = options;
    const { faults, store } = options;
    if (faults?.step === "inCommit") {
      const { hook } = store;
      // Mutations are announced inside the commit, when the entry is already changed.
      store.hook = {
        written: (shard, database, address) => {
          faults.reach("inCommit");
          hook?.written(shard, database, address);
        },
        removed: (shard, database, key, seq) => hook?.removed(shard, database, key, seq),
        changed: (shard, database, key, change) => hook?.changed(shard, database, key, change),
        flushed: (database) => hook?.flushed(database),
        swapped: (first, second) => hook?.swapped(first, second),
      };
    }
  }

  /**
   * Settles the job in the slot, which is CLAIMED; afterwards the slot is EMPTY.
   *
   * @returns false when this worker was fenced: it must stop and touch nothing shared
   * @throws when the program is wrong; the worker ends, its job does not get lost
   */
  run(): boolean {
    const { slot, faults, workMs } = this.#options;
    this.#error = undefined;
    if (faults !== undefined && !faults.reach("afterTake")) return false;
    this.#job.attach(slot.bytes, slot.jobStart, slot.jobLength);
    this.#options.tracer?.begin(this.#job);
    const decided = this.#decide();
    if (workMs > 0 && !slot.nap(workMs)) return false;
    if (faults !== undefined && !faults.reach("beforeLock")) return false;
    const outcome = decided ? this.#write() : Outcome.FAILED_PROCESSOR_ERROR;
    if (slot.fenced) return false;
    if (outcome !== Outcome.PROCESSED) {
      if (!this.#apply(outcome)) return false;
      this.#writeDown(outcome, false);
    }
    if (faults !== undefined && !faults.reach("afterUnlock")) return false;
    return this.#settle(outcome);
  }

  #decide(): boolean {
    const effect = this.#effect.clear();
    try {
      this.#options.processor.process(this.#job, effect);
    } catch (error) {
      this.#error = error;
      return false;
    }
    const { keyLength } = effect;
    if (keyLength >= 1 && keyLength <= MAX_EFFECT_KEY_BYTES) return true;
    this.#error = new RangeError(`Cannot apply an effect on a key of ${keyLength} bytes`);
    return false;
  }

  /** Makes the effect. When it is PROCESSED the slot is APPLIED; no lock is held afterwards. */
  #write(): Outcome {
    const { store, tracer } = this.#options;
    const key = this.#key.set(this.#effect.keyBytes, 0, this.#effect.keyLength);
    store.locate(key);
    let status: WriteStatus = WriteStatus.OUT_OF_MEMORY;
    for (let attempt = 1; attempt <= MAX_MEMORY_ATTEMPTS; attempt++) {
      if (tracer === undefined) store.locks.lock(key.shard, true);
      else tracer.measureLock(() => store.locks.lock(key.shard, true));
      status = this.#writeLocked(key);
      // Fenced while asleep: the supervisor has seen to the lock, which may be somebody else's now.
      if (this.#options.slot.fenced) return Outcome.NONE;
      store.locks.unlock(key.shard, true);
      if (status !== WriteStatus.OUT_OF_MEMORY || !store.reclaim()) break;
    }
    return outcomeOf(status);
  }

  #writeLocked(key: Key): WriteStatus {
    const { store, slot, faults, holdMs, log } = this.#options;
    try {
      store.locks.setOperation(key.shard, SETTLE_EVENT_OPERATION);
      if (faults !== undefined && !faults.reach("withLock")) return WriteStatus.OK;
      if (holdMs > 0 && !slot.nap(holdMs)) return WriteStatus.OK;
      store.nowMs = Date.now();
      const { delta } = this.#effect;
      const status = store.planAddInteger(BALANCE_DATABASE, key, delta, this.#sum, true);
      if (status !== WriteStatus.OK || !this.#apply(Outcome.PROCESSED)) return status;
      if (faults !== undefined && !faults.reach("afterSwap")) return status;
      store.commitPlan();
      // With its effect in one frame, which goes into the log when the lock is given back.
      if (log !== undefined) this.#writeDown(Outcome.PROCESSED, true);
      if (faults !== undefined) faults.reach("afterEffect");
      return status;
    } catch (error) {
      // No half-made change may become visible: not unlocked, but poisoned (C4).
      if (!(error instanceof InjectedDeath)) {
        store.locks.poison(key.shard, SETTLE_EVENT_OPERATION);
      }
      throw error;
    }
  }

  #writeDown(outcome: Outcome, isUnderLock: boolean): void {
    const { number, idStart, idEnd } = this.#job;
    const balance = idStart === idEnd ? undefined : this.#sum;
    this.#options.log?.settleEvent(number, outcome, isUnderLock, balance);
  }

  #apply(outcome: Outcome): boolean {
    const { slot, counters } = this.#options;
    return slot.apply(outcome, counters.get(counterOf(outcome)) + 1, this.#sum);
  }

  #settle(outcome: Outcome): boolean {
    const { slot, counters, store, faults, settlement, eventIds, post, onFailed } = this.#options;
    if (!slot.settle()) return false;
    if (faults !== undefined && !faults.reach("afterSettle")) return false;
    counters.set(counterOf(outcome), slot.counterValue);
    // That of the effect is hardly older.
    const nowMs = this.settledAtMs = outcome === Outcome.PROCESSED ? store.nowMs : Date.now();
    if (this.#job.acceptedAtMs > 0) settlement.recordMs(nowMs - this.#job.acceptedAtMs);
    if (outcome !== Outcome.PROCESSED) onFailed?.(this.#job, outcome, this.#error);
    // Behind what the log has of it, and while another one can still see to it.
    const { idSlot, idTicket } = this.#job;
    if (idTicket !== 0) eventIds?.settle(idSlot, idTicket, outcome, this.#sum);
    // EMPTY first: a credit given back twice would break a promise, one lost only wastes a block.
    if (!slot.clear()) return false;
    store.credits.release();
    if ((this.#job.flags & JobFlag.WANTS_REPLY) !== 0) post?.post(this.#job, outcome, this.#sum);
    // Last: nobody waits for it.
    this.#options.tracer?.end(outcome);
    slot.beat(nowMs);
    return true;
  }
}
