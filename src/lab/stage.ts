/**
 * What a stage of the lab is, and what it is given to run with.
 *
 * @module
 */

import type { ServerProgram } from "./child/program.ts";
import type { StageReport } from "./model.ts";
import type { ProgressOutput } from "./terminal/progress.ts";

/** What a stage is given. */
export interface StageContext {
  /** Aborted when the user ends the lab: the stage stops what it started and throws the reason. */
  readonly signal: AbortSignal;
  /** Where the progress bar is; a stage tells how far it is with {@link StageContext.show}. */
  readonly output: ProgressOutput;
  /** How to start a server of this program. */
  readonly program: ServerProgram;
  /** What stages found that have run before it. */
  readonly earlier?: readonly StageReport[];
  /**
   * Tells how far the stage is. A stage that never says so is shown by the time it takes.
   *
   * @param share 0 to 1
   * @param note what is going on, e.g. `"1,200 of 5,000 requests"`
   */
  show(share: number, note?: string): void;
  /** Tells what is going on; how far the stage is, is shown by the time it takes. */
  tell(note: string): void;
}

/** One stage of the lab. */
export interface Stage {
  /** 1 to 10. */
  readonly number: number;
  /** A few words, e.g. `"one lock for all"`. */
  readonly title: string;
  /** How long it takes on a machine with two processors. Unit: s. */
  readonly expectedSeconds: number;
  /**
   * Runs it: starts servers, sends load, looks. Nothing that it started is there afterwards,
   * however it ends.
   *
   * @throws what the signal was aborted with; an `Error` when a server does not start
   */
  run(context: StageContext): Promise<StageReport>;
}
