/**
 * Watches the frames that an HTTP/2 client sends, for floods that cost us more than the client.
 *
 * The bytes pass here before anybody takes frames out of them: what is too much is found by a frame's
 * head, whatever is in the frame and whether it is all there.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9113#section-10.5
 *
 * @module
 */

import { FRAME_HEAD_BYTES, FrameFlag, FrameType, PREFACE } from "./frames.ts";

/** How long frames are counted before the count starts over. Unit: ms. */
export const METER_WINDOW_MS = 10_000;

/**
 * Most streams that may end with a reset in a window, each counted once for each side that resets it.
 *
 * Reason: a request that is taken back costs its client nothing and us an execution (CVE-2023-44487);
 * a page that is left cancels a hundred or so.
 */
export const RESETS_MAX = 400;

/** Most SETTINGS, PING, PRIORITY, unknown and empty DATA frames in a window. */
export const CONTROL_FRAMES_MAX = 1000;

/** Most WINDOW_UPDATE frames in a window, besides one for each {@link UPDATE_BYTES} that we send. */
export const WINDOW_UPDATES_MAX = 2000;

/** No client need grant less than this at a time. Unit: bytes. */
const UPDATE_BYTES = 512;

/**
 * Most that the header block of one request may have, compressed.
 *
 * Unit: bytes. Reason: twice what the fields may have in HTTP/1.1.
 */
export const HEADER_BLOCK_MAX_BYTES = 32768;

/** Most frames that a header block may come in. Reason: CONTINUATION frames may be empty. */
export const HEADER_FRAMES_MAX = 8;

/**
 * Counts what one client sends.
 *
 * Thread: belongs to one connection.
 */
export class FrameMeter {
  /** When the header block that is half received began to arrive, by the caller's clock; 0 = none is. */
  headStartedAtMs = 0;

  /** Bytes to skip before the next frame's head: the rest of a payload, at first the preface. */
  #skipBytes: number = PREFACE.length;
  readonly #head = new Uint8Array(FRAME_HEAD_BYTES);
  #headLength = 0;
  #headerBytes = 0;
  #headerFrames = 0;
  #windowStartedAtMs = 0;
  #resets = 0;
  #controlFrames = 0;
  #windowUpdates = 0;
  #sentBytes = 0;
  #isExcessive = false;

  /**
   * Looks at bytes in the order in which they arrive.
   *
   * @param nowMs any clock that does not go back, above 0
   * @returns whether the client may go on; false for ever once it may not
   */
  take(bytes: Uint8Array, nowMs: number): boolean {
    this.#turn(nowMs);
    for (let at = 0; at < bytes.length && !this.#isExcessive;) {
      if (this.#skipBytes > 0) {
        const step = Math.min(this.#skipBytes, bytes.length - at);
        this.#skipBytes -= step;
        at += step;
        continue;
      }
      this.#head[this.#headLength++] = bytes[at++]!;
      if (this.#headLength === FRAME_HEAD_BYTES) this.#frame(nowMs);
    }
    return !this.#isExcessive;
  }

  /** Counts a stream that we ended before its time, for which the client may be the reason. */
  countReset(nowMs: number): boolean {
    this.#turn(nowMs);
    return this.#spend(++this.#resets <= RESETS_MAX);
  }

  /** Takes note of what was sent to the client, who grants as much again. */
  countSent(byteCount: number): void {
    this.#sentBytes += byteCount;
  }

  #turn(nowMs: number): void {
    if (nowMs - this.#windowStartedAtMs < METER_WINDOW_MS) return;
    this.#windowStartedAtMs = nowMs;
    this.#resets =
      this.#controlFrames =
      this.#windowUpdates =
      this.#sentBytes =
        0;
  }

  #frame(nowMs: number): void {
    const head = this.#head;
    const length = head[0]! << 16 | head[1]! << 8 | head[2]!;
    const type = head[3]!;
    const flags = head[4]!;
    this.#headLength = 0;
    this.#skipBytes = length;
    switch (type) {
      case FrameType.HEADERS:
        this.#headerBytes = this.#headerFrames = 0;
        return this.#headerFrame(length, flags, nowMs);
      case FrameType.CONTINUATION:
        return this.#headerFrame(length, flags, nowMs);
      case FrameType.RST_STREAM:
        this.#spend(++this.#resets <= RESETS_MAX);
        return;
      case FrameType.WINDOW_UPDATE: {
        const allowed = WINDOW_UPDATES_MAX + this.#sentBytes / UPDATE_BYTES;
        this.#spend(++this.#windowUpdates <= allowed);
        return;
      }
      case FrameType.DATA:
        if (length > 0 || (flags & FrameFlag.END_STREAM) !== 0) return;
    }
    this.#spend(++this.#controlFrames <= CONTROL_FRAMES_MAX);
  }

  #headerFrame(length: number, flags: number, nowMs: number): void {
    this.#headerBytes += length;
    this.#headerFrames++;
    this.#spend(
      this.#headerBytes <= HEADER_BLOCK_MAX_BYTES && this.#headerFrames <= HEADER_FRAMES_MAX,
    );
    if ((flags & FrameFlag.END_HEADERS) !== 0) this.headStartedAtMs = 0;
    else if (this.headStartedAtMs === 0) this.headStartedAtMs = nowMs;
  }

  #spend(isWithin: boolean): boolean {
    if (!isWithin) this.#isExcessive = true;
    return isWithin;
  }
}
