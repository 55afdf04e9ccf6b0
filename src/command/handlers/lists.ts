/**
 * Commands on one list, by its ends and by index.
 *
 * @module
 */

import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ELEMENTS, replyElement, replyRecords } from "../collection_reply.ts";
import { AT_ONCE_PUSHES, isLongChange } from "../long_change.ts";
import { pushInSlices } from "../member_changes.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { notifyRemoval } from "./open_collection.ts";
import { openFound, openList, popMany, popOne } from "./list_entry.ts";
import { refuseWrite } from "./write_failure.ts";

function push(call: CommandCall, atFront: boolean, mustExist: boolean): HandlerStatus {
  const { args, sink, store } = call;
  if (isLongChange(call, AT_ONCE_PUSHES)) return pushInSlices(call, atFront, mustExist);
  const key = call.keyAt(1);
  const entry = store.collections.find(call.database, key);
  if (args.count === 3) {
    const { bytes, starts, ends } = args;
    const { directEnds } = store.collections;
    const length = directEnds.push(entry, key.shard, atFront, bytes, starts[2]!, ends[2]!);
    if (length > 0) {
      call.notify(NotifyClass.LIST, atFront ? "lpush" : "rpush", key);
      sink.integer(length);
      return HandlerStatus.DONE;
    }
  }
  const c = openFound(call, key, entry, true);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.count > 0 || !mustExist) {
    const status = store.collections.lists.push(c, atFront, args, 2, args.count - 2);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    call.notify(NotifyClass.LIST, atFront ? "lpush" : "rpush", c.key);
  }
  sink.integer(c.count);
  return HandlerStatus.DONE;
}

function pop(call: CommandCall, atFront: boolean): HandlerStatus {
  const { args, operand, sink } = call;
  const hasCount = args.count === 3;
  if (hasCount && (!args.int64(2, operand) || operand.toNumber() < 0)) {
    sink.error(ReplyCode.BAD_ARGUMENT, "value is out of range, must be positive");
    return HandlerStatus.DONE;
  }
  const wanted = hasCount ? operand.toNumber() : 1;
  const { collections } = call.store;
  const key = call.keyAt(1);
  const entry = collections.find(call.database, key);
  if (!hasCount) {
    const { directEnds } = collections;
    if (directEnds.seek(entry, key.shard, atFront)) {
      sink.bulk(directEnds.bytes, directEnds.start, directEnds.end);
      directEnds.remove(key.shard);
      call.notify(NotifyClass.LIST, atFront ? "lpop" : "rpop", key);
      return HandlerStatus.DONE;
    }
  }
  const c = openFound(call, key, entry, true);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.count === 0) {
    if (hasCount) sink.nilArray();
    else sink.nil();
    return HandlerStatus.DONE;
  }
  if (!hasCount) return popOne(call, c, atFront);
  return popMany(call, c, atFront, Math.min(wanted, c.count));
}

function handleLLen(call: CommandCall): HandlerStatus {
  const c = openList(call, 1, false);
  if (c !== undefined) call.sink.integer(c.count);
  return HandlerStatus.DONE;
}

function handleLIndex(call: CommandCall): HandlerStatus {
  const { args, operand, sink, store } = call;
  const c = openList(call, 1, false);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.count === 0) {
    sink.nil();
    return HandlerStatus.DONE;
  }
  if (!args.int64(2, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  const index = operand.toNumber();
  const rank = index < 0 ? c.count + index : index;
  if (rank < 0 || rank >= c.count) {
    sink.nil();
    return HandlerStatus.DONE;
  }
  c.cursor.seekRank(rank);
  replyElement(store, sink, c.cursor.element());
  return HandlerStatus.DONE;
}

function handleLSet(call: CommandCall): HandlerStatus {
  const { args, operand, sink, store } = call;
  const c = openList(call, 1, true);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.count === 0) {
    sink.error(ReplyCode.NO_SUCH_KEY);
    return HandlerStatus.DONE;
  }
  if (!args.int64(2, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  const index = operand.toNumber();
  const rank = index < 0 ? c.count + index : index;
  if (rank < 0 || rank >= c.count) {
    sink.error(ReplyCode.INDEX_OUT_OF_RANGE);
    return HandlerStatus.DONE;
  }
  const { lists } = store.collections;
  const status = lists.set(c, rank, args.bytes, args.starts[3]!, args.ends[3]!);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.LIST, "lset", c.key);
  sink.ok();
  return HandlerStatus.DONE;
}

/**
 * Reads the range of arguments 2 and 3 and cuts it to a list of `length`: the first rank, and in
 * `call.operand` behind the last one.
 *
 * @returns false when they are no integers; the error is replied
 */
function readRange(call: CommandCall, range: RankRange): boolean {
  const { args, operand, result, sink } = call;
  if (!args.int64(2, operand) || !args.int64(3, result)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return false;
  }
  range.from = operand.toNumber();
  range.to = result.toNumber();
  return true;
}

/** Ranks `[from, to)`, once they were cut to the length of the list. */
interface RankRange {
  from: number;
  to: number;
}

function cutRange(range: RankRange, length: number): void {
  const from = Math.max(0, range.from < 0 ? length + range.from : range.from);
  const to = Math.min(length, (range.to < 0 ? length + range.to : range.to) + 1);
  range.from = from;
  range.to = Math.max(from, to);
}

function handleLRange(call: CommandCall, range: RankRange): HandlerStatus {
  const { sink, store } = call;
  if (!readRange(call, range)) return HandlerStatus.DONE;
  const c = openList(call, 1, false);
  if (c === undefined) return HandlerStatus.DONE;
  cutRange(range, c.count);
  const count = range.to - range.from;
  sink.arrayStart(count);
  replyRecords(store, sink, c, range.from, count, false, ELEMENTS);
  return HandlerStatus.DONE;
}

function handleLTrim(call: CommandCall, range: RankRange): HandlerStatus {
  const { sink, store } = call;
  const { collections } = store;
  if (!readRange(call, range)) return HandlerStatus.DONE;
  const c = openList(call, 1, true);
  if (c === undefined) return HandlerStatus.DONE;
  const { count } = c;
  cutRange(range, count);
  const { from, to } = range;
  if (from === to) {
    const status = collections.lists.removeRanks(c, 0, count);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
  } else if (to - from < count) {
    if (!collections.reserve(collections.pagesFor(c, 4, 0, 0))) return HandlerStatus.RETRY;
    collections.lists.removeRanks(c, to, count - to);
    collections.lists.removeRanks(c, 0, from);
    collections.settle();
  }
  if (count > 0) notifyRemoval(call, c, NotifyClass.LIST, "ltrim");
  sink.ok();
  return HandlerStatus.DONE;
}

const PUSH = {
  arity: -3,
  syntax: "key element [element ...]",
  group: "list",
  flags: ["write", "denyoom", "fast"],
  access: "write",
  firstKey: 1,
  cost: "per-argument",
  workIsInArguments: true,
  complexity: "O(N) with N elements",
  reply: "integer",
} as const;

const POP = {
  arity: -2,
  maxArguments: 3,
  syntax: "key [count]",
  group: "list",
  since: "1.0.0",
  flags: ["write", "fast"],
  access: "write",
  firstKey: 1,
  cost: "per-argument",
  constantArguments: 2,
  complexity: "O(N) with N elements returned",
  reply: ["bulk", "array", "nil"],
} as const;

/** The rows of pushes and pops. */
function endRows(): CommandRow[] {
  return [
    new CommandRow({
      ...PUSH,
      name: "lpush",
      summary: "Puts elements in front of a list, one after the other; returns its length.",
      since: "1.0.0",
      handler: (call) => push(call, true, false),
    }),
    new CommandRow({
      ...PUSH,
      name: "rpush",
      summary: "Appends elements to a list; returns its length.",
      since: "1.0.0",
      handler: (call) => push(call, false, false),
    }),
    new CommandRow({
      ...PUSH,
      name: "lpushx",
      summary: "Puts elements in front of a list if there is one; returns its length.",
      since: "2.2.0",
      handler: (call) => push(call, true, true),
    }),
    new CommandRow({
      ...PUSH,
      name: "rpushx",
      summary: "Appends elements to a list if there is one; returns its length.",
      since: "2.2.0",
      handler: (call) => push(call, false, true),
    }),
    new CommandRow({
      ...POP,
      name: "lpop",
      summary: "Removes and returns the first element of a list, or the first ones.",
      handler: (call) => pop(call, true),
    }),
    new CommandRow({
      ...POP,
      name: "rpop",
      summary: "Removes and returns the last element of a list, or the last ones.",
      handler: (call) => pop(call, false),
    }),
  ];
}

/** The rows of commands by index, and of pushes and pops. Thread: any; a thread makes its own. */
export function listRows(): CommandRow[] {
  const range: RankRange = { from: 0, to: 0 };
  const common = { group: "list", since: "1.0.0", firstKey: 1 } as const;
  return [
    ...endRows(),
    new CommandRow({
      ...common,
      name: "llen",
      arity: 2,
      syntax: "key",
      summary: "Returns the length of a list.",
      flags: ["readonly", "fast"],
      access: "read",
      reply: "integer",
      handler: handleLLen,
    }),
    new CommandRow({
      ...common,
      name: "lindex",
      arity: 3,
      syntax: "key index",
      summary: "Returns an element of a list by its index; -1 is the last one.",
      flags: ["readonly"],
      access: "read",
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(log N) with N elements of the list",
      reply: ["bulk", "nil"],
      handler: handleLIndex,
    }),
    new CommandRow({
      ...common,
      name: "lset",
      arity: 4,
      syntax: "key index element",
      summary: "Replaces an element of a list by its index; -1 is the last one.",
      flags: ["write", "denyoom"],
      access: "write",
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(log N) with N elements of the list",
      reply: "ok",
      handler: handleLSet,
    }),
    new CommandRow({
      ...common,
      name: "lrange",
      arity: 4,
      syntax: "key start stop",
      summary: "Returns the elements of a list from start to stop, both included.",
      flags: ["readonly"],
      access: "read",
      cost: "per-argument",
      complexity: "O(log N + M) with N elements of the list, M of them returned",
      reply: "array",
      handler: (call) => handleLRange(call, range),
    }),
    new CommandRow({
      ...common,
      name: "ltrim",
      arity: 4,
      syntax: "key start stop",
      summary: "Removes all elements of a list but those from start to stop, both included.",
      flags: ["write"],
      access: "write",
      cost: "per-argument",
      complexity: "O(log N) with N elements of the list; what goes is freed later",
      reply: "ok",
      handler: (call) => handleLTrim(call, range),
    }),
  ];
}
