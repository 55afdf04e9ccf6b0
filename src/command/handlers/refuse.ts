/**
 * The commonest ends of a handler.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import type { ReplyCode } from "../reply_code.ts";
import { HandlerStatus } from "../row.ts";

/** Replies with an error. Thread: the connection's I/O thread. */
export function refuse(call: CommandCall, code: ReplyCode, detail?: string): HandlerStatus {
  call.sink.error(code, detail);
  return HandlerStatus.DONE;
}

/** Replies `OK`. Thread: the connection's I/O thread. */
export function done(call: CommandCall): HandlerStatus {
  call.sink.ok();
  return HandlerStatus.DONE;
}

/**
 * Replies later, when `answer` is there; `write` must not use the call.
 *
 * Thread: the connection's I/O thread.
 */
export function replyLater<Answer>(
  call: CommandCall,
  answer: () => Promise<Answer>,
  write: (answer: Answer) => void,
): HandlerStatus {
  if (call.sink.isBehindOthers) return HandlerStatus.WRITE_FIRST;
  call.later = answer().then((value) => {
    write(value);
    return HandlerStatus.DONE;
  });
  return HandlerStatus.LATER;
}
