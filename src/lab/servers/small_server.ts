/**
 * The lab's own small servers, each in a Worker: no flag of the real server makes it that bad.
 *
 * @module
 */

/** How one of them treats its clients. */
export type SmallServerKind = "one at a time" | "task each" | "work under one lock";

/** How long one may take to start. Unit: ms. */
const START_PATIENCE_MS = 30_000;

/** A small server that runs. Thread: belongs to one thread. Disposing ends it. */
export class SmallServer implements Disposable {
  /** Where it listens. */
  readonly port: number;
  readonly #worker: Worker;

  private constructor(worker: Worker, port: number) {
    this.#worker = worker;
    this.port = port;
  }

  /**
   * Starts one and waits until it listens.
   *
   * @throws the signal's reason; an `Error` when it does not start
   */
  static async start(kind: SmallServerKind, signal: AbortSignal): Promise<SmallServer> {
    signal.throwIfAborted();
    const worker = startWorker(kind);
    const started = Promise.withResolvers<number>();
    worker.onmessage = ({ data }) => started.resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      started.reject(new Error(`Cannot start a small server: ${event.message}`));
    };
    const timer = setTimeout(
      () => started.reject(new Error("Cannot start a small server: it says nothing")),
      START_PATIENCE_MS,
    );
    const onAbort = (): void => started.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return new SmallServer(worker, await started.promise);
    } catch (error) {
      worker.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends it; it never blocks its thread, so this takes effect at once. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** The modules are literals, so that they are found when the program is compiled. */
function startWorker(kind: SmallServerKind): Worker {
  switch (kind) {
    case "one at a time":
      return new Worker(new URL("./one_at_a_time.ts", import.meta.url), { type: "module" });
    case "task each":
      return new Worker(new URL("./task_each.ts", import.meta.url), { type: "module" });
    case "work under one lock":
      return new Worker(new URL("./work_under_lock.ts", import.meta.url), { type: "module" });
  }
}
