/**
 * Why something cannot be done with a data directory, in words for people.
 *
 * @module
 */

/** Thrown with one line, without its end, that says what is wrong and what to do. */
export class DataError extends Error {
  /** Always `"DataError"`. */
  override readonly name = "DataError";
}
