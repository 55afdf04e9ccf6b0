/**
 * Reads replies in HTTP/1.1.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112
 * @module
 */

import { KeptBytes, Outcome, type ReplyReader, shortText } from "./reply_reader.ts";

const encoder = new TextEncoder();
const SERVER_BUSY = encoder.encode('"server_busy"');
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/** Longest head, and longest line of a chunked body. Unit: bytes. */
const LINE_MAX_BYTES = 16_384;

/** What comes next. */
const Part = {
  STATUS: 0,
  FIELD: 1,
  BODY: 2,
  CHUNK_SIZE: 3,
  CHUNK: 4,
  CHUNK_END: 5,
  TRAILER: 6,
  /** Ends with the connection. */
  REST: 7,
  DONE: 8,
} as const;
type Part = (typeof Part)[keyof typeof Part];

/**
 * A reader of HTTP/1.1 replies to requests other than `HEAD`.
 *
 * Thread: belongs to one connection.
 */
export class HttpReplyReader implements ReplyReader {
  outcome: Outcome = Outcome.ERROR;
  isLast = false;

  #part: Part = Part.STATUS;
  #status = 0;
  /** Of the body or chunk. */
  #bytesLeft = 0;
  #isChunked = false;
  #hasLength = false;
  #lineLength = 0;
  /** The line under way, lower case, as far as it matters. */
  readonly #line = new Uint8Array(64);
  readonly #body = new KeptBytes();
  #defect = "";

  begin(): void {
    this.#part = Part.STATUS;
    this.#lineLength = 0;
    this.#body.length = 0;
    this.#defect = "";
    this.isLast = false;
  }

  feed(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    for (;;) {
      const part = this.#part;
      if (part === Part.DONE) return at;
      if (at === end) return -1;
      if (part === Part.BODY || part === Part.CHUNK) at = this.#takeBody(bytes, at, end);
      else if (part === Part.REST) {
        this.#body.append(bytes, at, end);
        return -1;
      } else at = this.#takeLine(bytes, at, end);
    }
  }

  close(): boolean {
    if (this.#part !== Part.REST) return false;
    this.#complete();
    return true;
  }

  text(): string {
    if (this.#defect !== "") return this.#defect;
    const body = this.#body.text();
    const reason = /"reason":\s*"([^"]*)"/.exec(body)?.[1] ?? body;
    return shortText(`${this.#status} ${reason}`);
  }

  #takeBody(bytes: Uint8Array, start: number, end: number): number {
    const stop = Math.min(end, start + this.#bytesLeft);
    this.#body.append(bytes, start, stop);
    this.#bytesLeft -= stop - start;
    if (this.#bytesLeft === 0) {
      if (this.#part === Part.BODY) this.#complete();
      else this.#part = Part.CHUNK_END;
    }
    return stop;
  }

  #takeLine(bytes: Uint8Array, start: number, end: number): number {
    const line = this.#line;
    let length = this.#lineLength;
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === LF) {
        this.#lineLength = 0;
        this.#endLine(Math.min(length, line.length));
        return at + 1;
      }
      if (byte === CR) continue;
      if (length < line.length) line[length] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
      length++;
    }
    this.#lineLength = length;
    if (length > LINE_MAX_BYTES) this.#fail("a line that does not end");
    return end;
  }

  #endLine(length: number): void {
    switch (this.#part) {
      case Part.STATUS:
        return this.#endStatus(length);
      case Part.FIELD:
        if (length === 0) this.#endHead();
        else this.#endField(length);
        return;
      case Part.CHUNK_SIZE:
        return this.#endChunkSize(length);
      case Part.CHUNK_END:
        this.#part = Part.CHUNK_SIZE;
        return;
      case Part.TRAILER:
        if (length === 0) this.#complete();
        return;
    }
  }

  #endStatus(length: number): void {
    const line = this.#line;
    // HTTP/1.x NNN
    const isHttp = length >= 12 && line[0] === 0x68 && line[1] === 0x74 && line[4] === 0x2f &&
      line[5] === 0x31 && line[8] === 0x20;
    let status = 0;
    for (let i = 9; i < 12; i++) {
      const digit = line[i]! - 0x30;
      status = digit >= 0 && digit <= 9 ? status * 10 + digit : NaN;
    }
    if (!isHttp || !(status >= 100)) return this.#fail("the answer is not HTTP");
    this.#status = status;
    this.#isChunked = false;
    this.#hasLength = false;
    this.#bytesLeft = 0;
    // HTTP/1.0 closes unless it says something else; here that is not worth telling apart.
    this.isLast = line[7] === 0x30;
    this.#part = Part.FIELD;
  }

  #endField(length: number): void {
    const line = this.#line;
    // Few fields matter, and most replies have few others: the length of the name tells them apart.
    if (length > 14 && line[14] === COLON && this.#nameIs("content-length")) {
      const text = this.#valueText(15, length);
      if (!/^\d{1,15}$/.test(text)) return this.#fail("a length that is no number");
      this.#hasLength = true;
      this.#bytesLeft = Number(text);
    } else if (length > 10 && line[10] === COLON && this.#nameIs("connection")) {
      if (/\bclose\b/.test(this.#valueText(11, length))) this.isLast = true;
    } else if (length > 17 && line[17] === COLON && this.#nameIs("transfer-encoding")) {
      this.#isChunked = this.#valueText(18, length).endsWith("chunked");
    }
  }

  #endHead(): void {
    const status = this.#status;
    if (status < 200) this.#part = Part.STATUS;
    else if (status === 204 || status === 304) this.#complete();
    else if (this.#isChunked) this.#part = Part.CHUNK_SIZE;
    else if (!this.#hasLength) {
      this.isLast = true;
      this.#part = Part.REST;
    } else if (this.#bytesLeft === 0) this.#complete();
    else this.#part = Part.BODY;
  }

  #endChunkSize(length: number): void {
    const digits = /^[0-9a-f]{1,8}(?=$|[ \t;])/.exec(this.#valueText(0, length))?.[0];
    if (digits === undefined) return this.#fail("a chunk without a length");
    this.#bytesLeft = parseInt(digits, 16);
    this.#part = this.#bytesLeft === 0 ? Part.TRAILER : Part.CHUNK;
  }

  #complete(): void {
    this.#part = Part.DONE;
    const status = this.#status;
    this.outcome = status === 202
      ? Outcome.ACCEPTED
      : status === 503 && this.#body.includes(SERVER_BUSY)
      ? Outcome.REFUSED
      : Outcome.ERROR;
  }

  #fail(defect: string): void {
    this.#defect = defect;
    this.outcome = Outcome.ERROR;
    this.isLast = true;
    this.#part = Part.DONE;
  }

  #nameIs(name: string): boolean {
    for (let i = 0; i < name.length; i++) if (this.#line[i] !== name.charCodeAt(i)) return false;
    return true;
  }

  #valueText(start: number, end: number): string {
    let text = "";
    for (let i = start; i < end; i++) text += String.fromCharCode(this.#line[i]!);
    return text.trim();
  }
}
