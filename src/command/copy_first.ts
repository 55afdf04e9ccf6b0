/**
 * Large collections that `RENAME` and `COPY` take into another shard: copied before, in slices.
 *
 * The copy is made from a lease, with the lock of the target's shard taken for some nodes at a time.
 * Then the command runs as it always does, with all its locks; if the source is still what it was,
 * the copy is used, else it is made anew, and after some attempts with the locks held. So the command
 * happens at one moment.
 *
 * @module
 */

import type { CollectionCopy } from "../store/collection/collection_copier.ts";
import type { Place } from "../store/entry_mover.ts";
import type { Store } from "../store/store.ts";
import type { CommandCall } from "./call.ts";
import { STEP_RECLAIM_ATTEMPTS } from "./reclaim_limits.ts";
import { withLocksAgain } from "./relock.ts";
import { ReplyCode } from "./reply_code.ts";
import { HandlerStatus } from "./row.ts";
import type { Slices } from "./slices.ts";

/** Less is copied at once. Unit: bytes of the arena. Reason: some 0.2 ms. */
const AT_ONCE_BYTES = 128 * 1024;
/** Nodes copied per lock hold: at most some 64 KiB but for long elements. */
const NODES_PER_HOLD = 32;
/** Weight of as many, see `Slices.isOver`: the clock is read after each. */
const HOLD_WEIGHT = 32;
/** How often a copy is made that is out of date when it is complete. */
const MAX_FREE_ATTEMPTS = 4;

/** Whether the value at `from`, which is there, is to be copied before it gets to `to`. */
export function isCopiedFirst(call: CommandCall, from: Place, to: Place, goes: boolean): boolean {
  const { store } = call;
  if (call.inTransaction || (goes && from.key.shard === to.key.shard)) return false;
  return store.collectionCopier.treeBytes(store.peek(from.database, from.key)) > AT_ONCE_BYTES;
}

/**
 * Copies the value at `from`, then runs the command. Is called with its locks held.
 *
 * @param call a detached one
 * @param run runs the command to its end, with its locks held
 */
export function copyFirst(
  call: CommandCall,
  from: Place,
  to: Place,
  run: () => HandlerStatus,
): Promise<HandlerStatus> {
  const entry = call.store.peek(from.database, from.key);
  return copyThenRun(call, from, to, run, new Source(call.store, entry, to.key.shard));
}

/** A copy and the state of the source that it is of. */
class Source {
  readonly copy: CollectionCopy;
  readonly seq: number;

  constructor(store: Store, entry: number, shard: number) {
    this.seq = store.entrySeq(entry);
    this.copy = store.collectionCopier.begin(entry, shard);
  }
}

async function copyThenRun(
  call: CommandCall,
  from: Place,
  to: Place,
  run: () => HandlerStatus,
  first: Source,
): Promise<HandlerStatus> {
  const { store, sink } = call;
  const { collectionCopier } = store;
  const slices = call.slices();
  let source = first;
  try {
    for (let attempt = 1;; attempt++) {
      if (!await complete(call, source.copy, slices)) {
        sink.error(ReplyCode.OUT_OF_MEMORY);
        return HandlerStatus.DONE;
      }
      const status = await withLocksAgain(call, () => {
        const entry = store.peek(from.database, from.key);
        const isSame = entry !== 0 && store.entrySeq(entry) === source.seq;
        if (isSame) collectionCopier.prepared = source.copy;
        else if (
          entry !== 0 && attempt < MAX_FREE_ATTEMPTS &&
          collectionCopier.treeBytes(entry) > AT_ONCE_BYTES
        ) {
          source.copy.abandon();
          source = new Source(store, entry, to.key.shard);
          return HandlerStatus.LATER;
        }
        const status = run();
        collectionCopier.prepared = undefined;
        return status;
      });
      if (status !== HandlerStatus.LATER) return status;
    }
  } finally {
    await abandon(store, source.copy);
  }
}

/** Copies all there is; false = OUT_OF_MEMORY. */
async function complete(call: CommandCall, copy: CollectionCopy, slices: Slices): Promise<boolean> {
  const { store } = call;
  let attempts = 0;
  await slices.next();
  while (!copy.isComplete) {
    if (!slices.tryLock(copy.shard, true)) {
      slices.wanted(copy.shard, true);
      await slices.next();
      continue;
    }
    const hadMemory = slices.guard(copy.shard, () => copy.advance(NODES_PER_HOLD));
    slices.unlock(copy.shard, true);
    if (hadMemory) attempts = 0;
    else if (++attempts > STEP_RECLAIM_ATTEMPTS || !store.reclaim()) return false;
    if (slices.isOver(HOLD_WEIGHT)) await slices.next();
  }
  return true;
}

/** Lets go of a copy that was not used. */
async function abandon({ locks }: Store, copy: CollectionCopy): Promise<void> {
  copy.releaseSource();
  if (copy.root === 0) return;
  await locks.lockAsync(copy.shard, true);
  copy.abandon();
  locks.unlock(copy.shard, true);
}
