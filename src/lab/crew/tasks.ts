/**
 * What the threads of a crew can be told to do, and what they say about it.
 *
 * @module
 */

import type { IncrementTask } from "../counters/increments.ts";
import type { StoreTask } from "../sweep/store_work.ts";

/** What one thread does in a round. */
export type CrewTask = IncrementTask | StoreTask;

/** A task as one thread has prepared it. */
export interface CrewWork {
  /** Units of work that a turn does before the thread looks whether the round is over. */
  readonly turn: number;
  /** Does so many units of work. Thread: one of the crew; may sleep. */
  run(count: number): void;
  /** Writes among the work done; 0 where nobody asks. */
  readonly writeCount: number;
}

/** Message to a thread of a crew. */
export interface CrewOrders {
  /** The words of the common start; see start_line.ts. */
  readonly line: SharedArrayBuffer;
  /** Number of the round. */
  readonly round: number;
  /** What to do. */
  readonly task: CrewTask;
}

/** What a thread did in a round. */
export interface CrewReport {
  /** When it began. Unit: ms since 1970, on one clock for all threads. */
  readonly startedAtMs: number;
  /** When it had done its last piece. Unit: as `startedAtMs`. */
  readonly endedAtMs: number;
  /** Units of work. */
  readonly workCount: number;
  /** Writes among them; see {@link CrewWork.writeCount}. */
  readonly writeCount: number;
}
