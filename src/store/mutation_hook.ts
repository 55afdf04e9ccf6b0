/**
 * The one place where every change of the store passes (C11).
 *
 * @module
 */

import type { Key } from "./key.ts";

/**
 * Told of every mutation with its effect, under the shard's exclusive lock, after the change.
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
  /**
   * What follows until {@link MutationHook.endFrame} is recovered whole or not at all: one `EXEC`, one
   * command on several keys. All locks that it needs are held, and no frame is inside another.
   */
  beginFrame?(): void;
  /** The end of the frame, before its locks are given back; there may have been no mutation in it. */
  endFrame?(): void;
}
