/**
 * Loads somebody's own processor, and looks whether it is one.
 *
 * Every thread that needs it loads it for itself, from the same URL.
 *
 * @module
 */

import { CompiledEventSchema } from "../base/event_schema.ts";
import type { Processor } from "./processor.ts";
import { refuseUnknownMembers } from "./processor_members.ts";

/** Most events that a worker may have in hand. Unit: events. */
export const PROCESSOR_CONCURRENCY_MAX = 64;
/** How long one try of an event may take, unless the processor says otherwise. Unit: ms. */
export const PROCESSOR_TIMEOUT_MS = 30_000;
/** Longest of such times. Unit: ms. */
export const PROCESSOR_TIMEOUT_MAX_MS = 3_600_000;
/** Most counters of its own. Unit: counters. Reason: each is a double per thread, and a time series. */
export const PROCESSOR_COUNTERS_MAX = 32;

/** What colors the runtime's messages on a terminal. */
const COLORS = new RegExp(`${String.fromCharCode(0x1b)}\\[\\d*m`, "g");
/** Longest name of a processor. Unit: characters. */
const NAME_MAX_LENGTH = 32;
const NAME = /^[a-z][a-z0-9_]{0,31}$/;
/** Counters of the server whose names in `/metrics` are those of a processor's. */
const TAKEN_COUNTERS: readonly string[] = ["stray_errors"];
const COUNTER_NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** A processor that was found good, with what it left out filled in. */
export interface LoadedProcessor {
  /** What logs and metrics call it. */
  readonly name: string;
  /** The default export itself: its methods are called on it. */
  readonly processor: Processor;
  /** How many events a worker has in hand at once. */
  readonly concurrency: number;
  /** How long one try of an event may take. Unit: ms. */
  readonly timeoutMs: number;
  /** Names of its own counters. */
  readonly counters: readonly string[];
  /** The further fields of events; undefined: there are none. */
  readonly schema: CompiledEventSchema | undefined;
}

/** Why a module cannot be used as a processor. Its message is one line for the operator. */
export class ProcessorLoadError extends Error {
  /** Always `"ProcessorLoadError"`. */
  override readonly name = "ProcessorLoadError";
}

/**
 * The URL of what `--processor` names: a URL stays what it is, a path is looked up from `folder`.
 *
 * @param folder absolute path of a folder, e.g. `Deno.cwd()`
 *
 * @example
 * ```ts
 * import { processorUrl } from "./processor_module.ts";
 * console.assert(processorUrl("./mine.ts", "/srv/app") === "file:///srv/app/mine.ts");
 * console.assert(processorUrl("https://example.com/p.js", "/srv") === "https://example.com/p.js");
 * ```
 */
export function processorUrl(place: string, folder: string): string {
  // A scheme of one letter is the drive of a path on Windows.
  if (/^[a-z][a-z0-9+.-]+:/i.test(place)) return place;
  const isAbsolute = /^(\/|\\|[a-z]:)/i.test(place);
  const path = (isAbsolute ? place : `${folder}/${place}`).replaceAll("\\", "/");
  // Everything that means something in a URL is part of a name here.
  const escaped = path.split("/").map((part) => encodeURIComponent(part).replaceAll("%3A", ":"));
  return new URL(`file://${path.startsWith("/") ? "" : "/"}${escaped.join("/")}`).href;
}

/** What messages call the module at `url`: a file by its path. */
export function processorPlace(url: string): string {
  if (!url.startsWith("file://")) return url;
  const path = decodeURIComponent(new URL(url).pathname);
  return /^\/[a-z]:/i.test(path) ? path.slice(1) : path;
}

/**
 * Loads the module at `url` and checks its default export.
 *
 * Thread: any; each isolate has its own copy of the module.
 *
 * @throws {ProcessorLoadError} when there is no such module, or it is no processor
 */
export async function loadProcessor(url: string): Promise<LoadedProcessor> {
  let module: { default?: unknown };
  try {
    module = await import(url);
  } catch (error) {
    throw cannotUse(url, loadProblem(url, error), error);
  }
  try {
    return checkProcessor(module.default, url);
  } catch (error) {
    throw cannotUse(url, error instanceof TypeError ? error.message : String(error), error);
  }
}

function cannotUse(url: string, why: string, cause: unknown): ProcessorLoadError {
  return new ProcessorLoadError(`Cannot use the processor ${processorPlace(url)}: ${why}`, {
    cause,
  });
}

/**
 * Looks whether `value` is a processor.
 *
 * @param url where it is from; its last part is the name of one that has none
 * @throws {TypeError} that says what is wrong
 */
export function checkProcessor(value: unknown, url: string): LoadedProcessor {
  const processor = value as Processor | null | undefined;
  if (
    (typeof processor !== "object" && typeof processor !== "function") || processor === null ||
    typeof processor.process !== "function"
  ) {
    throw new TypeError(
      isClassOfProcessors(value)
        ? "its default export is a class: export an instance of it, new ...()"
        : "its default export has no process()",
    );
  }
  refuseUnknownMembers(processor);
  const { validate, schema } = processor;
  if (validate !== undefined && typeof validate !== "function") {
    throw new TypeError("validate must be a function");
  }
  return {
    // A function has a name of its own, which nobody meant.
    name: nameOf(typeof processor === "function" ? undefined : processor.name, url),
    processor,
    concurrency: readNumber(processor.concurrency, "concurrency", 1, PROCESSOR_CONCURRENCY_MAX),
    timeoutMs: readNumber(
      processor.timeoutMs,
      "timeoutMs",
      PROCESSOR_TIMEOUT_MS,
      PROCESSOR_TIMEOUT_MAX_MS,
    ),
    counters: readCounters(processor.counters),
    schema: schema === undefined ? undefined : new CompiledEventSchema(schema),
  };
}

function isClassOfProcessors(value: unknown): boolean {
  return typeof value === "function" && typeof value.prototype?.process === "function";
}

function nameOf(name: unknown, url: string): string {
  if (name === undefined) return nameFromUrl(url);
  if (typeof name === "string" && NAME.test(name)) return name;
  throw new TypeError(
    `name must be a small letter and up to ${NAME_MAX_LENGTH - 1} small letters, digits and _`,
  );
}

function nameFromUrl(url: string): string {
  const last = url.replace(/[?#].*$/s, "").split("/").at(-1)!;
  const file = last.replaceAll(/%[0-9a-f]{2}/gi, "_").replace(/\.[a-z]+$/i, "");
  const name = file.toLowerCase().replaceAll(/[^a-z0-9_]+/g, "_").replace(/^[^a-z]+/, "");
  return name.slice(0, NAME_MAX_LENGTH) || "processor";
}

function readNumber(value: unknown, field: string, otherwise: number, most: number): number {
  if (value === undefined) return otherwise;
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) {
    return value as number;
  }
  throw new TypeError(`${field} must be a whole number from 1 to ${most}`);
}

function readCounters(counters: unknown): readonly string[] {
  if (counters === undefined) return [];
  if (!Array.isArray(counters)) throw new TypeError("counters must be an array of names");
  if (counters.length > PROCESSOR_COUNTERS_MAX) {
    throw new TypeError(`counters must be at most ${PROCESSOR_COUNTERS_MAX} names`);
  }
  for (const name of counters) {
    if (TAKEN_COUNTERS.includes(name)) {
      throw new TypeError(`the counter ${name} must be named otherwise: the server has one`);
    }
    if (typeof name !== "string" || !COUNTER_NAME.test(name)) {
      throw new TypeError(
        `the counter ${
          JSON.stringify(name)
        } must be named with a small letter and up to 63 small ` +
          "letters, digits and _",
      );
    }
  }
  if (new Set(counters).size < counters.length) {
    throw new TypeError("counters must be named differently");
  }
  return [...counters];
}

/** One line that says why a module could not be loaded. */
function loadProblem(url: string, error: unknown): string {
  if (Deno.build.standalone) {
    if (!/^(file|data):/.test(url)) return "this executable loads modules from files only";
    if (error instanceof SyntaxError && /\.(ts|mts|tsx)$/.test(url)) {
      const place = processorPlace(url);
      return "this executable does not read TypeScript; make JavaScript of it with: deno bundle -o " +
        `${place.replace(/\w+$/, "js")} ${place}`;
    }
  }
  const text = (error instanceof Error ? error.message : String(error)).replaceAll(COLORS, "");
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const [first = "it cannot be loaded"] = lines;
  const missing = /^Module not found:? "?(.+?)"?\.?$/.exec(first)?.[1];
  if (missing === url) return "there is no such file";
  if (missing !== undefined) return `it imports ${processorPlace(missing)}, which is not there`;
  const place = /\b(\w+:\/\/\S+:\d+:\d+)$/.exec(lines.at(-1)!)?.[1];
  return place === undefined || first.includes(place) ? first : `${first} at ${place}`;
}
