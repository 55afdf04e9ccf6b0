/**
 * Header compression: reading what clients send, and writing replies without any.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7541
 *
 * @module
 */

import { encodeText } from "../http/characters.ts";
import { decodeHuffman } from "./huffman.ts";

/** Size of the dynamic table, by the RFC's measure. Reason: the RFC's own default. */
const TABLE_MAX_BYTES = 4096;

/** What an entry costs besides its bytes, by the RFC's measure. */
const ENTRY_BYTES = 32;

/**
 * Most that the fields of one request may have, by the RFC's measure.
 *
 * Reason: a few bytes can stand for as many fields as fit; far above what HTTP/1.1 answers 431 to.
 */
const LIST_MAX_BYTES = 65536;

/** Longest number that makes sense. Unit: bits behind the first byte. */
const INTEGER_MAX_BITS = 21;

// deno-fmt-ignore
const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = [
  [":authority", ""], [":method", "GET"], [":method", "POST"], [":path", "/"],
  [":path", "/index.html"], [":scheme", "http"], [":scheme", "https"], [":status", "200"],
  [":status", "204"], [":status", "206"], [":status", "304"], [":status", "400"],
  [":status", "404"], [":status", "500"], ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"], ["accept-language", ""], ["accept-ranges", ""],
  ["accept", ""], ["access-control-allow-origin", ""], ["age", ""], ["allow", ""],
  ["authorization", ""], ["cache-control", ""], ["content-disposition", ""],
  ["content-encoding", ""], ["content-language", ""], ["content-length", ""],
  ["content-location", ""], ["content-range", ""], ["content-type", ""], ["cookie", ""],
  ["date", ""], ["etag", ""], ["expect", ""], ["expires", ""], ["from", ""], ["host", ""],
  ["if-match", ""], ["if-modified-since", ""], ["if-none-match", ""], ["if-range", ""],
  ["if-unmodified-since", ""], ["last-modified", ""], ["link", ""], ["location", ""],
  ["max-forwards", ""], ["proxy-authenticate", ""], ["proxy-authorization", ""], ["range", ""],
  ["referer", ""], ["refresh", ""], ["retry-after", ""], ["server", ""], ["set-cookie", ""],
  ["strict-transport-security", ""], ["transfer-encoding", ""], ["user-agent", ""], ["vary", ""],
  ["via", ""], ["www-authenticate", ""],
];

const STATUS_NAME_INDEX = 8;

/** Thrown inside, when a block makes no sense. */
class CompressionFault extends Error {}

/**
 * Reads header blocks.
 *
 * Thread: belongs to one connection; every block of it must pass here, in order.
 */
export class HpackDecoder {
  /** The newest first. */
  readonly #table: (readonly [name: string, value: string])[] = [];
  #tableBytes = 0;
  #tableMaxBytes = TABLE_MAX_BYTES;
  #bytes = new Uint8Array(0);
  #at = 0;

  /**
   * Reads one block.
   *
   * @returns names and values in turn; null when the block makes no sense or is too much, and then
   *   nothing that follows on the connection can be read
   */
  decode(block: Uint8Array<ArrayBuffer>): string[] | null {
    this.#bytes = block;
    this.#at = 0;
    try {
      return this.#fields();
    } catch (error) {
      if (error instanceof CompressionFault) return null;
      throw error;
    } finally {
      this.#bytes = new Uint8Array(0);
    }
  }

  #fields(): string[] {
    const fields: string[] = [];
    let listBytes = 0;
    while (this.#at < this.#bytes.length) {
      const first = this.#bytes[this.#at]!;
      if ((first & 0xe0) === 0x20) {
        if (fields.length > 0) throw new CompressionFault();
        this.#resize(this.#integer(5));
        continue;
      }
      const [name, value] = this.#field(first);
      listBytes += name.length + value.length + ENTRY_BYTES;
      if (listBytes > LIST_MAX_BYTES) throw new CompressionFault();
      fields.push(name, value);
    }
    return fields;
  }

  #field(first: number): readonly [name: string, value: string] {
    if ((first & 0x80) !== 0) return this.#entry(this.#integer(7));
    const isKept = (first & 0x40) !== 0;
    const index = this.#integer(isKept ? 6 : 4);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    const field = [name, this.#string()] as const;
    if (isKept) this.#keep(field);
    return field;
  }

  #entry(index: number): readonly [name: string, value: string] {
    const entry = index <= STATIC_TABLE.length
      ? STATIC_TABLE[index - 1]
      : this.#table[index - STATIC_TABLE.length - 1];
    if (entry === undefined) throw new CompressionFault();
    return entry;
  }

  #keep(field: readonly [name: string, value: string]): void {
    this.#table.unshift(field);
    this.#tableBytes += sizeOf(field);
    this.#shrink();
  }

  #resize(maxBytes: number): void {
    if (maxBytes > TABLE_MAX_BYTES) throw new CompressionFault();
    this.#tableMaxBytes = maxBytes;
    this.#shrink();
  }

  #shrink(): void {
    while (this.#tableBytes > this.#tableMaxBytes) this.#tableBytes -= sizeOf(this.#table.pop()!);
  }

  #integer(prefixBits: number): number {
    const mask = 2 ** prefixBits - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < INTEGER_MAX_BITS; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw new CompressionFault();
  }

  #string(): string {
    const isCoded = (this.#bytes[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    const end = this.#at += length;
    if (end > this.#bytes.length) throw new CompressionFault();
    if (!isCoded) return latin1.decode(this.#bytes.subarray(start, end));
    const text = decodeHuffman(this.#bytes, start, end);
    if (text === null) throw new CompressionFault();
    return text;
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw new CompressionFault();
    return this.#bytes[this.#at++]!;
  }
}

/** Bytes to characters one by one; `TextDecoder` would take 0x80 to 0x9f for Windows-1252. */
const latin1 = {
  decode(bytes: Uint8Array): string {
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  },
};

function sizeOf([name, value]: readonly [name: string, value: string]): number {
  return name.length + value.length + ENTRY_BYTES;
}

/** The header block of a reply. */
export function encodeReplyFields(
  status: number,
  fields: Readonly<Record<string, string | readonly string[]>>,
): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  pushInteger(bytes, 0, 4, STATUS_NAME_INDEX);
  pushString(bytes, String(status));
  for (const [name, values] of Object.entries(fields)) {
    for (const value of typeof values === "string" ? [values] : values) {
      bytes.push(0);
      pushString(bytes, name);
      pushString(bytes, value);
    }
  }
  return Uint8Array.from(bytes);
}

function pushString(bytes: number[], text: string): void {
  const encoded = encodeText(text);
  pushInteger(bytes, 0, 7, encoded.length);
  for (const byte of encoded) bytes.push(byte);
}

function pushInteger(bytes: number[], first: number, prefixBits: number, value: number): void {
  const mask = 2 ** prefixBits - 1;
  if (value < mask) return void bytes.push(first | value);
  bytes.push(first | mask);
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(rest % 128 | 128);
  bytes.push(rest);
}
