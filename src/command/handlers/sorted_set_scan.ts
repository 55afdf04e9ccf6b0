/**
 * `ZSCAN`: all members of a sorted set, a few at a time.
 *
 * @module
 */

import { EntryType } from "../../store/store.ts";
import { CommandRow } from "../row.ts";
import { handleCollectionScan } from "./collection_scan.ts";

/** The row of ZSCAN. Thread: any; a thread makes its own at start. */
export function sortedSetScanRow(): CommandRow {
  return new CommandRow({
    name: "zscan",
    arity: -3,
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    summary: "Returns some of the members and their scores, and a cursor to go on with.",
    group: "sorted-set",
    since: "2.8.0",
    flags: ["readonly"],
    access: "read",
    firstKey: 1,
    cost: "per-argument",
    complexity: "O(1) for every call, at most 1 ms; O(N) for all N members",
    reply: "array",
    handler: (call) => handleCollectionScan(call, EntryType.SORTED_SET),
  });
}
