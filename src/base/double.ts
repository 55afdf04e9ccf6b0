/**
 * Doubles as decimal text, as Redis 7 writes them.
 *
 * @module
 */

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
  return String(value);
}
