/**
 * Takes the mask off what a client sent.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.3
 *
 * @module
 */

/** Fewer bytes are not worth a view of words, which costs as much as some 50 bytes. */
const WORDS_FROM_BYTES = 64;

/** One mask as a word of this machine, whatever its byte order. */
const wordBytes = new Uint8Array(4);
const word = new Int32Array(wordBytes.buffer);

/**
 * Applies a mask to `bytes[start, end)` in place; applying it again undoes it.
 *
 * Thread: any. Four bytes at a time where there are many.
 *
 * @param mask four bytes
 * @param phase how many bytes of the frame's payload lie in front of `start`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { unmask } from "./unmask.ts";
 * const bytes = Uint8Array.of(0x7f, 0x9f, 0x4d, 0x51, 0x58);
 * unmask(bytes, 0, 5, Uint8Array.of(0x37, 0xfa, 0x21, 0x3d), 0);
 * assert.equal(new TextDecoder().decode(bytes), "Hello");
 * ```
 */
export function unmask(
  bytes: Uint8Array,
  start: number,
  end: number,
  mask: Uint8Array,
  phase: number,
): void {
  if (end - start < WORDS_FROM_BYTES) return unmaskBytes(bytes, start, end, mask, phase);
  // A view of words must start at a multiple of four.
  const misaligned = (bytes.byteOffset + start) & 3;
  const wordStart = misaligned === 0 ? start : start + 4 - misaligned;
  const wordCount = (end - wordStart) >>> 2;
  const wordEnd = wordStart + 4 * wordCount;
  unmaskBytes(bytes, start, wordStart, mask, phase);
  const wordPhase = phase + wordStart - start;
  for (let i = 0; i < 4; i++) wordBytes[i] = mask[(wordPhase + i) & 3]!;
  const key = word[0]!;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + wordStart, wordCount);
  for (let i = 0; i < wordCount; i++) words[i]! ^= key;
  unmaskBytes(bytes, wordEnd, end, mask, wordPhase + wordEnd - wordStart);
}

function unmaskBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  mask: Uint8Array,
  phase: number,
): void {
  for (let at = start; at < end; at++) bytes[at]! ^= mask[(phase + at - start) & 3]!;
}
