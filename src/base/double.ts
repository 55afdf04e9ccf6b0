/**
 * Doubles as decimal text, as Redis 7 reads and writes them.
 *
 * @module
 */

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** A longer text is no number that anybody means. Unit: bytes. */
const MAX_TEXT_BYTES = 5 * 1024;

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const HEXADECIMAL =
  /^([+-]?)0[xX](?:([\da-fA-F]+)\.?([\da-fA-F]*)|\.([\da-fA-F]+))(?:[pP]([+-]?\d+))?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/**
 * Writes a double so that reading it back gives the same double, in the fewest digits.
 *
 * Shape: `"3"`, `"0.1"`, `"1e+21"`, `"inf"`, `"-inf"`, `"nan"`.
 *
 * Thread: any.
 */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (value === Infinity) return "inf";
  if (value === -Infinity) return "-inf";
  if (Object.is(value, -0)) return "-0";
  // Where C's `%.17g` begins to write exponents.
  return Math.abs(value) >= 1e17 ? value.toExponential() : String(value);
}

/**
 * Reads a double from `bytes[start, end)`.
 *
 * What C's `strtod` takes as a whole: decimal with or without exponent, hexadecimal (`0x1.8p3`),
 * `inf` and `infinity` in any case, each with a sign or without. Not taken: the empty text, spaces
 * anywhere, `nan`, and what is too large or, other than 0, too small for a double.
 *
 * Thread: any.
 *
 * @returns NaN when it is no double
 */
export function parseDouble(bytes: Uint8Array, start: number, end: number): number {
  const plain = parsePlain(bytes, start, end);
  if (!Number.isNaN(plain)) return plain;
  const text = numberText(bytes, start, end);
  if (DECIMAL.test(text)) {
    const value = Number(text);
    if (!Number.isFinite(value)) return NaN;
    return value === 0 && /[1-9]/.test(text.replace(/[eE].*/, "")) ? NaN : value;
  }
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity;
  const parts = parseHexadecimal(text);
  if (parts === undefined) return NaN;
  const value = Number(parts.mantissa) * 2 ** parts.exponent;
  if (!Number.isFinite(value) || (value === 0 && parts.mantissa !== 0n)) return NaN;
  return parts.isNegative ? -value : value;
}

/**
 * Reads what most numbers look like: digits, perhaps a point and a minus. A whole number of at most 15
 * digits and a power of ten up to 22 are doubles as they are, so their quotient is the nearest one.
 *
 * @returns NaN when it is something else
 */
function parsePlain(bytes: Uint8Array, start: number, end: number): number {
  const isNegative = bytes[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  // Digits and a point.
  if (end <= first || end - first > 16) return NaN;
  let whole = 0;
  let pointAt = -1;
  for (let i = first; i < end; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit >= 0 && digit <= 9) whole = whole * 10 + digit;
    else if (bytes[i] === POINT && pointAt < 0) pointAt = i;
    else return NaN;
  }
  const digits = end - first - (pointAt < 0 ? 0 : 1);
  if (digits === 0 || digits > 15) return NaN;
  const value = pointAt < 0 ? whole : whole / POWERS_OF_TEN[end - pointAt - 1]!;
  return isNegative ? -value : value;
}

/** A number with a base 2 exponent: `mantissa × 2^exponent`. */
export interface BinaryParts {
  /** Whether there is a minus. */
  isNegative: boolean;
  /** Not negative. */
  mantissa: bigint;
  /** Power of two. */
  exponent: number;
}

/** The parts of a hexadecimal number such as `-0x1.8p3`; undefined when it is none. Thread: any. */
export function parseHexadecimal(text: string): BinaryParts | undefined {
  const match = HEXADECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", onlyFraction = "", power = "0"] = match;
  const digits = fraction + onlyFraction;
  return {
    isNegative: sign === "-",
    mantissa: BigInt(`0x${whole}${digits}`),
    exponent: Number(power) - 4 * digits.length,
  };
}

/** `bytes[start, end)` as characters; empty when that is too long for a number. Thread: any. */
export function numberText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > MAX_TEXT_BYTES) return "";
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
