/**
 * What a measurement must reach.
 *
 * @module
 */

import { tableText } from "../../../src/lab/terminal/table.ts";

/** One bound and what was seen. */
export interface Check {
  /** E.g. `"GET, pipeline 16, 16 B"`. */
  readonly what: string;
  /** Whether more is better or less. */
  readonly bound: "at least" | "under";
  /** The bound. */
  readonly limit: number;
  /** What was measured; NaN and infinities, where something was not measured, are a miss. */
  readonly seen: number;
  /** Of both, e.g. `"MB"` or `"×"`. */
  readonly unit: string;
  /** Whether it holds. */
  readonly passed: boolean;
}

/** A bound from below. */
export function atLeast(what: string, limit: number, seen: number, unit: string): Check {
  return {
    what,
    bound: "at least",
    limit,
    seen,
    unit,
    passed: Number.isFinite(seen) && seen >= limit,
  };
}

/** A bound from above. */
export function under(what: string, limit: number, seen: number, unit: string): Check {
  return { what, bound: "under", limit, seen, unit, passed: Number.isFinite(seen) && seen < limit };
}

/** Column titles of {@link checkRows}. */
export const CHECK_HEAD: readonly string[] = ["what", "bound", "seen", "ok"];

/** One line per check. */
export function checkRows(checks: readonly Check[]): string[][] {
  return checks.map(({ what, bound, limit, seen, unit, passed }) => [
    what,
    `${bound} ${limit} ${unit}`.trimEnd(),
    `${Number.isFinite(seen) ? inDigits(seen) : "nothing"} ${unit}`.trimEnd(),
    passed ? "yes" : "NO",
  ]);
}

/** The checks as a table for people. */
export function checkText(checks: readonly Check[]): string {
  return tableText(CHECK_HEAD, checkRows(checks));
}

/** A number in about three digits: `0.953`, `12.3`, `1234`. */
export function inDigits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toFixed(digits);
}
