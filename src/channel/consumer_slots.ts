/**
 * The in-flight slots of one pool, in one SharedArrayBuffer.
 *
 * ```text
 * 0    u32 magic, u32 slot count, u32 job bytes, u32 slot bytes, u32 result bytes; rest of the cache
 *      line unused
 * 64   slots of `slot bytes` each, a whole number of cache lines (drawn in slot_layout.ts)
 * ```
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { MAX_JOB_BYTES } from "../base/job.ts";
import { CHANNEL_MESSAGE_MAX_BYTES } from "../base/limits.ts";
import { ConsumerSlot } from "./consumer_slot.ts";
import {
  type ConsumerSlotsMemory,
  LINE_BYTES,
  SlotKind,
  SLOTS_MAGIC,
  SlotsHeader,
  wholeLines,
} from "./slot_layout.ts";
import { SlotSupervision } from "./slot_supervision.ts";

/** Most slots in a region; slot indices are part of lock words. Unit: slots. */
export const MAX_CONSUMER_SLOTS = 16_384;

/**
 * All slots of one pool.
 *
 * Thread: any; see {@link ConsumerSlot} and {@link SlotSupervision} for who may do what.
 *
 * @example
 * ```ts
 * import { ConsumerSlots } from "./consumer_slots.ts";
 * const slots = ConsumerSlots.create({ slotCount: 2 });
 * const own = slots.own(1, 0);
 * console.assert(own.index === 1);
 * ```
 */
export class ConsumerSlots {
  /** To hand to another thread for {@link ConsumerSlots.attach}. */
  readonly memory: ConsumerSlotsMemory;
  /** Number of slots. */
  readonly slotCount: number;
  /** Room for a job in each slot, in bytes. */
  readonly jobBytes: number;

  readonly #slotBytes: number;

  private constructor(memory: ConsumerSlotsMemory) {
    const words = new Int32Array(memory.buffer);
    assert(
      words[SlotsHeader.MAGIC] === SLOTS_MAGIC,
      "the buffer is a slots region of this version",
    );
    this.memory = memory;
    this.slotCount = words[SlotsHeader.SLOT_COUNT]!;
    this.jobBytes = words[SlotsHeader.JOB_BYTES]!;
    this.#slotBytes = words[SlotsHeader.SLOT_BYTES]!;
  }

  /**
   * Makes a region with all slots EMPTY in epoch 0.
   *
   * @param options `slotCount` 1 to {@link MAX_CONSUMER_SLOTS}; `jobBytes` 1 to
   *   {@link CHANNEL_MESSAGE_MAX_BYTES}, default 512; `resultBytes` room for the text of a result,
   *   default 0
   */
  static create(
    options: { slotCount: number; jobBytes?: number; resultBytes?: number },
  ): ConsumerSlots {
    const { slotCount, jobBytes = MAX_JOB_BYTES, resultBytes = 0 } = options;
    assert(slotCount >= 1 && slotCount <= MAX_CONSUMER_SLOTS, `${slotCount} slots are possible`);
    assert(
      jobBytes >= 1 && jobBytes <= CHANNEL_MESSAGE_MAX_BYTES,
      `jobs of ${jobBytes} bytes are possible`,
    );
    const slotBytes = LINE_BYTES + wholeLines(jobBytes) + wholeLines(resultBytes);
    const buffer = new SharedArrayBuffer(LINE_BYTES + slotCount * slotBytes);
    const words = new Int32Array(buffer);
    words[SlotsHeader.MAGIC] = SLOTS_MAGIC;
    words[SlotsHeader.SLOT_COUNT] = slotCount;
    words[SlotsHeader.JOB_BYTES] = jobBytes;
    words[SlotsHeader.SLOT_BYTES] = slotBytes;
    words[SlotsHeader.RESULT_BYTES] = resultBytes;
    return new ConsumerSlots({ buffer });
  }

  /** Opens a region made by {@link ConsumerSlots.create}, possibly in another thread. */
  static attach(memory: ConsumerSlotsMemory): ConsumerSlots {
    return new ConsumerSlots(memory);
  }

  /**
   * The slot as its owner sees it.
   *
   * Thread: one owner at a time per (slot, epoch).
   *
   * @param epoch the epoch that the supervisor gave to this owner
   */
  own(index: number, epoch: number): ConsumerSlot {
    return new ConsumerSlot(this.memory, index, this.#offsetOf(index), epoch);
  }

  /** The slot as the supervisor sees it. Thread: the supervisor. */
  supervise(index: number): SlotSupervision {
    return new SlotSupervision(this.memory, index, this.#offsetOf(index));
  }

  /**
   * Checks what must hold in every slot.
   *
   * Thread: any, at any time.
   *
   * @throws {AssertionFault} when a slot cannot be what it says
   */
  assertInvariants(): void {
    for (let index = 0; index < this.slotCount; index++) {
      const slot = this.supervise(index);
      const { kind, jobLength } = slot;
      assert(
        jobLength >= 0 && jobLength <= this.jobBytes,
        `slot ${index} holds a job of ${jobLength} bytes`,
      );
      assert(kind === SlotKind.EMPTY || jobLength > 0, `slot ${index} is in use and has a job`);
    }
  }

  #offsetOf(index: number): number {
    assert(index >= 0 && index < this.slotCount, `slot ${index} exists`);
    return LINE_BYTES + index * this.#slotBytes;
  }
}
