/**
 * Results that are stored as sorted sets: small ones at once, large ones made aside in slices.
 *
 * @module
 */

import { NotifyClass } from "../pubsub/keyspace_events.ts";
import type { WriteStatus as Status } from "../store/store.ts";
import { WriteStatus } from "../store/store.ts";
import { abandonAside, buildAside, type MemberProducer, storeNow } from "./aside.ts";
import type { CommandCall } from "./call.ts";
import { refuseWrite } from "./handlers/write_failure.ts";
import { withLocksAgain } from "./relock.ts";
import { ReplyCode } from "./reply_code.ts";
import { HandlerStatus } from "./row.ts";
import type { Slices } from "./slices.ts";

/** So many members are looked at with the locks held, and not aside. */
const AT_ONCE_MEMBERS = 256;
/**
 * So often the result is worked out without locks, and thrown away because a source has changed
 * meanwhile; then with them.
 */
const MAX_FREE_ATTEMPTS = 3;
/**
 * So many members can be looked at with the locks held, where it has to be.
 *
 * Reason: some 0.1 s.
 */
export const MOST_LOCKED_MEMBERS = 131_072;

/** How a result is worked out. */
export interface StoredResult {
  /** What it is called as an event. */
  readonly event: string;
  /** Argument index of the key that gets it. */
  readonly destination: number;
  /**
   * Takes leases of the sources as they are; their locks are held. What was captured before is
   * released.
   *
   * @returns how many members have to be looked at, about; undefined when an error was replied
   */
  capture(call: CommandCall): number | undefined;
  /** Whether the keys still hold what was captured; their locks are held. */
  areUnchanged(call: CommandCall): boolean;
  /** What the result consists of; asked once for each capture. */
  producer(): MemberProducer;
  /** Ends the leases; may be called any number of times. */
  release(): void;
}

/**
 * Works out a result, stores it and replies with the number of members. The exclusive locks of all
 * keys are held.
 *
 * Thread: the connection's I/O thread.
 */
export function storeResult(call: CommandCall, result: StoredResult): HandlerStatus {
  const work = result.capture(call);
  if (work === undefined) return HandlerStatus.DONE;
  if (work <= AT_ONCE_MEMBERS || call.inTransaction) return finishNow(call, result);
  call.later = storeLater(call.detach(), result, call.slices());
  return HandlerStatus.LATER;
}

function finishNow(call: CommandCall, result: StoredResult): HandlerStatus {
  const stored = { count: 0 };
  const existed = exists(call, result);
  const status = storeNow(call, result.destination, result.producer(), stored);
  result.release();
  return replyStored(call, result, status, stored.count, existed);
}

/** Whether the key that gets the result holds something. */
function exists(call: CommandCall, { destination }: StoredResult): boolean {
  return call.store.lookup(call.database, call.keyAt(destination)) !== 0;
}

function replyStored(
  call: CommandCall,
  { destination, event }: StoredResult,
  status: Status,
  count: number,
  existed: boolean,
): HandlerStatus {
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  const key = call.keyAt(destination);
  if (count > 0) call.notify(NotifyClass.SORTED_SET, event, key);
  else if (existed) call.notify(NotifyClass.GENERIC, "del", key);
  call.sink.integer(count);
  return HandlerStatus.DONE;
}

async function storeLater(
  call: CommandCall,
  result: StoredResult,
  slices: Slices,
): Promise<HandlerStatus> {
  const { store, database } = call;
  const { collections } = store;
  try {
    for (let attempt = 1;; attempt++) {
      await slices.next();
      const key = call.keyAt(result.destination);
      const made = await buildAside(store, database, key, result.producer(), slices);
      if (made === undefined) {
        call.sink.error(ReplyCode.OUT_OF_MEMORY);
        return HandlerStatus.DONE;
      }
      let isPublished = false;
      const status = await withLocksAgain(call, () => {
        if (result.areUnchanged(call)) {
          const { count } = made;
          const existed = exists(call, result);
          const published = collections.publish(made);
          isPublished = published === WriteStatus.OK;
          return replyStored(call, result, published, count, existed);
        }
        const work = result.capture(call);
        if (work === undefined) return HandlerStatus.DONE;
        if (work <= AT_ONCE_MEMBERS) return finishNow(call, result);
        if (attempt < MAX_FREE_ATTEMPTS) return HandlerStatus.LATER;
        if (work <= MOST_LOCKED_MEMBERS) return finishNow(call, result);
        call.sink.error(
          ReplyCode.BAD_ARGUMENT,
          "the sorted sets are too large to be combined while others change them, try again",
        );
        return HandlerStatus.DONE;
      });
      if (!isPublished) await abandonAside(store, made, slices);
      if (status !== HandlerStatus.LATER) return status;
    }
  } finally {
    result.release();
  }
}
