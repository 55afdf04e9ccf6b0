/**
 * What readers make of files, as text: a character for each byte.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type AofItem, AofReader } from "../../../src/migration/aof_reader.ts";
import { BytesSource, type FileSource } from "../../../src/migration/file_source.ts";
import type { RdbEntry } from "../../../src/migration/rdb_entry.ts";
import { RdbReader } from "../../../src/migration/rdb_reader.ts";
import type { RecordedKey } from "../../vectors/redis_model.ts";
import { RedisFileError } from "../../../src/migration/redis_file_error.ts";
import { toLatin1 } from "../latin1.ts";

/** Gives a byte at a time, however much is asked for. */
export class SlowSource implements FileSource {
  readonly name = "slow";
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get byteCount(): number {
    return this.#bytes.length;
  }

  readAt(offset: number, target: Uint8Array): number {
    if (offset >= this.#bytes.length) return 0;
    target[0] = this.#bytes[offset]!;
    return 1;
  }
}

/** A key and what is known of it. */
export interface FoundKey extends Omit<RecordedKey, "value" | "expireAtMs"> {
  expireAtMs: number;
  value?: unknown;
}

/** Stands for the key of what has none. */
export const NO_KEY = "(no key)";

function byScore(a: readonly [string, number], b: readonly [string, number]): number {
  return a[1] - b[1] || (a[0] < b[0] ? -1 : 1);
}

function scoreOf(text: string): number {
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

function valueOf(entry: RdbEntry): unknown {
  switch (entry.kind) {
    case "string":
      return Array.from(entry.pieces, toLatin1).join("");
    case "list":
      return Array.from(entry.elements, toLatin1);
    case "set":
      return Array.from(entry.elements, toLatin1).toSorted();
    case "hash":
      return Array.from(entry.fields, (field) => field.map(toLatin1)).toSorted();
    case "sorted_set":
      return Array.from(entry.members, ([m, score]) => [toLatin1(m), score] as const)
        .toSorted(byScore);
    case "unsupported":
      return undefined;
  }
}

/** An entry in the words of Redis; its elements are read. */
export function foundKey(entry: RdbEntry): FoundKey {
  const value = valueOf(entry);
  return {
    database: entry.database,
    key: entry.key === undefined ? NO_KEY : toLatin1(entry.key),
    type: entry.kind === "sorted_set"
      ? "zset"
      : entry.kind === "unsupported"
      ? `${entry.what} ${entry.moduleType}`.trimEnd()
      : entry.kind,
    expireAtMs: entry.kind === "unsupported" ? 0 : entry.expireAtMs,
    ...(value === undefined ? {} : { value }),
  };
}

/** All that is in an RDB file. */
export function readSnapshot(source: Uint8Array | FileSource): FoundKey[] {
  return Array.from(
    new RdbReader(source instanceof Uint8Array ? new BytesSource(source) : source),
    foundKey,
  );
}

/**
 * Where and what the error is that `read` ends with: `12 expected …, found …`, or `(none)`.
 *
 * @throws any other error
 */
export function failureOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (!(error instanceof RedisFileError)) throw error;
    const { offset, expected, found, file } = error;
    const words = `${offset} expected ${expected}, found ${found}`;
    assert.equal(error.message, `Cannot read ${file}: at byte ${words}`);
    return words;
  }
  return "(none)";
}

/** The error that reading an RDB file ends with, see {@link failureOf}. */
export function errorOf(bytes: Uint8Array): string {
  return failureOf(() => readSnapshot(bytes));
}

/** An item of an AOF in words: `0 SET a 1`, `torn command 17 +5`, or the key of a snapshot. */
export function describe(item: AofItem): string {
  switch (item.kind) {
    case "command":
      return `${item.database} ${item.arguments.map(toLatin1).join(" ")}`;
    case "torn":
      return `torn ${item.what} ${item.offset} +${item.byteCount}`;
    default:
      return `${item.database} ${item.kind} ${item.key === undefined ? "" : toLatin1(item.key)}`;
  }
}

/** All that is in an AOF. */
export function readLog(...files: readonly (Uint8Array | FileSource)[]): string[] {
  const sources = files.map((file, i) =>
    file instanceof Uint8Array ? new BytesSource(file, `file ${i}`) : file
  );
  return Array.from(new AofReader(sources), describe);
}

/** Keys in an order of their own, with the scores of sorted sets as numbers. */
export function comparable(keys: readonly (RecordedKey | FoundKey)[]): FoundKey[] {
  return keys.map((key) => {
    if (key.type === "stream") return { ...key, expireAtMs: 0 };
    if (key.type !== "zset") return { ...key };
    const members = (key.value as (readonly [string, string | number])[])
      .map(([member, score]) =>
        [member, typeof score === "string" ? scoreOf(score) : score] as const
      );
    return { ...key, value: members.toSorted(byScore) };
  }).toSorted((a, b) => a.database - b.database || (a.key < b.key ? -1 : 1));
}
