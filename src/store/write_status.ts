/**
 * What became of a write.
 *
 * @module
 */

/** Outcome of a write. */
export const WriteStatus = {
  /** Done. */
  OK: 0,
  /** The arena is full; nothing was changed. Unlock, reclaim, try again. */
  OUT_OF_MEMORY: 1,
  /** The sum does not fit int64. */
  OVERFLOW: 2,
  /** The value is not a canonical int64. */
  NOT_AN_INTEGER: 3,
  /** The key holds another type. */
  WRONG_TYPE: 4,
  /** The key is longer than MAX_KEY_BYTES. */
  KEY_TOO_LONG: 5,
  /** The value is longer than the configured maximum. */
  VALUE_TOO_LARGE: 6,
} as const;
/** One of {@link WriteStatus}. */
export type WriteStatus = typeof WriteStatus[keyof typeof WriteStatus];
