/**
 * Why a command was refused, as a number that every protocol maps to its own words.
 *
 * @module
 */

/**
 * Codes of refusals.
 *
 * Shape: small integers from 0, so that a protocol's table is an array. Codes marked "detail" carry
 * words that only the command knows (a name, a field, a time).
 */
export const ReplyCode = {
  /** An option or its place is wrong. */
  SYNTAX: 0,
  /** Number of arguments. Detail: names the command. */
  WRONG_ARITY: 1,
  /** No such command or subcommand. Detail: names it. */
  UNKNOWN_COMMAND: 2,
  /** An argument or a value is not an int64. */
  NOT_AN_INTEGER: 3,
  /** The sum does not fit int64. */
  OVERFLOW: 4,
  /** The key holds another type. */
  WRONG_TYPE: 5,
  /** The arena is full. */
  OUT_OF_MEMORY: 6,
  /** The value is longer than `--max-value-bytes`. */
  VALUE_TOO_LARGE: 7,
  /** The key is longer than the store takes. */
  KEY_TOO_LONG: 8,
  /** The server is stopping. */
  SHUTTING_DOWN: 9,
  /** The channel is full. Detail: when to come back. */
  SERVER_BUSY: 10,
  /** A field of an event breaks its rule. Detail: names field and rule. */
  INVALID_EVENT: 11,
  /** `HELLO` with a version that is not spoken. */
  NO_PROTOCOL: 12,
  /** An argument is out of its range. Detail: says which. */
  BAD_ARGUMENT: 13,
  /** What is asked for cannot be done here. Detail: says why. */
  UNSUPPORTED: 14,
  /** Authentication was tried or is needed. Detail: says what. */
  WRONG_PASSWORD: 15,
  /** The client has to present the password first. */
  NOT_AUTHENTICATED: 16,
  /** The client sends more commands than `--resp-rate-limit` allows. Detail: when to come back. */
  THROTTLED: 17,
  /** An event that the client waited for changed nothing. Detail: why. */
  EVENT_FAILED: 18,
  /** The key must exist and does not. */
  NO_SUCH_KEY: 19,
  /** The list has no such index. */
  INDEX_OUT_OF_RANGE: 20,
  /** An argument or a value is not a double. */
  NOT_A_FLOAT: 21,
  /** The result would not be a number, or not a finite one. Detail: which. */
  NOT_FINITE: 22,
  /** The key must not exist and does. */
  BUSY_KEY: 23,
  /** A transaction was refused as a whole, because a command of it was. */
  EXEC_ABORTED: 24,
  /** The client waited for something and another client ended that. */
  UNBLOCKED: 25,
  /** The value begins as one of its kind does and goes on as none. */
  DAMAGED_OBJECT: 26,
  /** The command was executed, but its reply is more than a client may have waiting. */
  REPLY_TOO_LARGE: 27,
  /** The log cannot be written, so that nothing is changed. */
  STORAGE_UNAVAILABLE: 28,
} as const;

/** One of the values of {@link ReplyCode}. */
export type ReplyCode = (typeof ReplyCode)[keyof typeof ReplyCode];
