/**
 * How much a test does whose power grows with its size: `deno task test` keeps it short enough to be
 * run before every commit, `deno task test:full` takes the time.
 *
 * @module
 */

/** Whether the tests may take their time. */
const IS_FULL = (Deno.env.get("SLUICE_TEST_FULL") ?? "") !== "";

/**
 * Chooses how much to do.
 *
 * @param quick in the suite: as much as every part of the test needs to be reached
 * @param full with `deno task test:full`
 */
export function effort(quick: number, full: number): number {
  return IS_FULL ? full : quick;
}
