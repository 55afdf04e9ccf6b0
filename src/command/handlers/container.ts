/**
 * Commands that consist of subcommands.
 *
 * @module
 */

import type { CommandCall } from "../call.ts";
import { CommandTable } from "../lookup.ts";
import { refuseArity } from "../refusals.ts";
import { type CommandGroup, CommandRow, type Handler, HandlerStatus } from "../row.ts";

/**
 * Makes the row of a command with subcommands and gives it a `HELP`.
 *
 * Thread: any; a thread makes its own at start.
 *
 * @param bare what the command does without a subcommand; when left out, that is refused
 */
export function containerRow(
  name: string,
  summary: string,
  since: string,
  group: CommandGroup,
  subcommands: readonly CommandRow[],
  bare?: Handler,
): CommandRow {
  const help = new CommandRow({
    name: `${name}|help`,
    arity: 2,
    summary: "Prints this help.",
    group,
    since,
    flags: ["loading", "stale"],
    reply: "array",
    handler: handleHelp,
  });
  const table = new CommandTable([...subcommands, help]);
  function handleHelp(call: CommandCall): HandlerStatus {
    const lines = [
      `${name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ];
    for (const row of table.rows) {
      const word = row.name.slice(name.length + 1).toUpperCase();
      lines.push(row.syntax === "" ? word : `${word} ${row.syntax}`, `    ${row.summary}`);
    }
    call.sink.arrayStart(lines.length);
    for (const line of lines) call.sink.simple(line);
    return HandlerStatus.DONE;
  }
  return new CommandRow({
    name,
    arity: bare === undefined ? -2 : -1,
    summary,
    group,
    since,
    flags: bare === undefined ? [] : ["loading", "stale"],
    reply: bare === undefined ? [] : "array",
    handler: bare ?? refuseBare,
    subcommands: table,
  });
}

function refuseBare(call: CommandCall): HandlerStatus {
  refuseArity(call.row, call.sink);
  return HandlerStatus.DONE;
}
