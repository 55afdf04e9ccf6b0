/**
 * Ranges of sorted sets removed: few members at once, many by making what is left aside.
 *
 * Each member that goes is looked up among the hashes, too, so a range of a million would hold the
 * lock for seconds. Instead what stays is copied aside in slices, from a lease, and takes the place
 * of the old one in an instant, if that has not changed meanwhile.
 *
 * @module
 */

import { NotifyClass } from "../pubsub/keyspace_events.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { CollectionLease } from "../store/collection/collection_lease.ts";
import { EntryType, WriteStatus } from "../store/store.ts";
import { abandonAside, buildAside, RankProducer, replaceBy } from "./aside.ts";
import type { CommandCall } from "./call.ts";
import { refuseWrite } from "./handlers/write_failure.ts";
import { withLocksAgain } from "./relock.ts";
import { HandlerStatus } from "./row.ts";
import type { Slices } from "./slices.ts";
import type { RankInterval } from "./sorted_set_ranges.ts";

/** As many members are removed at once. Reason: C14, some 0.5 ms. */
const AT_ONCE_MEMBERS = 512;
/** So often what stays is copied while the sorted set changes; then members go with the lock held. */
const MAX_FREE_ATTEMPTS = 3;

/** What is removed, and what is said about it. */
export interface RangeRemoval {
  /** Argument index of the key. */
  readonly keyIndex: number;
  /** What it is called as an event. */
  readonly event: string;
  /** Whether it must be done when the handler returns. */
  readonly isAtOnce?: boolean;
  /** The ranks to remove from an opened sorted set; moves its cursor. */
  ranksOf(c: Collection): RankInterval;
  /** Replies, with the lock held and before anything is removed. */
  reply(call: CommandCall, c: Collection, interval: RankInterval): void;
  /** The same of a lease, which it ends, after it was removed. */
  replyLeased(call: CommandCall, lease: CollectionLease, interval: RankInterval): void;
}

/**
 * Removes a range of an opened sorted set and replies. The key's exclusive lock is held.
 *
 * Thread: the connection's I/O thread.
 */
export function removeRange(
  call: CommandCall,
  c: Collection,
  removal: RangeRemoval,
): HandlerStatus {
  const interval = removal.ranksOf(c);
  const isAtOnce = removal.isAtOnce === true || call.inTransaction;
  if (isAtOnce || isQuick(c, interval)) return removeNow(call, c, removal, interval);
  const started = new Snapshot(call, c, interval);
  call.later = removeLater(call.detach(), removal, started, call.slices());
  return HandlerStatus.LATER;
}

function isQuick(c: Collection, { from, to }: RankInterval): boolean {
  const count = to - from;
  return count <= AT_ONCE_MEMBERS || count === c.count || c.root === 0;
}

function removeNow(
  call: CommandCall,
  c: Collection,
  removal: RangeRemoval,
  { from, to }: RankInterval,
): HandlerStatus {
  const { sink } = call;
  const count = Math.max(0, to - from);
  const mark = sink.mark();
  removal.reply(call, c, { from, to: from + count });
  if (count > 0 && count === c.count) {
    // The key goes as a whole, in an instant.
    const key = call.keyAt(removal.keyIndex);
    call.store.remove(call.database, key);
    call.notify(NotifyClass.SORTED_SET, removal.event, key);
    call.notify(NotifyClass.GENERIC, "del", key);
    return HandlerStatus.DONE;
  }
  const status = call.store.collections.sortedSets.removeRanks(c, from, count);
  if (status === WriteStatus.OK) {
    const key = call.keyAt(removal.keyIndex);
    if (count > 0) call.notify(NotifyClass.SORTED_SET, removal.event, key);
    return HandlerStatus.DONE;
  }
  sink.rewind(mark);
  return refuseWrite(call, status);
}

/** A sorted set at the moment when a removal began. */
class Snapshot {
  readonly lease: CollectionLease;
  readonly seq: number;
  readonly interval: RankInterval;
  /** The lease is somebody else's to end. */
  isTaken = false;

  constructor({ store }: CommandCall, c: Collection, interval: RankInterval) {
    this.lease = store.collectionLeases.take(c);
    this.seq = store.entrySeq(c.entry);
    this.interval = interval;
  }
}

async function removeLater(
  call: CommandCall,
  removal: RangeRemoval,
  started: Snapshot,
  slices: Slices,
): Promise<HandlerStatus> {
  const { store, database } = call;
  let snapshot = started;
  try {
    for (let attempt = 1;; attempt++) {
      await slices.next();
      const { lease, interval: { from, to } } = snapshot;
      const rest = new RankProducer(lease.cursor, [0, from], [to, lease.count]);
      const key = call.keyAt(removal.keyIndex);
      const made = await buildAside(store, database, key, rest, slices);
      let isPublished = false;
      const status = await withLocksAgain(call, () => {
        const c = store.collections.handle(0);
        const keyNow = call.keyAt(removal.keyIndex);
        const opened = store.collections.open(c, database, keyNow, EntryType.SORTED_SET, true);
        if (opened !== WriteStatus.OK) return refuseWrite(call, opened);
        if (made !== undefined && c.exists && store.entrySeq(c.entry) === snapshot.seq) {
          const replaced = replaceBy(store, made);
          if (replaced !== WriteStatus.OK) return refuseWrite(call, replaced);
          isPublished = true;
          call.notify(NotifyClass.SORTED_SET, removal.event, keyNow);
          return HandlerStatus.DONE;
        }
        const interval = removal.ranksOf(c);
        const isLast = made === undefined || attempt >= MAX_FREE_ATTEMPTS;
        lease.release();
        if (isLast || isQuick(c, interval)) return removeNow(call, c, removal, interval);
        snapshot = new Snapshot(call, c, interval);
        return HandlerStatus.LATER;
      });
      if (isPublished) {
        snapshot.isTaken = true;
        removal.replyLeased(call, lease, snapshot.interval);
      } else if (made !== undefined) {
        await abandonAside(store, made, slices);
      }
      if (status !== HandlerStatus.LATER) return status;
    }
  } finally {
    // What a reply goes on reading is a lease that it has taken over.
    if (!snapshot.isTaken) snapshot.lease.release();
  }
}
