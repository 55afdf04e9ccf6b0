/**
 * What a change brings to a collection, as far as its memory depends on it.
 *
 * @module
 */

import { BlockDemand } from "./block_demand.ts";
import { encodedPartBytes, MAX_SHORT_PART_BYTES, orderBytes } from "./records.ts";

/** Sizes of the records that come. Thread: one instance per thread; reused. */
export class Coming {
  /** How many records come; a replaced one counts. */
  records = 0;
  /** Bytes of all of them, as {@link RecordScratch} makes them. */
  recordBytes = 0;
  /** Bytes of the longest one. */
  longest = 0;
  /** Bytes of the shortest one. */
  shortest: number = Infinity;
  /** Whether a part is a long element. */
  hasLong = false;
  /** Blocks of the long elements, of one tree. */
  readonly long: BlockDemand = new BlockDemand();
  #orderBytes = 0;

  /** Forgets what was added; records of `kind` follow. */
  begin(kind: number): void {
    this.records = this.recordBytes = this.longest = 0;
    this.shortest = Infinity;
    if (this.hasLong) this.long.clear();
    this.hasLong = false;
    this.#orderBytes = orderBytes(kind);
  }

  /** Adds a record of one part, or of two. */
  add(byteCount: number, secondBytes = -1): void {
    let record = this.#orderBytes + this.#part(byteCount);
    if (secondBytes >= 0) record += this.#part(secondBytes);
    this.addRecord(record);
  }

  /** Adds a record without long elements that is there as it is. */
  addRecord(byteCount: number): void {
    this.records++;
    this.recordBytes += byteCount;
    if (byteCount > this.longest) this.longest = byteCount;
    if (byteCount < this.shortest) this.shortest = byteCount;
  }

  #part(byteCount: number): number {
    if (byteCount > MAX_SHORT_PART_BYTES) {
      this.hasLong = true;
      this.long.addExtents(byteCount);
    }
    return encodedPartBytes(byteCount);
  }
}
