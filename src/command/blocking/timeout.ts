/**
 * How long a command waits, and whether it may wait at all.
 *
 * @module
 */

import { numberText, parseDouble } from "../../base/double.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { HandlerStatus } from "../row.ts";
import type { BlockingPlan } from "./blocked_clients.ts";

/** From here on milliseconds do not fit an int64, and Redis calls them negative. */
const TOO_MANY_MS = 2 ** 63;

/**
 * Reads the timeout of argument `index`, in seconds.
 *
 * @returns milliseconds, 0 = for ever; -1 when the error was replied
 */
export function readTimeout(call: CommandCall, index: number): number {
  const { args, sink } = call;
  const seconds = secondsIn(args.bytes, args.starts[index]!, args.ends[index]!);
  if (Number.isNaN(seconds)) {
    sink.error(ReplyCode.BAD_ARGUMENT, "timeout is not a float or out of range");
    return -1;
  }
  const timeoutMs = Math.ceil(seconds * 1000);
  if (timeoutMs < 0 || timeoutMs >= TOO_MANY_MS) {
    sink.error(ReplyCode.BAD_ARGUMENT, "timeout is negative");
    return -1;
  }
  return timeoutMs + 0;
}

/**
 * Reads `command key [key …] timeout`.
 *
 * @returns the indexes of the keys, and the timeout as {@link readTimeout}; undefined when the error
 *   was replied
 */
export function readKeysAndTimeout(
  call: CommandCall,
): { keys: number[]; timeoutMs: number } | undefined {
  const last = call.args.count - 1;
  const timeoutMs = readTimeout(call, last);
  if (timeoutMs < 0) return undefined;
  return { keys: Array.from({ length: last - 1 }, (_, i) => i + 1), timeoutMs };
}

/** Seconds, also those that only a long double has room for: 1e400 is too many, 1e-400 is some. */
function secondsIn(bytes: Uint8Array, start: number, end: number): number {
  const seconds = parseDouble(bytes, start, end);
  if (!Number.isNaN(seconds)) return seconds;
  const text = numberText(bytes, start, end);
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)[eE][+-]?\d{1,3}$/.test(text)) return NaN;
  return Number(text) || (text.startsWith("-") ? -0 : Number.MIN_VALUE);
}

/**
 * Does what a blocking command wants if it can be done now, else lets the client wait; in a
 * transaction, where nobody can wait, replies with `replyNothing`. All locks are held.
 */
export function waitOr(
  call: CommandCall,
  plan: BlockingPlan,
  replyNothing: (call: CommandCall) => void,
): HandlerStatus {
  const status = plan.attempt(call);
  if (status !== undefined) return status;
  const { blocking } = call.services;
  if (!call.inTransaction && blocking !== undefined) return blocking.begin(call, plan);
  replyNothing(call);
  return HandlerStatus.DONE;
}
