/**
 * Whether a client sends a request, or takes a reply, fast enough.
 *
 * Time is what is counted: a transfer may take some, each byte earns 1/rate seconds more, and what
 * is saved up has a bound. So a client that trickles below the rate runs out, and one that was
 * faster may pause for a moment, but not for the longer the more it has sent.
 *
 * @module
 */

/** Time that a request's body has to get going. Unit: ms. */
const BODY_GRACE_MS = 5000;

/** Longest pause in a request's body, however much came before. Unit: ms. */
const BODY_PAUSE_MS = 10_000;

/**
 * Longest pause in a reply.
 *
 * Unit: ms. Reason: the system's send buffer is between: it takes megabytes at once and then
 * nothing until a third of it is empty, so a client that takes 100 KB a second can look idle for
 * ten seconds.
 */
const REPLY_PAUSE_MS = 15_000;

/**
 * A pace for one connection.
 *
 * @param minRate bytes a second; 0 = any: all connections have the same one then, because it
 *   measures nothing
 */
export function paceFor(minRate: number): TransferPace {
  return minRate === 0 ? ANY_PACE : new TransferPace(minRate);
}

/**
 * Measures one transfer after the other.
 *
 * Thread: belongs to one connection. Times are readings of its host's coarse clock.
 */
export class TransferPace {
  /** When the client's time is up; 0 = no transfer is measured. */
  #endsAtMs = 0;
  #pauseMs = 0;
  /** Unit: ms per byte; 0 = clients may be as slow as they like. */
  readonly #msPerByte: number;

  /**
   * Makes a pace that measures nothing yet.
   *
   * @param minRate bytes a second; 0 = any
   */
  constructor(minRate: number) {
    this.#msPerByte = minRate === 0 ? 0 : 1000 / minRate;
  }

  /** Whether a transfer is measured. */
  get isMeasuring(): boolean {
    return this.#endsAtMs > 0;
  }

  /** A request's body begins. */
  beginBody(nowMs: number): void {
    this.#begin(nowMs + BODY_GRACE_MS, BODY_PAUSE_MS);
  }

  /** A reply begins. */
  beginReply(nowMs: number): void {
    this.#begin(nowMs + REPLY_PAUSE_MS, REPLY_PAUSE_MS);
  }

  /** Bytes were sent or taken. */
  earn(byteCount: number, nowMs: number): void {
    if (this.#endsAtMs === 0) return;
    const earnedMs = this.#endsAtMs + byteCount * this.#msPerByte;
    this.#endsAtMs = Math.min(earnedMs, nowMs + this.#pauseMs);
  }

  /** Nothing is transferred any more, or we are the ones who wait. */
  end(): void {
    this.#endsAtMs = 0;
  }

  /** Whether the client has been too slow. */
  isTooSlow(nowMs: number): boolean {
    return this.#endsAtMs > 0 && nowMs >= this.#endsAtMs;
  }

  #begin(endsAtMs: number, pauseMs: number): void {
    if (this.#msPerByte === 0) return;
    this.#endsAtMs = endsAtMs;
    this.#pauseMs = pauseMs;
  }
}

const ANY_PACE = new TransferPace(0);
