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
 * byte 8
 * ```
 *
 * @module
 */

/** Size of what is shared. Unit: bytes. */
const SHARED_BYTES = 8;
/** Index of the request to end. */
const END = 0;
/** Index of whether a ring is under way: rings do not pile up before a thread that is busy. */
const RINGING = 1;

/** What the worker is told once it says that it is there. */
export interface PacerOrder {
  /** What is shared. */
  readonly memory: SharedArrayBuffer;
  /** First ring, ms since 1970. */
  readonly startAtMs: number;
  /** Between two rings. Unit: ms. */
  readonly tickMs: number;
}

/** Rings at fixed times. Thread: belongs to one, whose event loop hears the rings. */
export class Pacer implements Disposable {
  readonly #worker: Worker;
  readonly #memory = new SharedArrayBuffer(SHARED_BYTES);
  readonly #words = new Int32Array(this.#memory);
  #isOver = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Starts the worker; it rings only after {@link Pacer.run}. */
  static async start(): Promise<Pacer> {
    const worker = new Worker(new URL("./pacer_worker.ts", import.meta.url), {
      type: "module",
      name: "pacer",
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    worker.onmessage = () => resolve();
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
    return new Pacer(worker);
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
    // Clocks of threads have origins of their own.
    const { timeOrigin } = performance;
    this.#worker.onmessage = ({ data: rangAtMs }: MessageEvent<number>): void => {
      if (this.#isOver) return;
      const nowMs = performance.now();
      onRing(nowMs, timeOrigin + nowMs - rangAtMs);
      Atomics.store(this.#words, RINGING, 0);
    };
    const order: PacerOrder = { memory: this.#memory, startAtMs: timeOrigin + startAtMs, tickMs };
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
 * The worker's side: rings until it is told to end.
 *
 * Thread: the pacer's worker; blocks it.
 *
 * @param post sends a ring with its time, ms since 1970
 */
export function ring(
  { memory, startAtMs, tickMs }: PacerOrder,
  post: (rangAtMs: number) => void,
): void {
  const words = new Int32Array(memory);
  const nowMs = (): number => performance.timeOrigin + performance.now();
  let tick = 0;
  while (Atomics.load(words, END) === 0) {
    const restMs = startAtMs + tick * tickMs - nowMs();
    if (restMs > 0) {
      Atomics.wait(words, END, 0, restMs);
      continue;
    }
    if (Atomics.exchange(words, RINGING, 1) === 0) post(nowMs());
    // After having been held up, once is enough.
    tick = Math.max(tick + 1, Math.floor((nowMs() - startAtMs) / tickMs));
  }
}
