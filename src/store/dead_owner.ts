/**
 * What becomes of the shards that a dead thread held.
 *
 * ```text
 * the thread's transaction    a shard's phase       then
 * CHANGING                    any                   torn: some changes may be made, and others not
 * any                         PLANNING, WRITING     torn
 * COMPLETE                    any                   completed: every change of it is made
 * NONE                        DONE                  completed
 * NONE                        PLANNED               released; what was reserved is freed
 * NONE                        CLEAN                 released
 * ```
 *
 * @module
 */

import type { BlockAllocator } from "./block_allocator.ts";
import { type ControlRegion, Header, Shard } from "./control.ts";
import { MutationPhase, type ShardLocks } from "./locks.ts";
import { TransactionMark, TransactionState } from "./transaction/transaction_mark.ts";

/**
 * How a dead thread left the shards it held, of which `shard` is the first; see
 * {@link Store.recoverDeadOwner}.
 */
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
 * @param onCompleted called for each shard in which the dead thread had completed a change, with the
 *   locks of all shards that it held still held
 */
export function recoverDeadOwner(
  parts: RecoveryParts,
  threadId: number,
  onCompleted?: (shard: number) => void,
): DeadOwner {
  const { control, locks } = parts;
  locks.forgetDeadWaiter(threadId);
  const mark = new TransactionMark(control, threadId);
  const { promisedPages, state } = mark;
  const held: number[] = [];
  for (let shard = -1; (shard = locks.heldBy(threadId, shard + 1)) >= 0;) held.push(shard);
  const torn = state === TransactionState.CHANGING
    ? held[0]
    : held.find((shard) => isHalfDone(phaseOf(control, shard)));
  if (torn !== undefined) {
    const operation = locks.operation(torn);
    locks.poison(torn, operation);
    // Of a transaction all are.
    for (const shard of held) if (shard !== torn) locks.poison(shard, operation);
    return { kind: "torn", shard: torn, operation };
  }
  mark.state = TransactionState.NONE;
  mark.promisedPages = 0;
  // Nothing was changed, so nothing of it was used; behind a change the thread gave it back itself.
  if (promisedPages > 0) Atomics.add(control.words, Header.PAGES_UNPROMISED, promisedPages);
  if (held.length === 0) return { kind: "none" };
  let isCompleted = false;
  for (const shard of held) locks.takeOver(shard);
  for (const shard of held) {
    const phase = phaseOf(control, shard);
    if (phase === MutationPhase.PLANNED) freePlanned(parts, shard);
    if (state === TransactionState.COMPLETE || phase === MutationPhase.DONE) {
      isCompleted = true;
      onCompleted?.(shard);
    }
  }
  for (const shard of held) {
    Atomics.store(control.words, control.shardAt(shard) + Shard.PHASE, MutationPhase.CLEAN);
    locks.unlock(shard, true);
  }
  return { kind: isCompleted ? "completed" : "released", shard: held[0]! };
}

function phaseOf(control: ControlRegion, shard: number): number {
  return Atomics.load(control.words, control.shardAt(shard) + Shard.PHASE);
}

function isHalfDone(phase: number): boolean {
  return phase === MutationPhase.PLANNING || phase === MutationPhase.WRITING;
}

/** Frees the blocks that a plan had reserved. */
function freePlanned({ blocks, control: { words }, control }: RecoveryParts, shard: number): void {
  const shardAt = control.shardAt(shard);
  for (const at of [shardAt + Shard.PLANNED_0, shardAt + Shard.PLANNED_1]) {
    if (words[at] !== 0) blocks.free(words[at]! >>> 0);
  }
}
