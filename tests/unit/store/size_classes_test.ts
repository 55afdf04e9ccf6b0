/** The block sizes keep what their file promises. */

import assert from "node:assert/strict";
import {
  CLASS_BLOCKS,
  CLASS_BYTES,
  CLASS_COUNT,
  MAX_BLOCK_BYTES,
  MAX_SIZE_CLASSES,
  PAGE_BYTES,
  sizeClassOf,
  UNIT_BYTES,
} from "../../../src/store/size_classes.ts";

Deno.test("CLASS_BYTES: ascends in whole units from 16 to 8,192 bytes and fits the lists", () => {
  assert.equal(CLASS_BYTES.length, CLASS_COUNT);
  assert.ok(CLASS_COUNT <= MAX_SIZE_CLASSES);
  assert.equal(CLASS_BYTES[0], 16);
  assert.equal(CLASS_BYTES.at(-1), MAX_BLOCK_BYTES);
  for (let i = 0; i < CLASS_COUNT; i++) {
    assert.equal(CLASS_BYTES[i]! % UNIT_BYTES, 0);
    assert.ok(i === 0 || CLASS_BYTES[i]! > CLASS_BYTES[i - 1]!);
  }
});

Deno.test("CLASS_BYTES: neighbours above 128 bytes are at most 12.5 % of the larger apart", () => {
  for (let i = 1; i < CLASS_COUNT; i++) {
    const gap = CLASS_BYTES[i]! - CLASS_BYTES[i - 1]!;
    const allowed = CLASS_BYTES[i]! <= 128 ? UNIT_BYTES : CLASS_BYTES[i]! * 0.125;
    assert.ok(gap <= allowed, `${CLASS_BYTES[i - 1]} and ${CLASS_BYTES[i]}`);
  }
});

Deno.test("CLASS_BLOCKS: the end of a page wastes less than 1 % and less than a block", () => {
  for (let i = 0; i < CLASS_COUNT; i++) {
    const waste = PAGE_BYTES - CLASS_BLOCKS[i]! * CLASS_BYTES[i]!;
    assert.ok(waste >= 0 && waste < CLASS_BYTES[i]! && waste < PAGE_BYTES * 0.01, `${waste} B`);
  }
});

Deno.test("CLASS_BYTES: every size that the index allocates is a class", () => {
  for (let bytes = 64; bytes <= MAX_BLOCK_BYTES; bytes *= 2) {
    assert.equal(CLASS_BYTES[sizeClassOf(bytes)], bytes);
  }
});

Deno.test("sizeClassOf: is the smallest class that holds the bytes, for every size", () => {
  for (let bytes = 1; bytes <= MAX_BLOCK_BYTES; bytes++) {
    const sizeClass = sizeClassOf(bytes);
    assert.ok(CLASS_BYTES[sizeClass]! >= bytes, `${bytes} B fit`);
    assert.ok(sizeClass === 0 || CLASS_BYTES[sizeClass - 1]! < bytes, `${bytes} B: no smaller one`);
  }
});
