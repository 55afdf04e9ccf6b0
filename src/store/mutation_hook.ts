/**
 * The one place where every change of the store passes (C11).
 *
 * @module
 */

import type { Key } from "./key.ts";

/**
 * Told of every mutation with its effect, under the shard's exclusive lock, after the change. Effects
 * on whole databases draw no number: under the locks of all shards their place is known in each.
 *
 * An effect is absolute: `written` is followed by reading the entry as it is now, never by the
 * command that led to it. Without a hook the store does nothing here.
 *
 * Implementations must not throw and must not take another shard's lock.
 */
export interface MutationHook {
  /** The entry at `address` was created or changed; its `seq` is already the mutation's number. */
  written(shard: number, database: number, address: number): void;
  /** The key is gone: deleted, expired or evicted. `seq` is the mutation's number (48 bits). */
  removed(shard: number, database: number, key: Key, seq: number): void;
  /** All keys of the database are gone at once. Called under the locks of all shards. */
  flushed(database: number): void;
  /** Two databases have each other's keys now. Called under the locks of all shards. */
  swapped(first: number, second: number): void;
}
