/**
 * Numbers as Redis adds them in `INCRBYFLOAT` and `HINCRBYFLOAT`: with the 64-bit mantissa of an
 * x86 `long double`, not the 53 bits of a double.
 *
 * With doubles, 10.5 + 0.1 shown to 17 places is 10.59999999999999964; with 64 bits it is 10.6, and
 * clients expect that. So the arithmetic is done here bit for bit, with `BigInt`: text to the nearest
 * number of 64 significant bits, the sum rounded to nearest even, and 17 places of the exact result.
 * On machines whose `long double` is another type Redis itself answers differently.
 *
 * @module
 */

import { numberText, parseHexadecimal } from "./double.ts";

const DECIMAL = /^([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:[eE]([+-]?\d+))?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const MANTISSA_BITS = 64;
/** Exponents of the least bit of the largest and of the smallest normal number. */
const MAX_EXPONENT = 16383 - 63;
const MIN_EXPONENT = -16382 - 63;
/** A decimal exponent beyond this is out of range whatever the digits are (text is bounded). */
const MAX_DECIMAL_EXPONENT = 20_000;
/** Places behind the point that are shown. */
const PLACES = 17;

/** A finite number, `mantissa × 2^exponent` with a mantissa of at most 64 bits and a sign. */
export interface LongDouble {
  /** Signed. */
  readonly mantissa: bigint;
  /** Power of two. */
  readonly exponent: number;
}

/**
 * Reads a number from `bytes[start, end)`, by the rules of `parseDouble`.
 *
 * Thread: any.
 *
 * @returns `"infinite"` for either infinity, undefined when it is no number or out of range
 */
export function parseLongDouble(
  bytes: Uint8Array,
  start: number,
  end: number,
): LongDouble | "infinite" | undefined {
  const text = numberText(bytes, start, end);
  if (INFINITE.test(text)) return "infinite";
  const hexadecimal = parseHexadecimal(text);
  if (hexadecimal !== undefined) {
    const { isNegative, mantissa, exponent } = hexadecimal;
    if (Math.abs(exponent) > 2 * MAX_DECIMAL_EXPONENT) return mantissa === 0n ? ZERO : undefined;
    return inRange(roundToMantissa(isNegative ? -mantissa : mantissa, exponent, false), mantissa);
  }
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", onlyFraction = "", power = "0"] = match;
  const places = fraction + onlyFraction;
  const digits = BigInt(whole + places);
  if (digits === 0n) return ZERO;
  if (Math.abs(Number(power)) > MAX_DECIMAL_EXPONENT) return undefined;
  const tens = Number(power) - places.length;
  const signed = sign === "-" ? -digits : digits;
  return inRange(
    tens >= 0 ? roundToMantissa(signed * 10n ** BigInt(tens), 0, false) : divide(
      signed,
      10n ** BigInt(-tens),
    ),
    digits,
  );
}

/** Adds, rounding to nearest even; undefined when the sum is too large. Thread: any. */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble | undefined {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) +
    (b.mantissa << BigInt(b.exponent - exponent));
  const rounded = roundToMantissa(sum, exponent, false);
  return isTooLarge(rounded) ? undefined : rounded;
}

/**
 * Writes a number for people: no exponent, at most 17 places, no zeros at the end.
 *
 * Shape: `"3000"`, `"10.6"`, `"-0.5"`, `"0"`.
 *
 * Thread: any.
 */
export function formatLongDouble(value: LongDouble): string {
  const { mantissa, exponent } = value;
  const magnitude = mantissa < 0n ? -mantissa : mantissa;
  const scaled = magnitude * 10n ** BigInt(PLACES);
  const units = exponent >= 0 ? scaled << BigInt(exponent) : shiftRight(scaled, -exponent, false);
  const text = units.toString().padStart(PLACES + 1, "0");
  const places = text.slice(-PLACES).replace(/0+$/, "");
  const whole = text.slice(0, -PLACES);
  const shown = places === "" ? whole : `${whole}.${places}`;
  return mantissa < 0n && shown !== "0" ? `-${shown}` : shown;
}

const ZERO: LongDouble = { mantissa: 0n, exponent: 0 };

function bitLength(value: bigint): number {
  const text = value.toString(16);
  return (text.length - 1) * 4 + (32 - Math.clz32(parseInt(text[0]!, 16)));
}

/** Nearest number of 64 bits to `value × 2^exponent`; `sticky`: the value is a little more. */
function roundToMantissa(value: bigint, exponent: number, sticky: boolean): LongDouble {
  if (value === 0n) return ZERO;
  const magnitude = value < 0n ? -value : value;
  const excess = Math.max(bitLength(magnitude) - MANTISSA_BITS, MIN_EXPONENT - exponent);
  if (excess <= 0) return { mantissa: value, exponent };
  const rounded = shiftRight(magnitude, excess, sticky);
  return { mantissa: value < 0n ? -rounded : rounded, exponent: exponent + excess };
}

/** `value / 2^bits`, to the nearest, ties to even; `sticky`: the value is a little more. */
function shiftRight(value: bigint, bits: number, sticky: boolean): bigint {
  const quotient = value >> BigInt(bits);
  const rest = value - (quotient << BigInt(bits));
  const half = 1n << BigInt(bits - 1);
  const up = rest > half || (rest === half && (sticky || (quotient & 1n) === 1n));
  return up ? quotient + 1n : quotient;
}

/** Nearest number to `dividend / divisor`. */
function divide(dividend: bigint, divisor: bigint): LongDouble {
  const magnitude = dividend < 0n ? -dividend : dividend;
  // Two bits more than the mantissa has, and whether anything is left behind them.
  const bits = Math.max(0, MANTISSA_BITS + 2 - (bitLength(magnitude) - bitLength(divisor)));
  const shifted = magnitude << BigInt(bits);
  const quotient = shifted / divisor;
  const rounded = roundToMantissa(quotient, -bits, quotient * divisor !== shifted);
  return {
    mantissa: dividend < 0n ? -rounded.mantissa : rounded.mantissa,
    exponent: rounded.exponent,
  };
}

function isTooLarge({ mantissa, exponent }: LongDouble): boolean {
  if (mantissa === 0n) return false;
  return exponent + bitLength(mantissa < 0n ? -mantissa : mantissa) - MANTISSA_BITS > MAX_EXPONENT;
}

/** What `strtold` refuses: too large, or not zero and rounded to it. */
function inRange(value: LongDouble, digits: bigint): LongDouble | undefined {
  if (isTooLarge(value) || (value.mantissa === 0n && digits !== 0n)) return undefined;
  return value;
}
