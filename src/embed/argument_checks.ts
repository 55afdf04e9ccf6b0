/**
 * Arguments of embedding programs that are looked at before anything is done with them.
 *
 * @module
 */

/**
 * Checks a duration that a caller gave.
 *
 * Without this a wait with `NaN` would end at once in one place and never in another one.
 *
 * @param operation what was to be done, e.g. `receive`
 * @param name of the argument
 * @param durationMs 0 and up; fractions are all right, `Infinity` is for ever
 * @throws {TypeError} when it is no number
 * @throws {RangeError} when it is negative or `NaN`
 */
export function checkDurationMs(operation: string, name: string, durationMs: number): void {
  if (durationMs >= 0 && typeof durationMs === "number") return;
  if (typeof durationMs !== "number") {
    throw new TypeError(
      `Cannot ${operation}: ${name} must be a number of milliseconds, not ${typeof durationMs}`,
    );
  }
  throw new RangeError(
    `Cannot ${operation} with ${name} ${durationMs}: it takes milliseconds from 0`,
  );
}
