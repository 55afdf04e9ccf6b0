/**
 * In-flight slots: where a consumer keeps the one job it works on, in shared memory, so that the
 * job outlives the consumer (C1, C3).
 *
 * ```text
 * slot (offsets in bytes)
 *   0    u32  state: bits 0–1 kind (EMPTY, CLAIMED, APPLIED, SETTLED), bit 2 ASLEEP,
 *             bits 3–31 epoch
 *   4    u32  ticket of the job in the channel
 *   8    u32  length of the job in bytes
 *   12   u32  outcome that the consumer decided (the pool's codes)
 *   16   u32  0 run, 1 the supervisor asks the consumer to stop, 2 the consumer has stopped
 *   20   u32  how many consumers died with this job in the slot
 *   24   u32  1 while counted as a sleeper of the channel
 *   28   u32  word that naps wait on; nobody notifies it except tests
 *   32   f64  heartbeat, milliseconds since the epoch
 *   40   f64  value that the outcome's counter has after this job
 *   48   i64  result of the job, low word first (the pool's: a balance)
 *   56   u32  length of the result's text in bytes
 *   60   u32  in a worker's first slot: 1 + the lane whose code runs now, 0 = it is not known
 *   64   job, up to `job bytes`, whole cache lines
 *        text of the result, up to `result bytes`
 * ```
 *
 * A consumer that has several jobs in hand has a slot for each, its lanes. The first of them is its
 * life: whether it sleeps, and in which epoch it lives, is said there. All others move in the same
 * epoch, and only while the first one is awake, so that fencing the first fences all.
 *
 * State words pair by compare-and-swap: the owner moves the kind only from the state it believes
 * in, the supervisor bumps the epoch, and whoever loses knows. The epoch may be bumped only when
 * the owner's isolate has ended, or while ASLEEP is set: a thread sets ASLEEP before
 * every sleep and must swap it away before it touches anything again. That makes a terminated
 * sleeper harmless for good: it wakes, loses the swap and stops. (A check of the epoch without that
 * bit would leave a window between the check and the next write.)
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Int64 } from "../base/int64.ts";

/** What a slot holds. */
export const SlotKind = {
  /** No job. */
  EMPTY: 0,
  /** A job without any effect so far. */
  CLAIMED: 1,
  /** A job whose effect is being made, or has been. */
  APPLIED: 2,
  /** A job whose effect is complete, being counted. */
  SETTLED: 3,
} as const;

/** One of the values of {@link SlotKind}. */
export type SlotKind = (typeof SlotKind)[keyof typeof SlotKind];

/** Shared memory of a slots region; structured-cloneable. */
export interface ConsumerSlotsMemory {
  /** The region. */
  readonly buffer: SharedArrayBuffer;
}

/** Longest sleep before a sleeper looks around, in milliseconds. */
export const SLEEP_SLICE_MS = 100;
/** First word of a region. */
export const SLOTS_MAGIC = 0x534c4f54;
/** Bytes of a cache line: of the region's header and of a slot's head. */
export const LINE_BYTES = 64;

/** Word offsets in the region's header. */
export const SlotsHeader = {
  MAGIC: 0,
  SLOT_COUNT: 1,
  JOB_BYTES: 2,
  SLOT_BYTES: 3,
  RESULT_BYTES: 4,
} as const;

/** Word offsets in a slot. */
export const SlotWord = {
  STATE: 0,
  TICKET: 1,
  JOB_LENGTH: 2,
  OUTCOME: 3,
  REQUEST: 4,
  DEATHS: 5,
  COUNTED_ASLEEP: 6,
  NAP: 7,
  /** Float64 offset from the slot's first double: byte 32. */
  HEARTBEAT_DOUBLE: 4,
  /** Float64 offset from the slot's first double: byte 40. */
  COUNTER_DOUBLE: 5,
  /** Two words, low one first: byte 48. */
  RESULT: 12,
  RESULT_LENGTH: 14,
  RUNNING: 15,
} as const;

/** Values of the request word. */
export const SlotRequest = { RUN: 0, STOP: 1, LEFT: 2 } as const;

/** The kind's bits in a state word. */
export const KIND_MASK = 3;
/** The bit of a state word that says that the owner sleeps, or has not started. */
export const ASLEEP = 4;
/** Where the epoch starts in a state word. */
export const EPOCH_SHIFT = 3;
/** Largest epoch; it wraps. */
export const EPOCH_MASK = 0x1fffffff;

assert(
  SlotWord.COUNTER_DOUBLE * 8 + 8 <= SlotWord.RESULT * 4 &&
    SlotWord.RESULT * 4 + 8 <= SlotWord.RESULT_LENGTH * 4 && SlotWord.RUNNING * 4 + 4 <= LINE_BYTES,
  "a slot's head fits its line",
);

/** As many bytes in whole cache lines. */
export function wholeLines(byteCount: number): number {
  return Math.ceil(byteCount / LINE_BYTES) * LINE_BYTES;
}

/** What owner and supervisor both may read. Thread: any; every value is a snapshot. */
export abstract class SlotView {
  /** Which slot, from 0. */
  readonly index: number;
  /** The whole region as bytes; the job is at `[jobStart, jobStart + jobLength)`. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Offset of the job in {@link bytes}. */
  readonly jobStart: number;
  /** Offset of the result's text in {@link bytes}. */
  readonly resultStart: number;
  /** Room for that text in bytes. */
  readonly resultRoom: number;

  /** The region as words. */
  protected readonly words: Int32Array<SharedArrayBuffer>;
  /** The region as doubles. */
  protected readonly doubles: Float64Array<SharedArrayBuffer>;
  /** Word index of the slot. */
  protected readonly at: number;

  /** Points at the slot that starts at byte `slotOffset`. */
  constructor(memory: ConsumerSlotsMemory, index: number, slotOffset: number) {
    this.index = index;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.doubles = new Float64Array(memory.buffer);
    this.at = slotOffset / 4;
    this.jobStart = slotOffset + LINE_BYTES;
    this.resultStart = this.jobStart + wholeLines(this.words[SlotsHeader.JOB_BYTES]!);
    this.resultRoom = this.words[SlotsHeader.RESULT_BYTES]!;
  }

  /** Length of the job in bytes. */
  get jobLength(): number {
    return this.words[this.at + SlotWord.JOB_LENGTH]!;
  }

  /** Ticket of the job, as int32. */
  get ticket(): number {
    return this.words[this.at + SlotWord.TICKET]!;
  }

  /** What the consumer decided; meaningful from APPLIED on. */
  get outcome(): number {
    return this.words[this.at + SlotWord.OUTCOME]!;
  }

  /** Value that the outcome's counter has after this job; meaningful from APPLIED on. */
  get counterValue(): number {
    return this.doubles[(this.at >> 1) + SlotWord.COUNTER_DOUBLE]!;
  }

  /** The text that the job came to, a view; empty: none. Meaningful from APPLIED on. */
  get resultText(): Uint8Array {
    const length = this.words[this.at + SlotWord.RESULT_LENGTH]!;
    return this.bytes.subarray(this.resultStart, this.resultStart + length);
  }

  /** Reads what the job came to; meaningful from APPLIED on. */
  readResult(target: Int64): void {
    target.lo = this.words[this.at + SlotWord.RESULT]! >>> 0;
    target.hi = this.words[this.at + SlotWord.RESULT + 1]!;
  }
}
