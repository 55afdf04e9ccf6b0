/** Looking ahead: right about what is in the index, harmless where nothing is, and no change ever. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { Access } from "../../../src/store/access.ts";
import { ControlRegion } from "../../../src/store/control.ts";
import { Arena } from "../../../src/store/arena.ts";
import { IndexGlance } from "../../../src/store/index_glance.ts";
import { LOOKAHEAD_DATABASE_KEYS, LOOKAHEAD_KEYS } from "../../../src/store/lookahead.ts";
import { type Store, WriteStatus } from "../../../src/store/store.ts";
import { StoreAssembly } from "../../../src/store/store_assembly.ts";
import { Root } from "../../../src/store/table.ts";
import { effort } from "../../helpers/effort.ts";
import { keyOf, set, smallStore } from "./helpers.ts";

function fill(store: Store, count: number): void {
  for (let i = 0; i < count; i++) assert.equal(set(store, `key:${i}`, "v"), WriteStatus.OK);
}

/** All bytes of a store, as one number. */
function digestOf(store: Store): number {
  let digest = 0;
  for (const segment of [store.memory.control, ...store.memory.segments]) {
    for (const word of new Int32Array(segment)) digest = (Math.imul(digest, 31) + word) | 0;
  }
  return digest;
}

Deno.test("lookahead: pays off from some 10,000 keys on, in that database alone", () => {
  const store = smallStore({ maxMemoryBytes: 64 * 2 ** 20 });
  const lookahead = store.lookahead();
  assert.equal(lookahead.paysOff(0), false);
  fill(store, LOOKAHEAD_DATABASE_KEYS / 2);
  assert.equal(lookahead.paysOff(0), false);
  fill(store, LOOKAHEAD_DATABASE_KEYS * 2);
  assert.equal(lookahead.paysOff(0), true);
  assert.equal(lookahead.paysOff(1), false);
});

Deno.test("lookahead: takes so many keys, then forgets them", () => {
  const store = smallStore();
  fill(store, 100);
  const lookahead = store.lookahead();
  for (let i = 0; i < LOOKAHEAD_KEYS + 3; i++) {
    const key = keyOf(store, `key:${i}`);
    lookahead.note(key.hash, key.hashHigh);
    assert.equal(lookahead.count, Math.min(i + 1, LOOKAHEAD_KEYS));
  }
  lookahead.touch(0);
  assert.equal(lookahead.count, 0);
  lookahead.note(1, 1);
  lookahead.clear();
  assert.equal(lookahead.count, 0);
});

Deno.test("lookahead: finds the bucket and the entry of nearly every key, whatever the index's size", () => {
  for (const count of [1, 10, 200, 3000, 20_000]) {
    const store = smallStore({ shardCount: 1, maxMemoryBytes: 64 * 2 ** 20 });
    fill(store, count);
    const parts = new StoreAssembly(store.memory, {
      threadId: 1,
      canDieAlone: false,
      clock: new Access(),
      reclaim: () => false,
    });
    const { control, table } = parts;
    const glance = new IndexGlance(parts);
    const rootAt = control.databaseRootAt(0, 0);
    let found = 0;
    let foundLater = 0;
    for (let i = 0; i < count; i++) {
      const key = keyOf(store, `key:${i}`);
      const bucket = glance.bucketOf(rootAt, key.hash | 0) >>> 0;
      assert.equal(bucket, table.bucketAt(rootAt, table.bucketOf(rootAt, key.hash)));
      const entry = table.find(rootAt, key);
      const next = glance.overflowOf(bucket) >>> 0;
      if (glance.entryOf(bucket, key.tag) >>> 0 === entry) found++;
      else if (next !== 0 && glance.entryOf(next, key.tag) >>> 0 === entry) foundLater++;
    }
    // Few are in an overflow bucket. The rest is behind another entry with the same tag.
    assert.ok(found >= count * 0.92, `${found} of ${count} in their first bucket`);
    assert.ok(found + foundLater >= count * 0.96, `${found + foundLater} of ${count}`);
    assert.equal(foundLater > 0, control.words[rootAt + Root.OVERFLOWS]! > 0);
  }
});

Deno.test("lookahead: changes nothing, whether keys are there or not", () => {
  const store = smallStore({ maxMemoryBytes: 4 * 2 ** 20 });
  fill(store, 2000);
  const before = digestOf(store);
  const lookahead = store.lookahead();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer(), fc.integer()), { maxLength: 20 }),
      fc.integer({ min: 0, max: 15 }),
      (hashes, database) => {
        for (const [hash, high] of hashes) lookahead.note(hash, high);
        lookahead.touch(database);
      },
    ),
    { numRuns: effort(100, 1000) },
  );
  assert.equal(digestOf(store), before);
});

Deno.test("lookahead: takes whatever it finds for what it may be, and goes nowhere", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 1, maxLength: 40 }),
      fc.integer(),
      fc.integer({ min: 0, max: 0x7fffffff }),
      fc.array(fc.tuple(fc.integer(), fc.integer()), { minLength: 2, maxLength: 16 }),
      (garbage, directory, buckets, hashes) => {
        // Two segments, the second one shorter: addresses beyond both are likely.
        const store = smallStore({
          shardCount: 1,
          maxMemoryBytes: 3 * 2 ** 17,
          segmentBytes: 2 ** 18,
        });
        fill(store, 50);
        for (const segment of store.memory.segments) {
          const words = new Int32Array(segment);
          for (let i = 0; i < words.length; i++) words[i] = garbage[i % garbage.length]!;
        }
        const control = ControlRegion.attach(store.memory.control);
        const rootAt = control.databaseRootAt(0, 0);
        control.words[rootAt + Root.DIRECTORY] = directory;
        control.words[rootAt + Root.BUCKETS] = buckets;
        const lookahead = store.lookahead();
        for (const [hash, high] of hashes) lookahead.note(hash, high);
        lookahead.touch(0);
      },
    ),
    { numRuns: effort(50, 1000) },
  );
});

Deno.test("arena: words at many addresses, whatever they are, in one segment and in several", () => {
  for (const segmentBytes of [2 ** 20, 2 ** 17]) {
    const arena = Arena.create(16, segmentBytes);
    for (let i = 0; i < 64; i++) arena.write(8 + i * 1021, 3, i * 7919 + 1);
    for (const count of [4, 8, 16, 32]) {
      const addresses = Int32Array.from({ length: 32 }, (_, i) => 8 + i * 2042);
      const seen = (index: number): number => {
        let digest = 0;
        for (let i = 0; i < count; i++) digest ^= arena.glance(addresses[i]! >>> 0, index);
        return digest;
      };
      assert.equal(arena.touchAll(addresses, count, 3), seen(3));
      assert.notEqual(seen(3), 0);
      assert.equal(arena.touchAll(addresses, count, -5), seen(-5));
      // Torn addresses, and such as there is nothing at, are read past.
      addresses.set([-1, -(2 ** 31), 2 ** 31 - 1, 0], count - 4);
      assert.doesNotThrow(() => arena.touchAll(addresses, count, 13));
      assert.doesNotThrow(() => arena.touchAll(addresses, count, -13));
    }
  }
});
