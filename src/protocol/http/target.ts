/**
 * The forms of a request target.
 *
 * @module
 */

import { encodeText, equalIgnoringCase, hexDigit, PERCENT, QUESTION, SLASH } from "./characters.ts";
import { type HttpFailure, HttpFailures } from "./failure.ts";
import { endOfHost } from "./host.ts";
import { HttpMethod } from "./method.ts";
import type { HttpRequest } from "./request.ts";

const ASTERISK = 0x2a;
const HTTP = encodeText("http://");
const HTTPS = encodeText("https://");

/**
 * Splits the target `bytes[start, end)` into host, path and query of `request`.
 *
 * Shape: `/a?b` (origin form), `http://host:1/a?b` (absolute form; its host replaces `Host`), `*`
 * (only `OPTIONS`). Dot segments and needless escapes stay as they are: a path names a route in one
 * spelling only, so nothing in front of us can read another path. The caller has checked that every byte may stand in a target.
 *
 * Thread: the connection's own.
 *
 * @returns what is wrong, or null
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
export function splitTarget(request: HttpRequest, start: number, end: number): HttpFailure | null {
  const { bytes, method } = request;
  let pathStart = start;
  if (method === HttpMethod.CONNECT) {
    return endOfHost(bytes, start, end) < 0 ? HttpFailures.BAD_TARGET : HttpFailures.CONNECT;
  }
  if (bytes[start] !== SLASH) {
    if (bytes[start] === ASTERISK && end - start === 1) {
      if (method !== HttpMethod.OPTIONS) return HttpFailures.BAD_TARGET;
    } else {
      // An https resource must not be served without TLS (RFC 9110 section 7.4), and who asks for an
      // http one over TLS does not talk to whom it thinks.
      const { isSecure } = request;
      if (startsWith(bytes, start, end, isSecure ? HTTP : HTTPS)) {
        return isSecure ? HttpFailures.PLAIN_SCHEME : HttpFailures.WRONG_SCHEME;
      }
      pathStart = splitAuthority(request, start, end, isSecure ? HTTPS : HTTP);
      if (pathStart < 0) return HttpFailures.BAD_TARGET;
    }
  }
  return splitPath(request, pathStart, end);
}

/** Takes host and port from an absolute target. Returns where its path starts, or -1. */
function splitAuthority(
  request: HttpRequest,
  start: number,
  end: number,
  scheme: Uint8Array,
): number {
  const { bytes } = request;
  if (!startsWith(bytes, start, end, scheme)) return -1;
  const hostStart = start + scheme.length;
  let at = hostStart;
  while (at < end && bytes[at] !== SLASH && bytes[at] !== QUESTION) at++;
  if (endOfHost(bytes, hostStart, at) < 0) return -1;
  request.hostStart = hostStart;
  request.hostEnd = at;
  return at;
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  const prefixEnd = start + prefix.length;
  return prefixEnd < end && equalIgnoringCase(bytes, start, prefixEnd, prefix);
}

function splitPath(request: HttpRequest, start: number, end: number): HttpFailure | null {
  const { bytes } = request;
  let queryMark = end;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUESTION) {
      if (queryMark === end) queryMark = at;
    } else if (byte === PERCENT) {
      if (at + 2 >= end || hexDigit(bytes[at + 1]!) < 0 || hexDigit(bytes[at + 2]!) < 0) {
        return HttpFailures.BAD_ESCAPE;
      }
      at += 2;
    }
  }
  request.pathStart = start;
  request.pathEnd = queryMark;
  request.queryStart = queryMark === end ? end : queryMark + 1;
  request.queryEnd = end;
  return null;
}
