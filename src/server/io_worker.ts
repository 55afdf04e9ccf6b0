/**
 * One I/O thread in a Worker, as the main isolate sees it.
 *
 * @module
 */

import { receiveLog } from "../base/log.ts";
import type { Lifelines } from "../worker/lifeline.ts";
import type { FromIoThread, IoCommand, IoOrders, ToIoThread } from "./io_messages.ts";
import { StartError } from "./start_error.ts";
import type { Answers } from "./thread_questions.ts";

/** How long an I/O thread may take to let go of everything at the end. Unit: ms. */
const END_GRACE_MS = 500;

/** What an {@link IoWorker} tells its owner. */
export interface IoWorkerEvents {
  /** It has a question for the others. */
  onAsk(topic: string, question: unknown): Promise<Answers>;
  /** A client of it asked for the server to stop. */
  onStopWish(): void;
  /** It has ended unasked; it may have held locks. */
  onDeath(threadId: number, error: string): void;
}

/** Starts the Worker that is to be an I/O thread. */
export type WorkerStarter = (options: WorkerOptions) => Worker;

function startWorker(options: WorkerOptions): Worker {
  // Literal, so that bundlers and `deno compile` find the module.
  return new Worker(new URL("./io_worker_main.ts", import.meta.url), options);
}

/**
 * A running I/O thread.
 *
 * Thread: main isolate.
 */
export class IoWorker implements AsyncDisposable {
  readonly #threadId: number;
  readonly #worker: Worker;
  readonly #events: IoWorkerEvents;
  readonly #lifelines: Lifelines;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #lastCallId = 0;
  #orders: IoOrders | undefined;
  #isHolding = false;
  #isOver = false;
  #error = "";

  /**
   * Starts the thread; {@link IoWorker.open} makes it what it is to be.
   *
   * @param start tests only: starts another module than `io_worker_main.ts`
   */
  constructor(
    threadId: number,
    lifelines: Lifelines,
    events: IoWorkerEvents,
    start: WorkerStarter = startWorker,
  ) {
    this.#threadId = threadId;
    this.#events = events;
    this.#lifelines = lifelines;
    this.#worker = start({ type: "module", name: `I/O thread ${threadId}` });
    this.#worker.onmessage = ({ data }: MessageEvent<FromIoThread>) => this.#hear(data);
    this.#worker.onerror = (event) => {
      // Otherwise the error would end the whole process.
      event.preventDefault();
      this.#error = event.message;
      // With a lifeline, its end is the proof; without, the thread has not touched anything yet.
      if (!this.#isHolding) this.#die();
    };
  }

  /** Gives it its orders. */
  async open(orders: IoOrders): Promise<void> {
    this.#orders = orders;
    await this.call({ kind: "open", orders });
  }

  /**
   * Has it do something.
   *
   * @throws {StartError} when that is what came of it
   * @throws {Error} when it failed otherwise, or has ended
   */
  call(command: IoCommand): Promise<unknown> {
    if (this.#isOver) return Promise.reject(this.#ended());
    const id = ++this.#lastCallId;
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(id, call);
    this.#tell({ kind: "call", id, command });
    return call.promise;
  }

  /** Has a stop step that is under way give up. */
  hurry(): void {
    this.#tell({ kind: "hurry" });
  }

  /** Has it let go of everything and end; after a while, lets go of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) {
      const { promise: timeUp, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, END_GRACE_MS);
      const end = this.call({ kind: "end" }).catch(() => {});
      this.#isOver = true;
      await Promise.race([end, timeUp]);
      clearTimeout(timer);
    }
    this.#rejectCalls();
    this.#worker.onmessage = null;
    this.#worker.terminate();
  }

  #tell(message: ToIoThread): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromIoThread): void {
    if (receiveLog(message)) return;
    switch (message.kind) {
      case "holding":
        this.#isHolding = true;
        void this.#lifelines.ended(this.#orders!.lifeline).then(() => this.#die());
        return;
      case "stopWish":
        this.#events.onStopWish();
        return;
      case "ask":
        void this.#relay(message.id, message.topic, message.question);
        return;
      case "done":
        this.#take(message.id)?.resolve(message.value);
        return;
      case "failed": {
        const { error, isStartError } = message;
        this.#take(message.id)?.reject(isStartError ? new StartError(error) : new Error(error));
      }
    }
  }

  #take(id: number): PromiseWithResolvers<unknown> | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  async #relay(id: number, topic: string, question: unknown): Promise<void> {
    const answers = await this.#events.onAsk(topic, question);
    if (!this.#isOver) this.#tell({ kind: "answers", id, answers });
  }

  #die(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rejectCalls();
    this.#events.onDeath(this.#threadId, this.#error);
  }

  #rejectCalls(): void {
    for (const call of this.#calls.values()) call.reject(this.#ended());
    this.#calls.clear();
  }

  #ended(): Error {
    const cause = this.#error === "" ? "" : `: ${this.#error}`;
    return new Error(`Cannot go on with I/O thread ${this.#threadId}: it has ended${cause}`);
  }
}
