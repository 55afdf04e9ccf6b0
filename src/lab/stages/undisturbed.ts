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
  /** Runs that were disturbed. */
  readonly disturbedCount: number;
}

/**
 * Runs something until nobody disturbs it, or so often; the run disturbed least counts.
 *
 * @param disturbance how much a run was disturbed, up to 1 not at all; it must not depend on
 *   whether the run shows what it should, or the choice would be a choice of what one likes to see
 */
export async function leastDisturbed<Outcome>(
  runMax: number,
  run: () => Promise<Outcome>,
  disturbance: (outcome: Outcome) => number,
): Promise<LeastDisturbed<Outcome>> {
  let outcome = await run();
  let least = disturbance(outcome);
  let runCount = 1;
  for (; !(least <= 1) && runCount < runMax; runCount++) {
    const another = await run();
    const disturbed = disturbance(another);
    if (disturbed >= least) continue;
    outcome = another;
    least = disturbed;
  }
  return { outcome, runCount, disturbedCount: runCount - Number(least <= 1) };
}
