/**
 * Commands on parts of a string.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import { LEASED_VALUE_BYTES } from "../../base/limits.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { findString, NOT_A_STRING } from "./string_entry.ts";
import { refuseWrite } from "./write_failure.ts";

function handleStrLen(call: CommandCall): HandlerStatus {
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  call.sink.integer(entry === 0 ? 0 : call.store.stringLength(entry));
  return HandlerStatus.DONE;
}

function handleAppend(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  const length = entry === 0 ? 0 : store.stringLength(entry);
  const added = args.length(2);
  if (entry === 0 || added > 0) {
    const status = writeAt(call, entry, length, 2);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
  }
  call.notify(NotifyClass.STRING, "append");
  sink.integer(length + added);
  return HandlerStatus.DONE;
}

function handleSetRange(call: CommandCall): HandlerStatus {
  const { args, operand, sink, store } = call;
  if (!args.int64(2, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  const offset = operand.toNumber();
  if (offset < 0) {
    sink.error(ReplyCode.BAD_ARGUMENT, "offset is out of range");
    return HandlerStatus.DONE;
  }
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  const length = entry === 0 ? 0 : store.stringLength(entry);
  const written = args.length(3);
  if (written > 0) {
    const status = writeAt(call, entry, offset, 3);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    call.notify(NotifyClass.STRING, "setrange");
  }
  sink.integer(written > 0 ? Math.max(length, offset + written) : length);
  return HandlerStatus.DONE;
}

/** Writes argument `index` to the string, from byte `offset` on. */
function writeAt(call: CommandCall, entry: number, offset: number, index: number): WriteStatus {
  const { args, store } = call;
  const { strings } = store;
  const length = args.length(index);
  const status = strings.begin(call.database, call.key, entry, offset + length, offset);
  if (status !== WriteStatus.OK) return status;
  strings.write(offset, args.bytes, args.starts[index]!, args.ends[index]!);
  strings.end();
  return WriteStatus.OK;
}

function handleGetRange(call: CommandCall): HandlerStatus {
  const { args, operand, result, sink, store } = call;
  if (!args.int64(2, operand) || !args.int64(3, result)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  const length = entry === 0 ? 0 : store.stringLength(entry);
  const start = fromEitherEnd(operand, length);
  const end = Math.min(fromEitherEnd(result, length) + 1, length);
  const isBackwards = operand.hi < 0 && result.hi < 0 && operand.toNumber() > result.toNumber();
  if (start >= end || isBackwards) {
    sink.bulk(args.bytes, 0, 0);
  } else if (
    (end - start > LEASED_VALUE_BYTES || sink.isFull) && sink.bulkSource !== undefined &&
    store.isLeasable(entry)
  ) {
    sink.bulkSource(store.lease(entry, start, end));
  } else {
    const offset = sink.bulkStart(end - start);
    store.copyStringRange(entry, start, end, sink.target, offset);
  }
  return HandlerStatus.DONE;
}

/** The index that `value` means in a string, a negative one counting from its end; at least 0. */
function fromEitherEnd(value: Int64, length: number): number {
  const index = value.toNumber();
  return Math.max(0, index < 0 ? length + index : index);
}

/** The rows of APPEND STRLEN GETRANGE SUBSTR SETRANGE. Thread: any; a thread makes its own. */
export function stringRangeRows(): CommandRow[] {
  const common = { group: "string", firstKey: 1 } as const;
  const getRange = {
    ...common,
    arity: 4,
    syntax: "key start end",
    flags: ["readonly"],
    access: "read",
    cost: "per-argument",
    complexity: "O(N) with N bytes returned",
    reply: "bulk",
    handler: handleGetRange,
  } as const;
  return [
    new CommandRow({
      ...common,
      name: "append",
      arity: 3,
      syntax: "key value",
      summary: "Appends to the string value of a key and returns the length; it may be missing.",
      since: "2.0.0",
      flags: ["write", "denyoom", "fast"],
      access: "write",
      reply: "integer",
      handler: handleAppend,
    }),
    new CommandRow({
      ...common,
      name: "strlen",
      arity: 2,
      syntax: "key",
      summary: "Returns the length of the string value of a key.",
      since: "2.2.0",
      flags: ["readonly", "fast"],
      access: "read",
      reply: "integer",
      handler: handleStrLen,
    }),
    new CommandRow({
      ...getRange,
      name: "getrange",
      summary: "Returns the bytes of a string from start to end, both included.",
      since: "2.4.0",
    }),
    new CommandRow({
      ...getRange,
      name: "substr",
      summary: "Returns the bytes of a string from start to end; an old name of GETRANGE.",
      since: "1.0.0",
    }),
    new CommandRow({
      ...common,
      name: "setrange",
      arity: 4,
      syntax: "key offset value",
      summary: "Overwrites a part of a string, filling up with zero bytes; returns its length.",
      since: "2.2.0",
      flags: ["write", "denyoom"],
      access: "write",
      reply: "integer",
      handler: handleSetRange,
    }),
  ];
}
