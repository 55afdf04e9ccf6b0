/**
 * How a receive from the channel ends, and the steps of one.
 *
 * @module
 */

/** What a receive ended with. */
export const RecvStatus = {
  /** The time ran out. */
  TIMEOUT: 0,
  /** The slot holds a job and is CLAIMED. */
  JOB: 1,
  /** The channel is closed and everything in it was taken. */
  CLOSED: 2,
  /** This consumer was fenced: it must stop and touch nothing. */
  FENCED: 3,
} as const;

/** One of the values of {@link RecvStatus}. */
export type RecvStatus = (typeof RecvStatus)[keyof typeof RecvStatus];

/** Points inside a receive where a test can end the consumer; see `BoundedChannel.onStep`. */
export const RecvStep = {
  /** A job was seen, nothing is held. */
  SEEN: 0,
  /** The consumer lock is held. */
  LOCKED: 1,
  /** The job is in the slot, which is still EMPTY. */
  COPIED: 2,
  /** The slot is CLAIMED. */
  CLAIMED: 3,
  /** The cell is free. */
  CELL_FREED: 4,
  /** Head has moved. */
  HEAD_MOVED: 5,
  /** The lock is free. */
  UNLOCKED: 6,
  /** About to sleep. */
  SLEEPY: 7,
} as const;

/** One of the values of {@link RecvStep}. */
export type RecvStep = (typeof RecvStep)[keyof typeof RecvStep];
