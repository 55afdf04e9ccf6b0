/**
 * Block sizes that pages are cut into.
 *
 * A page of 65,536 bytes is cut into blocks of one size. Up to 128 bytes there is a class every
 * 8 bytes (the address unit). Above, every class is `65,536 / n` rounded down to 8 bytes, so the
 * end of a page wastes next to nothing, and neighbours are at most 12.5 % of the larger apart, so
 * an object wastes at most that. 8,192 is the largest: anything bigger is made of extents.
 *
 * @module
 */

import { assert } from "../base/assert.ts";

/** Bytes in a page. */
export const PAGE_BYTES = 65536;
/** Address unit in bytes; every block starts on a multiple of it. */
export const UNIT_BYTES = 8;
/** Units in a page. */
export const PAGE_UNITS = PAGE_BYTES / UNIT_BYTES;
/** log2 of {@link PAGE_UNITS}. */
export const PAGE_UNITS_SHIFT: number = Math.log2(PAGE_UNITS);
/** Largest block in bytes. */
export const MAX_BLOCK_BYTES = 8192;
/** Room for size classes in the shard block's lists. */
export const MAX_SIZE_CLASSES = 64;

const SMALLEST_BYTES = 16;
const FINE_UP_TO_BYTES = 128;
/** Neighbouring classes differ by at most this share of the larger one. */
const LARGEST_GAP = 0.125;

function computeClassBytes(): number[] {
  const coarse: number[] = [];
  let size = MAX_BLOCK_BYTES;
  while (size > FINE_UP_TO_BYTES) {
    coarse.push(size);
    const smallestAllowed = size * (1 - LARGEST_GAP);
    let next = size;
    for (let n = Math.floor(PAGE_BYTES / size) + 1;; n++) {
      const candidate = Math.floor(PAGE_BYTES / n / UNIT_BYTES) * UNIT_BYTES;
      if (candidate < smallestAllowed) break;
      next = candidate;
      // Powers of two are classes in any case: index leaves and buckets have those sizes.
      if ((candidate & (candidate - 1)) === 0) break;
    }
    assert(next < size, `a class below ${size} exists within the gap`);
    size = next;
  }
  const fine: number[] = [];
  for (let bytes = SMALLEST_BYTES; bytes <= FINE_UP_TO_BYTES; bytes += UNIT_BYTES) fine.push(bytes);
  return [...fine, ...coarse.reverse()];
}

const classBytes = computeClassBytes();
assert(classBytes.length <= MAX_SIZE_CLASSES, `${classBytes.length} classes fit the lists`);

/** Block size of each class in bytes, ascending. */
export const CLASS_BYTES: Int32Array = Int32Array.from(classBytes);
/** Blocks of each class in a page. */
export const CLASS_BLOCKS: Int32Array = Int32Array.from(
  classBytes,
  (bytes) => Math.floor(PAGE_BYTES / bytes),
);
/** Number of classes. */
export const CLASS_COUNT: number = classBytes.length;

const classOfUnits = new Uint8Array(MAX_BLOCK_BYTES / UNIT_BYTES + 1);
for (let units = 0, index = 0; units < classOfUnits.length; units++) {
  if (units * UNIT_BYTES > classBytes[index]!) index++;
  classOfUnits[units] = index;
}

/**
 * The smallest class that holds `byteCount` bytes.
 *
 * @param byteCount 1 to {@link MAX_BLOCK_BYTES}
 * @returns class index
 */
export function sizeClassOf(byteCount: number): number {
  return classOfUnits[(byteCount + UNIT_BYTES - 1) >>> 3]!;
}
