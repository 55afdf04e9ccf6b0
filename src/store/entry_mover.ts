/**
 * Gives a value another key: RENAME, COPY and MOVE.
 *
 * What a value consists of decides how it gets there, and {@link EntryMover} has one place for each:
 *
 * ```text
 *             other table, same key   same shard, the old key goes   otherwise
 * INTEGER     entry is linked anew    words are copied               words are copied
 * RAW PACKED  entry is linked anew    bytes are copied               bytes are copied
 * EXTENTS     entry is linked anew    root is handed over            extents are copied
 * TREE        entry is linked anew    root is handed over            {@link RootMover.reserve}, fill
 * ```
 *
 * As in entry_writer.ts everything that can fail comes first and changes nothing (C6).
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/shared_copy.ts";
import type { Arena } from "./arena.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import type { ControlRegion } from "./control.ts";
import {
  Encoding,
  Entry,
  ENTRY_HEADER_BYTES,
  entryBytes,
  EntryFlag,
  EntryType,
  INTEGER_BYTES,
  keyOffset,
  MAX_KEY_BYTES,
  needsExtents,
  TTL_BYTES,
} from "./entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import { type EntryWriter, WriteStatus } from "./entry_writer.ts";
import type { ExpiryWheel } from "./expiry_wheel.ts";
import type { Extents } from "./extents.ts";
import { KeyEvent } from "./key_watcher.ts";
import type { Key } from "./key.ts";
import { PageKind } from "./page_allocator.ts";
import { BUCKET_BYTES, type Table } from "./table.ts";

/**
 * Copies values that an entry names by a root of their own.
 *
 * Thread: one instance per thread.
 */
export interface RootMover {
  /**
   * Reserves what a copy of the value of `source` needs in `shard`.
   *
   * @returns false, and nothing reserved, without memory
   */
  reserve(shard: number, source: number): boolean;
  /** Makes the copy, with what was reserved, the value of `target`. Cannot fail. */
  fill(target: number, source: number): void;
  /** Gives back what was reserved. */
  cancel(): void;
  /** Makes the value of `source`, which goes away, that of `target` in the same shard. */
  handOver(target: number, source: number): void;
}

/** A key in a database. */
export interface Place {
  /** The database. */
  database: number;
  /** The key, located. */
  key: Key;
}

/** What an {@link EntryMover} works with. */
export interface MoverParts {
  /** Client data. */
  arena: Arena;
  /** Blocks. */
  blocks: BlockAllocator;
  /** Map of databases, roots. */
  control: ControlRegion;
  /** Large strings. */
  extents: Extents;
  /** Reads entries. */
  reader: EntryReader;
  /** The index. */
  table: Table;
  /** The expiry index. */
  wheel: ExpiryWheel;
  /** Draws mutation numbers, frees entries, tells the hook. */
  writer: EntryWriter;
}

/** Large strings, and strings that their new key makes large. */
class ExtentsMover implements RootMover {
  readonly #parts: MoverParts;

  constructor(parts: MoverParts) {
    this.#parts = parts;
  }

  reserve(shard: number, source: number): boolean {
    const { arena, extents } = this.#parts;
    return extents.reserve(shard, arena.read(source, Entry.VALUE_BYTES));
  }

  fill(target: number, source: number): void {
    const { arena, extents, reader } = this.#parts;
    if (reader.encoding(source) === Encoding.EXTENTS) {
      extents.fillFrom(target, extents.rootOf(source));
    } else {
      extents.fill(target, arena.bytesOf(source), reader.valueAt(source));
    }
  }

  cancel(): void {
    this.#parts.extents.cancel();
  }

  handOver(target: number, source: number): void {
    const { extents } = this.#parts;
    extents.handOver(target, extents.rootOf(source));
  }
}

/**
 * Moves and copies entries.
 *
 * Thread: one whose end stops the server; every call needs the exclusive locks of the shards of all
 * keys it names.
 */
export class EntryMover {
  readonly #parts: MoverParts;
  /** By encoding: how values with a root of their own are copied. */
  readonly #rootMovers: (RootMover | undefined)[] = [];

  // The plan under way.
  #block = 0;
  #overflow = 0;
  #rootMover: RootMover | undefined;

  /** Wires the parts of one thread together. */
  constructor(parts: MoverParts) {
    this.#parts = parts;
    this.#rootMovers[Encoding.EXTENTS] = new ExtentsMover(parts);
  }

  /** Says how values of an encoding with a root of its own are copied. */
  setRootMover(encoding: Encoding, mover: RootMover): void {
    this.#rootMovers[encoding] = mover;
  }

  /**
   * Puts a key into another database. The key is there in the one and, unless expired, not in the
   * other.
   *
   * @returns OK or OUT_OF_MEMORY
   */
  relink(from: Place, toDatabase: number): WriteStatus {
    const { arena, control, table, wheel, writer } = this.#parts;
    const { key } = from;
    const { shard } = key;
    const fromRootAt = control.databaseRootAt(from.database, shard);
    const toRootAt = control.databaseRootAt(toDatabase, shard);
    writer.remove(toDatabase, key);
    if (!this.#reserveSlot(toRootAt, key)) return this.#fail();
    const overflow = this.#takeOverflow();
    const entry = table.find(fromRootAt, key);
    assert(entry !== 0, "what is moved is there");
    table.findFreeSlot(toRootAt, shard, key.hash);
    table.insert(toRootAt, shard, entry, key.tag, overflow);
    table.find(fromRootAt, key);
    table.removeFound(fromRootAt, key.hash);
    const head = arena.read(entry, Entry.TYPE);
    arena.write(entry, Entry.TYPE, (head & 0xffffff) | (control.tableOf(toDatabase) << 24));
    wheel.changeTable(entry, fromRootAt, toRootAt);
    const sourceSeq = this.#parts.reader.seq(entry);
    writer.stampSeq(shard, entry);
    this.#tell(from, true, { database: toDatabase, key }, entry, sourceSeq);
    writer.tell(KeyEvent.NEW, toDatabase, key);
    return WriteStatus.OK;
  }

  /** The flag PINNED if the key has it, else 0. */
  #pinAt(rootAt: number, key: Key): number {
    const { reader, table, writer } = this.#parts;
    const entry = table.find(rootAt, key);
    return entry === 0 || writer.isExpired(entry) ? 0 : reader.flags(entry) & EntryFlag.PINNED;
  }

  /**
   * Makes the value of one key that of another, whatever that had; the time to live goes with it.
   * The source is there, and the two are not the same.
   *
   * @param goes whether the source goes away
   * @returns OK, OUT_OF_MEMORY or KEY_TOO_LONG
   */
  transfer(from: Place, to: Place, goes: boolean): WriteStatus {
    const { control, reader, table, writer } = this.#parts;
    const keyBytes = to.key.end - to.key.start;
    if (keyBytes > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
    const { shard } = to.key;
    const fromRootAt = control.databaseRootAt(from.database, from.key.shard);
    const toRootAt = control.databaseRootAt(to.database, shard);
    const pin = this.#pinAt(toRootAt, to.key);
    const source = table.find(fromRootAt, from.key);
    assert(source !== 0, "what is transferred is there");
    // Only what an event wrote is pinned, and a copy is not; but what is written over it is.
    const kept = EntryFlag.HAS_TTL | (goes ? EntryFlag.PINNED : 0);
    const isString = reader.type(source) === EntryType.STRING;
    const flags = (reader.flags(source) & kept) | (isString ? pin : 0);
    const encoding = this.#encodingFor(source, flags, keyBytes);
    const handsOver = goes && shard === from.key.shard && encoding === reader.encoding(source) &&
      (encoding === Encoding.EXTENTS || encoding === Encoding.TREE);
    if (!this.#reserve(source, to.key, toRootAt, flags, encoding, handsOver)) return this.#fail();
    const target = this.#block;
    const sourceSeq = reader.seq(source);
    const rootMover = this.#rootMover;
    this.#block = 0;
    this.#rootMover = undefined;
    this.#writeHead(target, source, to, flags, encoding);
    if (handsOver) this.#rootMovers[encoding]!.handOver(target, source);
    else rootMover?.fill(target, source);
    this.#link(toRootAt, to.key, target);
    if (goes) {
      table.find(fromRootAt, from.key);
      table.removeFound(fromRootAt, from.key.hash);
      writer.freeEntry(from.key.shard, source, handsOver);
    }
    writer.stampSeq(shard, target);
    this.#tell(from, goes, to, target, sourceSeq);
    writer.tell(KeyEvent.NEW, to.database, to.key);
    return WriteStatus.OK;
  }

  /**
   * Tells the hook that `to` has the value of `from`, and that this is gone if it is.
   *
   * @param sourceSeq the number of the last mutation of `from` before that
   */
  #tell(from: Place, goes: boolean, to: Place, entry: number, sourceSeq: number): void {
    const { writer } = this.#parts;
    const { hook } = writer;
    if (hook === undefined) return;
    // First, while the source is still there for who follows what is told.
    const isTold = hook.copied?.(to.key.shard, from, goes, sourceSeq, to.database, entry) === true;
    if (goes) {
      hook.removed(from.key.shard, from.database, from.key, writer.nextSeq(from.key.shard));
    }
    if (!isTold) hook.written(to.key.shard, to.database, entry);
  }

  /** A longer key may leave too little room for the value behind it. */
  #encodingFor(source: number, flags: number, keyBytes: number): Encoding {
    const { arena, reader } = this.#parts;
    const encoding = reader.encoding(source) as Encoding;
    if (encoding !== Encoding.RAW) return encoding;
    const valueBytes = arena.read(source, Entry.VALUE_BYTES);
    return needsExtents(flags, keyBytes, valueBytes) ? Encoding.EXTENTS : encoding;
  }

  #reserve(
    source: number,
    key: Key,
    rootAt: number,
    flags: number,
    encoding: Encoding,
    handsOver: boolean,
  ): boolean {
    const { arena, blocks, table } = this.#parts;
    const needsRoot = encoding === Encoding.EXTENTS || encoding === Encoding.TREE;
    if (needsRoot && !handsOver) {
      const mover = this.#rootMovers[encoding];
      assert(mover !== undefined, `values of encoding ${encoding} can be copied`);
      if (!mover.reserve(key.shard, source)) return false;
      this.#rootMover = mover;
    }
    const valueBytes = encoding === Encoding.INTEGER
      ? INTEGER_BYTES
      : arena.read(source, Entry.VALUE_BYTES);
    const byteCount = entryBytes(flags, encoding, key.end - key.start, valueBytes);
    this.#block = blocks.allocate(key.shard, PageKind.ENTRY, byteCount);
    if (this.#block === 0) return false;
    return table.find(rootAt, key) !== 0 || this.#reserveSlot(rootAt, key);
  }

  #reserveSlot(rootAt: number, key: Key): boolean {
    const { blocks, table } = this.#parts;
    const slot = table.findFreeSlot(rootAt, key.shard, key.hash);
    if (slot === 0) return true;
    if (slot > 0) this.#overflow = blocks.allocate(key.shard, PageKind.NODE, BUCKET_BYTES);
    return this.#overflow !== 0;
  }

  #takeOverflow(): number {
    const overflow = this.#overflow;
    this.#overflow = 0;
    return overflow;
  }

  #fail(): WriteStatus {
    const { blocks } = this.#parts;
    this.#rootMover?.cancel();
    this.#rootMover = undefined;
    if (this.#block !== 0) blocks.free(this.#block);
    this.#block = 0;
    return WriteStatus.OUT_OF_MEMORY;
  }

  /** Writes everything but a root and the mutation's number. */
  #writeHead(target: number, source: number, to: Place, flags: number, encoding: Encoding): void {
    const { arena, control, reader, writer } = this.#parts;
    const { key } = to;
    const type = reader.type(source);
    const table = control.tableOf(to.database);
    const valueBytes = arena.read(source, Entry.VALUE_BYTES);
    arena.write(target, Entry.TYPE, type | (encoding << 8) | (flags << 16) | (table << 24));
    arena.write(target, Entry.KEY_BYTES, key.end - key.start);
    arena.write(target, Entry.CLOCK, writer.clock.nowSeconds);
    arena.write(target, Entry.HASH, key.hash);
    arena.write(target, Entry.VALUE_BYTES, valueBytes);
    let word = ENTRY_HEADER_BYTES / 4;
    if ((flags & EntryFlag.HAS_TTL) !== 0) {
      arena.write(target, word, arena.read(source, word));
      arena.write(target, word + 1, arena.read(source, word + 1));
      arena.write(target, word + 2, 0);
      arena.write(target, word + 3, 0);
      word += TTL_BYTES / 4;
    }
    if (encoding === Encoding.INTEGER) {
      const from = reader.integerWord(source);
      arena.write(target, word, arena.read(source, from));
      arena.write(target, word + 1, arena.read(source, from + 1));
    }
    const bytes = arena.bytesOf(target);
    const keyAt = arena.byteAt(target) + keyOffset(flags, encoding);
    copyBytes(key.bytes, key.start, key.end, bytes, keyAt);
    if (encoding !== Encoding.RAW && encoding !== Encoding.PACKED) return;
    const valueAt = reader.valueAt(source);
    const from = arena.bytesOf(source);
    copyBytes(from, valueAt, valueAt + valueBytes, bytes, keyAt + key.end - key.start);
  }

  /** Puts a complete entry into its table, in place of the one that has its key. */
  #link(rootAt: number, key: Key, entry: number): void {
    const { table, wheel, writer } = this.#parts;
    const existing = table.find(rootAt, key);
    if (existing === 0) {
      table.findFreeSlot(rootAt, key.shard, key.hash);
      table.insert(rootAt, key.shard, entry, key.tag, this.#takeOverflow());
    } else {
      table.replaceFound(rootAt, entry);
      table.ready?.note(key.shard, entry);
      writer.freeEntry(key.shard, existing);
    }
    wheel.link(key.shard, entry, writer.clock.nowMs);
  }
}
