/**
 * What a thread's commands have in common when they look at keys: the time, whether looking counts
 * as use, and where it is counted.
 *
 * @module
 */

/** Places in {@link Access.lookups}. */
export const Lookup = { FOUND: 0, MISSING: 1 } as const;

/**
 * The state of one thread's accesses; whoever runs commands sets it before each.
 *
 * Thread: one object per thread.
 */
export class Access {
  /** The same time as every write and look stamps it. Unit: whole seconds since 1970. */
  nowSeconds = 0;
  /** Whether what is found counts as used. */
  stamps = true;
  /** Whether what is looked for is counted. */
  counts = false;
  /** Keys looked for, by outcome; index = {@link Lookup}. */
  lookups: Float64Array = new Float64Array(2);
  #nowMs = 0;

  /** Time of the batch. Unit: ms since 1970. */
  get nowMs(): number {
    return this.#nowMs;
  }

  set nowMs(value: number) {
    this.#nowMs = value;
    this.nowSeconds = (value / 1000) >>> 0;
  }

  /** Counts a look at a key, if it is to be counted. */
  note(isFound: boolean): void {
    if (this.counts) this.lookups[isFound ? Lookup.FOUND : Lookup.MISSING]! += 1;
  }
}
