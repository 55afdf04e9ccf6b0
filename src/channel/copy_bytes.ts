/**
 * Copies a job.
 *
 * @module
 */

/** Copies `source[start, end)` to `target`; a loop is faster than a view for what is short. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  targetStart: number,
): void {
  if (end - start <= 48) {
    let at = targetStart;
    for (let i = start; i < end; i++) target[at++] = source[i]!;
  } else {
    target.set(source.subarray(start, end), targetStart);
  }
}
