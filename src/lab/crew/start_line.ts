/**
 * Where the threads of a crew wait until all may start, and take their shares of the work.
 *
 * ```text
 * byte 0    gate     number of the last round that may run; threads sleep on it
 *      128  budget   work of the round that nobody has taken yet; 0 or less = the round is over
 *      256  done     threads that have ended the round; who starts it may sleep on it
 * ```
 *
 * Each word has two cache lines of its own, as processors fetch neighbours along. All threads draw
 * on one budget until it is used up, so all of them work from the start to the end: with a fixed
 * share each, the slower ones would go on alone, and nobody in their way.
 *
 * @module
 */

const LINE_BYTES = 384;
const GATE = 0;
const BUDGET = 32;
const DONE = 64;

/** Most work that a round can have: it must not wrap while the threads overdraw. */
export const BUDGET_MAX = 2 ** 31 - 1;

/** The words in shared memory; both sides make one over the same buffer. */
export class StartLine {
  /** What the other side attaches to. */
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  #round = 0;

  /** Makes the words, or attaches to them. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(LINE_BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  /**
   * Sets up the next round. Thread: the one that leads; the round before is over.
   *
   * @param budget work in all, at most {@link BUDGET_MAX}
   * @returns the round's number, for {@link StartLine.pass}
   */
  prepare(budget: number): number {
    Atomics.store(this.#words, DONE, 0);
    Atomics.store(this.#words, BUDGET, budget);
    return ++this.#round;
  }

  /** Starts the round that was prepared. Thread: the one that leads. */
  open(): void {
    Atomics.store(this.#words, GATE, this.#round);
    Atomics.notify(this.#words, GATE);
  }

  /** Takes away what is left of the budget: all end soon. Thread: any. */
  stop(): void {
    Atomics.store(this.#words, BUDGET, 0);
  }

  /** Sleeps until `threadCount` threads have ended the round. Thread: the one that leads. */
  sleepUntilDone(threadCount: number): void {
    for (;;) {
      const done = Atomics.load(this.#words, DONE);
      if (done >= threadCount) return;
      Atomics.wait(this.#words, DONE, done);
    }
  }

  /** Sleeps until a round may start. Thread: those of the crew. */
  pass(round: number): void {
    for (;;) {
      const open = Atomics.load(this.#words, GATE);
      if (open >= round) return;
      Atomics.wait(this.#words, GATE, open);
    }
  }

  /**
   * Takes work. Thread: those of the crew.
   *
   * @param most as much as one turn does
   * @returns how much to do; 0 = the round is over
   */
  take(most: number): number {
    const left = Atomics.sub(this.#words, BUDGET, most);
    return left <= 0 ? 0 : Math.min(most, left);
  }

  /** Says that this thread has ended the round. Thread: those of the crew. */
  finish(): void {
    Atomics.add(this.#words, DONE, 1);
    Atomics.notify(this.#words, DONE);
  }
}
