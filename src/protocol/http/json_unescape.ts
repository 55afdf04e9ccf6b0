/**
 * Undoes the escapes of a JSON string.
 *
 * @module
 */

import { BACKSLASH, hexDigit } from "./characters.ts";

const LETTER_U = 0x75;

/**
 * Writes the text of the JSON string `source[start, end)` (without its quotes) as UTF-8 to
 * `target[0…]`.
 *
 * The scanner has checked the escapes. The result is never longer than the source.
 *
 * Thread: any.
 *
 * @param target at least as long as the source
 * @returns how many bytes there are, or -1 when half of a surrogate pair stands alone
 * @see https://www.rfc-editor.org/rfc/rfc8259#section-7
 */
export function unescapeJson(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  let length = 0;
  let at = start;
  while (at < end) {
    const byte = source[at]!;
    if (byte !== BACKSLASH) {
      target[length++] = byte;
      at++;
      continue;
    }
    const letter = source[at + 1]!;
    if (letter !== LETTER_U) {
      target[length++] = unescaped(letter);
      at += 2;
      continue;
    }
    let codePoint = codeUnit(source, at + 2);
    at += 6;
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) {
      const low = at + 6 <= end && source[at] === BACKSLASH && source[at + 1] === LETTER_U
        ? codeUnit(source, at + 2)
        : 0;
      if (codePoint >= 0xdc00 || low < 0xdc00 || low > 0xdfff) return -1;
      codePoint = 0x10000 + (codePoint - 0xd800) * 0x400 + (low - 0xdc00);
      at += 6;
    }
    length = writeUtf8(codePoint, target, length);
  }
  return length;
}

function codeUnit(source: Uint8Array, at: number): number {
  let unit = 0;
  for (let i = at; i < at + 4; i++) unit = unit * 16 + hexDigit(source[i]!);
  return unit;
}

function writeUtf8(codePoint: number, target: Uint8Array, length: number): number {
  if (codePoint < 0x80) {
    target[length++] = codePoint;
    return length;
  }
  if (codePoint < 0x800) {
    target[length++] = 0xc0 | (codePoint >> 6);
  } else {
    if (codePoint < 0x10000) {
      target[length++] = 0xe0 | (codePoint >> 12);
    } else {
      target[length++] = 0xf0 | (codePoint >> 18);
      target[length++] = 0x80 | ((codePoint >> 12) & 0x3f);
    }
    target[length++] = 0x80 | ((codePoint >> 6) & 0x3f);
  }
  target[length++] = 0x80 | (codePoint & 0x3f);
  return length;
}

/** The byte that `\n` and the like stand for; the rest stand for themselves. */
function unescaped(letter: number): number {
  switch (letter) {
    case 0x6e:
      return 0x0a;
    case 0x74:
      return 0x09;
    case 0x72:
      return 0x0d;
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    default:
      return letter;
  }
}
