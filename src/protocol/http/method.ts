/**
 * Request methods as small numbers.
 *
 * @module
 */

import { encodeText, equalBytes } from "./characters.ts";

/** Methods that routes can be given for; everything else is `OTHER`. */
export const HttpMethod = {
  GET: 0,
  HEAD: 1,
  POST: 2,
  PUT: 3,
  DELETE: 4,
  PATCH: 5,
  OPTIONS: 6,
  CONNECT: 7,
  TRACE: 8,
  OTHER: 9,
} as const;

/** One of the values of {@link HttpMethod}. */
export type HttpMethod = (typeof HttpMethod)[keyof typeof HttpMethod];

/** Names by number, e.g. `METHOD_NAMES[HttpMethod.GET] === "GET"`; `OTHER` has none. */
export const METHOD_NAMES: readonly string[] = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "CONNECT",
  "TRACE",
];

const METHOD_BYTES = METHOD_NAMES.map(encodeText);
const LETTER_G = 0x47;

/**
 * The method that `bytes[start, end)` names; case matters.
 *
 * Thread: any.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.1
 */
export function methodOf(bytes: Uint8Array, start: number, end: number): HttpMethod {
  // The first two branches are nearly all requests there are.
  if (bytes[start] === LETTER_G) {
    return equalBytes(bytes, start, end, METHOD_BYTES[HttpMethod.GET]!)
      ? HttpMethod.GET
      : HttpMethod.OTHER;
  }
  if (equalBytes(bytes, start, end, METHOD_BYTES[HttpMethod.POST]!)) return HttpMethod.POST;
  for (let method = 0; method < METHOD_BYTES.length; method++) {
    if (equalBytes(bytes, start, end, METHOD_BYTES[method]!)) return method as HttpMethod;
  }
  return HttpMethod.OTHER;
}
