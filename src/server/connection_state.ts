/**
 * Where a connection is in its life.
 *
 * @module
 */

/**
 * What a connection is doing.
 *
 * - `READING`: waiting for input.
 * - `ANSWERING`: executing or writing replies.
 * - `CLOSING`: the last reply is out; waiting for the client to close.
 * - `CLOSED`: over.
 */
export const ConnectionState = { READING: 0, ANSWERING: 1, CLOSING: 2, CLOSED: 3 } as const;

/** One of the values of {@link ConnectionState}. */
export type ConnectionState = (typeof ConnectionState)[keyof typeof ConnectionState];
