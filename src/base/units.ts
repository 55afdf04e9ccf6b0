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

/**
 * A number of things in a stretch of time.
 *
 * Shape: `{ count: 100, perMs: 60_000 }` is 100 a minute.
 */
export interface Rate {
  /** How many. */
  readonly count: number;
  /** In how long. Unit: ms. */
  readonly perMs: number;
}

/**
 * Reads a rate: a whole number, a slash and a duration; `100/m` is `100/1m`.
 *
 * @returns null when `text` is not a rate, or is one of nothing or in no time
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseRate } from "./units.ts";
 * assert.deepEqual(parseRate("100/1m"), { count: 100, perMs: 60_000 });
 * assert.deepEqual(parseRate("1000/s"), { count: 1000, perMs: 1000 });
 * assert.equal(parseRate("100"), null);
 * ```
 */
export function parseRate(text: string): Rate | null {
  const match = /^(\d{1,9})\/(.+)$/.exec(text);
  if (match === null) return null;
  const [, digits, duration] = match;
  const count = Number(digits);
  const perMs = parseDuration(/^[a-z]/i.test(duration!) ? `1${duration}` : duration!);
  return perMs === null || perMs < 1 || count < 1 ? null : { count, perMs };
}

/** The form of a rate that {@link parseRate} reads back, e.g. `"100/1m"`. */
export function formatRate({ count, perMs }: Rate): string {
  return `${count}/${formatDuration(perMs)}`;
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
