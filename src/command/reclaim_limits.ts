/**
 * How often memory is looked for before a client is told that there is none.
 *
 * @module
 */

/** Tries of a step of a long command. Reason: each try may gain a page, and a step needs a few. */
export const STEP_RECLAIM_ATTEMPTS = 64;

/**
 * Tries of a whole write. Reason: each may gain a page, or as many as can be evicted in a millisecond;
 * the largest value takes hundreds.
 */
export const WRITE_RECLAIM_ATTEMPTS = 512;
