/**
 * Numbers for people.
 *
 * @module
 */

/**
 * A number for people: three digits or more, and no more of them behind the point than that.
 *
 * Shape: `1450.2` is `"1,450"`, `11.43` is `"11.4"`, `0.0213` is `"0.0213"`.
 */
export function numberText(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}
