/**
 * What a connection has told of the store, as far as it waits for the disk.
 *
 * @module
 */

/** The last piece of which a connection has told something, or is about to. */
export interface Told {
  /** Its number. */
  piece: number;
  /** Whether there is one that was not durable when it was looked last. */
  isWaiting: boolean;
  /** Whether what is executed now, and ends later, may tell of more then. */
  isLate: boolean;
  /** See `ThreadLog.finish`. */
  strayCount: number;
}

/** Of who has told nothing yet. */
export function newTold(): Told {
  return { piece: 0, isWaiting: false, isLate: false, strayCount: 0 };
}
