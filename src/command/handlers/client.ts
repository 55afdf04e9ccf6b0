/**
 * `CLIENT` and its subcommands.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyMode } from "../client_state.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandDefinition, CommandRow, HandlerStatus } from "../row.ts";
import { clientControlRows } from "./client_control.ts";
import { handleInfo, handleKill, handleList, MAX_LISTED_IDS } from "./client_list.ts";
import { isClientName, NAME_RULE } from "./client_name.ts";
import { containerRow } from "./container.ts";
import { done, refuse } from "./refuse.ts";

function handleId(call: CommandCall): HandlerStatus {
  call.sink.integer(call.client.id);
  return HandlerStatus.DONE;
}

function handleGetName(call: CommandCall): HandlerStatus {
  if (call.client.name === "") call.sink.nil();
  else call.sink.bulkText(call.client.name);
  return HandlerStatus.DONE;
}

function handleSetName(call: CommandCall): HandlerStatus {
  if (!isClientName(call.args, 2)) return refuse(call, ReplyCode.BAD_ARGUMENT, NAME_RULE);
  call.client.name = call.args.text(2);
  return done(call);
}

function handleSetInfo(call: CommandCall): HandlerStatus {
  const { args, client } = call;
  const isName = args.is(2, "LIB-NAME");
  if (!isName && !args.is(2, "LIB-VER")) {
    return refuse(
      call,
      ReplyCode.BAD_ARGUMENT,
      "Unrecognized option, expected LIB-NAME or LIB-VER",
    );
  }
  if (!isClientName(args, 3)) {
    const option = isName ? "lib-name" : "lib-ver";
    return refuse(
      call,
      ReplyCode.BAD_ARGUMENT,
      `${option} cannot contain spaces, newlines or special characters.`,
    );
  }
  if (isName) client.libraryName = args.text(3);
  else client.libraryVersion = args.text(3);
  return done(call);
}

function handleReply(call: CommandCall): HandlerStatus {
  const { args, client } = call;
  if (args.is(2, "ON")) client.replyMode = ReplyMode.ON;
  else if (args.is(2, "OFF")) client.replyMode = ReplyMode.OFF;
  else if (!args.is(2, "SKIP")) return refuse(call, ReplyCode.SYNTAX);
  // While replies are off altogether there is nothing to skip.
  else if (client.replyMode !== ReplyMode.OFF) client.replyMode = ReplyMode.SKIP_NEXT;
  return done(call);
}

/** Reads `ON` or `OFF`; undefined when it is neither. */
function readSwitch(call: CommandCall): boolean | undefined {
  if (call.args.is(2, "ON")) return true;
  return call.args.is(2, "OFF") ? false : undefined;
}

function handleNoEvict(call: CommandCall): HandlerStatus {
  const value = readSwitch(call);
  if (value === undefined) return refuse(call, ReplyCode.SYNTAX);
  call.client.noEvict = value;
  return done(call);
}

function handleNoTouch(call: CommandCall): HandlerStatus {
  const value = readSwitch(call);
  if (value === undefined) return refuse(call, ReplyCode.SYNTAX);
  call.client.noTouch = value;
  return done(call);
}

/** Nobody is told about changes of keys, so nobody is told about them elsewhere. */
function handleGetRedirection(call: CommandCall): HandlerStatus {
  call.sink.integer(-1);
  return HandlerStatus.DONE;
}

function handleTracking(call: CommandCall): HandlerStatus {
  const value = readSwitch(call);
  if (value === undefined) return refuse(call, ReplyCode.SYNTAX);
  if (!value) return done(call);
  return refuse(call, ReplyCode.UNSUPPORTED, "CLIENT TRACKING is not supported by this server");
}

function handleTrackingInfo(call: CommandCall): HandlerStatus {
  const { sink } = call;
  sink.mapStart(3);
  sink.bulkText("flags");
  sink.setStart(1);
  sink.bulkText("off");
  sink.bulkText("redirect");
  sink.integer(-1);
  sink.bulkText("prefixes");
  sink.arrayStart(0);
  return HandlerStatus.DONE;
}

/** The row of CLIENT. Thread: any; a thread makes its own at start. */
export function clientRow(): CommandRow {
  const base = {
    group: "connection",
    flags: ["noscript", "loading", "stale"],
    reply: "ok",
  } as const satisfies Partial<CommandDefinition>;
  return containerRow("client", "Asks and tells about this connection.", "2.4.0", "connection", [
    new CommandRow({
      ...base,
      name: "client|id",
      arity: 2,
      summary: "Returns the number of this connection.",
      since: "5.0.0",
      reply: "integer",
      handler: handleId,
    }),
    new CommandRow({
      ...base,
      name: "client|getname",
      arity: 2,
      summary: "Returns the name of this connection.",
      since: "2.6.9",
      reply: ["bulk", "nil"],
      handler: handleGetName,
    }),
    new CommandRow({
      ...base,
      name: "client|setname",
      arity: 3,
      syntax: "name",
      summary: "Gives this connection a name.",
      since: "2.6.9",
      handler: handleSetName,
    }),
    new CommandRow({
      ...base,
      name: "client|setinfo",
      arity: 4,
      syntax: "LIB-NAME name | LIB-VER version",
      summary: "Tells which client library is used.",
      since: "7.2.0",
      handler: handleSetInfo,
    }),
    new CommandRow({
      ...base,
      name: "client|info",
      arity: 2,
      summary: "Returns what is known of this connection.",
      since: "6.2.0",
      reply: "text",
      handler: handleInfo,
    }),
    new CommandRow({
      ...base,
      name: "client|list",
      arity: -2,
      maxArguments: 3 + MAX_LISTED_IDS,
      syntax: "[TYPE NORMAL | MASTER | REPLICA | PUBSUB | ID id [id ...]]",
      summary: "Returns what is known of the connections, one line for each.",
      since: "2.4.0",
      flags: ["admin", "noscript", "loading", "stale"],
      cost: "per-client",
      complexity: "O(N) with N connections",
      reply: "text",
      handler: handleList,
    }),
    new CommandRow({
      ...base,
      name: "client|kill",
      arity: -3,
      maxArguments: 32,
      syntax: "address | [ID id] [ADDR address] [LADDR address] [TYPE type] [USER user] " +
        "[MAXAGE seconds] [SKIPME YES | NO]",
      summary: "Closes connections behind the replies that they have coming.",
      since: "2.4.0",
      flags: ["admin", "noscript", "loading", "stale"],
      cost: "per-client",
      complexity: "O(N) with N connections",
      reply: ["ok", "integer"],
      handler: handleKill,
    }),
    new CommandRow({
      ...base,
      name: "client|reply",
      arity: 3,
      syntax: "ON | OFF | SKIP",
      summary: "Chooses whether commands are replied to.",
      since: "3.2.0",
      handler: handleReply,
    }),
    new CommandRow({
      ...base,
      name: "client|no-evict",
      flags: ["admin", "noscript", "loading", "stale"],
      arity: 3,
      syntax: "ON | OFF",
      summary: "Accepted for compatibility; the mode is shown by CLIENT INFO.",
      since: "7.0.0",
      handler: handleNoEvict,
    }),
    new CommandRow({
      ...base,
      name: "client|no-touch",
      arity: 3,
      syntax: "ON | OFF",
      summary: "Accepted for compatibility; the mode is shown by CLIENT INFO.",
      since: "7.2.0",
      handler: handleNoTouch,
    }),
    new CommandRow({
      ...base,
      name: "client|getredir",
      arity: 2,
      summary: "Returns -1: no connection is told of changes on behalf of another.",
      since: "6.0.0",
      reply: "integer",
      handler: handleGetRedirection,
    }),
    new CommandRow({
      ...base,
      name: "client|tracking",
      arity: -3,
      maxArguments: 32,
      syntax: "OFF",
      summary: "Accepts OFF; clients are not told when keys change.",
      since: "6.0.0",
      handler: handleTracking,
    }),
    new CommandRow({
      ...base,
      name: "client|trackinginfo",
      arity: 2,
      summary: "Tells that tracking is off.",
      since: "6.2.0",
      reply: "map",
      handler: handleTrackingInfo,
    }),
    ...clientControlRows(),
  ]);
}
