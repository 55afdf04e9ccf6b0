/**
 * A stored string as a reply.
 *
 * @module
 */

import { LEASED_VALUE_BYTES } from "../../base/limits.ts";
import { EntryType } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";

/** A shorter one is copied without further ado. Unit: bytes. */
const SHORT_BYTES = 1024;

/**
 * Replies with the string at `entry`, nil if that is 0, or the wrong-type error.
 *
 * A long one is leased and not copied, so the command may go on to change or delete it.
 *
 * Thread: the connection's I/O thread.
 *
 * @returns whether it was a string or nil
 */
export function replyString(call: CommandCall, entry: number): boolean {
  const { store, sink } = call;
  if (entry === 0) {
    sink.nil();
    return true;
  }
  if (store.entryType(entry) !== EntryType.STRING) {
    sink.error(ReplyCode.WRONG_TYPE);
    return false;
  }
  const byteCount = store.stringLength(entry);
  if (byteCount > SHORT_BYTES) {
    if (sink.isLost) return true;
    const isLeased = byteCount > LEASED_VALUE_BYTES || (sink.isFull && store.isLeasable(entry));
    if (isLeased && sink.bulkSource !== undefined) {
      sink.bulkSource(store.lease(entry));
      return true;
    }
  }
  const offset = sink.bulkStart(byteCount);
  store.copyString(entry, sink.target, offset);
  return true;
}
