/**
 * Commands that set, or get and change, one string: what `SET` has as options, older.
 *
 * @module
 */

import { Int64 } from "../../base/int64.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { Expiry, expiryOf, expiryOption, refuseExpiry } from "./expiry_options.ts";
import { findString, NOT_A_STRING } from "./string_entry.ts";
import { replyString } from "./string_reply.ts";
import { refuseWrite } from "./write_failure.ts";

/** Sets the key to argument `index`. */
function setTo(call: CommandCall, index: number, expireAtMs: number): WriteStatus {
  const { args } = call;
  const start = args.starts[index]!;
  const end = args.ends[index]!;
  return call.store.setString(call.database, call.key, args.bytes, start, end, expireAtMs);
}

function handleSetNx(call: CommandCall): HandlerStatus {
  if (call.store.lookup(call.database, call.key) !== 0) {
    call.sink.integer(0);
    return HandlerStatus.DONE;
  }
  const status = setTo(call, 2, 0);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.STRING, "set");
  call.sink.integer(1);
  return HandlerStatus.DONE;
}

/** Runs `SETEX` and `PSETEX`. */
function setWithTime(call: CommandCall, options: number): HandlerStatus {
  const { operand } = call;
  if (!call.args.int64(2, operand)) {
    call.sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  const expireAtMs = expiryOf(options, operand, call.store.nowMs);
  if (expireAtMs < 0) return refuseExpiry(call);
  const status = setTo(call, 3, expireAtMs);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.STRING, "set");
  call.notify(NotifyClass.GENERIC, "expire");
  call.sink.ok();
  return HandlerStatus.DONE;
}

function handleGetSet(call: CommandCall): HandlerStatus {
  const { sink } = call;
  const before = sink.mark();
  // The old value is gone once the new one is set, so it is copied or leased first.
  if (!replyString(call, call.store.lookup(call.database, call.key))) return HandlerStatus.DONE;
  const status = setTo(call, 2, 0);
  if (status !== WriteStatus.OK) {
    sink.rewind(before);
    return refuseWrite(call, status);
  }
  call.notify(NotifyClass.STRING, "set");
  return HandlerStatus.DONE;
}

function handleGetDel(call: CommandCall): HandlerStatus {
  const { store } = call;
  const entry = store.lookup(call.database, call.key);
  if (!replyString(call, entry) || entry === 0) return HandlerStatus.DONE;
  store.remove(call.database, call.key);
  call.notify(NotifyClass.GENERIC, "del");
  return HandlerStatus.DONE;
}

function handleGetEx(call: CommandCall): HandlerStatus {
  const { store, sink } = call;
  const time = new Int64();
  const options = readGetExOptions(call, time);
  if (options < 0) return HandlerStatus.DONE;
  const entry = findString(call, 1);
  if (entry === NOT_A_STRING) return HandlerStatus.DONE;
  let expireAtMs = 0;
  if (entry !== 0 && (options & Expiry.GIVEN) !== 0) {
    if ((options & Expiry.NOT_AN_INTEGER) !== 0) {
      sink.error(ReplyCode.NOT_AN_INTEGER);
      return HandlerStatus.DONE;
    }
    expireAtMs = expiryOf(options, time, store.nowMs);
    if (expireAtMs < 0) return refuseExpiry(call);
  }
  const before = sink.mark();
  replyString(call, entry);
  if (entry === 0 || options === 0) return HandlerStatus.DONE;
  if (expireAtMs > 0 && expireAtMs <= store.nowMs) {
    store.remove(call.database, call.key);
    call.notify(NotifyClass.GENERIC, "del");
    return HandlerStatus.DONE;
  }
  if (expireAtMs === 0 && store.expireAtMs(entry) === 0) return HandlerStatus.DONE;
  const status = store.setExpiry(call.database, call.key, expireAtMs);
  if (status !== WriteStatus.OK) {
    sink.rewind(before);
    return refuseWrite(call, status);
  }
  call.notify(NotifyClass.GENERIC, expireAtMs === 0 ? "persist" : "expire");
  return HandlerStatus.DONE;
}

/** Bits of {@link Expiry}, or -1 when an error was replied. */
function readGetExOptions(call: CommandCall, time: Int64): number {
  const { args, sink } = call;
  let options = 0;
  for (let i = 2; i < args.count; i++) {
    const expiry = expiryOption(args, i);
    if (args.is(i, "PERSIST") && options === 0) {
      options = Expiry.PERSIST;
    } else if (expiry !== 0 && options === 0 && i + 1 < args.count) {
      options = expiry;
      if (!args.int64(++i, time)) options |= Expiry.NOT_AN_INTEGER;
    } else {
      sink.error(ReplyCode.SYNTAX);
      return -1;
    }
  }
  return options;
}

/** The rows of SETNX SETEX PSETEX GETSET GETDEL GETEX. Thread: any; a thread makes its own. */
export function stringVariantRows(): CommandRow[] {
  const write = {
    group: "string",
    flags: ["write", "denyoom"],
    access: "write",
    firstKey: 1,
  } as const;
  return [
    new CommandRow({
      ...write,
      name: "setnx",
      arity: 3,
      syntax: "key value",
      summary: "Sets the string value of a key, unless it exists.",
      since: "1.0.0",
      flags: ["write", "denyoom", "fast"],
      reply: "integer",
      handler: handleSetNx,
    }),
    new CommandRow({
      ...write,
      name: "setex",
      arity: 4,
      syntax: "key seconds value",
      summary: "Sets the string value of a key, and in how many seconds it expires.",
      since: "2.0.0",
      reply: "ok",
      handler: (call) => setWithTime(call, Expiry.GIVEN | Expiry.IN_SECONDS),
    }),
    new CommandRow({
      ...write,
      name: "psetex",
      arity: 4,
      syntax: "key milliseconds value",
      summary: "Sets the string value of a key, and in how many milliseconds it expires.",
      since: "2.6.0",
      reply: "ok",
      handler: (call) => setWithTime(call, Expiry.GIVEN),
    }),
    new CommandRow({
      ...write,
      name: "getset",
      arity: 3,
      syntax: "key value",
      summary: "Sets the string value of a key and returns the one before.",
      since: "1.0.0",
      flags: ["write", "denyoom", "fast"],
      reply: ["bulk", "nil"],
      countsLookups: true,
      handler: handleGetSet,
    }),
    new CommandRow({
      ...write,
      name: "getdel",
      arity: 2,
      syntax: "key",
      summary: "Returns the string value of a key and deletes the key.",
      since: "6.2.0",
      flags: ["write", "fast"],
      reply: ["bulk", "nil"],
      countsLookups: true,
      handler: handleGetDel,
    }),
    new CommandRow({
      ...write,
      name: "getex",
      arity: -2,
      syntax: "key [EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | PERSIST]",
      summary: "Returns the string value of a key and changes when it expires.",
      since: "6.2.0",
      flags: ["write", "fast"],
      reply: ["bulk", "nil"],
      countsLookups: true,
      handler: handleGetEx,
    }),
  ];
}
