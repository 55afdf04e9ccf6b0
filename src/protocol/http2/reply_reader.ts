/**
 * Replies of HTTP/1.1, as our own server writes them, taken apart for HTTP/2.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";

/** Longest head of a reply. Unit: bytes. Reason: ours are far below. */
const HEAD_MAX_BYTES = 65536;

/** They belong to a connection of HTTP/1.1; HTTP/2 forbids them. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const CR = 0x0d;
const LF = 0x0a;
const decoder = new TextDecoder("latin1");

/** The head of a final reply. */
export interface ReplyHead {
  /** Its status, 200 to 599. */
  readonly status: number;
  /** Names, lower case, and values; several lines of one name are a list. */
  readonly fields: Readonly<Record<string, string | string[]>>;
  /** Whether there is no body, whatever the fields say. */
  readonly isBodiless: boolean;
}

/** What came of some bytes. */
export interface ReplyParts {
  /** The head, when these bytes complete it. */
  readonly head: ReplyHead | undefined;
  /** The parts of the body, in order: ranges of the bytes given. */
  readonly body: readonly Uint8Array<ArrayBuffer>[];
}

/** How a body ends. */
type BodyEnd = "length" | "chunks" | "close";

/**
 * Reads one reply; interim ones (1xx) in front of it are dropped.
 *
 * Thread: belongs to one stream.
 */
export class ReplyReader {
  readonly #isHeadOnly: boolean;
  #head = new Uint8Array(0);
  #hasHead = false;
  #bodyEnd: BodyEnd = "close";
  /** What is missing of the body, or of the chunk. Unit: bytes. */
  #missingBytes = 0;
  /** A chunk's size line, as far as it has come; undefined inside of a chunk. */
  #sizeLine: string | undefined = "";
  #isLastChunkSeen = false;

  /**
   * Waits for the first byte.
   *
   * @param isHeadOnly whether the request was HEAD
   */
  constructor(isHeadOnly: boolean) {
    this.#isHeadOnly = isHeadOnly;
  }

  /** Whether a head was seen. */
  get hasHead(): boolean {
    return this.#hasHead;
  }

  /** Whether all of the reply has come; a body that ends with its connection always has. */
  get isWhole(): boolean {
    if (!this.#hasHead) return false;
    return this.#bodyEnd === "chunks" ? this.#isLastChunkSeen : this.#missingBytes === 0;
  }

  /** Takes the next bytes; the parts of the body are ranges of them. */
  take(bytes: Uint8Array<ArrayBuffer>): ReplyParts {
    const body: Uint8Array<ArrayBuffer>[] = [];
    let rest = bytes;
    let head: ReplyHead | undefined;
    while (!this.#hasHead) {
      const behind = this.#takeHead(rest);
      if (behind === undefined) return { head, body };
      rest = behind.rest;
      head = behind.head;
    }
    if (this.#bodyEnd === "chunks") this.#takeChunks(rest, body);
    else if (rest.length > 0) this.#takePlain(rest, body);
    return { head, body };
  }

  /** Takes one head, interim or not; undefined when it is not all there. */
  #takeHead(
    bytes: Uint8Array<ArrayBuffer>,
  ): { rest: Uint8Array<ArrayBuffer>; head: ReplyHead | undefined } | undefined {
    const before = this.#head.length;
    const all = new Uint8Array(before + bytes.length);
    all.set(this.#head);
    all.set(bytes, before);
    const end = endOfHead(all);
    if (end < 0) {
      assert(all.length <= HEAD_MAX_BYTES, "the head of a reply is of sensible length");
      this.#head = all;
      return undefined;
    }
    this.#head = new Uint8Array(0);
    const head = this.#parse(decoder.decode(all.subarray(0, end)));
    return { rest: bytes.subarray(end - before), head };
  }

  #parse(text: string): ReplyHead | undefined {
    const [statusLine, ...lines] = text.trimEnd().split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine!)?.[1]);
    assert(status >= 100 && status < 600, "a reply begins with its status line");
    if (status < 200) return undefined;
    const fields: Record<string, string | string[]> = {};
    let end: BodyEnd = "close";
    let length = 0;
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      if (name === "content-length") [end, length] = ["length", Number(value)];
      if (name === "transfer-encoding") end = "chunks";
      if (CONNECTION_FIELDS.has(name)) continue;
      const known = fields[name];
      fields[name] = known === undefined
        ? value
        : Array.isArray(known)
        ? [...known, value]
        : [known, value];
    }
    const isBodiless = this.#isHeadOnly || status === 204 || status === 304 ||
      (end === "length" && length === 0);
    this.#hasHead = true;
    this.#bodyEnd = isBodiless ? "close" : end;
    this.#missingBytes = isBodiless ? 0 : length;
    return { status, fields, isBodiless };
  }

  #takePlain(bytes: Uint8Array<ArrayBuffer>, body: Uint8Array<ArrayBuffer>[]): void {
    if (this.#bodyEnd === "length") this.#missingBytes -= bytes.length;
    body.push(bytes);
  }

  #takeChunks(bytes: Uint8Array<ArrayBuffer>, body: Uint8Array<ArrayBuffer>[]): void {
    for (let at = 0; at < bytes.length && !this.#isLastChunkSeen;) {
      if (this.#sizeLine !== undefined) {
        const byte = bytes[at++]!;
        if (byte === LF) this.#beginChunk(this.#sizeLine);
        else if (byte !== CR) this.#sizeLine += String.fromCharCode(byte);
        continue;
      }
      const step = Math.min(this.#missingBytes, bytes.length - at);
      body.push(bytes.subarray(at, at + step));
      at += step;
      this.#missingBytes -= step;
      if (this.#missingBytes === 0) this.#sizeLine = "";
    }
  }

  #beginChunk(line: string): void {
    // The end of the chunk before is an empty line.
    if (line === "") return;
    const size = Number.parseInt(line, 16);
    assert(size >= 0, "a chunk begins with its size");
    this.#isLastChunkSeen = size === 0;
    this.#missingBytes = size;
    this.#sizeLine = size === 0 ? "" : undefined;
  }
}

/** Behind the first empty line, or -1. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = 3; at < bytes.length; at++) {
    if (bytes[at] === LF && bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) {
      return at + 1;
    }
  }
  return -1;
}
