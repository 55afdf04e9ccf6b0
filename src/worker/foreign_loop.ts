/**
 * The loop of a worker with a processor of one's own: it gives the event loop its turns, and has several
 * jobs in hand while they are waited for.
 *
 * Everything here runs in short stretches between awaits. A stretch begins with waking up
 * (foreign_gate.ts) and ends with falling asleep, so that whatever code of the processor the event loop
 * runs in between, it runs asleep.
 *
 * @module
 */

import { RecvStatus } from "../channel/bounded_channel.ts";
import type { ConsumerSlot } from "../channel/consumer_slot.ts";
import { SlotKind } from "../channel/slot_layout.ts";
import type { ForeignGate } from "./foreign_gate.ts";
import { type JobRunner, TryStatus } from "./job_runner.ts";
import type { SettlementPost } from "./settlement_post.ts";
import { IDLE_SLICE_MS, NOTES_SLICE_MS, type WorkerParts } from "./worker_parts.ts";

/** How often it looks for orders while everything waits. Unit: ms. */
const TICK_MS = 100;
/**
 * The same on a runtime whose event loop is not woken by who notifies it; see `server/wake_tick.ts`.
 * Unit: ms.
 */
const HELPED_TICK_MS = 10;
/** Longest time for which the event loop does not get its turn because of jobs. Unit: ms. */
const STRETCH_MS = 20;
/** A job that took longer than this may have been in front of another such one. Unit: ms. */
const SHORT_JOB_MS = 0.05;
/** Outcomes that are posted before those who wait for them are woken, at most. */
const QUIET_OUTCOMES_MAX = 16;
/** The same as a time, while jobs come that nobody waits for. Unit: ms. */
const QUIET_MAX_MS = 0.5;
/** Tries of a job that conflicts which come at once. */
const PROMPT_TRIES = 3;
/** Longest wait before a further one, which doubles from 1. Unit: ms. */
const BACK_OFF_MAX_MS = 64;

/** One slot and what becomes of the job in it. */
interface Lane {
  readonly slot: ConsumerSlot;
  readonly runner: JobRunner;
  isBusy: boolean;
  /** What is waited for counts only while this is the same. */
  turn: number;
  /** When the try is over. Unit: ms of the monotonic clock. */
  deadlineMs: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Thread: a worker, once. */
export class ForeignLoop {
  readonly #parts: WorkerParts;
  readonly #gate: ForeignGate;
  readonly #lanes: Lane[];
  /** Jobs that a predecessor died with; they are run one at a time, before any other. */
  readonly #leftovers: Lane[];
  readonly #timeoutMs: number;
  readonly #ended = Promise.withResolvers<boolean>();
  #busyCount = 0;
  #isOver = false;
  #isStopping = false;
  #isTurnDue = false;
  #isLookDue = false;
  /** Whether it is counted in among those that wait for jobs. */
  #isWaiting = false;
  /** Whether a call that it waits for is still to come. */
  #isCallAwaited = false;
  #stretchStartMs = 0;
  /** Whether a stretch has begun and not ended. */
  #isInStretch = false;
  /** Whether those who wait for outcomes are about to be woken. */
  #isRingDue = false;
  /** When there was nothing last to wake anybody for. Unit: ms of the monotonic clock. */
  #quietSinceMs = 0;
  /** When the last job began. Unit: ms of the monotonic clock. */
  #startedAtMs = 0;
  /** How long our code has run since the event loop had its turn. Unit: ms. */
  #spentMs = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Prepares; the worker is awake.
   *
   * @param slots all slots of the worker; behind those with a runner none has a job
   */
  constructor(
    parts: WorkerParts,
    gate: ForeignGate,
    slots: readonly ConsumerSlot[],
    runners: readonly JobRunner[],
    timeoutMs: number,
  ) {
    this.#parts = parts;
    this.#gate = gate;
    this.#timeoutMs = timeoutMs;
    this.#lanes = runners.map((runner, index) => ({
      slot: slots[index]!,
      runner,
      isBusy: false,
      turn: 0,
      deadlineMs: 0,
      timer: undefined,
    }));
    this.#leftovers = this.#lanes.filter(({ slot }) => slot.kind === SlotKind.CLAIMED);
  }

  /**
   * Settles jobs until it is to stop.
   *
   * @returns false when this worker was fenced
   * @throws when the program is wrong
   */
  run(): Promise<boolean> {
    const tickMs = "locks" in navigator ? TICK_MS : HELPED_TICK_MS;
    this.#timer = setInterval(() => this.#turn(), tickMs);
    // Not here, behind a promise: an isolate whose memory runs out ends only where the event loop sees it.
    this.#gate.leave(-1);
    this.#turnSoon();
    return this.#ended.promise;
  }

  #end(isDone: boolean): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const { timer } of this.#lanes) clearTimeout(timer);
    const { channel, life } = this.#parts;
    if (isDone) this.#parts.post?.ring();
    if (isDone && this.#isWaiting) {
      channel.endWait(life);
      // A call may be on its way to who does not hear it any more.
      channel.wakeAll();
    }
    this.#ended.resolve(isDone);
  }

  /** One stretch of our code. */
  #stretch(deed: () => void): void {
    if (this.#isOver) return;
    if (this.#isInStretch) return this.#tear();
    this.#isInStretch = true;
    this.#stretchStartMs = performance.now();
    try {
      // An isolate that is ended breaks off what runs, and may still make calls like this one: what our
      // code was in the middle of is the supervisor's now.
      if (this.#gate.isInside) throw new Error("it was ended in the middle of its work");
      if (!this.#gate.enter()) return this.#end(false);
      deed();
      if (!this.#isOver) this.#ringSoon();
      if (!this.#isOver) this.#gate.leave(this.#soleLane());
    } catch (error) {
      this.#isOver = true;
      clearInterval(this.#timer);
      this.#ended.reject(error);
    }
    this.#isInStretch = false;
    this.#spentMs += performance.now() - this.#stretchStartMs;
  }

  /** Behind a job: who waits for an outcome is woken behind several, unless the next one may be long. */
  #ringIfDue(post: SettlementPost, nowMs: number): void {
    const isDue = post.quietCount >= QUIET_OUTCOMES_MAX ||
      nowMs - this.#startedAtMs > SHORT_JOB_MS || nowMs - this.#quietSinceMs > QUIET_MAX_MS;
    if (isDue) post.ring();
    if (post.quietCount === 0) this.#quietSinceMs = nowMs;
  }

  /**
   * Has those woken who wait for outcomes: at once, or behind other jobs whose promises are settled too.
   *
   * Should the processor's code keep it from that, the supervisor does it when this worker is fenced.
   */
  #ringSoon(): void {
    const { post } = this.#parts;
    if (post === undefined || post.quietCount === 0 || this.#isRingDue) return;
    if (this.#busyCount === 0) return post.ring();
    this.#isRingDue = true;
    queueMicrotask(() => {
      this.#isRingDue = false;
      if (!this.#gate.fenced) post.ring();
    });
  }

  /**
   * The last stretch was cut off: where memory runs out, V8 ends what is running, which nobody can catch.
   * Mostly the isolate ends with it; behind a promise it lives on, with a job that nobody goes on with.
   */
  #tear(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#ended.reject(new Error("the memory of the processor is used up"));
  }

  /** The one with a job in hand, as its code is what the event loop runs; -1: there are several. */
  #soleLane(): number {
    return this.#busyCount === 1 ? this.#lanes.findIndex(({ isBusy }) => isBusy) : -1;
  }

  /** A turn of the event loop. */
  #turn(): void {
    this.#spentMs = 0;
    this.#stretch(() => {
      this.#endWait();
      this.#fill();
    });
  }

  #turnSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setTimeout(() => {
      this.#isTurnDue = false;
      this.#turn();
    }, 0);
  }

  /** Looks again earlier than it would by itself. */
  #lookIn(delayMs: number): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    setTimeout(() => {
      this.#isLookDue = false;
      this.#turn();
    }, delayMs);
  }

  /** Takes jobs as long as there are some, and slots for them. */
  #fill(): void {
    const { channel, life } = this.#parts;
    while (!this.#isOver) {
      if (!this.#isStopping && life.stopRequested) this.#stop();
      // What a predecessor died with nobody else would see to.
      if (this.#isStopping && this.#leftovers.length === 0) {
        if (this.#busyCount === 0) this.#end(true);
        return;
      }
      const spentMs = this.#spentMs + performance.now() - this.#stretchStartMs;
      if (spentMs > STRETCH_MS) return this.#turnSoon();
      if (this.#leftovers.length > 0) {
        if (this.#busyCount > 0) return;
        this.#start(this.#leftovers.shift()!);
        continue;
      }
      const lane = this.#freeLane();
      if (lane === undefined) return;
      const status = channel.recv(lane.slot, 0);
      if (status === RecvStatus.JOB) {
        this.#start(lane);
      } else if (status === RecvStatus.FENCED) {
        this.#end(false);
      } else if (status === RecvStatus.CLOSED) {
        if (this.#busyCount === 0) this.#end(true);
        return;
      } else if (!this.#wait()) {
        return;
      }
    }
  }

  #freeLane(): Lane | undefined {
    // Behind leftovers: until those are done, none is received.
    return this.#lanes.find(({ isBusy }) => !isBusy);
  }

  /** Nothing to take. Returns whether there is something after all. */
  #wait(): boolean {
    const { channel, life, background, notes } = this.#parts;
    const nowMs = performance.now();
    background.runBetweenJobs(nowMs, false);
    if (notes !== undefined && notes.noteCount > 0) notes.tryFlush();
    if (this.#isWaiting) return false;
    const { signal } = channel;
    if (!channel.beginWait(life, signal, this.#isCallAwaited)) return true;
    this.#isWaiting = true;
    if (!this.#isCallAwaited) {
      this.#isCallAwaited = true;
      void channel.call(signal).then(() => this.#hearCall());
    }
    const isNoteLeft = notes !== undefined && notes.noteCount > 0;
    const sliceMs = background.waitMs(nowMs, isNoteLeft ? NOTES_SLICE_MS : IDLE_SLICE_MS);
    if (sliceMs < IDLE_SLICE_MS) this.#lookIn(sliceMs);
    return false;
  }

  /** It looks for itself now. */
  #endWait(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#parts.channel.endWait(this.#parts.life);
  }

  #hearCall(): void {
    if (this.#isOver) return;
    this.#spentMs = 0;
    this.#isCallAwaited = false;
    this.#stretch(() => {
      const { channel } = this.#parts;
      this.#endWait();
      this.#fill();
      // It may have been called for a job that there is no slot for.
      if (!this.#isOver && !this.#isWaiting) channel.callConsumer();
    });
    if (this.#gate.fenced) this.#parts.channel.passOnWait();
  }

  /** It is to stop: what is in hand is finished; if the server stops, its code is told so. */
  #stop(): void {
    this.#isStopping = true;
    if (!this.#parts.channel.closed || this.#busyCount === 0) return;
    const reason = new Error("the server stops");
    this.#gate.leave(-1);
    for (const { isBusy, runner } of this.#lanes) if (isBusy) runner.abort(reason);
    if (!this.#gate.enter()) this.#end(false);
  }

  #start(lane: Lane): void {
    lane.isBusy = true;
    this.#busyCount++;
    if (!lane.runner.begin()) return this.#end(false);
    this.#startedAtMs = performance.now();
    lane.deadlineMs = this.#startedAtMs + this.#timeoutMs;
    this.#go(lane, lane.runner.try());
  }

  /** Goes on behind a try. */
  #go(lane: Lane, status: TryStatus): void {
    for (;;) {
      switch (status) {
        case TryStatus.FENCED:
          return this.#end(false);
        case TryStatus.SETTLED:
          return this.#free(lane);
        case TryStatus.PENDING:
          return this.#await(lane);
      }
      const { attempt } = lane.runner;
      if (performance.now() >= lane.deadlineMs) {
        status = lane.runner.expire(this.#lateError());
      } else if (attempt < PROMPT_TRIES) {
        status = lane.runner.try();
      } else {
        return this.#tryLater(lane, attempt);
      }
    }
  }

  #free(lane: Lane): void {
    lane.isBusy = false;
    lane.turn++;
    this.#busyCount--;
    const { background, notes, post } = this.#parts;
    const nowMs = performance.now();
    background.runBetweenJobs(nowMs, true);
    if (post !== undefined) this.#ringIfDue(post, nowMs);
    if (notes !== undefined && notes.noteCount > 0) notes.tryFlush();
  }

  /** Others change what it reads, again and again: a while without it lets them come through. */
  #tryLater(lane: Lane, attempt: number): void {
    const { turn } = lane;
    const most = Math.min(BACK_OFF_MAX_MS, 2 ** (attempt - PROMPT_TRIES));
    lane.timer = setTimeout(() => {
      if (lane.turn !== turn) return;
      this.#stretch(() => {
        const isLate = performance.now() >= lane.deadlineMs;
        this.#go(lane, isLate ? lane.runner.expire(this.#lateError()) : lane.runner.try());
        this.#fill();
      });
    }, Math.random() * most);
  }

  #await(lane: Lane): void {
    const turn = ++lane.turn;
    const leftMs = Math.max(0, lane.deadlineMs - performance.now());
    lane.timer = setTimeout(() => this.#expire(lane, turn), leftMs);
    void this.#hear(lane, turn, lane.runner.promise!);
  }

  /** By `await`: a `then` may have been replaced by somebody's, and we are awake. */
  async #hear(lane: Lane, turn: number, promise: Promise<unknown>): Promise<void> {
    let take: () => void;
    try {
      const value = await promise;
      take = () => lane.runner.take(value);
    } catch (error) {
      take = () => lane.runner.reject(error);
    }
    this.#finish(lane, turn, take);
  }

  /** The promise of a try is settled. `take` may run code of the processor. */
  #finish(lane: Lane, turn: number, take: () => void): void {
    if (this.#isOver || lane.turn !== turn) return;
    clearTimeout(lane.timer);
    lane.turn++;
    take();
    this.#stretch(() => {
      this.#go(lane, lane.runner.finish());
      this.#fill();
    });
  }

  /** A try takes longer than it may. */
  #expire(lane: Lane, turn: number): void {
    if (this.#isOver || lane.turn !== turn) return;
    lane.turn++;
    const error = this.#lateError();
    lane.runner.abort(error);
    this.#stretch(() => {
      this.#go(lane, lane.runner.expire(error));
      this.#fill();
    });
  }

  #lateError(): Error {
    return new Error(`it took longer than ${this.#timeoutMs} ms`);
  }
}
