/**
 * When requests are due.
 *
 * @module
 */

/** Pacers ring no more often than this. Unit: ms. */
export const TICK_MIN_MS = 0.25;
/** And no less often, so that somebody looks at the clock. Unit: ms. */
export const TICK_MAX_MS = 2;

/**
 * Due times of an open loop: request i is due i / rate after the first.
 *
 * The times do not depend on what happens meanwhile. A request that finds no free connection waits,
 * and its latency counts from when it was due; that is what its user would have waited. Latency
 * counted from the sending would leave that wait out, and a server that stands still for a second
 * would cost each connection one slow request instead of all those that should have come in that
 * second ("coordinated omission").
 */
export class Schedule {
  readonly #startedAtMs: number;
  readonly #intervalMs: number;

  /** A schedule whose first request is due at `startedAtMs`. */
  constructor(startedAtMs: number, ratePerSecond: number) {
    this.#startedAtMs = startedAtMs;
    this.#intervalMs = 1000 / ratePerSecond;
  }

  /** When a request is due. Multiplied, not added up: the error of many additions would grow. */
  dueAtMs(index: number): number {
    return this.#startedAtMs + index * this.#intervalMs;
  }

  /** How many are due by then. */
  dueCount(nowMs: number): number {
    return Math.max(0, Math.floor((nowMs - this.#startedAtMs) / this.#intervalMs) + 1);
  }
}

/**
 * How often to look for requests that are due.
 *
 * Every due time is a tick, unless they are closer than {@link TICK_MIN_MS}: then a tick releases
 * the few that became due since the last one.
 *
 * @returns ms between ticks
 */
export function tickMs(ratePerSecond: number): number {
  const intervalMs = 1000 / ratePerSecond;
  return intervalMs > TICK_MAX_MS
    ? intervalMs / Math.ceil(intervalMs / TICK_MAX_MS)
    : Math.max(intervalMs, TICK_MIN_MS);
}

/**
 * How late a request was sent although it could have been sent earlier: it was due, and a connection
 * was free.
 *
 * @param dueAtMs when it was due
 * @param freeSinceMs since when the connection that sends it was free
 * @param sentAtMs when it was sent
 */
export function lagMs(dueAtMs: number, freeSinceMs: number, sentAtMs: number): number {
  return Math.max(0, sentAtMs - Math.max(dueAtMs, freeSinceMs));
}
