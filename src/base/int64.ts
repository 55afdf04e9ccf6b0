/**
 * Signed 64-bit integers as two 32-bit halves, without `BigInt` on the hot path.
 *
 * A `BigInt` is a heap object per result; balances and counters change on every command, so they
 * are kept as `(hi, lo)` and every routine writes into a caller-owned {@link Int64}.
 *
 * @module
 */

const TWO_32 = 4294967296;
const BILLION = 1_000_000_000;
const DIGIT_0 = 0x30;
const MINUS = 0x2d;

/** Longest decimal form: `-9223372036854775808`, 20 bytes. */
export const INT64_MAX_DECIMAL_BYTES = 20;

/**
 * A mutable signed 64-bit integer, value = `hi * 2^32 + lo`.
 *
 * Shape: `hi` is an int32, `lo` a uint32 (0 to 2^32 - 1). -1 is `{ hi: -1, lo: 4294967295 }`.
 *
 * Thread: belongs to one thread; reuse one instance instead of making one per command.
 */
export class Int64 {
  /** Upper half, int32. */
  hi: number;
  /** Lower half, uint32. */
  lo: number;

  /** Makes the value `hi * 2^32 + lo`. */
  constructor(hi = 0, lo = 0) {
    this.hi = hi | 0;
    this.lo = lo >>> 0;
  }

  /**
   * Makes an Int64 from a safe integer.
   *
   * @param value an integer with |value| <= 2^53 - 1
   */
  static fromNumber(value: number): Int64 {
    return new Int64().setNumber(value);
  }

  /**
   * Becomes `value`.
   *
   * @param value an integer with |value| <= 2^53 - 1
   */
  setNumber(value: number): this {
    this.hi = Math.floor(value / TWO_32) | 0;
    this.lo = value >>> 0;
    return this;
  }

  /** Becomes a copy of `other`. */
  copyFrom(other: Int64): this {
    this.hi = other.hi;
    this.lo = other.lo;
    return this;
  }

  /** The value as a `BigInt`; for tests, logs and JSON, not for the hot path. */
  toBigInt(): bigint {
    return (BigInt(this.hi) << 32n) | BigInt(this.lo);
  }

  /** The value as a double; exact up to 2^53, rounded beyond. */
  toNumber(): number {
    return this.hi * TWO_32 + this.lo;
  }

  /** Decimal form, e.g. `"-9223372036854775808"`. */
  toString(): string {
    return this.toBigInt().toString();
  }
}

/**
 * Adds with overflow detection: `result = a + b`.
 *
 * `result` may be `a` or `b`; on overflow it is left unchanged.
 *
 * @returns false when the sum does not fit 64 bits
 */
export function addInt64(a: Int64, b: Int64, result: Int64): boolean {
  const loSum = a.lo + b.lo;
  const carry = loSum >= TWO_32 ? 1 : 0;
  const hi = (a.hi + b.hi + carry) | 0;
  // Overflow exactly when both operands have the same sign and the sum has the other one.
  if (((a.hi ^ hi) & (b.hi ^ hi)) < 0) return false;
  result.hi = hi;
  result.lo = loSum >>> 0;
  return true;
}

/**
 * Negates: `result = -value`. `result` may be `value`.
 *
 * @returns false for -2^63, whose negation does not fit; `result` is then unchanged
 */
export function negateInt64(value: Int64, result: Int64): boolean {
  if (value.hi === -0x80000000 && value.lo === 0) return false;
  const lo = (~value.lo + 1) >>> 0;
  result.hi = (~value.hi + (lo === 0 ? 1 : 0)) | 0;
  result.lo = lo;
  return true;
}

/**
 * Parses a canonical decimal integer from `bytes[start, end)`.
 *
 * Canonical means what Redis accepts for integer arguments: an optional `-`, no `+`, no leading
 * zeros, no `-0`, no spaces, and a value within int64.
 *
 * @param result receives the value; unchanged when false is returned
 * @returns whether the bytes were a canonical int64
 */
export function parseInt64(
  bytes: Uint8Array,
  start: number,
  end: number,
  result: Int64,
): boolean {
  const negative = start < end && bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  const digitCount = end - first;
  if (digitCount < 1 || digitCount > 19) return false;
  if (bytes[first] === DIGIT_0) {
    if (digitCount > 1 || negative) return false;
    result.hi = 0;
    result.lo = 0;
    return true;
  }
  // Two groups so that each fits a double exactly: value = upper * 10^9 + lower.
  const split = digitCount > 9 ? end - 9 : first;
  let upper = 0;
  let lower = 0;
  for (let i = first; i < end; i++) {
    const digit = bytes[i]! - DIGIT_0;
    if (digit < 0 || digit > 9) return false;
    if (i < split) upper = upper * 10 + digit;
    else lower = lower * 10 + digit;
  }
  if (digitCount <= 9) {
    // Nearly every amount; below 10^9 no 64-bit arithmetic is needed.
    const value = negative ? -lower : lower;
    result.hi = value < 0 ? -1 : 0;
    result.lo = value >>> 0;
    return true;
  }
  // upper < 2^34, so its 17 low bits and the rest each times 10^9 stay below 2^47.
  const highProduct = Math.floor(upper / 131072) * BILLION;
  const lowSum = (highProduct % 32768) * 131072 + (upper % 131072) * BILLION + lower;
  const hi = Math.floor(highProduct / 32768) + Math.floor(lowSum / TWO_32);
  const lo = lowSum % TWO_32;
  if (negative) {
    if (hi > 0x80000000 || (hi === 0x80000000 && lo !== 0)) return false;
    const negLo = (~lo + 1) >>> 0;
    result.hi = (~hi + (negLo === 0 ? 1 : 0)) | 0;
    result.lo = negLo;
    return true;
  }
  if (hi > 0x7fffffff) return false;
  result.hi = hi;
  result.lo = lo;
  return true;
}

/**
 * Writes the decimal form of `(hi, lo)` at `target[offset…]`.
 *
 * @param target must have {@link INT64_MAX_DECIMAL_BYTES} bytes from `offset`
 * @returns how many bytes were written
 */
export function formatInt64(
  hi: number,
  lo: number,
  target: Uint8Array,
  offset: number,
): number {
  let at = offset;
  let magnitudeHi = hi;
  let magnitudeLo = lo >>> 0;
  if (hi < 0) {
    target[at++] = MINUS;
    magnitudeLo = (~magnitudeLo + 1) >>> 0;
    magnitudeHi = (~hi + (magnitudeLo === 0 ? 1 : 0)) >>> 0;
  }
  if (magnitudeHi < 0x200000) {
    return writeDigits(magnitudeHi * TWO_32 + magnitudeLo, target, at) - offset;
  }
  // Long division by 10^9 in 16-bit steps keeps every intermediate below 2^46.
  const q1 = Math.floor(magnitudeHi / BILLION);
  let rest = (magnitudeHi - q1 * BILLION) * 65536 + (magnitudeLo >>> 16);
  const q2 = Math.floor(rest / BILLION);
  rest = (rest - q2 * BILLION) * 65536 + (magnitudeLo & 0xffff);
  const q3 = Math.floor(rest / BILLION);
  let tail = rest - q3 * BILLION;
  at = writeDigits(q1 * TWO_32 + q2 * 65536 + q3, target, at);
  for (let i = at + 8; i >= at; i--) {
    target[i] = DIGIT_0 + (tail % 10);
    tail = Math.floor(tail / 10);
  }
  return at + 9 - offset;
}

/**
 * Writes a non-negative safe integer in decimal at `target[offset…]`.
 *
 * @returns the offset behind the last digit
 */
export function writeDigits(value: number, target: Uint8Array, offset: number): number {
  if (value < 10) {
    target[offset] = DIGIT_0 + value;
    return offset + 1;
  }
  const end = offset + decimalDigitCount(value);
  let at = end;
  let rest = value;
  // Doubles divide more slowly than int32, so leave the double range as soon as possible.
  while (rest > 0x7fffffff) {
    const quotient = Math.floor(rest / 10);
    target[--at] = DIGIT_0 + (rest - quotient * 10);
    rest = quotient;
  }
  let small = rest | 0;
  while (small >= 10) {
    const quotient = (small / 10) | 0;
    target[--at] = DIGIT_0 + (small - quotient * 10);
    small = quotient;
  }
  target[offset] = DIGIT_0 + small;
  return end;
}

/** How many decimal digits a non-negative safe integer has (0 has one). */
export function decimalDigitCount(value: number): number {
  // Most numbers in replies are short, and comparing takes less than counting up.
  if (value < 10_000) return value < 100 ? (value < 10 ? 1 : 2) : (value < 1000 ? 3 : 4);
  let count = 5;
  let bound = 100_000;
  while (value >= bound) {
    count++;
    bound *= 10;
  }
  return count;
}
