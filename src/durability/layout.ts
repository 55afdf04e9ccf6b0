/**
 * What the files of a data directory have in common; docs/storage-format.md draws every byte.
 *
 * A file is a header and frames. A frame is what is recovered whole or not at all: all effects that a
 * command had while it held its locks are in one, with those of others that came at the same time. It
 * consists of records, one for each effect.
 *
 * ```text
 * file     header, 64 bytes │ frame │ frame │ …
 * frame    header, 16 bytes │ record │ record │ …
 * record   header, 16 bytes │ [expiry] │ key │ payload │ zeros
 * ```
 *
 * Everything is little-endian, and frames and records are multiples of {@link ALIGNMENT_BYTES}.
 *
 * @module
 */

/** Version of the format. A reader refuses files with another one. */
export const FORMAT_VERSION = 1;

/** Frames and records begin at multiples of this, counted from the start of the file. */
export const ALIGNMENT_BYTES = 8;

/** Length of a file's header. */
export const FILE_HEADER_BYTES = 64;
/** Length of a frame's header. */
export const FRAME_HEADER_BYTES = 16;
/** Length of a record's header. */
export const RECORD_HEADER_BYTES = 16;
/** Length of the time when a key expires, where a record has one. */
export const EXPIRY_BYTES = 8;

/**
 * The longest frame that is written. A reader that sees a longer one need not look for its end: the
 * length is not one.
 */
export const MAX_FRAME_BYTES: number = 512 * 2 ** 20;

/** `byteCount` rounded up to a multiple of {@link ALIGNMENT_BYTES}; below 2^31. */
export function aligned(byteCount: number): number {
  return (byteCount + (ALIGNMENT_BYTES - 1)) & -ALIGNMENT_BYTES;
}

/** Writes a safe integer that is not negative as 64 bits. */
export function writeUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Reads 64 bits; what is not a safe integer comes back as `NaN`. */
export function readUint64(view: DataView, at: number): number {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
  return Number.isSafeInteger(value) ? value : NaN;
}
