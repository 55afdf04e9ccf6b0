/**
 * Checks that text which comes in pieces is UTF-8.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3629#section-4
 *
 * @module
 */

/**
 * Finds the first byte that cannot be right, in whichever piece it comes.
 *
 * Thread: belongs to one connection. Allocates nothing.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Utf8Checker } from "./utf8_checker.ts";
 * const checker = new Utf8Checker();
 * const bytes = new TextEncoder().encode("€");
 * assert.ok(checker.take(bytes, 0, 2));
 * assert.ok(!checker.isComplete);
 * assert.ok(checker.take(bytes, 2, 3));
 * assert.ok(checker.isComplete);
 * ```
 */
export class Utf8Checker {
  /** Bytes that are missing of the character under way. */
  #missing = 0;
  /** Bounds of the next of them. */
  #low = 0x80;
  #high = 0xbf;

  /** Whether the text so far ends behind a whole character. */
  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** Starts over with another text. */
  reset(): void {
    this.#missing = 0;
    this.#low = 0x80;
    this.#high = 0xbf;
  }

  /**
   * Takes the next piece.
   *
   * @returns false when there is a byte in it with which no text can go on; then only
   *   {@link Utf8Checker.reset} may follow
   */
  take(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    while (at < end) {
      if (this.#missing > 0) {
        const byte = bytes[at]!;
        if (byte < this.#low || byte > this.#high) return false;
        this.#missing--;
        this.#low = 0x80;
        this.#high = 0xbf;
        at++;
        continue;
      }
      while (at < end && bytes[at]! < 0x80) at++;
      if (at < end && !this.#begin(bytes[at++]!)) return false;
    }
    return true;
  }

  /** Begins a character of several bytes: no overlong forms, no surrogates, none above U+10FFFF. */
  #begin(byte: number): boolean {
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte === 0xe0) this.#low = 0xa0;
    else if (byte === 0xf0) this.#low = 0x90;
    else if (byte === 0xed) this.#high = 0x9f;
    else if (byte === 0xf4) this.#high = 0x8f;
    return true;
  }
}
