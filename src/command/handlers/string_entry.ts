/**
 * The string that a command works on.
 *
 * @module
 */

import { EntryType } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";

/** {@link findString} replied with an error. */
export const NOT_A_STRING: number = -1;

/**
 * Finds the string of the key that argument `index` names.
 *
 * Thread: the connection's I/O thread, with the key's lock.
 *
 * @returns its entry, 0 when the key is missing, {@link NOT_A_STRING} when it holds another type and
 *   the error was replied
 */
export function findString(call: CommandCall, index: number): number {
  const { store } = call;
  const entry = store.lookup(call.database, call.keyAt(index));
  if (entry === 0 || store.entryType(entry) === EntryType.STRING) return entry;
  call.sink.error(ReplyCode.WRONG_TYPE);
  return NOT_A_STRING;
}
