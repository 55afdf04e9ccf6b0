/**
 * When a client that met a full channel should come back.
 *
 * @module
 */

/** Said while nothing is known about the speed of settling. Unit: ms. */
export const DEFAULT_RETRY_MS = 1000;
/** Longest wait that is ever suggested. Unit: ms. */
export const MAX_RETRY_MS = 60000;

/** Settled events are looked up at most this often. Unit: ms. */
const SAMPLE_MS = 100;
/** A window longer than this says nothing about the speed of now. Unit: ms. */
const STALE_MS = 2000;
/**
 * Without a refusal for this long the channel was not full, so the workers may have been idle: a
 * window that contains such a time would make them look slow. Unit: ms.
 */
const CALM_MS = 500;

/**
 * Estimates from how fast events were settled lately how long the waiting ones will take.
 *
 * A refusal must stay cheap (P2), so most calls are one comparison and one division.
 *
 * Thread: one per I/O thread.
 */
export class RetryEstimate {
  readonly #settledTotal: () => number;
  #sampledAtMs: number;
  #sampledTotal: number;
  #askedAtMs: number;
  /** Events per ms; 0 = unknown. */
  #rate = 0;

  /**
   * Starts without an estimate.
   *
   * @param settledTotal how many events have been settled since start; never goes down
   * @param nowMs time of the first sample, ms since the epoch
   */
  constructor(settledTotal: () => number, nowMs: number) {
    this.#settledTotal = settledTotal;
    this.#sampledAtMs = nowMs;
    this.#sampledTotal = settledTotal();
    this.#askedAtMs = nowMs - STALE_MS;
  }

  /**
   * How long until the waiting events are settled.
   *
   * @param waiting events in the channel
   * @param nowMs ms since the epoch
   * @returns whole ms, 1 to {@link MAX_RETRY_MS}
   */
  retryAfterMs(waiting: number, nowMs: number): number {
    const elapsedMs = nowMs - this.#sampledAtMs;
    if (nowMs - this.#askedAtMs > CALM_MS) this.#startWindow(nowMs, this.#settledTotal());
    else if (elapsedMs >= SAMPLE_MS || elapsedMs < 0) this.#sample(nowMs, elapsedMs);
    this.#askedAtMs = nowMs;
    if (this.#rate === 0) return DEFAULT_RETRY_MS;
    return Math.min(MAX_RETRY_MS, Math.max(1, Math.ceil(waiting / this.#rate)));
  }

  #sample(nowMs: number, elapsedMs: number): void {
    const total = this.#settledTotal();
    const settled = total - this.#sampledTotal;
    // With slow events a short window may see none; let it grow until it sees one.
    if (settled === 0 && elapsedMs >= 0 && elapsedMs < STALE_MS) return;
    this.#startWindow(nowMs, total);
    if (elapsedMs < 0 || elapsedMs >= STALE_MS) return;
    const rate = settled / elapsedMs;
    this.#rate = this.#rate === 0 ? rate : (this.#rate + rate) / 2;
  }

  #startWindow(nowMs: number, total: number): void {
    this.#sampledAtMs = nowMs;
    this.#sampledTotal = total;
  }
}
