/**
 * What makes a data directory unusable until somebody has looked at it.
 *
 * @module
 */

/** What kind of damage it is, as far as it matters to who repairs it. */
export type DamageKind =
  /** What is there cannot be read. */
  | "unreadable"
  /** A part of the log is not there; told of the segment behind the gap. */
  | "missing"
  /** A snapshot is whole, but not all of the log is there without which it means nothing. */
  | "snapshot without log";

/** Thrown when a file of the data directory cannot be what was written there. */
export class DamageError extends Error {
  /** Always `"DamageError"`. */
  override readonly name = "DamageError";
  /** Path of the file. */
  readonly path: string;
  /** Where in the file. Unit: bytes. */
  readonly offset: number;
  /** What is wrong, in words. */
  readonly reason: string;
  /** What kind of damage it is. */
  readonly kind: DamageKind;

  /**
   * Says what is wrong.
   *
   * @param reason in words, without a full stop
   */
  constructor(
    path: string,
    offset: number,
    reason: string,
    kind: DamageKind = "unreadable",
  ) {
    super(`${path} is damaged at byte ${offset}: ${reason}`);
    this.path = path;
    this.offset = offset;
    this.reason = reason;
    this.kind = kind;
  }
}
