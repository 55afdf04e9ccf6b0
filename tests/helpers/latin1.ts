/**
 * Bytes as text and back, one character per byte.
 *
 * What is called latin1 on the web is another code from 0x80 to 0x9f; this is the plain one. Replies
 * of megabytes pass through here, and building their text a character at a time takes a hundred
 * times as long.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Bytes of a text whose characters are all below 256. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The reverse of {@link latin1}. */
export function toLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
