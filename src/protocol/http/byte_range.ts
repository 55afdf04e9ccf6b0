/**
 * `Range`: a part of a body.
 *
 * @module
 */

/** What a `Range` asks for. */
export type RangeWish =
  /** Bytes `[start, end)`, at least one. */
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  /** All of it: what was asked for is no range, or one that this server does not serve. */
  | { readonly kind: "whole" }
  /** Nothing that is there: 416. */
  | { readonly kind: "unsatisfiable" };

const WHOLE: RangeWish = { kind: "whole" };
const UNSATISFIABLE: RangeWish = { kind: "unsatisfiable" };

/**
 * Reads the value of `Range`.
 *
 * One range is served: `bytes=0-99`, `bytes=100-` or `bytes=-100` (the last 100). A list of them is
 * answered with the whole, as RFC 9110 allows: lists of many small or overlapping parts are how
 * servers are made to work for nothing, and clients that want one must be ready for the whole.
 *
 * Thread: any.
 *
 * @param byteCount length of the whole
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 *
 * @example
 * ```ts
 * import { parseRange } from "./byte_range.ts";
 *
 * const wish = parseRange("bytes=-100", 1000);
 * if (wish.kind !== "part" || wish.start !== 900) throw new Error("Cannot read the range");
 * ```
 */
export function parseRange(value: string, byteCount: number): RangeWish {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(value);
  if (match === null) return WHOLE;
  const [, first, last] = match as unknown as [string, string, string];
  if (first === "") {
    if (last === "") return WHOLE;
    // Digits beyond what a double holds are more than any file has, whatever they are rounded to.
    const suffixBytes = Math.min(Number(last), byteCount);
    return suffixBytes === 0
      ? UNSATISFIABLE
      : { kind: "part", start: byteCount - suffixBytes, end: byteCount };
  }
  const start = Number(first);
  const end = last === "" ? byteCount : Math.min(Number(last) + 1, byteCount);
  if (last !== "" && isLess(last, first)) return WHOLE;
  return start >= byteCount ? UNSATISFIABLE : { kind: "part", start, end };
}

/** Whether the decimal number `a` is less than `b`, however many digits they have. */
function isLess(a: string, b: string): boolean {
  return BigInt(a) < BigInt(b);
}
