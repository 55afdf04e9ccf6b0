/**
 * How a place is found in a node, given the order that is looked for.
 *
 * Hashes are as good as random, so where one of them is can be told from its size: it is at about the
 * same fraction of a node's records as of the interval of hashes that the node has. So a search looks
 * at that place first and then at its neighbours, most often one or two of them, which are in the same
 * lines of the processor's cache. Of n random numbers, one is about √n / 2 places away from there at
 * most. Scores may be anything. A search looks at the same place first and then at a few neighbours;
 * what is left after that is halved.
 *
 * @module
 */

/** So many neighbours are looked at one after the other; for more, halving is faster. */
const NEAR = 8;

/** Hashes are smaller. */
export const HASH_END: number = 2 ** 32;

/**
 * The child of an interior node with the first record of a hash, or just before it.
 *
 * @param separators doubles of the node's segment
 * @param first index of the separator of child 0; the next child's is 2 behind it
 * @param last index of the last child
 * @param low no hash in the node is smaller
 * @param high all are at most this
 * @returns the last child with a separator less than `hash`; 0 when there is none
 */
export function childOfHash(
  separators: Float64Array,
  first: number,
  last: number,
  hash: number,
  low: number,
  high: number,
): number {
  // Of child 0 the separator means nothing.
  const end = first + last * 2;
  let at = first + guess(hash, low, high, last + 1) * 2;
  if (at > first && separators[at]! >= hash) {
    do at -= 2; while (at > first && separators[at]! >= hash);
  } else {
    while (at < end && separators[at + 2]! < hash) at += 2;
  }
  return (at - first) >> 1;
}

/**
 * The first record with at least a hash, in a leaf whose records have the same length.
 *
 * @param view of the leaf's segment
 * @param first first byte of its records
 * @param stride bytes of a record
 * @param from the index to look at first
 * @returns its index; `count` when there is none
 */
export function recordOfHash(
  view: DataView,
  first: number,
  stride: number,
  count: number,
  hash: number,
  from: number,
): number {
  let index = from;
  let at = first + index * stride;
  if (view.getUint32(at, true) >= hash) {
    while (index > 0 && view.getUint32(at - stride, true) >= hash) {
      index--;
      at -= stride;
    }
    return index;
  }
  do {
    index++;
    at += stride;
  } while (index < count && view.getUint32(at, true) < hash);
  return index;
}

/**
 * The child of an interior node with the first record of a score, or just before it.
 *
 * @param separators doubles of the node's segment
 * @param first index of the separator of child 0; the next child's is 2 behind it
 * @param last index of the last child
 * @returns the last child with a separator less than `score`; 0 when there is none
 */
export function childOfScore(
  separators: Float64Array,
  first: number,
  last: number,
  score: number,
): number {
  if (last === 0) return 0;
  const lowest = separators[first + 2]!;
  const highest = separators[first + last * 2]!;
  const child = lowest < highest ? guess(score, lowest, highest, last) + 1 : (last + 1) >>> 1;
  let at = first + child * 2;
  let low = first;
  let high = first + last * 2;
  let steps = NEAR;
  if (separators[at]! >= score) {
    do at -= 2; while (--steps > 0 && at > low && separators[at]! >= score);
    if (at === low || separators[at]! < score) return (at - first) >> 1;
    high = at - 2;
  } else {
    while (at < high && separators[at + 2]! < score && --steps > 0) at += 2;
    if (at === high || separators[at + 2]! >= score) return (at - first) >> 1;
    low = at + 2;
  }
  low = (low - first) >> 1;
  high = (high - first) >> 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (separators[first + middle * 2]! < score) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The first record with at least a score, in a leaf whose records have the same length.
 *
 * @param from the index to look at first
 * @returns its index; `count` when there is none
 */
export function recordOfScore(
  view: DataView,
  first: number,
  stride: number,
  count: number,
  score: number,
  from: number,
): number {
  let index = from;
  let at = first + index * stride;
  let low = 0;
  let high = count;
  let steps = NEAR;
  if (view.getFloat64(at, true) >= score) {
    while (index > 0 && --steps > 0 && view.getFloat64(at - stride, true) >= score) {
      index--;
      at -= stride;
    }
    if (steps > 0) return index;
    high = index;
  } else {
    do {
      index++;
      at += stride;
    } while (index < count && --steps > 0 && view.getFloat64(at, true) < score);
    if (steps > 0) return index;
    low = index;
  }
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (view.getFloat64(first + middle * stride, true) < score) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * At which of `count` places an order probably is, where those there are as good as random between
 * two bounds; any of them where it lies outside, or where nobody knows the bounds.
 */
export function guess(order: number, low: number, high: number, count: number): number {
  const place = (order - low) / (high - low) * count;
  if (place >= count) return count - 1;
  // An integer from here on: what is computed with it would else be a double, too.
  return place > 0 ? place | 0 : 0;
}

/** Units of a fraction of a leaf: places among which {@link guess} finds one. */
export const LEAF_FRACTIONS = 65536;
