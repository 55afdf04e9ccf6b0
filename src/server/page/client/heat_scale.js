/**
 * How a grid of shards is laid out and how warm a shard is.
 *
 * @module
 */

/** Steps of the scale, "nothing" included. */
export const HEAT_STEPS = 6;

/**
 * Columns and rows for so many cells in a field of that shape: cells nearly square, no more than a
 * power of two in a row, so that neighbours stay neighbours when the field grows.
 *
 * @param {number} count
 * @param {number} width
 * @param {number} height
 * @returns {{ columns: number, rows: number }}
 */
export function gridFor(count, width, height) {
  let columns = 1;
  while (columns < count && 2 * columns * columns * height <= count * width) columns *= 2;
  return { columns, rows: Math.ceil(count / columns) };
}

/**
 * The step of a value: 0 is nothing, and the others are as many times more each as it takes for the
 * largest to be the last.
 *
 * @param {number} value
 * @param {number} largest
 * @returns {number}
 */
export function heatStep(value, largest) {
  if (!(value > 0) || !(largest > 0)) return 0;
  // A hundredth of the largest and less is the coldest step that is something.
  const share = 1 + Math.log10(value / largest) / 2;
  return 1 + Math.min(HEAT_STEPS - 2, Math.max(0, Math.floor(share * (HEAT_STEPS - 1))));
}

/**
 * A value that follows what was measured, slowly enough to be seen.
 *
 * @param {number} before
 * @param {number} measured
 * @param {number} ms how long it took to be measured
 * @returns {number}
 */
export function follow(before, measured, ms) {
  const next = measured + (before - measured) * Math.exp(-ms / 500);
  return next < 0.05 ? 0 : next;
}
