/**
 * Names for requests, by which a reply, a log line and what a proxy logged are found together.
 *
 * @module
 */

import type { HttpRequest } from "./request.ts";

/** Longest id that is taken over from a client. Unit: bytes. Reason: that of a trace has 55. */
const ID_MAX_BYTES = 64;

/** Digits of the part that tells one thread of one run of the server from others. */
const PREFIX_BYTES = 4;

const decoder = new TextDecoder();

/**
 * The id that the client (mostly a proxy in front of it) gave the request in `X-Request-Id`.
 *
 * Thread: any.
 *
 * @returns empty when there is none, or one with other characters than letters, digits and `-._`
 */
export function givenRequestId(request: HttpRequest): string {
  const field = request.requestIdField;
  if (field < 0) return "";
  const [start, end] = [request.valueStart(field), request.valueEnd(field)];
  if (end - start > ID_MAX_BYTES) return "";
  const text = decoder.decode(request.bytes.subarray(start, end));
  return /^[A-Za-z0-9._-]+$/.test(text) ? text : "";
}

/**
 * Makes ids.
 *
 * Shape: `9f3a01c4-1a`: a random part per thread, and a number in hexadecimal.
 *
 * Thread: one per I/O thread.
 */
export class RequestIds {
  readonly #prefix = Array.from(
    crypto.getRandomValues(new Uint8Array(PREFIX_BYTES)),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
  #count = 0;

  /** An id that this thread never gave. */
  next(): string {
    return `${this.#prefix}-${(++this.#count).toString(16)}`;
  }
}
