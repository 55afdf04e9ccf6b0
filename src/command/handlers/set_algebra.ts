/**
 * `SINTER`, `SUNION`, `SDIFF` and `SINTERCARD`.
 *
 * What is small is combined at once, under the locks. Large sets are leased, all at one moment, and
 * searched in slices without any lock; the reply is what they were at that moment.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import type { CommandArguments } from "../arguments.ts";
import type { CommandCall } from "../call.ts";
import { ELEMENTS } from "../collection_reply.ts";
import { RankedRecords } from "../ranked_reply.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { streamReplies } from "../reply_source.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { SetOperation, SetSearch } from "../set_search.ts";
import type { Slices } from "../slices.ts";
import { SourceSets } from "./source_sets.ts";

/** Replies with what was found; what is leased belongs to the reply from then on. */
type FoundReply = (sink: ReplySink, search: SetSearch, sources: SourceSets) => void;

function replyMembers(sink: ReplySink, search: SetSearch, sources: SourceSets): void {
  sink.setStart(search.total);
  const records = new RankedRecords(search.inputs, search.ranges, ELEMENTS);
  if (sources.areSmall) records.writeNext(sink, Infinity);
  else streamReplies(sink, records);
}

function replyTotal(sink: ReplySink, search: SetSearch, sources: SourceSets): void {
  sink.integer(search.total);
  sources.release();
}

/** Combines the sets of the keys that the arguments from `first` to `end` name. */
function combine(
  call: CommandCall,
  operation: SetOperation,
  first: number,
  end: number,
  limit: number,
  reply: FoundReply,
): HandlerStatus {
  const { sink } = call;
  const sources = SourceSets.capture(call, first, end);
  if (sources === undefined) return HandlerStatus.DONE;
  const search = new SetSearch(operation, sources.inputs, limit);
  const slices = sources.areSmall ? undefined : call.slices();
  if (slices === undefined || search.advance(slices)) {
    search.advance(undefined);
    reply(sink, search, sources);
    return HandlerStatus.DONE;
  }
  call.later = combineLater(slices, sink, search, sources, reply);
  return HandlerStatus.LATER;
}

async function combineLater(
  slices: Slices,
  sink: ReplySink,
  search: SetSearch,
  sources: SourceSets,
  reply: FoundReply,
): Promise<HandlerStatus> {
  do await slices.next(); while (!search.advance(slices));
  reply(sink, search, sources);
  return HandlerStatus.DONE;
}

function handleCard(call: CommandCall): HandlerStatus {
  const { args, operand, sink } = call;
  const end = endOfKeys(args);
  if (end === undefined) {
    const isNumber = args.int64(1, operand) && operand.hi >= 0 && operand.toNumber() > 0;
    sink.error(
      ReplyCode.BAD_ARGUMENT,
      isNumber
        ? "Number of keys can't be greater than number of args"
        : "numkeys should be greater than 0",
    );
    return HandlerStatus.DONE;
  }
  let limit = 0;
  for (let i = end; i < args.count; i += 2) {
    if (!args.is(i, "LIMIT") || i + 1 === args.count) {
      sink.error(ReplyCode.SYNTAX);
      return HandlerStatus.DONE;
    }
    if (!args.int64(i + 1, operand) || operand.hi < 0) {
      sink.error(ReplyCode.BAD_ARGUMENT, "LIMIT can't be negative");
      return HandlerStatus.DONE;
    }
    limit = operand.toNumber();
  }
  const most = limit === 0 ? Infinity : limit;
  return combine(call, SetOperation.INTERSECTION, 2, end, most, replyTotal);
}

/** Behind the last key of `SINTERCARD numkeys key …`; undefined when the number cannot be right. */
function endOfKeys(args: CommandArguments): number | undefined {
  const number = new Int64();
  if (!args.int64(1, number) || number.hi < 0) return undefined;
  const keyCount = number.toNumber();
  return keyCount < 1 || keyCount > args.count - 2 ? undefined : 2 + keyCount;
}

function findCardKeys(args: CommandArguments, visit: (index: number) => void): boolean {
  const end = endOfKeys(args);
  if (end === undefined) return false;
  for (let i = 2; i < end; i++) visit(i);
  return true;
}

/** The rows of SINTER SUNION SDIFF SINTERCARD. Thread: any; a thread makes its own at start. */
export function setAlgebraRows(): CommandRow[] {
  const common = {
    group: "set",
    since: "1.0.0",
    flags: ["readonly"],
    access: "read",
    cost: "per-argument",
  } as const;
  const many = {
    ...common,
    arity: -2,
    syntax: "key [key ...]",
    firstKey: 1,
    lastKey: -1,
    reply: "set",
  } as const;
  const run = (operation: SetOperation) => (call: CommandCall) =>
    combine(call, operation, 1, call.args.count, Infinity, replyMembers);
  return [
    new CommandRow({
      ...many,
      name: "sinter",
      summary: "Returns the members that all sets have, as of one moment.",
      complexity: "O(N * M) with N members of the smallest of M sets; large ones in slices",
      handler: run(SetOperation.INTERSECTION),
    }),
    new CommandRow({
      ...many,
      name: "sunion",
      summary: "Returns the members that any of the sets has, as of one moment.",
      complexity: "O(N * M) with N members of all M sets; large ones in slices",
      handler: run(SetOperation.UNION),
    }),
    new CommandRow({
      ...many,
      name: "sdiff",
      summary: "Returns the members of the first set that no other has, as of one moment.",
      complexity: "O(N * M) with N members of the first of M sets; large ones in slices",
      handler: run(SetOperation.DIFFERENCE),
    }),
    new CommandRow({
      ...common,
      name: "sintercard",
      arity: -3,
      syntax: "numkeys key [key ...] [LIMIT limit]",
      summary: "Returns how many members all sets have; stops counting at the limit.",
      since: "7.0.0",
      flags: ["readonly", "movablekeys"],
      findKeys: findCardKeys,
      complexity: "O(N * M) with N members of the smallest of M sets; large ones in slices",
      reply: "integer",
      handler: handleCard,
    }),
  ];
}
