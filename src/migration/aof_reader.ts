/**
 * Reads AOFs, the logs of Redis: of commands alone, with a snapshot in front of them, or of several
 * files.
 *
 * @module
 */

import { Int64, parseInt64 } from "../base/int64.ts";
import { CommandParser } from "./command_parser.ts";
import { FileCursor } from "./file_cursor.ts";
import type { FileSource } from "./file_source.ts";
import type { RdbEntry } from "./rdb_entry.ts";
import { MAGIC } from "./rdb_format.ts";
import { RdbReader } from "./rdb_reader.ts";
import { DEFAULT_LIMITS, type RedisFileLimits } from "./rdb_strings.ts";

/** A command, to be executed. */
export interface AofCommand {
  /** Which item it is. */
  readonly kind: "command";
  /** Number of the database that it was executed in. */
  readonly database: number;
  /** Its name, as it was sent, and its arguments. */
  readonly arguments: readonly Uint8Array[];
  /** Name of the file. */
  readonly file: string;
  /** Where in the file it begins. Unit: bytes. */
  readonly offset: number;
}

/** The last file ends before its last command or transaction does; nothing comes behind this. */
export interface TornTail {
  /** Which item it is. */
  readonly kind: "torn";
  /** What is not there as a whole. */
  readonly what: "command" | "transaction";
  /** Name of the file. */
  readonly file: string;
  /** Where in the file it begins. Unit: bytes. */
  readonly offset: number;
  /** Bytes from there to the file's end, which are not given. */
  readonly byteCount: number;
}

/** One of the items, told apart by their `kind`. */
export type AofItem = RdbEntry | AofCommand | TornTail;

/**
 * Gives what the files of an AOF hold, one item after the other: the entries of a snapshot, then
 * commands.
 *
 * A file that is an RDB file alone is read as well. `SELECT`, `MULTI` and `EXEC` are not given: the
 * commands say their database, and those of a transaction are given only when its end is there,
 * too. Damage is an error wherever it is, but a last file that merely ends too early is not (as with
 * `aof-load-truncated yes`).
 *
 * Thread: belongs to one thread.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { AofReader } from "./aof_reader.ts";
 * import { BytesSource } from "./file_source.ts";
 * const bytes = new TextEncoder().encode("*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*2\r\n$4\r\nINC");
 * const kinds = [...new AofReader([new BytesSource(bytes)])].map(({ kind }) => kind);
 * assert.deepEqual(kinds, ["command", "torn"]);
 * ```
 */
export class AofReader implements Iterable<AofItem> {
  readonly #sources: readonly FileSource[];
  readonly #limits: RedisFileLimits;
  readonly #number = new Int64();
  /** Number of the next file. */
  #nextFile = 0;
  #bytesBefore = 0;
  #cursor: FileCursor | undefined;
  #parser: CommandParser | undefined;
  #snapshot: RdbReader | undefined;
  #facts: ReadonlyMap<string, string> = new Map();
  #database = 0;
  /** Where the `EXEC` is of the transaction whose commands are given; -1: there is none. */
  #execOffset = -1;
  #isAtEnd = false;

  /** Reads the files in order; they belong to the caller, who closes them. */
  constructor(sources: readonly FileSource[], limits: RedisFileLimits = DEFAULT_LIMITS) {
    this.#sources = sources;
    this.#limits = limits;
  }

  /** How much was read, of all files together. Unit: bytes. */
  get bytesRead(): number {
    return this.#bytesBefore + (this.#cursor?.offset ?? 0);
  }

  /** What the snapshot says of itself, see {@link RdbReader.facts}; nothing when there is none. */
  get facts(): ReadonlyMap<string, string> {
    return this.#facts;
  }

  /**
   * The next item; what was not read of an entry before is passed over.
   *
   * @returns undefined behind the last one
   * @throws {RedisFileError} when a file is damaged; then for ever
   */
  next(): AofItem | undefined {
    if (this.#cursor?.failure !== undefined) throw this.#cursor.failure;
    for (;;) {
      const entry = this.#snapshot?.next();
      if (entry !== undefined) return entry;
      this.#snapshot = undefined;
      if (this.#isAtEnd) return undefined;
      if (this.#parser === undefined || !this.#parser.findCommand()) {
        this.#openNext();
        continue;
      }
      const item = this.#readItem(this.#parser);
      if (item !== undefined) return item;
    }
  }

  /** The items that were not read yet. */
  *[Symbol.iterator](): Generator<AofItem, void> {
    for (let item = this.next(); item !== undefined; item = this.next()) yield item;
  }

  #openNext(): void {
    const source = this.#sources[this.#nextFile];
    if (source === undefined) {
      this.#isAtEnd = true;
      return;
    }
    this.#nextFile++;
    this.#bytesBefore += this.#cursor?.source.byteCount ?? 0;
    const cursor = new FileCursor(source);
    this.#cursor = cursor;
    this.#parser = new CommandParser(cursor, this.#limits);
    this.#database = 0;
    if (!cursor.tryHave(MAGIC.length)) return;
    const front = String.fromCharCode(...cursor.take(MAGIC.length, MAGIC));
    cursor.seek(0);
    if (front !== MAGIC) return;
    this.#snapshot = new RdbReader(cursor, this.#limits);
    this.#facts = this.#snapshot.facts;
  }

  /** Reads one command; undefined when it is none to be given. */
  #readItem(parser: CommandParser): AofItem | undefined {
    const { offset } = parser;
    const words = parser.tryRead();
    if (words === undefined) return this.#torn("command", offset);
    const name = words[0]!;
    if (words.length === 1 && isWord(name, "MULTI")) return this.#beginTransaction(parser);
    if (words.length === 1 && isWord(name, "EXEC")) {
      if (offset !== this.#execOffset) {
        this.#cursor!.fail(offset, "a command", "EXEC without MULTI");
      }
      this.#execOffset = -1;
      return undefined;
    }
    if (isWord(name, "SELECT")) {
      this.#select(words, offset);
      return undefined;
    }
    const { source: { name: file } } = this.#cursor!;
    return { kind: "command", database: this.#database, arguments: words, file, offset };
  }

  /** Looks for the transaction's end, and goes back to its first command. */
  #beginTransaction(parser: CommandParser): TornTail | undefined {
    const cursor = this.#cursor!;
    const { offset } = parser;
    if (this.#execOffset >= 0) cursor.fail(offset, "EXEC or a command", "MULTI within MULTI");
    const first = cursor.offset;
    while (parser.findCommand()) {
      const words = parser.tryRead();
      if (words === undefined) break;
      if (words.length > 1) continue;
      if (isWord(words[0]!, "MULTI")) {
        cursor.fail(parser.offset, "EXEC or a command", "MULTI within MULTI");
      }
      if (!isWord(words[0]!, "EXEC")) continue;
      this.#execOffset = parser.offset;
      cursor.seek(first);
      return undefined;
    }
    return this.#torn("transaction", offset);
  }

  /** Only what was written last may be incomplete. */
  #torn(what: "command" | "transaction", offset: number): TornTail {
    const { source } = this.#cursor!;
    if (this.#nextFile < this.#sources.length) {
      const found = `the end of the file, at ${source.byteCount}, and another file behind it`;
      this.#cursor!.fail(offset, `a whole ${what}`, found);
    }
    this.#isAtEnd = true;
    const byteCount = source.byteCount - offset;
    return { kind: "torn", what, file: source.name, offset, byteCount };
  }

  #select(words: readonly Uint8Array[], offset: number): void {
    const number = this.#number;
    const text = words[1];
    const isNumber = words.length === 2 && text !== undefined &&
      parseInt64(text, 0, text.length, number);
    if (!isNumber || number.hi !== 0 || number.lo >= 2 ** 31) {
      this.#cursor!.fail(offset, "SELECT and the number of a database", "something else");
    }
    this.#database = number.lo;
  }
}

/** Whether `bytes` are `word`, which is in capitals, in any case. */
function isWord(bytes: Uint8Array, word: string): boolean {
  if (bytes.length !== word.length) return false;
  for (let i = 0; i < bytes.length; i++) {
    if ((bytes[i]! & 0xdf) !== word.charCodeAt(i)) return false;
  }
  return true;
}
