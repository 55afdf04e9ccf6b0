/**
 * Garbage collection between other work: what large collections left behind is freed in slices.
 *
 * @module
 */

import { BackgroundPoint, type BackgroundStep } from "../background.ts";
import { type ControlRegion, Shard } from "../control.ts";
import type { EntryWriter } from "../entry_writer.ts";
import { MutationPhase, type ShardLocks } from "../locks.ts";
import type { CollectionMemory } from "./collection_memory.ts";

/** What {@link GarbageSweep} works with. */
export interface GarbageParts {
  /** Lists of garbage. */
  control: ControlRegion;
  /** The shards' locks. */
  locks: ShardLocks;
  /** Nodes, leases, garbage. */
  memory: CollectionMemory;
  /** Leaves the trail of threads that may die alone. */
  writer: EntryWriter;
}

/** Operation code of freeing garbage in the text of a fault. */
export const GARBAGE_OPERATION = 3;

/** Nodes freed per lock hold: some 50 µs. */
const STEPS_PER_HOLD = 64;

/** Thread: one instance per thread, which holds no shard lock when it calls. */
export class GarbageSweep implements BackgroundStep {
  /** Called at the points of the work; undefined except in tests. */
  onPoint: ((point: BackgroundPoint) => void) | undefined = undefined;

  readonly #parts: GarbageParts;
  #nextShard = 0;

  /** Wires the parts of one thread together. */
  constructor(parts: GarbageParts) {
    this.#parts = parts;
  }

  /**
   * Frees garbage for about `budgetMs`.
   *
   * @returns whether anything was freed, so that there may be more
   */
  run(budgetMs: number): boolean {
    if (this.collect(STEPS_PER_HOLD) === 0) return false;
    const endMs = performance.now() + budgetMs;
    while (performance.now() < endMs && this.collect(STEPS_PER_HOLD) > 0);
    return true;
  }

  /**
   * Frees garbage of any shard that has some and is not busy.
   *
   * @param steps nodes to free at most, a few per microsecond; one shard's lock is held meanwhile
   * @returns nodes freed; 0 = nothing to do
   */
  collect(steps: number): number {
    const { control, locks, memory, writer } = this.#parts;
    const { shardCount, words } = control;
    for (let i = 0; i < shardCount; i++) {
      const shard = (this.#nextShard + i) & (shardCount - 1);
      // A glance without the lock: who has seen too little comes again.
      if (Atomics.load(words, control.shardAt(shard) + Shard.GARBAGE_HEAD) === 0) continue;
      if (!locks.tryLock(shard, true)) continue;
      this.onPoint?.(BackgroundPoint.GARBAGE_LOCKED);
      locks.setOperation(shard, GARBAGE_OPERATION);
      writer.markPhase(shard, MutationPhase.WRITING);
      this.onPoint?.(BackgroundPoint.GARBAGE_CHANGING);
      const taken = memory.collect(shard, steps);
      writer.markPhase(shard, MutationPhase.DONE);
      this.onPoint?.(BackgroundPoint.GARBAGE_CHANGED);
      locks.unlock(shard, true);
      this.#nextShard = shard;
      if (taken > 0) return taken;
    }
    return 0;
  }
}
