/**
 * Signals that ask the process to stop, and the one that does not.
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

/** What the signals do. */
export interface StopSignalHandlers {
  /** The first signal: stop in order. */
  onStop(signal: string): void;
  /** A later one: stop at once. */
  onHurry(signal: string): void;
}

/** What the signals that do not stop the server do as well. */
export interface SignalHandlers extends StopSignalHandlers {
  /** SIGHUP where it does not ask for a stop. */
  onHangup(): void;
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
 * Listens to the process's signals until disposed.
 *
 * SIGHUP would end the process if nobody listened: many who run servers send it to have a
 * configuration read again or a log file reopened, and must not lose events by that.
 *
 * Thread: main isolate.
 */
export function listenForSignals(handlers: SignalHandlers): Disposable {
  const requests = new StopRequests(handlers);
  const wanted = new Map<Deno.Signal, () => void>([["SIGHUP", () => handlers.onHangup()]]);
  for (const signal of stopSignals()) wanted.set(signal, () => requests.receive(signal));
  const listeners = new Map<Deno.Signal, () => void>();
  for (const [signal, listener] of wanted) {
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
