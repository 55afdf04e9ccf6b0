/**
 * What the event workers are doing, by looking at them often.
 *
 * Everything is read from memory that they share anyway, without their help: the slot says whether
 * a worker has a job, the lock's record whether it sleeps for a shard, and the shard's lock word who
 * holds it. So watching costs the workers nothing, and what happens between two looks is not seen.
 *
 * @module
 */

import type { ConsumerSlots } from "../../channel/consumer_slots.ts";
import { SlotKind } from "../../channel/slot_layout.ts";
import type { SlotSupervision } from "../../channel/slot_supervision.ts";
import type { BoundedChannel } from "../../channel/bounded_channel.ts";
import type { ShardLocks } from "../../store/locks.ts";
import { laneIndexes } from "../../worker/lanes.ts";
import type { LaneJson } from "./frame.ts";

/** How often the workers are looked at. Unit: ms. Reason: ten looks for each update of a page. */
const LOOK_EVERY_MS = 20;

/** The same with thousands of shards, whose lock words take some 40 µs. Unit: ms. */
const LOOK_EVERY_SHARDS_MS = 50;

/** Shards from which on there are thousands. */
const MANY_SHARDS = 2048;

/** What a worker does; the index of its counts in {@link LaneJson.looks}. */
export const LaneState = { IDLE: 0, WORKING: 1, WAITING: 2, HOLDING: 3 } as const;

/** One of the values of {@link LaneState}. */
export type LaneState = (typeof LaneState)[keyof typeof LaneState];

/** What {@link LaneSampler} looks at. */
export interface LaneSources {
  /** The workers' slots, as many for each. */
  readonly slots: ConsumerSlots;
  /** How many workers there may be. */
  readonly workerCount: number;
  /** The locks that they take. */
  readonly locks: ShardLocks;
  /** How many there are. */
  readonly shardCount: number;
  /** Thread id of the first worker; the others follow. */
  readonly firstThreadId: number;
  /** Where they get their jobs from. */
  readonly channel: Pick<BoundedChannel, "depth">;
}

/**
 * Looks at the workers while somebody watches.
 *
 * Thread: one I/O thread.
 */
export class LaneSampler implements Disposable {
  readonly #sources: LaneSources;
  /** By worker. */
  readonly #slots: readonly (readonly SlotSupervision[])[];
  readonly #looks: Uint32Array;
  readonly #shards: Int32Array;
  /** By worker, during a look: the shard that it holds, or -1. */
  readonly #held: Int32Array;
  #deepest = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Looks at nothing yet. */
  constructor(sources: LaneSources) {
    const { slots, workerCount } = sources;
    const concurrency = slots.slotCount / workerCount;
    this.#sources = sources;
    // Only read: what a slot is supervised with can be read by any thread.
    this.#slots = Array.from(
      { length: workerCount },
      (_, worker) =>
        [worker, ...laneIndexes(worker, workerCount, concurrency)]
          .map((index) => slots.supervise(index)),
    );
    this.#looks = new Uint32Array(workerCount * 4);
    this.#shards = new Int32Array(workerCount).fill(-1);
    this.#held = new Int32Array(workerCount).fill(-1);
  }

  /** Begins to look, every few milliseconds; any number of times. */
  start(): void {
    const everyMs = this.#sources.shardCount >= MANY_SHARDS ? LOOK_EVERY_SHARDS_MS : LOOK_EVERY_MS;
    this.#timer ??= setInterval(() => this.look(), everyMs);
  }

  /** Looks no more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks once. */
  look(): void {
    const { locks, firstThreadId, channel } = this.#sources;
    this.#deepest = Math.max(this.#deepest, channel.depth);
    const isAnyBusy = this.#slots.some(isBusy);
    if (isAnyBusy) this.#findHolders();
    for (const [index, slots] of this.#slots.entries()) {
      let state: LaneState = LaneState.IDLE;
      if (isAnyBusy && isBusy(slots)) {
        const wanted = locks.waitOf(firstThreadId + index);
        const held = this.#held[index]!;
        state = held >= 0 ? LaneState.HOLDING : wanted >= 0 ? LaneState.WAITING : LaneState.WORKING;
        if (held >= 0 || wanted >= 0) this.#shards[index] = held >= 0 ? held : wanted;
      }
      this.#looks[index * 4 + state]!++;
    }
  }

  /** What was seen since the last call; looks once more. */
  take(): { readonly lanes: readonly LaneJson[]; readonly deepest: number } {
    this.look();
    const lanes = this.#slots.map((_, index): LaneJson => ({
      looks: [...this.#looks.subarray(index * 4, index * 4 + 4)],
      shard: this.#shards[index]!,
    }));
    const deepest = this.#deepest;
    this.#looks.fill(0);
    this.#shards.fill(-1);
    this.#deepest = 0;
    return { lanes, deepest };
  }

  #findHolders(): void {
    const { locks, shardCount, firstThreadId } = this.#sources;
    const held = this.#held.fill(-1);
    for (let shard = 0; shard < shardCount; shard++) {
      const index = locks.ownerOf(shard) - firstThreadId;
      if (index >= 0 && index < held.length) held[index] = shard;
    }
  }
}

function isBusy(slots: readonly SlotSupervision[]): boolean {
  return slots.some(({ kind }) => kind !== SlotKind.EMPTY);
}
