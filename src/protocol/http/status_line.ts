/**
 * Status lines, encoded once.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-15
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { encodeText } from "./characters.ts";

const REASON_PHRASES: Readonly<Record<number, string>> = {
  101: "Switching Protocols",
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
  507: "Insufficient Storage",
};

const LINES = new Map<number, Uint8Array<ArrayBuffer>>(
  Object.entries(REASON_PHRASES).map((
    [status, phrase],
  ) => [Number(status), encodeText(`HTTP/1.1 ${status} ${phrase}\r\n`)]),
);

/**
 * The status line, e.g. `HTTP/1.1 404 Not Found\r\n` for 404.
 *
 * Thread: any; the bytes must not be changed.
 *
 * @throws {AssertionFault} for a status that this server never sends
 */
export function statusLine(status: number): Uint8Array<ArrayBuffer> {
  const line = LINES.get(status);
  assert(line !== undefined, `status ${status} has a status line`);
  return line;
}
