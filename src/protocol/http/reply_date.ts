/**
 * The `Date` of replies, made once a second.
 *
 * @module
 */

import { encodeText } from "./characters.ts";

/** Length of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`. Unit: bytes. */
export const DATE_BYTES = 29;

/**
 * The current date as bytes.
 *
 * Thread: one per I/O thread.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1
 */
export class ReplyDate {
  /** The date's {@link DATE_BYTES} bytes; replaced when the second changes. */
  bytes: Uint8Array<ArrayBuffer> = encodeText("Thu, 01 Jan 1970 00:00:00 GMT");
  /** The second that `bytes` says, since the epoch. */
  second = 0;
  /** The time of day that was given last. Unit: ms since the epoch. */
  nowMs = 0;

  /** Takes the time of day; cheap within the same second. */
  update(nowMs: number): void {
    this.nowMs = nowMs;
    const second = Math.floor(nowMs / 1000);
    if (second === this.second) return;
    this.second = second;
    this.bytes = encodeText(new Date(second * 1000).toUTCString());
  }
}
