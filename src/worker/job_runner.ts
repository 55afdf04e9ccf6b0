/**
 * Settles the jobs of one slot, one at a time, so that a death at any point can be settled by others
 * (C1, C3).
 *
 * ```text
 * step                                 slot       a death here means
 * the job was received                 CLAIMED    the replacement runs it
 *   afterTake
 * the processor decides; work-ms       CLAIMED    the replacement runs it
 *   beforeLock
 * lock the shards                      CLAIMED    the locks are released, the replacement runs it
 *   withLock; hold-ms; plan
 * swap                                 APPLIED    the locks say that nothing was written: as above
 *   afterSwap
 * commit                               APPLIED    torn: the server stops (C4)
 *   inCommit
 * the commit is complete               APPLIED    the locks say so: released, counted
 *   afterEffect
 * unlock                               APPLIED    no lock is held: counted
 *   afterUnlock
 * swap                                 SETTLED    counted
 *   afterSettle
 * count, keep the outcome for its id   SETTLED    counted
 * EMPTY, give the credit back          EMPTY      nothing to do
 * tell who waits for the outcome       EMPTY      the client is told "accepted" at its timeout
 * publish what the processor emitted   EMPTY      it is not published
 * ```
 *
 * Whoever counts a job tells who waits for its outcome: so does the supervisor, except after a death
 * behind EMPTY, when it cannot know whether the worker had told them.
 *
 * Counting writes the absolute values that were put down before APPLIED, so that it does not
 * matter who counts, nor whether it was done before.
 *
 * The processor may be somebody else's: then its code runs outside of the gate (foreign_gate.ts), with
 * an event and a context that are good for one try. When it gives a promise, {@link JobRunner.try} ends
 * with PENDING, and {@link JobRunner.finish} follows when that is settled.
 *
 * @module
 */

import { JobFlag, JobView } from "../base/job.ts";
import { RESULT_MAX_BYTES } from "../base/limits.ts";
import { copyOfBytes } from "../base/short_text.ts";
import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import type { HistogramRecorder } from "../metrics/histogram.ts";
import type { ThreadLog } from "../durability/thread_log.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import type { EventIds } from "../store/event_ids.ts";
import type { Store } from "../store/store.ts";
import { CommitStatus, type CommitSteps } from "../store/transaction.ts";
import { ForeignContext } from "./foreign_context.ts";
import type { ForeignGate } from "./foreign_gate.ts";
import { type ContextParts, type Emission, JobContext, jsonOf } from "./job_context.ts";
import { JobEvent, UserViews } from "./job_event.ts";
import type { JobTracer } from "./job_tracer.ts";
import { type FaultInjector, InjectedDeath } from "./fault_plan.ts";
import { counterOf, Outcome, outcomeOf } from "./outcome.ts";
import type { Processor, ProcessorContext, ProcessorEvent, ProcessorLogger } from "./processor.ts";
import { textOf } from "./processor_log.ts";
import type { SettlementPost } from "./settlement_post.ts";

/** Operation code of a settlement in the text of a fault; command codes start above. */
export const SETTLE_EVENT_OPERATION = 1;

/** How a try of a job ended. */
export const TryStatus = {
  /** This worker was fenced: it must stop and touch nothing shared. */
  FENCED: 0,
  /** The job is settled, its slot is EMPTY. */
  SETTLED: 1,
  /** What the processor read has changed meanwhile: it has to be tried again, or failed. */
  CONFLICT: 2,
  /** The processor gave a promise: {@link JobRunner.promise}. */
  PENDING: 3,
} as const;
/** One of {@link TryStatus}. */
export type TryStatus = (typeof TryStatus)[keyof typeof TryStatus];

/** What a {@link JobRunner} works with. */
export interface JobRunnerOptions {
  /** This worker's store. */
  store: Store;
  /** Where it writes down what became of events; absent: nowhere. */
  log?: ThreadLog | undefined;
  /** The slot whose jobs it settles. */
  slot: ConsumerSlot;
  /** This worker's first slot; default: `slot`. */
  life?: ConsumerSlot | undefined;
  /** Which of the worker's slots it is, from 0. */
  lane?: number | undefined;
  /** This worker's counters. */
  counters: ThreadCounters;
  /** Where the time from acceptance to settlement is recorded. */
  settlement: HistogramRecorder;
  /** What events do. */
  processor: Processor;
  /** Where somebody else's processor says something, and what it counts; default: it does not. */
  context?: Omit<ContextParts, "store"> | undefined;
  /** Between our code and the processor's; absent: the processor is ours. */
  gate?: ForeignGate | undefined;
  /** Simulated work before the lock is taken, in milliseconds. */
  workMs: number;
  /** Simulated work while the lock is held, in milliseconds. */
  holdMs: number;
  /** Where the outcomes of events with an id are kept; absent: nowhere. */
  eventIds?: EventIds | undefined;
  /** Where outcomes go that clients wait for; absent: nowhere. */
  post?: SettlementPost | undefined;
  /** Publishes what a processor emitted; absent: nobody can subscribe. */
  publish?: ((emission: Emission) => void) | undefined;
  /** Makes spans of jobs; absent: nobody does. */
  tracer?: JobTracer | undefined;
  /** Ends the worker by plan; tests only. */
  faults?: FaultInjector | undefined;
  /** Told of every job that failed, after it was counted. */
  onFailed?: ((job: JobView, outcome: Outcome, error: unknown) => void) | undefined;
}

const SILENT: ProcessorLogger = { debug() {}, info() {}, warn() {}, error() {} };
const NO_RESULT = new Uint8Array(0);

/** Runs the jobs of one slot. Thread: a worker; sleeps. */
export class JobRunner {
  /** When the last job was settled. Unit: ms since the epoch. */
  settledAtMs = 0;
  /** What the processor gave when a try ended with PENDING. */
  promise: Promise<unknown> | undefined = undefined;
  /** Tries of the job in hand. */
  attempt = 0;

  readonly #options: JobRunnerOptions;
  readonly #life: ConsumerSlot;
  readonly #lane: number;
  readonly #gate: ForeignGate | undefined;
  readonly #processor: Processor;
  readonly #job = new JobView();
  readonly #context: JobContext;
  readonly #steps: CommitSteps;
  /** What a processor of ours gets, for all its jobs. */
  readonly #ownEvent: JobEvent;
  /** What somebody else's got for the try under way. */
  #foreignEvent: JobEvent | undefined;
  #foreignContext: ForeignContext | undefined;
  #hasFailed = false;
  #error: unknown = undefined;
  #result: Uint8Array = NO_RESULT;

  /** Makes a runner. */
  constructor(options: JobRunnerOptions) {
    this.#options = options;
    const { faults, store, slot, gate, processor } = options;
    this.#life = options.life ?? slot;
    this.#lane = options.lane ?? 0;
    this.#gate = gate;
    this.#processor = processor;
    this.#context = new JobContext({ log: SILENT, ...options.context, store });
    this.#ownEvent = new JobEvent(this.#job, new UserViews());
    this.#steps = this.#makeSteps();
    if (faults?.step === "inCommit" && this.#lane === 0) breakCommits(store, faults);
  }

  #makeSteps(): CommitSteps {
    const { faults, holdMs, log, tracer } = this.#options;
    return {
      operation: SETTLE_EVENT_OPERATION,
      beforeChanges: () =>
        this.#apply(Outcome.PROCESSED) && (faults === undefined || faults.reach("afterSwap")),
      ...(tracer === undefined
        ? {}
        : { lock: (locks) => tracer.measureLock(() => locks.lock(true)) }),
      ...(faults === undefined && holdMs === 0 ? {} : { withLocks: () => this.#hold() }),
      ...(faults === undefined && log === undefined ? {} : {
        afterChanges: () => {
          // With its effect in one frame, which goes into the log when the lock is given back.
          if (log !== undefined) this.#writeDown(Outcome.PROCESSED, true);
          return faults === undefined || faults.reach("afterEffect");
        },
      }),
      ...(faults === undefined ? {} : { isDeath: (error) => error instanceof InjectedDeath }),
    };
  }

  #hold(): boolean {
    const { faults, holdMs } = this.#options;
    if (faults !== undefined && !faults.reach("withLock")) return false;
    return holdMs === 0 || this.#life.nap(holdMs);
  }

  /**
   * Begins with the job in the slot, which is CLAIMED; {@link JobRunner.try} has to follow.
   *
   * @returns false when this worker was fenced: it must stop and touch nothing shared
   */
  begin(): boolean {
    const { slot, faults, tracer } = this.#options;
    if (faults !== undefined && !faults.reach("afterTake")) return false;
    if (this.#gate === undefined) {
      this.#job.attach(slot.bytes, slot.jobStart, slot.jobLength);
    } else {
      // A copy: somebody else's code may still look at its event when this worker was fenced, and the
      // slot has another one.
      const job = copyOfBytes(slot.bytes, slot.jobStart, slot.jobStart + slot.jobLength);
      this.#job.attach(job, 0, job.length);
    }
    this.attempt = 0;
    if (tracer !== undefined) tracer.begin(this.#job);
    return true;
  }

  /**
   * Tries the job.
   *
   * @throws when the program is wrong; the worker ends, its job does not get lost
   */
  try(): TryStatus {
    const context = this.#context;
    this.#hasFailed = false;
    context.beginTry(++this.attempt);
    if (this.#gate !== undefined) return this.#tryForeign(this.#gate);
    try {
      this.#processor.process(this.#ownEvent, context);
    } catch (error) {
      this.#fail(error);
    }
    return this.#conclude();
  }

  /**
   * Settles the job in the slot, which is CLAIMED, with a processor of ours: it gives no promise, and
   * what it does is done in the end. Afterwards the slot is EMPTY.
   *
   * @returns false when this worker was fenced: it must stop and touch nothing shared
   * @throws as {@link JobRunner.try}
   */
  run(): boolean {
    if (!this.begin()) return false;
    for (;;) {
      const status = this.try();
      if (status === TryStatus.SETTLED) return true;
      if (status === TryStatus.FENCED) return false;
    }
  }

  #tryForeign(gate: ForeignGate): TryStatus {
    const event = this.#foreignEvent = new JobEvent(this.#job);
    const context = this.#foreignContext = new ForeignContext(this.#context, gate);
    if (!gate.leave(this.#lane)) return TryStatus.FENCED;
    this.#callForeign(event, context);
    if (!gate.enter()) return TryStatus.FENCED;
    return this.promise === undefined ? this.#conclude() : TryStatus.PENDING;
  }

  /** Outside of the gate. */
  #callForeign(event: ProcessorEvent, context: ProcessorContext): void {
    this.promise = undefined;
    try {
      const value = this.#processor.process(event, context);
      // A promise of ours: nobody else's code runs when it is asked to say when it is settled. (What
      // `Promise.resolve` returns may be theirs, with a `then` of its own.)
      if (isThenable(value)) this.promise = new Promise((resolve) => resolve(value));
      else this.take(value);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The processor is done. Outside of the gate: looking at `value` may run its code. */
  take(value: unknown): void {
    try {
      this.#result = value === undefined ? NO_RESULT : resultOf(value);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The processor's promise was rejected. */
  reject(error: unknown): void {
    this.#fail(error);
  }

  /** Ends a try that was PENDING, behind {@link JobRunner.take} or {@link JobRunner.reject}. */
  finish(): TryStatus {
    return this.#conclude();
  }

  /** Tells code that is still running that it may stop. Outside of the gate. */
  abort(reason: Error): void {
    this.#foreignContext?.abort(reason);
  }

  /**
   * Settles the job as failed, because it took too long: what its code does from now on is void.
   *
   * @returns FENCED or SETTLED
   */
  expire(error: Error): TryStatus {
    this.#error = error;
    this.#context.abandon();
    this.#endForeign();
    return this.#settleFailed(Outcome.FAILED_TIMEOUT);
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    // Made text of here: that may run somebody else's code, and we are outside of the gate.
    this.#error = this.#gate === undefined ? error : textOf(error);
  }

  #endForeign(): void {
    this.#foreignEvent?.end();
    this.#foreignContext?.end();
    this.#foreignEvent = this.#foreignContext = undefined;
    this.promise = undefined;
  }

  #conclude(): TryStatus {
    const { faults, workMs } = this.#options;
    if (this.#foreignContext !== undefined) this.#endForeign();
    if (workMs > 0 && !this.#life.nap(workMs)) return TryStatus.FENCED;
    if (faults !== undefined && !faults.reach("beforeLock")) return TryStatus.FENCED;
    if (this.#hasFailed) {
      this.#context.abandon();
      return this.#settleFailed(Outcome.FAILED_PROCESSOR_ERROR);
    }
    const status = this.#context.commit(this.#steps);
    if (status === CommitStatus.OK) return this.#settle(Outcome.PROCESSED);
    if (status === CommitStatus.FENCED) return TryStatus.FENCED;
    if (status === CommitStatus.CONFLICT) return TryStatus.CONFLICT;
    this.#error = undefined;
    return this.#settleFailed(outcomeOf(status));
  }

  #settleFailed(outcome: Outcome): TryStatus {
    if (!this.#apply(outcome)) return TryStatus.FENCED;
    this.#writeDown(outcome, false);
    return this.#settle(outcome);
  }

  #writeDown(outcome: Outcome, isUnderLock: boolean): void {
    const { number, idStart, idEnd } = this.#job;
    const balance = idStart === idEnd ? undefined : this.#context.sum;
    this.#options.log?.settleEvent(number, outcome, isUnderLock, balance);
  }

  #apply(outcome: Outcome): boolean {
    const { slot, counters } = this.#options;
    if (this.#gate !== undefined) this.#prepareForeign(outcome === Outcome.PROCESSED);
    return slot.apply(outcome, counters.get(counterOf(outcome)) + 1, this.#context.sum);
  }

  /** Puts down what belongs to the job beside its outcome. */
  #prepareForeign(isProcessed: boolean): void {
    const { slot } = this.#options;
    if (!isProcessed) this.#result = NO_RESULT;
    if (isProcessed && this.#result.length > 0) slot.putResult(this.#result);
    else slot.putNoResult();
    if (isProcessed) this.#context.prepareCounts();
  }

  #settle(outcome: Outcome): TryStatus {
    const { slot, counters, store, faults, settlement, eventIds, post, onFailed } = this.#options;
    if (faults !== undefined && !faults.reach("afterUnlock")) return TryStatus.FENCED;
    if (!slot.settle()) return TryStatus.FENCED;
    if (faults !== undefined && !faults.reach("afterSettle")) return TryStatus.FENCED;
    const isProcessed = outcome === Outcome.PROCESSED;
    counters.set(counterOf(outcome), slot.counterValue);
    if (isProcessed) this.#context.settleCounts();
    // That of the effect is hardly older.
    const nowMs = this.settledAtMs = isProcessed ? store.nowMs : Date.now();
    if (this.#job.acceptedAtMs > 0) settlement.recordMs(nowMs - this.#job.acceptedAtMs);
    if (!isProcessed) onFailed?.(this.#job, outcome, this.#error);
    // Behind what the log has of it, and while another one can still see to it.
    const { sum } = this.#context;
    const { idSlot, idTicket } = this.#job;
    if (idTicket !== 0) eventIds?.settle(idSlot, idTicket, outcome, sum);
    // EMPTY first: a credit given back twice would break a promise, one lost only wastes a block.
    if (!slot.clear()) return TryStatus.FENCED;
    store.credits.release();
    if ((this.#job.flags & JobFlag.WANTS_REPLY) !== 0) {
      if (this.#gate === undefined) post?.post(this.#job, outcome, sum);
      else post?.postQuietly(this.#job, outcome, sum, this.#result);
    }
    if (isProcessed && this.#context.emissions.length > 0) this.#publish();
    // Last: nobody waits for it.
    this.#options.tracer?.end(outcome);
    this.#life.beat(nowMs);
    return TryStatus.SETTLED;
  }

  #publish(): void {
    const { publish } = this.#options;
    if (publish !== undefined) {
      for (const emission of this.#context.emissions) {
        publish(emission);
      }
    }
  }
}

/** Ends the thread in the middle of a commit, by plan. */
function breakCommits(store: Store, faults: FaultInjector): void {
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

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}

function resultOf(value: unknown): Uint8Array {
  const text = jsonOf(value);
  if (text.length > RESULT_MAX_BYTES) {
    throw new RangeError(
      `Cannot return ${text.length} bytes of JSON: a result has at most ${RESULT_MAX_BYTES}`,
    );
  }
  return text;
}
