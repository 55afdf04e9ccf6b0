/**
 * What the store stress does and writes down: values that show when they are torn, and exact sums.
 *
 * @module
 */

import type { StoreMemory } from "../../src/store/store.ts";

/** Word offsets in the evidence region. */
export const StoreEvidence = { START: 0, STOP: 16, INSIDE: 32, WORDS: 48 } as const;

/** Defects of the user of the store that the stress must find. */
export type Defect = "none" | "reads without the lock" | "adds in two sections" | "no lock at all";

/** What a thread of the store stress is told. */
export interface StoreOrders {
  threadId: number;
  operations: number;
  /** Keys of each kind: strings, numbers, expiring strings, balances. */
  keys: number;
  /** Largest value in bytes. */
  maxValueBytes: number;
  defect: Defect;
  memory: StoreMemory;
  evidence: SharedArrayBuffer;
}

/** What it reports. */
export interface StoreReport {
  /** Sum of what was added to each number. */
  added: number[];
  /** Sum of what events added to each balance, less what was there when it was deleted. */
  settled: number[];
  /** Keys made, less keys deleted; expiring ones apart. */
  keysMade: number;
  /** Operations that began while another thread was inside one. */
  overlaps: number;
  outOfMemory: number;
  reclaims: number;
  refusedCredits: number;
  /** The first thing that must not be, or "". */
  violation: string;
}

/** Name of a balance; they have all lengths up to the longest. */
export function balanceName(index: number): string {
  return `balance:${index}${"u".repeat((index * 7) % 124)}`;
}

/** Bytes before the filler: key index, length, seed. */
const HEAD_BYTES = 12;

/**
 * Writes a value of `byteCount` bytes that says whose it is, how long it is, and of which filler.
 *
 * @param byteCount at least 12
 */
export function fillValue(
  bytes: Uint8Array,
  byteCount: number,
  keyIndex: number,
  seed: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, keyIndex);
  view.setUint32(4, byteCount);
  view.setUint32(8, seed);
  let state = seed | 1;
  for (let i = HEAD_BYTES; i < byteCount; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    bytes[i] = state >>> 24;
  }
}

/** What is wrong with a value that was read, or "". */
export function faultIn(bytes: Uint8Array, byteCount: number, keyIndex: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (byteCount < HEAD_BYTES) return `value of ${byteCount} bytes`;
  if (view.getUint32(0) !== keyIndex) return `key ${keyIndex} has the value of another`;
  if (view.getUint32(4) !== byteCount) return `${byteCount} bytes of ${view.getUint32(4)}`;
  let state = view.getUint32(8) | 1;
  for (let i = HEAD_BYTES; i < byteCount; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    if (bytes[i] !== state >>> 24) return `torn at byte ${i} of ${byteCount}`;
  }
  return "";
}
