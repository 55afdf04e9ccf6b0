/**
 * The syntax of host and port, as in `Host` and in absolute request targets.
 *
 * @module
 */

import { CHARACTER_FLAGS, COLON, DIGIT_0, hexDigit, IS_HOST } from "./characters.ts";

const DOT = 0x2e;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const IPV6_GROUPS = 8;
const MAX_GROUP_DIGITS = 4;
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

/** Behind the `]` of an IPv6 address in brackets, or -1. */
function endOfIpv6(bytes: Uint8Array, start: number, end: number): number {
  let groupCount = 0;
  let gapSeen = false;
  let at = start + 1;
  while (at < end && bytes[at] !== CLOSE_BRACKET) {
    if (bytes[at] === COLON && bytes[at + 1] === COLON) {
      if (gapSeen) return -1;
      gapSeen = true;
      at += 2;
      continue;
    }
    if (groupCount > 0 && bytes[at - 1] !== COLON && bytes[at++] !== COLON) return -1;
    const groupStart = at;
    while (at < end && hexDigit(bytes[at]!) >= 0) at++;
    if (bytes[at] === DOT) {
      at = endOfIpv4(bytes, groupStart, end);
      if (at < 0 || bytes[at] !== CLOSE_BRACKET) return -1;
      groupCount += 2;
    } else {
      if (at === groupStart || at - groupStart > MAX_GROUP_DIGITS) return -1;
      groupCount++;
    }
  }
  // The gap stands for one group at least.
  const isWhole = gapSeen ? groupCount < IPV6_GROUPS : groupCount === IPV6_GROUPS;
  return at < end && isWhole ? at + 1 : -1;
}

/** Behind the four numbers of an IPv4 address, or -1. */
function endOfIpv4(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && bytes[at++] !== DOT) return -1;
    const partStart = at;
    let value = 0;
    for (; at < end && at - partStart < 3; at++) {
      const digit = bytes[at]! - DIGIT_0;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const hasNeedlessZero = at - partStart > 1 && bytes[partStart] === DIGIT_0;
    if (at === partStart || value > 255 || hasNeedlessZero) return -1;
  }
  return at;
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
