/**
 * Elements of a collection as replies: at once where they are few, else from a lease, as the client
 * takes them.
 *
 * Whoever uses it writes the head of the array, set or map; what follows is written part by part by
 * a {@link RecordWriter}: a hash has two parts per record, a list one. The first
 * {@link AT_ONCE_BYTES} are copied under the lock. If there is more, the collection is leased, and
 * the rest is written from the lease, with no lock held.
 *
 * @module
 */

import type { Store } from "../store/store.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { CollectionLease } from "../store/collection/collection_lease.ts";
import type { RecordCursor } from "../store/collection/cursor.ts";
import type { ElementView } from "../store/collection/element.ts";
import { MEDIUM_PART, orderBytes, RecordKind } from "../store/collection/records.ts";
import type { ByteSource } from "./byte_source.ts";
import type { ReplySink } from "./reply_sink.ts";
import { type ReplySource, streamReplies } from "./reply_source.ts";

/** Copied at once, under the lock. Unit: bytes. Reason: well below a millisecond. */
const AT_ONCE_BYTES = 65536;

/** A step writes so much at most. Unit: bytes. Reason: some 1 ms with short elements. */
export const STEP_BYTES = 65536;

/** What a part takes besides its bytes, for {@link AT_ONCE_BYTES}: its head, and the work. */
const PART_OVERHEAD_BYTES = 12;

/** A longer element is sent piece by piece. Unit: bytes. */
const WHOLE_ELEMENT_BYTES = 8192;

/** How parts are to be written. */
export const PartMode = {
  /** Whole, however long they are: the sink wants everything at once. */
  WHOLE: 0,
  /** Long elements not at all. */
  SHORT: 1,
  /** Long elements as sources of bytes. */
  LEASED: 2,
} as const;

/** One of the values of {@link PartMode}. */
export type PartMode = (typeof PartMode)[keyof typeof PartMode];

/** A part that was not written, because it is too long for {@link PartMode.SHORT}. */
export const PART_TOO_LONG: number = -1;

/** Writes the records of a collection to a reply. Thread: one I/O thread. */
export interface RecordWriter {
  /** Parts of a record; each has at most one element in it, as the last thing of it. */
  readonly partCount: number;
  /**
   * Writes a part of the record at the cursor; elements with {@link writeElement}.
   *
   * @returns what `writeElement` did, or about how many bytes were written
   */
  write(sink: ReplySink, cursor: RecordCursor, part: number, mode: PartMode): number;
}

/**
 * Writes an element as a byte string.
 *
 * @returns its length in bytes; Infinity when it became a source of bytes, which ends a step of a
 *   {@link ReplySource}; {@link PART_TOO_LONG} when nothing was written
 */
export function writeElement(sink: ReplySink, element: ElementView, mode: PartMode): number {
  const { byteCount } = element;
  if (element.longRoot === 0) {
    sink.bulk(element.bytes, element.start, element.end);
    return byteCount;
  }
  if (byteCount > WHOLE_ELEMENT_BYTES && mode !== PartMode.WHOLE) {
    if (mode === PartMode.SHORT) return PART_TOO_LONG;
    if (sink.bulkSource !== undefined) {
      sink.bulkSource(new ElementBytes(element));
      return Infinity;
    }
  }
  const offset = sink.bulkStart(byteCount);
  element.copyTo(sink.target, offset);
  return byteCount;
}

/** Writes the elements of lists and sets, fields and members. */
export const ELEMENTS: RecordWriter = {
  partCount: 1,
  write: (sink, cursor, _part, mode) => writeElement(sink, cursor.element(), mode),
};

/** Writes fields and their values. */
export const FIELDS_AND_VALUES: RecordWriter = {
  partCount: 2,
  write: (sink, cursor, part, mode) =>
    writeElement(sink, part === 0 ? cursor.element() : cursor.value(), mode),
};

/**
 * Replies with one element, nothing else: a long one is leased and not copied, so the command may
 * go on to change or remove it. Needs the shard's lock.
 *
 * @param mostCopiedBytes a long one of more is leased; less where many are replied at once
 */
export function replyElement(
  store: Store,
  sink: ReplySink,
  element: ElementView,
  mostCopiedBytes: number = AT_ONCE_BYTES,
): void {
  const isLeasable = element.longRoot !== 0 &&
    (element.byteCount > mostCopiedBytes || sink.isFull === true);
  if (isLeasable && sink.bulkSource !== undefined) sink.bulkSource(store.leaseElement(element));
  else writeElement(sink, element, PartMode.WHOLE);
}

/**
 * Writes the records of `c` from rank `first` on, `count` of them, which exist. Needs the shard's
 * lock, shared is enough; the command may go on to change the collection.
 *
 * @param isBackwards whether the next one is the one before
 */
export function replyRecords(
  store: Store,
  sink: ReplySink,
  c: Collection,
  first: number,
  count: number,
  isBackwards: boolean,
  writer: RecordWriter,
): void {
  if (count === 0) return;
  const { cursor } = c;
  const mode = sink.replySource === undefined ? PartMode.WHOLE : PartMode.SHORT;
  let room = mode === PartMode.WHOLE ? Infinity : AT_ONCE_BYTES;
  if (mode === PartMode.SHORT && c.root !== 0 && sink.isFull) room = 0;
  cursor.seekRank(first);
  const areElements = writer === ELEMENTS && !isBackwards && hasElementsOnly(cursor.kind);
  for (let done = 0; done < count;) {
    if (areElements && room > 0) {
      const { at } = cursor;
      const written = writeShortElements(sink, cursor, count - done);
      done += written;
      room -= cursor.at - at + written * PART_OVERHEAD_BYTES;
      if (written > 0) {
        cursor.settle();
        continue;
      }
    }
    for (let part = 0; part < writer.partCount; part++) {
      const byteCount = room <= 0 ? PART_TOO_LONG : writer.write(sink, cursor, part, mode);
      if (byteCount === PART_TOO_LONG) {
        const lease = store.collectionLeases.take(c);
        const from = isBackwards ? first - done : first + done;
        streamReplies(
          sink,
          new LeasedRecords(lease, from, part, count - done, isBackwards, writer),
        );
        return;
      }
      room -= byteCount + PART_OVERHEAD_BYTES;
    }
    done++;
    if (isBackwards) cursor.previous();
    else cursor.next();
  }
}

/** Whether a record consists of an element and perhaps what it is ordered by. */
function hasElementsOnly(kind: number): boolean {
  return kind === RecordKind.LIST || kind === RecordKind.SET || kind === RecordKind.SCORES;
}

/**
 * Writes the elements from the cursor on that are short, at most `most` of them, and moves it behind
 * them: at most to the end of its leaf.
 *
 * @returns how many
 */
function writeShortElements(sink: ReplySink, cursor: RecordCursor, most: number): number {
  const { bytes, limit } = cursor;
  const skip = orderBytes(cursor.kind);
  let { at } = cursor;
  let written = 0;
  while (written < most && at < limit) {
    const start = at + skip + 1;
    const byteCount = bytes[start - 1]!;
    if (byteCount >= MEDIUM_PART) break;
    at = start + byteCount;
    sink.bulk(bytes, start, at);
    written++;
  }
  cursor.stand(at, cursor.index + written);
  return written;
}

/** The records of a leased collection as replies. Thread: the one that took the lease. */
export class LeasedRecords implements ReplySource {
  readonly #lease: CollectionLease;
  readonly #isBackwards: boolean;
  readonly #writer: RecordWriter;
  #part: number;
  #left: number;

  /**
   * Replies with `count` records, from rank `first` on.
   *
   * @param lease belongs to the source from now on
   * @param part the part of the first one to begin with
   */
  constructor(
    lease: CollectionLease,
    first: number,
    part: number,
    count: number,
    isBackwards: boolean,
    writer: RecordWriter,
  ) {
    this.#lease = lease;
    this.#isBackwards = isBackwards;
    this.#writer = writer;
    this.#part = part;
    this.#left = count;
    lease.cursor.seekRank(first);
  }

  /** See {@link ReplySource.writeNext}. */
  writeNext(sink: ReplySink, mostBytes: number): boolean {
    const writer = this.#writer;
    const { cursor } = this.#lease;
    // A source of bytes looks at the element that the cursor stands on: it moves on afterwards.
    for (let room = Math.min(mostBytes, STEP_BYTES); room > 0 && this.#left > 0;) {
      if (this.#part === writer.partCount) {
        this.#part = 0;
        this.#left--;
        if (this.#isBackwards) cursor.previous();
        else cursor.next();
        continue;
      }
      const mode = mostBytes === Infinity ? PartMode.WHOLE : PartMode.LEASED;
      room -= writer.write(sink, cursor, this.#part++, mode) + PART_OVERHEAD_BYTES;
    }
    return this.#left === 0;
  }

  /** See {@link ReplySource.release}. */
  release(): void {
    this.#left = 0;
    this.#lease.release();
  }
}

/** The bytes of an element of a leased collection, whose cursor stays where it is. */
class ElementBytes implements ByteSource {
  readonly byteCount: number;
  #element: ElementView | undefined;
  #position = 0;

  constructor(element: ElementView) {
    this.#element = element;
    this.byteCount = element.byteCount;
  }

  get remaining(): number {
    return this.byteCount - this.#position;
  }

  copyNext(target: Uint8Array, offset: number, byteCount: number): void {
    const start = this.#position;
    this.#position = start + byteCount;
    this.#element?.copyRange(start, this.#position, target, offset);
  }

  release(): void {
    this.#element = undefined;
  }
}
