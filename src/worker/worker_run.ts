/**
 * One life of one worker, as its supervisor sees it: started, ready, ended.
 *
 * @module
 */

import type { Lifelines } from "./lifeline.ts";
import type { FailedJobMessage, WorkerMessage, WorkerOrders } from "./messages.ts";

/** A {@link WorkerRun} ended. */
export interface RunEnd {
  /** `stopped` it had said that it was done; `replaced` it was fenced; `died` all else. */
  kind: "stopped" | "replaced" | "died";
  /** Text of the exception that ended it, or "". */
  error: string;
}

/**
 * A running worker.
 *
 * Thread: the supervisor.
 */
export class WorkerRun {
  /** What it was started with. */
  readonly orders: WorkerOrders;
  /** When it was started, on the supervisor's monotonic clock. */
  readonly startedAtMs: number;
  /** Resolves with true when it takes jobs, with false when it ended before. */
  readonly ready: Promise<boolean>;
  /**
   * Resolves when its isolate has ended, or has said that it touches nothing any more, or never
   * got as far as touching anything.
   */
  readonly ended: Promise<RunEnd>;
  /** Whether it takes jobs. */
  isReady = false;
  /** Whether a warning about its silence was given. */
  toldStuck = false;

  readonly #worker: Worker;
  readonly #lifelines: Lifelines;
  readonly #onFailedJob: (message: FailedJobMessage) => void;
  readonly #ready = Promise.withResolvers<boolean>();
  readonly #ended = Promise.withResolvers<RunEnd>();
  #holdsLifeline = false;
  #error = "";

  /** Starts a worker. */
  constructor(
    orders: WorkerOrders,
    lifelines: Lifelines,
    onFailedJob: (message: FailedJobMessage) => void,
  ) {
    this.orders = orders;
    this.startedAtMs = performance.now();
    this.ready = this.#ready.promise;
    this.ended = this.#ended.promise;
    this.#lifelines = lifelines;
    this.#onFailedJob = onFailedJob;
    // Literal, so that bundlers and `deno compile` find the module.
    this.#worker = new Worker(new URL("./worker_main.ts", import.meta.url), {
      type: "module",
      name: `event worker ${orders.slotIndex}`,
    });
    this.#worker.onmessage = (event: MessageEvent<WorkerMessage>) => this.#hear(event.data);
    this.#worker.onerror = (event) => this.#fail(event);
    this.#worker.onmessageerror = () => this.#end("died");
    this.#worker.postMessage(orders);
  }

  /**
   * Lets go of the worker: what it does from now on is not heard.
   *
   * Does not end an isolate that runs or sleeps; it only keeps it from its event loop.
   */
  terminate(): void {
    this.#worker.onmessage = null;
    this.#worker.terminate();
    this.#ready.resolve(false);
  }

  /** Text of the exception that ended it, or "". */
  get error(): string {
    return this.#error;
  }

  #hear(message: WorkerMessage): void {
    switch (message.kind) {
      case "holding":
        this.#holdsLifeline = true;
        this.#lifelines.ended(this.orders.lifeline).then(() => this.#end("died"));
        return;
      case "ready":
        this.isReady = true;
        this.#ready.resolve(true);
        return;
      case "failed":
        this.#onFailedJob(message);
        return;
      case "died":
        this.#error = message.error;
        return;
      case "stopped":
        this.#end("stopped");
        return;
    }
  }

  #fail(event: ErrorEvent): void {
    // Otherwise the error would end the whole process.
    event.preventDefault();
    this.#error = event.message;
    // With a lifeline, its end is the proof; without, the worker has not touched anything yet.
    if (!this.#holdsLifeline) this.#end("died");
  }

  #end(kind: RunEnd["kind"]): void {
    this.#ready.resolve(false);
    this.#ended.resolve({ kind, error: this.#error });
  }
}
