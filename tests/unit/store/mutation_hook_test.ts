/** The one hook that every mutation passes (C11). */

import assert from "node:assert/strict";
import { Int64 } from "../../../src/base/int64.ts";
import { WriteStatus } from "../../../src/store/store.ts";
import { add, get, keyOf, remove, set, smallStore } from "./helpers.ts";

Deno.test("MutationHook: its effects alone rebuild the store, numbered in the order of each shard", () => {
  const store = smallStore();
  const copy = new Map<string, string>();
  const lastSeq = new Map<number, number>();
  const decoder = new TextDecoder();
  const number = (shard: number, seq: number): void => {
    assert.equal(seq, (lastSeq.get(shard) ?? 0) + 1, `shard ${shard}: no mutation is left out`);
    lastSeq.set(shard, seq);
  };
  store.hook = {
    written(shard, database, address) {
      number(shard, store.entrySeq(address));
      const bytes = new Uint8Array(10_000);
      const name = decoder.decode(bytes.subarray(0, store.copyKey(address, bytes, 0)));
      const value = decoder.decode(bytes.subarray(0, store.copyString(address, bytes, 0)));
      copy.set(`${database}/${name}`, value);
    },
    removed(shard, database, key, seq) {
      number(shard, seq);
      copy.delete(`${database}/${decoder.decode(key.bytes.subarray(key.start, key.end))}`);
    },
    flushed: () => assert.fail("nothing was flushed"),
    swapped: () => assert.fail("nothing was swapped"),
  };
  for (let i = 0; i < 300; i++) {
    set(store, `k${i % 50}`, `value ${i}`.repeat(1 + i % 40), { database: i % 2 });
    add(store, `n${i % 20}`, BigInt(i));
    if (i % 3 === 0) remove(store, `k${i % 50}`, i % 2);
  }
  // What fails or is given up is no mutation.
  assert.equal(add(store, "k1", 1n, 1).status, WriteStatus.NOT_AN_INTEGER);
  const key = keyOf(store, "n1");
  store.locks.lock(key.shard, true);
  store.planAddInteger(0, key, Int64.fromNumber(1), new Int64(), false);
  store.cancelPlan();
  store.locks.unlock(key.shard, true);
  assert.equal(remove(store, "never there"), false);

  assert.equal(copy.size, store.keyCount(0) + store.keyCount(1));
  for (const [name, value] of copy) {
    const [database, key] = name.split("/");
    assert.equal(get(store, key!, Number(database)), value);
  }
});
