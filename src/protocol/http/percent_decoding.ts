/**
 * Percent-decoding of path segments and query values.
 *
 * @module
 */

import { hexDigit, PERCENT, SPACE } from "./characters.ts";

const PLUS = 0x2b;

/**
 * Decodes `source[start, end)` to `target[at…]`.
 *
 * The parser has checked that every `%` is followed by two hexadecimal digits.
 *
 * Thread: any.
 *
 * @param plusIsSpace whether `+` stands for a space, as it does in queries and not in paths
 * @returns how many bytes there are, or -1 when `target` is too short for them
 */
export function percentDecode(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at = 0,
  plusIsSpace = false,
): number {
  let length = at;
  for (let from = start; from < end; from++) {
    if (length === target.length) return -1;
    let byte = source[from]!;
    if (byte === PERCENT) {
      byte = hexDigit(source[from + 1]!) * 16 + hexDigit(source[from + 2]!);
      from += 2;
    } else if (plusIsSpace && byte === PLUS) {
      byte = SPACE;
    }
    target[length++] = byte;
  }
  return length - at;
}
