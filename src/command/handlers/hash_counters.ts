/**
 * `HINCRBY` and `HINCRBYFLOAT`: fields whose values are numbers.
 *
 * @module
 */

import { addInt64, formatInt64, INT64_MAX_DECIMAL_BYTES, parseInt64 } from "../../base/int64.ts";
import {
  addLongDouble,
  formatLongDouble,
  type LongDouble,
  parseLongDouble,
} from "../../base/long_double.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import type { Collection } from "../../store/collection/collection.ts";
import type { ElementView } from "../../store/collection/element.ts";
import { EntryType, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { openCollection } from "./open_collection.ts";
import { refuseWrite } from "./write_failure.ts";

/** A longer text is no number. Unit: bytes. */
const MAX_TEXT_BYTES = 1024;
const ZERO: LongDouble = { mantissa: 0n, exponent: 0 };
const encoder = new TextEncoder();

function refuse(call: CommandCall, code: ReplyCode, detail?: string): HandlerStatus {
  call.sink.error(code, detail);
  return HandlerStatus.DONE;
}

/** The value of the field that argument 2 names; undefined when there is none. */
function findValue(call: CommandCall, c: Collection): ElementView | undefined {
  const { args, store } = call;
  const found = store.collections.hashes.find(c, args.bytes, args.starts[2]!, args.ends[2]!);
  return found ? c.cursor.value() : undefined;
}

function setValue(
  call: CommandCall,
  c: Collection,
  text: Uint8Array,
  byteCount: number,
): WriteStatus {
  const { args, store } = call;
  const { hashes } = store.collections;
  return hashes.putField(c, args.bytes, args.starts[2]!, args.ends[2]!, text, 0, byteCount);
}

/** Makes the handler of `HINCRBY`, which has a place of its own for the digits. */
function makeHIncrBy(): (call: CommandCall) => HandlerStatus {
  const digits = new Uint8Array(INT64_MAX_DECIMAL_BYTES);
  return (call) => {
    const { operand, result, sink } = call;
    if (!call.args.int64(3, operand)) return refuse(call, ReplyCode.NOT_AN_INTEGER);
    const c = openCollection(call, 1, EntryType.HASH);
    if (c === undefined) return HandlerStatus.DONE;
    const value = findValue(call, c);
    result.hi = result.lo = 0;
    if (value !== undefined && !parseInt64(value.bytes, value.start, value.end, result)) {
      return refuse(call, ReplyCode.BAD_ARGUMENT, "hash value is not an integer");
    }
    if (!addInt64(result, operand, result)) return refuse(call, ReplyCode.OVERFLOW);
    const byteCount = formatInt64(result.hi, result.lo, digits, 0);
    const status = setValue(call, c, digits, byteCount);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    call.notify(NotifyClass.HASH, "hincrby");
    sink.int64(result);
    return HandlerStatus.DONE;
  };
}

function handleHIncrByFloat(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  const increment = parseLongDouble(args.bytes, args.starts[3]!, args.ends[3]!);
  if (increment === undefined) return refuse(call, ReplyCode.NOT_A_FLOAT);
  if (increment === "infinite") {
    return refuse(call, ReplyCode.BAD_ARGUMENT, "value is NaN or Infinity");
  }
  const c = openCollection(call, 1, EntryType.HASH);
  if (c === undefined) return HandlerStatus.DONE;
  const view = findValue(call, c);
  const value = view === undefined ? ZERO : readFloat(view);
  if (value === undefined) return refuse(call, ReplyCode.BAD_ARGUMENT, "hash value is not a float");
  const sum = value === "infinite" ? undefined : addLongDouble(value, increment);
  if (sum === undefined) return refuse(call, ReplyCode.NOT_FINITE);
  const text = encoder.encode(formatLongDouble(sum));
  const status = setValue(call, c, text, text.length);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.HASH, "hincrbyfloat");
  sink.bulk(text, 0, text.length);
  return HandlerStatus.DONE;
}

function readFloat(view: ElementView): LongDouble | "infinite" | undefined {
  if (view.byteCount > MAX_TEXT_BYTES) return undefined;
  return parseLongDouble(view.toBytes(), 0, view.byteCount);
}

/** The rows of HINCRBY HINCRBYFLOAT. Thread: any; a thread makes its own at start. */
export function hashCounterRows(): CommandRow[] {
  const common = {
    group: "hash",
    arity: 4,
    syntax: "key field increment",
    flags: ["write", "denyoom", "fast"],
    access: "write",
    firstKey: 1,
  } as const;
  return [
    new CommandRow({
      ...common,
      name: "hincrby",
      summary: "Adds to the integer that is the value of a field; a missing field counts as 0.",
      since: "2.0.0",
      reply: "integer",
      handler: makeHIncrBy(),
    }),
    new CommandRow({
      ...common,
      name: "hincrbyfloat",
      summary: "Adds to the number that is the value of a field; a missing field counts as 0.",
      since: "2.6.0",
      reply: "bulk",
      handler: handleHIncrByFloat,
    }),
  ];
}
