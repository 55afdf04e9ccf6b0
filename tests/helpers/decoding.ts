/**
 * The way back from a content coding.
 *
 * @module
 */

import zlib from "node:zlib";

/**
 * What was encoded, given and returned with one character per byte.
 *
 * @param coding as `Content-Encoding` has it; undefined stands for no coding
 */
export function decode(text: string, coding: string | undefined): string {
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  switch (coding) {
    case undefined:
      return text;
    case "br":
      return zlib.brotliDecompressSync(bytes).toString("latin1");
    case "gzip":
      return zlib.gunzipSync(bytes).toString("latin1");
    case "deflate":
      return zlib.inflateSync(bytes).toString("latin1");
    default:
      throw new Error(`Cannot decode: ${coding} is not known`);
  }
}
