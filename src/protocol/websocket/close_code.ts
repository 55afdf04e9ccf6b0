/**
 * Why a WebSocket connection is closed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4
 *
 * @module
 */

/** The codes that this server sends. */
export const CloseCode = {
  /** The client wanted to; an answer to its Close frame only. */
  NORMAL: 1000,
  /** The server is stopping. */
  GOING_AWAY: 1001,
  /** The client broke the protocol. */
  PROTOCOL_ERROR: 1002,
  /** The client sent binary data. */
  UNSUPPORTED_DATA: 1003,
  /** A text message that is not UTF-8. */
  INVALID_TEXT: 1007,
  /** A message that came too slowly. */
  POLICY: 1008,
  /** A message that is too long. */
  TOO_LARGE: 1009,
} as const;

/** One of the values of {@link CloseCode}. */
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/** The last code that is registered. */
const LAST_REGISTERED_CODE = 1014;

/** 1004 is reserved; 1005 and 1006 stand for frames without a code, and for none at all. */
const NEVER_SENT = [1004, 1005, 1006];

/** From here on they are for libraries, frameworks and applications. */
const FIRST_FREE_CODE = 3000;

const LAST_FREE_CODE = 4999;

/** Whether a client may send this code in a Close frame. */
export function isSendableCode(code: number): boolean {
  if (code >= FIRST_FREE_CODE) return code <= LAST_FREE_CODE;
  return code >= CloseCode.NORMAL && code <= LAST_REGISTERED_CODE && !NEVER_SENT.includes(code);
}
