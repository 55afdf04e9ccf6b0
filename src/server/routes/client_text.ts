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
  for (let rest = 0; rest <= (isCut ? Math.min(MOST_REST_BYTES, bytes.length) : 0); rest++) {
    try {
      return decoder.decode(bytes.subarray(0, bytes.length - rest));
    } catch {
      // With fewer bytes it may be text.
    }
  }
  return { encoded: percentEncode(bytes) };
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
