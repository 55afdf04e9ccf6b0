/**
 * Keyed hash of keys: HalfSipHash-1-3 with a 64-bit result.
 *
 * The key is a secret drawn at start, so clients cannot choose keys that collide (hash flooding).
 * The 32-bit variant of SipHash fits JavaScript's integers. One result word picks the bucket, the
 * other the shard and the slot tag, so that the three are independent.
 *
 * @see https://github.com/veorq/SipHash the reference implementation (`halfsiphash.c`)
 * @module
 */

import type { Key } from "./key.ts";

/**
 * Hashes `key.bytes[key.start, key.end)` into `key.hash` (first word) and `key.hashHigh`.
 *
 * Thread: any; no state.
 *
 * @param key receives the result
 * @param seed0 first word of the secret
 * @param seed1 second word of the secret
 */
export function hashKey(key: Key, seed0: number, seed1: number): void {
  const bytes = key.bytes;
  const start = key.start;
  const byteCount = key.end - start;
  let v0 = seed0;
  // The variant with a 64-bit result starts with v1 changed by 0xee.
  let v1 = seed1 ^ 0xee;
  let v2 = seed0 ^ 0x6c796765;
  let v3 = seed1 ^ 0x74656462;

  const wholeEnd = start + (byteCount & ~3);
  for (let i = start; i <= wholeEnd; i += 4) {
    let m: number;
    if (i < wholeEnd) {
      m = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    } else {
      m = byteCount << 24;
      const rest = byteCount & 3;
      if (rest > 2) m |= bytes[i + 2]! << 16;
      if (rest > 1) m |= bytes[i + 1]! << 8;
      if (rest > 0) m |= bytes[i]!;
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

  v2 ^= 0xee;
  for (let round = 0; round < 6; round++) {
    if (round === 3) {
      key.hash = (v1 ^ v3) >>> 0;
      v1 ^= 0xdd;
    }
    // The same round as above; a function could not change four locals.
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
  }
  key.hashHigh = (v1 ^ v3) >>> 0;
}
