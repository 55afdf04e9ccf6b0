/**
 * What the collection stress is told and writes down.
 *
 * @module
 */

import type { StoreMemory } from "../../src/store/store.ts";

/** Word offsets in the evidence region. */
export const CollectionEvidence = { START: 0, STOP: 16, FINISHED: 32, WORDS: 48 } as const;

/** Sum of the numbers in each list, at every moment that a reader may see. */
export const LIST_SUM = 1_000_000;

/** What a thread of the collection stress is told. */
export interface CollectionOrders {
  threadId: number;
  threads: number;
  operations: number;
  keys: number;
  memory: StoreMemory;
  evidence: SharedArrayBuffer;
  /** The module with the store. */
  storeModule: string;
}

/** What it reports. */
export interface CollectionReport {
  /** Leased lists read to their end. */
  listsRead: number;
  /** Of those, how many had changed by then. */
  changedMeanwhile: number;
  /** Changes made. */
  changes: number;
  reclaims: number;
  /** The first thing that must not be, or "". */
  violation: string;
}
