/**
 * The request that turns an HTTP connection into a WebSocket.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2
 *
 * @module
 */

import {
  COMMA,
  encodeText,
  equalBytes,
  equalIgnoringCase,
  SPACE,
  TAB,
} from "../http/characters.ts";
import { Disposition } from "../http/disposition.ts";
import type { HttpExchange } from "../http/exchange.ts";
import { HttpError } from "../http/http_error.ts";
import { HttpMethod } from "../http/method.ts";
import type { HttpRequest } from "../http/request.ts";
import { sha1 } from "./sha1.ts";

const CONNECTION = encodeText("connection");
const UPGRADE = encodeText("upgrade");
const WEBSOCKET = encodeText("websocket");
const VERSION_FIELD = encodeText("sec-websocket-version");
const VERSION = encodeText("13");
const KEY_FIELD = encodeText("sec-websocket-key");

/** 16 bytes in base64. */
const KEY_PATTERN = /^[A-Za-z0-9+/]{22}==$/;

/** What shows that the key was understood. Source: RFC 6455 section 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What a server that wants another protocol or version has to say. */
const UPGRADE_LINES = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

/**
 * The value of `Sec-WebSocket-Accept`.
 *
 * @param key the value of `Sec-WebSocket-Key`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { acceptValue } from "./handshake.ts";
 * assert.equal(acceptValue("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
 * ```
 */
export function acceptValue(key: string): string {
  return btoa(String.fromCharCode(...sha1(encodeText(key + ACCEPT_SUFFIX))));
}

/**
 * Judges a request for a WebSocket.
 *
 * Subprotocols and extensions that it offers are not chosen. `permessage-deflate` would cost up to 64
 * KiB of window per connection and direction, outside of what the connections' memory is bounded by,
 * to make small messages a little smaller.
 *
 * Thread: the exchange's.
 *
 * @returns the header lines of the reply with status 101
 * @throws {HttpError} with the status of the refusal
 */
export function acceptHandshake(exchange: HttpExchange): Uint8Array {
  const { request } = exchange;
  const asks = request.method === HttpMethod.GET && request.minorVersion >= 1 &&
    hasToken(request, UPGRADE, WEBSOCKET) && hasToken(request, CONNECTION, UPGRADE);
  if (!asks) throw upgradeRequired(exchange, "GET needs Upgrade: websocket, Connection: Upgrade");
  const version = request.findField(VERSION_FIELD);
  const isVersion = version >= 0 && request.findField(VERSION_FIELD, version + 1) < 0 &&
    equalBytes(request.bytes, request.valueStart(version), request.valueEnd(version), VERSION);
  if (!isVersion) throw upgradeRequired(exchange, "the version must be 13");
  if (exchange.parser.announcesBody) {
    throw new HttpError(400, "bad_handshake", "the request must not have a body");
  }
  const key = keyOf(request);
  if (key === undefined) {
    throw new HttpError(400, "bad_handshake", "Sec-WebSocket-Key must be 16 bytes in base64");
  }
  return encodeText(
    `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptValue(key)}\r\n`,
  );
}

function upgradeRequired(exchange: HttpExchange, detail: string): HttpError {
  // Where the connection is to close, the reply says that instead.
  const isKept = exchange.disposition === Disposition.KEEP;
  const lines = isKept ? `Connection: Upgrade\r\n${UPGRADE_LINES}` : UPGRADE_LINES;
  return new HttpError(426, "upgrade_required", detail, lines);
}

function keyOf(request: HttpRequest): string | undefined {
  const field = request.findField(KEY_FIELD);
  if (field < 0 || request.findField(KEY_FIELD, field + 1) >= 0) return undefined;
  const value = request.bytes.subarray(request.valueStart(field), request.valueEnd(field));
  const key = String.fromCharCode(...value.subarray(0, 32));
  return KEY_PATTERN.test(key) && value.length === key.length ? key : undefined;
}

/** Whether a field that is a list, and may be repeated, has `token` among its values. */
function hasToken(request: HttpRequest, name: Uint8Array, token: Uint8Array): boolean {
  for (
    let field = request.findField(name);
    field >= 0;
    field = request.findField(name, field + 1)
  ) {
    const { bytes } = request;
    const end = request.valueEnd(field);
    for (let at = request.valueStart(field); at < end; at++) {
      while (at < end && isBlank(bytes[at]!)) at++;
      const start = at;
      while (at < end && bytes[at] !== COMMA) at++;
      let tokenEnd = at;
      while (tokenEnd > start && isBlank(bytes[tokenEnd - 1]!)) tokenEnd--;
      if (equalIgnoringCase(bytes, start, tokenEnd, token)) return true;
    }
  }
  return false;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
