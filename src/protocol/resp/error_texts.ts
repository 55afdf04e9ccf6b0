/**
 * How RESP words refusals; the texts are those of Redis where Redis has them, because clients
 * match on them.
 *
 * @module
 */

import { ReplyCode } from "../../command/reply_code.ts";

/** The first word of an error and the rest, used when a command gives no detail of its own. */
export interface ErrorText {
  /** Upper-case word that clients switch on, e.g. `ERR`. */
  readonly prefix: string;
  /** What follows the prefix and a space. */
  readonly text: string;
}

/** Indexed by {@link ReplyCode}. */
export const ERROR_TEXTS: readonly ErrorText[] = makeTexts({
  SYNTAX: err("syntax error"),
  WRONG_ARITY: err("wrong number of arguments"),
  UNKNOWN_COMMAND: err("unknown command"),
  NOT_AN_INTEGER: err("value is not an integer or out of range"),
  OVERFLOW: err("increment or decrement would overflow"),
  WRONG_TYPE: {
    prefix: "WRONGTYPE",
    text: "Operation against a key holding the wrong kind of value",
  },
  OUT_OF_MEMORY: {
    prefix: "OOM",
    text: "command not allowed when used memory > 'maxmemory'.",
  },
  VALUE_TOO_LARGE: err("string exceeds maximum allowed size (proto-max-bulk-len)"),
  KEY_TOO_LONG: err("key is too long"),
  SHUTTING_DOWN: err("server is shutting down"),
  SERVER_BUSY: { prefix: "BUSY", text: "channel is full" },
  INVALID_EVENT: err("invalid event"),
  NO_PROTOCOL: { prefix: "NOPROTO", text: "unsupported protocol version" },
  BAD_ARGUMENT: err("invalid argument"),
  UNSUPPORTED: err("not supported"),
  WRONG_PASSWORD: {
    prefix: "WRONGPASS",
    text: "invalid username-password pair or user is disabled.",
  },
  NOT_AUTHENTICATED: { prefix: "NOAUTH", text: "Authentication required." },
  EVENT_FAILED: { prefix: "FAILED", text: "the event changed nothing" },
  NO_SUCH_KEY: err("no such key"),
  INDEX_OUT_OF_RANGE: err("index out of range"),
  NOT_A_FLOAT: err("value is not a valid float"),
  NOT_FINITE: err("increment would produce NaN or Infinity"),
  BUSY_KEY: { prefix: "BUSYKEY", text: "Target key name already exists." },
  EXEC_ABORTED: {
    prefix: "EXECABORT",
    text: "Transaction discarded because of previous errors.",
  },
  UNBLOCKED: { prefix: "UNBLOCKED", text: "client unblocked via CLIENT UNBLOCK" },
  DAMAGED_OBJECT: { prefix: "INVALIDOBJ", text: "Corrupted HLL object detected" },
  REPLY_TOO_LARGE: err(
    "the command was executed, but its reply is larger than a client may have (max-client-memory)",
  ),
  STORAGE_UNAVAILABLE: {
    prefix: "MISCONF",
    text:
      "Errors writing to the log in the data directory; commands that change data are refused " +
      "until it can be written again. Look at the server's log for the cause.",
  },
  THROTTLED: { prefix: "THROTTLED", text: "too many commands" },
});

function err(text: string): ErrorText {
  return { prefix: "ERR", text };
}

function makeTexts(texts: Record<keyof typeof ReplyCode, ErrorText>): readonly ErrorText[] {
  const byCode: ErrorText[] = [];
  for (const name of Object.keys(ReplyCode) as (keyof typeof ReplyCode)[]) {
    byCode[ReplyCode[name]] = texts[name];
  }
  return byCode;
}
