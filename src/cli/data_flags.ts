/**
 * The arguments of `sluice repair`, `sluice dump` and `sluice load`.
 *
 * @module
 */

import { MEMORY_MAX_BYTES, MEMORY_MIN_BYTES } from "../base/limits.ts";
import { formatSize, parseSize } from "../base/units.ts";
import type { Config } from "../server/config.ts";
import { type Flag, FLAGS } from "./flags.ts";
import { type EnvironmentReader, type FlagTexts, readFlags, type UsageError } from "./settings.ts";

/** Databases that there are: 0 to one less. */
const DATABASE_COUNT = 16;

/** What is to be done with a data directory. */
export type DataOrder = RepairOrder | DumpOrder | LoadOrder;

/** Show what is in a directory, and repair it if that is wanted. */
export interface RepairOrder {
  /** Which order it is. */
  readonly kind: "repair";
  /** The directory. */
  readonly path: string;
  /** Whether the log is cut at the damage. */
  readonly isTruncating: boolean;
  /** Whether JSON is wanted. */
  readonly isJson: boolean;
  /** Unit: bytes; undefined: as much as there is. */
  readonly maxMemoryBytes: number | undefined;
}

/** Write what is in a directory as lines of JSON. */
export interface DumpOrder {
  /** Which order it is. */
  readonly kind: "dump";
  /** The directory. */
  readonly path: string;
  /** File; `-` is standard output. */
  readonly output: string;
  /** Only this database; undefined: all. */
  readonly database: number | undefined;
  /** Only keys that match; undefined: all. */
  readonly pattern: string | undefined;
  /** Whether what can be read of a damaged directory is wanted. */
  readonly isSalvaging: boolean;
  /** Unit: bytes; undefined: as much as there is. */
  readonly maxMemoryBytes: number | undefined;
}

/** Put the content of files into a directory. */
export interface LoadOrder {
  /** Which order it is. */
  readonly kind: "load";
  /** The directory. */
  readonly path: string;
  /** The files; `-` is standard input. */
  readonly files: readonly string[];
  /** Whether the directory may have data already. */
  readonly isAdded: boolean;
  /** Whether what has no place here is left out. */
  readonly skipsUnsupported: boolean;
  /** Whether JSON is wanted. */
  readonly isJson: boolean;
  /** Unit: bytes; undefined: as much as there is. */
  readonly maxMemoryBytes: number | undefined;
  /** Largest value that is taken. Unit: bytes. */
  readonly maxValueBytes: number;
}

/** An order, or what is wrong with the arguments. */
export type DataOrderResult = { readonly kind: "order"; readonly order: DataOrder } | UsageError;

/** Heading of the flags in the help. */
export const DATA_GROUP = "Options:";

const MEMORY_OPTION = [
  "--max-memory <size>",
  "memory that the keys may take meanwhile\n(default: as much as the machine gives)",
] as const;

/** Options of `sluice repair`: syntax and summary. */
export const REPAIR_OPTIONS: readonly (readonly [syntax: string, summary: string])[] = [
  ["--truncate", "cut the log at the damage, so that a server starts again"],
  ["--json", "print what was found as JSON"],
  MEMORY_OPTION,
];

/** Options of `sluice dump`: syntax and summary. */
export const DUMP_OPTIONS: readonly (readonly [syntax: string, summary: string])[] = [
  ["--output <file>", "write to a file, which has its name once it is complete"],
  ["--database <n>", "only the keys of one database, and no events"],
  ["--match <pattern>", "only keys that match a pattern as of KEYS, and no events"],
  ["--salvage", "of a damaged directory, what can be read"],
  MEMORY_OPTION,
];

/** Options of `sluice load`: syntax and summary. */
export const LOAD_OPTIONS: readonly (readonly [syntax: string, summary: string])[] = [
  ["--add", "into a directory that has data already: keys of the files replace those"],
  ["--skip-unsupported", "leave out what has no place here, streams for example"],
  ["--json", "print what was loaded as JSON"],
  MEMORY_OPTION,
];

/** The server's own flags that matter to `sluice load`. */
export const LOAD_FLAGS: readonly Flag[] = FLAGS
  .filter(({ name }) => name === "max-value-bytes")
  .map((flag) => ({ ...flag, group: DATA_GROUP, summary: "largest value, as the server has it" }));

/** Behind the options in the help. */
export const REPAIR_HELP_FOOTER = `
Shows the files of a data directory, where they are damaged, and what a start
would do. Without --truncate nothing is changed. With it, what is cut off is kept
beside, in files that end in .cut.

Exit codes: 0 a server starts from the directory, 1 it does not, 2 wrong usage.`;

/** Behind the options in the help. */
export const DUMP_HELP_FOOTER = `
Writes a line of JSON for each key and each event that was accepted and is not
settled, in the order of databases and keys, to standard output or to a file.

Exit codes: 0 dumped, 1 not, 2 wrong usage.`;

/** Behind the options in the help. */
export const LOAD_HELP_FOOTER = `
Files are what sluice dump has written, RDB files of Redis (versions 1 to 11),
AOFs, or the directory of an AOF of several files; - is standard input. What a
file is, is seen by its content. A server that is started on the directory has
all of it; where something is wrong, nothing is written.

Exit codes: 0 loaded, 1 not, 2 wrong usage.`;

/** Reads the arguments of `sluice repair`. */
export function resolveRepairOrder(words: readonly string[], texts: FlagTexts): DataOrderResult {
  const path = directoryOf(words);
  if (typeof path !== "string") return path;
  if (words.length > 1) return tooMany("repair", words[1]!);
  const maxMemoryBytes = memoryOf(texts);
  if (typeof maxMemoryBytes === "object") return maxMemoryBytes;
  const isTruncating = texts["truncate"] === "true";
  const isJson = texts["json"] === "true";
  return ordered({ kind: "repair", path, isTruncating, isJson, maxMemoryBytes });
}

/** Reads the arguments of `sluice dump`. */
export function resolveDumpOrder(words: readonly string[], texts: FlagTexts): DataOrderResult {
  const path = directoryOf(words);
  if (typeof path !== "string") return path;
  if (words.length > 1) return tooMany("dump", words[1]!);
  const maxMemoryBytes = memoryOf(texts);
  if (typeof maxMemoryBytes === "object") return maxMemoryBytes;
  const { output = "-", match: pattern, database: databaseText } = texts;
  if (output === "") return usageError("--output must name a file, or be -");
  const database = databaseText === undefined
    ? undefined
    : /^\d{1,2}$/.test(databaseText)
    ? Number(databaseText)
    : NaN;
  if (database !== undefined && !(database < DATABASE_COUNT)) {
    return usageError(
      `--database ${JSON.stringify(databaseText)} must be a number from 0 to ${DATABASE_COUNT - 1}`,
    );
  }
  const isSalvaging = texts["salvage"] === "true";
  return ordered({ kind: "dump", path, output, database, pattern, isSalvaging, maxMemoryBytes });
}

/** Reads the arguments of `sluice load`. */
export function resolveLoadOrder(
  words: readonly string[],
  texts: FlagTexts,
  environment: EnvironmentReader,
  defaults: Config,
): DataOrderResult {
  const path = directoryOf(words);
  if (typeof path !== "string") return path;
  const files = words.slice(1);
  if (files.length === 0) return usageError("there is no file to load; see sluice load --help");
  if (files.filter((file) => file === "-").length > 1) {
    return usageError("standard input can be read once only");
  }
  const maxMemoryBytes = memoryOf(texts);
  if (typeof maxMemoryBytes === "object") return maxMemoryBytes;
  const reading = readFlags(LOAD_FLAGS, texts, environment, defaults);
  if (reading.kind === "usage_error") return reading;
  return ordered({
    kind: "load",
    path,
    files,
    isAdded: texts["add"] === "true",
    skipsUnsupported: texts["skip-unsupported"] === "true",
    isJson: texts["json"] === "true",
    maxMemoryBytes,
    maxValueBytes: reading.config.maxValueBytes,
  });
}

function ordered(order: DataOrder): DataOrderResult {
  return { kind: "order", order };
}

function directoryOf(words: readonly string[]): string | UsageError {
  const [path] = words;
  return path === undefined || path === ""
    ? usageError("the data directory is missing; name it behind the command")
    : path;
}

function memoryOf({ "max-memory": text }: FlagTexts): number | undefined | UsageError {
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  return bytes !== null && bytes >= MEMORY_MIN_BYTES && bytes <= MEMORY_MAX_BYTES
    ? bytes
    : usageError(
      `--max-memory ${JSON.stringify(text)} must be a size from ${formatSize(MEMORY_MIN_BYTES)} ` +
        `to ${formatSize(MEMORY_MAX_BYTES)}, e.g. 64mb`,
    );
}

function tooMany(command: string, word: string): UsageError {
  return usageError(
    `unknown command or argument ${JSON.stringify(word)}; see sluice ${command} --help`,
  );
}

function usageError(message: string): UsageError {
  return { kind: "usage_error", message };
}
