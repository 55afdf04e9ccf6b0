/**
 * What one operation of the store costs under a lock that nobody else wants, and the lock alone.
 *
 * One iteration is {@link BATCH} operations on keys in random order; divide by that. The key is
 * hashed each time, as a command does. The layers beneath are the hash (`hash and locate only`) and
 * the lock (the group `lock and unlock`): locks of either kind, taken as a thread of the server does,
 * with which the process dies, and as a worker does, which leaves a trail in case it dies alone. Locks
 * that others want, too, are in locks_bench.ts.
 *
 *     deno bench --allow-read bench/store_bench.ts
 *
 * @module
 */

import { Int64 } from "../src/base/int64.ts";
import { Key } from "../src/store/key.ts";
import type { LockKind } from "../src/store/locks.ts";
import { Store } from "../src/store/store.ts";

/** Operations in one iteration. */
const BATCH = 1000;
const KEYS = 100_000;
const STORE = "1,000 operations on 100,000 keys";
const LOCKS = "lock and unlock 1,000 times";
const KEY_BYTES = 11;
const VALUE = new TextEncoder().encode("v".repeat(32));

/** `key:0000000` … one after the other, so that a key is a view and not a new string. */
function keyNames(count: number, prefix: string): Uint8Array {
  const names = new Uint8Array(count * KEY_BYTES);
  for (let i = 0; i < count; i++) {
    const name = `${prefix}:${String(i).padStart(7, "0")}`;
    new TextEncoder().encodeInto(name, names.subarray(i * KEY_BYTES));
  }
  return names;
}

const present = keyNames(KEYS, "key");
const absent = keyNames(KEYS, "nil");
const numbers = keyNames(KEYS, "num");
const key = new Key();
const target = new Uint8Array(64);
const delta = Int64.fromNumber(1);
const sum = new Int64();

function makeStore(lockKind: LockKind, lockTiming = false): Store {
  return Store.create({
    shardCount: 64,
    lockKind,
    lockTiming,
    maxMemoryBytes: 128 * 2 ** 20,
    maxValueBytes: 2 ** 20,
    threadCount: 2,
  });
}

const store = makeStore("mutex");
store.nowMs = Date.now();
for (let i = 0; i < KEYS; i++) {
  store.locate(key.set(present, i * KEY_BYTES, (i + 1) * KEY_BYTES));
  store.setString(0, key, VALUE, 0, VALUE.length, 0);
  store.locate(key.set(numbers, i * KEY_BYTES, (i + 1) * KEY_BYTES));
  store.addInteger(0, key, delta, sum);
}

let state = 1;
/** Points {@link key} at a random name, located. */
function pick(names: Uint8Array): void {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  const i = (state >>> 8) % KEYS;
  store.locate(key.set(names, i * KEY_BYTES, (i + 1) * KEY_BYTES));
}

function set(names: Uint8Array, expireAtMs = 0): void {
  pick(names);
  store.locks.tryLock(key.shard, true);
  store.setString(0, key, VALUE, 0, VALUE.length, expireAtMs);
  store.locks.unlock(key.shard, true);
}

function remove(names: Uint8Array): void {
  pick(names);
  store.locks.tryLock(key.shard, true);
  store.remove(0, key);
  store.locks.unlock(key.shard, true);
}

Deno.bench({ name: "hash and locate only", group: STORE }, () => {
  for (let i = 0; i < BATCH; i++) pick(present);
});

Deno.bench({ name: "get, present", group: STORE, baseline: true }, () => {
  for (let i = 0; i < BATCH; i++) {
    pick(present);
    store.locks.tryLock(key.shard, false);
    const entry = store.lookup(0, key);
    store.copyString(entry, target, 0);
    store.locks.unlock(key.shard, false);
  }
});

Deno.bench({ name: "get, absent", group: STORE }, () => {
  for (let i = 0; i < BATCH; i++) {
    pick(absent);
    store.locks.tryLock(key.shard, false);
    store.lookup(0, key);
    store.locks.unlock(key.shard, false);
  }
});

Deno.bench({ name: "set, overwrite", group: STORE }, () => {
  for (let i = 0; i < BATCH; i++) set(present);
});

const timed = keyNames(KEYS, "ttl");
for (let i = 0; i < KEYS; i++) {
  store.locate(key.set(timed, i * KEY_BYTES, (i + 1) * KEY_BYTES));
  store.setString(0, key, VALUE, 0, VALUE.length, store.nowMs + 1000 + i);
}

Deno.bench({ name: "set, overwrite, with a time to live", group: STORE }, () => {
  for (let i = 0; i < BATCH; i++) set(timed, store.nowMs + 1000 + (state >>> 8) % KEYS);
});

Deno.bench({ name: "add 1", group: STORE }, () => {
  for (let i = 0; i < BATCH; i++) {
    pick(numbers);
    store.locks.tryLock(key.shard, true);
    store.addInteger(0, key, delta, sum);
    store.locks.unlock(key.shard, true);
  }
});

let next = 0;
function fresh(): void {
  const i = next++ % KEYS;
  store.locate(key.set(absent, i * KEY_BYTES, (i + 1) * KEY_BYTES));
}

Deno.bench({ name: "set new and remove it (2 operations each)", group: STORE }, () => {
  const first = next;
  for (let i = 0; i < BATCH; i++) {
    fresh();
    store.locks.tryLock(key.shard, true);
    store.setString(0, key, VALUE, 0, VALUE.length, 0);
    store.locks.unlock(key.shard, true);
  }
  next = first;
  for (let i = 0; i < BATCH; i++) {
    fresh();
    store.locks.tryLock(key.shard, true);
    store.remove(0, key);
    store.locks.unlock(key.shard, true);
  }
});

Deno.bench({ name: "remove, absent", group: STORE }, () => {
  for (let i = 0; i < BATCH; i++) remove(absent);
});

for (const kind of ["mutex", "rwlock"] as const) {
  for (const [who, canDieAlone] of [["server thread", false], ["worker", true]] as const) {
    const isFirst = kind === "mutex" && !canDieAlone;
    const { locks } = Store.attach(makeStore(kind).memory, 1, canDieAlone);
    Deno.bench({ name: `${kind}, exclusive, ${who}`, group: LOCKS, baseline: isFirst }, () => {
      for (let i = 0; i < BATCH; i++) {
        locks.tryLock(i & 63, true);
        locks.unlock(i & 63, true);
      }
    });
    Deno.bench({ name: `${kind}, shared, ${who}`, group: LOCKS }, () => {
      for (let i = 0; i < BATCH; i++) {
        locks.tryLock(i & 63, false);
        locks.unlock(i & 63, false);
      }
    });
  }
}

for (const kind of ["mutex", "rwlock"] as const) {
  const { locks } = Store.attach(makeStore(kind, true).memory, 1, false);
  for (const exclusive of [true, false]) {
    const mode = exclusive ? "exclusive" : "shared";
    Deno.bench({ name: `${kind}, ${mode}, --lock-timing`, group: LOCKS }, () => {
      for (let i = 0; i < BATCH; i++) {
        locks.tryLock(i & 63, exclusive);
        locks.unlock(i & 63, exclusive);
      }
    });
  }
}
