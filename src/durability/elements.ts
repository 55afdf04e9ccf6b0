/**
 * Elements of collections as records have them (record.ts): each with its lengths, one behind the
 * other.
 *
 * @module
 */

import { addElement } from "../store/collection/add_element.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { RecordCursor } from "../store/collection/cursor.ts";
import type { ElementView } from "../store/collection/element.ts";
import { EntryType, type Store, type WriteStatus } from "../store/store.ts";
import { RecordType, type RecordWriter } from "./record.ts";

/** A record of elements is ended when it is as long as this. */
const ELEMENTS_BYTES = 65_536;
const NO_KEY = new Uint8Array(0);

/** Appends the element that a cursor stands on to the payload of the record that was begun. */
function appendElement(
  records: RecordWriter,
  type: EntryType,
  cursor: RecordCursor,
): void {
  if (type === EntryType.SORTED_SET) records.appendFloat64(cursor.score());
  appendPart(records, cursor.element());
  if (type === EntryType.HASH) appendPart(records, cursor.value());
}

/**
 * Appends records of elements, each about as long as is read at a time.
 *
 * @param cursor stands on the first one, and then behind the last one that was written
 * @param most how many elements at most
 * @param mostBytes when so much was written, no further record is begun
 * @returns how many were written
 */
export function appendElements(
  records: RecordWriter,
  type: EntryType,
  database: number,
  cursor: RecordCursor,
  most: number,
  mostBytes: number,
): number {
  const end = records.length + mostBytes;
  let count = 0;
  while (count < most && records.length < end) {
    records.begin(RecordType.ELEMENTS, database, NO_KEY, 0, 0, 0, type);
    const recordEnd = records.length + ELEMENTS_BYTES;
    for (; count < most && records.length < recordEnd; count++) {
      appendElement(records, type, cursor);
      cursor.next();
    }
    records.end();
  }
  return count;
}

function appendPart(records: RecordWriter, view: ElementView): void {
  if (view.longRoot === 0) records.appendCounted(view.bytes, view.start, view.end);
  else records.appendCounted(view.toBytes(), 0, view.byteCount);
}

/**
 * Reads elements and puts them into collections.
 *
 * Thread: belongs to one thread.
 */
export class ElementReader {
  /** Where the next element begins. */
  at = 0;
  /** Behind the last one. */
  end = 0;
  /** Score of the element that was read last, of a sorted set. */
  score = 0;
  /** First byte of the element that was read last. */
  elementStart = 0;
  /** Behind its last byte. */
  elementEnd = 0;
  /** First byte of its value, of a hash. */
  valueStart = 0;
  /** Behind the value's last byte. */
  valueEnd = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Begins with the elements in `bytes[start, end)`. */
  open(bytes: Uint8Array, start: number, end: number): this {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
    this.end = end;
    return this;
  }

  /** Reads the next element; false when it is not whole, or has no score that is one. */
  read(type: EntryType): boolean {
    if (type === EntryType.SORTED_SET) {
      if (this.end - this.at < 8) return false;
      this.score = this.#view.getFloat64(this.at, true);
      if (Number.isNaN(this.score)) return false;
      this.at += 8;
    }
    if (!this.#readPart()) return false;
    this.elementStart = this.valueStart;
    this.elementEnd = this.valueEnd;
    return type !== EntryType.HASH || this.#readPart();
  }

  /**
   * Puts the element that was read last into a collection, at the end of a list. Needs the exclusive
   * lock of its shard.
   */
  put(store: Store, c: Collection): WriteStatus {
    const bytes = this.#bytes;
    const { elementStart, elementEnd, valueStart, valueEnd, score } = this;
    return addElement(
      store.collections,
      c,
      bytes,
      elementStart,
      elementEnd,
      bytes,
      valueStart,
      valueEnd,
      score,
    );
  }

  #readPart(): boolean {
    if (this.end - this.at < 4) return false;
    const byteCount = this.#view.getUint32(this.at, true);
    if (byteCount > this.end - this.at - 4) return false;
    this.valueStart = this.at + 4;
    this.valueEnd = this.at = this.valueStart + byteCount;
    return true;
  }
}
