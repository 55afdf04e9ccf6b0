/**
 * Bits of byte strings; bit 0 is the highest bit of byte 0.
 *
 * What goes over many bytes goes over 32 of their bits at a time.
 *
 * @module
 */

/** How many of the 32 bits are set. Thread: any. */
export function popcount32(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * How many bits of `bytes[start, end)` are set.
 *
 * Thread: any.
 *
 * @param bytes not shared with other threads, or not changed by them meanwhile
 */
export function countBits(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  let at = start;
  while (at < end && ((bytes.byteOffset + at) & 3) !== 0) count += popcount32(bytes[at++]!);
  const wordCount = (end - at) >>> 2;
  if (wordCount > 0) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, wordCount);
    for (let i = 0; i < wordCount; i++) count += popcount32(words[i]!);
    at += wordCount * 4;
  }
  while (at < end) count += popcount32(bytes[at++]!);
  return count;
}

/**
 * The first bit of `bytes[start, end)` that is `bit`.
 *
 * Thread: any.
 *
 * @returns its index from the start of byte `start`, or -1
 */
export function findBit(bytes: Uint8Array, start: number, end: number, bit: number): number {
  const skip = bit === 1 ? 0 : 0xff;
  let at = start;
  while (at < end && ((bytes.byteOffset + at) & 3) !== 0) {
    if (bytes[at] !== skip) return foundIn(bytes, start, at, skip);
    at++;
  }
  const wordCount = (end - at) >>> 2;
  if (wordCount > 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, wordCount);
    const skipWord = bit === 1 ? 0 : -1;
    let i = 0;
    while (i < wordCount && words[i] === skipWord) i++;
    at += i * 4;
  }
  for (; at < end; at++) if (bytes[at] !== skip) return foundIn(bytes, start, at, skip);
  return -1;
}

function foundIn(bytes: Uint8Array, start: number, at: number, skip: number): number {
  return (at - start) * 8 + Math.clz32((bytes[at]! ^ skip) << 24);
}

/** Ways to combine byte strings bit by bit. */
export const BitOperation = { AND: 0, OR: 1, XOR: 2, NOT: 3 } as const;
/** One of {@link BitOperation}. */
export type BitOperation = (typeof BitOperation)[keyof typeof BitOperation];

/**
 * `target[i] = target[i] operation source[i]` for the first `wordCount` words; NOT: of the target
 * alone. Thread: any.
 */
export function combineWords(
  operation: BitOperation,
  target: Uint32Array,
  source: Uint32Array,
  wordCount: number,
): void {
  if (operation === BitOperation.AND) {
    for (let i = 0; i < wordCount; i++) target[i]! &= source[i]!;
  } else if (operation === BitOperation.OR) {
    for (let i = 0; i < wordCount; i++) target[i]! |= source[i]!;
  } else if (operation === BitOperation.XOR) {
    for (let i = 0; i < wordCount; i++) target[i]! ^= source[i]!;
  } else {
    for (let i = 0; i < wordCount; i++) target[i] = ~target[i]!;
  }
}
