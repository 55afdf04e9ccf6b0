/**
 * Records: one effect each, absolute, so that it can be told from the record alone what is so
 * afterwards.
 *
 * ```text
 *  0  uint8    what happened (RecordType)
 *  1  uint8    database
 *  2  uint16   length of the key in bytes; 0 where there is no key
 *  4  uint32   length of the payload in bytes
 *  8  uint32   number of the mutation, bits 0 to 31 │ 12  uint16  bits 32 to 47
 * 14  uint8    type of the value, as the store numbers types; 0 where it does not matter
 * 15  uint8    flags (RecordFlag)
 * 16  uint64   only with HAS_EXPIRY: when the key expires, ms since the epoch
 *     key, payload, zeros up to a multiple of 8
 * ```
 *
 * | record             | payload                                                               |
 * | ------------------ | --------------------------------------------------------------------- |
 * | `STRING`           | the value                                                             |
 * | `INTEGER`          | the value, int64                                                      |
 * | `COLLECTION`       | uint64: how many elements it has. They follow in `ELEMENTS`           |
 * | `ELEMENTS`         | a part of the elements, in order, each with its lengths (below)       |
 * | `REMOVED`          | nothing                                                               |
 * | `EXPIRY`           | nothing: the key expires then, or never                               |
 * | `PUT`              | one element of a hash, a set or a sorted set, as in `ELEMENTS`        |
 * | `ELEMENT_REMOVED`  | the field or member                                                   |
 * | `INSERTED_AT`      | uint64: index of the element in the list; the element                 |
 * | `SET_AT`           | the same                                                              |
 * | `RANGE_REMOVED`    | uint64: index or rank of the first; uint64: how many                  |
 * | `FLUSHED`          | nothing: the database is empty                                        |
 * | `SWAPPED`          | uint64: the database that changed places with this one                |
 * | `EVENT_ACCEPTED`   | uint64: number of the event; the job (base/job.ts)                    |
 * | `EVENT_SETTLED`    | uint64: number of the event; uint64: outcome; of an event with an id  |
 * |                    | int64: the balance after it                                           |
 * | `MARK`             | uint64: position up to which the log was durable; uint64: ms since the |
 * |                    | epoch; uint64: 1 = the log was ended by a stop, else 0                |
 * | `SNAPSHOT_END`     | uint64: keys; uint64: position up to which the log has to be replayed |
 * | `EVENT_IDS`        | ids of events in a row, 40 bytes each: 16 bytes: SipHash-2-4 of user, |
 * |                    | a byte 0 and id, its key the history; uint64: accepted at, µs since   |
 * |                    | the epoch; uint64: outcome, 0 = not known; int64: the balance after it |
 * | `STRING_RANGE`     | uint64: index of the first byte; uint64: length of the string         |
 * |                    | afterwards; the bytes. What is new besides them is 0                  |
 * | `COPIED`           | uint64: database of the source, and 256 if that goes; uint64: number  |
 * |                    | of its last mutation; its key                                         |
 *
 * An element of a list or a set is `uint32 length, bytes`, of a hash `uint32 length, field, uint32
 * length, value`, of a sorted set `float64 score, uint32 length, member`.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { Entry, ENTRY_HEADER_BYTES, EntryType, INTEGER_BYTES } from "../store/entry.ts";
import {
  aligned,
  EXPIRY_BYTES,
  FRAME_HEADER_BYTES,
  readUint64,
  RECORD_HEADER_BYTES,
  writeUint64,
} from "./layout.ts";

/** What a record tells. */
export const RecordType = {
  /** The key has this value now; what it had is gone. */
  STRING: 1,
  /** The same of a number. */
  INTEGER: 2,
  /** The key is this collection now; the elements follow. */
  COLLECTION: 3,
  /** The next elements of the collection that was begun with `COLLECTION`. */
  ELEMENTS: 4,
  /** The key is gone. */
  REMOVED: 5,
  /** When the key expires was changed, and nothing else. */
  EXPIRY: 6,
  /** An element is there now, with this value or score. */
  PUT: 7,
  /** An element is gone. */
  ELEMENT_REMOVED: 8,
  /** An element was inserted into a list. */
  INSERTED_AT: 9,
  /** An element of a list was replaced. */
  SET_AT: 10,
  /** Elements in a row are gone, of a list or of a sorted set by score. */
  RANGE_REMOVED: 11,
  /** A database is empty. */
  FLUSHED: 12,
  /** Two databases changed places. */
  SWAPPED: 13,
  /** An event was accepted. */
  EVENT_ACCEPTED: 14,
  /** An event was settled. */
  EVENT_SETTLED: 15,
  /** How far the log was durable when what follows was written. */
  MARK: 16,
  /** The end of a snapshot: it is whole. */
  SNAPSHOT_END: 17,
  /** Ids of events that were accepted lately. */
  EVENT_IDS: 18,
  /** A part of a string was written, and it may have become longer. */
  STRING_RANGE: 19,
  /** The key has the value of another one now. */
  COPIED: 20,
} as const;
/** One of {@link RecordType}. */
export type RecordType = typeof RecordType[keyof typeof RecordType];

/** The last of {@link RecordType}. */
const LAST_TYPE = RecordType.COPIED;

/** Added to the database in the payload of `COPIED`: the source is gone then. */
export const SOURCE_GOES = 256;

/** Bits of a record's flags. */
export const RecordFlag = {
  /** The record has a time when the key expires. */
  HAS_EXPIRY: 1,
  /** The key is a balance that an event wrote, and is never evicted. */
  PINNED: 2,
} as const;

const KNOWN_FLAGS: number = RecordFlag.HAS_EXPIRY | RecordFlag.PINNED;
const EMPTY = new Uint8Array(0);
/** Up to this length words are copied one by one: faster than a call. */
const SHORT_BYTES = 256;

/** Length of a record with a key and a payload of these lengths. */
export function recordLength(keyBytes: number, payloadBytes: number, hasExpiry: boolean): number {
  return aligned(
    RECORD_HEADER_BYTES + (hasExpiry ? EXPIRY_BYTES : 0) + keyBytes + payloadBytes,
  );
}

/** Length of the record that begins there, by its header. */
export function recordLengthAt(view: DataView, at: number): number {
  const hasExpiry = (view.getUint8(at + 15) & RecordFlag.HAS_EXPIRY) !== 0;
  return recordLength(view.getUint16(at + 2, true), view.getUint32(at + 4, true), hasExpiry);
}

/**
 * Appends records, one behind the other, to a buffer that grows; in front of them is room for the
 * header of a frame.
 *
 * A record is begun with its fixed part and its key, and then given its payload in pieces.
 *
 * Thread: belongs to one thread.
 */
export class RecordWriter {
  /** The records are `bytes[FRAME_HEADER_BYTES, length)`; replaced when it grows. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Of the same bytes. */
  view: DataView<ArrayBuffer>;
  /** Of the same bytes, whose number is a multiple of 4. */
  words: Int32Array<ArrayBuffer>;
  /** Behind the last record; between two records a multiple of 8. */
  length: number = FRAME_HEADER_BYTES;

  readonly #keptBytes: number;
  #recordAt = -1;
  #payloadAt = 0;

  /**
   * Makes a writer without records.
   *
   * @param initialBytes capacity to start with
   * @param keptBytes a buffer that has grown beyond this is let go by {@link RecordWriter.clear}
   */
  constructor(initialBytes = 4096, keptBytes = 65_536) {
    this.bytes = new Uint8Array(aligned(Math.max(initialBytes, FRAME_HEADER_BYTES)));
    this.view = new DataView(this.bytes.buffer);
    this.words = new Int32Array(this.bytes.buffer);
    this.#keptBytes = aligned(keptBytes);
  }

  /** Whether there are no records. */
  get isEmpty(): boolean {
    return this.length === FRAME_HEADER_BYTES;
  }

  /** Forgets all records. */
  clear(): void {
    assert(this.#recordAt < 0, "a record that was begun is ended");
    this.length = FRAME_HEADER_BYTES;
    if (this.bytes.length > this.#keptBytes) this.#move(new Uint8Array(this.#keptBytes));
  }

  /** Forgets the records in front of `end`, where one ends. */
  forgetBefore(end: number): void {
    if (end === this.length) return this.clear();
    this.bytes.copyWithin(FRAME_HEADER_BYTES, end, this.length);
    this.length -= end - FRAME_HEADER_BYTES;
  }

  /**
   * Begins a record.
   *
   * @param seq number of the mutation, 48 bits; 0 where there is none
   * @param expireAtMs when the key expires; 0 = never, and the record has no time
   * @param flags bits of {@link RecordFlag} but for `HAS_EXPIRY`
   */
  begin(
    type: RecordType,
    database: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    seq: number,
    valueType = 0,
    expireAtMs = 0,
    flags = 0,
  ): this {
    assert(this.#recordAt < 0, "the record before was ended");
    const keyBytes = keyEnd - keyStart;
    assert(keyBytes <= 0xffff && database <= 0xff, "a key and a database fit their fields");
    const headBytes = RECORD_HEADER_BYTES + (expireAtMs === 0 ? 0 : EXPIRY_BYTES);
    this.#reserve(headBytes + keyBytes);
    const at = this.length;
    const view = this.view;
    const hasExpiry = expireAtMs === 0 ? 0 : RecordFlag.HAS_EXPIRY;
    view.setUint32(at, type | (database << 8) | (keyBytes << 16), true);
    view.setUint32(at + 4, 0, true);
    view.setUint32(at + 8, seq >>> 0, true);
    const seqHigh = Math.floor(seq / 2 ** 32) & 0xffff;
    view.setUint32(at + 12, seqHigh | (valueType << 16) | ((flags | hasExpiry) << 24), true);
    if (hasExpiry !== 0) writeUint64(view, at + RECORD_HEADER_BYTES, expireAtMs);
    this.#recordAt = at;
    this.length = at + headBytes;
    this.#copy(key, keyStart, keyEnd);
    this.#payloadAt = this.length;
    return this;
  }

  /**
   * Appends the record of a string whose value is in its entry: as text, or as an integer.
   *
   * Key and text are one behind the other in the entry, as they are in the record, so that they are
   * copied word by word, with what is behind them in the last word taken away again.
   *
   * @param source has the entry at `source[at…]`, as store/entry.ts draws it
   * @param type `STRING` or `INTEGER`
   * @param flags bits of {@link RecordFlag}
   * @param keyAt index of the word with the entry's key
   */
  appendString(
    type: typeof RecordType.STRING | typeof RecordType.INTEGER,
    database: number,
    source: Int32Array,
    at: number,
    flags: number,
    keyAt: number,
  ): void {
    const isText = type === RecordType.STRING;
    const keyBytes = source[at + Entry.KEY_BYTES]! & 0xffff;
    const valueBytes = isText ? source[at + Entry.VALUE_BYTES]! : INTEGER_BYTES;
    const copiedBytes = isText ? keyBytes + valueBytes : keyBytes;
    this.#reserve(RECORD_HEADER_BYTES + EXPIRY_BYTES + aligned(keyBytes + valueBytes));
    const target = this.words;
    let to = this.length >> 2;
    target[to] = type | (database << 8) | (keyBytes << 16);
    target[to + 1] = valueBytes;
    target[to + 2] = source[at + Entry.SEQ_LO]!;
    target[to + 3] = (source[at + Entry.KEY_BYTES]! >>> 16) | (EntryType.STRING << 16) |
      (flags << 24);
    to += 4;
    if ((flags & RecordFlag.HAS_EXPIRY) !== 0) {
      target[to++] = source[at + ENTRY_HEADER_BYTES / 4]!;
      target[to++] = source[at + ENTRY_HEADER_BYTES / 4 + 1]!;
    }
    const end = to + (aligned(keyBytes + valueBytes) >> 2);
    const copiedEnd = to + ((copiedBytes + 3) >> 2);
    if (copiedBytes <= SHORT_BYTES) {
      for (let i = to, from = keyAt; i < copiedEnd; i++, from++) target[i] = source[from]!;
    } else {
      target.set(source.subarray(keyAt, keyAt + copiedEnd - to), to);
    }
    if ((copiedBytes & 3) !== 0) {
      target[copiedEnd - 1] = target[copiedEnd - 1]! & ((1 << ((copiedBytes & 3) * 8)) - 1);
    }
    for (let i = copiedEnd; i < end; i++) target[i] = 0;
    if (!isText) {
      const valueAt = to * 4 + keyBytes;
      this.view.setInt32(valueAt, source[keyAt - 2]!, true);
      this.view.setInt32(valueAt + 4, source[keyAt - 1]!, true);
    }
    this.length = end * 4;
  }

  /** Appends `source[start, end)` to the payload. */
  append(source: Uint8Array, start: number, end: number): this {
    this.#reserve(end - start);
    this.#copy(source, start, end);
    return this;
  }

  /** Appends `source[start, end)` with its length in front of it. */
  appendCounted(source: Uint8Array, start: number, end: number): this {
    this.#reserve(4 + end - start);
    this.view.setUint32(this.length, end - start, true);
    this.length += 4;
    this.#copy(source, start, end);
    return this;
  }

  /**
   * Makes room for bytes of the payload that the caller writes itself.
   *
   * @returns where in {@link RecordWriter.bytes} they belong
   */
  extend(byteCount: number): number {
    this.#reserve(byteCount);
    const at = this.length;
    this.length += byteCount;
    return at;
  }

  /** Appends a safe integer that is not negative, in 64 bits, to the payload. */
  appendUint64(value: number): this {
    this.#reserve(8);
    writeUint64(this.view, this.length, value);
    this.length += 8;
    return this;
  }

  /** Appends an int64, given as its halves, to the payload. */
  appendInt64(hi: number, lo: number): this {
    this.#reserve(8);
    this.view.setInt32(this.length, lo | 0, true);
    this.view.setInt32(this.length + 4, hi, true);
    this.length += 8;
    return this;
  }

  /** Appends a score to the payload. */
  appendFloat64(value: number): this {
    this.#reserve(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
    return this;
  }

  /** Ends the record that was begun. */
  end(): void {
    assert(this.#recordAt >= 0, "a record is begun before it is ended");
    const payloadBytes = this.length - this.#payloadAt;
    this.view.setUint32(this.#recordAt + 4, payloadBytes, true);
    const end = aligned(this.length);
    this.#reserve(end - this.length);
    // A few at most: a call costs more.
    while (this.length < end) this.bytes[this.length++] = 0;
    this.#recordAt = -1;
  }

  /**
   * Where the last record ends that is within `mostBytes` of `start`.
   *
   * @param start where a record begins, that is not longer itself
   */
  endOfRecords(start: number, mostBytes: number): number {
    let end = start;
    while (end < this.length) {
      const next = end + recordLengthAt(this.view, end);
      if (next - start > mostBytes) break;
      end = next;
    }
    assert(end > start, "a record is not longer than a buffer");
    return end;
  }

  #copy(source: Uint8Array, start: number, end: number): void {
    const target = this.bytes;
    let at = this.length;
    if (end - start <= 32) {
      for (let i = start; i < end; i++) target[at++] = source[i]!;
    } else {
      target.set(source.subarray(start, end), at);
    }
    this.length += end - start;
  }

  #reserve(byteCount: number): void {
    const needed = this.length + byteCount;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(aligned(Math.max(needed, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.#move(grown);
  }

  #move(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.words = new Int32Array(bytes.buffer);
  }
}

/**
 * Reads the records of a frame's body, one after the other, in place.
 *
 * Thread: belongs to one thread; reuse one instance. What it shows of a record is valid until the
 * next one is read.
 */
export class RecordReader {
  /** What happened. */
  type: RecordType = RecordType.REMOVED;
  /** Where. */
  database = 0;
  /** Number of the mutation. */
  seq = 0;
  /** Type of the value, as the store numbers types. */
  valueType = 0;
  /** Bits of {@link RecordFlag}. */
  flags = 0;
  /** When the key expires, ms since the epoch; 0 = never. */
  expireAtMs = 0;
  /** The body; key and payload are in it. */
  bytes: Uint8Array = EMPTY;
  /** First byte of the key. */
  keyStart = 0;
  /** Behind the key's last byte. */
  keyEnd = 0;
  /** First byte of the payload. */
  payloadStart = 0;
  /** Behind the payload's last byte. */
  payloadEnd = 0;

  #view: DataView = new DataView(EMPTY.buffer);
  #at = 0;
  #end = 0;

  /** Begins with the body `bytes[start, end)`. */
  open(bytes: Uint8Array, start: number, end: number): this {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
    return this;
  }

  /** Where the next record begins in {@link RecordReader.bytes}. */
  get at(): number {
    return this.#at;
  }

  /**
   * Goes to the next record.
   *
   * @returns true; false at the end; or, as a string, why what follows is no record
   */
  next(): boolean | string {
    const at = this.#at;
    const end = this.#end;
    if (at === end) return false;
    if (end - at < RECORD_HEADER_BYTES) return `a record of ${end - at} bytes has no header`;
    const view = this.#view;
    const type = view.getUint8(at);
    if (type < 1 || type > LAST_TYPE) return `there is no record of type ${type}`;
    this.flags = view.getUint8(at + 15);
    if ((this.flags & ~KNOWN_FLAGS) !== 0) return `a record has unknown flags (${this.flags})`;
    this.type = type as RecordType;
    this.database = view.getUint8(at + 1);
    this.seq = view.getUint16(at + 12, true) * 2 ** 32 + view.getUint32(at + 8, true);
    this.valueType = view.getUint8(at + 14);
    const keyBytes = view.getUint16(at + 2, true);
    const payloadBytes = view.getUint32(at + 4, true);
    const hasExpiry = (this.flags & RecordFlag.HAS_EXPIRY) !== 0;
    const headBytes = RECORD_HEADER_BYTES + (hasExpiry ? EXPIRY_BYTES : 0);
    // In doubles: the sum may be beyond 2^32.
    if (headBytes + keyBytes + payloadBytes > end - at) {
      return `a record of ${headBytes + keyBytes + payloadBytes} bytes is in ${end - at} bytes`;
    }
    this.expireAtMs = hasExpiry ? readUint64(view, at + RECORD_HEADER_BYTES) : 0;
    this.keyStart = at + headBytes;
    this.keyEnd = this.keyStart + keyBytes;
    this.payloadStart = this.keyEnd;
    this.payloadEnd = this.payloadStart + payloadBytes;
    this.#at = Math.min(at + recordLength(keyBytes, payloadBytes, hasExpiry), end);
    return true;
  }

  /** Length of the payload in bytes. */
  get payloadBytes(): number {
    return this.payloadEnd - this.payloadStart;
  }

  /** The payload's 32 bits at this offset, which it has. */
  wordAt(offset: number): number {
    return this.#view.getInt32(this.payloadStart + offset, true);
  }

  /** The payload's number at this offset; `NaN` when the payload is shorter or it is no safe one. */
  uint64At(offset: number): number {
    if (offset + 8 > this.payloadBytes) return NaN;
    return readUint64(this.#view, this.payloadStart + offset);
  }
}
