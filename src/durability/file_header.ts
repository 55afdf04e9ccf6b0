/**
 * The first 64 bytes of a segment of the log and of a snapshot.
 *
 * ```text
 *  0  8 bytes   "SLUICELG" (log) or "SLUICESN" (snapshot)
 *  8  uint16    version of the format
 * 10  uint16    flags (HeaderFlag)
 * 12  uint32    length of this header, 64
 * 16  uint64    position of the first frame (log); position of the log from which on the log's
 *               effects may be missing here (snapshot)
 * 24  uint64    when the file was made, ms since the epoch
 * 32  16 bytes  history: drawn once for a data directory, so that no file of another one is taken
 *               for one of its own
 * 48  12 bytes  zeros
 * 60  uint32    CRC-32C of the 60 bytes before it
 * ```
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";
import { FILE_HEADER_BYTES, FORMAT_VERSION, readUint64, writeUint64 } from "./layout.ts";

/** What a file is. */
export type FileKind = "log" | "snapshot";

/** Bits of a header's flags. */
export const HeaderFlag = {
  /**
   * A segment that was begun because the one before it could not be written or synced: that one may
   * end anywhere, and nothing behind its last durable position was ever confirmed.
   */
  AFTER_FAILURE: 1,
} as const;

/** Length of a history. Unit: bytes. */
export const HISTORY_BYTES = 16;

const MAGIC: Readonly<Record<FileKind, string>> = { log: "SLUICELG", snapshot: "SLUICESN" };
const MAGIC_BYTES = 8;
const CRC_AT = FILE_HEADER_BYTES - 4;
const KNOWN_FLAGS: number = HeaderFlag.AFTER_FAILURE;

/** What a header says. */
export interface FileHeader {
  /** What the file is. */
  readonly kind: FileKind;
  /** Bits of {@link HeaderFlag}. */
  readonly flags: number;
  /** See the drawing above. Unit: bytes of log. */
  readonly position: number;
  /** Unit: ms since the epoch. */
  readonly createdAtMs: number;
  /** Which data directory it belongs to; {@link HISTORY_BYTES} bytes. */
  readonly history: Uint8Array;
}

/**
 * The bytes of a header.
 *
 * @param version of the format; tests have others
 */
export function encodeFileHeader(
  header: FileHeader,
  version: number = FORMAT_VERSION,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  new TextEncoder().encodeInto(MAGIC[header.kind], bytes);
  view.setUint16(8, version, true);
  view.setUint16(10, header.flags, true);
  view.setUint32(12, FILE_HEADER_BYTES, true);
  writeUint64(view, 16, header.position);
  writeUint64(view, 24, header.createdAtMs);
  bytes.set(header.history, 32);
  view.setUint32(CRC_AT, crc32c(bytes, 0, CRC_AT), true);
  return bytes;
}

/**
 * Reads a header.
 *
 * @param bytes the front of a file; may be shorter than a header
 * @returns what it says, or, as a string, what is wrong with it
 */
export function decodeFileHeader(bytes: Uint8Array, kind: FileKind): FileHeader | string {
  if (bytes.length < FILE_HEADER_BYTES) {
    return `the file ends after ${bytes.length} bytes; its header has ${FILE_HEADER_BYTES}`;
  }
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC_BYTES));
  if (magic !== MAGIC[kind]) return `the file does not begin with ${MAGIC[kind]}`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FILE_HEADER_BYTES);
  const version = view.getUint16(8, true);
  // Of another version nothing else is known, not even where its checksum is.
  if (version !== FORMAT_VERSION) {
    return `the file has version ${version} of the format; this program reads version ${FORMAT_VERSION}`;
  }
  if (view.getUint32(CRC_AT, true) !== crc32c(bytes, 0, CRC_AT)) {
    return "the checksum of the file's header is wrong";
  }
  const flags = view.getUint16(10, true);
  if ((flags & ~KNOWN_FLAGS) !== 0) return `the file has unknown flags (${flags})`;
  return {
    kind,
    flags,
    position: readUint64(view, 16),
    createdAtMs: readUint64(view, 24),
    history: bytes.slice(32, 32 + HISTORY_BYTES),
  };
}
