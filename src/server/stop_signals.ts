/**
 * Signals that ask the process to stop.
 *
 * @module
 */

/**
 * A signal this soon after the first belongs to it.
 *
 * Unit: ms. Reason: one Ctrl-C on a terminal under `deno task` reaches the server as two SIGINTs up
 * to a millisecond apart; nobody presses it twice as fast as this.
 */
export const SAME_SIGNAL_MS = 250;

/** What the two signals do. */
export interface StopSignalHandlers {
  /** The first signal: stop in order. */
  onStop(signal: string): void;
  /** A later one: stop at once. */
  onHurry(signal: string): void;
}

/**
 * Tells the first request to stop from those that belong to it and from the impatient ones.
 *
 * Thread: main isolate.
 */
export class StopRequests {
  readonly #handlers: StopSignalHandlers;
  readonly #now: () => number;
  #firstAtMs: number | undefined;
  #hurried = false;

  /**
   * Waits for the first signal.
   *
   * @param handlers what to call, each at most once
   * @param now monotonic clock, ms
   */
  constructor(handlers: StopSignalHandlers, now: () => number = () => performance.now()) {
    this.#handlers = handlers;
    this.#now = now;
  }

  /** Takes note of a signal. */
  receive(signal: string): void {
    if (this.#firstAtMs === undefined) {
      this.#firstAtMs = this.#now();
      this.#handlers.onStop(signal);
    } else if (!this.#hurried && this.#now() - this.#firstAtMs > SAME_SIGNAL_MS) {
      this.#hurried = true;
      this.#handlers.onHurry(signal);
    }
  }
}

/**
 * The signals that stop the server on this platform.
 *
 * Windows has no SIGTERM that another process could send; closing the console arrives as SIGHUP,
 * logging off as SIGTERM, Ctrl-Break as SIGBREAK.
 */
export function stopSignals(os: typeof Deno.build.os = Deno.build.os): Deno.Signal[] {
  return os === "windows" ? ["SIGINT", "SIGBREAK", "SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM"];
}

/**
 * Listens to the process's stop signals until disposed.
 *
 * Thread: main isolate.
 */
export function listenForStopSignals(handlers: StopSignalHandlers): Disposable {
  const requests = new StopRequests(handlers);
  const listeners = new Map<Deno.Signal, () => void>();
  for (const signal of stopSignals()) {
    const listener = (): void => requests.receive(signal);
    try {
      Deno.addSignalListener(signal, listener);
      listeners.set(signal, listener);
    } catch {
      // Not every Windows version of the runtime knows every one of them.
    }
  }
  return {
    [Symbol.dispose](): void {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
