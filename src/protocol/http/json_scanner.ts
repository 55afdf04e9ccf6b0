/**
 * Walks over JSON in UTF-8 and tells where things are.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259
 *
 * @module
 */

import { BACKSLASH, COLON, COMMA, DIGIT_0, hexDigit, QUOTE, SPACE } from "./characters.ts";
import { MAX_JSON_DEPTH } from "./limits.ts";

/** What a value is. */
export const JsonKind = {
  /** There is none. */
  MISSING: 0,
  STRING: 1,
  /** A number without fraction and exponent. */
  INTEGER: 2,
  /** Any other number. */
  FRACTION: 3,
  /** `true`, `false` or `null`. */
  LITERAL: 4,
  ARRAY: 5,
  OBJECT: 6,
} as const;

/** One of the values of {@link JsonKind}. */
export type JsonKind = (typeof JsonKind)[keyof typeof JsonKind];

/**
 * Where a value is.
 *
 * Shape: for strings, the range between the quotes; for everything else, the whole text.
 *
 * Thread: one; reuse instances.
 */
export class JsonToken {
  /** What it is; hasEscape counts for strings only. */
  kind: JsonKind = JsonKind.MISSING;
  /** First byte. */
  start = 0;
  /** Behind the last byte. */
  end = 0;
  /** Whether a string has a backslash in it. */
  hasEscape = false;
}

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const LETTER_E = 0x65;
const LETTER_U = 0x75;
const TRUE = [0x74, 0x72, 0x75, 0x65];
const FALSE = [0x66, 0x61, 0x6c, 0x73, 0x65];
const NULL = [0x6e, 0x75, 0x6c, 0x6c];

/** 1 for bytes that a string takes as they are: ASCII but controls, quote and backslash. */
const IS_PLAIN = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte >= SPACE && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);

/** 1 for the bytes that may follow a backslash, `u` aside. */
const IS_ESCAPE = Uint8Array.from(
  { length: 256 },
  (_, byte) => '"\\/bfnrt'.includes(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * A strict scanner that keeps no more than its place.
 *
 * Every method returns false for malformed text and must not be followed by another then. Nesting
 * deeper than {@link MAX_JSON_DEPTH} counts as malformed.
 *
 * Thread: one; reuse one instance.
 */
export class JsonScanner {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #isFirst = true;
  #malformed = false;
  /** For each open array or object: 1 = object. */
  readonly #nesting = new Uint8Array(MAX_JSON_DEPTH);

  /** Starts with the text `bytes[start, end)`; skips a byte order mark. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    const hasMark = end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb &&
      bytes[start + 2] === 0xbf;
    this.#bytes = bytes;
    this.#at = hasMark ? start + 3 : start;
    this.#end = end;
    this.#isFirst = true;
    this.#malformed = false;
  }

  /** Whether an object begins here; if so, its `{` is taken. */
  enterObject(): boolean {
    this.#skipSpace();
    return this.#take(OPEN_BRACE);
  }

  /**
   * Goes to the next member of the entered object, up to its value.
   *
   * @param key receives the key
   * @returns false behind the last member, and for malformed text ({@link JsonScanner.atEnd} tells
   *   them apart)
   */
  nextMember(key: JsonToken): boolean {
    this.#skipSpace();
    if (this.#take(CLOSE_BRACE)) return false;
    if (!this.#isFirst) {
      if (!this.#take(COMMA)) return this.#fail();
      this.#skipSpace();
    }
    this.#isFirst = false;
    return this.#key(key) || this.#fail();
  }

  /** Takes one value of any kind. */
  value(token: JsonToken): boolean {
    this.#skipSpace();
    return this.#value(token) || this.#fail();
  }

  /** Whether nothing follows but white space, and everything before was well-formed. */
  atEnd(): boolean {
    this.#skipSpace();
    return !this.#malformed && this.#at === this.#end;
  }

  #fail(): false {
    this.#malformed = true;
    return false;
  }

  #take(byte: number): boolean {
    if (this.#at >= this.#end || this.#bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < this.#end) {
      const byte = bytes[at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at++;
    }
    this.#at = at;
  }

  #key(token: JsonToken): boolean {
    if (!this.#take(QUOTE) || !this.#string(token)) return false;
    this.#skipSpace();
    return this.#take(COLON);
  }

  #value(token: JsonToken): boolean {
    const byte = this.#at < this.#end ? this.#bytes[this.#at]! : 0;
    if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      token.kind = byte === OPEN_BRACE ? JsonKind.OBJECT : JsonKind.ARRAY;
      token.start = this.#at;
      if (!this.#nested()) return false;
      token.end = this.#at;
      return true;
    }
    return this.#scalar(token, byte);
  }

  #scalar(token: JsonToken, byte: number): boolean {
    switch (byte) {
      case QUOTE:
        this.#at++;
        return this.#string(token);
      case TRUE[0]:
        return this.#literal(token, TRUE);
      case FALSE[0]:
        return this.#literal(token, FALSE);
      case NULL[0]:
        return this.#literal(token, NULL);
      default:
        return this.#number(token);
    }
  }

  /** Skips an array or object, however deep, without recursion. */
  #nested(): boolean {
    const scratch = this.#scratchToken;
    const nesting = this.#nesting;
    let depth = 0;
    for (;;) {
      // A value starts here; arrays and objects open until a scalar or an empty one is met.
      const byte = this.#at < this.#end ? this.#bytes[this.#at]! : 0;
      if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
        const isObject = byte === OPEN_BRACE;
        if (depth === nesting.length) return false;
        nesting[depth++] = isObject ? 1 : 0;
        this.#at++;
        this.#skipSpace();
        if (this.#take(isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
          depth--;
        } else {
          if (isObject) {
            if (!this.#key(scratch)) return false;
            this.#skipSpace();
          }
          continue;
        }
      } else if (!this.#scalar(scratch, byte)) {
        return false;
      }
      // A value ended here; close what ends with it, then go to the next value.
      for (;;) {
        if (depth === 0) return true;
        const isObject = nesting[depth - 1] === 1;
        this.#skipSpace();
        if (this.#take(isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
          depth--;
          continue;
        }
        if (!this.#take(COMMA)) return false;
        this.#skipSpace();
        if (isObject) {
          if (!this.#key(scratch)) return false;
          this.#skipSpace();
        }
        break;
      }
    }
  }

  readonly #scratchToken = new JsonToken();

  /** Takes a string whose opening quote is taken. */
  #string(token: JsonToken): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    token.kind = JsonKind.STRING;
    token.start = at;
    token.hasEscape = false;
    while (at < end) {
      const byte = bytes[at]!;
      if (IS_PLAIN[byte] === 1) {
        at++;
      } else if (byte === QUOTE) {
        token.end = at;
        this.#at = at + 1;
        return true;
      } else if (byte === BACKSLASH) {
        token.hasEscape = true;
        const byteCount = escapeBytes(bytes, at, end);
        if (byteCount === 0) return false;
        at += byteCount;
      } else {
        const byteCount = sequenceBytes(bytes, at, end);
        if (byteCount === 0) return false;
        at += byteCount;
      }
    }
    return false;
  }

  #literal(token: JsonToken, letters: readonly number[]): boolean {
    token.kind = JsonKind.LITERAL;
    token.start = this.#at;
    for (const letter of letters) if (!this.#take(letter)) return false;
    token.end = this.#at;
    return true;
  }

  /** `-`? (`0` | `1`…`9` digits) (`.` digits)? (`e` sign? digits)? */
  #number(token: JsonToken): boolean {
    token.kind = JsonKind.INTEGER;
    token.start = this.#at;
    token.hasEscape = false;
    this.#take(MINUS);
    if (!this.#take(DIGIT_0) && !this.#digits()) return false;
    if (this.#take(DOT)) {
      token.kind = JsonKind.FRACTION;
      if (!this.#digits()) return false;
    }
    if (this.#at < this.#end && (this.#bytes[this.#at]! | 0x20) === LETTER_E) {
      token.kind = JsonKind.FRACTION;
      this.#at++;
      if (!this.#take(MINUS)) this.#take(PLUS);
      if (!this.#digits()) return false;
    }
    token.end = this.#at;
    return true;
  }

  /** Takes one or more digits. */
  #digits(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    while (at < this.#end && bytes[at]! >= DIGIT_0 && bytes[at]! <= DIGIT_0 + 9) at++;
    this.#at = at;
    return at > start;
  }
}

/** Length of the escape at the backslash `at`, or 0. */
function escapeBytes(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return 0;
  const letter = bytes[at + 1]!;
  if (letter !== LETTER_U) return IS_ESCAPE[letter] === 1 ? 2 : 0;
  if (at + 6 > end) return 0;
  for (let i = at + 2; i < at + 6; i++) if (hexDigit(bytes[i]!) < 0) return 0;
  return 6;
}

/**
 * Length of the well-formed sequence at `at` that starts with a byte from 0x80 up, or 0.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3629#section-4 for the byte ranges
 */
function sequenceBytes(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  if (first >= 0xc2 && first <= 0xdf) return continues(bytes, at + 1, end, 1) ? 2 : 0;
  if (first < 0xe0 || first > 0xf4 || at + 1 >= end) return 0;
  const second = bytes[at + 1]!;
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  const byteCount = first < 0xf0 ? 3 : 4;
  return continues(bytes, at + 2, end, byteCount - 2) ? byteCount : 0;
}

function continues(bytes: Uint8Array, at: number, end: number, count: number): boolean {
  if (at + count > end) return false;
  for (let i = at; i < at + count; i++) if ((bytes[i]! & 0xc0) !== 0x80) return false;
  return true;
}
