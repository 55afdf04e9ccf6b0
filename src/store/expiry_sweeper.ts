/**
 * Removes what has expired, although nobody asks for it.
 *
 * @module
 */

import { BackgroundPoint, type BackgroundStep } from "./background.ts";
import { Shard } from "./control.ts";
import type { EntryWriter } from "./entry_writer.ts";
import type { ExpiryWheel } from "./expiry_wheel.ts";
import { MutationPhase, type ShardLocks } from "./locks.ts";

/** Operation code of the sweep in the text of a fault. */
export const SWEEP_OPERATION = 2;
/** Most keys removed before the lock is given back. */
export const MAX_DELETES_PER_HOLD = 64;
/** Most entries moved inside the index before the lock is given back. */
const MAX_MOVES_PER_HOLD = 256;

/** What a sweeper works with. */
export interface SweeperParts {
  /** The shards' locks. */
  readonly locks: ShardLocks;
  /** Number of shards. */
  readonly shardCount: number;
  /** The expiry index. */
  readonly wheel: ExpiryWheel;
  /** Removes entries. */
  readonly writer: EntryWriter;
}

/**
 * Goes round the shards and removes expired keys, a few at a time.
 *
 * Thread: one instance per thread; several threads may sweep at the same time.
 */
export class ExpirySweeper implements BackgroundStep {
  /** Called at the points of the work; undefined except in tests. */
  onPoint: ((point: BackgroundPoint) => void) | undefined = undefined;

  readonly #parts: SweeperParts;
  readonly #clock: () => number;
  readonly #steps = new Int32Array(1);
  #nextShard = 0;

  /**
   * Makes a sweeper.
   *
   * @param clock time of day, ms since 1970
   */
  constructor(parts: SweeperParts, clock: () => number) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /** See {@link BackgroundStep.run}. A busy shard is left for the next round. */
  run(budgetMs: number): boolean {
    const { locks, shardCount, wheel } = this.#parts;
    const nowMs = this.#clock();
    const endMs = performance.now() + budgetMs;
    for (let quietShards = 0; quietShards < shardCount; quietShards++) {
      const shard = this.#nextShard;
      this.#nextShard = (shard + 1) % shardCount;
      if (!wheel.isDue(shard, nowMs) || !locks.tryLock(shard, true)) continue;
      this.onPoint?.(BackgroundPoint.SWEEP_LOCKED);
      const isDone = this.#sweep(shard, nowMs);
      locks.unlock(shard, true);
      if (!isDone) quietShards = -1;
      if (performance.now() >= endMs) return true;
    }
    return false;
  }

  /** Removes some of what has expired in a shard; returns whether that was all. */
  #sweep(shard: number, nowMs: number): boolean {
    const { locks, wheel, writer } = this.#parts;
    this.#steps[0] = MAX_MOVES_PER_HOLD;
    try {
      locks.setOperation(shard, SWEEP_OPERATION);
      for (let i = 0; i < MAX_DELETES_PER_HOLD; i++) {
        // The index is changed on the way, so the trail says so before it is looked at.
        writer.markPhase(shard, MutationPhase.WRITING);
        this.onPoint?.(BackgroundPoint.SWEEP_CHANGING);
        const entry = wheel.nextExpired(shard, nowMs, this.#steps);
        writer.markPhase(shard, MutationPhase.DONE);
        if (entry === 0) return this.#steps[0] > 0;
        writer.removeEntry(shard, entry, Shard.EXPIRED_DOUBLE);
        this.onPoint?.(BackgroundPoint.SWEEP_CHANGED);
      }
      return false;
    } catch (error) {
      // No half-made change may become visible (C4).
      locks.poison(shard, SWEEP_OPERATION);
      throw error;
    }
  }
}
