/**
 * The manual page of all commands, made from their rows.
 *
 * @module
 */

import type { CommandTable } from "./lookup.ts";
import type { CommandGroup, CommandRow, ReplyShape } from "./row.ts";

const TITLES: Readonly<Record<CommandGroup, string>> = {
  connection: "Connection",
  string: "Strings",
  bitmap: "Bits",
  list: "Lists",
  hash: "Hashes",
  set: "Sets",
  "sorted-set": "Sorted sets",
  hyperloglog: "HyperLogLog",
  generic: "Keys",
  transactions: "Transactions",
  pubsub: "Publish and subscribe",
  events: "Events",
  server: "Server",
};

/** How a reply is named for people. */
const REPLIES: Readonly<Record<ReplyShape, string>> = {
  ok: "`OK`",
  simple: "a word",
  integer: "an integer",
  double: "a double",
  bulk: "a byte string",
  nil: "nil",
  array: "an array",
  set: "a set",
  map: "a map",
  push: "pushed messages",
  text: "text",
};

/**
 * Writes the page as Markdown; the project's formatter has the last word on its line breaks.
 *
 * Thread: any.
 */
export function commandManual(table: CommandTable): string {
  const parts = [
    "# Commands",
    "This page is made from the command table by `deno task docs:commands`; a test fails when it is " +
    "out of date.",
    "An error instead of the reply is possible everywhere and not listed. Sets, maps and text are " +
    "arrays and byte strings in version 2 of the protocol. With a password set, every command " +
    "without the flag `no_auth` needs it first.",
  ];
  for (const [group, title] of Object.entries(TITLES)) {
    const rows = table.rows.filter((row) => row.group === group);
    if (rows.length === 0) continue;
    parts.push(`## ${title}`);
    for (const row of rows) parts.push(...describe(row));
  }
  return `${parts.join("\n\n")}\n`;
}

function describe(row: CommandRow): string[] {
  const subcommands = row.subcommands?.rows ?? [];
  const parts = [`### ${row.name.toUpperCase()}`];
  // A command that is nothing without its subcommands says it all in them.
  if (subcommands.length === 0 || row.minArguments === 1) parts.push(...facts(row));
  else parts.push(row.summary);
  for (const subcommand of subcommands) {
    parts.push(`#### ${words(subcommand)}`, ...facts(subcommand));
  }
  return parts;
}

/** What is known of one row. */
function facts(row: CommandRow): string[] {
  const call = row.syntax === "" ? words(row) : `${words(row)} ${row.syntax}`;
  return [
    `\`\`\`text\n${call}\n\`\`\``,
    row.summary,
    [
      `- Reply: ${replies(row)}`,
      `- Cost: ${row.complexity}`,
      ...(row.firstKey > 0 ? [`- Keys: ${keys(row)}`] : []),
      `- Flags: ${row.flags.map((flag) => `\`${flag}\``).join(", ")}`,
    ].join("\n"),
  ];
}

function words(row: CommandRow): string {
  return row.name.replace("|", " ").toUpperCase();
}

function replies({ replies }: CommandRow): string {
  if (replies.length === 0) return "always an error";
  return replies.map((shape) => REPLIES[shape]).join(" or ");
}

function keys(row: CommandRow): string {
  const prefix = new TextDecoder().decode(row.keyPrefix);
  if (prefix !== "") return `\`${prefix}\` and argument ${row.firstKey}, in database 0`;
  if (row.oneKey) return `argument ${row.firstKey}`;
  const last = row.lastKey === -1 ? "the last" : String(row.lastKey);
  const step = row.keyStep === 1 ? "" : `, every ${row.keyStep}`;
  return `arguments ${row.firstKey} to ${last}${step}`;
}
