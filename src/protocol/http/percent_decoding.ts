/**
 * Percent-decoding of path segments.
 *
 * @module
 */

import { hexDigit, PERCENT } from "./characters.ts";

/**
 * Decodes `source[start, end)` to `target[0…]`; `+` stays `+`, as it does in paths.
 *
 * The parser has checked that every `%` is followed by two hexadecimal digits.
 *
 * Thread: any.
 *
 * @returns how many bytes there are, or -1 when `target` is too short for them
 */
export function percentDecode(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  let length = 0;
  for (let at = start; at < end; at++) {
    if (length === target.length) return -1;
    let byte = source[at]!;
    if (byte === PERCENT) {
      byte = hexDigit(source[at + 1]!) * 16 + hexDigit(source[at + 2]!);
      at += 2;
    }
    target[length++] = byte;
  }
  return length;
}
