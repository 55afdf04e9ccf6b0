/**
 * Reads files of Redis into a store: keys of snapshots as they are, commands by executing them.
 *
 * @module
 */

import type { AofItem, AofReader, TornTail } from "../migration/aof_reader.ts";
import { BytesSource } from "../migration/file_source.ts";
import type { RdbEntry } from "../migration/rdb_entry.ts";
import { RdbReader } from "../migration/rdb_reader.ts";
import { EntryType } from "../store/store.ts";
import type { CommandRunner } from "./command_runner.ts";
import type { Filler, KeyFacts } from "./filler.ts";

/** Bytes around the value of a key in a snapshot that has nothing else. */
const FILE_FRONT = new TextEncoder().encode("REDIS0011");
const FILE_END = new Uint8Array([0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
/** What `DUMP` of Redis appends to a value: version and checksum. Unit: bytes. */
const DUMP_FOOTER_BYTES = 10;

const WHAT: Readonly<Record<string, string>> = {
  "stream": "streams",
  "module value": "values of modules",
  "module data": "data of modules",
  "function library": "libraries of functions",
};

/** Loads what a reader gives. Thread: the only one that uses the store. */
export class RedisLoader {
  /** The log's last command or transaction is not there as a whole, and was passed over. */
  torn: TornTail | undefined;
  /** Commands that were executed. */
  commandCount = 0;

  readonly #reader: AofReader;
  readonly #filler: Filler;
  readonly #runner: CommandRunner;

  /** Loads from `reader`. */
  constructor(reader: AofReader, filler: Filler, runner: CommandRunner) {
    this.#reader = reader;
    this.#filler = filler;
    this.#runner = runner;
  }

  /**
   * Loads the next key or command.
   *
   * @returns false at the end; a promise where the command takes longer
   * @throws {RedisFileError} when a file is damaged
   * @throws {DataError} when there is too little memory
   */
  step(): boolean | Promise<boolean> {
    const item = this.#reader.next();
    if (item === undefined) return false;
    if (item.kind === "torn") {
      this.torn = item;
      return true;
    }
    if (item.kind === "command") return this.#execute(item);
    loadEntry(this.#filler, item);
    return true;
  }

  #execute(
    { database, arguments: words }: Extract<AofItem, { kind: "command" }>,
  ): boolean | Promise<boolean> {
    this.commandCount++;
    if (isRestore(words)) {
      this.#restore(database, words);
      return true;
    }
    const done = this.#runner.run(database, words);
    return done === undefined ? true : done.then(() => true);
  }

  /** A value as Redis's own `DUMP` has it is one of a snapshot. */
  #restore(database: number, words: readonly Uint8Array[]): void {
    const [, key, ttlWord, payload] = words as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const ttlMs = Number(textOf(ttlWord));
    const options = words.slice(4).map((word) => textOf(word).toUpperCase());
    const isAbsolute = options.includes("ABSTTL");
    const expireAtMs = ttlMs === 0 ? 0 : isAbsolute ? ttlMs : Date.now() + ttlMs;
    const entry = entryOf(key, payload);
    if (entry === undefined || !(ttlMs >= 0)) this.#filler.skipped.add("RESTORE that failed", key);
    else loadEntry(this.#filler, { ...entry, database, expireAtMs } as RdbEntry);
  }
}

/** Puts a key of a snapshot into the store. */
function loadEntry(filler: Filler, entry: RdbEntry): void {
  switch (entry.kind) {
    case "string":
      return loadString(filler, entry, entry.byteCount, entry.pieces);
    case "unsupported":
      return filler.skipped.add(WHAT[entry.what]!, entry.key);
    case "hash":
      filler.beginCollection(entry, EntryType.HASH);
      for (const [field, value] of entry.fields) filler.addElement(field, value);
      return filler.endCollection();
    case "sorted_set":
      filler.beginCollection(entry, EntryType.SORTED_SET);
      for (const [member, score] of entry.members) filler.addElement(member, undefined, score);
      return filler.endCollection();
    default:
      filler.beginCollection(entry, entry.kind === "list" ? EntryType.LIST : EntryType.SET);
      for (const element of entry.elements) filler.addElement(element);
      return filler.endCollection();
  }
}

function loadString(
  filler: Filler,
  facts: KeyFacts,
  byteCount: number,
  pieces: Iterable<Uint8Array>,
): void {
  // Looked at before it is read: there may be no room for it here at all.
  if (!filler.accepts(facts) || !filler.acceptsLength(byteCount, facts.key)) return;
  const value = new Uint8Array(byteCount);
  let at = 0;
  for (const piece of pieces) {
    value.set(piece, at);
    at += piece.length;
  }
  filler.putString(facts, value);
}

function isRestore(words: readonly Uint8Array[]): boolean {
  return words.length >= 4 && textOf(words[0]!).toUpperCase() === "RESTORE";
}

/** Reads the value as that of a file with one key; undefined: it is none. */
function entryOf(key: Uint8Array, payload: Uint8Array): RdbEntry | undefined {
  if (payload.length <= DUMP_FOOTER_BYTES) return undefined;
  const length = new Uint8Array(5);
  length[0] = 0x80;
  new DataView(length.buffer).setUint32(1, key.length);
  const value = payload.subarray(1, payload.length - DUMP_FOOTER_BYTES);
  const parts = [FILE_FRONT, payload.subarray(0, 1), length, key, value, FILE_END];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  try {
    // Once to see that all of it can be read, and once to load it.
    for (const _ of new RdbReader(new BytesSource(file)));
    return new RdbReader(new BytesSource(file)).next();
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, 64));
}
