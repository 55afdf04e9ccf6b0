/**
 * The syntax of host and port, as in `Host` and in absolute request targets.
 *
 * @module
 */

import { CHARACTER_FLAGS, COLON, DIGIT_0, hexDigit, IS_HOST } from "./characters.ts";

const DOT = 0x2e;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const MAX_PORT = 65535;
/** Longest host name there can be in the DNS, and a little. Unit: bytes. */
const MAX_HOST_BYTES = 255;

/**
 * Where the host in `bytes[start, end)` ends: in front of `:port`, or at `end`.
 *
 * Shape: accepts `example.org`, `127.0.0.1:8080`, `[::1]:8080`, `localhost:`. Names may have
 * letters, digits and `-._~`: no percent-encoding, no user, no commas, so that two parsers cannot
 * read two different names.
 *
 * Thread: any.
 *
 * @returns the offset behind the host, or -1 when this is not a host with an optional port
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.2
 */
export function endOfHost(bytes: Uint8Array, start: number, end: number): number {
  const hostEnd = bytes[start] === OPEN_BRACKET
    ? endOfIpv6(bytes, start, end)
    : endOfName(bytes, start, end);
  if (hostEnd <= start || hostEnd - start > MAX_HOST_BYTES) return -1;
  if (hostEnd < end && !isPort(bytes, hostEnd, end)) return -1;
  return hostEnd;
}

function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (CHARACTER_FLAGS[bytes[at]!]! & IS_HOST) !== 0) at++;
  return at;
}

/** Checks the characters, not the grouping: nothing here connects to it. */
function endOfIpv6(bytes: Uint8Array, start: number, end: number): number {
  let colonCount = 0;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === COLON) colonCount++;
    else if (byte === CLOSE_BRACKET) return colonCount >= 2 ? at + 1 : -1;
    else if (byte !== DOT && hexDigit(byte) < 0) return -1;
  }
  return -1;
}

function isPort(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== COLON || end - start > 6) return false;
  let port = 0;
  for (let at = start + 1; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= MAX_PORT;
}
