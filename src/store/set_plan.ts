/**
 * A write that was planned and set aside.
 *
 * @module
 */

import type { Key } from "./key.ts";

/**
 * A planned `SET`, set aside while others are planned: all of them are then committed, or all
 * cancelled. Made by `EntryWriter.planSet`.
 */
export interface SetPlan {
  /** The key; its bytes are still the caller's. */
  readonly key: Key;
  /** Where it lives. */
  readonly database: number;
  /** RAW or EXTENTS. */
  readonly encoding: number;
  /** Buffer with the value. */
  readonly value: Uint8Array;
  /** First byte of the value. */
  readonly start: number;
  /** Behind its last byte. */
  readonly end: number;
  /** Block of the entry. */
  readonly block: number;
  /** Block for an overflow bucket, 0 when the key exists. */
  readonly overflow: number;
  /** Extents and root of a large value. */
  readonly extents: readonly number[];
}
