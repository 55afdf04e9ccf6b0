/**
 * Payloads of dumped collections.
 *
 * ```text
 * payload := element…                       in the order of the collection, at least one
 * element := LIST, SET: bytes │ HASH: bytes, bytes │ SORTED_SET: float64 LE, bytes
 * bytes   := length byte 0…254, bytes │ 255, uint32 LE, bytes
 * ```
 *
 * Nothing in them is an address, an order or a hash of this store: what is restored is built as any
 * command would build it, so no payload makes a structure that is not sound.
 *
 * @module
 */

import { addElement } from "../store/collection/add_element.ts";
import type { Collection } from "../store/collection/collection.ts";
import type { CollectionLease } from "../store/collection/collection_lease.ts";
import type { RecordCursor } from "../store/collection/cursor.ts";
import type { ElementView } from "../store/collection/element.ts";
import { EntryType, type Store, WriteStatus } from "../store/store.ts";
import type { ByteSource } from "./byte_source.ts";

const LONG_LENGTH = 255;

function encodedBytes({ byteCount }: ElementView): number {
  return byteCount < LONG_LENGTH ? byteCount + 1 : byteCount + 5;
}

/** Bytes of the payload element at a cursor. */
export function elementBytes(type: EntryType, cursor: RecordCursor): number {
  const byteCount = encodedBytes(cursor.element());
  if (type === EntryType.HASH) return byteCount + encodedBytes(cursor.value());
  return type === EntryType.SORTED_SET ? byteCount + 8 : byteCount;
}

/**
 * The payload of a leased collection, made as it is read.
 *
 * Thread: the one that took the lease.
 */
export class CollectionPayload implements ByteSource {
  /** See {@link ByteSource}. */
  readonly byteCount: number;
  /** See {@link ByteSource}. */
  remaining: number;
  readonly #type: EntryType;
  readonly #lease: CollectionLease;
  /** What comes before the bytes of a part: a score, a length. */
  readonly #head = new DataView(new ArrayBuffer(13));
  #headAt = 0;
  #headEnd = 0;
  #view: ElementView | undefined;
  #viewAt = 0;
  #isSecond = false;

  /** Reads a lease, which is its own from now on, from the front; `byteCount` was counted. */
  constructor(type: EntryType, lease: CollectionLease, byteCount: number) {
    this.#type = type;
    this.#lease = lease;
    this.byteCount = this.remaining = byteCount;
    lease.cursor.seekFirst();
    this.#beginPart();
  }

  /** See {@link ByteSource}. */
  copyNext(target: Uint8Array, offset: number, byteCount: number): void {
    this.remaining -= byteCount;
    const end = offset + byteCount;
    for (let at = offset; at < end;) {
      if (this.#headAt < this.#headEnd) {
        target[at++] = this.#head.getUint8(this.#headAt++);
        continue;
      }
      const view = this.#view!;
      const copied = Math.min(end - at, view.byteCount - this.#viewAt);
      view.copyRange(this.#viewAt, this.#viewAt + copied, target, at);
      at += copied;
      this.#viewAt += copied;
      if (this.#viewAt === view.byteCount) this.#nextPart();
    }
    // An empty part has no bytes to end with.
    while (
      this.#headAt === this.#headEnd && this.#view !== undefined &&
      this.#viewAt === this.#view.byteCount
    ) {
      this.#nextPart();
    }
  }

  /** See {@link ByteSource}. */
  release(): void {
    this.#lease.release();
  }

  #nextPart(): void {
    if (this.#type === EntryType.HASH && !this.#isSecond) {
      this.#isSecond = true;
    } else {
      this.#isSecond = false;
      if (!this.#lease.cursor.next()) {
        this.#view = undefined;
        return;
      }
    }
    this.#beginPart();
  }

  #beginPart(): void {
    const { cursor } = this.#lease;
    const view = this.#isSecond ? cursor.value() : cursor.element();
    this.#view = view;
    this.#viewAt = this.#headAt = this.#headEnd = 0;
    if (this.#type === EntryType.SORTED_SET) {
      this.#head.setFloat64(0, cursor.score(), true);
      this.#headEnd = 8;
    }
    const isLong = view.byteCount >= LONG_LENGTH;
    this.#head.setUint8(this.#headEnd++, isLong ? LONG_LENGTH : view.byteCount);
    if (!isLong) return;
    this.#head.setUint32(this.#headEnd, view.byteCount, true);
    this.#headEnd += 4;
  }
}

/** What {@link PayloadReader.advance} has come to. */
export const ReadOutcome = {
  /** There is more. */
  MORE: 0,
  /** Everything is in the collection. */
  COMPLETE: 1,
  /** It is no payload of this type. */
  BAD: 2,
  /** The store has no room for the next element. */
  OUT_OF_MEMORY: 3,
  /** An element is longer than the store allows. */
  TOO_LARGE: 4,
} as const;
/** One of {@link ReadOutcome}. */
export type ReadOutcome = typeof ReadOutcome[keyof typeof ReadOutcome];

/**
 * Puts the elements of a payload into a collection that was made aside.
 *
 * Thread: one; each step needs the exclusive lock of the collection's shard.
 */
export class PayloadReader {
  readonly #store: Store;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;
  #partStart = 0;
  #partEnd = 0;

  /** Reads `bytes[start, end)`, which must not change. */
  constructor(store: Store, bytes: Uint8Array, start: number, end: number) {
    this.#store = store;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset);
    this.#at = start;
    this.#end = end;
  }

  /** Puts up to `most` elements into `c`. */
  advance(c: Collection, most: number): ReadOutcome {
    for (let i = 0; i < most; i++) {
      if (this.#at === this.#end) return c.count === 0 ? ReadOutcome.BAD : ReadOutcome.COMPLETE;
      const outcome = this.#readElement(c);
      if (outcome !== ReadOutcome.MORE) return outcome;
    }
    return ReadOutcome.MORE;
  }

  #readElement(c: Collection): ReadOutcome {
    const elementAt = this.#at;
    let score = 0;
    if (c.type === EntryType.SORTED_SET) {
      if (this.#end - this.#at < 8) return ReadOutcome.BAD;
      score = this.#view.getFloat64(this.#at, true);
      if (Number.isNaN(score)) return ReadOutcome.BAD;
      this.#at += 8;
    }
    if (!this.#readPart()) return ReadOutcome.BAD;
    const start = this.#partStart;
    const end = this.#partEnd;
    if (c.type === EntryType.HASH && !this.#readPart()) return ReadOutcome.BAD;
    const before = c.count;
    const status = this.#put(c, start, end, score);
    if (status === WriteStatus.OUT_OF_MEMORY) {
      this.#at = elementAt;
      return ReadOutcome.OUT_OF_MEMORY;
    }
    if (status !== WriteStatus.OK) return ReadOutcome.TOO_LARGE;
    // A field or member that comes twice was not dumped here.
    return c.count === before + 1 ? ReadOutcome.MORE : ReadOutcome.BAD;
  }

  #put(c: Collection, start: number, end: number, score: number): WriteStatus {
    const bytes = this.#bytes;
    const valueStart = this.#partStart;
    const valueEnd = this.#partEnd;
    const { collections } = this.#store;
    return addElement(collections, c, bytes, start, end, bytes, valueStart, valueEnd, score);
  }

  /** Finds the bytes of the next part; false when they are not all there. */
  #readPart(): boolean {
    if (this.#at >= this.#end) return false;
    let byteCount = this.#bytes[this.#at++]!;
    if (byteCount === LONG_LENGTH) {
      if (this.#end - this.#at < 4) return false;
      byteCount = this.#view.getUint32(this.#at, true);
      this.#at += 4;
      if (byteCount < LONG_LENGTH) return false;
    }
    if (byteCount > this.#end - this.#at) return false;
    this.#partStart = this.#at;
    this.#partEnd = this.#at += byteCount;
    return true;
  }
}
