/**
 * Work that nobody waits for, done in slices by whoever has time: event workers between their jobs,
 * I/O threads when all of those are busy (C12).
 *
 * @module
 */

import { type ControlRegion, Header } from "./control.ts";

/** A kind of work that can be done bit by bit. Thread: one instance per thread. */
export interface BackgroundStep {
  /**
   * Does some of it. Takes locks with `tryLock` only, and gives them back.
   *
   * @param budgetMs for about how long; a step that has nothing to do returns at once
   * @returns whether there is more to do right now
   */
  run(budgetMs: number): boolean;
}

/** Where in its work a thread is; for tests that end it there. The shard's lock is held. */
export const BackgroundPoint = {
  /** Expiry: the lock was just taken. */
  SWEEP_LOCKED: 0,
  /** The index or the store is being changed. */
  SWEEP_CHANGING: 1,
  /** A key is gone, and everything is in order. */
  SWEEP_CHANGED: 2,
  /** Garbage: the lock was just taken. */
  GARBAGE_LOCKED: 3,
  /** Nodes are being freed. */
  GARBAGE_CHANGING: 4,
  /** They are free, and everything is in order. */
  GARBAGE_CHANGED: 5,
} as const;

/** One of the values of {@link BackgroundPoint}. */
export type BackgroundPoint = (typeof BackgroundPoint)[keyof typeof BackgroundPoint];

/** Longest slice of a worker. Unit: ms. */
export const WORKER_SLICE_MS = 1;
/** Shortest time between two rounds that had nothing left to do. Unit: ms. */
const MIN_PACE_MS = 100;
/** Longest such time. Unit: ms. Reason: expired keys are gone within 2 s. */
const MAX_PACE_MS = 1000;
/** Time between two slices of a worker that has jobs to do. Unit: ms. Reason: a fifth of its time. */
const BUSY_GAP_MS = 4;
/** When no worker had time for so long, others help. Unit: ms. */
const HELP_AFTER_MS = 300;
/** Fine enough for the time since a worker last had time. Unit: ms. */
const BEAT_STEP_MS = 50;

/**
 * One thread's share of the work, at a pace that follows how much there is: at once while there is
 * more, then after 100 ms, and half as often each time that nothing is left, down to once a second.
 */
export class BackgroundWork {
  readonly #steps: readonly BackgroundStep[];
  readonly #words: Int32Array<SharedArrayBuffer>;
  #nextStep = 0;
  #paceMs = MIN_PACE_MS;
  #dueAtMs = 0;
  #hasMore = false;
  #beatAtMs = -Infinity;

  /** Shares `steps` with other threads that do the same. */
  constructor(steps: readonly BackgroundStep[], control: ControlRegion) {
    this.#steps = steps;
    this.#words = control.words;
    Atomics.store(this.#words, Header.BACKGROUND_BEAT, beatOf(Date.now()));
  }

  /**
   * What a worker calls between jobs.
   *
   * @param nowMs `performance.now()`
   * @param isBusy whether a job came since the last call: then the others wait for it
   */
  runBetweenJobs(nowMs: number, isBusy: boolean): void {
    if (nowMs >= this.#dueAtMs) {
      this.#hasMore = this.run(WORKER_SLICE_MS);
      if (this.#hasMore) {
        this.#paceMs = MIN_PACE_MS;
        this.#dueAtMs = nowMs + (isBusy ? WORKER_SLICE_MS + BUSY_GAP_MS : 0);
      } else {
        this.#dueAtMs = nowMs + this.#paceMs;
        this.#paceMs = Math.min(this.#paceMs * 2, MAX_PACE_MS);
      }
    }
    // A worker that has too little time for the work lets the beat grow old, so that others help.
    if ((this.#hasMore && isBusy) || nowMs - this.#beatAtMs < BEAT_STEP_MS) return;
    this.#beatAtMs = nowMs;
    Atomics.store(this.#words, Header.BACKGROUND_BEAT, beatOf(Date.now()));
  }

  /** How long a worker may sleep when it has no jobs. Unit: ms. */
  waitMs(nowMs: number, longestMs: number): number {
    return Math.max(0, Math.min(longestMs, this.#dueAtMs - nowMs));
  }

  /** Whether the workers have no time for the work. Thread: any. */
  get needsHelp(): boolean {
    const beat = Atomics.load(this.#words, Header.BACKGROUND_BEAT);
    return ((beatOf(Date.now()) - beat) | 0) * BEAT_STEP_MS >= HELP_AFTER_MS;
  }

  /**
   * Does one slice of the work, of each kind in turn.
   *
   * @returns whether there is more to do right now
   */
  run(budgetMs: number): boolean {
    const endMs = performance.now() + budgetMs;
    let hasMore = false;
    for (let i = 0; i < this.#steps.length; i++) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return true;
      const step = this.#steps[this.#nextStep]!;
      this.#nextStep = (this.#nextStep + 1) % this.#steps.length;
      if (step.run(leftMs)) hasMore = true;
    }
    return hasMore;
  }
}

/** A time of day as a counter that fits a word and wraps. */
function beatOf(ms: number): number {
  return Math.floor(ms / BEAT_STEP_MS) | 0;
}
