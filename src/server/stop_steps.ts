/**
 * The steps of a stop: each within its budget, each logged with its time.
 *
 * @module
 */

import type { Logger } from "../base/log.ts";
import { StopDeadline, type StopSlice } from "./stop_deadline.ts";

/** How long a step may go on when its budget has ended and all time has run out. Unit: ms. */
const OVERRUN_MIN_MS = 50;

/** The same while there is time left. Unit: ms. */
const OVERRUN_MAX_MS = 500;

/** What a step may report, as fields of its log line. */
export type StopStepFields = Record<string, string | number | boolean>;

/** What a step does; gives up when `budget.signal` is aborted. */
export type StopStep = (
  budget: StopSlice,
) => void | StopStepFields | Promise<void | StopStepFields>;

/**
 * Runs stop steps. A step that throws or does not come back is logged and passed over: the parts
 * below it must be stopped whatever happens above.
 *
 * Thread: main isolate.
 */
export class StopSteps implements Disposable {
  /** The time for all steps together. */
  readonly deadline: StopDeadline;
  /** Steps of a start that failed are nobody's news. */
  quiet = true;

  readonly #log: Logger;

  /**
   * Makes the steps' frame; the clock starts with the first step.
   *
   * @param timeoutMs what `--shutdown-timeout` says
   */
  constructor(timeoutMs: number, log: Logger) {
    this.deadline = new StopDeadline(timeoutMs);
    this.#log = log;
  }

  /** Stops the clock. */
  [Symbol.dispose](): void {
    this.deadline[Symbol.dispose]();
  }

  /**
   * Runs one step. Never rejects.
   *
   * @param name what the log calls it, e.g. `"listeners"`
   * @param share part of the remaining time that it may take, 0 to 1
   */
  async run(name: string, share: number, step: StopStep): Promise<void> {
    this.deadline.begin();
    using budget = this.deadline.slice(share);
    const startedAtMs = performance.now();
    let fields: StopStepFields | undefined;
    try {
      fields = await this.#withinBudget(budget, step) ?? undefined;
    } catch (error) {
      this.#log.error("stop step failed", { event: "stop_step_failed", step: name, error });
    }
    const durationMs = Math.round((performance.now() - startedAtMs) * 10) / 10;
    const line = { event: "stop_step", step: name, ms: durationMs, ...fields };
    if (this.quiet) this.#log.debug("stop step done", line);
    else this.#log.info("stop step done", line);
  }

  /** Gives a step that does not heed the end of its budget a little longer, then goes on without. */
  async #withinBudget(budget: StopSlice, step: StopStep): Promise<void | StopStepFields> {
    const { promise: overrun, resolve } = Promise.withResolvers<StopStepFields>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const giveUp = (): void => {
      const overrunMs = this.deadline.remainingMs / 2;
      timer = setTimeout(
        () => resolve({ gave_up: true }),
        Math.min(OVERRUN_MAX_MS, Math.max(OVERRUN_MIN_MS, overrunMs)),
      );
    };
    budget.signal.addEventListener("abort", giveUp);
    if (budget.ended) giveUp();
    try {
      return await Promise.race([step(budget), overrun]);
    } finally {
      budget.signal.removeEventListener("abort", giveUp);
      clearTimeout(timer);
    }
  }
}
