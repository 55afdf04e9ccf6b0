/**
 * The list that a command works on, and its ends.
 *
 * @module
 */

import type { Collection } from "../../store/collection/collection.ts";
import type { Key } from "../../store/key.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandArguments } from "../arguments.ts";
import type { CommandCall } from "../call.ts";
import { replyElement, replyRecords } from "../collection_reply.ts";
import { ELEMENTS } from "../collection_reply.ts";
import { HandlerStatus } from "../row.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { notifyRemoval } from "./open_collection.ts";
import { refuseWrite } from "./write_failure.ts";

/**
 * Opens the list of the key that argument `index` names; one that does not exist has no elements.
 *
 * Thread: the connection's I/O thread, with the key's lock.
 *
 * @param handle which of the store's reused collections
 * @returns undefined when the error was replied
 */
export function openList(
  call: CommandCall,
  index: number,
  willWrite: boolean,
  handle = 0,
): Collection | undefined {
  const key = call.keyAt(index);
  const entry = call.store.collections.find(call.database, key);
  return openFound(call, key, entry, willWrite, handle);
}

/** As {@link openList}, of a key at which `collections.find` has found `entry`. */
export function openFound(
  call: CommandCall,
  key: Key,
  entry: number,
  willWrite: boolean,
  handle = 0,
): Collection | undefined {
  const { collections } = call.store;
  const c = collections.handle(handle);
  const { database } = call;
  const status = collections.openFound(c, database, key, EntryType.LIST, willWrite, entry);
  if (status === WriteStatus.OK) return c;
  refuseWrite(call, status);
  return undefined;
}

/** Reads an end; undefined when argument `index` names none. */
export function endAt(args: CommandArguments, index: number): boolean | undefined {
  if (args.is(index, "LEFT")) return true;
  return args.is(index, "RIGHT") ? false : undefined;
}

/**
 * Takes an element from an end of a list that has one, and replies with it.
 *
 * @returns DONE or RETRY
 */
export function popOne(call: CommandCall, c: Collection, atFront: boolean): HandlerStatus {
  const { sink, store } = call;
  const mark = sink.mark();
  store.collections.lists.seekEnd(c, atFront);
  replyElement(store, sink, c.cursor.element());
  const status = store.collections.lists.removeEnd(c, atFront);
  if (status === WriteStatus.OK) {
    notifyRemoval(call, c, NotifyClass.LIST, atFront ? "lpop" : "rpop");
    return HandlerStatus.DONE;
  }
  sink.rewind(mark);
  return refuseWrite(call, status);
}

/**
 * Takes `count` elements, which exist, from an end of a list and replies with an array of them; what
 * was written since `mark` is taken back when that cannot be.
 *
 * @returns DONE or RETRY
 */
export function popMany(
  call: CommandCall,
  c: Collection,
  atFront: boolean,
  count: number,
  mark = call.sink.mark(),
): HandlerStatus {
  const { sink, store } = call;
  sink.arrayStart(count);
  replyRecords(store, sink, c, atFront ? 0 : c.count - 1, count, !atFront, ELEMENTS);
  const status = store.collections.lists.removeRanks(c, atFront ? 0 : c.count - count, count);
  if (status === WriteStatus.OK) {
    if (count > 0) notifyRemoval(call, c, NotifyClass.LIST, atFront ? "lpop" : "rpop");
    return HandlerStatus.DONE;
  }
  sink.rewind(mark);
  return refuseWrite(call, status);
}
