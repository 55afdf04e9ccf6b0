/**
 * Finds memory for a write that got none: by moving blocks together, then by eviction.
 *
 * @module
 */

import type { BlockAllocator } from "./block_allocator.ts";
import type { Compactor } from "./compactor.ts";
import { type ControlRegion, Header, Shard } from "./control.ts";
import type { EntryWriter } from "./entry_writer.ts";
import type { Evictor } from "./evictor.ts";
import { MutationPhase, type ShardLocks } from "./locks.ts";
import type { PageAllocator } from "./page_allocator.ts";

/** Operation code of reclaiming in the text of a fault. */
export const RECLAIM_OPERATION = 6;
/** Longest stretch of evicting. Unit: ms. Reason: the thread may have clients to serve (C14). */
const SLICE_MS = 1;
/** Keys evicted under one lock hold. */
const EVICTIONS_PER_HOLD = 16;
/**
 * Shards that are searched whatever time it takes while nothing was found to evict: a thread that
 * was kept from its processor for a moment must not refuse a write that there is room for.
 */
const MIN_SEARCHED_SHARDS = 64;
/**
 * With eviction, blocks freed since compaction last gained nothing before it is tried again: each
 * eviction frees one, and looking through all lists of all shards costs more than that.
 */
const FREES_BEFORE_RETRY = 512;

/** What a reclaimer works with. */
export interface ReclaimerParts {
  /** Knows what was asked for in vain. */
  readonly blocks: BlockAllocator;
  /** Moves blocks. */
  readonly compactor: Compactor;
  /** The shards' counts. */
  readonly control: ControlRegion;
  /** Removes keys. */
  readonly evictor: Evictor;
  /** The shards' locks. */
  readonly locks: ShardLocks;
  /** Free pages. */
  readonly pages: PageAllocator;
  /** Leaves the trail of a change. */
  readonly writer: EntryWriter;
}

/** Frees memory. Thread: one instance per thread; it must hold no shard lock. */
export class Reclaimer {
  readonly #parts: ReclaimerParts;
  #nextShard = 0;
  /** Where the next search for keys to evict goes on. */
  #nextEvicted = 0;
  /** Frees in all shards when compaction last found nothing to gain anywhere; -1 = never. */
  #fruitlessAtFrees = -1;

  /** Wires the parts of one thread together. */
  constructor(parts: ReclaimerParts) {
    this.#parts = parts;
  }

  /** See `Store.reclaim`. */
  reclaim(): boolean {
    if (this.compact()) return true;
    // Evicting makes room of the right size; else larger blocks are better than none.
    return this.#parts.evictor.isOn ? this.#evict() : this.#parts.blocks.startBorrowing();
  }

  /** Looks at each shard once, those that are busy excepted; stops at the first page gained. */
  compact(): boolean {
    const { control, evictor } = this.#parts;
    const { shardCount } = control;
    // A refusal must stay cheap (P2): where nothing was freed since, there is nothing to look for.
    const frees = this.#countFrees();
    if (this.#fruitlessAtFrees >= 0) {
      const freedSince = (frees - this.#fruitlessAtFrees) >>> 0;
      if (freedSince < (evictor.isOn ? FREES_BEFORE_RETRY : 1)) return false;
    }
    let sawAll = true;
    for (let i = 0; i < shardCount; i++) {
      const shard = (this.#nextShard + i) & (shardCount - 1);
      if (!this.#enter(shard)) {
        sawAll = false;
        continue;
      }
      const gained = this.#run(shard, () => this.#compactShard(shard));
      if (gained) {
        this.#nextShard = shard;
        return true;
      }
    }
    if (sawAll) this.#fruitlessAtFrees = frees;
    return false;
  }

  /**
   * Evicts until what was asked for in vain can be had, or the time is over.
   *
   * @returns whether another try is worth while
   */
  #evict(): boolean {
    const { blocks, control, evictor, pages } = this.#parts;
    const { shardCount } = control;
    const endMs = performance.now() + SLICE_MS;
    const { failedShard, failedListAt } = blocks;
    blocks.failedShard = -1;
    const freeBefore = pages.freePages;
    // A value that takes whole pages takes many: all that the time allows.
    const wantsMany = failedShard >= 0 && failedListAt === 0;
    const isEnough = (): boolean =>
      (failedShard >= 0 && failedListAt !== 0 && control.words[failedListAt] !== 0) ||
      (!wantsMany && pages.freePages > freeBefore);
    // The shard that asked: a block of the right size is likely to be there. Then all, in turn.
    let isAsker = failedShard >= 0;
    let shard = isAsker ? failedShard : this.#nextEvicted;
    let evictedCount = 0;
    let searchedCount = 0;
    for (let fruitless = 0; fruitless <= shardCount;) {
      let count = 0;
      if (evictor.mayFindIn(shard) && this.#enter(shard)) {
        searchedCount++;
        const enough = this.#run(shard, () => {
          while (count < EVICTIONS_PER_HOLD && evictor.evictFrom(shard)) {
            count++;
            if (isEnough()) return true;
          }
          return count > 0 && this.#compactShard(shard) && !wantsMany;
        });
        if (enough) return true;
      }
      evictedCount += count;
      if (count === 0) fruitless++;
      else fruitless = 0;
      if (!isAsker) this.#nextEvicted = (shard + 1) & (shardCount - 1);
      isAsker &&= count > 0;
      if (!isAsker) shard = this.#nextEvicted;
      const mustSearchOn = evictedCount === 0 && searchedCount < MIN_SEARCHED_SHARDS;
      if (!mustSearchOn && performance.now() >= endMs) break;
    }
    return evictedCount > 0;
  }

  #enter(shard: number): boolean {
    const { locks } = this.#parts;
    if (!locks.tryLock(shard, true)) return false;
    locks.setOperation(shard, RECLAIM_OPERATION);
    return true;
  }

  /** Runs `change` under the lock that is held, and gives it back. */
  #run(shard: number, change: () => boolean): boolean {
    const { locks } = this.#parts;
    let result: boolean;
    try {
      result = change();
    } catch (error) {
      locks.poison(shard, RECLAIM_OPERATION);
      throw error;
    }
    locks.unlock(shard, true);
    return result;
  }

  /** Compacts a shard whose exclusive lock the caller holds. */
  compactLocked(shard: number): boolean {
    return this.#compactShard(shard);
  }

  #compactShard(shard: number): boolean {
    const { compactor, writer } = this.#parts;
    writer.markPhase(shard, MutationPhase.WRITING);
    const gained = compactor.compactShard(shard);
    writer.markPhase(shard, MutationPhase.DONE);
    return gained;
  }

  /**
   * Blocks freed in all shards so far, and leases ended that kept compaction from a page, modulo
   * 2^32; read before looking, so never too new.
   */
  #countFrees(): number {
    const { control } = this.#parts;
    let frees = Atomics.load(control.words, Header.PINNED_PAGES_FREED);
    for (let shard = 0; shard < control.shardCount; shard++) {
      frees += control.words[control.shardAt(shard) + Shard.FREES]!;
    }
    return frees >>> 0;
  }
}
