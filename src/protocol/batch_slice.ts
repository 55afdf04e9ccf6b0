/**
 * How long a session may go on before it lets the thread look after others.
 *
 * @module
 */

/**
 * A batch pauses after this long at the latest, even if its output is small.
 *
 * Unit: ms. Reason: with a few such clients at once everybody else still waits only some 10 ms (P3);
 * going on costs a turn of the event loop, some 30 µs. With more of them, whoever runs the sessions
 * gives each less.
 */
export const BATCH_SLICE_MS = 2;

/** A request weighs one, and one more for every 128 bytes that it took or gave; log2 of that. */
const BYTES_PER_WEIGHT_SHIFT = 7;

/**
 * The clock is read after requests of this weight together.
 *
 * Reason: a reading costs 0.13 µs, about as much as half a small command; but no 64 small commands,
 * and no few large ones, take longer than a fraction of the slice.
 */
const WEIGHT_PER_READING = 64;

/**
 * Measures one batch after the other.
 *
 * Pending output alone does not bound the time of a batch: replies may be small next to their work
 * (`INFO`, the metrics), or withheld altogether (`CLIENT REPLY OFF`). Short batches never read the
 * clock.
 *
 * Thread: belongs to one session at a time.
 */
export class BatchSlice {
  readonly #now: () => number;
  #weight = 0;
  /** When the batch should pause; -1 = not known before the clock is read. */
  #untilMs = -1;

  /** Makes a slice that waits for its first batch; `now` is a monotonic clock in ms. */
  constructor(now: () => number = readClock) {
    this.#now = now;
  }

  /**
   * Starts over with a new batch.
   *
   * @param untilMs when it should pause; {@link BATCH_SLICE_MS} after the first reading of the clock
   *   when left out
   */
  begin(untilMs = -1): void {
    this.#weight = 0;
    this.#untilMs = untilMs;
  }

  /**
   * Takes note of a request that was executed.
   *
   * @param byteCount bytes of the request and of its reply, sent or not
   * @returns true when the batch should pause
   */
  spend(byteCount: number): boolean {
    this.#weight += 1 + (byteCount >>> BYTES_PER_WEIGHT_SHIFT);
    if (this.#weight < WEIGHT_PER_READING) return false;
    this.#weight = 0;
    const nowMs = this.#now();
    if (this.#untilMs < 0) this.#untilMs = nowMs + BATCH_SLICE_MS;
    return nowMs >= this.#untilMs;
  }
}

/** One function for all of them. */
function readClock(): number {
  return performance.now();
}
