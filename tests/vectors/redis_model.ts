/**
 * What is in recorded files of Redis, as text: a character for each byte.
 *
 * @module
 */

/** Where the files are. */
export const REDIS_FILES: URL = new URL("redis-files/", import.meta.url);

/** A key and its value. */
export interface RecordedKey {
  readonly database: number;
  readonly key: string;
  /** As `TYPE` has it. */
  readonly type: string;
  /** 0 = never. */
  readonly expireAtMs: number;
  /**
   * A string; elements of a list; members of a set, sorted; fields of a hash with their values,
   * sorted; members of a sorted set with their scores, from the least. Nothing for a stream.
   */
  readonly value?: string | string[] | string[][];
}

/** Reads what Redis said is in a file. */
export async function readModel(name: string): Promise<RecordedKey[]> {
  const text = await Deno.readTextFile(new URL(`${name}.jsonl`, REDIS_FILES));
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}
