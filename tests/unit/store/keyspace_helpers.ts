/** Databases as tests handle them: with all locks held, and each step checked. */

import assert from "node:assert/strict";
import { type Store, WriteStatus } from "../../../src/store/store.ts";
import { keyOf } from "./helpers.ts";

/** Runs `action` with the locks of all shards held. */
export function withAllLocks<T>(store: Store, action: () => T): T {
  for (let shard = 0; shard < store.shardCount; shard++) store.locks.lock(shard, true);
  const result = action();
  for (let shard = 0; shard < store.shardCount; shard++) store.locks.unlock(shard, true);
  return result;
}

/** Frees everything that is detached. */
export function freeAll(store: Store): void {
  while (store.keyspace.tables.hasDetached) store.keyspace.freeSlice(Infinity);
}

/** Empties a database, freeing what was detached before if there is no other way. */
export function flush(store: Store, database: number): void {
  while (!withAllLocks(store, () => store.keyspace.flush(database))) {
    assert.ok(
      store.keyspace.freeSlice(0) > 0,
      "a flush fails only while there is something to free",
    );
  }
}

/** Lets two databases have each other's keys. */
export function swap(store: Store, first: number, second: number): boolean {
  return withAllLocks(store, () => store.keyspace.swap(first, second));
}

/** Locks of two keys' shards, ascending. */
function shardsOf(...shards: number[]): number[] {
  return [...new Set(shards)].sort((a, b) => a - b);
}

/** RENAME and COPY, with replacement; undefined when the source is missing. */
export function transfer(
  store: Store,
  from: { name: string; database: number },
  to: { name: string; database: number },
  goes: boolean,
): WriteStatus | undefined {
  const fromKey = keyOf(store, from.name);
  const toKey = keyOf(store, to.name);
  const shards = shardsOf(fromKey.shard, toKey.shard);
  for (;;) {
    for (const shard of shards) store.locks.lock(shard, true);
    const status = store.peek(from.database, fromKey) === 0 ? undefined : store.keyspace.transfer(
      { database: from.database, key: fromKey },
      { database: to.database, key: toKey },
      goes,
    );
    for (const shard of shards) store.locks.unlock(shard, true);
    if (status !== WriteStatus.OUT_OF_MEMORY || !store.reclaim()) return status;
  }
}

/** MOVE; undefined when the source is missing or the target is there. */
export function move(
  store: Store,
  name: string,
  from: number,
  to: number,
): WriteStatus | undefined {
  const key = keyOf(store, name);
  for (;;) {
    store.locks.lock(key.shard, true);
    const isPossible = store.peek(from, key) !== 0 && store.peek(to, key) === 0;
    const status = isPossible ? store.keyspace.relink({ database: from, key }, to) : undefined;
    store.locks.unlock(key.shard, true);
    if (status !== WriteStatus.OUT_OF_MEMORY || !store.reclaim()) return status;
  }
}
