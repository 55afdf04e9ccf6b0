/**
 * `ZSCAN`: all members of a sorted set, a few at a time.
 *
 * @module
 */

import { formatDouble } from "../../base/double.ts";
import type { Collection } from "../../store/collection/collection.ts";
import type { ElementView } from "../../store/collection/element.ts";
import type { CommandCall } from "../call.ts";
import { isMatchAll, matchesGlobBytes } from "../../base/glob.ts";
import { replyElement } from "../member_reply.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { integerAt, openSortedSet, refused } from "./sorted_set_entry.ts";
import { MAX_PATTERN_BYTES } from "./scan.ts";

/** Members that a call looks at, unless it says otherwise. */
const DEFAULT_COUNT = 10;
/** A call looks at no more. Reason: C14, some 0.5 ms, and C13; the client goes on with the cursor. */
const MOST_MEMBERS = 2048;
/** A call that has found so many bytes of members ends. Reason: C13. */
const MOST_BYTES = 65536;
/** Positions are hashes of 32 bits. */
const POSITIONS = 2 ** 32;

/** Runs `ZSCAN key cursor [MATCH pattern] [COUNT count]`. */
function handleScan(call: CommandCall): HandlerStatus {
  const { args } = call;
  const text = args.length(2) > 20 ? "" : args.text(2);
  if (!/^[+-]?\d+$/.test(text)) return refused(call, ReplyCode.BAD_ARGUMENT, "invalid cursor");
  const c = openSortedSet(call, 1, false);
  if (c === undefined) return HandlerStatus.DONE;
  if (!c.exists) {
    replyPage(call, 0, 0);
    return HandlerStatus.DONE;
  }
  let count = DEFAULT_COUNT;
  let pattern: Uint8Array | undefined = undefined;
  for (let i = 3; i < args.count; i += 2) {
    if (i + 1 === args.count) return refused(call, ReplyCode.SYNTAX);
    if (args.is(i, "COUNT")) {
      const asked = integerAt(call, i + 1);
      if (asked === undefined) return refused(call, ReplyCode.NOT_AN_INTEGER);
      if (asked < 1) return refused(call, ReplyCode.SYNTAX);
      count = Math.min(asked, MOST_MEMBERS);
    } else if (args.is(i, "MATCH")) {
      if (args.length(i + 1) > MAX_PATTERN_BYTES) {
        const detail = `a pattern must have at most ${MAX_PATTERN_BYTES} bytes`;
        return refused(call, ReplyCode.BAD_ARGUMENT, detail);
      }
      pattern = args.bytes.subarray(args.starts[i + 1]!, args.ends[i + 1]!);
      if (isMatchAll(pattern)) pattern = undefined;
    } else {
      return refused(call, ReplyCode.SYNTAX);
    }
  }
  // As Redis reads it, a negative cursor is a very large one.
  const asked = Number(text);
  const position = asked < 0 ? POSITIONS - 1 : Math.min(asked, POSITIONS - 1);
  scan(call, c, position, count, pattern);
  return HandlerStatus.DONE;
}

/** Replies with the members from a position on: first finds out which, then writes them. */
function scan(
  call: CommandCall,
  c: Collection,
  position: number,
  count: number,
  pattern: Uint8Array | undefined,
): void {
  const { hashes, sortedSets } = call.store.collections;
  const matches: boolean[] = [];
  const cursor = sortedSets.scanFrom(c, position);
  let last = 0;
  let bytes = 0;
  let found = 0;
  while (
    cursor.isValid &&
    ((matches.length < count && bytes < MOST_BYTES) || !hashes.mayPause(c, cursor, last))
  ) {
    last = cursor.order;
    const element = cursor.element();
    bytes += element.byteCount;
    const isMatch = pattern === undefined || isLike(element, pattern);
    matches.push(isMatch);
    if (isMatch) found++;
    cursor.next();
  }
  replyPage(call, hashes.scanPosition(cursor), found);
  if (found === 0) return;
  const again = sortedSets.scanFrom(c, position);
  for (const isMatch of matches) {
    if (isMatch) {
      replyElement(call.sink, call.store, again.element());
      // Text in version 3, too.
      call.sink.bulkText(formatDouble(again.score()));
    }
    again.next();
  }
}

function replyPage({ sink }: CommandCall, next: number, members: number): void {
  sink.arrayStart(2);
  sink.bulkText(String(next));
  sink.arrayStart(2 * members);
}

function isLike(element: ElementView, pattern: Uint8Array): boolean {
  const { bytes, start, end, byteCount } = element;
  if (element.longRoot === 0) return matchesGlobBytes(pattern, bytes, start, end);
  return matchesGlobBytes(pattern, element.toBytes(), 0, byteCount);
}

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
    cost: "whole-table",
    complexity: `O(1) for every call, which looks at ${MOST_MEMBERS} members at most; O(N) for all`,
    reply: "array",
    handler: handleScan,
  });
}
