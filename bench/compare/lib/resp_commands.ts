/**
 * The commands of bench:resp, what they find and how many of them a run sends.
 *
 * @module
 */

import { atLeast, type Check } from "./checks.ts";
import type { Spread } from "./statistics.ts";
import type { RespFiller } from "./resp_filler.ts";

/** Keys, counters and members that commands choose from. */
export const KEY_COUNT = 100_000;

/** What a server holds when a run begins. */
export type Fill =
  /** Nothing. */
  | "nothing"
  /** {@link KEY_COUNT} strings of the size that is measured. */
  | "keys"
  /** {@link KEY_COUNT} counters. */
  | "counters"
  /** A list with an element for every command of the run. */
  | "long list"
  /** A list of {@link KEY_COUNT} / 100 elements. */
  | "short list";

/** One of the commands. */
export interface RespCommand {
  /** Its name in tables, as `redis-benchmark` has it. */
  readonly name: string;
  /** The command and its arguments. */
  readonly words: (value: string) => readonly string[];
  /** What it finds. */
  readonly fill: Fill;
  /** How many times fewer of it are sent, because each takes longer. */
  readonly weight: number;
  /** Values that one of it sends or is answered with. */
  readonly valueCount: number;
  /** Whether memory grows with every one. */
  readonly grows: boolean;
}

function command(
  name: string,
  words: RespCommand["words"],
  more: Partial<RespCommand> = {},
): RespCommand {
  return { name, words, fill: "nothing", weight: 1, valueCount: 1, grows: false, ...more };
}

const KEY = "key:__rand_int__";
const MEMBER = "element:__rand_int__";

/** All of them, with the same bytes as the tests of `redis-benchmark`. */
export const RESP_COMMANDS: readonly RespCommand[] = [
  command("PING", () => ["PING"], { valueCount: 0 }),
  command("SET", (value) => ["SET", KEY, value], { fill: "keys" }),
  command("GET", () => ["GET", KEY], { fill: "keys" }),
  command("INCR", () => ["INCR", "counter:__rand_int__"], { fill: "counters", valueCount: 0 }),
  command("LPUSH", (value) => ["LPUSH", "mylist", value], { grows: true }),
  command("RPOP", () => ["RPOP", "mylist"], { fill: "long list", grows: true }),
  command("HSET", (value) => ["HSET", "myhash", MEMBER, value]),
  command("SADD", () => ["SADD", "myset", MEMBER], { valueCount: 0 }),
  command("ZADD", () => ["ZADD", "myzset", "__rand_int__", MEMBER], { valueCount: 0 }),
  command("MSET", (value) => ["MSET", ...Array.from({ length: 10 }, () => [KEY, value]).flat()], {
    fill: "keys",
    weight: 5,
    valueCount: 10,
  }),
  command("LRANGE_100", () => ["LRANGE", "mylist", "0", "99"], {
    fill: "short list",
    weight: 10,
    valueCount: 100,
  }),
];

/** Bytes of values that a run may leave in memory, and send or receive. */
const MOST_GROWTH_BYTES = 256 * 2 ** 20;
const MOST_TRAFFIC_BYTES = 2 ** 30;
/** Batches that each connection sends at least. */
const FEWEST_BATCHES = 20;
/** An element of a list, besides its bytes, in the server that needs most. */
const ELEMENT_OVERHEAD_BYTES = 24;

/** Commands of a run that bounds neither memory nor traffic, by length of the pipeline. */
export function defaultRequests(pipeline: number, isQuick: boolean): number {
  const full = pipeline === 1 ? 200_000 : pipeline <= 16 ? 2_000_000 : 3_000_000;
  return isQuick ? full / 10 : full;
}

/** How many commands a run sends. */
export function requestCountOf(
  { weight, valueCount, grows }: RespCommand,
  base: number,
  valueBytes: number,
  pipeline: number,
  clientCount: number,
): number {
  const traffic = valueCount === 0 ? Infinity : MOST_TRAFFIC_BYTES / (valueCount * valueBytes);
  const growth = grows ? MOST_GROWTH_BYTES / (valueBytes + ELEMENT_OVERHEAD_BYTES) : Infinity;
  const fewest = pipeline * clientCount * FEWEST_BATCHES;
  return Math.floor(Math.min(Math.max(base / weight, Math.min(fewest, base)), traffic, growth));
}

/** Empties a server and puts into it what a run of `command` finds. */
export async function prepare(
  filler: RespFiller,
  { fill }: RespCommand,
  value: string,
  requestCount: number,
): Promise<void> {
  await filler.send(1, () => ["FLUSHALL"]);
  const named = (prefix: string, i: number): string => `${prefix}:${String(i).padStart(12, "0")}`;
  if (fill === "keys") {
    await filler.send(KEY_COUNT, (i) => ["SET", named("key", i), value]);
  } else if (fill === "counters") {
    await filler.send(KEY_COUNT, (i) => ["SET", named("counter", i), String(i)]);
  } else if (fill !== "nothing") {
    const elementCount = fill === "long list" ? requestCount : KEY_COUNT / 100;
    const elements = Array.from({ length: 100 }, () => value);
    await filler.send(Math.ceil(elementCount / 100), () => ["RPUSH", "mylist", ...elements]);
  }
}

/** Least ratio to Redis by length of the pipeline, for the commands that everybody uses. */
const COMMON: readonly string[] = ["GET", "SET", "INCR"];
const COMMON_RATIOS: Readonly<Record<number, number>> = { 1: 0.95, 16: 1.3, 64: 1.7 };
/** Least ratio of all others. */
const OTHER_RATIOS: Readonly<Record<number, number>> = { 16: 1 };

/** What must hold for one cell of the table, or undefined. */
export function checkRatio(
  name: string,
  pipeline: number,
  valueBytes: number,
  ratios: Spread,
): Check | undefined {
  const limit = (COMMON.includes(name) ? COMMON_RATIOS : OTHER_RATIOS)[pipeline];
  if (limit === undefined) return undefined;
  const what = `${name}, pipeline ${pipeline}, ${valueBytes} B`;
  return atLeast(what, limit, ratios.median, "× Redis");
}
