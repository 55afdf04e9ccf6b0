/**
 * What follows from a command's row and is not said in it: flags, categories, what its keys are for.
 *
 * @module
 */

import type { CommandGroup, CommandRow } from "./row.ts";

/** Categories of groups, in Redis's words; other groups have none. */
const GROUP_CATEGORIES: Readonly<Partial<Record<CommandGroup, string>>> = {
  set: "@set",
  "sorted-set": "@sortedset",
  list: "@list",
  hash: "@hash",
  string: "@string",
  bitmap: "@bitmap",
  hyperloglog: "@hyperloglog",
  pubsub: "@pubsub",
};

/** Commands that cost or destroy much, beside those with the flag `admin`. */
const DANGEROUS = ["flushall", "flushdb", "info", "keys", "sort", "sort_ro", "swapdb"];

/** Commands that only take keys away. */
const REMOVERS = ["del", "unlink"];

/** Commands that look at keys and not at what is in them. */
const ONLOOKERS = ["exists", "object", "ttl", "pttl", "touch", "type", "watch"];

/** Flags as `COMMAND INFO` shows them. Thread: any. */
export function shownFlags(row: CommandRow): readonly string[] {
  const moves = row.findKeys !== undefined && !row.flags.includes("movablekeys");
  return moves ? [...row.flags, "movablekeys"] : row.flags;
}

/** Access categories, in Redis's order. Thread: any. */
export function categories(row: CommandRow): string[] {
  const has = row.flags.includes.bind(row.flags);
  const name = row.name.split("|")[0]!;
  const found: (string | false)[] = [
    row.group === "generic" && "@keyspace",
    has("readonly") && "@read",
    has("write") && "@write",
    GROUP_CATEGORIES[row.group] ?? false,
    has("admin") && "@admin",
    has("fast") ? "@fast" : "@slow",
    has("blocking") && "@blocking",
    (has("admin") || DANGEROUS.includes(name)) && "@dangerous",
    row.group === "connection" && "@connection",
    row.group === "transactions" && "@transaction",
    row.group === "events" && "@events",
  ];
  return found.filter((category) => category !== false);
}

/**
 * What a command does with its keys, as `COMMAND GETKEYSANDFLAGS` shows it.
 *
 * Shape: `["RO", "access"]`; of a command that writes to some of its keys and reads others, all are
 * said to be written.
 */
export function keyFlags(row: CommandRow): readonly string[] {
  if (ONLOOKERS.includes(row.name.split("|")[0]!)) return ["RO"];
  if (row.flags.includes("readonly")) return ["RO", "access"];
  if (REMOVERS.includes(row.name)) return ["RM", "delete"];
  return ["RW", "access", "update"];
}

/** Whether its arguments name keys as they are, so that a client may route by them. */
export function hasPlainKeys(row: CommandRow): boolean {
  return row.keyPrefix.length === 0 && (row.firstKey > 0 || row.findKeys !== undefined);
}
