/**
 * How much a test does whose power grows with its size: `deno task test` keeps it short enough to be
 * run before every commit, `deno task test:full` takes the time.
 *
 * @module
 */

/** Whether the tests may take their time. */
const IS_FULL = (Deno.env.get("SLUICE_TEST_FULL") ?? "") !== "";

/** Whether the tests may take their time: for what is no number. */
export function isFull(): boolean {
  return IS_FULL;
}

/**
 * Chooses how much to do.
 *
 * @param quick in the suite: as much as every part of the test needs to be reached
 * @param full with `deno task test:full`
 */
export function effort(quick: number, full: number): number {
  return IS_FULL ? full : quick;
}

/** Where the turns of {@link inTurn} begin: other cases in every run. */
const FIRST_TURN = Math.floor(Math.random() * 2 ** 20);

/**
 * Of all cases that have `key` in common, one: the first of one key, the second of the next and so on,
 * others in the next run. With `deno task test:full`, all of them.
 *
 * Where all pairs of two lists would be tried, each of one list is, and each of the other.
 */
export function inTurn<T>(cases: readonly T[], key: (of: T) => unknown): readonly T[] {
  if (IS_FULL) return cases;
  return [...Map.groupBy(cases, key).values()]
    .map((members, i) => members[(FIRST_TURN + i) % members.length]!);
}
