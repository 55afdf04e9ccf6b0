/**
 * Marks: frames in which the log says of itself how far it was durable.
 *
 * A mark leads each piece that is written. Without marks a reader could not tell damage from a write
 * that a power cut tore: after one, the disk may have the end of what was written and not its
 * beginning. What lies in front of a durable position was promised to clients, so that anything
 * unreadable there is damage; what lies behind all of them was not.
 *
 * @module
 */

import { sealFrame } from "./frame.ts";
import { FRAME_HEADER_BYTES, readUint64, RECORD_HEADER_BYTES, writeUint64 } from "./layout.ts";
import { RecordType } from "./record.ts";

const PAYLOAD_BYTES = 24;
const BODY_BYTES = RECORD_HEADER_BYTES + PAYLOAD_BYTES;
const PAYLOAD_AT = FRAME_HEADER_BYTES + RECORD_HEADER_BYTES;

/** Length of the frame of a mark. */
export const MARK_FRAME_BYTES: number = FRAME_HEADER_BYTES + BODY_BYTES;

/** What a mark says. */
export interface Mark {
  /** Everything in front of this position was on the disk. */
  readonly durablePosition: number;
  /** When the mark was written. Unit: ms since the epoch. */
  readonly writtenAtMs: number;
  /** The log ends here: the server was stopped, and everything is in the log. */
  readonly isStop: boolean;
}

/** Writes the frame of a mark at `bytes[at…]`. */
export function writeMark(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  position: number,
  mark: Mark,
): void {
  bytes.fill(0, at, at + MARK_FRAME_BYTES);
  const recordAt = at + FRAME_HEADER_BYTES;
  view.setUint8(recordAt, RecordType.MARK);
  view.setUint32(recordAt + 4, PAYLOAD_BYTES, true);
  writeUint64(view, at + PAYLOAD_AT, mark.durablePosition);
  writeUint64(view, at + PAYLOAD_AT + 8, mark.writtenAtMs);
  writeUint64(view, at + PAYLOAD_AT + 16, mark.isStop ? 1 : 0);
  sealFrame(bytes, view, at, BODY_BYTES, position);
}

/** The mark whose frame has the body `bytes[bodyStart, bodyEnd)`; undefined: it is no mark. */
export function readMark(bytes: Uint8Array, bodyStart: number, bodyEnd: number): Mark | undefined {
  if (bodyEnd - bodyStart !== BODY_BYTES || bytes[bodyStart] !== RecordType.MARK) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + bodyStart, BODY_BYTES);
  const at = RECORD_HEADER_BYTES;
  return {
    durablePosition: readUint64(view, at),
    writtenAtMs: readUint64(view, at + 8),
    isStop: readUint64(view, at + 16) === 1,
  };
}
