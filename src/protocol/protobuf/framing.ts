/**
 * How messages are told apart on the wire.
 *
 * - `delimited`: in front of each message its length, as a varint, in both directions.
 * - `none`: each read is one message, each write one reply.
 *
 * @module
 */

import type { ByteWriter, InputBuffer } from "../../base/bytes.ts";

/** One of the two framings; `--proto-framing`. */
export type ProtoFraming = "delimited" | "none";

/** What is in front of the input. */
export const FrameStatus = {
  /** A whole message. */
  COMPLETE: 0,
  /** Part of a length. */
  IN_LENGTH: 1,
  /** A length and part of its message. */
  IN_MESSAGE: 2,
  /** Something that is no length; where the next message starts is not known. */
  BAD_LENGTH: 3,
  /** A message that is longer than allowed. */
  TOO_LARGE: 4,
} as const;

/** One of the values of {@link FrameStatus}. */
export type FrameStatus = (typeof FrameStatus)[keyof typeof FrameStatus];

/** A length has at most so many bytes; the last of them at most four bits. */
const LENGTH_MAX_BYTES = 5;

/**
 * Finds messages that have their length in front.
 *
 * Thread: belongs to one session.
 */
export class FrameReader {
  /** First byte of the message found. */
  start = 0;
  /** Behind its last byte. */
  end = 0;

  /** Looks at the front of the input for a message of at most so many bytes; takes nothing from it. */
  find(input: InputBuffer, maxMessageBytes: number): FrameStatus {
    const { bytes, end } = input;
    let byteCount = 0;
    for (let i = 0; i < LENGTH_MAX_BYTES; i++) {
      const at = input.start + i;
      if (at === end) return FrameStatus.IN_LENGTH;
      const byte = bytes[at]!;
      if (i === LENGTH_MAX_BYTES - 1 && byte > 0x0f) break;
      byteCount += (byte & 0x7f) * 2 ** (7 * i);
      if (byte >= 0x80) continue;
      if (byteCount > maxMessageBytes) return FrameStatus.TOO_LARGE;
      this.start = at + 1;
      this.end = this.start + byteCount;
      return this.end > end ? FrameStatus.IN_MESSAGE : FrameStatus.COMPLETE;
    }
    return FrameStatus.BAD_LENGTH;
  }
}

/** Appends a message to what will be written. Thread: any. */
export function appendFrame(output: ByteWriter, framing: ProtoFraming, message: Uint8Array): void {
  if (framing === "delimited") {
    let rest = message.length;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) output.byte((rest & 0x7f) | 0x80);
    output.byte(rest);
  }
  output.copy(message);
}
