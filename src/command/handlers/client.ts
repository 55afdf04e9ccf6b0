/**
 * `CLIENT` and its subcommands.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyMode } from "../client_state.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandDefinition, CommandRow, HandlerStatus } from "../row.ts";
import { isClientName, NAME_RULE } from "./client_name.ts";
import { containerRow } from "./container.ts";

function refuse(call: CommandCall, code: ReplyCode, detail?: string): HandlerStatus {
  call.sink.error(code, detail);
  return HandlerStatus.DONE;
}

function done(call: CommandCall): HandlerStatus {
  call.sink.ok();
  return HandlerStatus.DONE;
}

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

function handleInfo(call: CommandCall): HandlerStatus {
  const { client } = call;
  const ageSeconds = Math.max(0, Math.floor((call.store.nowMs - client.connectedAtMs) / 1000));
  const flags = `${client.noEvict ? "e" : ""}${client.noTouch ? "T" : ""}` || "N";
  const fields = [
    `id=${client.id}`,
    `addr=${client.address}`,
    `laddr=${client.localAddress}`,
    `name=${client.name}`,
    `age=${ageSeconds}`,
    "idle=0",
    `flags=${flags}`,
    `db=${client.database}`,
    "cmd=client|info",
    "user=default",
    `resp=${client.protocol}`,
    `lib-name=${client.libraryName}`,
    `lib-ver=${client.libraryVersion}`,
  ];
  call.sink.verbatimText(`${fields.join(" ")}\n`);
  return HandlerStatus.DONE;
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
      reply: "bulk-or-nil",
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
  ]);
}
