/**
 * `INCRBYFLOAT`.
 *
 * @module
 */

import {
  addLongDouble,
  formatLongDouble,
  type LongDouble,
  parseLongDouble,
} from "../../base/long_double.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { findString, NOT_A_STRING } from "./string_entry.ts";
import { refuseWrite } from "./write_failure.ts";

/** A longer text is no number. Unit: bytes. */
const MAX_TEXT_BYTES = 5 * 1024;
const ZERO: LongDouble = { mantissa: 0n, exponent: 0 };
const encoder = new TextEncoder();

function handleIncrByFloat(call: CommandCall): HandlerStatus {
  const { args, sink, store } = call;
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  const value = entry === 0 ? ZERO : readValue(call, entry);
  const increment = parseLongDouble(args.bytes, args.starts[2]!, args.ends[2]!);
  if (value === undefined || increment === undefined) {
    sink.error(ReplyCode.NOT_A_FLOAT);
    return HandlerStatus.DONE;
  }
  const sum = value === "infinite" || increment === "infinite"
    ? undefined
    : addLongDouble(value, increment);
  if (sum === undefined) {
    sink.error(ReplyCode.NOT_FINITE);
    return HandlerStatus.DONE;
  }
  const text = encoder.encode(formatLongDouble(sum));
  const expireAtMs = entry === 0 ? 0 : store.expireAtMs(entry);
  const status = store.setString(call.database, call.key, text, 0, text.length, expireAtMs);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.STRING, "incrbyfloat");
  sink.bulk(text, 0, text.length);
  return HandlerStatus.DONE;
}

function readValue(call: CommandCall, entry: number): LongDouble | "infinite" | undefined {
  const byteCount = call.store.stringLength(entry);
  if (byteCount > MAX_TEXT_BYTES) return undefined;
  const text = new Uint8Array(byteCount);
  call.store.copyString(entry, text, 0);
  return parseLongDouble(text, 0, byteCount);
}

/** The row of INCRBYFLOAT. Thread: any; a thread makes its own at start. */
export function floatCounterRow(): CommandRow {
  return new CommandRow({
    name: "incrbyfloat",
    arity: 3,
    syntax: "key increment",
    summary: "Adds to the number that is the value of a key; a missing key counts as 0.",
    group: "string",
    since: "2.6.0",
    flags: ["write", "denyoom", "fast"],
    access: "write",
    firstKey: 1,
    reply: "bulk",
    handler: handleIncrByFloat,
  });
}
