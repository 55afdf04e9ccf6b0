/**
 * Texts of a decoded message as bytes again, the way the event rules look at them.
 *
 * @module
 */

import type { ByteSlice } from "../../base/job.ts";

const textEncoder = new TextEncoder();

/**
 * Room for the bytes of one text.
 *
 * Thread: belongs to one thread; the bytes are good until the next text.
 */
export class TextBytes {
  readonly #room: Uint8Array;
  readonly #keptLength: number;

  /**
   * Makes room.
   *
   * @param maxBytes more than this many bytes are too many, however many they are
   */
  constructor(maxBytes: number) {
    // A text with more characters than may be bytes has more bytes, too; so no more are encoded.
    this.#keptLength = maxBytes + 1;
    this.#room = new Uint8Array(this.#keptLength * 3);
  }

  /** Makes `slice` the UTF-8 bytes of `text`, or more than `maxBytes` when it is longer. */
  encode(text: string, slice: ByteSlice): void {
    const kept = text.length > this.#keptLength ? text.slice(0, this.#keptLength) : text;
    slice.set(this.#room, 0, textEncoder.encodeInto(kept, this.#room).written);
  }
}
