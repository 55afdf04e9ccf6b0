/**
 * How much a benchmark does in one iteration: less, where a test only runs it.
 *
 * @module
 */

/** Whether nobody looks at the figures. */
const IS_TRIAL = Deno.env.get("SLUICE_BENCH_TRIAL") !== undefined;

/** `count`, or `trial` where nobody looks at the figures. */
export function sized(count: number, trial: number): number {
  return IS_TRIAL ? trial : count;
}
