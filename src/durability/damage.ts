/**
 * What makes a data directory unusable until somebody has looked at it.
 *
 * @module
 */

/** Thrown when a file of the data directory cannot be what was written there. */
export class DamageError extends Error {
  /** Always `"DamageError"`. */
  override readonly name = "DamageError";
  /** Path of the file. */
  readonly path: string;
  /** Where in the file. Unit: bytes. */
  readonly offset: number;

  /**
   * Says what is wrong.
   *
   * @param reason in words, without a full stop
   */
  constructor(path: string, offset: number, reason: string) {
    super(`${path} is damaged at byte ${offset}: ${reason}`);
    this.path = path;
    this.offset = offset;
  }
}
