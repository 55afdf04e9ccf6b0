/**
 * The sorted set at a command's key.
 *
 * @module
 */

import type { Collection } from "../../store/collection/collection.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { HandlerStatus } from "../row.ts";
import { refuseWrite } from "./write_failure.ts";

/**
 * Opens the sorted set at the key that argument `index` names; an empty one when there is none.
 * Needs the key's lock, exclusive when `willWrite`.
 *
 * Thread: the connection's I/O thread.
 *
 * @returns undefined when an error was replied
 */
export function openSortedSet(
  call: CommandCall,
  index: number,
  willWrite: boolean,
): Collection | undefined {
  const { collections } = call.store;
  const c = collections.handle(0);
  const key = call.keyAt(index);
  const status = collections.open(c, call.database, key, EntryType.SORTED_SET, willWrite);
  if (status === WriteStatus.OK) return c;
  refuseWrite(call, status);
  return undefined;
}

/** Replies with a refusal. Thread: the connection's I/O thread. */
export function refused(
  call: CommandCall,
  ...error: Parameters<CommandCall["sink"]["error"]>
): HandlerStatus {
  call.sink.error(...error);
  return HandlerStatus.DONE;
}

/**
 * Argument `index` as a number, inexact beyond 2^53; undefined when it is no int64. Thread: the
 * connection's I/O thread.
 */
export function integerAt({ args, operand }: CommandCall, index: number): number | undefined {
  return args.int64(index, operand) ? operand.toNumber() : undefined;
}
