/**
 * How long a command waits, and whether it may wait at all.
 *
 * @module
 */

import { parseDouble } from "../../base/double.ts";
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
  const seconds = parseDouble(args.bytes, args.starts[index]!, args.ends[index]!);
  // More than a double holds is a number all the same, and far too large.
  if (Number.isNaN(seconds) && !isHuge(args.text(index))) {
    sink.error(ReplyCode.BAD_ARGUMENT, "timeout is not a float or out of range");
    return -1;
  }
  const timeoutMs = Number.isNaN(seconds) ? TOO_MANY_MS : Math.ceil(seconds * 1000);
  if (timeoutMs < 0 || timeoutMs >= TOO_MANY_MS) {
    sink.error(ReplyCode.BAD_ARGUMENT, "timeout is negative");
    return -1;
  }
  return timeoutMs + 0;
}

function isHuge(text: string): boolean {
  return /^[+]?[\d.]/.test(text) && Number(text) === Infinity;
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
