/**
 * CRC-32C (Castagnoli), for data that leaves the process and comes back.
 *
 * @see RFC 3720, appendix B.4, for the test vectors
 * @module
 */

/** The polynomial 0x1edc6f41 with its bits in opposite order. */
const POLYNOMIAL = 0x82f63b78;

/** Bytes that one step takes; a table for each place makes it about five times faster than one. */
const STEP_BYTES = 8;

const TABLES = makeTables();

/**
 * Checksum of `bytes[start, end)`.
 *
 * @param before the checksum of what is in front of it; 0 = nothing
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { crc32c } from "./crc32c.ts";
 * const bytes = new TextEncoder().encode("123456789");
 * assert.equal(crc32c(bytes, 0, 9), 0xe3069283);
 * assert.equal(crc32c(bytes, 4, 9, crc32c(bytes, 0, 4)), 0xe3069283);
 * ```
 */
export function crc32c(bytes: Uint8Array, start: number, end: number, before = 0): number {
  const t = TABLES;
  let crc = ~before;
  let i = start;
  for (; i + STEP_BYTES <= end; i += STEP_BYTES) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc = t[1792 + (crc & 0xff)]! ^ t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^ t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^ t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^ t[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = t[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Table k at 256 × k: what a byte contributes that k bytes follow. */
function makeTables(): Int32Array {
  const tables = new Int32Array(256 * STEP_BYTES);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? POLYNOMIAL : 0);
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const crc = tables[i - 256]!;
    tables[i] = (crc >>> 8) ^ tables[crc & 0xff]!;
  }
  return tables;
}
