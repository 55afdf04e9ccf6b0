/**
 * Which bytes may stand where in a request, as one table of flags.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 tokens
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.5 field values
 * @see https://www.rfc-editor.org/rfc/rfc3986#appendix-A targets
 *
 * @module
 */

/** Horizontal tab. */
export const TAB = 0x09;
/** Line feed. */
export const LF = 0x0a;
/** Carriage return. */
export const CR = 0x0d;
/** Space. */
export const SPACE = 0x20;
/** `"` */
export const QUOTE = 0x22;
/** `%` */
export const PERCENT = 0x25;
/** `,` */
export const COMMA = 0x2c;
/** `/` */
export const SLASH = 0x2f;
/** `0` */
export const DIGIT_0 = 0x30;
/** `:` */
export const COLON = 0x3a;
/** `;` */
export const SEMICOLON = 0x3b;
/** `=` */
export const EQUALS = 0x3d;
/** `?` */
export const QUESTION = 0x3f;
/** `\` */
export const BACKSLASH = 0x5c;

/** Flag: may stand in a token (methods, field names, chunk extensions). */
export const IS_TOKEN = 1;
/** Flag: may stand in a request target. */
export const IS_TARGET = 2;
/** Flag: may stand in a field value. */
export const IS_VALUE = 4;
/** Flag: may stand in a registered name or IPv4 address of `Host`. */
export const IS_HOST = 8;

/**
 * Flags by byte: `CHARACTER_FLAGS[byte] & IS_TOKEN`.
 *
 * Targets are what RFC 3986 allows and the few characters that browsers send without encoding
 * them (`[ ] ^ | { }`); never `#`, quotes, `<`, `>`, backslash, controls or bytes from 0x80 up.
 */
export const CHARACTER_FLAGS: Uint8Array = makeFlags();

function makeFlags(): Uint8Array {
  const flags = new Uint8Array(256);
  const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  mark(flags, alphanumeric + "!#$%&'*+-.^_`|~", IS_TOKEN);
  mark(flags, alphanumeric + "-._~:/?@!$&'()*+,;=%" + "[]^|{}", IS_TARGET);
  mark(flags, alphanumeric + "-._~", IS_HOST);
  for (let byte = 0; byte < 256; byte++) {
    const isValue = byte === TAB || (byte >= SPACE && byte !== 0x7f);
    if (isValue) flags[byte]! |= IS_VALUE;
  }
  return flags;
}

function mark(flags: Uint8Array, characters: string, flag: number): void {
  for (const character of characters) flags[character.charCodeAt(0)]! |= flag;
}

/** Value of a hexadecimal digit, or -1. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * Compares `bytes[start, end)` with `expected`, byte for byte.
 *
 * @param expected the bytes to find
 */
export function equalBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  expected: Uint8Array,
): boolean {
  const length = expected.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== expected[i]) return false;
  }
  return true;
}

/**
 * Compares `bytes[start, end)` with `expected`, ignoring the case of ASCII letters.
 *
 * @param expected lower-case bytes
 */
export function equalIgnoringCase(
  bytes: Uint8Array,
  start: number,
  end: number,
  expected: Uint8Array,
): boolean {
  const length = expected.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i]!;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== expected[i]) return false;
  }
  return true;
}

const textEncoder = new TextEncoder();

/** UTF-8 bytes of a constant; for module-level constants, not per request. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return textEncoder.encode(text);
}
