/**
 * MurmurHash64A, the hash that HyperLogLogs of Redis use.
 *
 * It protects from nothing: who knows it can make elements that collide.
 *
 * @see https://github.com/aappleby/smhasher (public domain)
 * @module
 */

import type { Int64 } from "./int64.ts";

const MULTIPLIER_HI = 0xc6a4a793;
const MULTIPLIER_LO = 0x5bd1e995;
const SHIFT = 47 - 32;

/**
 * Hashes `bytes[start, end)`.
 *
 * Thread: any.
 *
 * @param seed uint32
 * @param result receives the 64 bits
 */
export function murmur64(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  result: Int64,
): void {
  const byteCount = end - start;
  // seed ^ (byteCount * multiplier)
  multiply(result, 0, byteCount);
  let hi = result.hi;
  let lo = result.lo ^ seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    multiply(result, word(bytes, at + 4), word(bytes, at));
    const mixedLo = result.lo ^ (result.hi >>> SHIFT);
    multiply(result, result.hi, mixedLo);
    multiply(result, hi ^ result.hi, lo ^ result.lo);
    hi = result.hi;
    lo = result.lo;
  }
  if (at < end) {
    let tailLo = 0;
    let tailHi = 0;
    for (let i = end - 1; i >= at; i--) {
      tailHi = (tailHi << 8) | (tailLo >>> 24);
      tailLo = (tailLo << 8) | bytes[i]!;
    }
    multiply(result, hi ^ tailHi, lo ^ tailLo);
    hi = result.hi;
    lo = result.lo;
  }
  lo ^= hi >>> SHIFT;
  multiply(result, hi, lo);
  result.lo = (result.lo ^ (result.hi >>> SHIFT)) >>> 0;
  result.hi |= 0;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}

/** `(hi, lo) × multiplier`, the low 64 bits; `result` has unsigned halves. */
function multiply(result: Int64, hi: number, lo: number): void {
  const a0 = lo & 0xffff;
  const a1 = lo >>> 16;
  const b0 = MULTIPLIER_LO & 0xffff;
  const b1 = MULTIPLIER_LO >>> 16;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >>> 16);
  const middle2 = a0 * b1 + (middle & 0xffff);
  const carry = a1 * b1 + Math.floor(middle / 65536) + Math.floor(middle2 / 65536);
  result.lo = (((middle2 & 0xffff) << 16) | (low & 0xffff)) >>> 0;
  result.hi = (carry + Math.imul(hi, MULTIPLIER_LO) + Math.imul(lo, MULTIPLIER_HI)) >>> 0;
}
