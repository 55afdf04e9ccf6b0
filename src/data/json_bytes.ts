/**
 * Bytes in JSON, without loss: a string where they are UTF-8, else an object with base64.
 *
 * Shape: `"user:1"`, `{"base64":"/w=="}`.
 *
 * @module
 */

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Bytes that become text at a time; a multiple of 3. */
const BASE64_CHUNK_BYTES = 12_288;
/** With so few bytes a look at each is faster than the decoder. */
const SHORT_BYTES = 48;

/** What `bytes[start, end)` are in JSON. */
export function bytesToJson(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  if (end - start <= SHORT_BYTES) {
    const text = plainText(bytes, start, end);
    if (text !== undefined) return `"${text}"`;
  }
  const part = bytes.subarray(start, end);
  try {
    return JSON.stringify(decoder.decode(part));
  } catch {
    return `{"base64":"${toBase64(part)}"}`;
  }
}

/**
 * The bytes that a JSON value stands for.
 *
 * @returns undefined: it stands for none
 */
export function bytesFromJson(value: unknown): Uint8Array | undefined {
  if (typeof value === "string") return value.isWellFormed() ? encoder.encode(value) : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  const { base64, ...rest } = value as Record<string, unknown>;
  if (typeof base64 !== "string" || Object.keys(rest).length > 0) return undefined;
  return fromBase64(base64);
}

/**
 * Behind the last whole character of `bytes[start, end)`, if what is cut off is at most three bytes:
 * text that is cut into pieces stays text.
 */
export function endOfText(bytes: Uint8Array, start: number, end: number): number {
  for (let at = end - 1; at >= Math.max(start, end - 4); at--) {
    const byte = bytes[at]!;
    if ((byte & 0xc0) === 0x80) continue;
    const byteCount = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return at + byteCount > end ? at : end;
  }
  return end;
}

/** Printable ASCII that JSON has as it is; undefined: it is something else. */
function plainText(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += BASE64_CHUNK_BYTES) {
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + BASE64_CHUNK_BYTES)));
  }
  return text;
}

function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
