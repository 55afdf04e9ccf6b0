/**
 * Errors that are sent without the Protobuf library, which is loaded for the first client only.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import { appendFrame, type ProtoFraming } from "./framing.ts";

/**
 * Codes of `ErrorCode` in `proto/sluice/v1/messages.proto`, of errors that the connection layer
 * sends by itself.
 */
export const PlainErrorCode = {
  /** There is no room for this connection. */
  TOO_MANY_CONNECTIONS: 11,
  /** The message did not arrive in time. */
  TIMEOUT: 12,
} as const;

/** One of the values of {@link PlainErrorCode}. */
export type PlainErrorCode = (typeof PlainErrorCode)[keyof typeof PlainErrorCode];

/** Tag of `ServerMessage.error`: field 5, a message. */
const ERROR_TAG = 0x2a;
/** Tag of `ErrorReply.code`: field 1, a varint. */
const CODE_TAG = 0x08;
/** Tag of `ErrorReply.message`: field 2, a string. */
const MESSAGE_TAG = 0x12;

/**
 * Encodes a `ServerMessage` with an error, framed.
 *
 * Thread: any.
 *
 * @param text ASCII, and short: every length is one byte
 */
export function encodePlainError(
  framing: ProtoFraming,
  code: PlainErrorCode,
  text: string,
): Uint8Array<ArrayBuffer> {
  const head = [ERROR_TAG, text.length + 4, CODE_TAG, code, MESSAGE_TAG, text.length];
  const output = new ByteWriter(64);
  appendFrame(output, framing, Uint8Array.of(...head, ...new TextEncoder().encode(text)));
  return output.bytes.slice(0, output.length);
}
