/**
 * Commands on hashes that reply with many fields: all of them, random ones, a few at a time.
 *
 * @module
 */

import { EntryType } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import {
  ELEMENTS,
  FIELDS_AND_VALUES,
  type RecordWriter,
  replyElement,
  replyRecords,
  writeElement,
} from "../collection_reply.ts";
import { randomRank } from "../random_ranks.ts";
import { isServedCount, readRandomCount, refuseRandomCount, replyRandom } from "../random_reply.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { handleCollectionScan } from "./collection_scan.ts";
import { openCollection } from "./open_collection.ts";

/** Writes the values of a hash. */
const VALUES: RecordWriter = {
  partCount: 1,
  write: (sink, cursor, _part, mode) => writeElement(sink, cursor.value(), mode),
};

/** Writes fields and values as pairs: arrays of two. */
const PAIRS: RecordWriter = {
  partCount: 3,
  write: (sink, cursor, part, mode) => {
    if (part > 0) return FIELDS_AND_VALUES.write(sink, cursor, part - 1, mode);
    sink.arrayStart(2);
    return 0;
  },
};

function handleHGetAll(call: CommandCall): HandlerStatus {
  const c = openCollection(call, 1, EntryType.HASH);
  if (c === undefined) return HandlerStatus.DONE;
  call.sink.mapStart(c.count);
  replyRecords(call.store, call.sink, c, 0, c.count, false, FIELDS_AND_VALUES);
  return HandlerStatus.DONE;
}

/** Runs `HKEYS` and `HVALS`. */
function replyAll(call: CommandCall, writer: RecordWriter): HandlerStatus {
  const c = openCollection(call, 1, EntryType.HASH);
  if (c === undefined) return HandlerStatus.DONE;
  call.sink.arrayStart(c.count);
  replyRecords(call.store, call.sink, c, 0, c.count, false, writer);
  return HandlerStatus.DONE;
}

function handleHRandField(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  if (args.count === 2) {
    const c = openCollection(call, 1, EntryType.HASH);
    if (c === undefined) return HandlerStatus.DONE;
    if (c.count === 0) {
      sink.nil();
    } else {
      c.cursor.seekRank(randomRank(c.count, Math.random));
      replyElement(store, sink, c.cursor.element());
    }
    return HandlerStatus.DONE;
  }
  replySomeFields(call);
  return HandlerStatus.DONE;
}

function replySomeFields(call: CommandCall): void {
  const { args, client, sink } = call;
  const count = readRandomCount(call);
  if (count === undefined) return;
  const withValues = args.count === 4 && args.is(3, "WITHVALUES");
  if (args.count > 3 && !withValues) return sink.error(ReplyCode.SYNTAX);
  // Redis doubles the count of elements there and refuses what would not fit.
  if (withValues && Math.abs(count) > 2 ** 62) return refuseRandomCount(call);
  if (!isServedCount(call, count)) return;
  const c = openCollection(call, 1, EntryType.HASH);
  if (c === undefined) return;
  if (!withValues) return replyRandom(call, c, count, ELEMENTS);
  if (client.protocol === 3) return replyRandom(call, c, count, PAIRS);
  replyRandom(call, c, count, FIELDS_AND_VALUES, 2);
}

/** The rows of HGETALL HKEYS HVALS HRANDFIELD HSCAN. Thread: any; a thread makes its own. */
export function hashReplyRows(): CommandRow[] {
  const common = {
    group: "hash",
    since: "2.0.0",
    flags: ["readonly"],
    access: "read",
    firstKey: 1,
    cost: "per-argument",
  } as const;
  const all = {
    ...common,
    arity: 2,
    syntax: "key",
    complexity: "O(N) with N fields; a long reply is made as the client takes it",
  } as const;
  return [
    new CommandRow({
      ...all,
      name: "hgetall",
      summary: "Returns all fields of a hash and their values.",
      reply: "map",
      handler: handleHGetAll,
    }),
    new CommandRow({
      ...all,
      name: "hkeys",
      summary: "Returns all fields of a hash.",
      reply: "array",
      handler: (call) => replyAll(call, ELEMENTS),
    }),
    new CommandRow({
      ...all,
      name: "hvals",
      summary: "Returns the values of all fields of a hash.",
      reply: "array",
      handler: (call) => replyAll(call, VALUES),
    }),
    new CommandRow({
      ...common,
      name: "hrandfield",
      arity: -2,
      syntax: "key [count [WITHVALUES]]",
      summary: "Returns random fields of a hash; more than once if the count is negative.",
      since: "6.2.0",
      constantArguments: 2,
      complexity: "O(N log M) with N fields returned of M",
      reply: ["bulk", "nil", "array"],
      handler: handleHRandField,
    }),
    new CommandRow({
      ...common,
      name: "hscan",
      arity: -3,
      syntax: "key cursor [MATCH pattern] [COUNT count]",
      summary: "Returns some fields of a hash, and a cursor to go on with; 0 starts and ends.",
      since: "2.8.0",
      complexity: "O(1) for every call, at most 1 ms; O(N) for all N fields",
      reply: "array",
      handler: (call) => handleCollectionScan(call, EntryType.HASH),
    }),
  ];
}
