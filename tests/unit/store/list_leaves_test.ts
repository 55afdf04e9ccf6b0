/** Leaves of lists: how large they are, so that lists of all sizes take no more memory than they should. */

import assert from "node:assert/strict";
import {
  endLeafBytes,
  LARGEST_LIST_LEAF_BYTES,
  recordsInLeaf,
} from "../../../src/store/collection/list_leaves.ts";
import { LEAF_HEADER_BYTES } from "../../../src/store/collection/node.ts";
import { EntryType, type Store, WriteStatus } from "../../../src/store/store.ts";
import { open, sourceOf } from "./collection_helpers.ts";
import { smallStore } from "./helpers.ts";

const { LIST } = EntryType;

function push(store: Store, atFront: boolean, length: number): void {
  const c = open(store, "k", LIST);
  const source = sourceOf("e".repeat(length));
  assert.equal(store.collections.lists.push(c, atFront, source, 0, 1), WriteStatus.OK);
}

function removeAt(store: Store, rank: number): void {
  const c = open(store, "k", LIST);
  assert.equal(store.collections.lists.removeRanks(c, rank, 1), WriteStatus.OK);
}

function footprint(store: Store): number {
  return store.collections.footprintBytes(open(store, "k", LIST));
}

Deno.test("endLeafBytes: a leaf has room for its record, and for no more than a quarter of the list, and never less in a longer one", () => {
  for (let recordBytes = 1; recordBytes <= 1027; recordBytes++) {
    let before = 0;
    for (const elements of [0, 1, 4, 8, 11, 12, 20, 28, 60, 300, 480, 512, 1000, 1e6]) {
      const bytes = endLeafBytes(recordBytes, elements);
      assert.ok(bytes >= before, `${recordBytes} B: ${bytes} after ${before} with ${elements}`);
      assert.ok(bytes >= LEAF_HEADER_BYTES + recordBytes && bytes <= LARGEST_LIST_LEAF_BYTES);
      const records = recordsInLeaf(bytes, recordBytes);
      assert.ok(bytes <= 1536 || records <= elements / 4, `${records} of ${recordBytes} B`);
      before = bytes;
    }
  }
  assert.equal(endLeafBytes(1027, 28), LARGEST_LIST_LEAF_BYTES);
  assert.equal(recordsInLeaf(LARGEST_LIST_LEAF_BYTES, 1027), 7);
});

for (const length of [16, 60, 200, 1024]) {
  Deno.test(`Lists: a queue of elements of ${length} bytes takes at most twice what is in it, and a long one little more`, () => {
    const store = smallStore({ shardCount: 1, maxMemoryBytes: 16 * 2 ** 20 });
    for (const [size, most] of [[40, 2.2], [160, 1.9], [2000, 1.25]] as const) {
      for (let count = open(store, "k", LIST).count; count < size; count++) {
        push(store, true, length);
      }
      // It wanders through its leaves.
      for (let i = 0; i < 3 * size; i++) {
        push(store, true, length);
        removeAt(store, size);
      }
      const ratio = footprint(store) / (size * (length + 1));
      assert.ok(size * (length + 1) < 3000 || ratio <= most, `${ratio} with ${size}`);
      store.assertInvariants();
    }
  });
}

Deno.test("Lists: what is left of a long list of large elements moves to smaller blocks", () => {
  for (const atFront of [true, false]) {
    const store = smallStore({ shardCount: 1, maxMemoryBytes: 16 * 2 ** 20 });
    for (let i = 0; i < 500; i++) push(store, !atFront, 1024);
    for (let count = 500; count > 1; count--) {
      removeAt(store, atFront ? 0 : count - 1);
      if (count > 20) continue;
      const bytes = footprint(store);
      assert.ok(bytes <= 4 * 1027 * (count - 1) + 2048, `${bytes} bytes for ${count - 1}`);
      store.assertInvariants();
    }
  }
});

Deno.test("Lists: a list of which most went here and there takes memory for what is left", () => {
  const store = smallStore({ shardCount: 1, maxMemoryBytes: 16 * 2 ** 20 });
  for (let i = 0; i < 700; i++) push(store, i % 2 === 0, 1024);
  const full = footprint(store);
  // One in seven stays.
  for (let rank = 1; rank < 100; rank++) {
    for (let i = 0; i < 6; i++) removeAt(store, rank);
  }
  assert.equal(open(store, "k", LIST).count, 106);
  store.assertInvariants();
  assert.ok(footprint(store) < full / 3, `${footprint(store)} of ${full}`);
});
