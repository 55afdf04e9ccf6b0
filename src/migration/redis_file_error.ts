/**
 * What is thrown when a file of Redis is damaged, of an unknown kind, or cannot be read.
 *
 * @module
 */

/**
 * A file is not what it should be.
 *
 * Shape: `Cannot read dump.rdb: at byte 17 expected 5 bytes of a string, found the end of the file`.
 */
export class RedisFileError extends Error {
  /** Always `"RedisFileError"`. */
  override readonly name = "RedisFileError";
  /** Name of the file, as it was opened. */
  readonly file: string;
  /** Where in the file, in bytes from its start. */
  readonly offset: number;
  /** What should have been there. */
  readonly expected: string;
  /** What was there. */
  readonly found: string;

  /** Says what was `expected` at `offset`, and what was `found`. */
  constructor(
    file: string,
    offset: number,
    expected: string,
    found: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot read ${file}: at byte ${offset} expected ${expected}, found ${found}`, options);
    this.file = file;
    this.offset = offset;
    this.expected = expected;
    this.found = found;
  }
}
