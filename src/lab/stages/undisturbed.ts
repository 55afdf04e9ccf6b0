/**
 * Measurements that others on the machine disturb, taken again.
 *
 * @module
 */

/** The measurement that counts. */
export interface LeastDisturbed<Outcome> {
  /** Of the run that was disturbed least. */
  readonly outcome: Outcome;
  /** Runs in all. */
  readonly runCount: number;
  /** Whether others disturbed this one too: then all were disturbed. */
  readonly isDisturbed: boolean;
  /** The others, which do not count. */
  readonly leftOut: readonly LeftOut<Outcome>[];
}

/** A measurement that does not count. */
export interface LeftOut<Outcome> {
  /** 1 = the first run. */
  readonly run: number;
  /** What it showed. */
  readonly outcome: Outcome;
}

/**
 * Runs something until nobody disturbs it, or so often; the run disturbed least counts.
 *
 * @param disturbance how much a run was disturbed, up to 1 not at all; it must not depend on
 *   whether the run shows what it should, or the choice would be a choice of what one likes to see
 * @param run is told which run it is: 1, 2, …
 */
export async function leastDisturbed<Outcome>(
  runMax: number,
  run: (number: number) => Promise<Outcome>,
  disturbance: (outcome: Outcome) => number,
): Promise<LeastDisturbed<Outcome>> {
  const runs: LeftOut<Outcome>[] = [];
  let counts = 0;
  let least = NaN;
  while (!(least <= 1) && runs.length < runMax) {
    const outcome = await run(runs.length + 1);
    const disturbed = disturbance(outcome);
    runs.push({ run: runs.length + 1, outcome });
    if (disturbed >= least) continue;
    counts = runs.length - 1;
    least = disturbed;
  }
  return {
    outcome: runs[counts]!.outcome,
    runCount: runs.length,
    isDisturbed: !(least <= 1),
    leftOut: runs.filter((_, i) => i !== counts),
  };
}
