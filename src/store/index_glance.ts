/**
 * Looks at the index without a lock, for a guess at where something is.
 *
 * Others may be changing the table, so what comes out may be of any moment, torn, or of nothing at
 * all. It is good for a look that only brings memory into the processor's caches (lookahead.ts).
 *
 * @module
 */

import type { Arena } from "./arena.ts";
import type { ControlRegion } from "./control.ts";
import {
  BUCKET_UNITS,
  CHAIN_WORD,
  PAGE_LEAF_BUCKETS,
  Root,
  SMALL_LEAF_BUCKETS,
  SMALL_LEAVES,
  type Table,
  TAG_WORD,
} from "./table.ts";

/** What an {@link IndexGlance} reads. */
export interface IndexParts {
  /** Client data. */
  readonly arena: Arena;
  /** Roots of the index. */
  readonly control: ControlRegion;
  /** The index. */
  readonly table: Table;
}

/** Guesses at addresses of buckets and entries. Thread: one instance per thread; takes no lock. */
export class IndexGlance {
  readonly #arena: Arena;
  readonly #roots: Int32Array<SharedArrayBuffer>;
  readonly #table: Table;

  /** Reads the index of one store. */
  constructor({ arena, control, table }: IndexParts) {
    this.#arena = arena;
    this.#roots = control.words;
    this.#table = table;
  }

  /**
   * Where the first bucket of a hash probably is.
   *
   * @returns an address, as int32; 0 when there is no table
   */
  bucketOf(rootAt: number, hash: number): number {
    const roots = this.#roots;
    if (roots[rootAt + Root.BUCKETS]! <= 0) return 0;
    const index = this.#table.bucketOf(rootAt, hash);
    const directory = roots[rootAt + Root.DIRECTORY]! >>> 0;
    return index < PAGE_LEAF_BUCKETS
      ? this.#arena.glance(directory, index >>> 4) +
        (index & (SMALL_LEAF_BUCKETS - 1)) * BUCKET_UNITS
      : this.#arena.glance(directory, SMALL_LEAVES - 1 + (index >>> 10)) +
        (index & (PAGE_LEAF_BUCKETS - 1)) * BUCKET_UNITS;
  }

  /**
   * An entry of a bucket that has the tag. There is no branch in it that the processor would
   * have to guess.
   *
   * @param bucket what {@link IndexGlance.bucketOf} or {@link IndexGlance.overflowOf} returned, as
   *   uint32
   * @returns an address, as int32; 0 when no slot has the tag
   */
  entryOf(bucket: number, tag: number): number {
    const arena = this.#arena;
    const pattern = Math.imul(tag, 0x01010101);
    let slots = 0;
    for (let group = 0; group < 3; group++) {
      const x = arena.glance(bucket, TAG_WORD + group) ^ pattern;
      // Bit `group` of byte k: slot 4 × group + k fits.
      slots |= ((x - 0x01010101) & ~x & 0x80808080) >>> (7 - group);
    }
    const first = 31 - Math.clz32(slots & -slots);
    return slots === 0 ? 0 : arena.glance(bucket, (first & 7) * 4 + (first >>> 3));
  }

  /**
   * The overflow bucket that follows a bucket.
   *
   * @returns an address, as int32; 0 when there is none
   */
  overflowOf(bucket: number): number {
    return this.#arena.glance(bucket, CHAIN_WORD);
  }
}
