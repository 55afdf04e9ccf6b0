/**
 * Medians, spreads and ratios of runs.
 *
 * @module
 */

/** Several measurements in three numbers. */
export interface Spread {
  /** As many are above as below. */
  readonly median: number;
  /** The smallest. */
  readonly min: number;
  /** The largest. */
  readonly max: number;
}

/** The median; NaN of nothing. Of an even number it is the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median, smallest and largest; all NaN of nothing. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) return { median: NaN, min: NaN, max: NaN };
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The ratios of runs that were made one next to the other.
 *
 * What slows the machine down for a while slows both of a pair, so the ratio of each pair is worth
 * more than the ratio of the medians.
 *
 * @param ours the i-th was measured next to the i-th of `theirs`
 */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): Spread {
  const count = Math.min(ours.length, theirs.length);
  return spreadOf(Array.from({ length: count }, (_, i) => ours[i]! / theirs[i]!));
}

/**
 * Who runs when: every round has each of them once, and every second round is in reverse, so that
 * none always runs first.
 *
 * Shape: `alternate(["a", "b"], 3)` is `[["a", "b"], ["b", "a"], ["a", "b"]]`.
 */
export function alternate<T>(who: readonly T[], roundCount: number): T[][] {
  return Array.from({ length: roundCount }, (_, i) => i % 2 === 0 ? [...who] : who.toReversed());
}
