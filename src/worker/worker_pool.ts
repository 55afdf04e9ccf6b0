/**
 * The worker pool: starts event workers, replaces those that die without losing or doubling a
 * job, grows and shrinks, drains and stops.
 *
 * Everything here runs on the main isolate and never blocks it. A worker is dead when its lifeline
 * says so (lifeline.ts); what it left is settled by recovery.ts; its job, if it has no effect yet,
 * waits in the slot for the replacement, so a full channel is never in the way.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { WORKERS_MAX } from "../base/limits.ts";
import type { BoundedChannel } from "../channel/bounded_channel.ts";
import { ConsumerSlots } from "../channel/consumer_slots.ts";
import { Inbox } from "../channel/inbox.ts";
import { SlotKind } from "../channel/slot_layout.ts";
import type { SlotSupervision } from "../channel/slot_supervision.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { MetricsRegion, ThreadCounters } from "../metrics/region.ts";
import type { PubSubMemory } from "../pubsub/region.ts";
import type { EventIds } from "../store/event_ids.ts";
import type { Store } from "../store/store.ts";
import type { WaitRegion } from "../store/wait_region.ts";
import type { ThreadLog, ThreadLogMemory } from "../durability/thread_log.ts";
import { type Lifelines, openLifelines } from "./lifeline.ts";
import type { FailedJobMessage } from "./messages.ts";
import { reasonOf } from "./outcome.ts";
import { PoolSizer } from "./pool_sizer.ts";
import { recoverDeadWorker, type Recovery } from "./recovery.ts";
import { type InboxesMemory, SettlementPost } from "./settlement_post.ts";
import { type RunEnd, WorkerRun } from "./worker_run.ts";

/** Where the pool says what happens; the shape of the server's loggers. */
export interface PoolLog {
  /** Something worth knowing. */
  info(message: string, fields: Record<string, unknown>): void;
  /** Something that should not happen and was dealt with. */
  warn(message: string, fields: Record<string, unknown>): void;
}

/** A critical section was left half done: the server must stop at once, exit code 4 (C4). */
export interface InternalFault {
  /** The torn shard. */
  shard: number;
  /** The thread that held its lock. */
  threadId: number;
  /** What it was doing; see the command table for codes from 256, 1 is the settling of an event. */
  operation: number;
}

/** Times of a pool, in milliseconds. */
export interface PoolTimings {
  /** How often the load is looked at. */
  tickMs: number;
  /** See {@link PoolSizer}. */
  growAfterMs: number;
  /** See {@link PoolSizer}. */
  shrinkAfterMs: number;
  /** A worker that is not ready after this time is replaced. */
  startTimeoutMs: number;
  /** A worker that gave no sign of life for this long is reported as stuck. */
  stuckAfterMs: number;
  /** A worker that lived shorter than this died "at once": the next one waits. */
  quickDeathMs: number;
  /** Longest wait before a replacement. */
  maxBackOffMs: number;
}

/** What a pool is started with. */
export interface WorkerPoolOptions {
  /** The main isolate's view of the store; its `threadCount` covers the workers' thread ids. */
  store: Store;
  /** Where jobs come from. */
  channel: BoundedChannel;
  /** Where is counted; covers the workers' thread ids. */
  metrics: MetricsRegion;
  /** Counters of the calling thread, for deaths. */
  counters: ThreadCounters;
  /** Thread id of slot 0; slot `i` has `firstThreadId + i`. */
  firstThreadId: number;
  /** Workers at least, 0 to `workersMax`; 0: the first one starts when it is needed. */
  workersMin: number;
  /** Workers at most, and number of slots. */
  workersMax: number;
  /** Inboxes of the threads whose clients wait for outcomes; absent: nobody waits. */
  inboxes?: InboxesMemory;
  /** Who subscribes to keyspace events; absent: nobody does. */
  pubsub?: PubSubMemory;
  /** Who waits for keys; absent: nobody does. */
  waits?: WaitRegion;
  /** Where workers write down what they do; absent: nowhere. */
  logMemory?: ThreadLogMemory | undefined;
  /** The same for what the supervisor does for the dead. */
  ownLog?: ThreadLog | undefined;
  /** Ids of events, whose outcomes are kept; absent: none are. */
  eventIds?: EventIds | undefined;
  /** Simulated work before the lock, in milliseconds. Default 0. */
  workMs?: number;
  /** Simulated work with the lock held, in milliseconds. Default 0. */
  holdMs?: number;
  /** Module whose default export is a Processor. Default: balances. */
  processorUrl?: string | undefined;
  /** Where the pool says what happens. */
  log: PoolLog;
  /** The workers' in-flight slots, `workersMax` of them; its own when left out. */
  slots?: ConsumerSlots;
  /** Whether an empty pool is to grow although no job waits. Default: never. */
  isWanted?: () => boolean;
  /** Told how many workers take jobs, whenever that has changed. */
  onSize?: (size: number) => void;
  /** Called once, when the server must say so and stop at once, without saving anything. */
  onInternalFault: (fault: InternalFault) => void;
  /** Overrides of {@link DEFAULT_TIMINGS}. */
  timings?: Partial<PoolTimings>;
  /** Tests only: the fault plan of the `startCount`-th worker (from 1) of a slot. */
  faultPlan?: (slotIndex: number, startCount: number) => string | undefined;
  /** Tests only: how the end of isolates is detected. */
  lifelineKind?: "lock" | "socket";
}

/** How a pool ended. */
export interface PoolReport {
  /** Whether everything that was sent was settled. */
  drained: boolean;
  /** Accepted jobs that were not settled: waiting ones and those in slots. */
  unsettled: number;
  /** Workers that had not ended. */
  workersLeft: number;
  /** Workers that died since the start. */
  deaths: number;
  /** How long draining took. */
  elapsedMs: number;
}

/** Times used unless a test asks for others. */
export const DEFAULT_TIMINGS: Readonly<PoolTimings> = {
  tickMs: 25,
  growAfterMs: 50,
  shrinkAfterMs: 10_000,
  startTimeoutMs: 30_000,
  stuckAfterMs: 5_000,
  quickDeathMs: 1_000,
  maxBackOffMs: 5_000,
};

/** First wait before a replacement; doubles with every quick death. */
const FIRST_BACK_OFF_MS = 50;
/** How long disposing waits for workers that were asked to stop. */
const DISPOSE_GRACE_MS = 2_000;
/** The same after a drain that ran out of time: the stop has a deadline of its own. */
const LATE_GRACE_MS = 20;

/** A slot and who sits in it. */
interface Seat {
  readonly index: number;
  readonly threadId: number;
  readonly slot: SlotSupervision;
  readonly counters: ThreadCounters;
  run: WorkerRun | undefined;
  startCount: number;
  quickDeaths: number;
  relaunchTimer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The pool of event workers.
 *
 * Thread: the main isolate.
 */
export class WorkerPool implements AsyncDisposable {
  /** The workers' in-flight slots. */
  readonly slots: ConsumerSlots;

  readonly #options: WorkerPoolOptions;
  readonly #timings: PoolTimings;
  readonly #lifelines: Lifelines;
  readonly #sizer: PoolSizer;
  readonly #seats: Seat[] = [];
  #deaths = 0;
  #tickTimer: ReturnType<typeof setInterval> | undefined;
  /** Draining: workers end by themselves when the channel is empty. */
  #draining = false;
  /** Nothing is started or settled any more. */
  #over = false;
  /** Resolved and renewed whenever a worker has ended. */
  #changed = Promise.withResolvers<void>();

  private constructor(options: WorkerPoolOptions) {
    const { workersMin, workersMax } = options;
    assert(
      workersMin >= 0 && workersMin <= workersMax && workersMax >= 1 && workersMax <= WORKERS_MAX,
      `${workersMin} to ${workersMax} workers are possible`,
    );
    this.#options = options;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#sizer = new PoolSizer(workersMin, workersMax, this.#timings);
    this.#lifelines = openLifelines(crypto.randomUUID(), options.lifelineKind);
    this.slots = options.slots ??
      ConsumerSlots.create({ slotCount: workersMax, jobBytes: options.channel.jobBytes });
    for (let index = 0; index < workersMax; index++) {
      const threadId = options.firstThreadId + index;
      this.#seats.push({
        index,
        threadId,
        slot: this.slots.supervise(index),
        counters: options.metrics.counters(threadId),
        run: undefined,
        startCount: 0,
        quickDeaths: 0,
        relaunchTimer: undefined,
      });
    }
  }

  /**
   * Starts the smallest number of workers and waits until they take jobs.
   *
   * @throws {Error} when a worker cannot be started, with the reason
   */
  static async start(options: WorkerPoolOptions): Promise<WorkerPool> {
    const pool = new WorkerPool(options);
    const seats = pool.#seats.slice(0, options.workersMin);
    for (const seat of seats) pool.#launch(seat);
    const runs = seats.map((seat) => seat.run!);
    const ready = await Promise.all(runs.map((run) => run.ready));
    const failed = runs[ready.indexOf(false)];
    if (failed !== undefined) {
      await pool[Symbol.asyncDispose]();
      throw new Error(`Cannot start an event worker: ${failed.error || "it ended at once"}`);
    }
    pool.#tickTimer = setInterval(() => pool.#tick(), pool.#timings.tickMs);
    options.store.locks.waitForFault().then((fault) => pool.#fault(fault));
    return pool;
  }

  /** Workers that take jobs. */
  get size(): number {
    return this.#seats.reduce((sum, { run }) => sum + (run?.isReady ? 1 : 0), 0);
  }

  /** Workers that died and were, or are about to be, replaced. */
  get deaths(): number {
    return this.#deaths;
  }

  /** Jobs that workers have taken and not settled. A snapshot. */
  get inFlight(): number {
    return this.#seats.reduce((sum, { slot }) => sum + (slot.kind === SlotKind.EMPTY ? 0 : 1), 0);
  }

  /**
   * Replaces a worker that sleeps where it should not, without waiting for its isolate to end.
   *
   * The sleeper is fenced first: if it ever wakes it stops without touching anything.
   *
   * @returns false when the worker is awake (nothing is done: ask again) or there is none
   */
  replaceSleeper(slotIndex: number): boolean {
    const seat = this.#seats[slotIndex];
    if (seat?.run === undefined || this.#over || !seat.slot.fenceSleeper()) return false;
    const run = seat.run;
    run.terminate();
    this.#onEnd(seat, run, { kind: "replaced", error: "replaced while asleep" });
    return true;
  }

  /**
   * Closes the channel to senders and waits until everything in it is settled and all workers
   * have stopped.
   *
   * @param signal ends the wait; what is not settled then is reported
   */
  async drainAndStop(signal: AbortSignal): Promise<PoolReport> {
    const startedAtMs = performance.now();
    const { channel } = this.#options;
    this.#draining = true;
    clearInterval(this.#tickTimer);
    channel.close();
    this.#launchForDrain();
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener("abort", onAbort);
    // A drain has no timer of its own; this one keeps the process alive, looks for a reservation
    // that was open when the workers left, and is how a stuck worker is noticed.
    const alive = setInterval(() => {
      this.#watch();
      this.#launchForDrain();
      this.#hasChanged();
    }, this.#timings.tickMs * 4);
    while (!signal.aborted && !this.#over && !this.#isDrained()) {
      await Promise.race([this.#changed.promise, aborted.promise]);
    }
    clearInterval(alive);
    signal.removeEventListener("abort", onAbort);
    const unsettled = channel.depth + this.inFlight;
    const report: PoolReport = {
      drained: unsettled === 0 && this.#isDrained(),
      unsettled,
      workersLeft: this.#seats.filter(({ run }) => run !== undefined).length,
      deaths: this.#deaths,
      elapsedMs: performance.now() - startedAtMs,
    };
    await this.#stop(signal.aborted ? LATE_GRACE_MS : DISPOSE_GRACE_MS);
    return report;
  }

  /**
   * Stops without draining: workers finish the job they have, the rest stays in the channel.
   *
   * Workers that do not stop in time are let go; they keep the process from ending by itself.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop(DISPOSE_GRACE_MS);
  }

  async #stop(graceMs: number): Promise<void> {
    this.#over = true;
    clearInterval(this.#tickTimer);
    for (const seat of this.#seats) {
      clearTimeout(seat.relaunchTimer);
      seat.slot.requestStop();
    }
    this.#options.channel.wakeAll();
    const running = this.#seats.filter(({ run }) => run !== undefined).map(({ run }) => run!);
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, graceMs);
    await Promise.race([Promise.all(running.map((run) => run.ended)), grace.promise]);
    clearTimeout(timer);
    for (const run of running) run.terminate();
    this.#lifelines.close();
  }

  /** Jobs that came when there was no worker yet, or from a reservation that was still open. */
  #launchForDrain(): void {
    if (this.#over || this.#options.channel.depth === 0) return;
    if (!this.#seats.some((seat) => isOccupied(seat))) this.#launch(this.#seats[0]!);
  }

  #launch(seat: Seat): void {
    const { store, channel, metrics, workMs = 0, holdMs = 0, processorUrl } = this.#options;
    const epoch = seat.slot.prepare(Date.now());
    seat.relaunchTimer = undefined;
    seat.startCount++;
    const run = new WorkerRun(
      {
        slotIndex: seat.index,
        epoch,
        threadId: seat.threadId,
        lifeline: this.#lifelines.issue(seat.index, epoch),
        channel: channel.memory,
        slots: this.slots.memory,
        store: store.memory,
        metrics: metrics.memory,
        inboxes: this.#options.inboxes,
        pubsub: this.#options.pubsub,
        waits: this.#options.waits?.memory,
        log: this.#options.logMemory,
        eventIds: this.#options.eventIds?.memory,
        workMs,
        holdMs,
        processorUrl,
        faultPlan: this.#options.faultPlan?.(seat.index, seat.startCount),
      },
      this.#lifelines,
      (message) => this.#logFailedJob(message),
    );
    seat.run = run;
    void run.ready.then(() => this.#options.onSize?.(this.size));
    run.ended.then((end) => this.#onEnd(seat, run, end));
  }

  #onEnd(seat: Seat, run: WorkerRun, end: RunEnd): void {
    if (seat.run !== run) return;
    seat.run = undefined;
    this.#options.onSize?.(this.size);
    const stopped = end.kind === "stopped" || seat.slot.left;
    // After the pool is over a dead worker's job is left as it is, and reported as unsettled.
    if (!stopped && !this.#over) this.#bury(seat, run, end);
    // The main isolate's side of an ended worker is only given back by this.
    run.terminate();
    this.#hasChanged();
  }

  /** Has a drain look whether it is done. */
  #hasChanged(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #bury(seat: Seat, run: WorkerRun, end: RunEnd): void {
    const { store, channel, counters, log, inboxes } = this.#options;
    // Its start was never heard of: the slot still says asleep, and nobody must use that epoch.
    seat.slot.fenceSleeper();
    this.#deaths++;
    counters.add(CounterIndex.WORKER_DEATHS);
    const recovery = recoverDeadWorker({
      slot: seat.slot,
      threadId: seat.threadId,
      counters: seat.counters,
      channel,
      store,
      // A worker that never ran its job, or was only slow, says nothing about the job.
      mayBlameJob: run.isReady && end.kind === "died",
      log: this.#options.ownLog,
      eventIds: this.#options.eventIds,
      waits: this.#options.waits,
      isAlive: (threadId) =>
        threadId < this.#options.firstThreadId ||
        this.#seats[threadId - this.#options.firstThreadId]?.run !== undefined,
      // Its end of the inboxes is free: it has ended, or is fenced where it posts nothing.
      post: inboxes && new SettlementPost(inboxes, seat.threadId, seat.counters),
    });
    // It may have ended between posting an outcome and saying so.
    for (const memory of inboxes?.inboxes ?? []) Inbox.attach(memory).ring(seat.threadId);
    if (recovery.kind === "torn") {
      const { shard, operation } = recovery;
      return this.#fault({ shard, threadId: seat.threadId, operation });
    }
    const livedMs = performance.now() - run.startedAtMs;
    seat.quickDeaths = livedMs < this.#timings.quickDeathMs ? seat.quickDeaths + 1 : 0;
    const backOffMs = this.#backOffMs(seat.quickDeaths);
    log.warn("event worker died", {
      event: "worker_died",
      worker: seat.index,
      error: end.error,
      job: describe(recovery),
      lived_ms: Math.round(livedMs),
      restart_in_ms: backOffMs,
    });
    if (this.#draining && recovery.kind !== "requeued" && channel.drained) return;
    seat.relaunchTimer = setTimeout(() => this.#launch(seat), backOffMs);
  }

  /** The first replacement comes at once: one death says nothing about the next worker. */
  #backOffMs(quickDeaths: number): number {
    if (quickDeaths <= 1) return 0;
    return Math.min(this.#timings.maxBackOffMs, FIRST_BACK_OFF_MS * 2 ** (quickDeaths - 2));
  }

  #tick(): void {
    this.#watch();
    const occupied = this.#seats.filter((seat) => isOccupied(seat));
    const decision = this.#sizer.decide({
      depth: this.#options.channel.depth,
      workers: occupied.length,
      busy: this.inFlight,
      isWanted: this.#options.isWanted?.() ?? false,
    }, performance.now());
    if (decision === 1) {
      // One start at a time: a worker that is about to run may already be enough.
      const vacant = this.#seats.find((seat) => !isOccupied(seat));
      const starting = occupied.some(({ run }) => run !== undefined && !run.isReady);
      if (vacant === undefined || starting) return;
      this.#launch(vacant);
      this.#logSize("event worker added", occupied.length + 1);
    } else if (decision === -1) {
      const last = occupied.at(-1)!;
      last.slot.requestStop();
      this.#options.channel.wakeAll();
      this.#logSize("event worker let go", occupied.length - 1);
    }
  }

  /** Looks for workers that do not start or give no sign of life. */
  #watch(): void {
    const { startTimeoutMs } = this.#timings;
    const { log, holdMs = 0, workersMax } = this.#options;
    // A worker shows no sign of life while it waits for a shard that all the others hold in turn.
    const stuckAfterMs = this.#timings.stuckAfterMs + holdMs * workersMax;
    for (const seat of this.#seats) {
      const { run, slot } = seat;
      if (run === undefined) continue;
      if (!run.isReady) {
        if (performance.now() - run.startedAtMs > startTimeoutMs) this.replaceSleeper(seat.index);
        continue;
      }
      const silentMs = Date.now() - slot.heartbeatMs;
      if (silentMs <= stuckAfterMs) {
        run.toldStuck = false;
      } else if (!run.toldStuck) {
        run.toldStuck = true;
        log.warn("event worker is stuck", {
          event: "worker_stuck",
          worker: seat.index,
          silent_ms: silentMs,
        });
      }
    }
  }

  #isDrained(): boolean {
    return this.#options.channel.drained && this.inFlight === 0 &&
      this.#seats.every((seat) => !isOccupied(seat));
  }

  #fault(fault: InternalFault): void {
    if (this.#over) return;
    this.#over = true;
    this.#changed.resolve();
    this.#options.onInternalFault(fault);
  }

  #logFailedJob(message: FailedJobMessage): void {
    const { reason, user, amount, error, untold } = message;
    this.#options.log.warn("event failed", {
      event: "event_failed",
      reason,
      user,
      amount,
      ...(error === "" ? {} : { error }),
      ...(untold === 0 ? {} : { untold }),
    });
  }

  #logSize(message: string, workers: number): void {
    this.#options.log.info(message, { event: "pool_size", workers });
  }
}

function isOccupied(seat: Seat): boolean {
  return seat.run !== undefined || seat.relaunchTimer !== undefined;
}

function describe(recovery: Recovery): string {
  return recovery.kind === "settled" ? reasonOf(recovery.outcome) : recovery.kind;
}
