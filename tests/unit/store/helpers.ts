/** Shared pieces of the store's tests. */

import { Int64 } from "../../../src/base/int64.ts";
import { Key } from "../../../src/store/key.ts";
import type { MutationHook } from "../../../src/store/mutation_hook.ts";
import { Store, type StoreOptions, WriteStatus } from "../../../src/store/store.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Options for a small store; `overrides` wins. */
export function smallStore(overrides: Partial<StoreOptions> = {}): Store {
  const store = Store.create({
    shardCount: 4,
    lockKind: "mutex",
    maxMemoryBytes: 16 * 2 ** 20,
    maxValueBytes: 4 * 2 ** 20,
    threadCount: 8,
    hashSeed: new Uint32Array([1, 2]),
    ...overrides,
  });
  store.nowMs = 1_000_000;
  return store;
}

/** A key located in `store`. */
export function keyOf(store: Store, name: string | Uint8Array): Key {
  const bytes = typeof name === "string" ? encoder.encode(name) : name;
  const key = new Key().set(bytes, 0, bytes.length);
  store.locate(key);
  return key;
}

/** Sets under the shard's lock; retries after compaction, as commands do. */
export function set(
  store: Store,
  name: string,
  value: string | Uint8Array,
  options: { database?: number; expireAtMs?: number } = {},
): WriteStatus {
  const key = keyOf(store, name);
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  for (;;) {
    store.locks.lock(key.shard, true);
    const status = store.setString(
      options.database ?? 0,
      key,
      bytes,
      0,
      bytes.length,
      options.expireAtMs ?? 0,
    );
    store.locks.unlock(key.shard, true);
    if (status !== WriteStatus.OUT_OF_MEMORY || !store.reclaim()) return status;
  }
}

/** Reads bytes under the shard's lock; undefined when missing. */
export function getBytes(store: Store, name: string, database = 0): Uint8Array | undefined {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, false);
  const entry = store.lookup(database, key);
  let bytes: Uint8Array | undefined;
  if (entry !== 0) {
    bytes = new Uint8Array(store.stringLength(entry));
    if (store.copyString(entry, bytes, 0) !== bytes.length) throw new Error("length differs");
  }
  store.locks.unlock(key.shard, false);
  return bytes;
}

/** Reads text under the shard's lock; undefined when missing. */
export function get(store: Store, name: string, database = 0): string | undefined {
  const bytes = getBytes(store, name, database);
  return bytes === undefined ? undefined : decoder.decode(bytes);
}

/** Adds under the shard's lock. */
export function add(
  store: Store,
  name: string,
  delta: bigint,
  database = 0,
): { status: WriteStatus; sum: bigint } {
  const key = keyOf(store, name);
  const result = new Int64();
  const amount = new Int64(Number(BigInt.asIntN(32, delta >> 32n)), Number(delta & 0xffffffffn));
  store.locks.lock(key.shard, true);
  const status = store.addInteger(database, key, amount, result);
  store.locks.unlock(key.shard, true);
  return { status, sum: result.toBigInt() };
}

/** Deletes under the shard's lock. */
export function remove(store: Store, name: string, database = 0): boolean {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, true);
  const existed = store.remove(database, key);
  store.locks.unlock(key.shard, true);
  return existed;
}

/** What patterns are cut from; its length is a prime number, so that no block or extent divides it. */
const POOL = drawBytes(1_048_573);

function drawBytes(byteCount: number): Uint8Array {
  const bytes = new Uint8Array(byteCount);
  let state = 1;
  for (let i = 0; i < byteCount; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Bytes that differ from place to place, so that a misplaced extent shows. */
export function pattern(byteCount: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(byteCount);
  let from = (Math.imul(seed, 2654435761) >>> 0) % POOL.length;
  for (let at = 0; at < byteCount; from = 0) {
    const part = POOL.subarray(from, from + byteCount - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A mutation hook that does what `methods` say and nothing else. */
export function hookWith(methods: Partial<MutationHook>): MutationHook {
  return {
    written() {},
    removed() {},
    changed() {},
    flushed() {},
    swapped() {},
    ...methods,
  };
}
