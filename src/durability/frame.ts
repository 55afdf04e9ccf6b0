/**
 * Frames: what is recovered whole or not at all.
 *
 * ```text
 *  0  uint32   length of the body in bytes, a multiple of 8, at least 8
 *  4  uint32   CRC-32C of everything behind it: bytes 8 to the end of the body
 *  8  uint64   position: where the frame begins, in bytes; in a log counted over all segments
 *              without their headers, in a snapshot from the end of its header
 * 16  body     records
 * ```
 *
 * The position makes sure that what is read was written as this part of this log: neither the
 * remains of a file that once had the same blocks of the disk nor a piece in the wrong place
 * is taken for a frame.
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import { assert } from "../base/assert.ts";
import {
  ALIGNMENT_BYTES,
  FRAME_HEADER_BYTES,
  MAX_FRAME_BYTES,
  readUint64,
  writeUint64,
} from "./layout.ts";

/** Where the checksum is, and where what it is of begins. */
const CRC_AT = 4;
const SUMMED_AT = 8;

/**
 * Writes the header of the frame at `bytes[at…]`, whose body is there already.
 *
 * @param bodyBytes a multiple of 8, at least 8
 */
export function sealFrame(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  bodyBytes: number,
  position: number,
): void {
  assert(bodyBytes >= ALIGNMENT_BYTES && bodyBytes % ALIGNMENT_BYTES === 0, "a frame is aligned");
  assert(
    FRAME_HEADER_BYTES + bodyBytes <= MAX_FRAME_BYTES,
    "a frame is not longer than what is read",
  );
  view.setUint32(at, bodyBytes, true);
  writeUint64(view, at + SUMMED_AT, position);
  const end = at + FRAME_HEADER_BYTES + bodyBytes;
  view.setUint32(at + CRC_AT, crc32c(bytes, at + SUMMED_AT, end), true);
}

/**
 * Length of the frame that a header announces, header included.
 *
 * @param left bytes of the file from the header on
 * @returns the length, or, as a string, why there can be no such frame
 */
export function frameLength(
  view: DataView,
  at: number,
  position: number,
  left: number,
): number | string {
  if (left < FRAME_HEADER_BYTES) return `the file ends ${left} bytes into the header of a frame`;
  const bodyBytes = view.getUint32(at, true);
  if (bodyBytes < ALIGNMENT_BYTES || bodyBytes % ALIGNMENT_BYTES !== 0) {
    return `a frame cannot have ${bodyBytes} bytes`;
  }
  const byteCount = FRAME_HEADER_BYTES + bodyBytes;
  if (byteCount > MAX_FRAME_BYTES) return `a frame cannot have ${bodyBytes} bytes`;
  const found = readUint64(view, at + SUMMED_AT);
  if (found !== position) return `the frame has position ${found}, and should have ${position}`;
  if (byteCount > left) return `the file ends ${left} bytes into a frame of ${byteCount} bytes`;
  return byteCount;
}

/** Whether the checksum of the frame of `byteCount` bytes at `bytes[at…]` is right. */
export function isIntactFrame(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  byteCount: number,
): boolean {
  return view.getUint32(at + CRC_AT, true) === crc32c(bytes, at + SUMMED_AT, at + byteCount);
}

/** What is wrong with the checksum of a frame that is not intact, in words. */
export function checksumProblem(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  byteCount: number,
): string {
  const found = hex(view.getUint32(at + CRC_AT, true));
  const made = hex(crc32c(bytes, at + SUMMED_AT, at + byteCount));
  return `the checksum of a frame of ${byteCount} bytes is wrong: it says ${found}, and they make ${made}`;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
