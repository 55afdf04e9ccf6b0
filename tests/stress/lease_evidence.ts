/**
 * What the lease stress is told and writes down.
 *
 * @module
 */

import type { StoreMemory } from "../../src/store/store.ts";

/** Word offsets in the evidence region. */
export const LeaseEvidence = { START: 0, STOP: 16, FINISHED: 32, WORDS: 48 } as const;

/** What a thread of the lease stress is told. */
export interface LeaseOrders {
  threadId: number;
  threads: number;
  operations: number;
  keys: number;
  /** Largest value in bytes. */
  maxValueBytes: number;
  memory: StoreMemory;
  evidence: SharedArrayBuffer;
  /** The module with the store. */
  storeModule: string;
}

/** What it reports. */
export interface LeaseReport {
  /** Values read to their end. */
  valuesRead: number;
  /** Pieces copied of a value that its key had let go of: the writers were there meanwhile. */
  orphanPieces: number;
  /** Leases given up before the value's end. */
  abandoned: number;
  outOfMemory: number;
  reclaims: number;
  /** The first thing that must not be, or "". */
  violation: string;
}
