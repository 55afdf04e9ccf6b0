/**
 * Commands about the connection itself.
 *
 * @module
 */

import { DATABASE_COUNT } from "../../store/control.ts";
import type { CommandCall } from "../call.ts";
import { refuseArity } from "../refusals.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";

function handlePing(call: CommandCall): HandlerStatus {
  const { args, sink, client } = call;
  if (client.subscriptionCount > 0 && client.protocol === 2 && args.count <= 2) {
    // Among messages, a reply must look like one of them.
    sink.arrayStart(2);
    sink.bulkText("pong");
    if (args.count === 1) sink.bulkText("");
    else sink.bulk(args.bytes, args.starts[1]!, args.ends[1]!);
  } else if (args.count === 1) sink.simple("PONG");
  else if (args.count === 2) sink.bulk(args.bytes, args.starts[1]!, args.ends[1]!);
  else refuseArity(call.row, sink);
  return HandlerStatus.DONE;
}

function handleEcho(call: CommandCall): HandlerStatus {
  const { args } = call;
  call.sink.bulk(args.bytes, args.starts[1]!, args.ends[1]!);
  return HandlerStatus.DONE;
}

function handleQuit(call: CommandCall): HandlerStatus {
  call.sink.ok();
  return HandlerStatus.CLOSE;
}

function handleSelect(call: CommandCall): HandlerStatus {
  const { operand, sink } = call;
  if (!call.args.int64(1, operand)) {
    sink.error(ReplyCode.NOT_AN_INTEGER);
  } else if (operand.hi !== (operand.lo | 0) >> 31) {
    sink.error(
      ReplyCode.BAD_ARGUMENT,
      "value is out of range, value must between -2147483648 and 2147483647",
    );
  } else if (operand.hi !== 0 || operand.lo >= DATABASE_COUNT) {
    sink.error(ReplyCode.BAD_ARGUMENT, "DB index is out of range");
  } else {
    call.client.database = operand.lo;
    sink.ok();
  }
  return HandlerStatus.DONE;
}

/** The rows of PING ECHO QUIT SELECT. Thread: any; a thread makes its own at start. */
export function connectionRows(): CommandRow[] {
  const group = "connection";
  return [
    new CommandRow({
      name: "ping",
      arity: -1,
      syntax: "[message]",
      summary: "Replies PONG, or the message.",
      group,
      since: "1.0.0",
      flags: ["fast"],
      reply: ["simple", "bulk"],
      handler: handlePing,
    }),
    new CommandRow({
      name: "echo",
      arity: 2,
      syntax: "message",
      summary: "Replies with the message.",
      group,
      since: "1.0.0",
      flags: ["loading", "stale", "fast"],
      reply: "bulk",
      handler: handleEcho,
    }),
    new CommandRow({
      name: "quit",
      arity: -1,
      summary: "Replies OK and closes the connection.",
      group,
      since: "1.0.0",
      flags: ["noscript", "loading", "stale", "fast", "no_auth"],
      runsAtOnce: true,
      reply: "ok",
      handler: handleQuit,
    }),
    new CommandRow({
      name: "select",
      arity: 2,
      syntax: "index",
      summary: "Chooses the database of this connection.",
      group,
      since: "1.0.0",
      flags: ["loading", "stale", "fast"],
      reply: "ok",
      handler: handleSelect,
    }),
  ];
}
