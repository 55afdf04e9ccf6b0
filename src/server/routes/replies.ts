/**
 * Replies and pieces of them that several routes use.
 *
 * @module
 */

import type { ByteWriter } from "../../base/bytes.ts";
import type { Int64 } from "../../base/int64.ts";
import { CannedReply } from "../../protocol/http/canned_reply.ts";
import { BACKSLASH, encodeText, QUOTE } from "../../protocol/http/characters.ts";

/** Longest `Retry-After` that is sent. Unit: s. */
const MAX_RETRY_AFTER_S = 3600;

/** `{"status":"error","reason":…,"detail":…}`, made in advance. Thread: one I/O thread. */
export function errorReply(status: number, reason: string, detail?: string): CannedReply {
  const content = { status: "error", reason, ...(detail === undefined ? {} : { detail }) };
  return new CannedReply({ status, body: JSON.stringify(content) });
}

/** 503 `{"status":"rejected","reason":…}`, made in advance. Thread: one I/O thread. */
export function rejection(
  reason: string,
  headers: readonly (readonly [string, string])[] = [],
): CannedReply {
  return new CannedReply({
    status: 503,
    headers,
    body: JSON.stringify({ status: "rejected", reason }),
  });
}

/** Whole seconds for `Retry-After`, rounded up, at least 1. */
export function retryAfterSeconds(retryAfterMs: number): number {
  return Math.min(Math.max(Math.ceil(retryAfterMs / 1000), 1), MAX_RETRY_AFTER_S);
}

/** Makes a header line. */
export function headerLine(name: string, value: string): Uint8Array {
  return encodeText(`${name}: ${value}\r\n`);
}

/**
 * Writes what a processed event came to, behind other members of an object: `,"balance":100`, or what
 * a processor returned.
 */
export function writeOutcome(
  writer: ByteWriter,
  balance: Int64 | undefined,
  result: string | undefined,
): void {
  if (balance !== undefined) {
    writer.ascii(`,"balance":`);
    writer.int64(balance.hi, balance.lo);
  }
  if (result === undefined) return;
  writer.ascii(`,"result":`);
  writer.utf8(result);
}

/** Writes UTF-8 without control characters between the quotes of a JSON string. */
export function writeJsonText(
  writer: ByteWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE || byte === BACKSLASH) writer.byte(BACKSLASH);
    writer.byte(byte);
  }
}
