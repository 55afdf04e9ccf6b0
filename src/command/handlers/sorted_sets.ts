/**
 * Sorted sets: their members and scores, one by one.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { parseDouble } from "../../base/double.ts";
import type { Collection } from "../../store/collection/collection.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import type { CommandArguments } from "../arguments.ts";
import {
  AT_ONCE_MEMBERS,
  changeInSlices,
  hasTooLong,
  isLongChange,
  type LongChange,
} from "../long_change.ts";
import type { Slices } from "../slices.ts";
import { isLongLookup, lookUpInSlices, type Lookups, replyKept } from "../long_lookup.ts";
import { removeInSlices, SORTED_SET_REMOVAL } from "../member_changes.ts";
import { refuseArity } from "../refusals.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { openSortedSet, refused } from "./sorted_set_entry.ts";
import { refuseWrite } from "./write_failure.ts";

const KEY = 1;

/** Options of ZADD, as bits. */
const Option = { NX: 1, XX: 2, GT: 4, LT: 8, CH: 16, INCR: 32 } as const;

/** What became of a member, as bits; 0: nothing, because a condition was not met. */
const Outcome = { ADDED: 1, CHANGED: 2, SAME: 4, NO_MEMORY: 8 } as const;

const LETTER_A = 0x41;

/** Pairs added per lock hold. Reason: some 6 µs each, of a large sorted set. */
const PAIRS_PER_HOLD = 8;

/** Room for more scores than this is given back. */
const KEPT_SCORES = 4096;

/** Runs `ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member …`. */
function handleAdd(call: CommandCall, adder: MemberAdder): HandlerStatus {
  const { args } = call;
  let options = 0;
  let first = KEY + 1;
  for (; first < args.count; first++) {
    const option = optionAt(call, first);
    if (option === 0) break;
    options |= option;
  }
  const arguments_ = args.count - first;
  if (arguments_ === 0 || arguments_ % 2 !== 0) return refused(call, ReplyCode.SYNTAX);
  const conflict = conflictOf(options, arguments_ / 2);
  if (conflict !== undefined) return refused(call, ReplyCode.BAD_ARGUMENT, conflict);
  // INCR has one pair.
  if (isLongChange(call, 2 * AT_ONCE_MEMBERS)) {
    return changeInSlices(call, (own, slices) => longAddition(own, slices, options, first));
  }
  return adder.add(call, options, first, arguments_ / 2);
}

function optionAt({ args }: CommandCall, index: number): number {
  // Most scores begin with less than a letter.
  if (args.bytes[args.starts[index]!]! < LETTER_A) return 0;
  if (args.is(index, "NX")) return Option.NX;
  if (args.is(index, "XX")) return Option.XX;
  if (args.is(index, "GT")) return Option.GT;
  if (args.is(index, "LT")) return Option.LT;
  if (args.is(index, "CH")) return Option.CH;
  return args.is(index, "INCR") ? Option.INCR : 0;
}

function conflictOf(options: number, pairs: number): string | undefined {
  const has = (option: number): boolean => (options & option) !== 0;
  if (has(Option.NX) && has(Option.XX)) {
    return "XX and NX options at the same time are not compatible";
  }
  const exclusive = Number(has(Option.NX)) + Number(has(Option.GT)) + Number(has(Option.LT));
  if (exclusive > 1) return "GT, LT, and/or NX options at the same time are not compatible";
  if (has(Option.INCR) && pairs > 1) {
    return "INCR option supports a single increment-element pair";
  }
  return undefined;
}

/** Adds members to sorted sets. Thread: belongs to one thread. */
class MemberAdder {
  /** Scores of a command's pairs, read before the first is used. */
  #scores = new Float64Array(16);

  /** Adds pairs of scores and members, from argument `first` on: all, or none. */
  add(call: CommandCall, options: number, first: number, pairs: number): HandlerStatus {
    const { args, sink, store: { collections: { sortedSets } } } = call;
    if (!this.#readScores(call, first, pairs)) return refused(call, ReplyCode.NOT_A_FLOAT);
    for (let i = first + 1; i < args.count; i += 2) {
      if (sortedSets.isTooLong(args.length(i))) {
        return refuseWrite(call, WriteStatus.VALUE_TOO_LARGE);
      }
    }
    const c = openSortedSet(call, KEY, true);
    if (c === undefined) return HandlerStatus.DONE;
    const isIncrement = (options & Option.INCR) !== 0;
    if (!c.exists && (options & Option.XX) !== 0) {
      if (isIncrement) sink.nil();
      else sink.integer(0);
      return HandlerStatus.DONE;
    }
    const mayChange = (options & Option.NX) === 0;
    if (isIncrement && mayChange && !this.#hasSum(call, c, first + 1)) {
      return refused(call, ReplyCode.NOT_FINITE, "resulting score is not a number (NaN)");
    }
    // Everything that can fail is decided before the first member changes.
    let added = 0;
    let changed = 0;
    let outcome = 0;
    if (pairs === 1) {
      outcome = this.#addAlone(call, c, options, first + 1);
      if (outcome === Outcome.NO_MEMORY) return HandlerStatus.RETRY;
      if (outcome === Outcome.ADDED) added = 1;
      else if (outcome === Outcome.CHANGED) changed = 1;
    } else {
      const status = sortedSets.begin(c, pairs, args, first + 1, 2);
      if (status !== WriteStatus.OK) return refuseWrite(call, status);
      for (let i = 0; i < pairs; i++) {
        outcome = addOne(call, c, options, first + 2 * i + 1, this.#scores, i);
        if (outcome === Outcome.ADDED) added++;
        else if (outcome === Outcome.CHANGED) changed++;
      }
      sortedSets.finish(c);
    }
    if (added + changed > 0) {
      call.notify(NotifyClass.SORTED_SET, isIncrement ? "zincr" : "zadd");
    }
    if (!isIncrement) sink.integer((options & Option.CH) !== 0 ? added + changed : added);
    else if (outcome === 0) sink.nil();
    else sink.double(this.#scores[0]!);
    return HandlerStatus.DONE;
  }

  /** As {@link addOne} of the only pair. */
  #addAlone({ args, store }: CommandCall, c: Collection, options: number, index: number): number {
    const { sortedSets } = store.collections;
    const start = args.starts[index]!;
    const end = args.ends[index]!;
    const exists = sortedSets.find(c, args.bytes, start, end);
    const outcome = outcomeOf(options, exists, sortedSets.score, this.#scores, 0);
    if (outcome !== Outcome.ADDED && outcome !== Outcome.CHANGED) return outcome;
    const score = this.#scores[0]!;
    const status = sortedSets.putOne(c, exists, args.bytes, start, end, score);
    return status === WriteStatus.OK ? outcome : Outcome.NO_MEMORY;
  }

  #readScores({ args }: CommandCall, first: number, pairs: number): boolean {
    const isTooMuch = this.#scores.length > KEPT_SCORES;
    if (this.#scores.length < pairs || isTooMuch) {
      this.#scores = new Float64Array(Math.max(16, pairs));
    }
    for (let i = 0; i < pairs; i++) {
      const at = first + 2 * i;
      const score = this.#scores[i] = scoreAt(args, at);
      if (Number.isNaN(score)) return false;
    }
    return true;
  }

  /** Whether the member's score and the increment have a sum. */
  #hasSum({ args, store }: CommandCall, c: Collection, index: number): boolean {
    const { sortedSets } = store.collections;
    if (!sortedSets.find(c, args.bytes, args.starts[index]!, args.ends[index]!)) return true;
    return !Number.isNaN(sortedSets.score + this.#scores[0]!);
  }
}

/** Argument `index` as a score; NaN = it is none. */
function scoreAt({ bytes, starts, ends }: CommandArguments, index: number): number {
  // No -0: small sorted sets of Redis know none either.
  return parseDouble(bytes, starts[index]!, ends[index]!) + 0;
}

/** Adds a member or changes its score, if the options let it; cannot fail. */
function addOne(
  { args, store }: CommandCall,
  c: Collection,
  options: number,
  index: number,
  scores: Float64Array,
  position: number,
): number {
  const { sortedSets } = store.collections;
  const start = args.starts[index]!;
  const end = args.ends[index]!;
  const exists = sortedSets.find(c, args.bytes, start, end);
  const outcome = outcomeOf(options, exists, sortedSets.score, scores, position);
  if (outcome === Outcome.ADDED || outcome === Outcome.CHANGED) {
    sortedSets.putFound(c, exists, args.bytes, start, end, scores[position]!);
  }
  return outcome;
}

/**
 * What is to become of a member; `scores[position]` is the score that it then gets.
 *
 * @param old its score, if it exists
 */
function outcomeOf(
  options: number,
  exists: boolean,
  old: number,
  scores: Float64Array,
  position: number,
): number {
  if (!exists) return (options & Option.XX) !== 0 ? 0 : Outcome.ADDED;
  if ((options & Option.NX) !== 0) return 0;
  if ((options & Option.INCR) !== 0) scores[position]! += old;
  const score = scores[position]!;
  if ((options & Option.GT) !== 0 && score <= old) return 0;
  if ((options & Option.LT) !== 0 && score >= old) return 0;
  // 0 and -0 are the same score.
  return score === old ? Outcome.SAME : Outcome.CHANGED;
}

/** What a sorted set of many pairs is to be given, once the scores were found to be numbers. */
async function longAddition(
  call: CommandCall,
  slices: Slices,
  options: number,
  first: number,
): Promise<LongChange | undefined> {
  const { args, sink, store: { collections: { sortedSets } } } = call;
  const scores = new Float64Array((args.count - first) / 2);
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(scores[i] = scoreAt(args, first + 2 * i))) {
      sink.error(ReplyCode.NOT_A_FLOAT);
      return undefined;
    }
    if (slices.isOver(2)) await slices.next();
  }
  if (hasTooLong(call, first)) {
    sink.error(ReplyCode.VALUE_TOO_LARGE);
    return undefined;
  }
  let added = 0;
  let changed = 0;
  return {
    type: EntryType.SORTED_SET,
    count: scores.length,
    partsPerHold: PAIRS_PER_HOLD,
    check(own, c) {
      if (c.exists || (options & Option.XX) === 0) return undefined;
      own.sink.integer(0);
      return HandlerStatus.DONE;
    },
    begin: () => void (added = changed = 0),
    apply(c, from, to) {
      const status = sortedSets.begin(c, to - from, args, first + 2 * from + 1, 2);
      if (status !== WriteStatus.OK) return status;
      for (let i = from; i < to; i++) {
        const outcome = addOne(call, c, options, first + 2 * i + 1, scores, i);
        if (outcome === Outcome.ADDED) added++;
        else if (outcome === Outcome.CHANGED) changed++;
      }
      sortedSets.finish(c);
      return WriteStatus.OK;
    },
    isVoid: () => added + changed === 0,
    reply(own) {
      if (added + changed > 0) own.notify(NotifyClass.SORTED_SET, "zadd", own.keyAt(KEY));
      own.sink.integer((options & Option.CH) !== 0 ? added + changed : added);
    },
  };
}

/** Runs `ZREM key member …`. */
function handleRemove(call: CommandCall): HandlerStatus {
  const { args, sink, store: { collections: { sortedSets } } } = call;
  if (isLongChange(call, AT_ONCE_MEMBERS)) return removeInSlices(call, SORTED_SET_REMOVAL);
  const c = openSortedSet(call, KEY, true);
  if (c === undefined) return HandlerStatus.DONE;
  if (c.exists) {
    const status = sortedSets.beginRemoval(c, args.count - 2);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    for (let i = 2; i < args.count && c.count > 0; i++) {
      sortedSets.take(c, args.bytes, args.starts[i]!, args.ends[i]!);
    }
    sortedSets.finish(c);
    if (c.changed > 0) call.notify(NotifyClass.SORTED_SET, "zrem");
    if (c.changed > 0 && c.count === 0) call.notify(NotifyClass.GENERIC, "del");
  }
  sink.integer(c.changed);
  return HandlerStatus.DONE;
}

/** Runs `ZSCORE key member`. */
function handleScore(call: CommandCall): HandlerStatus {
  const c = openSortedSet(call, KEY, false);
  if (c !== undefined) replyScore(call, c, KEY + 1);
  return HandlerStatus.DONE;
}

/** ZMSCORE of very many; no score is NaN. */
const SCORES: Lookups = {
  found: (cursor) => cursor.score(),
  missing: NaN,
  reply(sink, kept, lease) {
    lease.release();
    replyKept(sink, kept, (target, score) => {
      if (Number.isNaN(score)) target.nil();
      else target.double(score);
    });
  },
};

/** Runs `ZMSCORE key member …`. */
function handleScores(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  const c = openSortedSet(call, KEY, false);
  if (c === undefined) return HandlerStatus.DONE;
  if (isLongLookup(call)) return lookUpInSlices(call, c, SCORES);
  sink.arrayStart(args.count - 2);
  for (let i = 2; i < args.count; i++) replyScore(call, c, i);
  return HandlerStatus.DONE;
}

function replyScore({ args, sink, store }: CommandCall, c: Collection, index: number): void {
  const { sortedSets } = store.collections;
  if (sortedSets.find(c, args.bytes, args.starts[index]!, args.ends[index]!)) {
    sink.double(sortedSets.score);
  } else {
    sink.nil();
  }
}

/** Runs `ZCARD key`. */
function handleCount(call: CommandCall): HandlerStatus {
  const c = openSortedSet(call, KEY, false);
  if (c !== undefined) call.sink.integer(c.count);
  return HandlerStatus.DONE;
}

function handleRank(call: CommandCall): HandlerStatus {
  return replyRank(call, false);
}

function handleReverseRank(call: CommandCall): HandlerStatus {
  return replyRank(call, true);
}

/** Runs `ZRANK key member [WITHSCORE]`. */
function replyRank(call: CommandCall, isReversed: boolean): HandlerStatus {
  const { args, sink, store: { collections: { sortedSets } } } = call;
  const withScore = args.count === 4;
  // Redis 7.0 knows no fourth argument.
  if (withScore && !args.is(3, "WITHSCORE")) {
    refuseArity(call.row, sink);
    return HandlerStatus.DONE;
  }
  const c = openSortedSet(call, KEY, false);
  if (c === undefined) return HandlerStatus.DONE;
  const rank = sortedSets.rankOf(c, args.bytes, args.starts[2]!, args.ends[2]!);
  if (rank < 0) {
    if (withScore) sink.nilArray();
    else sink.nil();
    return HandlerStatus.DONE;
  }
  if (withScore) sink.arrayStart(2);
  sink.integer(isReversed ? c.count - 1 - rank : rank);
  if (withScore) sink.double(sortedSets.score);
  return HandlerStatus.DONE;
}

/** The rows of this family. Thread: any; a thread makes its own at start. */
export function sortedSetRows(): CommandRow[] {
  const adder = new MemberAdder();
  const write = { group: "sorted-set", access: "write", firstKey: 1 } as const;
  const read = { group: "sorted-set", access: "read", firstKey: 1 } as const;
  return [
    new CommandRow({
      ...write,
      name: "zadd",
      arity: -4,
      syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
      summary: "Adds members to a sorted set, or changes their scores.",
      since: "1.2.0",
      flags: ["write", "denyoom", "fast"],
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(log N) for each member",
      reply: ["integer", "double", "nil"],
      handler: (call) => handleAdd(call, adder),
    }),
    new CommandRow({
      ...write,
      name: "zincrby",
      arity: 4,
      syntax: "key increment member",
      summary: "Adds to the score of a member, which is made if there is none.",
      since: "1.2.0",
      flags: ["write", "denyoom", "fast"],
      cost: "per-key",
      complexity: "O(log N)",
      reply: "double",
      handler: (call) => adder.add(call, Option.INCR, KEY + 1, 1),
    }),
    new CommandRow({
      ...write,
      name: "zrem",
      arity: -3,
      syntax: "key member [member ...]",
      summary: "Removes members; the key goes with the last one.",
      since: "1.2.0",
      flags: ["write", "fast"],
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(log N) for each member",
      reply: "integer",
      handler: handleRemove,
    }),
    new CommandRow({
      ...read,
      name: "zscore",
      arity: 3,
      syntax: "key member",
      summary: "Returns the score of a member.",
      since: "1.2.0",
      flags: ["readonly", "fast"],
      cost: "per-key",
      complexity: "O(log N)",
      reply: ["double", "nil"],
      handler: handleScore,
    }),
    new CommandRow({
      ...read,
      name: "zmscore",
      arity: -3,
      syntax: "key member [member ...]",
      summary: "Returns the scores of several members.",
      since: "6.2.0",
      flags: ["readonly", "fast"],
      cost: "per-argument",
      workIsInArguments: true,
      complexity: "O(log N) for each member",
      reply: "array",
      handler: handleScores,
    }),
    new CommandRow({
      ...read,
      name: "zcard",
      arity: 2,
      syntax: "key",
      summary: "Returns how many members there are.",
      since: "1.2.0",
      flags: ["readonly", "fast"],
      reply: "integer",
      handler: handleCount,
    }),
    rankRow("zrank", "Returns the rank of a member, counted from the lowest score.", handleRank),
    rankRow(
      "zrevrank",
      "Returns the rank of a member, counted from the highest score.",
      handleReverseRank,
    ),
  ];
}

function rankRow(name: string, summary: string, handler: CommandRow["handler"]): CommandRow {
  return new CommandRow({
    name,
    // A score besides the rank is what Redis 7.2 has.
    arity: -3,
    maxArguments: 4,
    syntax: "key member [WITHSCORE]",
    summary,
    group: "sorted-set",
    since: "2.0.0",
    flags: ["readonly", "fast"],
    access: "read",
    firstKey: 1,
    cost: "per-key",
    complexity: "O(log N)",
    reply: ["integer", "nil", "array"],
    handler,
  });
}
