/**
 * `COMMAND`: the command table as clients ask for it.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { CommandArguments } from "../arguments.ts";
import { matchesGlob } from "../glob.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { containerRow } from "./container.ts";

/** Most names of one `COMMAND INFO` or `COMMAND DOCS`. Reason: each costs a long reply. */
const MAX_NAMES = 1024;

function handleBare(call: CommandCall): HandlerStatus {
  const { rows } = call.services.table;
  call.sink.arrayStart(rows.length);
  for (const row of rows) describe(row, call.sink);
  return HandlerStatus.DONE;
}

function handleCount(call: CommandCall): HandlerStatus {
  call.sink.integer(call.services.table.rows.length);
  return HandlerStatus.DONE;
}

/** `COMMAND INFO [name ...]` */
function handleInfo(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  if (args.count === 2) return handleBare(call);
  sink.arrayStart(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const row = call.services.table.named(args.text(i));
    if (row === undefined) sink.nil();
    else describe(row, sink);
  }
  return HandlerStatus.DONE;
}

/** `COMMAND DOCS [name ...]` */
function handleDocs(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  const { table } = call.services;
  const found: CommandRow[] = [];
  for (let i = 2; i < args.count; i++) {
    const row = table.named(args.text(i));
    if (row !== undefined) found.push(row);
  }
  writeDocs(args.count === 2 ? table.rows : found, sink);
  return HandlerStatus.DONE;
}

/** `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]` */
function handleList(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  let names = call.services.table.rows.map((row) => row.name);
  if (args.count > 2) {
    if (args.count !== 5 || !args.is(2, "FILTERBY")) return refuse(call, ReplyCode.SYNTAX);
    const wanted = args.text(4).toLowerCase();
    if (args.is(3, "PATTERN")) {
      names = names.filter((name) => matchesGlob(wanted, name));
    } else if (args.is(3, "ACLCAT")) {
      names = call.services.table.rows
        .filter((row) => categories(row).includes(`@${wanted}`))
        .map((row) => row.name);
    } else if (args.is(3, "MODULE")) {
      names = [];
    } else {
      return refuse(call, ReplyCode.SYNTAX);
    }
  }
  sink.setStart(names.length);
  for (const name of names) sink.bulkText(name);
  return HandlerStatus.DONE;
}

/** `COMMAND GETKEYS name [argument ...]` */
function handleGetKeys(call: CommandCall): HandlerStatus {
  const { args, sink } = call;
  const count = args.count - 2;
  const row = findRow(call.services.table.find(args.bytes, args.starts[2]!, args.ends[2]!), args);
  if (row === undefined) {
    return refuse(call, ReplyCode.BAD_ARGUMENT, "Invalid command specified");
  }
  if (row.access === "none") {
    return refuse(call, ReplyCode.BAD_ARGUMENT, "The command has no key arguments");
  }
  if (count < row.minArguments || count > row.maxArguments) {
    return refuse(
      call,
      ReplyCode.BAD_ARGUMENT,
      "Invalid number of arguments specified for command",
    );
  }
  const inner = new CommandArguments();
  inner.reset(args.bytes);
  for (let i = 2; i < args.count; i++) inner.push(args.starts[i]!, args.ends[i]!);
  const indexes: number[] = [];
  if (!row.forEachKey(inner, (index) => indexes.push(index))) {
    return refuse(
      call,
      ReplyCode.BAD_ARGUMENT,
      "Invalid arguments specified for command",
    );
  }
  sink.arrayStart(indexes.length);
  for (const i of indexes) sink.bulk(inner.bytes, inner.starts[i]!, inner.ends[i]!);
  return HandlerStatus.DONE;
}

/** The subcommand's row if the next argument names one, else `row`. */
function findRow(row: CommandRow | undefined, args: CommandArguments): CommandRow | undefined {
  if (row?.subcommands === undefined || args.count < 4) return row;
  return row.subcommands.find(args.bytes, args.starts[3]!, args.ends[3]!);
}

function refuse(call: CommandCall, code: ReplyCode, detail?: string): HandlerStatus {
  call.sink.error(code, detail);
  return HandlerStatus.DONE;
}

/** Writes a row as `COMMAND INFO` has it: ten elements. */
function describe(row: CommandRow, sink: ReplySink): void {
  sink.arrayStart(10);
  sink.bulkText(row.name);
  sink.integer(row.arity);
  sink.setStart(row.flags.length);
  for (const flag of row.flags) sink.simple(flag);
  // A key with a prefix is not the argument itself, so a cluster client must not route by it.
  const hasPlainKeys = row.keyPrefix.length === 0;
  sink.integer(hasPlainKeys ? row.firstKey : 0);
  sink.integer(hasPlainKeys ? row.lastKey : 0);
  sink.integer(hasPlainKeys ? row.keyStep : 0);
  const aclCategories = categories(row);
  sink.setStart(aclCategories.length);
  for (const category of aclCategories) sink.simple(category);
  sink.arrayStart(0);
  sink.arrayStart(0);
  const subcommands = row.subcommands?.rows ?? [];
  sink.arrayStart(subcommands.length);
  for (const subcommand of subcommands) describe(subcommand, sink);
}

/** Access categories, as Redis derives them from flags and group. */
export function categories(row: CommandRow): string[] {
  const result: string[] = [];
  if (row.flags.includes("write")) result.push("@write");
  if (row.flags.includes("readonly")) result.push("@read");
  if (row.flags.includes("admin")) result.push("@admin", "@dangerous");
  if (row.group === "generic") result.push("@keyspace");
  else if (row.group !== "server") result.push(`@${row.group}`);
  result.push(row.flags.includes("fast") ? "@fast" : "@slow");
  return result;
}

function writeDocs(rows: readonly CommandRow[], sink: ReplySink): void {
  sink.mapStart(rows.length);
  for (const row of rows) {
    const subcommands = row.subcommands?.rows;
    sink.bulkText(row.name);
    sink.mapStart(subcommands === undefined ? 4 : 5);
    sink.bulkText("summary");
    sink.bulkText(row.summary);
    sink.bulkText("since");
    sink.bulkText(row.since);
    sink.bulkText("group");
    sink.bulkText(row.group);
    sink.bulkText("complexity");
    sink.bulkText(row.complexity);
    if (subcommands === undefined) continue;
    sink.bulkText("subcommands");
    writeDocs(subcommands, sink);
  }
}

/** The row of COMMAND. Thread: any; a thread makes its own at start. */
export function commandRow(): CommandRow {
  const base = {
    group: "server",
    flags: ["loading", "stale"],
    cost: "per-argument",
    complexity: "O(N) with N commands",
    reply: "array",
  } as const;
  const subcommands = [
    new CommandRow({
      ...base,
      name: "command|count",
      arity: 2,
      summary: "Returns the number of commands.",
      since: "2.8.13",
      cost: "constant",
      complexity: "O(1)",
      reply: "integer",
      handler: handleCount,
    }),
    new CommandRow({
      ...base,
      name: "command|docs",
      arity: -2,
      maxArguments: MAX_NAMES + 2,
      syntax: "[name ...]",
      summary: "Returns what commands do.",
      since: "7.0.0",
      reply: "map",
      handler: handleDocs,
    }),
    new CommandRow({
      ...base,
      name: "command|getkeys",
      arity: -3,
      syntax: "name [argument ...]",
      summary: "Returns the keys of a full command.",
      since: "2.8.13",
      handler: handleGetKeys,
    }),
    new CommandRow({
      ...base,
      name: "command|info",
      arity: -2,
      maxArguments: MAX_NAMES + 2,
      syntax: "[name ...]",
      summary: "Returns arity, flags and key positions of commands.",
      since: "2.8.13",
      handler: handleInfo,
    }),
    new CommandRow({
      ...base,
      name: "command|list",
      arity: -2,
      syntax: "[FILTERBY MODULE name | ACLCAT category | PATTERN pattern]",
      summary: "Returns the names of commands.",
      since: "7.0.0",
      reply: "set",
      handler: handleList,
    }),
  ];
  const summary = "Returns details about all commands.";
  return containerRow("command", summary, "2.8.13", "server", subcommands, handleBare);
}
