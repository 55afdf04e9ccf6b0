/**
 * The collection that a command works on.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { Collection } from "../../store/collection/collection.ts";
import { type EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";

/**
 * Opens the collection at the key that argument `index` names; a missing one has no elements.
 *
 * Thread: the connection's I/O thread, with the key's lock, exclusive if the command is a write.
 *
 * @param handle which of the thread's handles; one per key of the command
 * @returns undefined when the key holds another type or is too long, and the error was replied
 */
export function openCollection(
  call: CommandCall,
  index: number,
  type: EntryType,
  handle = 0,
): Collection | undefined {
  const { collections } = call.store;
  const c = collections.handle(handle);
  const status = collections.open(c, call.database, call.keyAt(index), type, call.row.exclusive);
  if (status === WriteStatus.OK) return c;
  call.sink.error(
    status === WriteStatus.KEY_TOO_LONG ? ReplyCode.KEY_TOO_LONG : ReplyCode.WRONG_TYPE,
  );
  return undefined;
}

/**
 * Publishes that elements of a collection are gone, and its key with the last one.
 *
 * Thread: the connection's I/O thread, with the key's lock.
 */
export function notifyRemoval(
  call: CommandCall,
  c: Collection,
  kind: NotifyClass,
  event: string,
): void {
  call.notify(kind, event, c.key);
  if (!c.exists) call.notify(NotifyClass.GENERIC, "del", c.key);
}
