import assert from "node:assert/strict";
import { AssertionFault } from "../../../src/base/assert.ts";
import { SnapshotTaker } from "../../../src/durability/snapshot_taker.ts";
import { SnapshotWriter } from "../../../src/durability/snapshot_file.ts";
import { LockPoisonedError } from "../../../src/store/locks.ts";
import type { Store } from "../../../src/store/store.ts";
import { MemoryStorage } from "../../helpers/memory_storage.ts";
import { emptyStore } from "../../helpers/store_contents.ts";
import { set } from "../store/helpers.ts";

/** A taker whose third key cannot be written down. */
function failingTaker(store: Store, error: Error): SnapshotTaker {
  const writer = new SnapshotWriter({
    storage: new MemoryStorage(),
    history: new Uint8Array(16),
    position: 0,
    createdAtMs: 0,
  });
  const isLeasable = store.isLeasable.bind(store);
  let count = 0;
  store.isLeasable = (entry) => {
    if (++count === 3) throw error;
    return isLeasable(entry);
  };
  return new SnapshotTaker(store, writer, 16);
}

function filledStore(): Store {
  const store = emptyStore(1);
  for (let i = 0; i < 20; i++) set(store, `key ${i}`, "value");
  return store;
}

function runOn(taker: SnapshotTaker): void {
  for (let i = 0; i < 10_000 && taker.step(); i++);
}

Deno.test("snapshot: one that fails while it reads a shard gives the shard back", () => {
  const store = filledStore();
  const taker = failingTaker(store, new RangeError("no memory for an array"));
  assert.throws(() => runOn(taker), RangeError);
  taker.release();
  assert.ok(store.locks.tryLock(0, true));
  store.locks.unlock(0, true);
});

Deno.test("snapshot: one that finds a shard torn has the server stop (C4)", () => {
  const store = filledStore();
  const taker = failingTaker(store, new AssertionFault("an entry is as it must be"));
  assert.throws(() => runOn(taker), AssertionFault);
  assert.throws(() => store.locks.tryLock(0, true), LockPoisonedError);
});
