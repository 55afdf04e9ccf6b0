/**
 * How an accepted event can end, and which counter that is.
 *
 * @module
 */

import { CounterIndex } from "../metrics/names.ts";
import { CommitStatus } from "../store/transaction.ts";

/** The end of an accepted event (C1). Kept in the in-flight slot, so 0 means "not decided". */
export const Outcome = {
  /** Not decided yet. */
  NONE: 0,
  /** The balance changed once. */
  PROCESSED: 1,
  /** The balance would not fit int64. */
  FAILED_OVERFLOW: 2,
  /** The balance's key holds something that is not an integer. */
  FAILED_WRONG_TYPE: 3,
  /** There was no memory; acceptance reserves it, so this tells of a defect. */
  FAILED_OUT_OF_MEMORY: 4,
  /** The processor threw, asked for the impossible, or its worker died of this event. */
  FAILED_PROCESSOR_ERROR: 5,
  /** The processor took longer than it may. */
  FAILED_TIMEOUT: 6,
} as const;

/** One of the values of {@link Outcome}. */
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

const COUNTERS: readonly CounterIndex[] = [
  CounterIndex.FAILED_PROCESSOR_ERROR,
  CounterIndex.PROCESSED,
  CounterIndex.FAILED_OVERFLOW,
  CounterIndex.FAILED_WRONG_TYPE,
  CounterIndex.FAILED_OUT_OF_MEMORY,
  CounterIndex.FAILED_PROCESSOR_ERROR,
  CounterIndex.FAILED_TIMEOUT,
];

const REASONS: readonly string[] = [
  "none",
  "processed",
  "overflow",
  "wrong_type",
  "out_of_memory",
  "processor_error",
  "timeout",
];

/** The counter of an outcome. */
export function counterOf(outcome: number): CounterIndex {
  return COUNTERS[outcome] ?? CounterIndex.FAILED_PROCESSOR_ERROR;
}

/** The outcome in words, as metrics and logs show it: `"overflow"`. */
export function reasonOf(outcome: number): string {
  return REASONS[outcome] ?? "processor_error";
}

/** What the end of a commit, which is no conflict, means for the event. */
export function outcomeOf(status: CommitStatus): Outcome {
  switch (status) {
    case CommitStatus.OK:
      return Outcome.PROCESSED;
    case CommitStatus.OVERFLOW:
      return Outcome.FAILED_OVERFLOW;
    case CommitStatus.NOT_AN_INTEGER:
    case CommitStatus.WRONG_TYPE:
      return Outcome.FAILED_WRONG_TYPE;
    case CommitStatus.OUT_OF_MEMORY:
      return Outcome.FAILED_OUT_OF_MEMORY;
    default:
      return Outcome.FAILED_PROCESSOR_ERROR;
  }
}
