/**
 * Changes to strings that keep what is there, and writes of several keys at once.
 *
 * A change is begun, which plans and commits the room that it needs; then bytes are read and
 * written; then it is ended. Nothing can fail once it has begun (C6). A large value that nobody
 * leases is changed and grows where it is, so that the work is that of the bytes touched; a leased
 * one is written anew, elsewhere.
 *
 * @module
 */

import { copyBytes } from "../base/shared_copy.ts";
import type { Arena } from "./arena.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import { Encoding, Entry, MAX_KEY_BYTES } from "./entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { ContentWriter, EntryWriter } from "./entry_writer.ts";
import type { Extents } from "./extents.ts";
import type { Key } from "./key.ts";
import { MutationPhase } from "./locks.ts";
import type { SetPlan } from "./set_plan.ts";
import { MAX_BLOCK_BYTES } from "./size_classes.ts";
import { WriteStatus } from "./write_status.ts";

/** How many strings can be overwritten together. Reason: few commands name more. */
export const MAX_OVERWRITES = 64;
/** Of values that are at least as long it is told which part was changed. Unit: bytes. */
const LONG_BYTES = 1024;

/** What a {@link StringEditor} works with. */
export interface StringEditorParts {
  /** Client data. */
  arena: Arena;
  /** Promises pages. */
  blocks: BlockAllocator;
  /** Large values. */
  extents: Extents;
  /** Reads entries. */
  reader: EntryReader;
  /** Writes entries. */
  writer: EntryWriter;
  /** Largest value in bytes. */
  maxValueBytes: number;
}

/**
 * Edits strings.
 *
 * Thread: one instance per thread; every call needs the exclusive locks of the keys' shards.
 */
export class StringEditor implements ContentWriter {
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #extents: Extents;
  readonly #reader: EntryReader;
  readonly #writer: EntryWriter;
  readonly #maxValueBytes: number;

  // The change under way.
  #database = 0;
  #shard = 0;
  #entry = 0;
  /** Root of the value, 0 = RAW. */
  #root = 0;
  /** How many bytes of the value before are kept. */
  #keptBytes = 0;
  /** The value before, when its block may be written again or it was an integer. */
  readonly #copy = new Uint8Array(MAX_BLOCK_BYTES);
  #keepsCopy = false;
  /** Whether there was a value before. */
  #wasThere = false;
  /** The bytes that were written so far are within `[#writtenStart, #writtenEnd)`. */
  #writtenStart = 0;
  #writtenEnd = 0;
  /** Entries found by {@link StringEditor.findOverwrite}. */
  readonly #overwrites = new Uint32Array(MAX_OVERWRITES);

  /** Wires the parts of one thread together. */
  constructor(parts: StringEditorParts) {
    this.#arena = parts.arena;
    this.#blocks = parts.blocks;
    this.#extents = parts.extents;
    this.#reader = parts.reader;
    this.#writer = parts.writer;
    this.#maxValueBytes = parts.maxValueBytes;
  }

  /**
   * Begins a change of a string, which is `byteCount` bytes long afterwards, or as long as it was if
   * that is more; expiry and flags stay. The caller has checked the type, and calls
   * {@link StringEditor.end} if this returns OK.
   *
   * @param entry what `Store.lookup` says; 0 counts as an empty string
   * @param zeroEnd bytes that are added up to here are 0; those behind must be written
   */
  begin(
    database: number,
    key: Key,
    entry: number,
    byteCount: number,
    zeroEnd: number,
  ): WriteStatus {
    if (key.end - key.start > MAX_KEY_BYTES) return WriteStatus.KEY_TOO_LONG;
    const reader = this.#reader;
    const keptBytes = entry === 0 ? 0 : reader.stringLength(entry);
    const newBytes = Math.max(keptBytes, byteCount);
    if (newBytes > this.#maxValueBytes) return WriteStatus.VALUE_TOO_LARGE;
    this.#keptBytes = keptBytes;
    this.#keepsCopy = false;
    this.#wasThere = entry !== 0;
    this.#writtenStart = this.#writtenEnd = 0;
    const encoding = entry === 0 ? Encoding.RAW : reader.encoding(entry);
    if (encoding === Encoding.EXTENTS && this.#extents.mayChangeInPlace(entry)) {
      const grown = this.#beginInPlace(key, entry, newBytes);
      if (grown !== WriteStatus.OK) return grown;
    } else {
      if (encoding === Encoding.INTEGER) {
        this.#keepsCopy = true;
        reader.copyString(entry, this.#copy, 0);
      }
      const planned = this.#writer.planContent(
        database,
        key,
        entry === 0 ? 0 : reader.flags(entry),
        entry === 0 ? 0 : reader.expireAtMs(entry),
        newBytes,
        this,
      );
      if (planned !== WriteStatus.OK) return planned;
      entry = this.#writer.beginCommit();
    }
    this.#database = database;
    this.#shard = key.shard;
    this.#entry = entry;
    this.#root = reader.encoding(entry) === Encoding.EXTENTS ? this.#extents.rootOf(entry) : 0;
    if (zeroEnd > keptBytes) this.#zero(keptBytes, zeroEnd);
    return WriteStatus.OK;
  }

  /** Copies `string[start, end)` of the string under change to `target[offset…]`. */
  read(start: number, end: number, target: Uint8Array, offset: number): void {
    this.#reader.copyStringRange(this.#entry, start, end, target, offset);
  }

  /** Copies `bytes[from, to)` to the string under change, from byte `start` on; it is long enough. */
  write(start: number, bytes: Uint8Array, from: number, to: number): void {
    const end = start + to - from;
    const isFirst = this.#writtenEnd === 0;
    if (isFirst || start < this.#writtenStart) this.#writtenStart = start;
    if (end > this.#writtenEnd) this.#writtenEnd = end;
    if (this.#root !== 0) this.#extents.writeRange(this.#root, start, bytes, from, to);
    else this.#writeRaw(this.#reader.rawAt(this.#entry) + start, bytes, from, to);
  }

  /** Length in bytes of the string under change. */
  get byteCount(): number {
    return this.#arena.read(this.#entry, Entry.VALUE_BYTES);
  }

  /** Ends the change. */
  end(): void {
    const byteCount = this.byteCount;
    const start = this.#writtenStart;
    const end = this.#writtenEnd;
    if (this.#wasThere && byteCount >= LONG_BYTES && end - start < byteCount / 2) {
      this.#writer.changedRange(this.#shard, this.#database, this.#entry, start, end);
    } else {
      this.#writer.changed(this.#shard, this.#database, this.#entry);
    }
  }

  /**
   * Plans one of several writes of whole values, without expiry; nothing can be seen of it until
   * {@link StringEditor.commitAll}.
   *
   * @param plans the plans so far; receives this one when the outcome is OK
   */
  planSet(
    database: number,
    key: Key,
    value: Uint8Array,
    start: number,
    end: number,
    plans: SetPlan[],
  ): WriteStatus {
    return this.#writer.planSet(database, key, value, start, end, plans);
  }

  /**
   * Finds out whether a key can get a value of `valueBytes` bytes without expiry where its value is
   * now: such a write takes no memory and cannot fail. Several may be found before the first is done,
   * because none of them changes what another one found; they are then done in the same order, with
   * nothing else in between.
   *
   * @param index which of several, from 0 to {@link MAX_OVERWRITES} - 1
   */
  findOverwrite(index: number, database: number, key: Key, valueBytes: number): boolean {
    const entry = this.#writer.findOverwritable(database, key, valueBytes);
    this.#overwrites[index] = entry;
    return entry !== 0;
  }

  /** Does what {@link StringEditor.findOverwrite} found. Cannot fail. */
  overwrite(
    index: number,
    database: number,
    key: Key,
    value: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#writer.overwrite(database, key, this.#overwrites[index]!, value, start, end);
  }

  /**
   * Promises the pages that writes of several keys need (`pagesForSets`): none of them fails then.
   *
   * @returns false when there are too few; nothing has changed, and the writes may be planned
   */
  promise(pageCount: number): boolean {
    return this.#blocks.promise(pageCount);
  }

  /** Ends what {@link StringEditor.promise} began. */
  endPromise(): void {
    this.#blocks.endPromise();
  }

  /** Carries out all plans, in order. Cannot fail. */
  commitAll(plans: readonly SetPlan[]): void {
    for (const plan of plans) this.#writer.commitSet(plan);
  }

  /** Drops all plans and gives back what they reserved. */
  cancelAll(plans: readonly SetPlan[]): void {
    for (const plan of plans) this.#writer.cancelSet(plan);
  }

  /** Begins the value of a new entry with that of the entry before; see {@link ContentWriter}. */
  fill(entry: number, existing: number): void {
    const extents = this.#extents;
    const keptBytes = this.#keptBytes;
    const root = this.#reader.encoding(entry) === Encoding.EXTENTS ? extents.install(entry) : 0;
    if (keptBytes === 0) return;
    let source: Uint8Array = this.#copy;
    let from = 0;
    if (!this.#keepsCopy) {
      // In the block of the value before, a RAW value begins where that one began.
      if (entry === existing) return;
      if (this.#reader.encoding(existing) === Encoding.EXTENTS) {
        extents.copyValue(extents.rootOf(existing), root, keptBytes);
        return;
      }
      source = this.#arena.bytesOf(existing);
      from = this.#reader.rawAt(existing);
    }
    if (root !== 0) {
      extents.writeRange(root, 0, source, from, from + keptBytes);
    } else {
      this.#entry = entry;
      this.#writeRaw(this.#reader.rawAt(entry), source, from, from + keptBytes);
    }
  }

  /** Makes room in a large value that nobody leases. */
  #beginInPlace(key: Key, entry: number, byteCount: number): WriteStatus {
    const writer = this.#writer;
    const extents = this.#extents;
    const grows = byteCount > this.#keptBytes;
    if (grows) {
      writer.markPhase(key.shard, MutationPhase.PLANNING);
      if (!extents.reserveGrowth(key.shard, extents.rootOf(entry), byteCount)) {
        writer.markPhase(key.shard, MutationPhase.CLEAN);
        return WriteStatus.OUT_OF_MEMORY;
      }
    }
    writer.markPhase(key.shard, MutationPhase.WRITING);
    if (grows) extents.grow(entry, byteCount);
    writer.stampChange(entry, key);
    return WriteStatus.OK;
  }

  #zero(start: number, end: number): void {
    if (this.#root !== 0) {
      this.#extents.zeroRange(this.#root, start, end);
      return;
    }
    const at = this.#reader.rawAt(this.#entry);
    this.#arena.bytesOf(this.#entry).fill(0, at + start, at + end);
  }

  #writeRaw(at: number, bytes: Uint8Array, from: number, to: number): void {
    const target = this.#arena.bytesOf(this.#entry);
    copyBytes(bytes, from, to, target, at);
  }
}
