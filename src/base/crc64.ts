/**
 * CRC-64 with the polynomial of D. Jones, which Redis's files end with.
 *
 * @see https://reveng.sourceforge.io/crc-catalogue/17plus.htm CRC-64/REDIS, for the parameters and the check value
 * @module
 */

/** The polynomial 0xad93d23594c935a9 with its bits in opposite order, in two halves. */
const POLYNOMIAL_HI = 0x95ac9329;
const POLYNOMIAL_LO = 0xac4bc9b5;

/** Bytes that one step takes, each through a table of its own. */
const STEP_BYTES = 8;

const { high: HIGH, low: LOW } = makeTables();

/**
 * A checksum that grows with what is added to it.
 *
 * Shape: `hi` and `lo` are the halves of the 64 bits, each a uint32; both are 0 before anything was
 * added.
 *
 * Thread: belongs to one thread.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Crc64 } from "./crc64.ts";
 * const sum = new Crc64();
 * sum.add(new TextEncoder().encode("123456789"), 0, 9);
 * assert.equal(sum.hi, 0xe9c6d914);
 * assert.equal(sum.lo, 0xc4b8d9ca);
 * ```
 */
export class Crc64 {
  /** Upper half, uint32. */
  hi = 0;
  /** Lower half, uint32. */
  lo = 0;

  /** Adds `bytes[start, end)`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    let hi = this.hi | 0;
    let lo = this.lo | 0;
    let i = start;
    for (; i + STEP_BYTES <= end; i += STEP_BYTES) {
      const a = lo ^
        (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
      const b = hi ^
        (bytes[i + 4]! | (bytes[i + 5]! << 8) | (bytes[i + 6]! << 16) | (bytes[i + 7]! << 24));
      const a0 = 1792 + (a & 0xff);
      const a1 = 1536 + ((a >>> 8) & 0xff);
      const a2 = 1280 + ((a >>> 16) & 0xff);
      const a3 = 1024 + (a >>> 24);
      const b0 = 768 + (b & 0xff);
      const b1 = 512 + ((b >>> 8) & 0xff);
      const b2 = 256 + ((b >>> 16) & 0xff);
      const b3 = b >>> 24;
      hi = HIGH[a0]! ^ HIGH[a1]! ^ HIGH[a2]! ^ HIGH[a3]! ^
        HIGH[b0]! ^ HIGH[b1]! ^ HIGH[b2]! ^ HIGH[b3]!;
      lo = LOW[a0]! ^ LOW[a1]! ^ LOW[a2]! ^ LOW[a3]! ^
        LOW[b0]! ^ LOW[b1]! ^ LOW[b2]! ^ LOW[b3]!;
    }
    for (; i < end; i++) {
      const place = (lo ^ bytes[i]!) & 0xff;
      lo = ((lo >>> 8) | (hi << 24)) ^ LOW[place]!;
      hi = (hi >>> 8) ^ HIGH[place]!;
    }
    this.hi = hi >>> 0;
    this.lo = lo >>> 0;
  }
}

/** Table k at 256 × k: what a byte contributes that k bytes follow; each half on its own. */
function makeTables(): { high: Int32Array; low: Int32Array } {
  const high = new Int32Array(256 * STEP_BYTES);
  const low = new Int32Array(256 * STEP_BYTES);
  for (let byte = 0; byte < 256; byte++) {
    let hi = 0;
    let lo = byte;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (lo & 1) === 1;
      lo = ((lo >>> 1) | (hi << 31)) ^ (isOdd ? POLYNOMIAL_LO : 0);
      hi = (hi >>> 1) ^ (isOdd ? POLYNOMIAL_HI : 0);
    }
    high[byte] = hi;
    low[byte] = lo;
  }
  for (let i = 256; i < low.length; i++) {
    const hi = high[i - 256]!;
    const lo = low[i - 256]!;
    low[i] = ((lo >>> 8) | (hi << 24)) ^ low[lo & 0xff]!;
    high[i] = (hi >>> 8) ^ high[lo & 0xff]!;
  }
  return { high, low };
}
