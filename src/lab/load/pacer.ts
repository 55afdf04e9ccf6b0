/**
 * A clock that rings more exactly than timers do.
 *
 * Timers of the runtime count whole milliseconds and come up to two late, which is more than many a
 * request takes. A worker that sleeps on shared memory wakes some 0.1 ms after the time it was given,
 * without turning round and round on a processor that the server needs.
 *
 * What the two threads share:
 *
 * ```text
 * byte  0   int32    rings so far; the worker adds one and notifies, the main isolate waits on it
 * byte  4   int32    1 = the worker is to end; it sleeps on this word
 * byte  8   float64  when it last rang, ms since 1970: the ring's number is written behind it
 * byte 16
 * ```
 *
 * @module
 */

/** Size of what is shared. Unit: bytes. */
const SHARED_BYTES = 16;
/** Index of the number of rings, as int32. */
const RINGS = 0;
/** Index of the request to end, as int32. */
const END = 1;
/** Index of the time of the last ring, as float64. */
const RANG_AT = 1;

/** What the worker is told once it says that it is there. */
export interface PacerOrder {
  /** What is shared. */
  readonly memory: SharedArrayBuffer;
  /** First ring, ms since 1970. */
  readonly startAtMs: number;
  /** Between two rings. Unit: ms. */
  readonly tickMs: number;
}

/**
 * Rings at fixed times.
 *
 * Thread: the main isolate, or whichever waits for the rings; it must have something else that keeps
 * its event loop going.
 */
export class Pacer implements Disposable {
  readonly #worker: Worker;
  readonly #memory = new SharedArrayBuffer(SHARED_BYTES);
  readonly #words = new Int32Array(this.#memory);
  readonly #times = new Float64Array(this.#memory);
  #over = false;

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
   * Calls `onRing` at each ring until this is disposed; several rings that came too fast are one.
   *
   * @param startAtMs the first ring, by `performance.now()`
   * @param onRing is given the time, and how long after the ring it is called. Must not throw.
   */
  async run(
    startAtMs: number,
    tickMs: number,
    onRing: (nowMs: number, delayMs: number) => void,
  ): Promise<void> {
    const order: PacerOrder = {
      memory: this.#memory,
      startAtMs: performance.timeOrigin + startAtMs,
      tickMs,
    };
    this.#worker.postMessage(order);
    let seen = 0;
    for (;;) {
      const wait = Atomics.waitAsync(this.#words, RINGS, seen);
      if (wait.async) await wait.value;
      if (this.#over) return;
      seen = Atomics.load(this.#words, RINGS);
      const nowMs = performance.now();
      onRing(nowMs, performance.timeOrigin + nowMs - this.#times[RANG_AT]!);
    }
  }

  /** Ends the worker, and {@link Pacer.run}. */
  [Symbol.dispose](): void {
    this.#over = true;
    // A worker that sleeps hears of its end through this word only.
    Atomics.store(this.#words, END, 1);
    Atomics.notify(this.#words, END);
    Atomics.notify(this.#words, RINGS);
    this.#worker.terminate();
  }
}

/** The worker's side: rings until it is told to end. Thread: the pacer's worker; blocks it. */
export function ring({ memory, startAtMs, tickMs }: PacerOrder): void {
  const words = new Int32Array(memory);
  const times = new Float64Array(memory);
  const nowMs = (): number => performance.timeOrigin + performance.now();
  let tick = 0;
  while (Atomics.load(words, END) === 0) {
    const restMs = startAtMs + tick * tickMs - nowMs();
    if (restMs > 0) {
      Atomics.wait(words, END, 0, restMs);
      continue;
    }
    times[RANG_AT] = nowMs();
    Atomics.add(words, RINGS, 1);
    Atomics.notify(words, RINGS);
    // After having been held up, once is enough.
    tick = Math.max(tick + 1, Math.floor((nowMs() - startAtMs) / tickMs));
  }
}
