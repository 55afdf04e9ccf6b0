/**
 * Taking a command's locks once more, after work that was done without them.
 *
 * @module
 */

import type { CommandCall } from "./call.ts";
import { LockSet } from "../store/lock_set.ts";
import { ReplyCode } from "./reply_code.ts";
import { HandlerStatus } from "./row.ts";

/** How often a write that found no memory is tried again after some was reclaimed. */
const MAX_RECLAIM_ATTEMPTS = 64;
/** From this attempt on others are served in between. Reason: each may take a millisecond. */
const PROMPT_RECLAIM_ATTEMPTS = 4;

/**
 * Runs `body` with the exclusive locks of a command's keys; again, after memory was reclaimed, when
 * it returns RETRY.
 *
 * Thread: the connection's I/O thread, with no lock held.
 *
 * @param call a detached one
 * @param body runs synchronously, as a handler does; its throw poisons the locks
 */
export async function withLocksAgain(
  call: CommandCall,
  body: () => HandlerStatus,
): Promise<HandlerStatus> {
  const { args, row, services, store } = call;
  const lockSet = new LockSet(store.locks, store.shardCount);
  row.forEachKey(args, (index) => lockSet.add(call.keyAt(index).shard));
  lockSet.seal();
  for (let attempt = 0;; attempt++) {
    const busyShard = lockSet.tryLock(true);
    if (busyShard >= 0) await lockSet.lockAsync(true, busyShard);
    store.nowMs = services.clock();
    // Others have had their commands run meanwhile. What is looked at again was counted before.
    call.stampAccess();
    store.access.counts = false;
    let status: HandlerStatus;
    try {
      status = body();
    } catch (error) {
      lockSet.poison(row.operation);
      throw error;
    }
    lockSet.unlock(true);
    if (services.notifier !== undefined && services.notifier.noteCount > 0) {
      services.notifier.flush();
    }
    if (status !== HandlerStatus.RETRY) return status;
    if (attempt >= PROMPT_RECLAIM_ATTEMPTS) await nextTurn();
    if (attempt < MAX_RECLAIM_ATTEMPTS && store.reclaim()) continue;
    call.sink.error(ReplyCode.OUT_OF_MEMORY);
    return HandlerStatus.DONE;
  }
}

/** Lets the event loop go round. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
