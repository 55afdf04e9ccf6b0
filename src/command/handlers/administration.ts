/**
 * Commands about the server's life, and about what this server does not have: replicas, files,
 * modules.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { ReplyCode } from "../reply_code.ts";
import { type CommandDefinition, CommandRow, type Handler, HandlerStatus } from "../row.ts";
import { containerRow } from "./container.ts";
import { lolwutText } from "./lolwut.ts";
import { NO_FILES } from "./persistence.ts";
import { done, refuse } from "./refuse.ts";

const NO_MODULES = "MODULE command not allowed: this server has no modules";

/** `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`: no reply, the connection closes. */
function handleShutdown(call: CommandCall): HandlerStatus {
  const { args } = call;
  const seen = new Set<string>();
  for (let i = 1; i < args.count; i++) {
    const word = SHUTDOWN_WORDS.find((option) => args.is(i, option));
    if (word === undefined) return refuse(call, ReplyCode.SYNTAX);
    seen.add(word);
  }
  const contradicts = (seen.has("SAVE") && seen.has("NOSAVE")) ||
    (seen.has("ABORT") && seen.size > 1);
  if (contradicts) return refuse(call, ReplyCode.SYNTAX);
  if (seen.has("ABORT")) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, "No shutdown in progress.");
  }
  // With a data directory a stop leaves everything there, whatever the word.
  if (seen.has("SAVE") && call.services.storage === undefined) {
    return refuse(call, ReplyCode.UNSUPPORTED, `Cannot save before the shutdown: ${NO_FILES}`);
  }
  if (!call.services.operations.requestStop()) {
    return refuse(call, ReplyCode.UNSUPPORTED, "SHUTDOWN is not possible here");
  }
  return HandlerStatus.CLOSE;
}

const SHUTDOWN_WORDS = ["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"];

/** `LOLWUT [VERSION version] [columns]` */
function handleLolwut(call: CommandCall): HandlerStatus {
  const { args, operand, sink, services } = call;
  let first = 1;
  if (args.count > 2 && args.is(1, "VERSION")) {
    if (!args.int64(2, operand)) return refuse(call, ReplyCode.NOT_AN_INTEGER);
    first = 3;
  }
  let columnCount = 60;
  if (args.count > first) {
    if (!args.int64(first, operand)) return refuse(call, ReplyCode.NOT_AN_INTEGER);
    columnCount = Math.min(200, Math.max(10, operand.toNumber()));
  }
  sink.verbatimText(lolwutText(columnCount, services.clock(), services.snapshot().version));
  return HandlerStatus.DONE;
}

/** `ROLE` */
function handleRole(call: CommandCall): HandlerStatus {
  const { sink } = call;
  sink.arrayStart(3);
  sink.bulkText("master");
  sink.integer(0);
  sink.arrayStart(0);
  return HandlerStatus.DONE;
}

/** `WAIT replicas timeout`: there are no replicas to wait for, so nobody waits. */
function handleWait(call: CommandCall): HandlerStatus {
  const { args, operand, sink } = call;
  if (!args.int64(1, operand)) return refuse(call, ReplyCode.NOT_AN_INTEGER);
  const problem = timeoutProblem(call, 2);
  if (problem !== "") return refuse(call, ReplyCode.BAD_ARGUMENT, problem);
  sink.integer(0);
  return HandlerStatus.DONE;
}

function timeoutProblem({ args, operand }: CommandCall, index: number): string {
  if (!args.int64(index, operand)) return "timeout is not an integer or out of range";
  return operand.hi < 0 ? "timeout is negative" : "";
}

/** `REPLICAOF NO ONE`: it is nobody's replica already. */
function handleReplicaOf(call: CommandCall): HandlerStatus {
  const { args } = call;
  if (args.is(1, "NO") && args.is(2, "ONE")) return done(call);
  return refuse(
    call,
    ReplyCode.UNSUPPORTED,
    "REPLICAOF is not supported by this server: there is no replication",
  );
}

/** `FAILOVER [ABORT | …]` */
function handleFailover(call: CommandCall): HandlerStatus {
  const isAbort = call.args.count === 2 && call.args.is(1, "ABORT");
  const text = isAbort ? "No failover in progress." : "FAILOVER requires connected replicas.";
  return refuse(call, ReplyCode.UNSUPPORTED, text);
}

/** `MONITOR` */
function handleMonitor(call: CommandCall): HandlerStatus {
  call.services.operations.monitors.add(call.client);
  return done(call);
}

function handleModuleList(call: CommandCall): HandlerStatus {
  call.sink.arrayStart(0);
  return HandlerStatus.DONE;
}

function refuseModule(call: CommandCall): HandlerStatus {
  return refuse(call, ReplyCode.UNSUPPORTED, NO_MODULES);
}

/** What most of these rows have in common. */
const ADMIN = {
  group: "server",
  flags: ["admin", "noscript", "loading", "stale"],
} as const satisfies Partial<CommandDefinition>;

function replicaRow(name: string, since: string): CommandRow {
  return new CommandRow({
    ...ADMIN,
    flags: ["admin", "noscript", "stale"],
    name,
    arity: 3,
    syntax: "NO ONE",
    summary: "Accepts NO ONE; there is no replication.",
    since,
    reply: "ok",
    handler: handleReplicaOf,
  });
}

function moduleRow(): CommandRow {
  const subcommand = (
    name: string,
    arity: number,
    syntax: string,
    summary: string,
    handler: Handler,
  ): CommandRow =>
    new CommandRow({
      ...ADMIN,
      flags: name === "list" ? ["admin", "noscript"] : ADMIN.flags,
      name: `module|${name}`,
      arity,
      syntax,
      summary,
      since: name === "loadex" ? "7.0.0" : "4.0.0",
      reply: handler === handleModuleList ? "array" : [],
      handler,
    });
  return containerRow("module", "Tells that there are no modules.", "4.0.0", "server", [
    subcommand("list", 2, "", "Returns the modules: none.", handleModuleList),
    subcommand("load", -3, "path [argument ...]", "Refused: there are no modules.", refuseModule),
    subcommand("loadex", -3, "path [option ...]", "Refused: there are no modules.", refuseModule),
    subcommand("unload", 3, "name", "Refused: there are no modules.", refuseModule),
  ]);
}

/** The rows of the server's life. Thread: any; a thread makes its own at start. */
export function administrationRows(): CommandRow[] {
  return [
    new CommandRow({
      ...ADMIN,
      name: "shutdown",
      flags: [...ADMIN.flags, "no_multi"],
      arity: -1,
      maxArguments: 5,
      syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
      summary: "Stops the server in order, as SIGTERM does; SAVE is refused.",
      since: "1.0.0",
      reply: [],
      handler: handleShutdown,
    }),
    new CommandRow({
      ...ADMIN,
      name: "monitor",
      arity: 1,
      summary: "Shows every command of all threads to this connection, until it does not read.",
      since: "1.0.0",
      reply: "ok",
      handler: handleMonitor,
    }),
    new CommandRow({
      name: "lolwut",
      arity: -1,
      maxArguments: 4,
      syntax: "[VERSION version] [columns]",
      summary: "Draws a river, and names the version.",
      group: "server",
      since: "5.0.0",
      flags: ["readonly", "fast"],
      reply: "text",
      handler: handleLolwut,
    }),
    new CommandRow({
      name: "role",
      arity: 1,
      summary: "Tells that this server is nobody's replica and has none.",
      group: "server",
      since: "2.8.12",
      flags: ["noscript", "loading", "stale", "fast"],
      reply: "array",
      handler: handleRole,
    }),
    new CommandRow({
      name: "wait",
      arity: 3,
      syntax: "replicas timeout",
      summary: "Returns 0 at once: there are no replicas to wait for.",
      group: "connection",
      since: "3.0.0",
      flags: ["noscript"],
      reply: "integer",
      handler: handleWait,
    }),
    replicaRow("replicaof", "5.0.0"),
    replicaRow("slaveof", "1.0.0"),
    new CommandRow({
      ...ADMIN,
      name: "failover",
      arity: -1,
      maxArguments: 8,
      syntax: "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]",
      summary: "Refused: there are no replicas.",
      since: "6.2.0",
      reply: [],
      handler: handleFailover,
    }),
    moduleRow(),
  ];
}
