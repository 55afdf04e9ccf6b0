/**
 * Decides when a pool grows and shrinks.
 *
 * @module
 */

/** What the sizer looks at. */
export interface PoolLoad {
  /** Jobs that wait in the channel. */
  depth: number;
  /** Workers that run or are being started. */
  workers: number;
  /** Workers that have a job. */
  busy: number;
  /** Whether an empty pool is needed for something else than jobs. Default: no. */
  isWanted?: boolean;
}

/** Times of a {@link PoolSizer}, in milliseconds. */
export interface SizerTimings {
  /** Jobs must have waited without a break for this long before a worker is added. */
  growAfterMs: number;
  /** A worker must have been superfluous for this long before it is let go. */
  shrinkAfterMs: number;
}

/**
 * Grows by one whenever jobs have waited for a while, shrinks by one whenever nobody needed the
 * last worker for a long while. An empty pool grows at the first need, and is never empty again: who
 * has needed a worker once is not made to wait for one a second time.
 *
 * Thread: the supervisor. Time is an argument, so that it can be tested without waiting.
 */
export class PoolSizer {
  readonly #min: number;
  readonly #max: number;
  readonly #timings: SizerTimings;
  #waitingSinceMs = -1;
  #spareSinceMs = -1;

  /** Keeps the pool between `min` and `max` workers. */
  constructor(min: number, max: number, timings: SizerTimings) {
    this.#min = min;
    this.#max = max;
    this.#timings = timings;
  }

  /**
   * Looks at the load; call it every few milliseconds.
   *
   * @returns 1 to add a worker now, -1 to let one go, 0 to do nothing
   */
  decide(load: PoolLoad, nowMs: number): -1 | 0 | 1 {
    const { growAfterMs, shrinkAfterMs } = this.#timings;
    if (load.workers < this.#min) return 1;
    if (load.workers === 0) return load.depth > 0 || load.isWanted === true ? 1 : 0;
    if (load.depth === 0) this.#waitingSinceMs = -1;
    else if (this.#waitingSinceMs < 0) this.#waitingSinceMs = nowMs;
    const isSpare = load.depth === 0 && load.busy < load.workers;
    if (!isSpare) this.#spareSinceMs = -1;
    else if (this.#spareSinceMs < 0) this.#spareSinceMs = nowMs;

    if (this.#waitingSinceMs >= 0 && nowMs - this.#waitingSinceMs >= growAfterMs) {
      if (load.workers >= this.#max) return 0;
      this.#waitingSinceMs = nowMs;
      return 1;
    }
    if (this.#spareSinceMs >= 0 && nowMs - this.#spareSinceMs >= shrinkAfterMs) {
      if (load.workers <= Math.max(1, this.#min)) return 0;
      this.#spareSinceMs = nowMs;
      return -1;
    }
    return 0;
  }
}
