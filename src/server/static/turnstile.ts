/**
 * A bound on how many do something at a time.
 *
 * @module
 */

/**
 * Lets a few in at a time, in the order in which they came.
 *
 * Thread: one.
 */
export class Turnstile {
  readonly #most: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  /** Makes one that lets in `most` at a time. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Calls `work` when it has its turn. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#most) this.#inside++;
    // Whoever leaves hands its place over.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    }
  }
}
