/**
 * How a place is found in a node, given the order that is looked for.
 *
 * Hashes are as good as random, so where one of them is can be told from its size: it is at about the
 * same fraction of a node's records as of the interval of hashes that the node has. So a search looks
 * at that place first and then at its neighbours, most often one or two of them, which are in the same
 * lines of the processor's cache. Of n random numbers, one is about √n / 2 places away from there at
 * most. Scores may be anything. A search looks at the same place first, and then further and further
 * away until what is left can be halved: at worst it takes twice as long as halving from the start.
 *
 * @module
 */

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
  let child = guess(hash, low, high, last + 1);
  while (child > 0 && separators[first + child * 2]! >= hash) child--;
  while (child < last && separators[first + child * 2 + 2]! < hash) child++;
  return child;
}

/**
 * The first record with at least a hash, in a leaf whose records have the same length.
 *
 * @param view of the leaf's segment
 * @param first first byte of its records
 * @param stride bytes of a record
 * @param low no hash in the leaf is smaller
 * @param high all are at most this
 * @returns its index; `count` when there is none
 */
export function recordOfHash(
  view: DataView,
  first: number,
  stride: number,
  count: number,
  hash: number,
  low: number,
  high: number,
): number {
  let index = guess(hash, low, high, count);
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
 * The first record with at least a score, in a leaf whose records have the same length.
 *
 * @param lowest no score in the leaf is smaller
 * @param highest all are at most this
 * @returns its index; `count` when there is none
 */
export function recordOfScore(
  view: DataView,
  first: number,
  stride: number,
  count: number,
  score: number,
  lowest: number,
  highest: number,
): number {
  let low = 0;
  let high = count;
  let step = 1;
  let at = guess(score, lowest, highest, count);
  while (low < high) {
    if (view.getFloat64(first + at * stride, true) < score) {
      low = at + 1;
      at += step;
    } else {
      high = at;
      at -= step;
    }
    step *= 2;
    if (at < low || at >= high) at = (low + high) >>> 1;
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
  return place > 0 ? Math.floor(place) : 0;
}
