/**
 * Changes when an entry expires.
 *
 * An entry has a TTL block only while it has a time to live. Changing the time writes two words;
 * removing it moves the rest of the entry 16 bytes to the front, in place; adding it needs 16 more
 * bytes, so the entry may move to a larger block, and a value that just fitted one may have to be
 * split. A value that is split, or a collection with a root, stays where it is: its root learns the
 * new address of its entry.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  Encoding,
  Entry,
  ENTRY_HEADER_BYTES,
  entryBytes,
  EntryFlag,
  keyOffset,
  needsExtents,
  ROOT_ADDRESS_BYTES,
  TTL_BYTES,
} from "./entry.ts";
import { type EntryWriter, type WriterParts, WriteStatus } from "./entry_writer.ts";
import type { Key } from "./key.ts";
import { MutationPhase } from "./locks.ts";
import { PageKind } from "./page_allocator.ts";
import { CLASS_BYTES, sizeClassOf } from "./size_classes.ts";

/** Latest time at which a key can expire: an entry keeps 48 bits. Unit: ms since 1970. */
export const MAX_EXPIRE_AT_MS: number = 2 ** 48 - 1;

const EXPIRY_WORD = ENTRY_HEADER_BYTES / 4;

/**
 * Gives entries times to live, and takes them away.
 *
 * Thread: one instance per thread; every call needs the exclusive lock of the key's shard.
 */
export class ExpiryWriter {
  readonly #parts: WriterParts;
  readonly #writer: EntryWriter;

  /** Wires the parts of one thread together. */
  constructor(parts: WriterParts, writer: EntryWriter) {
    this.#parts = parts;
    this.#writer = writer;
  }

  /** See `Store.setExpiry`. */
  setExpiry(database: number, key: Key, expireAtMs: number): WriteStatus {
    const { control, reader, table } = this.#parts;
    assert(expireAtMs >= 0 && expireAtMs <= MAX_EXPIRE_AT_MS, "an entry can keep the time");
    const entry = table.find(control.databaseRootAt(database, key.shard), key);
    assert(entry !== 0, "the key is there");
    const hadExpiry = (reader.flags(entry) & EntryFlag.HAS_TTL) !== 0;
    if (expireAtMs === 0) {
      if (hadExpiry) this.#removeBlock(database, key, entry);
      return WriteStatus.OK;
    }
    if (!hadExpiry) return this.#addBlock(database, key, entry, expireAtMs);
    this.#writer.markPhase(key.shard, MutationPhase.WRITING);
    const staysLinked = this.#parts.wheel.mayPostpone(entry, expireAtMs);
    if (!staysLinked) this.#parts.wheel.unlink(key.shard, entry);
    this.#finish(database, key, entry, expireAtMs, staysLinked);
    return WriteStatus.OK;
  }

  #removeBlock(database: number, key: Key, entry: number): void {
    const { arena, reader, wheel } = this.#parts;
    this.#writer.markPhase(key.shard, MutationPhase.WRITING);
    wheel.unlink(key.shard, entry);
    const byteCount = this.#bytesUsed(entry);
    const tailAt = arena.byteAt(entry) + ENTRY_HEADER_BYTES;
    arena.bytesOf(entry).copyWithin(
      tailAt,
      tailAt + TTL_BYTES,
      tailAt - ENTRY_HEADER_BYTES + byteCount,
    );
    this.#setHead(entry, reader.flags(entry) & ~EntryFlag.HAS_TTL, reader.encoding(entry));
    this.#finish(database, key, entry, 0);
  }

  #addBlock(database: number, key: Key, entry: number, expireAtMs: number): WriteStatus {
    const { arena, blocks, control, extents, reader, table } = this.#parts;
    const { shard } = key;
    const flags = reader.flags(entry) | EntryFlag.HAS_TTL;
    const oldEncoding = reader.encoding(entry);
    const keyBytes = reader.keyBytes(entry);
    const valueBytes = arena.read(entry, Entry.VALUE_BYTES);
    const splits = oldEncoding === Encoding.RAW && needsExtents(flags, keyBytes, valueBytes);
    const encoding = splits ? Encoding.EXTENTS : oldEncoding;
    const byteCount = entryBytes(flags, encoding, keyBytes, valueBytes);
    let target = entry;
    if (splits || blocks.blockBytes(entry) !== CLASS_BYTES[sizeClassOf(byteCount)]) {
      this.#writer.markPhase(shard, MutationPhase.PLANNING);
      // A reservation of extents that fails gives back what it had.
      target = splits && !extents.reserve(shard, valueBytes)
        ? 0
        : blocks.allocate(shard, PageKind.ENTRY, byteCount);
      if (target === 0) {
        extents.cancel();
        this.#writer.markPhase(shard, MutationPhase.CLEAN);
        return WriteStatus.OUT_OF_MEMORY;
      }
    }
    this.#writer.markPhase(shard, MutationPhase.WRITING);
    this.#copyWithRoom(entry, target, splits ? keyBytes : this.#bytesUsed(entry), splits);
    this.#setHead(target, flags, encoding);
    if (splits) {
      const bytes = arena.bytesOf(entry);
      extents.fill(target, bytes, arena.byteAt(entry) + keyOffset(0, oldEncoding) + keyBytes);
    }
    if (target !== entry) {
      this.#tellRoot(target, splits ? Encoding.RAW : encoding);
      table.replaceFound(control.databaseRootAt(database, shard), target);
      // Not `freeEntry`: that would give its value back, too.
      blocks.free(entry);
    }
    this.#finish(database, key, target, expireAtMs);
    return WriteStatus.OK;
  }

  /**
   * Copies an entry and leaves room for a TTL block behind its header; source and target may be one.
   *
   * @param byteCount bytes of the entry; when it `splits`, of its key alone, before which there
   *   will be a root address
   */
  #copyWithRoom(from: number, to: number, byteCount: number, splits: boolean): void {
    const { arena } = this.#parts;
    const bytes = arena.bytesOf(from);
    const at = arena.byteAt(from);
    const toBytes = arena.bytesOf(to);
    const toAt = arena.byteAt(to);
    const tailBytes = splits ? byteCount : byteCount - ENTRY_HEADER_BYTES;
    const tailAt = at + ENTRY_HEADER_BYTES;
    const toTailAt = toAt + ENTRY_HEADER_BYTES + TTL_BYTES + (splits ? ROOT_ADDRESS_BYTES : 0);
    // The tail first: in one block the header is where it belongs already.
    toBytes.set(bytes.subarray(tailAt, tailAt + tailBytes), toTailAt);
    if (to !== from) toBytes.set(bytes.subarray(at, tailAt), toAt);
  }

  /** Tells what hangs below an entry where the entry is now. */
  #tellRoot(entry: number, encoding: number): void {
    const { arena, extents, reader } = this.#parts;
    if (encoding === Encoding.EXTENTS) {
      extents.adopt(entry);
    } else if (encoding === Encoding.TREE) {
      const rootWord = (reader.keyOffset(entry) - ROOT_ADDRESS_BYTES) / 4;
      // Word 0 of a collection's root is its owner.
      arena.write(arena.read(entry, rootWord), 0, entry);
    }
  }

  #bytesUsed(entry: number): number {
    const { arena, reader } = this.#parts;
    return entryBytes(
      reader.flags(entry),
      reader.encoding(entry),
      reader.keyBytes(entry),
      arena.read(entry, Entry.VALUE_BYTES),
    );
  }

  #setHead(entry: number, flags: number, encoding: number): void {
    const { arena } = this.#parts;
    const head = arena.read(entry, Entry.TYPE);
    arena.write(entry, Entry.TYPE, (head & 0xff0000ff) | (encoding << 8) | (flags << 16));
  }

  /** Writes the time, if any, and announces the change. */
  #finish(
    database: number,
    key: Key,
    entry: number,
    expireAtMs: number,
    staysLinked = false,
  ): void {
    const { arena, wheel } = this.#parts;
    const writer = this.#writer;
    if (expireAtMs > 0) {
      arena.write(entry, EXPIRY_WORD, expireAtMs >>> 0);
      arena.write(entry, EXPIRY_WORD + 1, Math.floor(expireAtMs / 2 ** 32));
      if (!staysLinked) wheel.link(key.shard, entry, writer.clock.nowMs);
    }
    writer.stampSeq(key.shard, entry);
    const { hook } = writer;
    if (hook?.expiryChanged !== undefined) hook.expiryChanged(key.shard, database, entry);
    else hook?.written(key.shard, database, entry);
    writer.markPhase(key.shard, MutationPhase.DONE);
  }
}
