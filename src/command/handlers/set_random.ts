/**
 * `SPOP` and `SRANDMEMBER`: random members.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { Collection } from "../../store/collection/collection.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ELEMENTS, replyElement } from "../collection_reply.ts";
import { allRanks, pickRanks, randomRank, type RankRanges } from "../random_ranks.ts";
import { isServedCount, readRandomCount, replyRandom } from "../random_reply.ts";
import { RankedRecords } from "../ranked_reply.ts";
import { ReplyCode } from "../reply_code.ts";
import { streamReplies } from "../reply_source.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { notifyRemoval, openCollection } from "./open_collection.ts";
import { refuseWrite } from "./write_failure.ts";

/**
 * So many members are popped one by one; more are popped as so many runs of neighbours.
 *
 * Reason: removing a run takes some 5 µs, however long it is.
 */
const MOST_RANGES = 128;
/** So many members at most are replied under the lock, */
const AT_ONCE_MEMBERS = 16;
/** or if the whole set takes so little. Unit: bytes. */
const AT_ONCE_BYTES = 16_384;

function handleSRandMember(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  if (args.count > 3) {
    sink.error(ReplyCode.SYNTAX);
    return HandlerStatus.DONE;
  }
  if (args.count === 3) {
    const count = readRandomCount(call);
    if (count === undefined || !isServedCount(call, count)) return HandlerStatus.DONE;
    const c = openCollection(call, 1, EntryType.SET);
    if (c !== undefined) replyRandom(call, c, count, ELEMENTS);
    return HandlerStatus.DONE;
  }
  const c = openCollection(call, 1, EntryType.SET);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.count === 0) {
    sink.nil();
  } else {
    c.cursor.seekRank(randomRank(c.count, Math.random));
    replyElement(store, sink, c.cursor.element());
  }
  return HandlerStatus.DONE;
}

function handleSPop(call: CommandCall): HandlerStatus {
  const { args, operand, sink } = call;
  if (args.count > 3) {
    sink.error(ReplyCode.SYNTAX);
    return HandlerStatus.DONE;
  }
  if (args.count === 2) return popOne(call);
  if (!args.int64(2, operand) || operand.hi < 0) {
    sink.error(ReplyCode.BAD_ARGUMENT, "value is out of range, must be positive");
    return HandlerStatus.DONE;
  }
  const count = operand.toNumber();
  const c = openCollection(call, 1, EntryType.SET);
  if (c === undefined) return HandlerStatus.DONE;
  return popSome(call, c, Math.min(count, c.count));
}

function popOne(call: CommandCall): HandlerStatus {
  const { sink, store } = call;
  const c = openCollection(call, 1, EntryType.SET);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.count === 0) {
    sink.nil();
    return HandlerStatus.DONE;
  }
  const before = sink.mark();
  const rank = randomRank(c.count, Math.random);
  c.cursor.seekRank(rank);
  // It is gone once it is removed, so it is copied or leased first.
  replyElement(store, sink, c.cursor.element());
  const status = store.collections.sets.removeRank(c, rank);
  if (status !== WriteStatus.OK) {
    sink.rewind(before);
    return refuseWrite(call, status);
  }
  notifyRemoval(call, c, NotifyClass.SET, "spop");
  return HandlerStatus.DONE;
}

function popSome(call: CommandCall, c: Collection, count: number): HandlerStatus {
  const { sink, store } = call;
  const before = sink.mark();
  sink.setStart(count);
  if (count === 0) return HandlerStatus.DONE;
  const isWhole = count === c.count;
  const ranges = isWhole ? allRanks(count) : pickRanks(c.count, count, MOST_RANGES, Math.random);
  const isSmall = count <= AT_ONCE_MEMBERS ||
    store.collections.footprintBytes(c) <= AT_ONCE_BYTES;
  const lease = isSmall ? undefined : store.collectionLeases.take(c);
  if (isSmall) replyNow(call, c, ranges);
  if (isWhole) {
    // Its memory is freed in slices, or when the reply is complete.
    store.remove(call.database, call.keyAt(1));
  } else {
    const status = store.collections.sets.removeRanges(c, ranges);
    if (status !== WriteStatus.OK) {
      lease?.release();
      sink.rewind(before);
      return refuseWrite(call, status);
    }
  }
  call.notify(NotifyClass.SET, "spop");
  if (isWhole) call.notify(NotifyClass.GENERIC, "del");
  if (lease !== undefined) streamReplies(sink, new RankedRecords([lease], [ranges], ELEMENTS));
  return HandlerStatus.DONE;
}

/** Copies members to the reply; long ones are leased by themselves, because they will be removed. */
function replyNow(call: CommandCall, c: Collection, ranges: RankRanges): void {
  const { sink, store } = call;
  for (let i = 0; i < ranges.rangeCount; i++) {
    c.cursor.seekRank(ranges.startOf(i));
    for (let left = ranges.countOf(i); left > 0; left--) {
      replyElement(store, sink, c.cursor.element());
      c.cursor.next();
    }
  }
}

/** The rows of SPOP SRANDMEMBER. Thread: any; a thread makes its own at start. */
export function setRandomRows(): CommandRow[] {
  const common = {
    group: "set",
    since: "1.0.0",
    arity: -2,
    syntax: "key [count]",
    firstKey: 1,
    cost: "per-argument",
    constantArguments: 2,
  } as const;
  return [
    new CommandRow({
      ...common,
      name: "spop",
      summary: "Removes random members from a set and returns them.",
      flags: ["write", "fast"],
      access: "write",
      complexity: "O(log M) with M members for each of up to 128; a larger count costs no more",
      reply: ["bulk", "nil", "set"],
      handler: handleSPop,
    }),
    new CommandRow({
      ...common,
      name: "srandmember",
      summary: "Returns random members of a set; more than once if the count is negative.",
      flags: ["readonly"],
      access: "read",
      complexity: "O(N log M) with N members returned of M",
      reply: ["bulk", "nil", "array"],
      handler: handleSRandMember,
    }),
  ];
}
