/**
 * RDB files with encodings that Redis 7.0 reads and does not write any more.
 *
 * @module
 */

import {
  double,
  type Element,
  entry,
  int,
  intset,
  length,
  listpack,
  littleEndian,
  numberString,
  packedString,
  rdbFile,
  string,
  ziplist,
  zipmap,
} from "../helpers/redis_files/builder.ts";
import { FUTURE_MS } from "./redis_data.ts";

/** A number of each width that a ziplist has, and strings with each kind of length. */
const ZIPLIST_ELEMENTS: readonly Element[] = [
  ...[int(0, 0), int(12, 0), int(-1, 1), int(127, 1), int(-32768, 2), int(32767, 2)],
  ...[int(-8388608, 3), int(8388607, 3), int(-2147483648, 4), int(2147483647, 4)],
  ...[int(-9223372036854775808n, 8), int(9223372036854775807n, 8)],
  ...["", "a", "b".repeat(63), "c".repeat(64), "d".repeat(253), "e".repeat(16383)],
  ...["f".repeat(16384), "after a long one", "007"],
];

const HASH_ELEMENTS: readonly Element[] = ["field", "value", int(1, 0), int(70000, 4), "", ""];

const SCORED_ELEMENTS: readonly Element[] = [
  ...["low", "-inf", "half", "0.5", int(7, 0), int(7, 0), "nearly", "3.0000000000000004"],
  ...["high", "inf"],
];

/** Scores in digits, as sorted sets had them that were not compact. */
const TEXT_SCORES: readonly (readonly [string, readonly number[]])[] = [
  ["zero", string("0")],
  ["third", string("0.33333333333333331")],
  ["negative", string("-1.5e+100")],
  ["plus infinite", [254]],
  ["minus infinite", [255]],
];

function textScores(): number[] {
  return TEXT_SCORES.flatMap(([member, score]) => [...string(member), ...score]);
}

/** Everything that Redis 2.4 could write. */
export function version3File(): Uint8Array<ArrayBuffer> {
  const fields: [string, string][] = [
    ...[["a", "1"], ["", ""], ["long", "l".repeat(253)], ["longer", "m".repeat(300)]],
    ...[["f".repeat(260), "n".repeat(1000)]],
  ] as [string, string][];
  return rdbFile(3, [
    ...[254, ...length(0)],
    ...entry(0, "string", string("value")),
    ...entry(0, "number", numberString(-128, 1)),
    ...entry(0, "packed", packedString("packed with nothing gained".repeat(9))),
    ...[253, ...littleEndian(2_000_000_000, 4)],
    ...entry(1, "list", [3, ...string("x"), ...numberString(300, 2), ...string("")]),
    ...entry(2, "set", [2, ...string("x"), ...numberString(70000, 4)]),
    ...entry(3, "zset", [TEXT_SCORES.length, ...textScores()]),
    ...entry(4, "hash", [2, ...string("a"), ...string("b"), ...string("c"), ...string("d")]),
    ...entry(9, "zipmap", string(zipmap(fields))),
    ...entry(9, "zipmap with gaps", packedString(zipmap(fields.slice(0, 3), 3))),
    ...entry(9, "zipmap to be counted", string(zipmap(fields.slice(0, 2), 0, 254))),
    ...entry(10, "ziplist", string(ziplist(ZIPLIST_ELEMENTS))),
    ...entry(10, "ziplist to be counted", string(ziplist(ZIPLIST_ELEMENTS, 65535))),
    ...entry(11, "intset 2", string(intset(2, [-32768, -1, 0, 32767]))),
    ...entry(11, "intset 4", packedString(intset(4, [-2147483648, 5]))),
    ...[254, ...length(9)],
    ...entry(12, "zset ziplist", string(ziplist(SCORED_ELEMENTS))),
    ...entry(11, "intset 8", string(intset(8, [-9223372036854775808n, -1n, 0n, 4294967296n]))),
  ]);
}

/** A stream as Redis 5 wrote it: an entry, a group, a consumer, something pending. */
function oldStream(): number[] {
  const id = [...littleEndian(0, 7), 5, ...littleEndian(0, 7), 1];
  const node = listpack([
    ...[int(1, 0), int(0, 0), int(1, 0), "field", int(0, 0)],
    ...[int(2, 0), int(0, 0), int(0, 0), "value", int(4, 0)],
  ]);
  return [
    ...[1, ...string(id), ...string(node)],
    ...[1, 5, 1],
    ...[1, ...string("group"), 5, 1],
    ...[1, ...id, ...littleEndian(1_700_000_000_000, 8), 1],
    ...[1, ...string("reader"), ...littleEndian(1_700_000_000_000, 8), 1, ...id],
  ];
}

/** Everything that Redis 5 to 6.2 could write, and 2.6 to 4. */
export function version9File(): Uint8Array<ArrayBuffer> {
  return rdbFile(9, [
    ...[250, ...string("redis-ver"), ...string("6.2.0")],
    ...[250, ...string("redis-bits"), ...numberString(64, 1)],
    ...[254, ...length(0)],
    ...[251, ...length(11), ...length(2)],
    ...[252, ...littleEndian(FUTURE_MS + 7, 8), 249, 17],
    ...entry(13, "hash ziplist", string(ziplist(HASH_ELEMENTS))),
    ...[248, ...length(100_000)],
    ...entry(14, "quicklist", [
      ...length(3),
      ...string(ziplist(["one", int(2, 0)])),
      ...packedString(ziplist(ZIPLIST_ELEMENTS)),
      ...string(ziplist(["end"])),
    ]),
    ...entry(5, "zset", [3, ...string("a"), ...double(0.1), ...string("b"), ...double(-Infinity)]),
    ...[...string("c"), ...double(5e-324)],
    ...entry(15, "stream", oldStream()),
    ...entry(0, "after", string("the stream")),
    ...[254, 0x80, ...[0, 0, 0, 15]],
    ...entry(0, "long length", [0x81, ...[0, 0, 0, 0, 0, 0, 0, 5], ...string("12345").slice(1)]),
  ]);
}
