/**
 * `COMMAND`: the command table as clients ask for it.
 *
 * @module
 */

import { CommandArguments } from "../arguments.ts";
import type { CommandCall } from "../call.ts";
import { categories, hasPlainKeys, keyFlags, shownFlags } from "../command_facts.ts";
import { matchesGlob } from "../../base/glob.ts";
import { ReplyCode } from "../reply_code.ts";
import type { ReplySink } from "../reply_sink.ts";
import { CommandRow, HandlerStatus } from "../row.ts";
import { parseSyntax, type SyntaxArgument } from "../syntax.ts";
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
  let rows = call.services.table.rows.flatMap((row) => [row, ...row.subcommands?.rows ?? []]);
  if (args.count > 2) {
    if (args.count !== 5 || !args.is(2, "FILTERBY")) return refuse(call, ReplyCode.SYNTAX);
    const wanted = args.text(4).toLowerCase();
    if (args.is(3, "PATTERN")) {
      rows = rows.filter(({ name }) => matchesGlob(wanted, name));
    } else if (args.is(3, "ACLCAT")) {
      rows = rows.filter((row) => categories(row).includes(`@${wanted}`));
    } else if (args.is(3, "MODULE")) {
      rows = [];
    } else {
      return refuse(call, ReplyCode.SYNTAX);
    }
  }
  // As in Redis: only the whole list is a set.
  if (args.count > 2) sink.arrayStart(rows.length);
  else sink.setStart(rows.length);
  for (const { name } of rows) sink.bulkText(name);
  return HandlerStatus.DONE;
}

/** `COMMAND GETKEYS name [argument ...]` */
function handleGetKeys(call: CommandCall): HandlerStatus {
  const { sink } = call;
  const found = findKeys(call);
  if (found === undefined) return HandlerStatus.DONE;
  const { inner, indexes } = found;
  sink.arrayStart(indexes.length);
  for (const i of indexes) sink.bulk(inner.bytes, inner.starts[i]!, inner.ends[i]!);
  return HandlerStatus.DONE;
}

/** `COMMAND GETKEYSANDFLAGS name [argument ...]` */
function handleGetKeysAndFlags(call: CommandCall): HandlerStatus {
  const { sink } = call;
  const found = findKeys(call);
  if (found === undefined) return HandlerStatus.DONE;
  const { row, inner, indexes } = found;
  sink.arrayStart(indexes.length);
  for (const i of indexes) {
    sink.arrayStart(2);
    sink.bulk(inner.bytes, inner.starts[i]!, inner.ends[i]!);
    writeWords(keyFlags(row), sink);
  }
  return HandlerStatus.DONE;
}

/** The command that the arguments are, and where its keys are in it; undefined: refused. */
function findKeys(
  call: CommandCall,
): { row: CommandRow; inner: CommandArguments; indexes: number[] } | undefined {
  const { args } = call;
  const count = args.count - 2;
  const row = findRow(call.services.table.find(args.bytes, args.starts[2]!, args.ends[2]!), args);
  let problem = "";
  const inner = new CommandArguments();
  const indexes: number[] = [];
  if (row === undefined) {
    problem = "Invalid command specified";
  } else if (row.firstKey === 0 && row.findKeys === undefined) {
    problem = "The command has no key arguments";
  } else if (count < row.minArguments || count > row.maxArguments) {
    problem = "Invalid number of arguments specified for command";
  } else {
    inner.reset(args.bytes);
    for (let i = 2; i < args.count; i++) inner.push(args.starts[i]!, args.ends[i]!);
    if (row.forEachKey(inner, (index) => void indexes.push(index))) return { row, inner, indexes };
    problem = "Invalid arguments specified for command";
  }
  refuse(call, ReplyCode.BAD_ARGUMENT, problem);
  return undefined;
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
  // A key with a prefix is not the argument itself, so a cluster client must not route by it.
  const isPlain = hasPlainKeys(row);
  sink.arrayStart(10);
  sink.bulkText(row.name);
  sink.integer(row.arity);
  writeWords(shownFlags(row), sink);
  sink.integer(isPlain ? row.firstKey : 0);
  sink.integer(isPlain ? row.lastKey : 0);
  sink.integer(isPlain ? row.keyStep : 0);
  writeWords(categories(row), sink);
  sink.setStart(0);
  sink.setStart(isPlain ? 1 : 0);
  if (isPlain) describeKeys(row, sink);
  const subcommands = row.subcommands?.rows ?? [];
  sink.setStart(subcommands.length);
  for (const subcommand of subcommands) describe(subcommand, sink);
}

/** Writes where the keys are: in a range, or where only the command itself can tell. */
function describeKeys(row: CommandRow, sink: ReplySink): void {
  const isRange = row.findKeys === undefined;
  sink.mapStart(3);
  sink.bulkText("flags");
  writeWords(isRange ? keyFlags(row) : [...keyFlags(row), "incomplete"], sink);
  const lastKey = row.lastKey < 0 ? row.lastKey : row.lastKey - row.firstKey;
  writeSpec("begin_search", "index", isRange ? [["index", row.firstKey]] : [], sink);
  writeSpec(
    "find_keys",
    "range",
    isRange ? [["lastkey", lastKey], ["keystep", row.keyStep], ["limit", 0]] : [],
    sink,
  );
}

function writeSpec(
  field: string,
  type: string,
  spec: readonly (readonly [string, number])[],
  sink: ReplySink,
): void {
  sink.bulkText(field);
  sink.mapStart(2);
  sink.bulkText("type");
  sink.bulkText(spec.length === 0 ? "unknown" : type);
  sink.bulkText("spec");
  sink.mapStart(spec.length);
  for (const [name, value] of spec) {
    sink.bulkText(name);
    sink.integer(value);
  }
}

function writeWords(words: readonly string[], sink: ReplySink): void {
  sink.setStart(words.length);
  for (const word of words) sink.simple(word);
}

function writeDocs(rows: readonly CommandRow[], sink: ReplySink): void {
  sink.mapStart(rows.length);
  for (const row of rows) {
    const subcommands = row.subcommands?.rows;
    const parts = parseSyntax(row.syntax);
    sink.bulkText(row.name);
    sink.mapStart(4 + (parts.length > 0 ? 1 : 0) + (subcommands === undefined ? 0 : 1));
    writeText("summary", row.summary, sink);
    writeText("since", row.since, sink);
    writeText("group", row.group, sink);
    writeText("complexity", row.complexity, sink);
    if (parts.length > 0) {
      sink.bulkText("arguments");
      writeArguments(parts, hasPlainKeys(row), sink);
    }
    if (subcommands === undefined) continue;
    sink.bulkText("subcommands");
    writeDocs(subcommands, sink);
  }
}

function writeArguments(
  parts: readonly SyntaxArgument[],
  hasKeys: boolean,
  sink: ReplySink,
): void {
  sink.arrayStart(parts.length);
  for (const { name, type, token, isOptional, isMultiple, parts: inner } of parts) {
    const isKey = hasKeys && type === "key";
    const flags = [...isOptional ? ["optional"] : [], ...isMultiple ? ["multiple"] : []];
    const fields = [isKey, token !== undefined, flags.length > 0, inner.length > 0];
    sink.mapStart(2 + fields.filter(Boolean).length);
    writeText("name", name, sink);
    writeText("type", type === "key" && !isKey ? "string" : type, sink);
    if (isKey) {
      sink.bulkText("key_spec_index");
      sink.integer(0);
    }
    if (token !== undefined) writeText("token", token, sink);
    if (flags.length > 0) {
      sink.bulkText("flags");
      writeWords(flags, sink);
    }
    if (inner.length === 0) continue;
    sink.bulkText("arguments");
    writeArguments(inner, hasKeys, sink);
  }
}

function writeText(field: string, text: string, sink: ReplySink): void {
  sink.bulkText(field);
  sink.bulkText(text);
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
      arity: -4,
      syntax: "name argument [argument ...]",
      summary: "Returns the keys of a full command.",
      since: "2.8.13",
      handler: handleGetKeys,
    }),
    new CommandRow({
      ...base,
      name: "command|getkeysandflags",
      arity: -4,
      syntax: "name argument [argument ...]",
      summary: "Returns the keys of a full command, and what it does with them.",
      since: "7.0.0",
      handler: handleGetKeysAndFlags,
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
