/**
 * What a client is told by the connection layer itself, before any session is asked.
 *
 * @module
 */

import type { ProtocolLabel } from "../metrics/names.ts";

/** One reply per protocol, as bytes. */
export type Farewells = Readonly<Record<ProtocolLabel, Uint8Array<ArrayBuffer>>>;

/** To a client above `--max-connections`. */
export const FULL_REPLY: Farewells = {
  http: httpReply("503 Service Unavailable", "rejected", "too_many_connections", [
    "Retry-After: 1",
  ]),
  resp: bytesOf("-ERR max number of clients reached\r\n"),
};

/** To a client whose request did not arrive in time. RESP closes without a word, as Redis does. */
export const TIMEOUT_REPLY: Farewells = {
  http: httpReply("408 Request Timeout", "error", "request_timeout", []),
  resp: bytesOf(""),
};

function httpReply(
  status: string,
  kind: "rejected" | "error",
  reason: string,
  headers: readonly string[],
): Uint8Array<ArrayBuffer> {
  const body = JSON.stringify({ status: kind, reason });
  const lines = [
    `HTTP/1.1 ${status}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    ...headers,
  ];
  return bytesOf(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
