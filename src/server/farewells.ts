/**
 * What a client is told by the connection layer itself, before any session is asked.
 *
 * @module
 */

import type { ProtocolLabel } from "../metrics/names.ts";
import { encodeFrame, errorMessage } from "../protocol/protobuf/codec.ts";
import type { ProtoFraming } from "../protocol/protobuf/framing.ts";
import { ErrorCode } from "../protocol/protobuf/messages.ts";

/** One reply per protocol whose replies look the same whatever the settings, as bytes. */
export type Farewells = Readonly<Record<Exclude<ProtocolLabel, "proto">, Uint8Array<ArrayBuffer>>>;

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

/** What the connection layer tells Protobuf clients. */
export interface ProtoFarewells {
  /** To a client above `--max-connections`. */
  readonly full: Uint8Array<ArrayBuffer>;
  /** To a client whose message did not arrive in time. */
  readonly timeout: Uint8Array<ArrayBuffer>;
}

/** Encodes what Protobuf clients are told. */
export function protoFarewells(framing: ProtoFraming): ProtoFarewells {
  const frame = (code: ErrorCode, text: string): Uint8Array<ArrayBuffer> =>
    encodeFrame(framing, errorMessage(code, text));
  return {
    full: frame(ErrorCode.TOO_MANY_CONNECTIONS, "there are too many connections"),
    timeout: frame(ErrorCode.TIMEOUT, "the message did not arrive in time"),
  };
}

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
