/**
 * Glob patterns as Redis has them: `*`, `?`, `[a-c]`, `[^a]`, `\x`.
 *
 * @module
 */

/**
 * Whether the whole of `text` matches `pattern`.
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
  let p = 0;
  let t = 0;
  let starAt = -1;
  let starText = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      starAt = p++;
      starText = t;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : -1;
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
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Matches one character; returns the offset behind the pattern's element, or -1. */
function matchOne(pattern: string, at: number, code: number): number {
  const char = pattern[at];
  if (char === "?") return at + 1;
  if (char === "[") return matchSet(pattern, at + 1, code);
  const literalAt = char === "\\" && at + 1 < pattern.length ? at + 1 : at;
  return pattern.charCodeAt(literalAt) === code ? literalAt + 1 : -1;
}

/** Matches `abc]`, `a-c]` or `^a]`; a set that is not closed ends with the pattern. */
function matchSet(pattern: string, at: number, code: number): number {
  const negated = pattern[at] === "^";
  if (negated) at++;
  let found = false;
  while (at < pattern.length && pattern[at] !== "]") {
    if (pattern[at] === "\\" && at + 1 < pattern.length) at++;
    let low = pattern.charCodeAt(at);
    let high = low;
    if (pattern[at + 1] === "-" && at + 2 < pattern.length) {
      high = pattern.charCodeAt(at + 2);
      at += 2;
    }
    if (low > high) [low, high] = [high, low];
    if (code >= low && code <= high) found = true;
    at++;
  }
  if (found === negated) return -1;
  return at < pattern.length ? at + 1 : at;
}
