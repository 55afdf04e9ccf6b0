/**
 * Commands on the times to live of keys.
 *
 * @module
 */

import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { MAX_EXPIRE_AT_MS, WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { refuseExpiryOption } from "../refusals.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, type Handler, HandlerStatus } from "../row.ts";
import { refuseWrite } from "./write_failure.ts";

/** Bits of what the options ask for. */
const Option = { NX: 1, XX: 2, GT: 4, LT: 8 } as const;

/** Where int64 ends. A double that is less than 1 away from it is equal to it. Unit: ms. */
const INT64_END = 2 ** 63;

/** How a command counts time. */
interface TimeUnit {
  /** Milliseconds in one. */
  readonly unitMs: number;
  /** Whether it counts from 1970 and not from now. */
  readonly isAbsolute: boolean;
}

/** Runs `EXPIRE key time [NX | XX | GT | LT]` and its kin. The key's lock is held exclusively. */
function handleExpire(call: CommandCall, { unitMs, isAbsolute }: TimeUnit): HandlerStatus {
  const { args, store, sink, key, operand } = call;
  const options = readOptions(call);
  if (options < 0) return HandlerStatus.DONE;
  if (!args.int64(2, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  const amountMs = operand.toNumber() * unitMs;
  const expireAtMs = amountMs + (isAbsolute ? 0 : store.nowMs);
  if (amountMs < -INT64_END || expireAtMs > INT64_END) return refuseTime(call);
  const entry = store.lookup(call.database, key);
  if (entry === 0 || !allows(options, store.expireAtMs(entry), expireAtMs)) {
    sink.integer(0);
    return HandlerStatus.DONE;
  }
  if (expireAtMs <= store.nowMs) {
    store.remove(call.database, key);
    call.notify(NotifyClass.GENERIC, "del");
  } else if (expireAtMs > MAX_EXPIRE_AT_MS) {
    return refuseTime(call);
  } else {
    const status = store.setExpiry(call.database, key, expireAtMs);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    call.notify(NotifyClass.GENERIC, "expire");
  }
  sink.integer(1);
  return HandlerStatus.DONE;
}

function refuseTime(call: CommandCall): HandlerStatus {
  call.sink.error(ReplyCode.BAD_ARGUMENT, `invalid expire time in '${call.row.name}' command`);
  return HandlerStatus.DONE;
}

/** Bits of {@link Option}, or -1 when an error was replied. */
function readOptions(call: CommandCall): number {
  const { args, sink } = call;
  let options = 0;
  for (let i = 3; i < args.count; i++) {
    if (args.is(i, "NX")) options |= Option.NX;
    else if (args.is(i, "XX")) options |= Option.XX;
    else if (args.is(i, "GT")) options |= Option.GT;
    else if (args.is(i, "LT")) options |= Option.LT;
    else {
      refuseExpiryOption(args, i, sink);
      return -1;
    }
  }
  if ((options & Option.NX) !== 0 && options !== Option.NX) {
    sink.error(
      ReplyCode.BAD_ARGUMENT,
      "NX and XX, GT or LT options at the same time are not compatible",
    );
    return -1;
  }
  if ((options & Option.GT) !== 0 && (options & Option.LT) !== 0) {
    sink.error(
      ReplyCode.BAD_ARGUMENT,
      "GT and LT options at the same time are not compatible",
    );
    return -1;
  }
  return options;
}

/** Whether the options allow to replace a time, where 0 means never, by another. */
function allows(options: number, beforeMs: number, afterMs: number): boolean {
  if ((options & Option.NX) !== 0 && beforeMs !== 0) return false;
  if ((options & Option.XX) !== 0 && beforeMs === 0) return false;
  if ((options & Option.GT) !== 0 && (beforeMs === 0 || afterMs <= beforeMs)) return false;
  return (options & Option.LT) === 0 || beforeMs === 0 || afterMs < beforeMs;
}

/** Runs `TTL key` and its kin. The key's lock is held. */
function handleTimeLeft(call: CommandCall, { unitMs, isAbsolute }: TimeUnit): HandlerStatus {
  const { store, sink } = call;
  const entry = store.peek(call.database, call.key);
  store.access.note(entry !== 0);
  const expireAtMs = entry === 0 ? 0 : store.expireAtMs(entry);
  if (expireAtMs === 0) {
    sink.integer(entry === 0 ? -2 : -1);
    return HandlerStatus.DONE;
  }
  const timeMs = isAbsolute ? expireAtMs : expireAtMs - store.nowMs;
  sink.integer(unitMs === 1 ? timeMs : Math.floor((timeMs + unitMs / 2) / unitMs));
  return HandlerStatus.DONE;
}

/** `PERSIST key` */
function handlePersist(call: CommandCall): HandlerStatus {
  const { store, sink, key } = call;
  const entry = store.lookup(call.database, key);
  const hasExpiry = entry !== 0 && store.expireAtMs(entry) !== 0;
  if (hasExpiry) {
    const status = store.setExpiry(call.database, key, 0);
    if (status !== WriteStatus.OK) return refuseWrite(call, status);
    call.notify(NotifyClass.GENERIC, "persist");
  }
  sink.integer(hasExpiry ? 1 : 0);
  return HandlerStatus.DONE;
}

function expireRow(name: string, since: string, word: string, unit: TimeUnit): CommandRow {
  return new CommandRow({
    name,
    arity: -3,
    syntax: `key ${word} [NX | XX | GT | LT]`,
    summary: unit.isAbsolute
      ? `Sets the time at which a key expires, in ${unitName(unit)} since 1970.`
      : `Sets how long a key lives, in ${unitName(unit)}.`,
    group: "generic",
    since,
    flags: ["write", "fast"],
    access: "write",
    firstKey: 1,
    lastKey: 1,
    cost: "constant",
    complexity: "O(1)",
    reply: "integer",
    handler: (call) => handleExpire(call, unit),
  });
}

function timeRow(name: string, since: string, summary: string, handler: Handler): CommandRow {
  return new CommandRow({
    name,
    arity: 2,
    syntax: "key",
    summary,
    group: "generic",
    since,
    flags: ["readonly", "fast"],
    access: "read",
    firstKey: 1,
    lastKey: 1,
    cost: "constant",
    complexity: "O(1)",
    reply: "integer",
    handler,
  });
}

function unitName({ unitMs }: TimeUnit): string {
  return unitMs === 1 ? "milliseconds" : "seconds";
}

/**
 * The rows of EXPIRE PEXPIRE EXPIREAT PEXPIREAT EXPIRETIME PEXPIRETIME TTL PTTL PERSIST.
 *
 * Thread: any; a thread makes its own at start.
 */
export function expiryRows(): CommandRow[] {
  const seconds = { unitMs: 1000, isAbsolute: false };
  const milliseconds = { unitMs: 1, isAbsolute: false };
  const atSecond = { unitMs: 1000, isAbsolute: true };
  const atMillisecond = { unitMs: 1, isAbsolute: true };
  const left = "Returns how long a key lives yet";
  const at = "Returns when a key expires";
  const or = "-1 for ever, -2 when there is none.";
  return [
    expireRow("expire", "1.0.0", "seconds", seconds),
    expireRow("pexpire", "2.6.0", "milliseconds", milliseconds),
    expireRow("expireat", "1.2.0", "unix-time-seconds", atSecond),
    expireRow("pexpireat", "2.6.0", "unix-time-milliseconds", atMillisecond),
    timeRow("ttl", "1.0.0", `${left}, in seconds; ${or}`, (call) => handleTimeLeft(call, seconds)),
    timeRow(
      "pttl",
      "2.6.0",
      `${left}, in milliseconds; ${or}`,
      (call) => handleTimeLeft(call, milliseconds),
    ),
    timeRow(
      "expiretime",
      "7.0.0",
      `${at}, in seconds since 1970; ${or}`,
      (call) => handleTimeLeft(call, atSecond),
    ),
    timeRow(
      "pexpiretime",
      "7.0.0",
      `${at}, in milliseconds since 1970; ${or}`,
      (call) => handleTimeLeft(call, atMillisecond),
    ),
    new CommandRow({
      name: "persist",
      arity: 2,
      syntax: "key",
      summary: "Lets a key live for ever; returns whether it had a time to live.",
      group: "generic",
      since: "2.2.0",
      flags: ["write", "fast"],
      access: "write",
      firstKey: 1,
      lastKey: 1,
      cost: "constant",
      complexity: "O(1)",
      reply: "integer",
      handler: handlePersist,
    }),
  ];
}
