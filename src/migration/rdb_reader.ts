/**
 * Reads RDB files, the snapshots of Redis, versions 1 to 11 (up to Redis 7.2).
 *
 * @module
 */

import { FileCursor } from "./file_cursor.ts";
import type { FileSource } from "./file_source.ts";
import type { RdbEntry, RdbUnsupported } from "./rdb_entry.ts";
import {
  CHECKSUM_VERSION,
  FIRST_VERSION,
  LAST_VERSION,
  MAGIC,
  Opcode,
  ValueType,
} from "./rdb_format.ts";
import { skipModuleAux, skipOldFunction } from "./rdb_skip.ts";
import { DEFAULT_LIMITS, RdbStrings, type RedisFileLimits } from "./rdb_strings.ts";
import { beginValue, type KeyFront, type Unread } from "./rdb_values.ts";

/** What files say of themselves and is kept. */
const KNOWN_FACTS: ReadonlySet<string> = new Set([
  ...["redis-ver", "redis-bits", "ctime", "used-mem", "aof-base", "aof-preamble", "valkey-ver"],
]);

/** Longer ones are not kept. Unit: bytes. */
const MAX_FACT_BYTES = 128;

const MAX_DATABASE = 2 ** 31 - 1;
const TWO_32 = 2 ** 32;
const textDecoder = new TextDecoder();

/**
 * Gives the entries of an RDB file, one after the other.
 *
 * The file's checksum comes last, so what was given before an error is not to be relied on: load
 * into something that can be thrown away.
 *
 * Memory: one buffer of 256 KiB, or the longest string that has to be whole, whatever the file says
 * of itself.
 *
 * Thread: belongs to one thread.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { BytesSource } from "./file_source.ts";
 * import { RdbReader } from "./rdb_reader.ts";
 * const file = [82, 69, 68, 73, 83, 48, 48, 48, 51, 254, 1, 0, 1, 107, 2, 104, 105, 255];
 * for (const entry of new RdbReader(new BytesSource(Uint8Array.from(file)))) {
 *   assert.ok(entry.kind === "string");
 *   assert.equal(entry.database, 1);
 *   assert.deepEqual([...entry.pieces], [new TextEncoder().encode("hi")]);
 * }
 * ```
 */
export class RdbReader implements Iterable<RdbEntry> {
  /** Version of the format. */
  readonly version: number;

  readonly #cursor: FileCursor;
  readonly #strings: RdbStrings;
  readonly #isWhole: boolean;
  readonly #facts = new Map<string, string>();
  #unread: Unread | undefined;
  #database = 0;
  #expireAtMs = 0;
  #isAtEnd = false;

  /**
   * Reads a file from its start.
   *
   * @param source the file, or, when something else may follow, a cursor at its start, which is moved
   *   behind the checksum
   * @throws {RedisFileError} when it is none, or one of another version
   */
  constructor(source: FileSource | FileCursor, limits: RedisFileLimits = DEFAULT_LIMITS) {
    this.#isWhole = !(source instanceof FileCursor);
    this.#cursor = source instanceof FileCursor ? source : new FileCursor(source);
    this.#strings = new RdbStrings(this.#cursor, limits);
    this.#cursor.beginSum();
    this.version = this.#readVersion();
  }

  /** Where in the file reading is. Unit: bytes. */
  get offset(): number {
    return this.#cursor.offset;
  }

  /**
   * What the file says of itself as far as it was read: `redis-ver`, `redis-bits`, `ctime` (in
   * seconds), `used-mem` and the like.
   */
  get facts(): ReadonlyMap<string, string> {
    return this.#facts;
  }

  /**
   * The next entry; what was not read of the one before is passed over.
   *
   * @returns undefined behind the last one, once the checksum was found to be right
   * @throws {RedisFileError} when the file is damaged; then for ever
   */
  next(): RdbEntry | undefined {
    if (this.#cursor.failure !== undefined) throw this.#cursor.failure;
    const unread = this.#unread;
    if (unread !== undefined) {
      while (unread.advance() !== undefined);
      this.#unread = undefined;
    }
    return this.#isAtEnd ? undefined : this.#readEntry();
  }

  /** The entries that were not read yet. */
  *[Symbol.iterator](): Generator<RdbEntry, void> {
    for (let entry = this.next(); entry !== undefined; entry = this.next()) yield entry;
  }

  #readVersion(): number {
    const cursor = this.#cursor;
    const magic = cursor.take(MAGIC.length, "the first bytes of an RDB file");
    const found = textDecoder.decode(magic);
    if (found !== MAGIC) cursor.fail(0, `"${MAGIC}"`, JSON.stringify(found));
    const { offset } = cursor;
    const digits = textDecoder.decode(cursor.take(4, "the version of an RDB file"));
    const version = /^\d{4}$/.test(digits) ? Number(digits) : NaN;
    if (!(version >= FIRST_VERSION && version <= LAST_VERSION)) {
      const range = `an RDB version from ${FIRST_VERSION} to ${LAST_VERSION}`;
      cursor.fail(offset, range, Number.isNaN(version) ? JSON.stringify(digits) : String(version));
    }
    return version;
  }

  #readEntry(): RdbEntry | undefined {
    for (;;) {
      const { offset } = this.#cursor;
      const type = this.#cursor.byte("an opcode or a type of value");
      if (type <= ValueType.STREAM_LISTPACKS_3) return this.#readKey(type, offset);
      switch (type) {
        case Opcode.EOF:
          this.#readEnd();
          return undefined;
        case Opcode.FUNCTION2:
        case Opcode.FUNCTION_PRE_GA:
        case Opcode.MODULE_AUX:
          return this.#passOver(type, offset);
        default:
          this.#readOpcode(type, offset);
      }
    }
  }

  #readKey(type: number, offset: number): RdbEntry {
    const front: KeyFront = { database: this.#database, expireAtMs: this.#expireAtMs, offset };
    this.#expireAtMs = 0;
    const { entry, unread } = beginValue(this.#strings, type, front);
    this.#unread = unread;
    return entry;
  }

  #readOpcode(opcode: number, offset: number): void {
    const strings = this.#strings;
    switch (opcode) {
      case Opcode.SELECTDB: {
        const database = strings.length();
        if (database > MAX_DATABASE) this.#cursor.fail(offset, "a database", String(database));
        this.#database = database;
        return;
      }
      case Opcode.EXPIRETIME:
        this.#setExpiry(this.#cursor.int32("a time") * 1000);
        return;
      case Opcode.EXPIRETIME_MS: {
        const lo = this.#cursor.uint32("a time");
        this.#setExpiry(this.#cursor.int32("a time") * TWO_32 + lo);
        return;
      }
      case Opcode.RESIZEDB:
        strings.length();
        strings.length();
        return;
      case Opcode.IDLE:
        strings.length();
        return;
      case Opcode.FREQ:
        this.#cursor.byte("how often a key is used");
        return;
      case Opcode.AUX:
        this.#readFact();
        return;
    }
    // Not known: the error is that of an unknown type.
    beginValue(strings, opcode, { database: this.#database, expireAtMs: 0, offset });
  }

  /** A time before 1970 is long ago, but Redis itself takes this one for none. */
  #setExpiry(timeMs: number): void {
    this.#expireAtMs = timeMs === -1 ? 0 : Math.max(timeMs, 1);
  }

  #readFact(): void {
    const name = this.#strings.string();
    const value = this.#strings.string();
    if (name.length > MAX_FACT_BYTES || value.length > MAX_FACT_BYTES) return;
    const text = textDecoder.decode(name);
    if (KNOWN_FACTS.has(text)) this.#facts.set(text, textDecoder.decode(value));
  }

  #passOver(opcode: number, offset: number): RdbUnsupported {
    const strings = this.#strings;
    let moduleType = "";
    if (opcode === Opcode.MODULE_AUX) moduleType = skipModuleAux(strings);
    else if (opcode === Opcode.FUNCTION2) strings.skip();
    else skipOldFunction(strings);
    return {
      kind: "unsupported",
      what: opcode === Opcode.MODULE_AUX ? "module data" : "function library",
      moduleType,
      database: this.#database,
      key: undefined,
      offset,
    };
  }

  #readEnd(): void {
    const cursor = this.#cursor;
    const { hi, lo } = cursor.endSum();
    if (this.version >= CHECKSUM_VERSION) {
      const { offset } = cursor;
      cursor.have(8, "a checksum");
      const foundLo = cursor.uint32("a checksum");
      const foundHi = cursor.uint32("a checksum");
      // Redis was told not to make one (`rdbchecksum no`).
      const isNone = foundHi === 0 && foundLo === 0;
      if (!isNone && (foundHi !== hi || foundLo !== lo)) {
        cursor.fail(offset, `the checksum ${hex(hi, lo)}`, hex(foundHi, foundLo));
      }
    }
    if (this.#isWhole && cursor.remaining > 0) {
      cursor.fail(cursor.offset, "the end of the file", `${cursor.remaining} more bytes`);
    }
    this.#isAtEnd = true;
  }
}

function hex(hi: number, lo: number): string {
  return hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");
}
