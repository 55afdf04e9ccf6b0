/**
 * CRC-32C (Castagnoli), for data that leaves the process and comes back.
 *
 * @see RFC 3720, appendix B.4, for the test vectors
 * @module
 */

/** The polynomial 0x1edc6f41 with its bits in opposite order. */
const POLYNOMIAL = 0x82f63b78;

/** Bytes that one step takes; a table for each place makes it several times faster than one. */
const STEP_BYTES = 16;
/** From this length on it pays to have the bytes shown as words. */
const LONG_BYTES = 256;
/** Words are read as this processor has them, which has to be as the tables take them. */
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

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
  if (end - start < LONG_BYTES || !IS_LITTLE_ENDIAN) {
    return ~byBytes(~before, bytes, start, end) >>> 0;
  }
  // Words begin at multiples of 4 of the buffer.
  const from = start + (-(bytes.byteOffset + start) & 3);
  const byteCount = (end - from) & -STEP_BYTES;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + from, byteCount >> 2);
  const crc = byWords(byBytes(~before, bytes, start, from), words);
  return ~byBytes(crc, bytes, from + byteCount, end) >>> 0;
}

function byBytes(before: number, bytes: Uint8Array, start: number, end: number): number {
  const t = TABLES;
  let crc = before;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc = t[1792 + (crc & 0xff)]! ^ t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^ t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^ t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^ t[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = t[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

/** @param words a multiple of {@link STEP_BYTES} of them, counted in bytes */
function byWords(before: number, words: Int32Array): number {
  const t = TABLES;
  let crc = before;
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ words[i]!;
    const b = words[i + 1]!;
    const c = words[i + 2]!;
    const d = words[i + 3]!;
    crc = t[3840 + (a & 0xff)]! ^ t[3584 + ((a >>> 8) & 0xff)]! ^
      t[3328 + ((a >>> 16) & 0xff)]! ^ t[3072 + (a >>> 24)]! ^
      t[2816 + (b & 0xff)]! ^ t[2560 + ((b >>> 8) & 0xff)]! ^
      t[2304 + ((b >>> 16) & 0xff)]! ^ t[2048 + (b >>> 24)]! ^
      t[1792 + (c & 0xff)]! ^ t[1536 + ((c >>> 8) & 0xff)]! ^
      t[1280 + ((c >>> 16) & 0xff)]! ^ t[1024 + (c >>> 24)]! ^
      t[768 + (d & 0xff)]! ^ t[512 + ((d >>> 8) & 0xff)]! ^
      t[256 + ((d >>> 16) & 0xff)]! ^ t[d >>> 24]!;
  }
  return crc;
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
