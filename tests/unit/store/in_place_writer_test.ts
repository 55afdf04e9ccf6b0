/** Writes that change a value where it is come to the same as planned ones, with nothing to plan. */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import type { SetPlan } from "../../../src/store/set_plan.ts";
import { Store, WriteStatus } from "../../../src/store/store.ts";
import { Dice } from "./collection_helpers.ts";
import {
  add,
  get,
  getBytes,
  hookWith,
  keyOf,
  pattern,
  remove,
  set,
  smallStore,
} from "./helpers.ts";

const SEED = 20_931;

/** Sets the general way: what is planned and set aside never uses the block of the value before. */
function setPlanned(store: Store, name: string, value: Uint8Array): void {
  const key = keyOf(store, name);
  store.locks.lock(key.shard, true);
  const plans: SetPlan[] = [];
  const status = store.strings.planSet(0, key, value, 0, value.length, plans);
  assert.equal(status, WriteStatus.OK);
  store.strings.commitAll(plans);
  store.locks.unlock(key.shard, true);
}

/** Everything that can be told about a key. */
function facts(store: Store, name: string): unknown {
  const key = keyOf(store, name);
  const entry = store.peek(0, key);
  if (entry === 0) return undefined;
  return {
    // First: reading the bytes counts as use.
    idleSeconds: store.keyspace.idleSeconds(entry),
    bytes: getBytes(store, name),
    seq: store.entrySeq(entry),
    expireAtMs: store.expireAtMs(entry),
    encoding: store.keyspace.encodingName(entry),
    shard: key.shard,
    hash: key.hash,
  };
}

Deno.test("InPlaceWriter: a store that is written in place is as one that is not", () => {
  const dice = new Dice(SEED);
  const stores = [smallStore(), smallStore()] as const;
  const lengths = [0, 1, 7, 8, 9, 31, 32, 33, 40, 41, 100, 128, 129, 3000, 8100, 8184, 20_000];
  for (let i = 0; i < 6000; i++) {
    const name = `key ${dice.roll(40)}`;
    const what = dice.roll(10);
    const length = lengths[dice.roll(lengths.length)]!;
    const expireAtMs = dice.roll(12) === 0 ? stores[0].nowMs + dice.roll(5000) : 0;
    const delta = BigInt(dice.roll(1000) - 500) << BigInt(dice.roll(60));
    const stepMs = dice.roll(3000);
    const value = what < 3 ? new TextEncoder().encode(`${dice.roll(1e6)}`) : pattern(length, i);
    const sums: unknown[] = [];
    for (const [index, store] of stores.entries()) {
      store.nowMs += stepMs;
      if (what === 9) sums.push(add(store, name, delta));
      else if (expireAtMs > 0) set(store, name, value, { expireAtMs });
      else if (index === 0) set(store, name, value);
      else setPlanned(store, name, value);
    }
    assert.deepEqual(sums[0], sums[1], `operation ${i}, seed ${SEED}`);
    assert.deepEqual(
      facts(stores[0], name),
      facts(stores[1], name),
      `operation ${i}, seed ${SEED}`,
    );
  }
  for (const store of stores) store.assertInvariants();
});

Deno.test("InPlaceWriter: a value of the same size and a sum need no memory", () => {
  const store = smallStore();
  set(store, "text", "0123456789");
  add(store, "number", 5n);
  const before = store.stats();
  for (let i = 0; i < 20; i++) {
    // Whatever is asked for first is refused.
    store.failAllocationAfter(0);
    assert.equal(set(store, "text", `${1000 + i}`.padStart(10, "x")), WriteStatus.OK);
    assert.deepEqual(add(store, "number", 1n), { status: WriteStatus.OK, sum: BigInt(6 + i) });
  }
  store.failAllocationAfter(-1);
  assert.deepEqual(store.stats(), before);
  assert.equal(new TextDecoder().decode(getBytes(store, "text")), "xxxxxx1019");
  // What is much shorter gets a smaller block, so that the large one can serve others.
  set(store, "text", "x".repeat(2000));
  const large = store.stats();
  set(store, "text", "x".repeat(20));
  assert.ok(store.stats().blockBytes < large.blockBytes - 1500);
  store.assertInvariants();
});

Deno.test("InPlaceWriter: sums are exact where they leave 31 and 32 bits", () => {
  const edges = [0n, 1n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 40n];
  const numbers = edges.flatMap((edge) => [edge, -edge, -edge - 1n]);
  const store = smallStore();
  for (const first of numbers) {
    for (const second of numbers) {
      remove(store, "n");
      add(store, "n", first);
      const sum = first + second;
      assert.deepEqual(add(store, "n", second), { status: WriteStatus.OK, sum });
      assert.equal(get(store, "n"), String(sum));
    }
  }
});

Deno.test("InPlaceWriter: a sum that overflows changes nothing", () => {
  const store = smallStore();
  add(store, "n", 2n ** 63n - 1n);
  const before = facts(store, "n");
  assert.equal(add(store, "n", 1n).status, WriteStatus.OVERFLOW);
  assert.deepEqual(facts(store, "n"), before);
  assert.deepEqual(add(store, "n", -(2n ** 62n)), { status: WriteStatus.OK, sum: 2n ** 62n - 1n });
});

const DEEDS = {
  set: (store: Store) => set(store, "text", "another 10"),
  add: (store: Store) => add(store, "number", 1n),
};

for (const [what, deed] of Object.entries(DEEDS)) {
  Deno.test(`InPlaceWriter: a thread that dies in the middle of one tears the shard (${what})`, () => {
    const main = smallStore({ shardCount: 1 });
    set(main, "text", "0123456789");
    add(main, "number", 5n);
    const worker = Store.attach(main.memory, 3);
    worker.nowMs = main.nowMs;
    worker.hook = hookWith({
      written: () => {
        throw new Error("dies here");
      },
    });
    assert.throws(() => deed(worker), /dies here/);
    assert.equal(main.recoverDeadOwner(3).kind, "torn");
  });

  Deno.test(`InPlaceWriter: one that was complete counts when the thread dies (${what})`, () => {
    const main = smallStore({ shardCount: 1 });
    set(main, "text", "0123456789");
    add(main, "number", 5n);
    const worker = Store.attach(main.memory, 3);
    worker.nowMs = main.nowMs;
    const unlock = worker.locks.unlock;
    // The thread ends between the change and the unlocking.
    worker.locks.unlock = () => {};
    deed(worker);
    worker.locks.unlock = unlock;
    assert.equal(main.recoverDeadOwner(3).kind, "completed");
    assert.equal(new TextDecoder().decode(getBytes(main, "text")).length, 10);
    main.assertInvariants();
  });
}

Deno.test("InPlaceWriter: a balance stays one when it is added to", () => {
  const store = smallStore({ evictionPolicy: "allkeys-lru" });
  const key = keyOf(store, "balance:amy");
  store.locks.lock(key.shard, true);
  store.planAddInteger(0, key, Int64.fromNumber(7), new Int64(), true);
  store.commitPlan();
  store.locks.unlock(key.shard, true);
  assert.deepEqual(add(store, "balance:amy", 1n), { status: WriteStatus.OK, sum: 8n });
  for (let i = 0; i < 400; i++) set(store, `filler ${i}`, pattern(60_000, i));
  assert.equal(new TextDecoder().decode(getBytes(store, "balance:amy")), "8");
  store.assertInvariants();
});
