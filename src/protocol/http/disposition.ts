/**
 * What a reply says about the connection.
 *
 * @module
 */

import { encodeText } from "./characters.ts";

/**
 * - `KEEP`: HTTP/1.1 keeps the connection without saying so.
 * - `SAY_KEEP`: a client of HTTP/1.0 asked for it and has to be told.
 * - `CLOSE`: the connection closes behind the reply.
 */
export const Disposition = { KEEP: 0, SAY_KEEP: 1, CLOSE: 2 } as const;

/** One of the values of {@link Disposition}. */
export type Disposition = (typeof Disposition)[keyof typeof Disposition];

/** The header line that says so, by {@link Disposition}. */
export const CONNECTION_LINES: readonly Uint8Array<ArrayBuffer>[] = [
  encodeText(""),
  encodeText("Connection: keep-alive\r\n"),
  encodeText("Connection: close\r\n"),
];
