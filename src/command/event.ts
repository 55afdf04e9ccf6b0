/**
 * The rules that an event's fields keep, for every protocol.
 *
 * @module
 */

import {
  type ByteSlice,
  type EventFields,
  MAX_ACTION_BYTES,
  MAX_ID_BYTES,
  MAX_USER_BYTES,
} from "../base/job.ts";

/** Names field and rule for an amount that is not an int64. */
export const AMOUNT_RULE =
  "amount must be an integer from -9223372036854775808 to 9223372036854775807";

/**
 * Says which field of an event breaks which rule.
 *
 * `user` is 1 to 128 bytes, `action` and `id` are 1 to 64; all are UTF-8 without control characters
 * (Unicode category Cc). An empty `id` means that there is none; a protocol in which an id can be
 * given and be empty refuses that itself, with {@link idRule}.
 *
 * Thread: any; no state, no allocation.
 *
 * @returns words for the client, or undefined when all is well
 */
export function eventDefect(event: EventFields): string | undefined {
  const { user, action, id } = event;
  const defect = userDefect(user);
  if (defect !== undefined) return defect;
  if (action.length < 1 || action.length > MAX_ACTION_BYTES) {
    return lengthRule("action", MAX_ACTION_BYTES);
  }
  if (!isPlainText(action)) return textRule("action");
  if (id.length > MAX_ID_BYTES) return idRule();
  if (!isPlainText(id)) return textRule("id");
  return undefined;
}

/** Says which rule a user's name breaks; see {@link eventDefect}. Thread: any. */
export function userDefect(user: ByteSlice): string | undefined {
  if (user.length < 1 || user.length > MAX_USER_BYTES) return lengthRule("user", MAX_USER_BYTES);
  return isPlainText(user) ? undefined : textRule("user");
}

/** Names the rule on an id's length. Thread: any. */
export function idRule(): string {
  return lengthRule("id", MAX_ID_BYTES);
}

function lengthRule(field: string, maxBytes: number): string {
  return `${field} must be 1 to ${maxBytes} bytes`;
}

function textRule(field: string): string {
  return `${field} must be UTF-8 without control characters`;
}

/**
 * Whether the bytes are well-formed UTF-8 and no character is a control character.
 *
 * Thread: any.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3629#section-4 for the byte ranges
 */
export function isPlainText(text: ByteSlice): boolean {
  const { bytes, start, end } = text;
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte < 0x80) {
      if (byte < 0x20 || byte === 0x7f) return false;
      at++;
      continue;
    }
    const byteCount = sequenceBytes(bytes, at, end);
    if (byteCount === 0) return false;
    at += byteCount;
  }
  return true;
}

/** Length of the well-formed multi-byte sequence at `at`, or 0. */
function sequenceBytes(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  const second = at + 1 < end ? bytes[at + 1]! : 0;
  if (first >= 0xc2 && first <= 0xdf) {
    // U+0080 to U+009F are control characters.
    return isContinuation(second) && !(first === 0xc2 && second < 0xa0) ? 2 : 0;
  }
  if (first >= 0xe0 && first <= 0xef) {
    // No overlong forms, no surrogates.
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    if (at + 2 >= end || second < low || second > high) return 0;
    return isContinuation(bytes[at + 2]!) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    // No overlong forms, nothing above U+10FFFF.
    const low = first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xf4 ? 0x8f : 0xbf;
    if (at + 3 >= end || second < low || second > high) return 0;
    return isContinuation(bytes[at + 2]!) && isContinuation(bytes[at + 3]!) ? 4 : 0;
  }
  return 0;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
