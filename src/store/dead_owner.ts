/**
 * What becomes of the shard that a dead thread held.
 *
 * @module
 */

import type { BlockAllocator } from "./block_allocator.ts";
import { type ControlRegion, Shard } from "./control.ts";
import { MutationPhase, type ShardLocks } from "./locks.ts";
/** How a dead thread left the shard it held; see {@link Store.recoverDeadOwner}. */
export type DeadOwner =
  | { kind: "none" }
  | { kind: "released" | "completed"; shard: number }
  | { kind: "torn"; shard: number; operation: number };

/** What {@link recoverDeadOwner} works with. */
export interface RecoveryParts {
  /** Blocks. */
  readonly blocks: BlockAllocator;
  /** Trails of mutations. */
  readonly control: ControlRegion;
  /** The shards' locks. */
  readonly locks: ShardLocks;
}

/**
 * Settles what a dead thread left locked or half done; see `Store.recoverDeadOwner`.
 *
 * Thread: the supervisor, once, after that thread's isolate has ended.
 *
 * @param onCompleted called with the lock of the shard still held when the dead thread had completed a
 *   change there
 */
export function recoverDeadOwner(
  parts: RecoveryParts,
  threadId: number,
  onCompleted?: (shard: number) => void,
): DeadOwner {
  const { blocks, control, locks } = parts;
  locks.forgetDeadWaiter(threadId);
  const shard = locks.heldBy(threadId);
  if (shard < 0) return { kind: "none" };
  const words = control.words;
  const shardAt = control.shardAt(shard);
  const phase = Atomics.load(words, shardAt + Shard.PHASE);
  if (phase === MutationPhase.PLANNING || phase === MutationPhase.WRITING) {
    const operation = locks.operation(shard);
    locks.poison(shard, operation);
    return { kind: "torn", shard, operation };
  }
  locks.takeOver(shard);
  if (phase === MutationPhase.PLANNED) {
    for (const at of [shardAt + Shard.PLANNED_0, shardAt + Shard.PLANNED_1]) {
      if (words[at] !== 0) blocks.free(words[at]! >>> 0);
    }
  }
  if (phase === MutationPhase.DONE) onCompleted?.(shard);
  Atomics.store(words, shardAt + Shard.PHASE, MutationPhase.CLEAN);
  locks.unlock(shard, true);
  return { kind: phase === MutationPhase.DONE ? "completed" : "released", shard };
}
