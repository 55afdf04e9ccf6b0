/**
 * Percent-decoding of path segments and query values.
 *
 * @module
 */

import type { CommandQuery } from "../command_client.ts";
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

/**
 * Appends what `source[start, end)` stands for to the arguments of a query.
 *
 * Thread: one I/O thread.
 *
 * @param plusIsSpace as for {@link percentDecode}
 * @returns the argument's length in bytes
 */
export function addDecoded(
  query: CommandQuery,
  source: Uint8Array,
  start: number,
  end: number,
  plusIsSpace = false,
): number {
  const at = query.reserve(end - start);
  const byteCount = percentDecode(source, start, end, query.target, at, plusIsSpace);
  query.addWritten(at, byteCount);
  return byteCount;
}
