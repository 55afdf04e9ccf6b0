/**
 * What the command layer counts, without knowing where the counters live.
 *
 * @module
 */

/**
 * One thread's counters.
 *
 * Thread: the one that owns the block behind it.
 */
export interface CounterSink {
  /** Adds `amount` (1 when left out) to the counter with this id. */
  add(counter: number, amount?: number): void;
}

/**
 * Ids of the counters that events are counted in; every accepted or refused event is counted once
 * in `received` and, if refused, once in one of the others.
 */
export interface EventCounterIds {
  /** Well-formed events. */
  readonly received: number;
  /** Refused: the channel was full. */
  readonly droppedBusy: number;
  /** Refused: no memory for a balance. */
  readonly droppedOutOfMemory: number;
  /** Refused: the server was stopping. */
  readonly droppedShuttingDown: number;
  /** Refused: the log could not be written. */
  readonly droppedStorage: number;
  /** Malformed events; not in `received`. */
  readonly invalid: number;
  /** Events that were accepted before, by their id; not in `received`. */
  readonly duplicates: number;
  /** Ids that were forgotten before their time. */
  readonly forgottenIds: number;
}

/** Ids of the counters of the dispatcher. */
export interface DispatchCounterIds {
  /** Commands that had to wait for a lock. */
  readonly parkedCommands: number;
}
