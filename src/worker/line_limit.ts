/**
 * Bounds how much a worker has its supervisor log.
 *
 * @module
 */

import { LOG_WORKER_LINES_PER_SECOND } from "../base/limits.ts";

/** Lets so many lines through in a second, and counts the others. Thread: one worker. */
export class LineLimit {
  /** Lines since the last one that was let through. */
  untold = 0;

  readonly #linesPerSecond: number;
  /** By `performance.now()`: with a clock that can be set back, nothing would be told until then. */
  #secondStartMs = -Infinity;
  #toldInSecond = 0;

  /** Lets `linesPerSecond` lines through. */
  constructor(linesPerSecond: number = LOG_WORKER_LINES_PER_SECOND) {
    this.#linesPerSecond = linesPerSecond;
  }

  /** Whether one more line may be told; then {@link LineLimit.untold} is to be told with it. */
  allows(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#secondStartMs >= 1000) {
      this.#secondStartMs = nowMs;
      this.#toldInSecond = 0;
    }
    if (++this.#toldInSecond <= this.#linesPerSecond) return true;
    this.untold++;
    return false;
  }

  /** How many lines were not told; from now on that counts anew. */
  takeUntold(): number {
    const { untold } = this;
    this.untold = 0;
    return untold;
  }
}
