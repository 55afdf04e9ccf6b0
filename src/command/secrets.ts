/**
 * Which words of a command nobody but its sender may see.
 *
 * @module
 */

import type { CommandArguments } from "./arguments.ts";
import type { CommandRow } from "./row.ts";

/** Shown in place of a secret word. Source: Redis. */
export const REDACTED = "(redacted)";

/**
 * Index of the first word that is secret, as are those behind it; Infinity = none is.
 *
 * Thread: any.
 */
export function firstSecretWord(row: CommandRow, args: CommandArguments): number {
  if (row.name === "auth") return 1;
  if (row.name === "config|set") {
    for (let i = 2; i < args.count; i += 2) if (args.is(i, "REQUIREPASS")) return i + 1;
  }
  if (row.name !== "hello") return Infinity;
  for (let i = 2; i < args.count; i++) if (args.is(i, "AUTH")) return i + 1;
  return Infinity;
}
