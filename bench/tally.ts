/**
 * Counts what other threads have got, and wakes who waits for the last of it.
 *
 * ```text
 * 0   i32 how many are still expected; at 0 the waiter is notified
 * ```
 *
 * @module
 */

/** Shared memory of a tally; structured-cloneable. */
export interface TallyMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

/** The counter; one instance per thread. */
export class Tally {
  /** To hand to another thread for {@link Tally.attach}. */
  readonly memory: TallyMemory;
  readonly #left: Int32Array<SharedArrayBuffer>;

  private constructor(memory: TallyMemory) {
    this.memory = memory;
    this.#left = new Int32Array(memory.buffer);
  }

  /** Makes a tally that expects nothing. */
  static create(): Tally {
    return new Tally({ buffer: new SharedArrayBuffer(64) });
  }

  /** The same tally in another thread. */
  static attach(memory: TallyMemory): Tally {
    return new Tally(memory);
  }

  /** Says how many will come. Thread: the one that waits, before the first of them. */
  expect(count: number): void {
    Atomics.store(this.#left, 0, count);
  }

  /** One has come. Thread: any. */
  count(): void {
    if (Atomics.sub(this.#left, 0, 1) === 1) Atomics.notify(this.#left, 0);
  }

  /** Sleeps until all have come. Thread: the one that waits. */
  wait(timeoutMs: number): void {
    for (;;) {
      const left = Atomics.load(this.#left, 0);
      if (left <= 0) return;
      // "not-equal": some more have come meanwhile.
      const woken = Atomics.wait(this.#left, 0, left, timeoutMs);
      if (woken === "timed-out") throw new Error(`${left} never came`);
    }
  }
}
