/**
 * Short texts and their bytes, without the runtime's help where they are ASCII: calling an encoder or a
 * decoder costs more than such a text does.
 *
 * @module
 */

/** Texts up to so many bytes are handled here. */
const SHORT_BYTES = 64;
/** Copies up to so many bytes are made here. */
const SHORT_COPY_BYTES = 128;
const ASCII_END = 0x80;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The text of `bytes[start, end)`, which may be in shared memory; what is no UTF-8 is replaced. */
export function textOfBytes(bytes: Uint8Array, start: number, end: number): string {
  // A decoder takes no views of shared memory.
  if (end - start > SHORT_BYTES) return decoder.decode(bytes.slice(start, end));
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte >= ASCII_END) return decoder.decode(bytes.slice(start, end));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The bytes of a text as UTF-8. */
export function bytesOfText(text: string): Uint8Array<ArrayBuffer> {
  const length = text.length;
  if (length > SHORT_BYTES) return encoder.encode(text);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= ASCII_END) return encoder.encode(text);
    bytes[i] = unit;
  }
  return bytes;
}

/** A copy of `bytes[start, end)` that is not shared. */
export function copyOfBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(end - start);
  if (end - start > SHORT_COPY_BYTES) copy.set(bytes.subarray(start, end));
  else for (let i = start; i < end; i++) copy[i - start] = bytes[i]!;
  return copy;
}
