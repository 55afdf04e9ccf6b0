/// <reference lib="deno.worker" />
/**
 * The life of an I/O thread that is a Worker (`--io-threads` above 1): it serves clients like the
 * main isolate does when that is the only one, and does what the main isolate says.
 *
 * @module
 */

import { forwardLogs, getLogger, watchLogDrops } from "../base/log.ts";
import { CounterIndex } from "../metrics/names.ts";
import { holdLifeline } from "../worker/lifeline.ts";
import { guardAgainstCrashes } from "./crash_guard.ts";
import type { FromIoThread, IoCommand, IoOrders, ToIoThread } from "./io_messages.ts";
import { IoThread } from "./io_thread.ts";
import { followSettings } from "./log_level.ts";
import type { Config } from "./config.ts";
import { attachSharedParts, type LogAttacher } from "./shared_parts.ts";
import { StartError } from "./start_error.ts";
import { StopDeadline } from "./stop_deadline.ts";
import { ANSWER_TIMEOUT_MS, type Answers, ThreadQuestions } from "./thread_questions.ts";

/** A little longer than the main isolate waits for the others, so that its answer is not missed. */
const RELAY_TIMEOUT_MS = 2 * ANSWER_TIMEOUT_MS;

function tell(message: FromIoThread): void {
  self.postMessage(message);
}

/** This thread's way to the others, through the main isolate. */
class Relay {
  readonly #open = new Map<number, (answers: Answers) => void>();
  #lastId = 0;

  ask(topic: string, question: unknown): Promise<Answers> {
    const { promise, resolve } = Promise.withResolvers<Answers>();
    const id = ++this.#lastId;
    const timer = setTimeout(() => this.receive(id, { answers: [], missing: 1 }), RELAY_TIMEOUT_MS);
    this.#open.set(id, (answers) => {
      clearTimeout(timer);
      resolve(answers);
    });
    tell({ kind: "ask", id, topic, question });
    return promise;
  }

  receive(id: number, answers: Answers): void {
    this.#open.get(id)?.(answers);
    this.#open.delete(id);
  }
}

/** The thread's life. */
class IoWorkerLife {
  readonly #relay = new Relay();
  readonly #questions = new ThreadQuestions((topic, question) => this.#relay.ask(topic, question));
  #thread: IoThread | undefined;
  /** The budget of the stop step under way. */
  #deadline: StopDeadline | undefined;

  constructor(prepare: ((questions: ThreadQuestions) => void) | undefined) {
    prepare?.(this.#questions);
  }

  hear(message: ToIoThread): void {
    switch (message.kind) {
      case "call":
        void this.#call(message.id, message.command);
        return;
      case "hurry":
        this.#deadline?.hurry();
        return;
      case "answers":
        this.#relay.receive(message.id, message.answers);
    }
  }

  async #call(id: number, command: IoCommand): Promise<void> {
    try {
      tell({ kind: "done", id, value: await this.#obey(command) });
    } catch (error) {
      const isStartError = error instanceof StartError;
      const text = error instanceof Error && !isStartError ? error.stack : undefined;
      tell({ kind: "failed", id, error: text ?? messageOf(error), isStartError });
    }
    if (command.kind === "end") self.close();
  }

  async #obey(command: IoCommand): Promise<unknown> {
    switch (command.kind) {
      case "open":
        this.#thread = await open(command.orders, this.#questions);
        return;
      case "listen":
        return this.#thread!.listenShared(command.ports);
      case "replaceTls":
        return await this.#thread!.replaceTls(command.material);
      case "closeListeners":
        return await this.#thread!.closeListeners();
      case "settleRequests":
      case "closeConnections":
        return await this.#withBudget(
          command.remainingMs,
          (budget) => this.#thread![command.kind](budget),
        );
      case "answer":
        return await this.#questions.reply(command.topic, command.question);
      case "end":
        return await this.#thread?.[Symbol.asyncDispose]();
    }
  }

  async #withBudget(
    remainingMs: number,
    step: (budget: StopDeadline) => Promise<unknown>,
  ): Promise<unknown> {
    using deadline = new StopDeadline(remainingMs);
    this.#deadline = deadline;
    deadline.begin();
    return await step(deadline);
  }
}

async function open(orders: IoOrders, questions: ThreadQuestions): Promise<IoThread> {
  const { config, threadId, tls } = orders;
  forwardLogs(config.logLevel, tell);
  const shared = attachSharedParts(orders.memory, config, threadId, await loadLog(config));
  followSettings(shared.operations);
  const counters = shared.metrics.counters(threadId);
  guardAgainstCrashes((error) => {
    counters.add(CounterIndex.INTERNAL_ERRORS);
    getLogger("server").error("unhandled error", { event: "unhandled_error", error });
  });
  watchLogDrops((total) => counters.set(CounterIndex.LOG_LINES_DROPPED, total));
  await holdLifeline(orders.lifeline);
  tell({ kind: "holding" });
  const requestStop = (): void => tell({ kind: "stopWish" });
  return await IoThread.open({ config, shared, tls, questions, requestStop });
}

/** What has a thread take part in the log; loaded where there is one only. */
async function loadLog({ dataDir }: Config): Promise<LogAttacher | undefined> {
  if (dataDir === "") return undefined;
  const { ThreadLog } = await import("../durability/thread_log.ts");
  return (memory, store, threadId) => new ThreadLog(memory, store, threadId);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Makes this isolate an I/O thread.
 *
 * Thread: a Worker whose creator is an `IoWorker`; call it once, at load.
 *
 * @param prepare tests only: told of the thread's part in questions, to answer more of them
 */
export function liveAsIoThread(prepare?: (questions: ThreadQuestions) => void): void {
  const life = new IoWorkerLife(prepare);
  self.onmessage = (event: MessageEvent<ToIoThread>) => life.hear(event.data);
}
