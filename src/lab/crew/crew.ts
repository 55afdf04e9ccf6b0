/**
 * Threads that do the same thing at the same time, to see what they cost each other.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { processorTime } from "../../base/processor_time.ts";
import { BUDGET_MAX, StartLine } from "./start_line.ts";
import type { CrewOrders, CrewReport, CrewTask } from "./tasks.ts";
import { CrewThread } from "./thread.ts";

/** What a crew does for a time. */
export interface TimedRound {
  /** One task per thread that takes part; the others of the crew sleep. */
  readonly tasks: readonly CrewTask[];
  /** How long. Unit: ms. */
  readonly durationMs: number;
  /** Ends it early. */
  readonly signal?: AbortSignal | undefined;
}

/** What a crew did together. */
export interface CrewResult {
  /** From the first thread's start to the last one's end. Unit: ms. */
  readonly wallMs: number;
  /**
   * How many processors the whole process had meanwhile, on average; 0 where the runtime does not
   * tell. Less than there were threads to run: other programs had the rest.
   */
  readonly processors: number;
  /** Units of work, all threads together. */
  readonly workCount: number;
  /** Writes among them. */
  readonly writeCount: number;
  /** Each thread's own, in the order of the tasks. */
  readonly reports: readonly CrewReport[];
}

/** A round whose threads wait for its start. */
export interface ReadyRound {
  /**
   * Starts it, sleeps until all work is done, and lets nothing else of this thread run meanwhile:
   * for benchmarks, which measure this call.
   */
  runAsleep(): void;
  /** What was done, after {@link ReadyRound.runAsleep}. */
  result(): Promise<CrewResult>;
}

/**
 * A number of threads that are started once and then used for many rounds.
 *
 * Thread: belongs to the one that made it. Dispose of it: threads keep a process alive.
 *
 * @example
 * ```ts
 * import { Crew } from "./crew.ts";
 * import { CounterMemory, incrementTasks } from "../counters/increments.ts";
 * using crew = new Crew(2);
 * const memory = CounterMemory.create("mutex");
 * const tasks = incrementTasks(memory, "one shared atomic", 2);
 * const { workCount, wallMs } = await crew.runFor({ tasks, durationMs: 5 });
 * console.assert(workCount === memory.total("one shared atomic") && wallMs > 0);
 * ```
 */
export class Crew implements Disposable {
  readonly #threads: readonly CrewThread<CrewReport>[];
  readonly #line = new StartLine();

  /** Starts the threads. */
  constructor(threadCount: number) {
    this.#threads = Array.from({ length: threadCount }, (_, i) => {
      const options = { type: "module", name: `crew ${i}` } as const;
      return new CrewThread(new Worker(new URL("./crew_worker.ts", import.meta.url), options));
    });
  }

  /** Threads that may take part in a round. */
  get threadCount(): number {
    return this.#threads.length;
  }

  /**
   * Has the threads work for a time.
   *
   * @throws what the signal was aborted with, or what a thread threw; the crew is of no use then but
   *   to be disposed of
   */
  async runFor({ tasks, durationMs, signal }: TimedRound): Promise<CrewResult> {
    signal?.throwIfAborted();
    const over = Promise.withResolvers<void>();
    const end = (): void => over.resolve();
    let timer: ReturnType<typeof setTimeout> | undefined;
    signal?.addEventListener("abort", end);
    try {
      const round = await Promise.race([this.#lineUp(tasks, BUDGET_MAX), over.promise]);
      signal?.throwIfAborted();
      assert(round !== undefined, "the round begins unless it was aborted");
      const meter = new ProcessorMeter();
      this.#line.open();
      timer = setTimeout(end, durationMs);
      // All have reported before the time is over only when one of them threw.
      await Promise.race([over.promise, round.reports]);
      this.#line.stop();
      const reports = await round.reports;
      signal?.throwIfAborted();
      return resultOf(reports, meter.processors());
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      this.#line.stop();
    }
  }

  /**
   * Has the threads wait for the start of an amount of work.
   *
   * @param tasks one per thread that takes part
   * @param budget units of work, all threads together
   */
  async prepare(tasks: readonly CrewTask[], budget: number): Promise<ReadyRound> {
    const { reports } = await this.#lineUp(tasks, budget);
    let processors = 0;
    return {
      runAsleep: () => {
        const meter = new ProcessorMeter();
        this.#line.open();
        this.#line.sleepUntilDone(tasks.length);
        processors = meter.processors();
      },
      result: async () => resultOf(await reports, processors),
    };
  }

  /** Ends the threads. Those that are at work end as soon as they look at what is left to do. */
  [Symbol.dispose](): void {
    this.#line.stop();
    this.#line.open();
    for (const thread of this.#threads) thread.terminate();
  }

  /** Orders a round; resolves when all threads wait for its start, with reports still to come. */
  async #lineUp(
    tasks: readonly CrewTask[],
    budget: number,
  ): Promise<{ readonly reports: Promise<CrewReport[]> }> {
    const round = this.#line.prepare(budget);
    const replies = tasks.map((task, i) => {
      const orders: CrewOrders = { line: this.#line.buffer, round, task };
      return this.#threads[i]!.order(orders);
    });
    const ready = Promise.all(replies.map((reply) => reply.ready));
    // Nobody asks any more when the round was ended before it began.
    ready.catch(() => {});
    await ready;
    const reports = Promise.all(replies.map(({ report }) => report));
    reports.catch(() => {});
    return { reports };
  }
}

/** Counts from when it was made. */
class ProcessorMeter {
  readonly #before = processorTime();
  readonly #startedAtMs = performance.now();

  processors(): number {
    const { user, system } = processorTime();
    const usedMs = (user + system - this.#before.user - this.#before.system) / 1000;
    return usedMs / (performance.now() - this.#startedAtMs);
  }
}

function resultOf(reports: readonly CrewReport[], processors: number): CrewResult {
  const sumOf = (of: (report: CrewReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  return {
    wallMs: Math.max(...reports.map((report) => report.endedAtMs)) -
      Math.min(...reports.map((report) => report.startedAtMs)),
    processors,
    workCount: sumOf((report) => report.workCount),
    writeCount: sumOf((report) => report.writeCount),
    reports,
  };
}
