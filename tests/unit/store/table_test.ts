/** The index: finds what is there, grows and shrinks by a bucket, and can be scanned meanwhile. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ControlRegion } from "../../../src/store/control.ts";
import { Key } from "../../../src/store/key.ts";
import type { Store } from "../../../src/store/store.ts";
import { GROW_ABOVE, PAGE_LEAF_BUCKETS, reverseBits, Root } from "../../../src/store/table.ts";
import { get, keyOf, remove, set, smallStore } from "./helpers.ts";
import { effort } from "../../helpers/effort.ts";

const MIB = 2 ** 20;

/** A word of the root of (database 0, shard 0). */
function rootWord(store: Store, word: number): number {
  const control = ControlRegion.attach(store.memory.control);
  return control.words[control.rootAt(0, 0) + word]!;
}

/** Sets `name0 … nameN` to their names, without locks for speed; one thread only. */
function insertMany(store: Store, name: string, count: number, from = 0): void {
  const bytes = new Uint8Array(32);
  const key = new Key();
  for (let i = from; i < from + count; i++) {
    const { written } = new TextEncoder().encodeInto(`${name}${i}`, bytes);
    store.locate(key.set(bytes, 0, written));
    assert.equal(store.setString(0, key, bytes, 0, written, 0), 0);
  }
}

function nameOf(store: Store, entry: number, scratch: Uint8Array): string {
  return new TextDecoder().decode(scratch.slice(0, store.copyKey(entry, scratch, 0)));
}

/** All names that a full scan returns, with repetitions; `between` runs after every call. */
function scanAll(store: Store, between: () => void = () => {}, shard = 0): string[] {
  const names: string[] = [];
  const scratch = new Uint8Array(64);
  let position = 0;
  do {
    position = store.scanShard(0, shard, position, (entry) => {
      names.push(nameOf(store, entry, scratch));
    });
    between();
  } while (position !== 0);
  return names;
}

Deno.test("reverseBits: mirrors 32 bits", () => {
  assert.equal(reverseBits(0), 0);
  assert.equal(reverseBits(1), 0x80000000);
  assert.equal(reverseBits(0x80000000), 1);
  assert.equal(reverseBits(0x0000ffff), 0xffff0000);
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
    const mirrored = value.toString(2).padStart(32, "0").split("").reverse().join("");
    assert.equal(reverseBits(value), parseInt(mirrored, 2));
    assert.equal(reverseBits(reverseBits(value)), value);
  }));
});

Deno.test("Table: grows over both leaf sizes and shrinks back to one bucket, always exact", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 64 * MIB });
  const sizes = [1, 9, 10, 150, 9 * PAGE_LEAF_BUCKETS, 9 * PAGE_LEAF_BUCKETS + 20, 40_000];
  let count = 0;
  for (const size of sizes) {
    insertMany(store, "k", size - count, count);
    count = size;
    store.assertInvariants();
    assert.equal(rootWord(store, Root.ENTRIES), count);
    // One split per insertion keeps up with growth: no bucket is late.
    assert.equal(rootWord(store, Root.BUCKETS), Math.max(1, Math.ceil(count / GROW_ABOVE)));
    for (let i = 0; i < count; i += 37) assert.equal(get(store, `k${i}`), `k${i}`);
    for (let i = count; i < count + 50; i++) assert.equal(get(store, `k${i}`), undefined);
  }
  for (const size of [9000, 2000, 500, 20, 3, 0]) {
    while (count > size) assert.ok(remove(store, `k${--count}`));
    store.assertInvariants();
    assert.ok(rootWord(store, Root.BUCKETS) <= Math.max(1, count), `${count} entries`);
    assert.deepEqual(
      scanAll(store).sort(),
      Array.from({ length: count }, (_, i) => `k${i}`).sort(),
    );
  }
  assert.equal(rootWord(store, Root.BUCKETS), 1);
  assert.equal(rootWord(store, Root.OVERFLOWS), 0);
  assert.equal(store.stats().blockBytes, 2 * 2048, "a directory and a leaf stay, and the heir");
});

Deno.test("Table: a directory that is full is replaced by a larger one", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 64 * MIB });
  const control = ControlRegion.attach(store.memory.control);
  // As if the directory had room for 67 leaves only: 64 small ones and three pages.
  control.words[control.rootAt(0, 0) + Root.DIRECTORY_LEAVES] = 67;
  insertMany(store, "k", 45_000);
  assert.ok(rootWord(store, Root.BUCKETS) > 4 * PAGE_LEAF_BUCKETS);
  assert.equal(rootWord(store, Root.DIRECTORY_LEAVES), 256);
  store.assertInvariants();
  assert.equal(new Set(scanAll(store)).size, 45_000);
});

Deno.test("Table: finds a key among thousands with the same tag or a tag next to it", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 32 * MIB });
  const wanted = keyOf(store, "needle").tag;
  const near = new Set([wanted, wanted ^ 1, (wanted + 1) & 0xff, (wanted - 1) & 0xff]);
  const names: string[] = [];
  for (let i = 0; names.length < 3000; i++) {
    if (near.has(keyOf(store, `n${i}`).tag)) names.push(`n${i}`);
  }
  for (const name of names) set(store, name, name);
  for (const name of names) assert.equal(get(store, name), name);
  assert.equal(get(store, "needle"), undefined);
  for (const name of names) assert.equal(get(store, `${name}x`), undefined);
  store.assertInvariants();
});

Deno.test("Table: keys that differ in one byte, in length or not at all in their hash's bucket", () => {
  const store = smallStore({ shardCount: 1 });
  const names = ["", "\0", "\0\0", "a", "a\0", "aa", "aaaa", "aaab", "aaaa\0", "x".repeat(4096)];
  for (const name of names) set(store, name, `value of ${name.length} ${name.slice(0, 9)}`);
  for (const name of names) {
    assert.equal(get(store, name), `value of ${name.length} ${name.slice(0, 9)}`);
  }
  assert.equal(store.keyCount(0), names.length);
});

for (const shardCount of [1, 64]) {
  Deno.test(`scanShard (${shardCount} shards): returns all that stays, whatever comes and goes`, () => {
    const step = fc.record({ grow: fc.boolean(), amount: fc.integer({ min: 0, max: 400 }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.array(step, { minLength: 1, maxLength: 12 }),
        (stayCount, steps) => {
          const store = smallStore({ shardCount, maxMemoryBytes: 32 * MIB });
          insertMany(store, "stay", stayCount);
          const passing: string[] = [];
          let made = 0;
          let turn = 0;
          const returned = new Set<string>();
          for (let shard = 0; shard < shardCount; shard++) {
            const names = scanAll(store, () => {
              const { grow, amount } = steps[turn++ % steps.length]!;
              if (turn > 60) return;
              if (grow) {
                insertMany(store, "pass", amount, made);
                for (let i = 0; i < amount; i++) passing.push(`pass${made++}`);
              } else {
                for (let i = 0; i < amount && passing.length > 0; i++) {
                  assert.ok(remove(store, passing.pop()!));
                }
              }
            }, shard);
            for (const name of names) {
              assert.equal(keyOf(store, name).shard, shard);
              returned.add(name);
            }
          }
          for (let i = 0; i < stayCount; i++) {
            assert.ok(returned.has(`stay${i}`), `stay${i} of ${stayCount} was returned`);
          }
          store.assertInvariants();
        },
      ),
      { numRuns: shardCount === 1 ? effort(20, 60) : effort(4, 10) },
    );
  });
}

Deno.test("scanShard: a scan of a table at rest returns each entry once", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 32 * MIB });
  for (const count of [0, 1, 9, 10, 18, 19, 100, 1000, 12_345]) {
    insertMany(store, "k", count - rootWord(store, Root.ENTRIES), rootWord(store, Root.ENTRIES));
    const names = scanAll(store);
    assert.equal(names.length, count);
    assert.equal(new Set(names).size, count);
  }
});

Deno.test("scanShard: any number is a position, and the scan from there ends", () => {
  const store = smallStore({ shardCount: 1 });
  insertMany(store, "k", 5000);
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), (start) => {
    let position = start;
    let calls = 0;
    do {
      const next = store.scanShard(0, 0, position, () => {});
      assert.ok(next === 0 || next > position);
      position = next;
      calls++;
    } while (position !== 0);
    assert.ok(calls <= rootWord(store, Root.BUCKETS));
  }));
});
