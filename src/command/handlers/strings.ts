/**
 * Commands on strings and integers.
 *
 * @module
 */

import { Int64, negateInt64 } from "../../base/int64.ts";
import { NotifyClass } from "../../pubsub/keyspace_events.ts";
import { WriteStatus } from "../../store/store.ts";
import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { handleSet } from "./set.ts";
import { replyString } from "./string_reply.ts";
import { refuseWrite } from "./write_failure.ts";

function handleGet(call: CommandCall): HandlerStatus {
  replyString(call, call.store.lookup(call.database, call.key));
  return HandlerStatus.DONE;
}

/** Steps of INCR and DECR; never changed. */
const ONE = Int64.fromNumber(1);
const MINUS_ONE = Int64.fromNumber(-1);

/** Adds to the key and replies with the sum. */
function addOperand(call: CommandCall, operand = call.operand): HandlerStatus {
  const { store, result } = call;
  const status = store.addInteger(call.database, call.key, operand, result);
  if (status !== WriteStatus.OK) return refuseWrite(call, status);
  call.notify(NotifyClass.STRING, "incrby");
  if (result.hi === 0) call.sink.integer(result.lo);
  else call.sink.int64(result);
  return HandlerStatus.DONE;
}

function handleIncr(call: CommandCall): HandlerStatus {
  return addOperand(call, ONE);
}

function handleDecr(call: CommandCall): HandlerStatus {
  return addOperand(call, MINUS_ONE);
}

function handleIncrBy(call: CommandCall): HandlerStatus {
  if (!call.args.int64(2, call.operand)) {
    call.sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  return addOperand(call);
}

function handleDecrBy(call: CommandCall): HandlerStatus {
  const { operand } = call;
  if (!call.args.int64(2, operand)) {
    call.sink.error(ReplyCode.NOT_AN_INTEGER);
    return HandlerStatus.DONE;
  }
  if (!negateInt64(operand, operand)) {
    call.sink.error(ReplyCode.OVERFLOW, "decrement would overflow");
    return HandlerStatus.DONE;
  }
  return addOperand(call);
}

/** The rows of SET GET INCR DECR INCRBY DECRBY. Thread: any; a thread makes its own at start. */
export function stringRows(): CommandRow[] {
  const write = {
    group: "string",
    since: "1.0.0",
    flags: ["write", "denyoom", "fast"],
    access: "write",
    firstKey: 1,
    reply: "integer",
  } as const;
  return [
    new CommandRow({
      name: "set",
      arity: -3,
      syntax: "key value [NX | XX] [GET] " +
        "[EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | KEEPTTL]",
      summary: "Sets the string value of a key.",
      group: "string",
      since: "1.0.0",
      flags: ["write", "denyoom"],
      access: "write",
      firstKey: 1,
      reply: ["ok", "bulk", "nil"],
      handler: handleSet,
    }),
    new CommandRow({
      name: "get",
      arity: 2,
      syntax: "key",
      summary: "Returns the string value of a key.",
      group: "string",
      since: "1.0.0",
      flags: ["readonly", "fast"],
      access: "read",
      firstKey: 1,
      reply: ["bulk", "nil"],
      handler: handleGet,
    }),
    new CommandRow({
      ...write,
      name: "incr",
      arity: 2,
      syntax: "key",
      summary: "Adds one to the integer value of a key; a missing key counts as 0.",
      handler: handleIncr,
    }),
    new CommandRow({
      ...write,
      name: "decr",
      arity: 2,
      syntax: "key",
      summary: "Takes one from the integer value of a key; a missing key counts as 0.",
      handler: handleDecr,
    }),
    new CommandRow({
      ...write,
      name: "incrby",
      arity: 3,
      syntax: "key increment",
      summary: "Adds to the integer value of a key; a missing key counts as 0.",
      handler: handleIncrBy,
    }),
    new CommandRow({
      ...write,
      name: "decrby",
      arity: 3,
      syntax: "key decrement",
      summary: "Takes from the integer value of a key; a missing key counts as 0.",
      handler: handleDecrBy,
    }),
  ];
}
