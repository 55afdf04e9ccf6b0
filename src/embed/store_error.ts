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
 * - `KEY_TOO_LONG`, `VALUE_TOO_LARGE` see `StoreOptions`; fields and members count as values
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
const TEXTS: readonly (readonly [RegExp, StoreErrorCode])[] = [
  [/^WRONGTYPE /, "WRONG_TYPE"],
  [/^Cannot (read an integer|add to a (key|field))/, "NOT_AN_INTEGER"],
  [/^Cannot add: the sum does not fit 64 bits/, "OVERFLOW"],
  [/^Cannot use a key of \d+ bytes/, "KEY_TOO_LONG"],
  [/^Cannot store a value of \d+ bytes/, "VALUE_TOO_LARGE"],
];
/** What one transaction may take as a whole. */
const TOO_MANY_BYTES_TEXT = /^Cannot take more keys and values: /;

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

/** The same for an operation that is a transaction of its own, whose bounds are those of its values. */
export function toSingleError(cause: unknown): unknown {
  if (cause instanceof RangeError && TOO_MANY_BYTES_TEXT.test(cause.message)) {
    return new StoreError("VALUE_TOO_LARGE", cause.message, { cause });
  }
  return toStoreError(cause);
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
  if (!(cause instanceof TypeError) && !(cause instanceof RangeError)) return cause;
  const { message } = cause;
  const code = TEXTS.find(([text]) => text.test(message))?.[1];
  return code === undefined ? cause : new StoreError(code, message, { cause });
}
