/**
 * A clock that rings more exactly than timers do.
 *
 * Timers of the runtime count whole milliseconds and come up to two late, which is more than many a
 * request takes. A worker that sleeps on shared memory wakes some 0.1 ms after the time it was given,
 * without turning round and round on a processor that the server needs. It rings by message and not
 * by `Atomics.waitAsync`, which is no faster and does not wake the event loop of Deno 2.4.
 *
 * What the two threads share:
 *
 * ```text
 * byte 0   int32   1 = the worker is to end; it sleeps on this word
 * byte 4   int32   1 = a ring is under way that was not heard yet; the worker sets, its owner clears it
 * byte 8   int32   µs that rings are to come later than was ordered, see below; the owner writes it
 * byte 12
 * ```
 *
 * Each thread's clock counts from a time of its own. `performance.timeOrigin` would relate them, but
 * not if somebody set the machine's clock in between. The quickest of many messages does, from below:
 * first those that the worker sends for the purpose, then the rings themselves. When a ring was
 * quicker than all before, the clocks are closer than was thought, and later rings come that much
 * later; else they would be heard a little too early for what they ring for.
 *
 * @module
 */

/** Size of what is shared. Unit: bytes. */
const SHARED_BYTES = 12;
/** Index of the request to end. */
const END = 0;
/** Index of whether a ring is under way: rings do not pile up before a thread that is busy. */
const RINGING = 1;
/** Index of what was found out about the clocks since the order. Unit: µs. */
const LATER = 2;

/** How often the worker says what its clock shows before it rings. */
const CLOCK_READINGS = 10;
/** Between two of these. Unit: ms. */
const CLOCK_READING_MS = 0.2;
/** Added to the time of a ring, so that it is not heard a little before what it rings for. Unit: ms. */
const MARGIN_MS = 0.02;

/** What the worker is told once its clock is known. */
export interface PacerOrder {
  /** What is shared. */
  readonly memory: SharedArrayBuffer;
  /** First ring, by the worker's `performance.now()`. */
  readonly startAtMs: number;
  /** Between two rings. Unit: ms. */
  readonly tickMs: number;
}

/** Rings at fixed times. Thread: belongs to one, whose event loop hears the rings. */
export class Pacer implements Disposable {
  readonly #worker: Worker;
  readonly #memory = new SharedArrayBuffer(SHARED_BYTES);
  readonly #words = new Int32Array(this.#memory);
  /** What our clock shows more than the worker's, at most. Unit: ms. */
  readonly #aheadMs: number;
  #isOver = false;

  private constructor(worker: Worker, aheadMs: number) {
    this.#worker = worker;
    this.#aheadMs = aheadMs;
  }

  /** Starts the worker; it rings only after {@link Pacer.run}. */
  static async start(): Promise<Pacer> {
    const worker = new Worker(new URL("./pacer_worker.ts", import.meta.url), {
      type: "module",
      name: "pacer",
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let aheadMs = Infinity;
    let readingCount = 0;
    worker.onmessage = ({ data: shownMs }: MessageEvent<number>) => {
      aheadMs = Math.min(aheadMs, performance.now() - shownMs);
      if (++readingCount === CLOCK_READINGS) resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot start the pacer: ${event.message}`));
    };
    try {
      await promise;
    } catch (error) {
      worker.terminate();
      throw error;
    }
    // Without it a load would hang: from now on an error of it ends the program.
    worker.onerror = null;
    return new Pacer(worker, aheadMs);
  }

  /**
   * Calls `onRing` at each ring until this is disposed. Rings that come before the last one was heard
   * are left out.
   *
   * @param startAtMs the first ring, by `performance.now()`
   * @param onRing is given the time, and how long after the ring it is called
   */
  run(
    startAtMs: number,
    tickMs: number,
    onRing: (nowMs: number, delayMs: number) => void,
  ): void {
    const orderedAheadMs = this.#aheadMs;
    let aheadMs = orderedAheadMs;
    this.#worker.onmessage = ({ data: rangAtMs }: MessageEvent<number>): void => {
      if (this.#isOver) return;
      const nowMs = performance.now();
      if (nowMs - rangAtMs < aheadMs) {
        aheadMs = nowMs - rangAtMs;
        Atomics.store(this.#words, LATER, Math.round((orderedAheadMs - aheadMs) * 1000));
      }
      // In this order: what is as early as none before is exactly on time, and not before it.
      onRing(nowMs, nowMs - rangAtMs - aheadMs);
      Atomics.store(this.#words, RINGING, 0);
    };
    const order: PacerOrder = {
      memory: this.#memory,
      startAtMs: startAtMs - orderedAheadMs + MARGIN_MS,
      tickMs,
    };
    this.#worker.postMessage(order);
  }

  /** Ends the worker. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    // A worker that sleeps hears of its end through this word only.
    Atomics.store(this.#words, END, 1);
    Atomics.notify(this.#words, END);
    this.#worker.terminate();
  }
}

/**
 * The worker's side, first part: says a few times what its clock shows.
 *
 * Thread: the pacer's worker; blocks it for some 2 ms.
 */
export function showClock(post: (shownMs: number) => void): void {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < CLOCK_READINGS; i++) {
    Atomics.wait(nobody, 0, 0, CLOCK_READING_MS);
    post(performance.now());
  }
}

/**
 * The worker's side, second part: rings until it is told to end.
 *
 * Thread: the pacer's worker; blocks it.
 *
 * @param post sends a ring with its time, by this thread's clock
 */
export function ring(
  { memory, startAtMs, tickMs }: PacerOrder,
  post: (rangAtMs: number) => void,
): void {
  const words = new Int32Array(memory);
  let tick = 0;
  while (Atomics.load(words, END) === 0) {
    const laterMs = Atomics.load(words, LATER) / 1000;
    const restMs = startAtMs + laterMs + tick * tickMs - performance.now();
    if (restMs > 0) {
      Atomics.wait(words, END, 0, restMs);
      continue;
    }
    if (Atomics.exchange(words, RINGING, 1) === 0) post(performance.now());
    // After having been held up, once is enough.
    tick = Math.max(tick + 1, Math.floor((performance.now() - startAtMs - laterMs) / tickMs));
  }
}
