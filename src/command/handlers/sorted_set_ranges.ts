/**
 * Ranges of sorted sets: counted and read.
 *
 * @module
 */

import type { Collection } from "../../store/collection/collection.ts";
import type { CommandCall } from "../call.ts";
import { memberShape, replyMembers } from "../member_reply.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import {
  limited,
  mirrored,
  parseLexRange,
  parseScoreRange,
  type RangeKind,
  type RankInterval,
  ranksBetween,
  type ValueRange,
} from "../sorted_set_ranges.ts";
import { integerAt, openSortedSet } from "./sorted_set_entry.ts";

/** What a command of the family says by its name; the others are said by options. */
export interface RangePreset {
  /** How the ends are said; left out: by an option. */
  readonly kind?: RangeKind;
  /** Whether the highest score comes first; left out: by an option. */
  readonly isReversed?: boolean;
  /** Whether the result is stored, without scores. */
  readonly isStored?: boolean;
}

/** A range that a command asks for. */
export interface RangeRequest {
  /** Whether the highest score comes first. */
  readonly isReversed: boolean;
  /** Whether the scores are wanted. */
  readonly withScores: boolean;
  /** The ranks that it means in an opened sorted set; moves its cursor. */
  ranksOf(c: Collection): RankInterval;
}

/** Options of a range as they are read. */
interface RangeOptions {
  kind: RangeKind | undefined;
  isReversed: boolean | undefined;
  withScores: boolean;
  offset: number;
  limit: number;
}

/**
 * Reads `min max [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`, as far as the preset lets
 * it, from argument `first` on.
 *
 * Thread: the connection's I/O thread.
 *
 * @returns undefined when an error was replied
 */
export function readRange(
  call: CommandCall,
  first: number,
  preset: RangePreset,
): RangeRequest | undefined {
  const options = readOptions(call, first + 2, preset);
  if (options === undefined) return undefined;
  const { offset, limit, withScores } = options;
  const kind = options.kind ?? "rank";
  const isReversed = options.isReversed ?? false;
  if (limit !== -1 && kind === "rank") {
    return refuse(
      call,
      ReplyCode.SYNTAX,
      "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
    );
  }
  if (withScores && kind === "lex") {
    return refuse(
      call,
      ReplyCode.SYNTAX,
      "syntax error, WITHSCORES not supported in combination with BYLEX",
    );
  }
  if (kind === "rank") {
    const start = integerAt(call, first);
    const stop = integerAt(call, first + 1);
    if (start === undefined || stop === undefined) return refuse(call, ReplyCode.NOT_AN_INTEGER);
    return {
      isReversed,
      withScores,
      ranksOf: ({ count }) => {
        const interval = ranksBetween(count, start, stop);
        return isReversed ? mirrored(interval, count) : interval;
      },
    };
  }
  const range = readValues(call, kind, first, isReversed);
  if (range === undefined) return undefined;
  return {
    isReversed,
    withScores,
    ranksOf: (c) => limited(range.ranksOf(c), isReversed, offset, limit),
  };
}

/**
 * Reads the two ends of a range of scores or members; undefined when an error was replied. Thread:
 * the connection's I/O thread.
 */
export function readValues(
  call: CommandCall,
  kind: "score" | "lex",
  first: number,
  isReversed = false,
): ValueRange | undefined {
  const min = isReversed ? first + 1 : first;
  const max = isReversed ? first : first + 1;
  if (kind === "score") {
    return parseScoreRange(call.args, min, max) ??
      refuse(call, ReplyCode.NOT_A_FLOAT, "min or max is not a float");
  }
  return parseLexRange(call.args, min, max) ??
    refuse(call, ReplyCode.BAD_ARGUMENT, "min or max not valid string range item");
}

function readOptions(
  call: CommandCall,
  first: number,
  preset: RangePreset,
): RangeOptions | undefined {
  const { args } = call;
  const options: RangeOptions = {
    kind: preset.kind,
    isReversed: preset.isReversed,
    withScores: false,
    offset: 0,
    limit: -1,
  };
  for (let i = first; i < args.count; i++) {
    if (preset.isStored !== true && args.is(i, "WITHSCORES")) {
      options.withScores = true;
    } else if (args.is(i, "LIMIT") && i + 2 < args.count) {
      const offset = integerAt(call, i + 1);
      const limit = integerAt(call, i + 2);
      if (offset === undefined || limit === undefined) {
        return refuse(call, ReplyCode.NOT_AN_INTEGER);
      }
      options.offset = offset;
      options.limit = limit;
      i += 2;
    } else if (options.isReversed === undefined && args.is(i, "REV")) {
      options.isReversed = true;
    } else if (options.kind === undefined && args.is(i, "BYSCORE")) {
      options.kind = "score";
    } else if (options.kind === undefined && args.is(i, "BYLEX")) {
      options.kind = "lex";
    } else {
      return refuse(call, ReplyCode.SYNTAX);
    }
  }
  return options;
}

function refuse(call: CommandCall, code: ReplyCode, detail?: string): undefined {
  call.sink.error(code, detail);
  return undefined;
}

/** Runs `ZRANGE key min max …` and what means the same. */
function replyRange(call: CommandCall, preset: RangePreset): HandlerStatus {
  const request = readRange(call, 2, preset);
  if (request === undefined) return HandlerStatus.DONE;
  const c = openSortedSet(call, 1, false);
  if (c === undefined) return HandlerStatus.DONE;
  const { from, to } = request.ranksOf(c);
  const shape = memberShape(call, request.withScores);
  replyMembers(call, c, from, to, request.isReversed, shape);
  return HandlerStatus.DONE;
}

/** Runs `ZCOUNT key min max` and `ZLEXCOUNT key min max`. */
function replyCount(call: CommandCall, kind: "score" | "lex"): HandlerStatus {
  const range = readValues(call, kind, 2);
  if (range === undefined) return HandlerStatus.DONE;
  const c = openSortedSet(call, 1, false);
  if (c === undefined) return HandlerStatus.DONE;
  const { from, to } = range.ranksOf(c);
  call.sink.integer(Math.max(0, to - from));
  return HandlerStatus.DONE;
}

/** The rows of this family. Thread: any; a thread makes its own at start. */
export function sortedSetRangeRows(): CommandRow[] {
  const lowHigh = "key min max";
  const highLow = "key max min";
  const limit = "[LIMIT offset count]";
  return [
    countRow("zcount", "score", "2.0.0", "Counts the members with scores in a range."),
    countRow("zlexcount", "lex", "2.8.9", "Counts the members in a range of bytes."),
    rangeRow("zrange", "1.2.0", {}, {
      syntax: `key start stop [BYSCORE | BYLEX] [REV] ${limit} [WITHSCORES]`,
      summary: "Returns the members in a range of ranks, scores or bytes.",
    }),
    rangeRow("zrevrange", "1.2.0", { kind: "rank", isReversed: true }, {
      syntax: "key start stop [WITHSCORES]",
      summary: "Returns the members in a range of ranks, the highest score first.",
    }),
    rangeRow("zrangebyscore", "1.0.5", { kind: "score", isReversed: false }, {
      syntax: `${lowHigh} [WITHSCORES] ${limit}`,
      summary: "Returns the members with scores in a range.",
    }),
    rangeRow("zrevrangebyscore", "2.2.0", { kind: "score", isReversed: true }, {
      syntax: `${highLow} [WITHSCORES] ${limit}`,
      summary: "Returns the members with scores in a range, the highest first.",
    }),
    rangeRow("zrangebylex", "2.8.9", { kind: "lex", isReversed: false }, {
      syntax: `${lowHigh} ${limit}`,
      summary: "Returns the members in a range of bytes.",
    }),
    rangeRow("zrevrangebylex", "2.8.9", { kind: "lex", isReversed: true }, {
      syntax: `${highLow} ${limit}`,
      summary: "Returns the members in a range of bytes, the last one first.",
    }),
  ];
}

function rangeRow(
  name: string,
  since: string,
  preset: RangePreset,
  texts: { syntax: string; summary: string },
): CommandRow {
  return new CommandRow({
    ...texts,
    name,
    arity: -4,
    group: "sorted-set",
    since,
    flags: ["readonly"],
    access: "read",
    firstKey: 1,
    cost: "whole-table",
    complexity: "O(log N + M) with M members returned; many are sent piece by piece",
    reply: "array",
    handler: (call) => replyRange(call, preset),
  });
}

function countRow(
  name: string,
  kind: "score" | "lex",
  since: string,
  summary: string,
): CommandRow {
  return new CommandRow({
    name,
    arity: 4,
    syntax: "key min max",
    summary,
    group: "sorted-set",
    since,
    flags: ["readonly", "fast"],
    access: "read",
    firstKey: 1,
    cost: "per-key",
    complexity: "O(log N)",
    reply: "integer",
    handler: (call) => replyCount(call, kind),
  });
}
