/**
 * Frames of HTTP/2.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9113#section-4
 *
 * @module
 */

import { encodeText } from "../http/characters.ts";

/** Types of frames. */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames. */
export const FrameFlag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** Why a stream or a connection ends. */
export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** One of the values of {@link ErrorCode}. */
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** Settings that mean something to us. */
export const Setting = {
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** What a client says first. */
export const PREFACE: Uint8Array<ArrayBuffer> = encodeText("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Bytes in front of a payload. */
export const FRAME_HEAD_BYTES = 9;

/** Longest payload, in either direction. Unit: bytes. Reason: what every client takes. */
export const FRAME_MAX_BYTES = 16384;

/** What a window begins with, and its bound. Unit: bytes. */
export const WINDOW_BYTES = 65535;

/** The bound of a window. Unit: bytes. */
export const WINDOW_MAX_BYTES: number = 2 ** 31 - 1;

/** Bytes of one frame. */
export function encodeFrame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEAD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length * 256 + type);
  bytes[4] = flags;
  view.setUint32(5, stream);
  bytes.set(payload, FRAME_HEAD_BYTES);
  return bytes;
}

/** A payload of numbers of four bytes. */
export function words(...values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value);
  return bytes;
}

/** A SETTINGS frame. */
export function settingsFrame(
  settings: readonly (readonly [id: number, value: number])[],
): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(6 * settings.length);
  const view = new DataView(payload.buffer);
  for (const [index, [id, value]] of settings.entries()) {
    view.setUint16(6 * index, id);
    view.setUint32(6 * index + 2, value);
  }
  return encodeFrame(FrameType.SETTINGS, 0, 0, payload);
}
