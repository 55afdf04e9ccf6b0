/**
 * HyperLogLogs as byte strings, in the layout of Redis, so that values can be copied either way.
 *
 * ```text
 * byte 0   "HYLL"
 *      4   encoding: 0 dense, 1 sparse      5  three bytes of 0
 *      8   last estimate, int64 little-endian; bit 63: it is out of date
 *     16   dense: 16,384 registers of 6 bits, lowest bit first, 12,288 bytes
 *          sparse: runs of registers, until there are 16,384
 *            00xxxxxx            1 to 64 registers of 0
 *            01xxxxxx yyyyyyyy   1 to 16,384 registers of 0
 *            1vvvvvxx            1 to 4 registers of value 1 to 32
 * ```
 *
 * The low 14 bits of an element's hash choose a register; it keeps the greatest number of zeros, plus
 * one, that the other 50 bits of an element begin with. The estimate is that of Ertl, with a standard
 * error of 0.81 %.
 *
 * @see https://arxiv.org/abs/1702.01284 O. Ertl, "New cardinality estimation algorithms for
 *   HyperLogLog sketches"
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { murmur64 } from "../base/murmur64.ts";

/** Number of registers. */
export const REGISTERS = 16384;
/** Bytes before the registers. */
export const HLL_HEADER_BYTES = 16;
/** Length of a dense one. */
export const HLL_DENSE_BYTES: number = HLL_HEADER_BYTES + REGISTERS * 6 / 8;
/** A sparse one that would be longer becomes dense. Unit: bytes, as in Redis by default. */
export const HLL_SPARSE_MAX_BYTES: number = 3000 + HLL_HEADER_BYTES;

const ENCODING_AT = 4;
const ESTIMATE_AT = 8;
const STALE_AT = 15;
const STALE = 0x80;
const SPARSE = 1;
const HASH_SEED = 0xadc83b19;
const INDEX_BITS = 14;
/** Bits of the hash behind the index, and the greatest value but one of a register. */
const COUNT_BITS = 50;
/** A sparse run has values up to this one. */
const SPARSE_MAX_VALUE = 32;
const SPARSE_MAX_RUN = 4;
const ZERO_MAX_RUN = 64;
const MAGIC = [0x48, 0x59, 0x4c, 0x4c];

/** What a byte string is. */
export const HllKind = {
  /** No HyperLogLog. */
  NONE: 0,
  DENSE: 1,
  SPARSE: 2,
} as const;
/** One of {@link HllKind}. */
export type HllKind = (typeof HllKind)[keyof typeof HllKind];

/** What the first bytes, up to 16, of a string of `byteCount` bytes say it is. Thread: any. */
export function hllKind(header: Uint8Array, byteCount: number): HllKind {
  if (byteCount < HLL_HEADER_BYTES) return HllKind.NONE;
  if (MAGIC.some((byte, i) => header[i] !== byte)) return HllKind.NONE;
  if (header[ENCODING_AT] === SPARSE) return HllKind.SPARSE;
  const isDense = header[ENCODING_AT] === 0 && byteCount === HLL_DENSE_BYTES;
  return isDense ? HllKind.DENSE : HllKind.NONE;
}

const hash = new Int64();

/** Where an element counts: its register in the low 14 bits, its value above. Thread: any. */
export function hllPlace(bytes: Uint8Array, start: number, end: number): number {
  murmur64(bytes, start, end, HASH_SEED, hash);
  const { hi, lo } = hash;
  // Bits 14 to 63; one more bit set behind them ends every row of zeros.
  const low = (lo >>> INDEX_BITS) | (hi << (32 - INDEX_BITS));
  const high = (hi >>> INDEX_BITS) | (1 << (COUNT_BITS - 32));
  const zeros = low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high);
  return (lo & (REGISTERS - 1)) | ((zeros + 1) << INDEX_BITS);
}

/** The register of {@link hllPlace}. Thread: any. */
export function placeIndex(place: number): number {
  return place & (REGISTERS - 1);
}

/** The value of {@link hllPlace}. Thread: any. */
export function placeValue(place: number): number {
  return place >>> INDEX_BITS;
}

/** First of the two bytes that hold a register of a dense one. Thread: any. */
export function denseByteOf(index: number): number {
  return HLL_HEADER_BYTES + Math.floor(index * 6 / 8);
}

/** Value of a register; `at` is {@link denseByteOf} of it in `bytes`. Thread: any. */
export function denseGet(bytes: Uint8Array, at: number, index: number): number {
  const shift = index * 6 & 7;
  const next = shift > 2 ? bytes[at + 1]! : 0;
  return ((bytes[at]! | next << 8) >>> shift) & 63;
}

/** Sets a register; `at` is {@link denseByteOf} of it in `bytes`. Thread: any. */
export function denseSet(bytes: Uint8Array, at: number, index: number, value: number): void {
  const shift = index * 6 & 7;
  const two = shift > 2 ? bytes[at]! | bytes[at + 1]! << 8 : bytes[at]!;
  const changed = (two & ~(63 << shift)) | value << shift;
  bytes[at] = changed & 0xff;
  if (shift > 2) bytes[at + 1] = changed >>> 8;
}

/**
 * Raises registers to those of a HyperLogLog of `byteCount` bytes.
 *
 * Thread: any.
 *
 * @returns false when it is damaged
 */
export function raiseRegisters(
  registers: Uint8Array,
  bytes: Uint8Array,
  byteCount: number,
): boolean {
  if (bytes[ENCODING_AT] !== SPARSE) {
    raiseFromDense(registers, bytes);
    return true;
  }
  let index = 0;
  for (let at = HLL_HEADER_BYTES; at < byteCount;) {
    const byte = bytes[at]!;
    if (byte < 0x40) {
      index += byte + 1;
      at++;
    } else if (byte < 0x80) {
      if (at + 1 >= byteCount) return false;
      index += ((byte & 0x3f) << 8 | bytes[at + 1]!) + 1;
      at += 2;
    } else {
      const value = (byte >>> 2 & 31) + 1;
      const end = index + (byte & 3) + 1;
      if (end > REGISTERS) return false;
      for (; index < end; index++) if (registers[index]! < value) registers[index] = value;
      at++;
    }
  }
  return index === REGISTERS;
}

/** Four registers are three bytes. */
function raiseFromDense(registers: Uint8Array, bytes: Uint8Array): void {
  for (let index = 0, at = HLL_HEADER_BYTES; index < REGISTERS; index += 4, at += 3) {
    const three = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16;
    if (three === 0) continue;
    const a = three & 63;
    const b = three >>> 6 & 63;
    const c = three >>> 12 & 63;
    const d = three >>> 18;
    if (registers[index]! < a) registers[index] = a;
    if (registers[index + 1]! < b) registers[index + 1] = b;
    if (registers[index + 2]! < c) registers[index + 2] = c;
    if (registers[index + 3]! < d) registers[index + 3] = d;
  }
}

/**
 * Writes registers as a HyperLogLog, sparse if it may be and is short enough.
 *
 * Thread: any.
 *
 * @param target room for {@link HLL_DENSE_BYTES}
 * @returns its length
 */
export function encodeHll(registers: Uint8Array, target: Uint8Array, mayBeSparse: boolean): number {
  target.fill(0, 0, HLL_HEADER_BYTES);
  target.set(MAGIC);
  target[STALE_AT] = STALE;
  const end = mayBeSparse ? encodeSparse(registers, target) : 0;
  if (end > 0) {
    target[ENCODING_AT] = SPARSE;
    return end;
  }
  for (let index = 0, at = HLL_HEADER_BYTES; index < REGISTERS; index += 4, at += 3) {
    const three = registers[index]! | registers[index + 1]! << 6 | registers[index + 2]! << 12 |
      registers[index + 3]! << 18;
    target[at] = three;
    target[at + 1] = three >>> 8;
    target[at + 2] = three >>> 16;
  }
  return HLL_DENSE_BYTES;
}

/** The length, or 0 when the registers are too many or too large. */
function encodeSparse(registers: Uint8Array, target: Uint8Array): number {
  let at = HLL_HEADER_BYTES;
  for (let index = 0; index < REGISTERS;) {
    const value = registers[index]!;
    let end = index + 1;
    while (end < REGISTERS && registers[end] === value) end++;
    if (value > SPARSE_MAX_VALUE) return 0;
    at = value === 0
      ? writeZeros(target, at, end - index)
      : writeValues(target, at, value, end - index);
    if (at > HLL_SPARSE_MAX_BYTES) return 0;
    index = end;
  }
  return at;
}

function writeZeros(target: Uint8Array, at: number, count: number): number {
  if (count <= ZERO_MAX_RUN) {
    target[at] = count - 1;
    return at + 1;
  }
  target[at] = 0x40 | (count - 1) >>> 8;
  target[at + 1] = (count - 1) & 0xff;
  return at + 2;
}

function writeValues(target: Uint8Array, at: number, value: number, count: number): number {
  for (; count > 0 && at <= HLL_SPARSE_MAX_BYTES; count -= SPARSE_MAX_RUN) {
    target[at++] = 0x80 | (value - 1) << 2 | (Math.min(count, SPARSE_MAX_RUN) - 1);
  }
  return at;
}

/** Says that the estimate in a HyperLogLog's first bytes is out of date. Thread: any. */
export function forgetEstimate(header: Uint8Array): void {
  header[STALE_AT]! |= STALE;
}

/** The estimate that a HyperLogLog carries, -1 when that is out of date. Thread: any. */
export function keptEstimate(header: Uint8Array): number {
  if ((header[STALE_AT]! & STALE) !== 0) return -1;
  let estimate = 0;
  for (let i = STALE_AT; i >= ESTIMATE_AT; i--) estimate = estimate * 256 + header[i]!;
  return estimate;
}

/** Estimates how many different elements led to the registers. Thread: any. */
export function estimateOf(registers: Uint8Array): number {
  const histogram = new Float64Array(64);
  for (let i = 0; i < REGISTERS; i++) histogram[registers[i]!]!++;
  let z = REGISTERS * tau((REGISTERS - histogram[COUNT_BITS + 1]!) / REGISTERS);
  for (let value = COUNT_BITS; value >= 1; value--) z = 0.5 * (z + histogram[value]!);
  z += REGISTERS * sigma(histogram[0]! / REGISTERS);
  return Math.round(REGISTERS * REGISTERS / (2 * Math.LN2) / z);
}

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let power = 1;
  let sum = x;
  for (let before = NaN; sum !== before; power *= 2) {
    x *= x;
    before = sum;
    sum += x * power;
  }
  return sum;
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let power = 1;
  let sum = 1 - x;
  for (let before = NaN; sum !== before;) {
    x = Math.sqrt(x);
    before = sum;
    power /= 2;
    sum -= (1 - x) ** 2 * power;
  }
  return sum / 3;
}
