/// <reference lib="deno.worker" />
/** Waits for the lock of a shard, as an event worker does, and says when it has given it back. */

import { Store, type StoreMemory } from "../../../../src/store/store.ts";

/** What it is told. */
export interface WaitOrder {
  memory: StoreMemory;
  threadId: number;
  shard: number;
}

self.onmessage = ({ data: { memory, threadId, shard } }: MessageEvent<WaitOrder>) => {
  const { locks } = Store.attach(memory, threadId);
  locks.lock(shard, true);
  locks.unlock(shard, true);
  self.postMessage("done");
};
