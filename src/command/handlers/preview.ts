/**
 * What a key holds, at one glance: for who looks at keys of any type and size. Not a command that
 * clients can name; routes of HTTP run its row.
 *
 * @module
 */

import { formatDouble } from "../../base/double.ts";
import type { ElementView } from "../../store/collection/element.ts";
import { EntryType } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import type { ReplySink } from "../reply_sink.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { typeName } from "./type_names.ts";

/** Elements that are shown. Reason: some 5 µs under the lock. */
const SHOWN_ELEMENTS = 20;

/** Bytes of each part that are shown. */
const SHOWN_PART_BYTES = 256;

/** Bytes of a string that are shown. */
const SHOWN_STRING_BYTES = 4096;

/** Elements of the reply in front of the parts. */
export const PREVIEW_HEAD_ELEMENTS = 5;

/**
 * Replies nil, or: type, encoding, ms to live or -1, bytes of memory, bytes or elements of the value;
 * then for each part that is shown its bytes in all and as many of them as are shown; a field and
 * its value, a member and its score (a part that is always whole) follow each other.
 */
function handlePreview(call: CommandCall): HandlerStatus {
  const { sink, store } = call;
  const entry = store.peek(call.database, call.key);
  if (entry === 0) {
    sink.nil();
    return HandlerStatus.DONE;
  }
  const { keyspace, collections } = store;
  const type = store.entryType(entry);
  const expireAtMs = store.expireAtMs(entry);
  sink.arrayStart(0);
  sink.bulkText(typeName(type));
  sink.bulkText(keyspace.encodingName(entry));
  sink.bulkText(String(expireAtMs === 0 ? -1 : Math.max(0, expireAtMs - store.nowMs)));
  sink.bulkText(String(keyspace.memoryBytes(entry)));
  if (type === EntryType.STRING) {
    const byteCount = store.stringLength(entry);
    const shown = Math.min(byteCount, SHOWN_STRING_BYTES);
    sink.bulkText(String(byteCount));
    sink.bulkText(String(byteCount));
    const offset = sink.bulkStart(shown);
    store.copyStringRange(entry, 0, shown, sink.target, offset);
    return HandlerStatus.DONE;
  }
  const c = collections.handle(0);
  collections.openEntry(c, entry);
  sink.bulkText(String(c.count));
  const { cursor } = c;
  let hasMore = cursor.seekFirst();
  for (let i = 0; hasMore && i < SHOWN_ELEMENTS; i++) {
    addPart(sink, cursor.element());
    if (type === EntryType.HASH) addPart(sink, cursor.value());
    if (type === EntryType.SORTED_SET) {
      const score = formatDouble(cursor.score());
      sink.bulkText(String(score.length));
      sink.bulkText(score);
    }
    hasMore = cursor.next();
  }
  return HandlerStatus.DONE;
}

function addPart(sink: ReplySink, part: ElementView): void {
  const shown = Math.min(part.byteCount, SHOWN_PART_BYTES);
  sink.bulkText(String(part.byteCount));
  const offset = sink.bulkStart(shown);
  part.copyRange(0, shown, sink.target, offset);
}

/** The row. Thread: any; a thread makes its own at start. */
export function previewRow(): CommandRow {
  return new CommandRow({
    name: "preview",
    arity: 2,
    syntax: "key",
    summary: "Returns what a key holds, at one glance.",
    group: "generic",
    since: "0.1.0",
    flags: ["readonly", "skip_monitor", "skip_slowlog"],
    access: "read",
    firstKey: 1,
    // Whoever only looks does not use the key.
    countsLookups: false,
    reply: ["array", "nil"],
    handler: handlePreview,
  });
}
