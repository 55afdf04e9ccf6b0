/**
 * A thread that is given orders, says that it is ready for the common start, and reports at the end.
 *
 * @module
 */

/** What a thread says to one order. */
export interface ThreadReplies<Report> {
  /** Resolves when the thread waits for the common start; rejects when it threw before. */
  readonly ready: Promise<void>;
  /** Resolves with what it did; rejects when it threw. */
  readonly report: Promise<Report>;
}

interface Pending<Report> {
  readonly ready: PromiseWithResolvers<void>;
  readonly report: PromiseWithResolvers<Report>;
}

/**
 * A worker that answers each order with `"ready"` and then a report.
 *
 * Thread: belongs to the one that made it. A thread that threw is over: all later orders fail.
 */
export class CrewThread<Report> {
  readonly #worker: Worker;
  #pending: Pending<Report> | undefined;
  #failure: Error | undefined;

  /**
   * Listens to a worker.
   *
   * @param worker just made; its file follows the protocol above
   */
  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = (message: MessageEvent<"ready" | Report>) => {
      if (message.data === "ready") this.#pending?.ready.resolve();
      else this.#pending?.report.resolve(message.data as Report);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#failure = new Error(event.message);
      if (this.#pending !== undefined) this.#fail(this.#pending, this.#failure);
    };
  }

  /** Gives an order; the one before was reported. */
  order(orders: unknown): ThreadReplies<Report> {
    const pending: Pending<Report> = {
      ready: Promise.withResolvers(),
      report: Promise.withResolvers(),
    };
    // Whoever awaits one of the two may never come to the other.
    pending.ready.promise.catch(() => {});
    pending.report.promise.catch(() => {});
    this.#pending = pending;
    if (this.#failure === undefined) this.#worker.postMessage(orders);
    else this.#fail(pending, this.#failure);
    return { ready: pending.ready.promise, report: pending.report.promise };
  }

  /** Ends the thread, which must not be asleep in `Atomics.wait`: nothing would wake it. */
  terminate(): void {
    this.#worker.terminate();
    this.#failure = new Error("Cannot order anything: the thread was ended");
    if (this.#pending !== undefined) this.#fail(this.#pending, this.#failure);
  }

  #fail({ ready, report }: Pending<Report>, error: Error): void {
    ready.reject(error);
    report.reject(error);
  }
}
