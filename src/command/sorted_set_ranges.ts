/**
 * Ranges of sorted sets: by rank, by score, by the bytes of members, all as ranks in the end.
 *
 * Trees count, so the ranks at which a range of scores begins and ends are found in O(log n); what
 * counts, reads, copies or removes a range then has to know ranks only.
 *
 * @module
 */

import { numberText, parseDouble } from "../base/double.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { CommandArguments } from "./arguments.ts";

const EMPTY = new Uint8Array(0);
const OPEN_PARENTHESIS = 0x28;
const OPEN_BRACKET = 0x5b;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** How the ends of a range are said. */
export type RangeKind = "rank" | "score" | "lex";

/** The ranks `[from, to)`, counted from the lowest score; empty when `from >= to`. */
export interface RankInterval {
  /** First rank. */
  from: number;
  /** Behind the last rank. */
  to: number;
}

/** Where a range of scores or members begins and ends; finds its ranks. */
export interface ValueRange {
  /** The ranks of an opened sorted set that are in the range; moves its cursor. */
  ranksOf(c: Collection): RankInterval;
}

/**
 * Reads `min max`, each a score or `(score`, exclusive.
 *
 * @returns undefined when one is not a float
 */
export function parseScoreRange(
  args: CommandArguments,
  minIndex: number,
  maxIndex: number,
): ValueRange | undefined {
  const isMinOpen = isOpen(args, minIndex);
  const isMaxOpen = isOpen(args, maxIndex);
  const min = parseBound(args, minIndex, isMinOpen);
  const max = parseBound(args, maxIndex, isMaxOpen);
  if (Number.isNaN(min) || Number.isNaN(max)) return undefined;
  return {
    ranksOf: (c) => ({
      from: isMinOpen ? ranksUpTo(c, min) : ranksBelow(c, min),
      to: isMaxOpen ? ranksBelow(c, max) : ranksUpTo(c, max),
    }),
  };
}

/**
 * Reads `min max`, each `[member`, `(member`, exclusive, `-` or `+`. In a set with several scores,
 * which such ranges are not meant for, members of the lowest score count, and `+` is the end.
 *
 * @returns undefined when one is none of these
 */
export function parseLexRange(
  args: CommandArguments,
  minIndex: number,
  maxIndex: number,
): ValueRange | undefined {
  if (!isLexBound(args, minIndex) || !isLexBound(args, maxIndex)) return undefined;
  return {
    ranksOf: (c) => {
      if (!c.cursor.seekFirst()) return { from: 0, to: 0 };
      const score = c.cursor.score();
      return {
        from: lexRank(c, score, args, minIndex, true),
        to: lexRank(c, score, args, maxIndex, false),
      };
    },
  };
}

/** The ranks from `start` to `stop`, both inclusive, negative ones counted from the end. */
export function ranksBetween(count: number, start: number, stop: number): RankInterval {
  const from = start < 0 ? Math.max(0, count + start) : start;
  const last = stop < 0 ? count + stop : Math.min(stop, count - 1);
  return { from, to: Math.max(from, last + 1) };
}

/** What of an interval `LIMIT offset limit` leaves, seen from the end that is read first. */
export function limited(
  { from, to }: RankInterval,
  isReversed: boolean,
  offset: number,
  limit: number,
): RankInterval {
  if (offset < 0 || from >= to) return { from, to: from };
  const most = limit < 0 ? Infinity : limit;
  if (isReversed) {
    const end = Math.max(from, to - offset);
    return { from: Math.max(from, end - most), to: end };
  }
  const start = Math.min(to, from + offset);
  return { from: start, to: Math.min(to, start + most) };
}

/** The same ranks counted from the other end. */
export function mirrored({ from, to }: RankInterval, count: number): RankInterval {
  return { from: count - to, to: count - from };
}

function isOpen(args: CommandArguments, index: number): boolean {
  return args.length(index) > 0 && args.bytes[args.starts[index]!] === OPEN_PARENTHESIS;
}

/** A bound as C's `strtod` reads it: no text at all is 0, and what is too large is infinite. */
function parseBound(args: CommandArguments, index: number, skipsFirst: boolean): number {
  const start = args.starts[index]! + (skipsFirst ? 1 : 0);
  const end = args.ends[index]!;
  if (start === end) return 0;
  const value = parseDouble(args.bytes, start, end);
  if (!Number.isNaN(value)) return value;
  const text = numberText(args.bytes, start, end).trimStart();
  return DECIMAL.test(text) ? Number(text) : NaN;
}

/** How many scores are below `score`. */
function ranksBelow(c: Collection, score: number): number {
  c.cursor.seekAtLeast(score, EMPTY, 0, 0);
  return c.cursor.rank();
}

/** How many scores are `score` or below. */
function ranksUpTo(c: Collection, score: number): number {
  c.cursor.seekBehind(score);
  return c.cursor.rank();
}

function isLexBound(args: CommandArguments, index: number): boolean {
  const first = args.bytes[args.starts[index]!];
  switch (args.length(index)) {
    case 0:
      return false;
    case 1:
      if (first === PLUS || first === MINUS) return true;
  }
  return first === OPEN_PARENTHESIS || first === OPEN_BRACKET;
}

/** How many members are before a bound. */
function lexRank(
  c: Collection,
  score: number,
  args: CommandArguments,
  index: number,
  isMin: boolean,
): number {
  const { bytes } = args;
  const start = args.starts[index]!;
  const first = bytes[start];
  if (first === MINUS) return 0;
  if (first === PLUS) return c.count;
  const isFound = c.cursor.seekAtLeast(score, bytes, start + 1, args.ends[index]!);
  const isInclusive = first === OPEN_BRACKET;
  // Of an inclusive range the member itself is behind the lower end and before the upper one.
  return c.cursor.rank() + (isFound && isInclusive !== isMin ? 1 : 0);
}
