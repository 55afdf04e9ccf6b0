/**
 * `--resp-rate-limit`: how many commands one connection may send.
 *
 * @module
 */

import type { Rate } from "../../base/units.ts";

/**
 * A fixed window that opens with a command and stays open for the rate's time.
 *
 * A window and not a bucket that drips: the refusal can then say exactly when the whole allowance is
 * back, a client that waits so long has all of it, and a command costs a comparison. What a window
 * lets through around its end, twice the allowance in a short time, a full bucket would, too.
 *
 * Thread: belongs to one connection.
 */
export class CommandLimit {
  readonly #rate: Rate;
  /** Unit: ms since the epoch. */
  #openedAtMs = -Infinity;
  #taken = 0;

  /** Makes a limit of which nothing is taken. */
  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /**
   * Takes one command of the allowance.
   *
   * @param nowMs time of day; may go back when the clock is set, which opens a new window
   * @returns false when there is none left
   */
  tryTake(nowMs: number): boolean {
    const { count, perMs } = this.#rate;
    const openForMs = nowMs - this.#openedAtMs;
    if (openForMs >= perMs || openForMs < 0) {
      this.#openedAtMs = nowMs;
      this.#taken = 0;
    }
    if (this.#taken >= count) return false;
    this.#taken++;
    return true;
  }

  /** How long it takes until the whole allowance is back; at least 1. Unit: ms. */
  retryAfterMs(nowMs: number): number {
    return Math.max(1, Math.ceil(this.#openedAtMs + this.#rate.perMs - nowMs));
  }
}
