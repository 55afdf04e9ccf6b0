/**
 * What stages find, put the way the report has it: rows, checks, durations in a few numbers.
 *
 * @module
 */

import type { LatencySummary } from "../load/plan.ts";
import type { StageCheck, StageRow } from "../model.ts";
import { numberText } from "../terminal/number_text.ts";

/** A row of the table of which only so much was measured. */
export function row(name: string, measured: Partial<StageRow>): StageRow {
  return {
    name,
    accepted: null,
    refused: null,
    errors: null,
    answersPerSecond: null,
    latency: null,
    lockWait: null,
    lockHold: null,
    jobsPerSecond: null,
    figures: [],
    ...measured,
  };
}

/** Durations in a few numbers; by the nearest rank. Unit: ms. */
export function summarize(durationsMs: readonly number[]): LatencySummary {
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const count = sorted.length;
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(count * share) - 1)] ?? 0;
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    count,
    averageMs: count === 0 ? 0 : sum / count,
    p50Ms: rank(0.5),
    p90Ms: rank(0.9),
    p99Ms: rank(0.99),
    p999Ms: rank(0.999),
    maxMs: rank(1),
  };
}

/** A figure, what it is of, and what its row of the table of stages says about it. */
export interface Expectation {
  /** E.g. `"jobs a second"`. */
  readonly what: string;
  /** What was measured. */
  readonly value: number;
  /** Follows the figures, e.g. `" %"`; empty for none. */
  readonly unit?: string;
}

/** The figure is at least `min`. */
export function atLeast(
  { what, value, unit = "" }: Expectation,
  min: number,
): StageCheck {
  return {
    what,
    expected: `at least ${numberText(min)}${unit}`,
    seen: `${numberText(value)}${unit}`,
    passed: value >= min,
  };
}

/** The figure is `min` to `max`, both included. */
export function between(
  { what, value, unit = "" }: Expectation,
  min: number,
  max: number,
): StageCheck {
  return {
    what,
    expected: `${numberText(min)} to ${numberText(max)}${unit}`,
    seen: `${numberText(value)}${unit}`,
    passed: value >= min && value <= max,
  };
}

/** The figure is about `target`: at most a tenth less or more. */
export function about({ what, value, unit = "" }: Expectation, target: number): StageCheck {
  return {
    what,
    expected: `about ${numberText(target)}${unit} (±10 %)`,
    seen: `${numberText(value)}${unit}`,
    passed: Math.abs(value - target) <= target / 10,
  };
}

/** The text is exactly that. */
export function exactly(what: string, seen: string, expected: string): StageCheck {
  return { what, expected, seen, passed: seen === expected };
}
