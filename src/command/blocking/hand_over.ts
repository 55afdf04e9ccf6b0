/**
 * Elements on their way from the thread that took them to the client that waits for them.
 *
 * ```text
 * per element: u32 bytes, the bytes, in a sorted set f64 score; little-endian
 * ```
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import type { RecordCursor } from "../../store/collection/cursor.ts";
import type { ElementSource } from "../../store/collection/collection.ts";
import type { ByteSource } from "../byte_source.ts";

const LENGTH_BYTES = 4;
const SCORE_BYTES = 8;

/** Writes hand-overs. Thread: belongs to one thread. */
export class HandOver {
  readonly #writer = new ByteWriter(256);

  /** What was collected, in front of {@link HandOver.length}. */
  get bytes(): Uint8Array {
    return this.#writer.bytes;
  }

  /** Bytes that were collected. */
  get length(): number {
    return this.#writer.length;
  }

  /**
   * Copies elements of an end of a collection.
   *
   * @param count how many, all of which exist
   * @param isFromEnd whether the last one is the first
   * @returns false when they are more than `mostBytes`
   */
  collect(
    cursor: RecordCursor,
    count: number,
    isFromEnd: boolean,
    hasScores: boolean,
    mostBytes: number,
  ): boolean {
    const writer = this.#writer;
    writer.clear();
    if (isFromEnd) cursor.seekLast();
    else cursor.seekFirst();
    for (let i = 0; i < count; i++) {
      const element = cursor.element();
      const { byteCount } = element;
      const needed = LENGTH_BYTES + byteCount + (hasScores ? SCORE_BYTES : 0);
      if (writer.length + needed > mostBytes) return false;
      const at = writer.reserve(needed);
      const view = new DataView(writer.bytes.buffer, writer.bytes.byteOffset);
      view.setUint32(at, byteCount, true);
      element.copyTo(writer.bytes, at + LENGTH_BYTES);
      if (hasScores) view.setFloat64(at + LENGTH_BYTES + byteCount, cursor.score(), true);
      writer.length = at + needed;
      if (isFromEnd) cursor.previous();
      else cursor.next();
    }
    return true;
  }
}

/** Elements that were handed over, in the order in which they were taken. */
export class HandedElements implements ElementSource {
  /** See {@link ElementSource}. */
  readonly bytes: Uint8Array;
  /** See {@link ElementSource}. */
  readonly starts: Int32Array;
  /** See {@link ElementSource}. */
  readonly ends: Int32Array;
  /** Scores, in a sorted set. */
  readonly scores: number[] = [];
  /** How many there are. */
  readonly count: number;

  /** Reads all of `source`. */
  constructor(source: ByteSource, hasScores: boolean) {
    this.bytes = new Uint8Array(source.byteCount);
    source.copyNext(this.bytes, 0, source.byteCount);
    const view = new DataView(this.bytes.buffer);
    const starts: number[] = [];
    const ends: number[] = [];
    for (let at = 0; at < this.bytes.length;) {
      const end = at + LENGTH_BYTES + view.getUint32(at, true);
      starts.push(at + LENGTH_BYTES);
      ends.push(end);
      if (hasScores) this.scores.push(view.getFloat64(end, true));
      at = end + (hasScores ? SCORE_BYTES : 0);
    }
    this.starts = Int32Array.from(starts);
    this.ends = Int32Array.from(ends);
    this.count = starts.length;
  }
}
