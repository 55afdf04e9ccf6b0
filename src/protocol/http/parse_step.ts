/**
 * What a parser of HTTP says after looking at the input.
 *
 * @module
 */

/**
 * - `INCOMPLETE`: nothing wrong so far; more bytes are needed.
 * - `COMPLETE`: what the parser reads has arrived in full.
 * - `FAILED`: malformed; the parser's `failure` says how.
 */
export const ParseStep = { INCOMPLETE: 0, COMPLETE: 1, FAILED: 2 } as const;

/** One of the values of {@link ParseStep}. */
export type ParseStep = (typeof ParseStep)[keyof typeof ParseStep];
