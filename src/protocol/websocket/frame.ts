/**
 * Frames: what they are made of, and how those of the server are written.
 *
 * ```text
 * byte 0   FIN, three reserved bits, opcode (4 bits)
 * byte 1   MASK, length (7 bits): below 126 the length itself; 126: two more bytes follow, 127: eight
 *          length, big-endian
 *          mask, 4 bytes, if MASK: always from clients, never from servers
 *          payload
 * ```
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 *
 * @module
 */

import type { ByteWriter } from "../../base/bytes.ts";
import type { CloseCode } from "./close_code.ts";

/** The kinds of frames; those from 8 up are control frames. */
export const Opcode = {
  CONTINUATION: 0x0,
  TEXT: 0x1,
  BINARY: 0x2,
  CLOSE: 0x8,
  PING: 0x9,
  PONG: 0xa,
} as const;

/** One of the values of {@link Opcode}. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** Bit of byte 0: the last frame of its message. */
export const FIN_BIT = 0x80;

/** Bits of byte 0 that belong to extensions, of which there are none here. */
export const RESERVED_BITS = 0x70;

/** Bits of byte 0 that are the opcode. */
export const OPCODE_BITS = 0x0f;

/** Opcodes with this bit are of control frames. */
export const CONTROL_BIT = 0x08;

/** Bit of byte 1: the payload is masked. */
export const MASK_BIT = 0x80;

/** Bits of byte 1 that are a length. */
export const LENGTH_BITS = 0x7f;

/** A length that says: the next two bytes are the length. */
export const LENGTH_OF_2_BYTES = 126;

/** A length that says: the next eight bytes are the length. */
export const LENGTH_OF_8_BYTES = 127;

/** Longer payloads have eight bytes of length. Unit: bytes. */
export const MAX_LENGTH_OF_2_BYTES = 65535;

const TWO_32 = 4294967296;
const encoder = new TextEncoder();

/** Appends the head of an unfragmented frame whose payload of `byteCount` bytes follows. */
export function appendFrameHead(output: ByteWriter, opcode: Opcode, byteCount: number): void {
  output.byte(FIN_BIT | opcode);
  if (byteCount < LENGTH_OF_2_BYTES) {
    output.byte(byteCount);
  } else if (byteCount <= MAX_LENGTH_OF_2_BYTES) {
    output.byte(LENGTH_OF_2_BYTES);
    output.byte(byteCount >>> 8);
    output.byte(byteCount & 0xff);
  } else {
    output.byte(LENGTH_OF_8_BYTES);
    appendWord(output, Math.floor(byteCount / TWO_32));
    appendWord(output, byteCount % TWO_32);
  }
}

/** Appends an unfragmented frame with the payload `bytes[start, end)`. */
export function appendFrame(
  output: ByteWriter,
  opcode: Opcode,
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): void {
  appendFrameHead(output, opcode, end - start);
  output.copy(bytes, start, end);
}

/**
 * Appends a Close frame.
 *
 * @param reason words for people, at most 123 bytes
 */
export function appendClose(output: ByteWriter, code: number, reason = ""): void {
  const text = encoder.encode(reason);
  appendFrameHead(output, Opcode.CLOSE, 2 + text.length);
  output.byte(code >>> 8);
  output.byte(code & 0xff);
  output.copy(text);
}

/** A Close frame on its own, for connections that are closed from outside. */
export function closeFrame(code: CloseCode, reason: string): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(reason);
  return Uint8Array.of(FIN_BIT | Opcode.CLOSE, 2 + text.length, code >>> 8, code & 0xff, ...text);
}

function appendWord(output: ByteWriter, word: number): void {
  for (let shift = 24; shift >= 0; shift -= 8) output.byte(word >>> shift & 0xff);
}
