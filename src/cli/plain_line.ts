/**
 * Plain command lines of the server: flags it knows, spelled out, and nothing else.
 *
 * Nearly every start is one of these. The parser of everything else is a library with help, guesses
 * and subcommands that would stay in memory for as long as the server runs.
 *
 * @module
 */

import { defaultConfig } from "../server/config.ts";
import type { CommandLineContext, Request } from "./command_line.ts";
import { FLAGS } from "./flags.ts";
import { type FlagTexts, resolveConfig } from "./settings.ts";

/** Flags that take a value, and those that do not. */
const TAKES_VALUE: ReadonlyMap<string, boolean> = new Map(
  FLAGS.map(({ name, placeholder }) => [`--${name}`, placeholder !== ""]),
);

/**
 * Reads a plain command line.
 *
 * Shape: `["serve", "--workers", "2-4", "--insecure"]`.
 *
 * @returns what `parseCommandLine` would; null = it is not plain, and that one has to be asked
 */
export function readPlainLine(
  args: readonly string[],
  context: CommandLineContext,
): Request | null {
  const texts = flagTexts(args[0] === "serve" ? args.slice(1) : args);
  if (texts === null) return null;
  const result = resolveConfig(texts, context.environment, context.defaults ?? defaultConfig());
  return result.kind === "config" ? { kind: "serve", config: result.config } : result;
}

function flagTexts(args: readonly string[]): FlagTexts | null {
  const texts: Record<string, string> = {};
  for (let i = 0; i < args.length; i++) {
    const [, flag = "", joined] = /^(--[a-z0-9-]+)(?:=(.*))?$/s.exec(args[i]!) ?? [];
    const takesValue = TAKES_VALUE.get(flag);
    if (takesValue === undefined || (!takesValue && joined !== undefined)) return null;
    const value = takesValue ? joined ?? args[++i] : "true";
    // Missing, or perhaps another flag.
    if (value === undefined || value === "" || value.startsWith("-")) return null;
    texts[flag.slice(2)] = value;
  }
  return texts;
}
