/**
 * Sizes and durations as people write them.
 *
 * @module
 */

/** Units of sizes, smallest first. */
const SIZE_UNITS: readonly (readonly [unit: string, bytes: number])[] = [
  ["b", 1],
  ["kb", 2 ** 10],
  ["mb", 2 ** 20],
  ["gb", 2 ** 30],
];

/** Units of durations, smallest first. */
const DURATION_UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
];

/**
 * Reads a size: a number, with `b`, `kb`, `mb` or `gb` (powers of 1,024) in any case, or without a
 * unit for bytes.
 *
 * @returns bytes, or null when `text` is not a size
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseSize } from "./units.ts";
 * assert.equal(parseSize("1.5kb"), 1536);
 * assert.equal(parseSize("4096"), 4096);
 * assert.equal(parseSize("1 mb"), null);
 * ```
 */
export function parseSize(text: string): number | null {
  return parseQuantity(text, SIZE_UNITS, 1);
}

/**
 * Reads a duration: a number with `ms`, `s`, `m` or `h` in any case, or a plain `0`.
 *
 * @returns milliseconds, or null when `text` is not a duration
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseDuration } from "./units.ts";
 * assert.equal(parseDuration("1.5s"), 1500);
 * assert.equal(parseDuration("0"), 0);
 * assert.equal(parseDuration("10"), null);
 * ```
 */
export function parseDuration(text: string): number | null {
  if (text === "0") return 0;
  return parseQuantity(text, DURATION_UNITS, null);
}

/** The shortest exact form of a size, e.g. `"256mb"`; {@link parseSize} reads it back. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, SIZE_UNITS);
}

/** The shortest exact form of a duration, e.g. `"10s"`; {@link parseDuration} reads it back. */
export function formatDuration(ms: number): string {
  return ms === 0 ? "0" : formatQuantity(ms, DURATION_UNITS);
}

function parseQuantity(
  text: string,
  units: readonly (readonly [string, number])[],
  plainUnit: number | null,
): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([a-z]*)$/.exec(text.toLowerCase());
  if (match === null) return null;
  const [, digits, name] = match;
  const unit = name === "" ? plainUnit : units.find(([unitName]) => unitName === name)?.[1];
  return unit === undefined || unit === null ? null : Math.round(Number(digits) * unit);
}

function formatQuantity(value: number, units: readonly (readonly [string, number])[]): string {
  const unit = units.findLast(([, size]) => value >= size && value % size === 0) ?? units[0]!;
  return `${value / unit[1]}${unit[0]}`;
}
