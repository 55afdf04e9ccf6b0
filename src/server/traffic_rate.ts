/**
 * How much the server does at the moment: what `INFO` calls instantaneous.
 *
 * @module
 */

/** Totals at one time. */
interface Sample {
  readonly atMs: number;
  readonly totals: readonly number[];
}

/** How often totals are looked at. Unit: ms. */
const SAMPLE_EVERY_MS = 200;

/** Over how many of these spans a rate is taken: 1.6 s, as in Redis. */
const SPAN_COUNT = 8;

/**
 * Looks at totals now and then, so that their rates can be told at any time. Costs commands nothing.
 *
 * Thread: one object per I/O thread; all tell the same, to a sample.
 */
export class TrafficRate implements Disposable {
  readonly #read: () => readonly number[];
  readonly #now: () => number;
  readonly #samples: Sample[] = [];
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Begins to look.
   *
   * @param read the totals, always in the same order
   * @param now a monotonic clock, ms; one that is given leaves it to the caller to
   *   {@link TrafficRate.sample}
   */
  constructor(read: () => readonly number[], now?: () => number) {
    this.#read = read;
    this.#now = now ?? (() => performance.now());
    this.sample();
    if (now !== undefined) return;
    this.#timer = setInterval(() => this.sample(), SAMPLE_EVERY_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Takes a sample. */
  sample(): void {
    this.#samples.push({ atMs: this.#now(), totals: this.#read() });
    if (this.#samples.length > SPAN_COUNT) this.#samples.shift();
  }

  /** How much was added to each of the totals lately. Unit: per second. */
  perSecond(): number[] {
    const { atMs, totals } = this.#samples[0]!;
    const seconds = (this.#now() - atMs) / 1000;
    return this.#read().map((total, index) =>
      seconds <= 0 ? 0 : Math.max(0, total - totals[index]!) / seconds
    );
  }

  /** Ends. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
