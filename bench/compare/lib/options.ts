/**
 * Options of the comparing benches.
 *
 * @module
 */

import { parseArgs, type ParseArgsConfig } from "node:util";
import { printLine } from "./report.ts";

/** Options as they were given: text, true, or undefined. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** Exit code of wrong usage. */
const WRONG_USAGE = 2;

/** Says what is wrong and ends the program. */
export function fail(message: string, code: number = WRONG_USAGE): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`${message}\n`));
  Deno.exit(code);
}

/**
 * Reads the command line; `--help` and mistakes end the program.
 *
 * @param help printed for `--help`; each option is a line in it that begins with `  --name`, and
 *   takes a value if the name is followed by a word in capitals
 */
export function readOptions(help: string, args: readonly string[] = Deno.args): Options {
  const options: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean" } };
  for (const [, name, value] of help.matchAll(/^ {2}--([a-z-]+)(?: ([A-Z]+))?/gm)) {
    options[name!] = { type: value === undefined ? "boolean" : "string" };
  }
  let values: Options;
  try {
    values = parseArgs({ args: joined(args, options), options, strict: true }).values as Options;
  } catch (error) {
    fail(`${(error as Error).message}\nTry --help.`);
  }
  if (values["help"] === true) {
    printLine(help);
    Deno.exit(0);
  }
  return values;
}

/** `--flags --workers` as `--flags=--workers`: a value may begin with a dash. */
function joined(
  args: readonly string[],
  options: NonNullable<ParseArgsConfig["options"]>,
): string[] {
  const result: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    const takesValue = word.startsWith("--") && options[word.slice(2)]?.type === "string";
    result.push(takesValue && i + 1 < args.length ? `${word}=${args[++i]}` : word);
  }
  return result;
}

/** The value of an option that takes one, or undefined. */
export function textOf(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** A number of at least 1, in full. */
export function countOf(options: Options, name: string, otherwise: number): number {
  const text = textOf(options, name);
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d*$/.test(text)) fail(`Cannot read --${name} ${text}: not a whole number above 0`);
  return Number(text);
}

/** Numbers separated by commas. */
export function countsOf(
  options: Options,
  name: string,
  otherwise: readonly number[],
): readonly number[] {
  const words = textOf(options, name)?.split(",");
  if (words === undefined) return otherwise;
  return words.map((word) => countOf({ [name]: word }, name, 1));
}

/** Names separated by commas, each one of `known`, whatever their case. */
export function namesOf(
  options: Options,
  name: string,
  known: readonly string[],
): readonly string[] {
  const words = textOf(options, name)?.split(",");
  if (words === undefined) return known;
  return words.map((word) =>
    known.find((other) => other.toLowerCase() === word.toLowerCase()) ??
      fail(`Cannot read --${name} ${word}: it is not one of ${known.join(", ")}`)
  );
}
