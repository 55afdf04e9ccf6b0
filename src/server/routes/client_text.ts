/**
 * Bytes of clients in JSON, where they may be none of UTF-8.
 *
 * @module
 */

import type { ClientTextJson } from "./key_info_json.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Longest rest of a character that was cut off. Unit: bytes. */
const MOST_REST_BYTES = 3;

/**
 * Bytes as JSON has them.
 *
 * @param isCut whether they are only the first ones, so that the last character may not be whole
 */
export function clientTextJson(bytes: Uint8Array, isCut = false): ClientTextJson {
  const end = bytes.length - (isCut ? restBytes(bytes) : 0);
  try {
    return decoder.decode(bytes.subarray(0, end));
  } catch {
    return { encoded: percentEncode(bytes) };
  }
}

/** How many bytes at the end are the beginning of a character. */
function restBytes(bytes: Uint8Array): number {
  for (let rest = 1; rest <= Math.min(MOST_REST_BYTES, bytes.length); rest++) {
    const byte = bytes[bytes.length - rest]!;
    const isContinuation = (byte & 0xc0) === 0x80;
    if (isContinuation) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > rest ? rest : 0;
  }
  return 0;
}

/** Escapes everything but what never needs it in a path. */
export function percentEncode(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += /[0-9A-Za-z._~-]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
