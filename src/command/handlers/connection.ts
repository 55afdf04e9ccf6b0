/**
 * Commands about the connection itself.
 *
 * @module
 */

import { DATABASE_COUNT } from "../../store/control.ts";
import type { CommandCall } from "../call.ts";
import { refuseArity, refuseHelloOption } from "../refusals.ts";
import { ReplyCode } from "../reply_code.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { isClientName, NAME_RULE } from "./client_name.ts";

function handlePing(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  if (args.count === 1) sink.simple("PONG");
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

/** `HELLO [version [AUTH user password] [SETNAME name]]` */
function handleHello(call: CommandCall): HandlerStatus {
  const { args, sink, client, operand } = call;
  let version: 2 | 3 = client.protocol;
  let name = client.name;
  if (args.count > 1) {
    if (!args.int64(1, operand)) {
      sink.error(
        ReplyCode.BAD_ARGUMENT,
        "Protocol version is not an integer or out of range",
      );
      return HandlerStatus.DONE;
    }
    if (operand.hi !== 0 || (operand.lo !== 2 && operand.lo !== 3)) {
      sink.error(ReplyCode.NO_PROTOCOL);
      return HandlerStatus.DONE;
    }
    version = operand.lo;
  }
  let i = 2;
  while (i < args.count) {
    if (args.is(i, "SETNAME") && i + 1 < args.count) {
      if (!isClientName(args, i + 1)) {
        sink.error(ReplyCode.BAD_ARGUMENT, NAME_RULE);
        return HandlerStatus.DONE;
      }
      name = args.text(i + 1);
      i += 2;
    } else if (args.is(i, "AUTH") && i + 2 < args.count) {
      sink.error(
        ReplyCode.UNSUPPORTED,
        "AUTH <password> called without any password configured for the default user. " +
          "Are you sure your configuration is correct?",
      );
      return HandlerStatus.DONE;
    } else {
      refuseHelloOption(args, i, sink);
      return HandlerStatus.DONE;
    }
  }
  client.protocol = version;
  client.name = name;
  replyGreeting(call);
  return HandlerStatus.DONE;
}

function replyGreeting(call: CommandCall): void {
  const { sink, client } = call;
  sink.mapStart(7);
  sink.bulkText("server");
  sink.bulkText("sluice");
  sink.bulkText("version");
  sink.bulkText(call.services.snapshot().version);
  sink.bulkText("proto");
  sink.integer(client.protocol);
  sink.bulkText("id");
  sink.integer(client.id);
  sink.bulkText("mode");
  sink.bulkText("standalone");
  sink.bulkText("role");
  sink.bulkText("master");
  sink.bulkText("modules");
  sink.arrayStart(0);
}

/** The rows of PING ECHO QUIT SELECT HELLO. Thread: any; a thread makes its own at start. */
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
      reply: "simple",
      handler: handlePing,
    }),
    new CommandRow({
      name: "echo",
      arity: 2,
      syntax: "message",
      summary: "Replies with the message.",
      group,
      since: "1.0.0",
      flags: ["fast"],
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
    new CommandRow({
      name: "hello",
      arity: -1,
      syntax: "[version [SETNAME name]]",
      summary: "Chooses the protocol version, 2 or 3, and describes the server.",
      group,
      since: "6.0.0",
      flags: ["noscript", "loading", "stale", "fast", "no_auth"],
      reply: "map",
      handler: handleHello,
    }),
  ];
}
