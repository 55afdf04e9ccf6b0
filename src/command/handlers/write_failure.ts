/**
 * What a handler replies when the store did not take a write.
 *
 * @module
 */

import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { HandlerStatus } from "../row.ts";

/**
 * Refuses the command for the reason that the store gave, or asks for another attempt when memory
 * was short. Nothing may have been written to the reply yet.
 *
 * Thread: the connection's I/O thread.
 *
 * @param status not `OK`
 */
export function refuseWrite(call: CommandCall, status: WriteStatus): HandlerStatus {
  switch (status) {
    case WriteStatus.OUT_OF_MEMORY:
      return HandlerStatus.RETRY;
    case WriteStatus.OVERFLOW:
      call.sink.error(ReplyCode.OVERFLOW);
      break;
    case WriteStatus.NOT_AN_INTEGER:
      call.sink.error(ReplyCode.NOT_AN_INTEGER);
      break;
    case WriteStatus.WRONG_TYPE:
      call.sink.error(ReplyCode.WRONG_TYPE);
      break;
    case WriteStatus.KEY_TOO_LONG:
      call.sink.error(ReplyCode.KEY_TOO_LONG);
      break;
    default:
      call.sink.error(ReplyCode.VALUE_TOO_LARGE);
  }
  return HandlerStatus.DONE;
}
