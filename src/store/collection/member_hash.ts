/**
 * Hashes of elements, fields and members.
 *
 * @module
 */

/** Words that are kept: of any part whose length is one byte. */
export const KEPT_WORDS = 64;
const LAST_WORD = KEPT_WORDS - 1;

/**
 * Hashes what collections are ordered by: with the first word of what `hashKey` makes of the same
 * bytes and the same secret, in three quarters of the time.
 *
 * Thread: belongs to one thread.
 */
export class MemberHash {
  /**
   * What was hashed last, four bytes a word, little-endian; up to 3 bytes at its end are not whole
   * words. A search compares it with records without reading it byte by byte again. Of more than 256
   * bytes it is not all. Who hashes several before the first is looked up has each kept elsewhere.
   */
  words: Int32Array<ArrayBuffer> = new Int32Array(KEPT_WORDS);
  readonly #seed0: number;
  readonly #seed1: number;

  /**
   * Hashes with a secret.
   *
   * @param seed0 first word of the secret
   * @param seed1 second word of the secret
   */
  constructor(seed0: number, seed1: number) {
    this.#seed0 = seed0 | 0;
    this.#seed1 = seed1 | 0;
  }

  /**
   * Hashes `bytes[start, end)`.
   *
   * @returns its 32 bits as a signed number, which V8 passes around without making an object of it;
   *   the order is that of `>>> 0`
   */
  bitsOf(bytes: Uint8Array, start: number, end: number): number {
    const { words } = this;
    const byteCount = end - start;
    let v0 = this.#seed0;
    let v1 = this.#seed1 ^ 0xee;
    let v2 = v0 ^ 0x6c796765;
    let v3 = this.#seed1 ^ 0x74656462;
    const wholeEnd = start + (byteCount & ~3);
    // Behind the bytes come three rounds with nothing, the first of them with a mark.
    for (let i = start; i <= wholeEnd + 12; i += 4) {
      let m = 0;
      if (i < wholeEnd) {
        m = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
        words[((i - start) >>> 2) & LAST_WORD] = m;
      } else if (i === wholeEnd) {
        m = byteCount << 24;
        const rest = byteCount & 3;
        if (rest > 2) m |= bytes[i + 2]! << 16;
        if (rest > 1) m |= bytes[i + 1]! << 8;
        if (rest > 0) m |= bytes[i]!;
      } else if (i === wholeEnd + 4) {
        v2 ^= 0xee;
      }
      v3 ^= m;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= m;
    }
    return v1 ^ v3;
  }
}
