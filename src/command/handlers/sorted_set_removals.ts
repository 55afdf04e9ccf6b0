/**
 * Sorted sets: ranges removed, lowest and highest members popped.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { MemberShape, memberShape, replyLeasedMembers, replyMembers } from "../member_reply.ts";
import { type RangeRemoval, removeRange } from "../range_removal.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, type Handler, HandlerStatus } from "../row.ts";
import { type RankInterval, ranksBetween } from "../sorted_set_ranges.ts";
import { countedKeys } from "./counted_keys.ts";
import { integerAt, openSortedSet, refused } from "./sorted_set_entry.ts";
import { readValues } from "./sorted_set_ranges.ts";

/** Runs `ZREMRANGEBYRANK`, `ZREMRANGEBYSCORE` and `ZREMRANGEBYLEX`, `key min max`. */
function handleRemoveRange(call: CommandCall, kind: "rank" | "score" | "lex"): HandlerStatus {
  const ranksOf = kind === "rank" ? readRanks(call) : readValues(call, kind, 2)?.ranksOf;
  if (ranksOf === undefined) return HandlerStatus.DONE;
  const c = openSortedSet(call, 1, true);
  if (c === undefined) return HandlerStatus.DONE;
  return removeRange(call, c, {
    keyIndex: 1,
    event: call.row.name,
    ranksOf,
    reply: ({ sink }, _c, { from, to }) => sink.integer(to - from),
    replyLeased: ({ sink }, lease, { from, to }) => {
      lease.release();
      sink.integer(to - from);
    },
  });
}

function readRanks(call: CommandCall): RangeRemoval["ranksOf"] | undefined {
  const start = integerAt(call, 2);
  const stop = integerAt(call, 3);
  if (start !== undefined && stop !== undefined) {
    return ({ count }) => ranksBetween(count, start, stop);
  }
  call.sink.error(ReplyCode.NOT_AN_INTEGER);
  return undefined;
}

/** The ranks of the `count` lowest or highest members. */
function endRanks(size: number, count: number, isMax: boolean): RankInterval {
  const taken = Math.min(size, count);
  return isMax ? { from: size - taken, to: size } : { from: 0, to: taken };
}

/** Runs `ZPOPMIN key [count]` and `ZPOPMAX key [count]`. */
function handlePop(call: CommandCall, isMax: boolean): HandlerStatus {
  const { args } = call;
  let count = 1;
  if (args.count === 3) {
    const asked = integerAt(call, 2);
    if (asked === undefined || asked < 0) {
      return refused(call, ReplyCode.BAD_ARGUMENT, "value is out of range, must be positive");
    }
    count = asked;
  } else if (args.count > 3) {
    return refused(call, ReplyCode.SYNTAX);
  }
  const c = openSortedSet(call, 1, true);
  if (c === undefined) return HandlerStatus.DONE;
  // Without a count version 3 has no array in the array either.
  const shape = args.count === 3 ? memberShape(call, true) : MemberShape.FLAT;
  return removeRange(call, c, popOf(1, count, isMax, shape));
}

function popOf(keyIndex: number, count: number, isMax: boolean, shape: MemberShape): RangeRemoval {
  return {
    keyIndex,
    event: isMax ? "zpopmax" : "zpopmin",
    ranksOf: (c) => endRanks(c.count, count, isMax),
    reply: (call, c, { from, to }) => replyMembers(call, c, from, to, isMax, shape, true),
    replyLeased: (call, lease, { from, to }) =>
      replyLeasedMembers(call, lease, from, to, isMax, shape),
  };
}

/** Runs `ZMPOP numkeys key [key …] MIN|MAX [COUNT count]`. */
function handlePopMany(call: CommandCall): HandlerStatus {
  const wishes = readPopMany(call, 1);
  if (wishes === undefined) return HandlerStatus.DONE;
  return popFirst(call, wishes) ?? refusedNothing(call);
}

function refusedNothing(call: CommandCall): HandlerStatus {
  call.sink.nilArray();
  return HandlerStatus.DONE;
}

/** What ZMPOP and its kin ask for. */
export interface PopWishes {
  /** Argument index of the first key. */
  readonly firstKey: number;
  /** How many keys there are. */
  readonly keyCount: number;
  /** Whether the highest scores are popped. */
  readonly isMax: boolean;
  /** Most members. */
  readonly count: number;
}

/**
 * Reads `numkeys key [key …] MIN|MAX [COUNT count]` from argument `at` on; undefined when an error
 * was replied. Thread: the connection's I/O thread.
 */
export function readPopMany(call: CommandCall, at: number): PopWishes | undefined {
  const { args } = call;
  const keyCount = integerAt(call, at) ?? 0;
  if (keyCount <= 0) {
    return refusal(call, ReplyCode.BAD_ARGUMENT, "numkeys should be greater than 0");
  }
  const where = at + 1 + keyCount;
  if (where >= args.count) return refusal(call, ReplyCode.SYNTAX);
  const isMax = args.is(where, "MAX");
  if (!isMax && !args.is(where, "MIN")) return refusal(call, ReplyCode.SYNTAX);
  let count = 0;
  for (let i = where + 1; i < args.count; i += 2) {
    if (count > 0 || !args.is(i, "COUNT") || i + 1 >= args.count) {
      return refusal(call, ReplyCode.SYNTAX);
    }
    count = integerAt(call, i + 1) ?? 0;
    if (count <= 0) {
      return refusal(call, ReplyCode.BAD_ARGUMENT, "count should be greater than 0");
    }
  }
  return { firstKey: at + 1, keyCount, isMax, count: Math.max(1, count) };
}

/**
 * Pops from the first key that has members, and replies; undefined when none has. Thread: the
 * connection's I/O thread.
 *
 * @param isAtOnce whether it must not go on later, however many members there are
 */
export function popFirst(
  call: CommandCall,
  wishes: PopWishes,
  isAtOnce = false,
): HandlerStatus | undefined {
  const { firstKey, keyCount, isMax, count } = wishes;
  for (let i = firstKey; i < firstKey + keyCount; i++) {
    const c = openSortedSet(call, i, true);
    if (c === undefined) return HandlerStatus.DONE;
    if (c.count === 0) continue;
    const pop = popOf(i, count, isMax, MemberShape.PAIRS);
    const named = (own: CommandCall): void => {
      const { args, sink } = own;
      sink.arrayStart(2);
      sink.bulk(args.bytes, args.starts[i]!, args.ends[i]!);
    };
    return removeRange(call, c, {
      ...pop,
      isAtOnce,
      reply: (own, opened, interval) => {
        named(own);
        pop.reply(own, opened, interval);
      },
      replyLeased: (own, lease, interval) => {
        named(own);
        pop.replyLeased(own, lease, interval);
      },
    });
  }
  return undefined;
}

function refusal(call: CommandCall, code: ReplyCode, detail?: string): undefined {
  call.sink.error(code, detail);
  return undefined;
}

/** The rows of this family. Thread: any; a thread makes its own at start. */
export function sortedSetRemovalRows(): CommandRow[] {
  return [
    removalRow("zremrangebyrank", "rank", "2.0.0", "key start stop", "ranks"),
    removalRow("zremrangebyscore", "score", "1.2.0", "key min max", "scores"),
    removalRow("zremrangebylex", "lex", "2.8.9", "key min max", "bytes"),
    popRow("zpopmin", "lowest", (call) => handlePop(call, false)),
    popRow("zpopmax", "highest", (call) => handlePop(call, true)),
    new CommandRow({
      name: "zmpop",
      arity: -4,
      syntax: "numkeys key [key ...] MIN | MAX [COUNT count]",
      summary: "Removes and returns members of the first sorted set that has some.",
      group: "sorted-set",
      since: "7.0.0",
      flags: ["write", "movablekeys"],
      access: "write",
      findKeys: countedKeys(1),
      cost: "per-key",
      complexity: "O(K) + O(M log N) with K keys and M members popped",
      reply: ["array", "nil"],
      handler: handlePopMany,
    }),
  ];
}

function removalRow(
  name: string,
  kind: "rank" | "score" | "lex",
  since: string,
  syntax: string,
  what: string,
): CommandRow {
  return new CommandRow({
    name,
    arity: 4,
    syntax,
    summary: `Removes the members in a range of ${what}.`,
    group: "sorted-set",
    since,
    flags: ["write"],
    access: "write",
    firstKey: 1,
    cost: "whole-table",
    complexity: "O(M log N) with M members removed; O(N) in slices when there are many",
    reply: "integer",
    handler: (call) => handleRemoveRange(call, kind),
  });
}

function popRow(name: string, which: string, handler: Handler): CommandRow {
  return new CommandRow({
    name,
    arity: -2,
    syntax: "key [count]",
    summary: `Removes and returns the members with the ${which} scores.`,
    group: "sorted-set",
    since: "5.0.0",
    flags: ["write", "fast"],
    access: "write",
    firstKey: 1,
    cost: "per-argument",
    constantArguments: 2,
    complexity: "O(M log N) with M members popped",
    reply: "array",
    handler,
  });
}
