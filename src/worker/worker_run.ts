/**
 * One life of one worker, as its supervisor sees it: started, ready, ended.
 *
 * @module
 */

import type { Lifelines } from "./lifeline.ts";
import type {
  FailedJobMessage,
  ProcessorLineMessage,
  WorkerMessage,
  WorkerOrders,
} from "./messages.ts";
import { startPlainThread, type ThreadStarter, type WorkerThread } from "./worker_thread.ts";

/** How long what an ended worker has said is waited for. */
const LAST_WORDS_MS = 20;

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
  /** Called when it has said that it is about to end. */
  onDying: (() => void) | undefined;
  /** Resolves when its isolate has ended; undefined: it does not hold its lifeline yet. */
  isolateEnded: Promise<void> | undefined;
  /** Whether a warning about its silence was given. */
  toldStuck = false;

  /** The last sign of life that was seen, and for how long none has come. Unit: ms. */
  #heartbeatMs = 0;
  #silentMs = 0;

  readonly #thread: WorkerThread;
  readonly #lifelines: Lifelines;
  readonly #onNews: (message: FailedJobMessage | ProcessorLineMessage) => void;
  readonly #ready = Promise.withResolvers<boolean>();
  readonly #ended = Promise.withResolvers<RunEnd>();
  #holdsLifeline = false;
  /** It has ended, or was let go. */
  #isOver = false;
  #lastWordsTimer: ReturnType<typeof setTimeout> | undefined;
  #error = "";

  /**
   * Starts a worker.
   *
   * @param onNews told of what it has for the log
   * @param startThread the kind of isolate that it runs in
   */
  constructor(
    orders: WorkerOrders,
    lifelines: Lifelines,
    onNews: (message: FailedJobMessage | ProcessorLineMessage) => void,
    startThread: ThreadStarter = startPlainThread,
  ) {
    this.orders = orders;
    this.startedAtMs = performance.now();
    this.ready = this.#ready.promise;
    this.ended = this.#ended.promise;
    this.#lifelines = lifelines;
    this.#onNews = onNews;
    this.#thread = startThread(`event worker ${orders.slotIndex}`, {
      onMessage: (message) => this.#hear(message),
      onError: (message) => this.#fail(message),
    });
    this.#thread.order(orders);
  }

  /**
   * Lets go of the worker: what it does from now on is not heard.
   *
   * Does not end an isolate that runs or sleeps; it only keeps it from its event loop.
   */
  terminate(): void {
    this.#isOver = true;
    clearTimeout(this.#lastWordsTimer);
    this.#thread.terminate();
    this.#ready.resolve(false);
  }

  /**
   * For how long it has given no sign of life, by the supervisor's own clock: the time of day may jump.
   *
   * @param heartbeatMs its last one
   * @param passedMs how long the supervisor has watched since the last call
   */
  silentForMs(heartbeatMs: number, passedMs: number): number {
    if (heartbeatMs !== this.#heartbeatMs) {
      this.#heartbeatMs = heartbeatMs;
      this.#silentMs = 0;
    } else this.#silentMs += passedMs;
    return this.#silentMs;
  }

  /** Text of the exception that ended it, or "". */
  get error(): string {
    return this.#error;
  }

  #hear(message: WorkerMessage): void {
    switch (message.kind) {
      case "holding":
        this.#holdsLifeline = true;
        this.isolateEnded = this.#lifelines.ended(this.orders.lifeline);
        void this.isolateEnded.then(() => this.#hearTheRest());
        return;
      case "ready":
        this.isReady = true;
        this.#ready.resolve(true);
        return;
      case "failed":
      case "line":
        this.#onNews(message);
        return;
      case "died":
        this.#error = message.error;
        this.onDying?.();
        return;
      case "stopped":
        this.#end("stopped");
        return;
    }
  }

  /** What it said last may still be on its way, where messages go another way than its lifeline. */
  #hearTheRest(): void {
    if (this.#isOver) return;
    if (this.orders.processor === undefined) this.#end("died");
    else this.#lastWordsTimer = setTimeout(() => this.#end("died"), LAST_WORDS_MS);
  }

  #fail(message: string): void {
    this.#error = message;
    // With a lifeline, its end is the proof; without, the worker has not touched anything yet.
    if (!this.#holdsLifeline) this.#end("died");
  }

  #end(kind: RunEnd["kind"]): void {
    this.#isOver = true;
    clearTimeout(this.#lastWordsTimer);
    this.#ready.resolve(false);
    this.#ended.resolve({ kind, error: this.#error });
  }
}
