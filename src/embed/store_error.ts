/**
 * What a store refuses, and why.
 *
 * @module
 */

import { LockPoisonedError, LockTimeoutError } from "../store/lock_errors.ts";

/**
 * Why an operation on a store was refused. Nothing was changed then.
 *
 * - `WRONG_TYPE` the key holds something else, e.g. a list where a string was asked for
 * - `NOT_AN_INTEGER` the value is no integer of 64 bits
 * - `OVERFLOW` the sum would be none
 * - `OUT_OF_MEMORY` the store is full
 * - `KEY_TOO_LONG`, `VALUE_TOO_LARGE` see `StoreOptions`
 * - `CONFLICT` a transaction met others again and again
 * - `TOO_MANY_THREADS` every thread id is taken
 * - `LOCKED` a lock was not given back for seconds: its holder has probably been ended by force
 * - `TORN` a thread was ended by force in the middle of a change; the store must not be used any more
 * - `CLOSED` this thread has given the store back
 */
export type StoreErrorCode =
  | "WRONG_TYPE"
  | "NOT_AN_INTEGER"
  | "OVERFLOW"
  | "OUT_OF_MEMORY"
  | "KEY_TOO_LONG"
  | "VALUE_TOO_LARGE"
  | "CONFLICT"
  | "TOO_MANY_THREADS"
  | "LOCKED"
  | "TORN"
  | "CLOSED";

/** How the texts of the store beneath begin that say so. */
const WRONG_TYPE_TEXT = /^WRONGTYPE /;
const NOT_AN_INTEGER_TEXT = /^Cannot (read an integer|add to a (key|field))/;

/** Thrown by operations on a store that were refused; `code` says why. */
export class StoreError extends Error {
  /** Always `"StoreError"`. */
  override readonly name = "StoreError";
  /** Why. */
  readonly code: StoreErrorCode;

  /** Makes the error; `message` is for people. */
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The store was closed by the thread that wants to use it. */
export function closedError(): StoreError {
  return new StoreError("CLOSED", "Cannot use the store: this thread has closed it");
}

/** What the parts beneath throw, as the error that embedding programs get; others as they are. */
export function toStoreError(cause: unknown): unknown {
  if (cause instanceof LockPoisonedError) {
    const message = "Cannot use the store: a thread was ended in the middle of a change";
    return new StoreError("TORN", message, { cause });
  }
  if (cause instanceof LockTimeoutError) {
    const message = `${cause.message}; if that thread has ended, call recover() with its id`;
    return new StoreError("LOCKED", message, { cause });
  }
  if (!(cause instanceof TypeError)) return cause;
  const { message } = cause;
  if (WRONG_TYPE_TEXT.test(message)) return new StoreError("WRONG_TYPE", message, { cause });
  if (NOT_AN_INTEGER_TEXT.test(message)) {
    return new StoreError("NOT_AN_INTEGER", message, { cause });
  }
  return cause;
}
