/**
 * Compares the table's facts with those of Redis 7.
 *
 * @module
 */

import type { CommandTable } from "../../src/command/lookup.ts";
import type { CommandRow } from "../../src/command/row.ts";
import type { CommandFact } from "./command_facts.ts";
import { FACT_DIFFERENCES, type FactDifference, NON_GOALS } from "./differences.ts";

function differencesOf(name: string, fact: FactDifference["fact"]): FactDifference[] {
  return FACT_DIFFERENCES.filter((each) =>
    each.fact === fact && (each.names.includes("*") || each.names.includes(name))
  );
}

/** All rows of a table, subcommands included. */
export function allRows(table: CommandTable): CommandRow[] {
  return table.rows.flatMap((row) => [row, ...(row.subcommands?.rows ?? [])]);
}

/** What is wrong with one row's facts; "" when all is as in Redis or has a reason not to be. */
export function factFault(row: CommandRow, [name, arity, flags, keys]: CommandFact): string {
  const faults: string[] = [];
  if (row.arity !== arity && differencesOf(name, "arity").length === 0) {
    faults.push(`arity ${row.arity}, Redis has ${arity}`);
  }
  const ours = [row.firstKey, row.lastKey, row.keyStep].join(" ");
  if (ours !== keys.join(" ") && differencesOf(name, "keys").length === 0) {
    faults.push(`keys ${ours}, Redis has ${keys.join(" ")}`);
  }
  const allowed = differencesOf(name, "flags");
  const theirs = new Set(flags.split(" ").filter((flag) => flag !== ""));
  const missing = [...theirs].filter((flag) =>
    !(row.flags as readonly string[]).includes(flag) &&
    !allowed.some((each) => each.without?.includes(flag))
  );
  const extra = row.flags.filter((flag) =>
    !theirs.has(flag) && !allowed.some((each) => each.with?.includes(flag))
  );
  if (missing.length > 0) faults.push(`without ${missing.join(" ")}`);
  if (extra.length > 0) faults.push(`with ${extra.join(" ")}, which Redis does not have`);
  return faults.length === 0 ? "" : `${name}: ${faults.join("; ")}`;
}

/** Whether a command of Redis is one that this server is not meant to have. */
export function isNonGoal(name: string): boolean {
  return NON_GOALS.some(({ names }) =>
    names.some((each) =>
      each === name || (each.endsWith("*") && name.startsWith(each.slice(0, -1)))
    )
  );
}

/** Commands of Redis that the table does not have: those that are no goals, and the others. */
export function missingOfRedis(
  table: CommandTable,
  facts: readonly CommandFact[],
): { nonGoals: string[]; others: string[] } {
  const missing = facts.map(([name]) => name).filter((name) => table.named(name) === undefined);
  return {
    nonGoals: missing.filter(isNonGoal),
    others: missing.filter((name) => !isNonGoal(name)),
  };
}
