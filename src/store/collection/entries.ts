/**
 * Entries of collections: made, moved to larger blocks, given a root or a run.
 *
 * @module
 */

import type { ExpiryWheel } from "../expiry_wheel.ts";
import { assert } from "../../base/assert.ts";
import type { Arena } from "../arena.ts";
import type { BlockAllocator } from "../block_allocator.ts";
import type { ControlRegion } from "../control.ts";
import {
  Encoding,
  Entry,
  ENTRY_HEADER_BYTES,
  entryBytes,
  EntryFlag,
  keyOffset,
  TTL_BYTES,
} from "../entry.ts";
import { PageKind } from "../page_allocator.ts";
import { CLASS_BYTES, sizeClassOf } from "../size_classes.ts";
import { BUCKET_BYTES, type Table } from "../table.ts";
import type { Collection } from "./collection.ts";
import { CollectionRoot } from "./node.ts";
import { copyBytes, type RecordScratch, RUN_HEADER_BYTES } from "./records.ts";

/** What {@link CollectionEntries} works with. */
export interface EntryParts {
  /** Client data. */
  arena: Arena;
  /** Blocks and pages. */
  blocks: BlockAllocator;
  /** Locks, lists, roots. */
  control: ControlRegion;
  /** The index. */
  table: Table;
  /** The expiry index. */
  wheel: ExpiryWheel;
  /** Time of the current batch. */
  clock: { nowMs: number };
}

/** Word of an entry that names the root of its collection. */
export function rootWord(flags: number): number {
  return (ENTRY_HEADER_BYTES + ((flags & EntryFlag.HAS_TTL) !== 0 ? TTL_BYTES : 0)) / 4;
}

/** Thread: one instance per thread, under the shard's exclusive lock; promises have been made. */
export class CollectionEntries {
  /** Bytes that an entry which grows gets at once; 0 = what it needs. */
  wholeBytes = 0;
  readonly #parts: EntryParts;
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #work = new Uint8Array(8192);

  /** Wires the parts of one thread together. */
  constructor(parts: EntryParts) {
    this.#parts = parts;
    this.#arena = parts.arena;
    this.#blocks = parts.blocks;
  }

  /** Flags of an entry. */
  flags(entry: number): number {
    return (this.#arena.read(entry, Entry.TYPE) >>> 16) & 0xff;
  }

  /** Root of an entry's collection; 0 when it is packed. */
  rootOf(entry: number): number {
    const head = this.#arena.read(entry, Entry.TYPE);
    if (((head >>> 8) & 0xff) !== Encoding.TREE) return 0;
    return this.#arena.read(entry, rootWord(head >>> 16));
  }

  /** Bytes of the run of a packed entry, header included. */
  runBytes(entry: number): number {
    return this.#arena.read(entry, Entry.VALUE_BYTES);
  }

  /** First byte of the run of a packed entry, in the bytes of its segment. */
  runAt(entry: number): number {
    return this.#arena.byteAt(entry) + keyOffset(this.flags(entry), Encoding.PACKED) +
      (this.#arena.read(entry, Entry.KEY_BYTES) & 0xffff);
  }

  /** Makes the entry of a key that does not exist, with an empty run that can grow to `runBytes`. */
  makePacked(c: Collection, runBytes: number): void {
    const entry = this.#allocate(c, 0, Encoding.PACKED, RUN_HEADER_BYTES + runBytes);
    this.#writeHead(c, entry, Encoding.PACKED, RUN_HEADER_BYTES);
    this.#arena.bytesOf(entry).fill(0, this.runAt(entry), this.runAt(entry) + RUN_HEADER_BYTES);
    this.#insert(c, entry);
  }

  /** Makes the entry of a key that does not exist for the collection at `root`. */
  makeTree(c: Collection, root: number): void {
    const entry = this.#allocate(c, 0, Encoding.TREE, 0);
    this.#writeHead(c, entry, Encoding.TREE, 0);
    this.#arena.write(entry, rootWord(0), root);
    this.#arena.write(root, CollectionRoot.OWNER, entry);
    this.#insert(c, entry);
    c.root = root;
  }

  /** Changes the run of a packed entry at a cursor: see `TreeWriter.splice`. */
  splice(c: Collection, removed: 0 | 1, record: RecordScratch | undefined): void {
    const arena = this.#arena;
    const { cursor } = c;
    const added = record === undefined ? 0 : record.length;
    const removedBytes = removed === 1 ? cursor.end - cursor.at : 0;
    const total = cursor.limit - cursor.first;
    const relative = cursor.at - cursor.first;
    const newTotal = total - removedBytes + added;
    const newCount = cursor.count - removed + (added > 0 ? 1 : 0);
    let bytes = arena.bytesOf(c.entry);
    let first = this.runAt(c.entry) + RUN_HEADER_BYTES;
    const flags = this.flags(c.entry);
    const keyBytes = c.key.end - c.key.start;
    const need = entryBytes(flags, Encoding.PACKED, keyBytes, RUN_HEADER_BYTES + newTotal);
    const blockBytes = this.#blocks.blockBytes(c.entry);
    const tailFrom = first + relative + removedBytes;
    if (need <= blockBytes && !this.#shouldShrink(need, blockBytes, added)) {
      bytes.copyWithin(first + relative + added, tailFrom, first + total);
    } else {
      const from = bytes;
      const fromFirst = first;
      const old = c.entry;
      const { shard } = c.key;
      const entry = need <= blockBytes
        ? this.#blocks.allocateOptional(shard, PageKind.ENTRY, need)
        : this.#blocks.allocate(shard, PageKind.ENTRY, Math.max(need, this.wholeBytes));
      if (entry === 0) {
        // Only a smaller block may be missing: it was not promised.
        assert(need <= blockBytes, "a larger entry was promised");
        bytes.copyWithin(first + relative + added, tailFrom, first + total);
      } else {
        const headBytes = first - RUN_HEADER_BYTES - arena.byteAt(old);
        bytes = arena.bytesOf(entry);
        const to = arena.byteAt(entry);
        copyBytes(from, arena.byteAt(old), arena.byteAt(old) + headBytes, bytes, to);
        first = to + headBytes + RUN_HEADER_BYTES;
        copyBytes(from, fromFirst, fromFirst + relative, bytes, first);
        copyBytes(from, tailFrom, fromFirst + total, bytes, first + relative + added);
        this.#replace(c, entry);
      }
    }
    if (record !== undefined) copyBytes(record.bytes, 0, added, bytes, first + relative);
    this.#writeRun(c.entry, bytes, first, newTotal, newCount);
  }

  /** Removes the elements `[from, to)` of a packed entry. */
  removeRanks(c: Collection, from: number, to: number): void {
    const { cursor } = c;
    cursor.seekRank(from);
    const at = cursor.at;
    cursor.seekRank(to);
    const behind = cursor.at;
    cursor.bytes.copyWithin(at, behind, cursor.limit);
    const total = cursor.limit - cursor.first - (behind - at);
    this.#writeRun(c.entry, cursor.bytes, cursor.first, total, cursor.count - (to - from));
  }

  /** Makes a packed entry name a root; its run is in the returned bytes, header first. */
  toTree(c: Collection, root: number): Uint8Array {
    const arena = this.#arena;
    const bytes = arena.bytesOf(c.entry);
    const runAt = this.runAt(c.entry);
    const runBytes = arena.read(c.entry, Entry.VALUE_BYTES);
    copyBytes(bytes, runAt, runAt + runBytes, this.#work, 0);
    this.#recode(c, Encoding.TREE, 0);
    arena.write(c.entry, rootWord(this.flags(c.entry)), root);
    arena.write(root, CollectionRoot.OWNER, c.entry);
    c.root = root;
    return this.#work;
  }

  /** Makes the entry of a tree a packed one with the run in `run`, header first; false = no memory. */
  toPacked(c: Collection, run: Uint8Array, runBytes: number): boolean {
    if (!this.#recode(c, Encoding.PACKED, runBytes)) return false;
    const at = this.runAt(c.entry);
    copyBytes(run, 0, runBytes, this.#arena.bytesOf(c.entry), at);
    c.root = 0;
    return true;
  }

  /** Points an entry at another root. */
  setRoot(entry: number, root: number): void {
    this.#arena.write(entry, rootWord(this.flags(entry)), root);
    this.#arena.write(root, CollectionRoot.OWNER, entry);
  }

  /** Moves the entry to a new block with another encoding and room for its value. */
  #recode(c: Collection, encoding: Encoding, valueBytes: number): boolean {
    const arena = this.#arena;
    const old = c.entry;
    const flags = this.flags(old);
    const keyBytes = c.key.end - c.key.start;
    const need = entryBytes(flags, encoding, keyBytes, valueBytes);
    const { shard } = c.key;
    const entry = encoding === Encoding.PACKED
      ? this.#blocks.allocateOptional(shard, PageKind.ENTRY, need)
      : this.#blocks.allocate(shard, PageKind.ENTRY, need);
    if (entry === 0) {
      assert(encoding === Encoding.PACKED, "an entry for a tree was promised");
      return false;
    }
    const head = arena.read(old, Entry.TYPE);
    arena.copyBlock(old, entry, 24 + ((flags & EntryFlag.HAS_TTL) !== 0 ? TTL_BYTES : 0));
    arena.write(entry, Entry.TYPE, (head & 0xffff00ff) | (encoding << 8));
    arena.write(entry, Entry.VALUE_BYTES, valueBytes);
    copyBytes(
      c.key.bytes,
      c.key.start,
      c.key.end,
      arena.bytesOf(entry),
      arena.byteAt(entry) + keyOffset(flags, encoding),
    );
    this.#replace(c, entry);
    return true;
  }

  /** Puts another block in the index for the entry, which has been copied there, and frees the old. */
  #replace(c: Collection, entry: number): void {
    const { control, table, wheel } = this.#parts;
    const rootAt = control.databaseRootAt(c.database, c.key.shard);
    const found = table.find(rootAt, c.key);
    assert(found === c.entry, "an opened collection is in the index");
    table.replaceFound(rootAt, entry);
    wheel.relocate(c.key.shard, entry);
    this.#blocks.free(c.entry);
    c.entry = entry;
  }

  #writeRun(
    entry: number,
    bytes: Uint8Array,
    first: number,
    byteCount: number,
    count: number,
  ): void {
    bytes[first - 4] = byteCount;
    bytes[first - 3] = byteCount >>> 8;
    bytes[first - 2] = count;
    bytes[first - 1] = count >>> 8;
    this.#arena.write(entry, Entry.VALUE_BYTES, RUN_HEADER_BYTES + byteCount);
  }

  #allocate(c: Collection, flags: number, encoding: Encoding, valueBytes: number): number {
    const bytes = entryBytes(flags, encoding, c.key.end - c.key.start, valueBytes);
    const need = encoding === Encoding.PACKED ? Math.max(bytes, this.wholeBytes) : bytes;
    const entry = this.#blocks.allocate(c.key.shard, PageKind.ENTRY, need);
    assert(entry !== 0, "an entry was promised");
    return entry;
  }

  #writeHead(c: Collection, entry: number, encoding: Encoding, valueBytes: number): void {
    const arena = this.#arena;
    const words = arena.wordsOf(entry);
    const at = arena.wordAt(entry);
    words[at] = c.type | (encoding << 8) | (this.#parts.control.tableOf(c.database) << 24);
    words[at + Entry.KEY_BYTES] = c.key.end - c.key.start;
    words[at + Entry.SEQ_LO] = 0;
    words[at + Entry.CLOCK] = (this.#parts.clock.nowMs / 1000) >>> 0;
    words[at + Entry.HASH] = c.key.hash;
    words[at + Entry.VALUE_BYTES] = valueBytes;
    copyBytes(
      c.key.bytes,
      c.key.start,
      c.key.end,
      arena.bytesOf(entry),
      at * 4 + keyOffset(0, encoding),
    );
  }

  #insert(c: Collection, entry: number): void {
    const { control, table } = this.#parts;
    const { shard, hash, tag } = c.key;
    const rootAt = control.databaseRootAt(c.database, shard);
    const slot = table.findFreeSlot(rootAt, shard, hash);
    assert(slot >= 0, "the index was promised");
    let overflow = 0;
    if (slot > 0) {
      overflow = this.#blocks.allocate(shard, PageKind.NODE, BUCKET_BYTES);
      assert(overflow !== 0, "an overflow bucket was promised");
    }
    table.insert(rootAt, shard, entry, tag, overflow);
    c.entry = entry;
  }

  #shouldShrink(need: number, blockBytes: number, added: number): boolean {
    return added === 0 && blockBytes > 64 && CLASS_BYTES[sizeClassOf(need)]! * 2 <= blockBytes;
  }
}
