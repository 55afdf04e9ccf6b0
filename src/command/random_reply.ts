/**
 * `HRANDFIELD` and `SRANDMEMBER` with a count: what they have in common, and `ZRANDMEMBER` with them.
 *
 * @module
 */

import { negateInt64 } from "../base/int64.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { CommandCall } from "./call.ts";
import type { RecordWriter } from "./collection_reply.ts";
import { pickRanks } from "./random_ranks.ts";
import { RandomRecords, RankedRecords } from "./ranked_reply.ts";
import { ReplyCode } from "./reply_code.ts";
import { streamReplies } from "./reply_source.ts";

/**
 * So many elements of a pick are chosen one by one; a larger pick has as many runs of neighbours.
 *
 * Reason: choosing takes 0.1 µs for each, and they are kept until the reply is complete.
 */
const MOST_RANGES = 1024;
/** A collection that takes less is replied under the lock. Unit: bytes. */
const AT_ONCE_BYTES = 16_384;
/** So many repetitions are replied under the lock, of such a small collection. */
const AT_ONCE_REPEATS = 32;
/**
 * Most elements that a client gets with repetitions.
 *
 * Reason: a connection that asks for more would be busy for hours.
 */
const MOST_REPEATS = 2 ** 31 - 1;

const RANGE_TEXT =
  "value is out of range, value must between -9223372036854775807 and 9223372036854775807";

/**
 * Reads the count that argument 2 is; undefined when it is none and the error was replied.
 *
 * @returns positive: so many different ones, if there are; negative: so many, with repetitions
 */
export function readRandomCount(call: CommandCall): number | undefined {
  const { args, operand, sink } = call;
  if (!args.int64(2, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return undefined;
  }
  if (!negateInt64(operand, call.result)) {
    sink.error(ReplyCode.BAD_ARGUMENT, RANGE_TEXT);
    return undefined;
  }
  return operand.toNumber();
}

/** Says that a count is too large to be served. */
export function refuseRandomCount(call: CommandCall): void {
  call.sink.error(ReplyCode.BAD_ARGUMENT, "value is out of range");
}

/** Whether a count is one that {@link replyRandom} serves; if not, the error was replied. */
export function isServedCount(call: CommandCall, count: number): boolean {
  if (count >= -MOST_REPEATS) return true;
  refuseRandomCount(call);
  return false;
}

/**
 * Replies with an array of random records: `count` different ones, or with repetitions if it is
 * negative. A long reply comes from a lease. Needs the lock, shared is enough.
 *
 * Thread: the connection's I/O thread.
 *
 * @param repliesPerRecord elements of the array that `writer` makes of each
 */
export function replyRandom(
  call: CommandCall,
  c: Collection,
  count: number,
  writer: RecordWriter,
  repliesPerRecord = 1,
): void {
  const { sink, store } = call;
  const random = Math.random;
  const replyCount = c.count === 0 ? 0 : count < 0 ? -count : Math.min(count, c.count);
  sink.arrayStart(replyCount * repliesPerRecord);
  if (replyCount === 0) return;
  const isSmall = store.collections.footprintBytes(c) <= AT_ONCE_BYTES &&
    count >= -AT_ONCE_REPEATS;
  const input = isSmall ? { cursor: c.cursor, count: c.count } : store.collectionLeases.take(c);
  const source = count < 0
    ? new RandomRecords(input, replyCount, random, writer)
    : new RankedRecords([input], [pickRanks(c.count, replyCount, MOST_RANGES, random)], writer);
  if (isSmall) source.writeNext(sink, Infinity);
  else streamReplies(sink, source);
}
