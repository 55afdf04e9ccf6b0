/**
 * A clock that is read once for everything that is ready at the same time.
 *
 * @module
 */

/**
 * Answers between two readings.
 *
 * Reason: what asks for the time and then does more than a few µs of work reads the clock itself, so
 * an answer is at most some 30 µs old.
 */
const ANSWERS_PER_READING = 16;

/**
 * The time, as exact as the thread's work needs it.
 *
 * A reading costs 0.08 µs, and each request wants to know when it began and when it was answered:
 * one hundredth of its time. But requests come in waves: sixty sockets are ready, and what is done
 * for one of them takes a µs or two before the next one has its turn. Microtasks run in the order in
 * which they came, so one that is queued with a reading runs when its wave is over, and ends the
 * reading's life.
 *
 * Thread: the one that made it.
 */
export class WaveClock {
  #nowMs = 0;
  /** The time of day; undefined = not asked for since the last reading. */
  #timeMs: number | undefined;
  #answersLeft = 0;
  #isExpiring = false;
  #readings = 0;

  /** The time by `performance.now()`. Unit: ms. */
  get nowMs(): number {
    if (this.#answersLeft === 0) return this.read();
    this.#answersLeft--;
    return this.#nowMs;
  }

  /** The time of day. Unit: ms since the epoch. */
  get timeMs(): number {
    if (this.#answersLeft === 0) this.read();
    return this.#timeMs ??= Date.now();
  }

  /** Another number whenever the time may be another one. */
  get reading(): number {
    if (this.#answersLeft === 0) this.read();
    return this.#readings;
  }

  /**
   * Reads the clock now: for who has waited, or has worked for more than a few µs.
   *
   * @returns what {@link WaveClock.nowMs} is from now on
   */
  read(): number {
    this.#nowMs = performance.now();
    this.#timeMs = undefined;
    this.#answersLeft = ANSWERS_PER_READING;
    this.#readings++;
    if (!this.#isExpiring) {
      this.#isExpiring = true;
      queueMicrotask(this.#expire);
    }
    return this.#nowMs;
  }

  readonly #expire = (): void => {
    this.#isExpiring = false;
    this.#answersLeft = 0;
  };
}
