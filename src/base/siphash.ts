/**
 * SipHash-2-4 with a 128-bit result: a keyed hash whose results nobody can choose who does not know
 * the key.
 *
 * Where two inputs with one hash would be taken for the same thing, a hash has to be as hard to forge as a
 * signature; tables that only want to spread their keys take the shorter one of `store/hash.ts`.
 *
 * A 64-bit number is two words, `h` the upper one.
 *
 * @see https://cr.yp.to/siphash/siphash-20120918.pdf and the reference implementation,
 *   https://github.com/veorq/SipHash
 * @module
 */

import { assert } from "./assert.ts";

/** Length of a key. Unit: bytes. */
export const SIPHASH_KEY_BYTES = 16;

/**
 * Computes hashes with one key.
 *
 * Thread: belongs to one thread; allocates nothing.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { SipHash128 } from "./siphash.ts";
 * const hash = new SipHash128(Uint8Array.from({ length: 16 }, (_, i) => i));
 * hash.compute(new Uint8Array(0), 0, 0);
 * assert.equal(hash.words[0], 0x047f81a3);
 * ```
 */
export class SipHash128 {
  /** The last result: words in the order of its bytes, little-endian. */
  readonly words: Int32Array<ArrayBuffer> = new Int32Array(4);

  readonly #key: Int32Array;
  #h0 = 0;
  #l0 = 0;
  #h1 = 0;
  #l1 = 0;
  #h2 = 0;
  #l2 = 0;
  #h3 = 0;
  #l3 = 0;

  /** Takes a key of {@link SIPHASH_KEY_BYTES} bytes. */
  constructor(key: Uint8Array) {
    assert(key.length === SIPHASH_KEY_BYTES, "a key has 16 bytes");
    const view = new DataView(key.slice().buffer);
    this.#key = Int32Array.from({ length: 4 }, (_, i) => view.getInt32(i * 4, true));
  }

  /** Hashes `bytes[start, end)` into {@link SipHash128.words}. */
  compute(bytes: Uint8Array, start: number, end: number): void {
    const [l0, h0, l1, h1] = this.#key as unknown as [number, number, number, number];
    this.#h0 = h0 ^ 0x736f6d65;
    this.#l0 = l0 ^ 0x70736575;
    this.#h1 = h1 ^ 0x646f7261;
    // 0xee: the variant with 128 bits.
    this.#l1 = l1 ^ 0x6e646f6d ^ 0xee;
    this.#h2 = h0 ^ 0x6c796765;
    this.#l2 = l0 ^ 0x6e657261;
    this.#h3 = h1 ^ 0x74656462;
    this.#l3 = l1 ^ 0x79746573;
    const byteCount = end - start;
    const wholeEnd = start + (byteCount & ~7);
    for (let at = start; at < wholeEnd; at += 8) {
      this.#take(wordAt(bytes, at + 4), wordAt(bytes, at));
    }
    let high = byteCount << 24;
    let low = 0;
    for (let i = byteCount & 7; i-- > 0;) {
      if (i >= 4) high |= bytes[wholeEnd + i]! << ((i - 4) * 8);
      else low |= bytes[wholeEnd + i]! << (i * 8);
    }
    this.#take(high, low);
    this.#l2 ^= 0xee;
    for (let i = 0; i < 4; i++) this.#round();
    this.#give(0);
    this.#l1 ^= 0xdd;
    for (let i = 0; i < 4; i++) this.#round();
    this.#give(2);
  }

  #take(high: number, low: number): void {
    this.#h3 ^= high;
    this.#l3 ^= low;
    this.#round();
    this.#round();
    this.#h0 ^= high;
    this.#l0 ^= low;
  }

  #give(at: number): void {
    this.words[at] = this.#l0 ^ this.#l1 ^ this.#l2 ^ this.#l3;
    this.words[at + 1] = this.#h0 ^ this.#h1 ^ this.#h2 ^ this.#h3;
  }

  #round(): void {
    let h0 = this.#h0, l0 = this.#l0, h1 = this.#h1, l1 = this.#l1;
    let h2 = this.#h2, l2 = this.#l2, h3 = this.#h3, l3 = this.#l3;
    let t = 0;
    // v0 += v1; v1 = rotate(v1, 13) ^ v0; v0 = rotate(v0, 32)
    l0 = (l0 + l1) | 0;
    h0 = (h0 + h1 + carry(l0, l1)) | 0;
    t = (h1 << 13) | (l1 >>> 19);
    l1 = ((l1 << 13) | (h1 >>> 19)) ^ l0;
    h1 = t ^ h0;
    t = h0;
    h0 = l0;
    l0 = t;
    // v2 += v3; v3 = rotate(v3, 16) ^ v2
    l2 = (l2 + l3) | 0;
    h2 = (h2 + h3 + carry(l2, l3)) | 0;
    t = (h3 << 16) | (l3 >>> 16);
    l3 = ((l3 << 16) | (h3 >>> 16)) ^ l2;
    h3 = t ^ h2;
    // v0 += v3; v3 = rotate(v3, 21) ^ v0
    l0 = (l0 + l3) | 0;
    h0 = (h0 + h3 + carry(l0, l3)) | 0;
    t = (h3 << 21) | (l3 >>> 11);
    l3 = ((l3 << 21) | (h3 >>> 11)) ^ l0;
    h3 = t ^ h0;
    // v2 += v1; v1 = rotate(v1, 17) ^ v2; v2 = rotate(v2, 32)
    l2 = (l2 + l1) | 0;
    h2 = (h2 + h1 + carry(l2, l1)) | 0;
    t = (h1 << 17) | (l1 >>> 15);
    l1 = ((l1 << 17) | (h1 >>> 15)) ^ l2;
    h1 = t ^ h2;
    t = h2;
    h2 = l2;
    l2 = t;
    this.#h0 = h0;
    this.#l0 = l0;
    this.#h1 = h1;
    this.#l1 = l1;
    this.#h2 = h2;
    this.#l2 = l2;
    this.#h3 = h3;
    this.#l3 = l3;
  }
}

/** Whether adding `addend` made `sum` wrap. */
function carry(sum: number, addend: number): number {
  return (sum >>> 0) < (addend >>> 0) ? 1 : 0;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
