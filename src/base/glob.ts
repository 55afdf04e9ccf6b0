/**
 * Glob patterns as Redis has them: `*`, `?`, `[a-c]`, `[^a]`, `\x`.
 *
 * @module
 */

/**
 * Whether the whole of `text` matches `pattern`; both have one character per byte.
 *
 * Takes time in the order of `pattern.length * text.length` at worst: on a mismatch only the last
 * `*` is tried again one character further.
 *
 * Thread: any.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { matchesGlob } from "./glob.ts";
 * assert.equal(matchesGlob("max*", "maxmemory"), true);
 * assert.equal(matchesGlob("h[^a]llo", "hallo"), false);
 * ```
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const bytes = latin1Bytes(text);
  return matchesGlobBytes(latin1Bytes(pattern), bytes, 0, bytes.length);
}

/**
 * The same for bytes, with nothing to be converted: whether the whole of `bytes[start, end)` matches; `?` stands for one byte.
 *
 * Thread: any.
 */
export function matchesGlobBytes(
  pattern: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  let p = 0;
  let t = start;
  let starAt = -1;
  let starText = start;
  while (t < end) {
    if (pattern[p] === STAR) {
      starAt = p++;
      starText = t;
      continue;
    }
    const next = p < pattern.length ? matchGlobByte(pattern, p, bytes[t]!) : -1;
    if (next >= 0) {
      p = next;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      t = ++starText;
    } else {
      return false;
    }
  }
  while (pattern[p] === STAR) p++;
  return p === pattern.length;
}

/** Whether a pattern matches everything. */
export function isMatchAll(pattern: Uint8Array): boolean {
  return pattern.length === 1 && pattern[0] === STAR;
}

/** The bytes of a text that has one character per byte. Thread: any. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Matches one byte with the element of `pattern` at `at`, which is no `*`.
 *
 * Thread: any.
 *
 * @returns the offset behind that element, or -1
 */
export function matchGlobByte(pattern: Uint8Array, at: number, code: number): number {
  const char = pattern[at];
  if (char === QUESTION) return at + 1;
  if (char === OPEN) return matchSet(pattern, at + 1, code);
  const literalAt = char === BACKSLASH && at + 1 < pattern.length ? at + 1 : at;
  return pattern[literalAt] === code ? literalAt + 1 : -1;
}

/** Matches `abc]`, `a-c]` or `^a]`; a set that is not closed ends with the pattern. */
function matchSet(pattern: Uint8Array, at: number, code: number): number {
  const negated = pattern[at] === CARET;
  if (negated) at++;
  let found = false;
  while (at < pattern.length && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < pattern.length) at++;
    let low = pattern[at]!;
    let high = low;
    if (pattern[at + 1] === MINUS && at + 2 < pattern.length) {
      high = pattern[at + 2]!;
      at += 2;
    }
    if (low > high) [low, high] = [high, low];
    if (code >= low && code <= high) found = true;
    at++;
  }
  if (found === negated) return -1;
  return at < pattern.length ? at + 1 : at;
}

const STAR = 0x2a;
const MINUS = 0x2d;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const CARET = 0x5e;
