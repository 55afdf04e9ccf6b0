/**
 * Changes of many elements of one collection as {@link LongChange}s.
 *
 * @module
 */

import { NotifyClass } from "../pubsub/keyspace_events.ts";
import type { Collection } from "../store/collection/collection.ts";
import { EntryType, type WriteStatus } from "../store/store.ts";
import type { CommandCall } from "./call.ts";
import { changeInSlices, hasTooLong, type LongChange } from "./long_change.ts";
import { ReplyCode } from "./reply_code.ts";
import { HandlerStatus } from "./row.ts";

/** Members or fields per lock hold. Reason: some 4 µs each, of a large collection. */
const MEMBERS_PER_HOLD = 16;
/** Elements at an end of a list per lock hold. Reason: some 0.3 µs each. */
const PUSHES_PER_HOLD = 128;

/** First element among the arguments. */
const FIRST = 2;

/** Refuses elements that are too long, or changes in slices. */
function change(call: CommandCall, make: (own: CommandCall) => LongChange): HandlerStatus {
  if (hasTooLong(call, FIRST)) {
    call.sink.error(ReplyCode.VALUE_TOO_LARGE);
    return HandlerStatus.DONE;
  }
  return changeInSlices(call, (own) => Promise.resolve(make(own)));
}

/**
 * Adds the arguments to a set, in slices; replies how many are new. Thread: the connection's I/O
 * thread.
 */
export function addMembersInSlices(call: CommandCall): HandlerStatus {
  return change(call, ({ args, store: { collections: { sets } } }) => {
    let added = 0;
    return {
      type: EntryType.SET,
      count: args.count - FIRST,
      partsPerHold: MEMBERS_PER_HOLD,
      begin: () => void (added = 0),
      apply(c, from, to) {
        const status = sets.addMembers(c, args, FIRST + from, to - from);
        added += c.changed;
        return status;
      },
      isVoid: () => added === 0,
      reply(own) {
        if (added > 0) own.notify(NotifyClass.SET, "sadd", own.keyAt(1));
        own.sink.integer(added);
      },
    };
  });
}

/** Sets the fields of a hash, in slices. Thread: the connection's I/O thread. */
export function putFieldsInSlices(call: CommandCall, repliesCount: boolean): HandlerStatus {
  return change(call, ({ args, store: { collections: { hashes } } }) => {
    let added = 0;
    return {
      type: EntryType.HASH,
      count: (args.count - FIRST) / 2,
      partsPerHold: MEMBERS_PER_HOLD,
      begin: () => void (added = 0),
      apply(c, from, to) {
        const status = hashes.putFields(c, args, FIRST + 2 * from, to - from);
        added += c.changed;
        return status;
      },
      isVoid: () => false,
      reply(own) {
        own.notify(NotifyClass.HASH, "hset", own.keyAt(1));
        if (repliesCount) own.sink.integer(added);
        else own.sink.ok();
      },
    };
  });
}

/** Pushes the arguments onto a list, in slices. Thread: the connection's I/O thread. */
export function pushInSlices(
  call: CommandCall,
  atFront: boolean,
  mustExist: boolean,
): HandlerStatus {
  return change(call, ({ args, store: { collections: { lists } } }) => ({
    type: EntryType.LIST,
    count: args.count - FIRST,
    partsPerHold: PUSHES_PER_HOLD,
    check: (own, c) => mustExist && c.count === 0 ? replyNone(own) : undefined,
    begin() {},
    apply: (c, from, to) => lists.push(c, atFront, args, FIRST + from, to - from),
    isVoid: () => false,
    reply(own, count) {
      own.notify(NotifyClass.LIST, atFront ? "lpush" : "rpush", own.keyAt(1));
      own.sink.integer(count);
    },
  }));
}

/** How a command removes its arguments from a collection. */
export interface Removal {
  /** Type of the collection. */
  readonly type: EntryType;
  /** Class of the event. */
  readonly kind: NotifyClass;
  /** What the event is called. */
  readonly event: string;
  /** Removes arguments; `c.changed` is how many existed. */
  remove(call: CommandCall, c: Collection, first: number, count: number): WriteStatus;
}

const removeMembers: Removal["remove"] = ({ args, store }, c, first, count) =>
  store.collections.hashes.remove(c, args, first, count);

/** What SREM does. */
export const SET_REMOVAL: Removal = {
  type: EntryType.SET,
  kind: NotifyClass.SET,
  event: "srem",
  remove: removeMembers,
};

/** What HDEL does. */
export const HASH_REMOVAL: Removal = {
  type: EntryType.HASH,
  kind: NotifyClass.HASH,
  event: "hdel",
  remove: removeMembers,
};

/** What ZREM does. */
export const SORTED_SET_REMOVAL: Removal = {
  type: EntryType.SORTED_SET,
  kind: NotifyClass.SORTED_SET,
  event: "zrem",
  remove({ args, store: { collections: { sortedSets } } }, c, first, count) {
    const status = sortedSets.beginRemoval(c, count);
    if (status !== 0) return status;
    for (let i = first; i < first + count; i++) {
      sortedSets.take(c, args.bytes, args.starts[i]!, args.ends[i]!);
    }
    sortedSets.finish(c);
    return status;
  },
};

/** Removes the arguments from a collection, in slices. Thread: the connection's I/O thread. */
export function removeInSlices(call: CommandCall, removal: Removal): HandlerStatus {
  return changeInSlices(call, (own) => {
    let removed = 0;
    return Promise.resolve<LongChange>({
      type: removal.type,
      count: own.args.count - FIRST,
      partsPerHold: MEMBERS_PER_HOLD,
      check: (checked, c) => c.count === 0 ? replyNone(checked) : undefined,
      begin: () => void (removed = 0),
      apply(c, from, to) {
        const status = removal.remove(own, c, FIRST + from, to - from);
        removed += c.changed;
        return status;
      },
      isVoid: () => removed === 0,
      reply(replying, count) {
        const key = replying.keyAt(1);
        if (removed > 0) replying.notify(removal.kind, removal.event, key);
        if (removed > 0 && count === 0) replying.notify(NotifyClass.GENERIC, "del", key);
        replying.sink.integer(removed);
      },
    });
  });
}

function replyNone(call: CommandCall): HandlerStatus {
  call.sink.integer(0);
  return HandlerStatus.DONE;
}
