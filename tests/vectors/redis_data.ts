/**
 * What the recorded files of Redis hold, as commands; a character is a byte.
 *
 * @module
 */

import { Random } from "../helpers/fuzz/random.ts";

/** A command. */
export type Words = readonly string[];

/** In the year 2100, so that nothing expires before a file is read. Unit: ms. */
export const FUTURE_MS = 4_102_444_800_000;

const SEED = 20_261_121;

/** Every byte there is. */
const ALL_BYTES = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));

/** Where numbers change their encoding, on either side. */
const NUMBERS: readonly string[] = [0, 1, 12, 13, 127, 128, 4095, 4096, 32767, 32768, 8388607]
  .concat([8388608, 2147483647, 2147483648, Number.MAX_SAFE_INTEGER])
  .flatMap((value) => [String(value), String(-value - 1)])
  .concat(["9223372036854775807", "-9223372036854775808"]);

/** What looks like a number, and is a string. */
const LOOKALIKES: readonly string[] = ["-0", "007", "+1", "9223372036854775808", " 1", "1.0", ""];

const SCORES: readonly string[] = ["0", "-0", "1", "-1", "0.1", "1e-320", "1.7976931348623157e308"]
  .concat([
    "-1.5e100",
    "inf",
    "-inf",
    "3.0000000000000004",
    "9007199254740993",
    "100000000000000000",
  ]);

function noise(random: Random, length: number): string {
  return String.fromCharCode(...Array.from({ length }, () => random.below(256)));
}

function words(count: number, name: string): string[] {
  return Array.from({ length: count }, (_, i) => `${name}-${i}`);
}

/** In turn the items of both. */
function pairs(fields: readonly string[], values: readonly string[]): string[] {
  return fields.flatMap((field, i) => [field, values[i % values.length]!]);
}

function strings(random: Random): Words[] {
  return [
    ...NUMBERS.map((text) => ["SET", `number:${text}`, text]),
    ...LOOKALIKES.map((text, i) => ["SET", `lookalike:${i}`, text]),
    ["SET", ALL_BYTES, ALL_BYTES],
    ["SET", "", "the empty key"],
    ["SET", "repeated", "abc".repeat(9000)],
    ["SET", "one byte", "z".repeat(20_000)],
    ["SET", "noise", noise(random, 17_000)],
    ["SET", "nearly", `${noise(random, 300)}${"-".repeat(500)}${noise(random, 20)}`],
    ["SET", "k".repeat(100), "a long key, which is compressed"],
    ["SET", "expires", "later", "PXAT", String(FUTURE_MS)],
    ["SET", "expires in the far future", "later", "PXAT", String(2 ** 52)],
  ];
}

function lists(random: Random): Words[] {
  return [
    ["RPUSH", "list:small", ...NUMBERS, ...LOOKALIKES, ALL_BYTES],
    ["RPUSH", "list:one", "x"],
    ["RPUSH", "list:lengths", ...[1, 63, 64, 100, 4095, 4096].map((n) => "l".repeat(n))],
    ["RPUSH", "list:large", ...words(1500, "an element of a list")],
    ["RPUSH", "list:mixed", "a", noise(random, 700), "b", "c".repeat(900), noise(random, 500), "d"],
  ];
}

function sets(): Words[] {
  return [
    ["SADD", "set:16", "1", "2", "-300", "32767"],
    ["SADD", "set:32", "1", "-2147483648", "70000"],
    ["SADD", "set:64", ...NUMBERS],
    ["SADD", "set:few", "a", "b", "", ALL_BYTES],
    ["SADD", "set:many", ...words(300, "member")],
    ["SADD", "set:many numbers", ...words(600, "").map((text) => text.slice(1))],
    ["PEXPIREAT", "set:many", String(FUTURE_MS + 1)],
  ];
}

function hashes(random: Random): Words[] {
  return [
    ["HSET", "hash:small", ...pairs(NUMBERS.slice(0, 14), LOOKALIKES), "", "", "\r\n", "\0\xff"],
    ["HSET", "hash:bytes", ALL_BYTES.slice(0, 64), ALL_BYTES.slice(192), ALL_BYTES, ALL_BYTES],
    ["HSET", "hash:large", ...pairs(words(300, "field"), NUMBERS)],
    ["HSET", "hash:long", "field", noise(random, 300), "f".repeat(70), "v".repeat(3000)],
    ["PEXPIREAT", "hash:small", String(FUTURE_MS + 2)],
  ];
}

function sortedSets(): Words[] {
  const members = SCORES.map((score) => `of ${score}`);
  return [
    ["ZADD", "zset:small", ...pairs(SCORES, members)],
    ["ZADD", "zset:numbers", ...pairs(["1", "2.5", "-7"], NUMBERS.slice(0, 3))],
    ["ZADD", "zset:large", ...pairs(SCORES, words(200, "m")).slice(0, 26)],
    [
      "ZADD",
      "zset:large",
      ...words(300, "member").flatMap((member, i) => [String(i * 1.25), member]),
    ],
    ["ZADD", "zset:long", "1", "x".repeat(500), "2", ALL_BYTES],
  ];
}

/** What this server has no place for. */
function streams(): Words[] {
  return [
    ["XADD", "stream:plain", "1-1", "field", "value"],
    ["XADD", "stream:groups", "18446744073709551615-1", "a", "1"],
    ["XGROUP", "CREATE", "stream:groups", "group", "0"],
    ["XGROUP", "CREATE", "stream:groups", "another", "$"],
    ["XREADGROUP", "GROUP", "group", "reader", "STREAMS", "stream:groups", ">"],
    ["XGROUP", "CREATECONSUMER", "stream:groups", "group", "idle"],
    ...words(150, "entry").map((text) => ["XADD", "stream:long", "*", "text", text]),
    ["XDEL", "stream:plain", "1-1"],
    ["PEXPIREAT", "stream:plain", String(FUTURE_MS)],
    ["SET", "after streams", "is read"],
    [
      "FUNCTION",
      "LOAD",
      "#!lua name=recorded\nredis.register_function('one', function() return 1 end)",
    ],
  ];
}

/** Everything that is put into the file of all types. */
export function everything(): Words[] {
  const random = new Random(SEED);
  return [
    ...strings(random),
    ...lists(random),
    ...sets(),
    ...hashes(random),
    ...sortedSets(),
    ...streams(),
    ["SELECT", "3"],
    ["SET", "database", "3"],
    ["RPUSH", "list:one", "y", "z"],
    ["SELECT", "15"],
    ["SET", "database", "15", "PXAT", String(FUTURE_MS)],
  ];
}

/** What is logged before the log is rewritten; these commands are logged as they are. */
export function beforeRewrite(): Words[] {
  return [
    ["SET", "a", "1"],
    ["RPUSH", "list", ...words(100, "element")],
    ["SADD", "set", "1", "2", "three"],
    ["HSET", "hash", "field", ALL_BYTES],
    ["ZADD", "zset", "1.5", "one", "inf", "two"],
    ["SELECT", "2"],
    ["SET", "other", "x".repeat(200), "PXAT", String(FUTURE_MS)],
  ];
}

/** What is logged afterwards. */
export function afterRewrite(): Words[] {
  return [
    ["SELECT", "0"],
    ["SET", "a", "2"],
    ["MULTI"],
    ["RPUSH", "list", "in a transaction"],
    ["SELECT", "5"],
    ["SET", ALL_BYTES, ""],
    ["EXEC"],
    ["SADD", "late", ALL_BYTES, "\r\n"],
    ["PEXPIREAT", "late", String(FUTURE_MS)],
    ["SELECT", "0"],
    ["DEL", "set"],
  ];
}
