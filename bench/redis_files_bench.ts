/**
 * What reading Redis's files costs: keys of an RDB file, commands of an AOF.
 *
 * {@link RdbReader} and {@link AofReader} read files that are in memory, so no disk is measured. The
 * keys of the RDB file are strings (`key by key`), or fields of one hash (`element by element`), which
 * leaves out what a key costs beside its bytes. Both groups are compared with
 *
 * - `checksum alone`: CRC-64 of the same bytes. It is the layer beneath of an RDB file, and the least
 *   that looking at every byte of an AOF costs.
 *
 * One iteration is {@link KEYS} keys, fields or commands with the same names and values.
 *
 *     deno bench bench/redis_files_bench.ts
 *
 * @module
 */

import { Crc64 } from "../src/base/crc64.ts";
import { AofReader } from "../src/migration/aof_reader.ts";
import { BytesSource } from "../src/migration/file_source.ts";
import { RdbReader } from "../src/migration/rdb_reader.ts";

/** Keys, fields or commands in one iteration. */
const KEYS = 10_000;

const NAMES = Array.from({ length: KEYS }, (_, i) => [`key:${i}`, `value:${i * 7}`] as const);

function ascii(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A string of less than 64 bytes as RDB files have it. */
function short(text: string): string {
  return String.fromCharCode(text.length) + text;
}

/** A file with its checksum. */
function snapshot(body: string): Uint8Array<ArrayBuffer> {
  const bytes = ascii(`REDIS0011${body}\xff${"\0".repeat(8)}`);
  const end = bytes.length - 8;
  const sum = new Crc64();
  sum.add(bytes, 0, end);
  const view = new DataView(bytes.buffer);
  view.setUint32(end, sum.lo, true);
  view.setUint32(end + 4, sum.hi, true);
  return bytes;
}

const stringKeys = snapshot(NAMES.map(([key, value]) => `\0${short(key)}${short(value)}`).join(""));
const countAndFields = String.fromCharCode(0x40 | (KEYS >> 8), KEYS & 255) +
  NAMES.map(([key, value]) => short(key) + short(value)).join("");
const oneHash = snapshot(`\x04${short("hash")}${countAndFields}`);
const log = ascii(
  NAMES.map(([key, value]) =>
    `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`
  ).join(""),
);

/** Looks at everything that a reader gives. */
function readSnapshot(bytes: Uint8Array): number {
  let byteCount = 0;
  for (const entry of new RdbReader(new BytesSource(bytes))) {
    if (entry.kind === "string") {
      for (const piece of entry.pieces) byteCount += entry.key.length + piece.length;
    } else if (entry.kind === "hash") {
      for (const [field, value] of entry.fields) byteCount += field.length + value.length;
    }
  }
  return byteCount;
}

function readLog(): number {
  let byteCount = 0;
  for (const item of new AofReader([new BytesSource(log)])) {
    if (item.kind !== "command") throw new Error(`Cannot measure: ${item.kind}`);
    for (const argument of item.arguments) byteCount += argument.length;
  }
  return byteCount;
}

function checksum(bytes: Uint8Array): number {
  const sum = new Crc64();
  sum.add(bytes, 0, bytes.length);
  return sum.lo;
}

const expected = NAMES.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
const found = [readSnapshot(stringKeys), readSnapshot(oneHash), readLog() - 3 * KEYS];
if (found.some((byteCount) => byteCount !== expected)) {
  throw new Error(`Cannot measure: ${found.join(", ")} bytes were read instead of ${expected}`);
}

const rdbGroup = `${KEYS} names and values of an RDB file`;
const aofGroup = `${KEYS} SET of an AOF`;

Deno.bench("checksum alone", { group: rdbGroup, baseline: true }, () => {
  checksum(stringKeys);
});

Deno.bench("key by key", { group: rdbGroup }, () => {
  readSnapshot(stringKeys);
});

Deno.bench("element by element", { group: rdbGroup }, () => {
  readSnapshot(oneHash);
});

Deno.bench("checksum alone", { group: aofGroup, baseline: true }, () => {
  checksum(log);
});

Deno.bench("command by command", { group: aofGroup }, () => {
  readLog();
});
