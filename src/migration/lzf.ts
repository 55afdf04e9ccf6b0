/**
 * LZF, which Redis packs long strings with.
 *
 * A packed text is a row of instructions. Lengths and distances in bytes:
 *
 * ```text
 * 000nnnnn                    the next n + 1 bytes as they are
 * nnnddddd dddddddd           n + 2 bytes that came d + 1 bytes before, n from 1 to 6
 * 111ddddd mmmmmmmm dddddddd  the same with m + 9 bytes
 * ```
 *
 * @module
 */

/** No instruction makes more of its own bytes: 3 become 264. */
export const MOST_EXPANSION = 88;

/**
 * Unpacks `packed` into `target`, which has the length that the text should have.
 *
 * @returns false when it is no such text
 */
export function tryUnpack(packed: Uint8Array, target: Uint8Array): boolean {
  const end = packed.length;
  let from = 0;
  let to = 0;
  while (from < end) {
    const instruction = packed[from++]!;
    if (instruction < 32) {
      const byteCount = instruction + 1;
      if (from + byteCount > end || to + byteCount > target.length) return false;
      for (let i = 0; i < byteCount; i++) target[to++] = packed[from++]!;
      continue;
    }
    let byteCount = (instruction >>> 5) + 2;
    if (byteCount === 9) {
      if (from === end) return false;
      byteCount += packed[from++]!;
    }
    if (from === end) return false;
    let source = to - ((instruction & 31) << 8) - packed[from++]! - 1;
    if (source < 0 || to + byteCount > target.length) return false;
    // Not copyWithin: what is copied may overlap itself, and then repeats.
    for (let i = 0; i < byteCount; i++) target[to++] = target[source++]!;
  }
  return to === target.length;
}
