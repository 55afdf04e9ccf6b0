/**
 * Replays recorded cases to this server and compares.
 *
 * @module
 */

import type { CommandTable } from "../../src/command/lookup.ts";
import { type Difference, DIFFERENCES } from "./differences.ts";
import { isSameReply, parseStep, type RecordedCase, type RecordedStep } from "./format.ts";
import { VectorConnection, VectorSession } from "./session.ts";

/** The command that a step sends, as the table names it; "" when it sends none. */
export function commandOf(line: string): string {
  const { words } = parseStep(line);
  return words[0]?.toLowerCase() ?? "";
}

/** Commands of a case that the table does not have, although Redis has them. */
export function missingCommands(table: CommandTable, { steps }: RecordedCase): string[] {
  const missing = new Set<string>();
  for (const [line, reply] of steps) {
    const name = commandOf(line);
    if (name === "" || /^-ERR unknown command/.test(reply)) continue;
    const row = table.named(name);
    if (row === undefined) {
      missing.add(name);
      continue;
    }
    const [, second, third] = parseStep(line).words.map((word) => word.toLowerCase());
    if (row.subcommands === undefined || second === undefined) continue;
    if (/^-ERR unknown subcommand/.test(reply)) continue;
    if (table.named(`${name}|${second}`) === undefined) missing.add(`${name}|${second}`);
    // `COMMAND GETKEYS` is asked about another command.
    const asked = second === "getkeys" && !reply.startsWith("-") ? third : undefined;
    if (asked !== undefined && table.named(asked) === undefined) missing.add(asked);
  }
  return [...missing];
}

/** The reason why a step's reply may be another, if there is one. */
export function differenceOf(name: string, line: string): Difference | undefined {
  return DIFFERENCES.find((difference) =>
    (difference.name ?? name) === name && difference.line.test(line)
  );
}

/** What is wrong with one reply, or "". */
function faultIn(name: string, [line, resp2, resp3]: RecordedStep, version: 2 | 3, ours: string) {
  const theirs = version === 3 ? resp3 ?? resp2 : resp2;
  const difference = differenceOf(name, line);
  if (difference !== undefined && difference.ours.test(ours)) return "";
  if (isSameReply(ours, theirs, parseStep(line).comparison)) return "";
  return `RESP${version} ${line}\n    redis: ${JSON.stringify(theirs)}\n    ours:  ${
    JSON.stringify(ours)
  }`;
}

/** What is the same before each case. */
export class Replay implements Disposable {
  readonly #admin: VectorConnection;
  readonly #port: number;
  readonly #hasFlush: boolean;

  private constructor(admin: VectorConnection, port: number, table: CommandTable) {
    this.#admin = admin;
    this.#port = port;
    this.#hasFlush = table.named("flushall") !== undefined;
  }

  /** Connects to a server. */
  static async open(port: number, table: CommandTable): Promise<Replay> {
    return new Replay(await VectorConnection.open(port, 2), port, table);
  }

  /** Plays a case in one version. Returns what is wrong, or "". */
  async run(recorded: RecordedCase, version: 2 | 3): Promise<string> {
    await this.#clear();
    const session = new VectorSession(this.#port, version);
    try {
      for (const step of recorded.steps) {
        const [line, resp2, resp3] = step;
        const ours = await session.play(line, version === 3 ? resp3 ?? resp2 : resp2);
        const fault = faultIn(recorded.name, step, version, ours);
        if (fault !== "") return fault;
      }
      return session.rest === "" ? "" : `RESP${version} too much: ${JSON.stringify(session.rest)}`;
    } finally {
      await session.end();
    }
  }

  [Symbol.dispose](): void {
    this.#admin[Symbol.dispose]();
  }

  /** Ends the connection. */
  async end(): Promise<void> {
    await this.#admin.end();
  }

  async #clear(): Promise<void> {
    if (this.#hasFlush) {
      await this.#admin.ask(["FLUSHALL"]);
      return;
    }
    for (const database of ["1", "3", "15", "0"]) {
      await this.#admin.ask(["SELECT", database]);
      const text = await this.#admin.ask(["SCAN", "0", "COUNT", "10000"]);
      const keys = [...text.matchAll(/\$(\d+)\r\n/g)].slice(1).map((found) => {
        const start = found.index + found[0].length;
        return text.slice(start, start + Number(found[1]));
      });
      if (keys.length > 0) await this.#admin.ask(["DEL", ...keys]);
    }
  }
}
