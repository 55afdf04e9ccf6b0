/**
 * The writes that most clients send: a string or a counter gets another value of the same size.
 *
 * Such a write takes no memory and cannot fail, so it needs no plan; and of the entry only the value,
 * the clock and the number change. What one word of the header says decides whether it is one:
 *
 * ```text
 * word 0   STRING │ RAW or INTEGER │ no HAS_TTL │ any table
 * ```
 *
 * Without a time to live the entry cannot have expired and is in no list of the expiry index, and
 * what follows the header is where it is in every such entry. Everything else goes the general way
 * (entry_writer.ts), which would come to the same.
 *
 * @module
 */

import { addInt64, Int64 } from "../base/int64.ts";
import type { Access } from "./access.ts";
import type { Arena } from "./arena.ts";
import type { BlockAllocator } from "./block_allocator.ts";
import { copyBytes } from "./collection/records.ts";
import { Encoding, Entry, ENTRY_HEADER_BYTES, EntryFlag, EntryType } from "./entry.ts";
import { EntryChanges, type WriterParts } from "./entry_changes.ts";
import type { Key } from "./key.ts";
import { MutationPhase } from "./locks.ts";
import { CLASS_BYTES, sizeClassOf } from "./size_classes.ts";
import { WriteStatus } from "./write_status.ts";

/** Type, encoding and flags in word 0 of an entry. */
const SHAPE_MASK = 0x00ffffff;
/** The same without the flag of balances, which a counter keeps. */
const COUNTER_MASK = SHAPE_MASK & ~(EntryFlag.PINNED << 16);
const PLAIN_STRING = EntryType.STRING | (Encoding.RAW << 8);
const PLAIN_COUNTER = EntryType.STRING | (Encoding.INTEGER << 8);
/** Where the value of a plain counter is, or the key of a plain string. */
const BODY_WORD = ENTRY_HEADER_BYTES / 4;

/** Changes values where they are. Thread: as {@link EntryChanges}. */
export class InPlaceWriter extends EntryChanges {
  readonly #arena: Arena;
  readonly #blocks: BlockAllocator;
  readonly #sum = new Int64();

  /** Wires the parts of one thread together. */
  constructor(parts: WriterParts, clock: Access) {
    super(parts, clock);
    this.#arena = parts.arena;
    this.#blocks = parts.blocks;
  }

  /**
   * Whether a key can get a value of `valueBytes` bytes without a time to live by
   * {@link InPlaceWriter.overwrite}: it has a plain string, in a block of the size for it.
   *
   * @param entry the entry of `key`
   */
  fitsInPlace(key: Key, entry: number, valueBytes: number): boolean {
    const shape = this.#arena.wordsOf(entry)[this.#arena.wordAt(entry)]! & SHAPE_MASK;
    if (shape !== PLAIN_STRING) return false;
    const byteCount = ENTRY_HEADER_BYTES + key.end - key.start + valueBytes;
    const blockBytes = this.#blocks.blockBytes(entry);
    return byteCount <= blockBytes && blockBytesFor(byteCount) === blockBytes;
  }

  /** Gives a plain string a value that {@link InPlaceWriter.fitsInPlace}. Cannot fail. */
  overwrite(
    database: number,
    key: Key,
    entry: number,
    value: Uint8Array,
    start: number,
    end: number,
  ): void {
    const words = this.#arena.wordsOf(entry);
    const at = this.#arena.wordAt(entry);
    const valueAt = at * 4 + ENTRY_HEADER_BYTES + key.end - key.start;
    this.markPhase(key.shard, MutationPhase.WRITING);
    words[at + Entry.VALUE_BYTES] = end - start;
    words[at + Entry.CLOCK] = this.clock.nowSeconds;
    copyBytes(value, start, end, this.#arena.bytesOf(entry), valueAt);
    this.stampSeq(key.shard, entry);
    this.changed(key.shard, database, entry);
  }

  /**
   * Adds to a plain counter.
   *
   * @param entry the entry of `key`
   * @param result receives the sum when the outcome is OK
   * @returns OK or OVERFLOW; undefined, nothing changed, when the addition has to be planned
   */
  protected addInPlace(
    database: number,
    key: Key,
    entry: number,
    delta: Int64,
    result: Int64,
  ): WriteStatus | undefined {
    const words = this.#arena.wordsOf(entry);
    const at = this.#arena.wordAt(entry);
    if ((words[at]! & COUNTER_MASK) !== PLAIN_COUNTER) return undefined;
    const lo = words[at + BODY_WORD]!;
    const hi = words[at + BODY_WORD + 1]!;
    const by = delta.lo | 0;
    const small = lo + by;
    // Nearly all counters and steps are small.
    if (hi === lo >> 31 && delta.hi === by >> 31 && (small | 0) === small) {
      result.lo = small >>> 0;
      result.hi = small >> 31;
    } else {
      const sum = this.#sum;
      sum.lo = lo >>> 0;
      sum.hi = hi;
      if (!addInt64(sum, delta, sum)) return WriteStatus.OVERFLOW;
      result.copyFrom(sum);
    }
    this.markPhase(key.shard, MutationPhase.WRITING);
    words[at + BODY_WORD] = result.lo;
    words[at + BODY_WORD + 1] = result.hi;
    if (this.clock.stamps) words[at + Entry.CLOCK] = this.clock.nowSeconds;
    this.stampSeq(key.shard, entry);
    this.changed(key.shard, database, entry);
    return WriteStatus.OK;
  }
}

/** Bytes of the block that an entry of so many bytes gets. */
export function blockBytesFor(byteCount: number): number {
  return CLASS_BYTES[sizeClassOf(byteCount)]!;
}
