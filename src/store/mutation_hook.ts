/**
 * The one place where every change of the store passes (C11).
 *
 * @module
 */

import type { EntryType } from "./entry.ts";
import type { Key } from "./key.ts";

/** What happened to one element of a collection. */
export const ElementEffect = {
  /** `element` is a member now; of a hash with `value`, of a sorted set with `score`. */
  PUT: 1,
  /** The field or member `element` is gone. */
  REMOVED: 2,
  /** Of a list: `element` was inserted, so that its index is `rank`. */
  INSERTED_AT: 3,
  /** Of a list: the element at index `rank` is `element` now. */
  SET_AT: 4,
  /** The `count` elements from rank `rank` on are gone: of a list, or of a sorted set by score. */
  RANGE_REMOVED: 5,
} as const;
/** One of {@link ElementEffect}. */
export type ElementEffect = typeof ElementEffect[keyof typeof ElementEffect];

/** An effect on a collection. The object is reused: what a hook keeps, it copies. */
export interface CollectionChange {
  /** The mutation's number, 48 bits; several effects of one command share it. */
  seq: number;
  /** Which type of collection. It was made by this if it did not exist. */
  type: EntryType;
  /** What happened. */
  effect: ElementEffect;
  /** Element, field or member: `bytes[start, end)`. */
  bytes: Uint8Array;
  /** First byte of the element. */
  start: number;
  /** Behind its last byte. */
  end: number;
  /** Value of a field: `valueBytes[valueStart, valueEnd)`. */
  valueBytes: Uint8Array;
  /** First byte of the value. */
  valueStart: number;
  /** Behind its last byte. */
  valueEnd: number;
  /** Score of a member. */
  score: number;
  /** Index in the list, or rank in the sorted set. */
  rank: number;
  /** How many elements. */
  count: number;
}

/**
 * Told of every mutation with its effect, under the shard's exclusive lock, after the change. Effects
 * on whole databases draw no number: under the locks of all shards their place is known in each.
 *
 * An effect is absolute: `written` is followed by reading the entry as it is now, never by the
 * command that led to it. Without a hook the store does nothing here.
 *
 * What is told until the first lock is given back is one command's, and belongs together.
 *
 * Implementations must not throw and must not take another shard's lock.
 */
export interface MutationHook {
  /** The entry at `address` was created or changed; its `seq` is already the mutation's number. */
  written(shard: number, database: number, address: number): void;
  /**
   * Of the string at `address` the bytes `[start, end)` were written; it may have become longer, and
   * what is new besides them is 0. Who does not have this is told that the entry was written.
   */
  rangeWritten?(
    shard: number,
    database: number,
    address: number,
    start: number,
    end: number,
  ): void;
  /**
   * When the key of the entry at `address` expires was changed, and nothing else. Who does not have
   * this is told that the entry was written.
   */
  expiryChanged?(shard: number, database: number, address: number): void;
  /**
   * The entry at `address` has got the value and the expiry of `from`, which `goes` perhaps: then
   * `removed` follows. `sourceSeq` is the number of the last mutation of `from`. Who returns false, or does not have
   * this, is told that the entry was written.
   */
  copied?(
    shard: number,
    from: { readonly database: number; readonly key: Key },
    goes: boolean,
    sourceSeq: number,
    database: number,
    address: number,
  ): boolean;
  /** The key is gone: deleted, expired or evicted. `seq` is the mutation's number (48 bits). */
  removed(shard: number, database: number, key: Key, seq: number): void;
  /**
   * An element of the collection at `key` changed. One that was replaced as a whole is `written`, one
   * that became empty is `removed` in the end.
   */
  changed(shard: number, database: number, key: Key, change: CollectionChange): void;
  /** All keys of the database are gone at once. Called under the locks of all shards. */
  flushed(database: number): void;
  /** Two databases have each other's keys now. Called under the locks of all shards. */
  swapped(first: number, second: number): void;
}
