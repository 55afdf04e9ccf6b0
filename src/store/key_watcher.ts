/**
 * Who wants to know of keys that come and go without a command that says so.
 *
 * @module
 */

import type { Key } from "./key.ts";

/** What can happen to a key. */
export const KeyEvent = {
  /** It is there now, and was not before. */
  NEW: 1,
  /** Its time was up, and now its memory is free. */
  EXPIRED: 2,
  /** It had to go because memory was short. */
  EVICTED: 3,
} as const;
/** One of {@link KeyEvent}. */
export type KeyEvent = typeof KeyEvent[keyof typeof KeyEvent];

/**
 * Told of them under the shard's exclusive lock. Must not throw, take a lock or change the store.
 *
 * Thread: one per thread.
 */
export interface KeyWatcher {
  /** Whether it is to be told of such events now; asked for each key, so it must be cheap. */
  wants(event: KeyEvent): boolean;
  /** It happened. What is kept of `key` is copied. */
  note(event: KeyEvent, database: number, key: Key): void;
}
