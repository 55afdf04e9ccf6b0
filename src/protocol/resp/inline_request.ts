/**
 * Splits an inline request (`SET key "a b"`) into arguments.
 *
 * @module
 */

import type { CommandArguments } from "../../command/arguments.ts";

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const BACKSLASH = 0x5c;

/**
 * Splits the line `bytes[start, end)` (without its line end) and appends its words to `args`.
 *
 * Words are separated by white space. In double quotes `\n \r \t \b \a \xHH` and a backslash
 * before any other byte are escapes; in single quotes only `\'` is. A closing quote must be
 * followed by white space or the end.
 *
 * Quoted words are unescaped in place: a word never gets longer, and the line is consumed anyway.
 *
 * Thread: the connection's own.
 *
 * @returns false when a quote is not closed or something follows it directly
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/#inline-commands
 */
export function splitInline(
  bytes: Uint8Array,
  start: number,
  end: number,
  args: CommandArguments,
): boolean {
  let at = start;
  while (true) {
    while (at < end && isSpace(bytes[at]!)) at++;
    if (at === end) return true;
    const wordStart = at;
    // Until the first quote nothing moves, so plain words cost one pass and no write.
    while (at < end && !endsWord(bytes[at]!) && !isQuote(bytes[at]!)) at++;
    if (at === end || endsWord(bytes[at]!)) {
      args.push(wordStart, at);
      continue;
    }
    at = unquoteWord(bytes, at, end, wordStart, args);
    if (at < 0) return false;
  }
}

/**
 * Reads the rest of a word from its first quote at `at` on, moving its bytes to the left.
 *
 * @returns the offset behind the word, or -1 for unbalanced quotes
 */
function unquoteWord(
  bytes: Uint8Array,
  at: number,
  end: number,
  wordStart: number,
  args: CommandArguments,
): number {
  let write = at;
  while (at < end && !endsWord(bytes[at]!)) {
    const quote = bytes[at]!;
    if (!isQuote(quote)) {
      bytes[write++] = quote;
      at++;
      continue;
    }
    at++;
    while (at < end && bytes[at] !== quote) {
      if (bytes[at] !== BACKSLASH || at + 1 === end) {
        bytes[write++] = bytes[at++]!;
      } else if (quote === SINGLE_QUOTE) {
        if (bytes[at + 1] === SINGLE_QUOTE) at++;
        bytes[write++] = bytes[at++]!;
      } else if (isHexEscape(bytes, at, end)) {
        bytes[write++] = hexValue(bytes[at + 2]!) * 16 + hexValue(bytes[at + 3]!);
        at += 4;
      } else {
        bytes[write++] = unescaped(bytes[at + 1]!);
        at += 2;
      }
    }
    if (at === end) return -1;
    at++;
    if (at < end && !isSpace(bytes[at]!)) return -1;
    break;
  }
  args.push(wordStart, write);
  return at;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CARRIAGE_RETURN);
}

/** As in Redis, vertical tab and form feed are skipped before a word and belong to it inside. */
function endsWord(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === LINE_FEED || byte === CARRIAGE_RETURN;
}

function isQuote(byte: number): boolean {
  return byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE;
}

function isHexEscape(bytes: Uint8Array, at: number, end: number): boolean {
  return at + 3 < end && bytes[at + 1] === 0x78 && hexValue(bytes[at + 2]!) >= 0 &&
    hexValue(bytes[at + 3]!) >= 0;
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function unescaped(byte: number): number {
  switch (byte) {
    case 0x6e:
      return LINE_FEED;
    case 0x72:
      return CARRIAGE_RETURN;
    case 0x74:
      return TAB;
    case 0x62:
      return 0x08;
    case 0x61:
      return 0x07;
    default:
      return byte;
  }
}
