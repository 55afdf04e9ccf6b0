/**
 * What `COMMAND INFO` says of each command of a server.
 *
 * @module
 */

import { type Frame, parseFrames } from "./format.ts";
import { VectorConnection } from "./session.ts";

/** Name, arity, flags, and the first key, last key and step. */
export type CommandFact = readonly [
  name: string,
  arity: number,
  flags: string,
  keys: readonly [first: number, last: number, step: number],
];

/** Asks a server for its commands and subcommands, sorted by name. */
export async function commandFacts(port: number): Promise<CommandFact[]> {
  using connection = await VectorConnection.open(port, 2);
  await connection.send(["COMMAND"]);
  const facts: CommandFact[] = [];
  const visit = ({ parts }: Frame): void => {
    const [first, last, step] = parts.slice(3, 6).map(({ text }) => Number(text));
    const flags = parts[2]!.parts.map(({ text }) => text).toSorted().join(" ");
    facts.push([parts[0]!.text, Number(parts[1]!.text), flags, [first!, last!, step!]]);
    for (const subcommand of parts[9]?.parts ?? []) visit(subcommand);
  };
  for (const part of parseFrames(await connection.take(1))[0]!.parts) visit(part);
  await connection.end();
  return facts.toSorted(([a], [b]) => a < b ? -1 : 1);
}

/** What was recorded from Redis 7. */
export async function recordedFacts(): Promise<CommandFact[]> {
  const text = await Deno.readTextFile(new URL("./recorded/commands.jsonl", import.meta.url));
  return text.trim().split("\n").map((line) => JSON.parse(line));
}
