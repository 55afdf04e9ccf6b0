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
import { ConsumerSlots } from "../channel/consumer_slots.ts";
import { Inbox } from "../channel/inbox.ts";
import { SlotKind } from "../channel/slot_layout.ts";
import type { SlotSupervision } from "../channel/slot_supervision.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import { type Lifelines, openLifelines } from "./lifeline.ts";
import { laneIndexes } from "./lanes.ts";
import type { FailedJobMessage, ProcessorLineMessage } from "./messages.ts";
import { reasonOf } from "./outcome.ts";
import {
  DEFAULT_TIMINGS,
  type InternalFault,
  type PoolReport,
  type PoolTimings,
  type WorkerPoolOptions,
} from "./pool_options.ts";
import { PoolSizer } from "./pool_sizer.ts";
import { openPoolProcessor, type PoolProcessor } from "./pool_processor.ts";
import { recoverDeadWorker, type Recovery } from "./recovery.ts";
import { SettlementPost } from "./settlement_post.ts";
import { type RunEnd, WorkerRun } from "./worker_run.ts";

export * from "./pool_options.ts";

/** First wait before a replacement; doubles with every quick death. */
const FIRST_BACK_OFF_MS = 50;
/** How long disposing waits for workers that were asked to stop. */
const DISPOSE_GRACE_MS = 2_000;
/** The same after a drain that ran out of time: the stop has a deadline of its own. */
const LATE_GRACE_MS = 20;

/**
 * Isolates that run on although they were given up: each burns a processor until the server ends, so
 * behind this many of them nobody takes the place of the next one. Unit: isolates.
 */
const LOST_ISOLATES_MAX = 8;
/**
 * Of a longer time between two looks at the workers nothing more counts as their silence: the whole
 * process may have been stopped. Unit: ms.
 */
const WATCHED_AT_ONCE_MAX_MS = 1_000;
/** How long a worker that is about to be ended may take to leave our code, which is short. Unit: ms. */
const FENCE_PATIENCE_MS = 200;

/** The slots of a worker and who sits in them. */
interface Seat {
  readonly index: number;
  readonly threadId: number;
  /** The first of its slots, its life. */
  readonly slot: SlotSupervision;
  /** All of them. */
  readonly lanes: readonly SlotSupervision[];
  readonly laneIndexes: readonly number[];
  /** Whether it stays empty: too many isolates are lost. */
  isGivenUp: boolean;
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
  readonly #own: PoolProcessor | undefined;
  /** Isolates that were given up and are not known to have ended. */
  readonly #lost = new Set<WorkerRun>();
  #deaths = 0;
  #tickTimer: ReturnType<typeof setInterval> | undefined;
  #watchedAtMs = performance.now();
  /** Draining: workers end by themselves when the channel is empty. */
  #draining = false;
  /** Nothing is started or settled any more. */
  #over = false;
  /** Resolved and renewed whenever a worker has ended. */
  #changed = Promise.withResolvers<void>();

  private constructor(options: WorkerPoolOptions, own: PoolProcessor | undefined) {
    const { workersMin, workersMax } = options;
    assert(
      workersMin >= 0 && workersMin <= workersMax && workersMax >= 1 && workersMax <= WORKERS_MAX,
      `${workersMin} to ${workersMax} workers are possible`,
    );
    this.#options = options;
    this.#own = own;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#sizer = new PoolSizer(workersMin, workersMax, this.#timings);
    // Ending an isolate from outside gives its Web Locks back at once, although it may run on.
    const lifelineKind = options.lifelineKind ?? (own === undefined ? undefined : "socket");
    this.#lifelines = openLifelines(crypto.randomUUID(), lifelineKind);
    const concurrency = own?.concurrency ?? 1;
    const slotCount = workersMax * concurrency;
    this.slots = options.slots ?? ConsumerSlots.create({
      slotCount,
      jobBytes: options.channel.jobBytes,
      resultBytes: own?.resultBytes ?? 0,
    });
    assert(this.slots.slotCount >= slotCount, `${slotCount} jobs can be in hand at once`);
    for (let index = 0; index < workersMax; index++) {
      const threadId = options.firstThreadId + index;
      const slot = this.slots.supervise(index);
      const further = laneIndexes(index, workersMax, concurrency);
      this.#seats.push({
        index,
        threadId,
        slot,
        lanes: [slot, ...further.map((at) => this.slots.supervise(at))],
        laneIndexes: further,
        isGivenUp: false,
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
    let own: PoolProcessor | undefined;
    try {
      own = await openPoolProcessor(options);
    } catch (error) {
      throw new Error(`Cannot start an event worker: ${errorText(error)}`, { cause: error });
    }
    const pool = new WorkerPool(options, own);
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
    let count = 0;
    for (const { lanes } of this.#seats) {
      for (const { kind } of lanes) if (kind !== SlotKind.EMPTY) count++;
    }
    return count;
  }

  /** What a processor of one's own has counted, by name; undefined: it has no counters. */
  get processorCounters(): PoolProcessor["counters"] {
    return this.#own?.counters;
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
    return seat !== undefined && this.#replace(seat, "replaced while asleep");
  }

  #replace(seat: Seat, why: string, isBlocked = false): boolean {
    const { run } = seat;
    if (run === undefined || this.#over || !seat.slot.fenceSleeper()) return false;
    run.terminate();
    if (this.#own !== undefined) this.#lose(run);
    this.#onEnd(seat, run, { kind: "replaced", error: why }, isBlocked);
    return true;
  }

  /**
   * It has said that it ends; if that is not in our code, it need not be waited for, nor does it burn
   * anything.
   */
  #letDie(seat: Seat, run: WorkerRun): void {
    if (seat.run !== run || this.#over || !seat.slot.fenceSleeper()) return;
    run.terminate();
    this.#onEnd(seat, run, { kind: "died", error: run.error });
  }

  /** An isolate was given up: until it is known to have ended it may be running. */
  #lose(run: WorkerRun): void {
    if (run.isolateEnded === undefined) return;
    this.#lost.add(run);
    void run.isolateEnded.then(() => {
      this.#lost.delete(run);
      const vacant = this.#seats.find(({ isGivenUp }) => isGivenUp);
      if (vacant === undefined || this.#over) return;
      vacant.isGivenUp = false;
      this.#launch(vacant);
      this.#tellLost();
    });
  }

  #tellLost(): void {
    this.#options.onLost?.(this.#seats.filter(({ isGivenUp }) => isGivenUp).length);
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
    if (this.#own !== undefined) await this.#fenceAll(Math.min(graceMs, FENCE_PATIENCE_MS));
    for (const run of running) run.terminate();
    this.#lifelines.close();
  }

  /** Has no worker be ended in the middle of our code: what it holds would stay locked. */
  async #fenceAll(patienceMs: number): Promise<void> {
    const untilMs = performance.now() + patienceMs;
    const isAwake = ({ run, slot }: Seat) =>
      run !== undefined && !slot.left && !slot.fenceSleeper();
    let awake = this.#seats.filter(isAwake);
    while (awake.length > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      awake = awake.filter(isAwake);
    }
  }

  /** Jobs that came when there was no worker yet, or from a reservation that was still open. */
  #launchForDrain(): void {
    if (this.#over || this.#options.channel.depth === 0) return;
    if (this.#seats.some((seat) => isOccupied(seat))) return;
    const vacant = this.#seats.find(({ isGivenUp }) => !isGivenUp);
    if (vacant !== undefined) this.#launch(vacant);
  }

  #launch(seat: Seat): void {
    const { store, channel, metrics, workMs = 0, holdMs = 0 } = this.#options;
    const epoch = seat.slot.prepare(Date.now());
    for (const lane of seat.lanes) if (lane !== seat.slot) lane.prepareLane(epoch);
    seat.relaunchTimer = undefined;
    seat.startCount++;
    const run = new WorkerRun(
      {
        slotIndex: seat.index,
        laneIndexes: seat.laneIndexes,
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
        processor: this.#own?.orders,
        faultPlan: this.#options.faultPlan?.(seat.index, seat.startCount),
      },
      this.#lifelines,
      (message) => this.#logNews(message),
      this.#own?.startThread,
    );
    seat.run = run;
    if (this.#own !== undefined) run.onDying = () => this.#letDie(seat, run);
    void run.ready.then(() => this.#options.onSize?.(this.size));
    run.ended.then((end) => this.#onEnd(seat, run, end));
  }

  #onEnd(seat: Seat, run: WorkerRun, end: RunEnd, isBlocked = false): void {
    if (seat.run !== run) return;
    seat.run = undefined;
    this.#options.onSize?.(this.size);
    const stopped = end.kind === "stopped" || seat.slot.left;
    // After the pool is over a dead worker's job is left as it is, and reported as unsettled.
    if (!stopped && !this.#over) this.#bury(seat, run, end, isBlocked);
    // The main isolate's side of an ended worker is only given back by this.
    run.terminate();
    this.#hasChanged();
  }

  /** Has a drain look whether it is done. */
  #hasChanged(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #bury(seat: Seat, run: WorkerRun, end: RunEnd, isBlocked: boolean): void {
    const { store, channel, counters, log, inboxes } = this.#options;
    // Its start was never heard of: the slot still says asleep, and nobody must use that epoch.
    seat.slot.fenceSleeper();
    this.#deaths++;
    counters.add(CounterIndex.WORKER_DEATHS);
    // One that has ended burns nothing.
    const isLast = this.#lost.size >= LOST_ISOLATES_MAX && this.#lost.has(run);
    const recoveries = recoverDeadWorker({
      slot: seat.slot,
      lanes: seat.lanes,
      threadId: seat.threadId,
      counters: seat.counters,
      processorCounters: this.#own?.counters?.of(seat.threadId),
      isBlocked,
      isLast,
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
    const [first] = recoveries;
    if (first?.kind === "torn") {
      const { shard, operation } = first;
      return this.#fault({ shard, threadId: seat.threadId, operation });
    }
    const livedMs = performance.now() - run.startedAtMs;
    seat.quickDeaths = livedMs < this.#timings.quickDeathMs ? seat.quickDeaths + 1 : 0;
    const backOffMs = this.#backOffMs(seat.quickDeaths);
    log.warn("event worker died", {
      event: "worker_died",
      worker: seat.index,
      ...(this.#own === undefined ? {} : { processor: this.#own.name }),
      error: end.error,
      job: describe(recoveries),
      lived_ms: Math.round(livedMs),
      restart_in_ms: backOffMs,
    });
    if (isLast) return this.#giveUp(seat);
    const isLeft = recoveries.some(({ kind }) => kind === "requeued");
    if (this.#draining && !isLeft && channel.drained) return;
    seat.relaunchTimer = setTimeout(() => this.#launch(seat), backOffMs);
  }

  /** Nobody takes the place of a worker: the machine would only burn more for nothing. */
  #giveUp(seat: Seat): void {
    seat.isGivenUp = true;
    const fields = {
      event: "worker_lost",
      worker: seat.index,
      processor: this.#own?.name,
      lost_isolates: this.#lost.size,
    };
    const { log } = this.#options;
    const message =
      "event worker is not replaced: too many isolates are blocked and cannot be ended";
    if (log.error === undefined) log.warn(message, fields);
    else log.error(message, fields);
    this.#tellLost();
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
      busy: this.#seats.filter(({ lanes }) => lanes.some(isInUse)).length,
      isWanted: this.#options.isWanted?.() ?? false,
    }, performance.now());
    if (decision === 1) {
      // One start at a time: a worker that is about to run may already be enough.
      const vacant = this.#seats.find((seat) => !isOccupied(seat) && !seat.isGivenUp);
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
    const nowMs = performance.now();
    const passedMs = Math.min(nowMs - this.#watchedAtMs, WATCHED_AT_ONCE_MAX_MS);
    this.#watchedAtMs = nowMs;
    for (const seat of this.#seats) {
      const { run, slot } = seat;
      if (run === undefined) continue;
      if (!run.isReady) {
        if (performance.now() - run.startedAtMs > startTimeoutMs) this.replaceSleeper(seat.index);
        continue;
      }
      const silentMs = Math.round(run.silentForMs(slot.heartbeatMs, passedMs));
      if (this.#own !== undefined && slot.asleep && silentMs > this.#blockedAfterMs(this.#own)) {
        const why = `its processor did not give the thread back for ${silentMs} ms`;
        if (this.#replace(seat, why, true)) continue;
      }
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

  #blockedAfterMs({ timeoutMs }: PoolProcessor): number {
    return timeoutMs + this.#timings.blockedGraceMs;
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

  #logNews(message: FailedJobMessage | ProcessorLineMessage): void {
    if (message.kind === "failed") this.#logFailedJob(message);
    else this.#logLine(message);
  }

  #logLine({ level, message, fields, untold }: ProcessorLineMessage): void {
    const { log } = this.#options;
    const all = {
      event: "processor",
      ...fields,
      processor: this.#own?.name,
      ...(untold === 0 ? {} : { untold }),
    };
    if (level === "debug") log.debug?.(message, all);
    else if (level === "error" && log.error !== undefined) log.error(message, all);
    else if (level === "info") log.info(message, all);
    else log.warn(message, all);
  }

  #logFailedJob(message: FailedJobMessage): void {
    const { reason, user, amount, error, untold } = message;
    this.#options.log.warn("event failed", {
      event: "event_failed",
      ...(this.#own === undefined ? {} : { processor: this.#own.name }),
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

function isInUse({ kind }: SlotSupervision): boolean {
  return kind !== SlotKind.EMPTY;
}

/** What became of the jobs of a worker, each kind once: `"requeued, timeout"`. */
function describe(recoveries: readonly Recovery[]): string {
  const kinds = recoveries.map((recovery) =>
    recovery.kind === "settled" ? reasonOf(recovery.outcome) : recovery.kind
  );
  const busy = kinds.filter((kind) => kind !== "idle");
  return busy.length === 0 ? "idle" : [...new Set(busy)].join(", ");
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
