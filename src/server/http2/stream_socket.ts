/**
 * One HTTP/2 stream as a connection of its own.
 *
 * @module
 */

import { encodeText } from "../../protocol/http/characters.ts";
import { ErrorCode, WINDOW_BYTES } from "../../protocol/http2/frames.ts";
import { type ReplyHead, ReplyReader } from "../../protocol/http2/reply_reader.ts";
import type { RequestHead } from "../../protocol/http2/request_head.ts";
import type { ClientSocket } from "../client_socket.ts";

const CHUNK_END = encodeText("\r\n");
const LAST_CHUNK = encodeText("0\r\n\r\n");

/** A head that was translated. */
export type StreamHead = Extract<RequestHead, { kind: "head" }>;

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** The client's end. */
  readonly remoteAddr: Deno.NetAddr;
  /** Our end. */
  readonly localAddr: Deno.NetAddr;
  /** Sends the head of the reply. */
  sendHead(stream: StreamSocket, head: ReplyHead): Promise<void>;
  /** Sends a part of the body when the client's windows allow; rejects when the stream is over. */
  sendBody(stream: StreamSocket, part: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Says that the reply is complete. */
  sendEnd(stream: StreamSocket): void;
  /** Ends the stream. */
  reset(stream: StreamSocket, code: ErrorCode): void;
  /** Lets the client send so much more. */
  grant(stream: StreamSocket, byteCount: number): void;
}

/**
 * A stream whose request is read, and whose reply is written, in HTTP/1.1.
 *
 * What is read is the request's head, then its body, as it is when its length is known, else in
 * chunks. Behind the request reading waits: the client has not left, it waits for its reply.
 *
 * Thread: the I/O thread that serves it.
 */
export class StreamSocket implements ClientSocket {
  /** See {@link ClientSocket.isSecure}. */
  readonly isSecure = true;
  /** Its number. */
  readonly id: number;
  /** What the client may still send. Unit: bytes. */
  receiveWindowBytes: number = WINDOW_BYTES;
  /** What we may still send; below 0 when the client has changed its mind. Unit: bytes. */
  sendWindowBytes: number;
  /** Whether the client has sent all of the request. */
  hasRequest: boolean;

  readonly #carrier: StreamCarrier;
  readonly #reply: ReplyReader;
  readonly #isChunked: boolean;
  /** What is missing of a body of known length. Unit: bytes. */
  #missingBytes: number;
  /** What can be read, the oldest first, and what reading it gives back to the client's window. */
  readonly #waiting: { bytes: Uint8Array; grantBytes: number }[];
  #reader: { target: Uint8Array; settled: PromiseWithResolvers<number | null> } | undefined;
  /** Whether all of the reply was handed over. */
  #hasReplied = false;
  #error: Error | undefined;
  /** Ends the wait of {@link StreamSocket.unlessOver}. */
  #endWait: (() => void) | undefined;

  /**
   * Begins with a head.
   *
   * @param sendWindowBytes what the client takes of a reply at first
   */
  constructor(id: number, head: StreamHead, carrier: StreamCarrier, sendWindowBytes: number) {
    this.id = id;
    this.sendWindowBytes = sendWindowBytes;
    this.hasRequest = head.bodyBytes === 0;
    this.#carrier = carrier;
    this.#reply = new ReplyReader(head.isHeadOnly);
    this.#isChunked = head.bodyBytes < 0;
    this.#missingBytes = Math.max(0, head.bodyBytes);
    this.#waiting = [{ bytes: head.bytes, grantBytes: 0 }];
  }

  /** The client's end. */
  get remoteAddr(): Deno.NetAddr {
    return this.#carrier.remoteAddr;
  }

  /** Our end. */
  get localAddr(): Deno.NetAddr {
    return this.#carrier.localAddr;
  }

  /** Whether it is over. */
  get isOver(): boolean {
    return this.#error !== undefined;
  }

  /**
   * Waits for something, but not longer than the stream lasts; for one thing at a time.
   *
   * Not `Promise.race` with a promise of the end: each race would leave 300 bytes with that promise
   * until then, and a reply may go on for days.
   *
   * @param event never rejects
   */
  unlessOver(event: Promise<void>): Promise<void> {
    if (this.isOver) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endWait = resolve;
    void event.then(resolve);
    return promise;
  }

  /** See {@link ClientSocket.read}. */
  read(target: Uint8Array<ArrayBuffer>): Promise<number | null> {
    if (this.#waiting.length > 0) return Promise.resolve(this.#takeWaiting(target));
    if (this.#hasReplied) return Promise.resolve(null);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const settled = Promise.withResolvers<number | null>();
    this.#reader = { target, settled };
    return settled.promise;
  }

  /** See {@link ClientSocket.write}. */
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    if (this.#error !== undefined) throw this.#error;
    const piece = bytes.length > WINDOW_BYTES ? bytes.subarray(0, WINDOW_BYTES) : bytes;
    const { head, body } = this.#reply.take(piece);
    if (head !== undefined) {
      this.#hasReplied = head.isBodiless;
      await this.#carrier.sendHead(this, head);
    }
    if (!this.#hasReplied) { for (const part of body) await this.#carrier.sendBody(this, part); }
    return piece.length;
  }

  /** See {@link ClientSocket.closeWrite}. */
  closeWrite(): Promise<void> {
    if (this.#error === undefined && !this.#hasReplied) {
      this.#hasReplied = true;
      // A client must not take the part for the whole.
      if (this.#reply.isWhole) this.#carrier.sendEnd(this);
      else this.#carrier.reset(this, ErrorCode.INTERNAL_ERROR);
    }
    this.#reader?.settled.resolve(null);
    this.#reader = undefined;
    return Promise.resolve();
  }

  /** See {@link ClientSocket.close}. */
  close(): void {
    if (this.#error !== undefined) return;
    if (!this.#hasReplied) this.#carrier.reset(this, ErrorCode.CANCEL);
    // What is missing of the request is not wanted any more.
    else if (!this.hasRequest) this.#carrier.reset(this, ErrorCode.NO_ERROR);
    this.end();
  }

  /** Takes a part of the request's body; false when that is more than it said. */
  take(data: Uint8Array, hasEnded: boolean): boolean {
    if (!this.#isChunked) {
      this.#missingBytes -= data.length;
      if (this.#missingBytes < 0 || hasEnded && this.#missingBytes > 0) return false;
    }
    if (hasEnded) this.hasRequest = true;
    // The rest of a request that is answered already is of no use.
    if (this.#hasReplied || this.isOver) {
      if (data.length > 0) this.#carrier.grant(this, data.length);
      return true;
    }
    if (data.length > 0) {
      if (this.#isChunked) this.#keep(encodeText(`${data.length.toString(16)}\r\n`), 0);
      this.#keep(data, data.length);
      if (this.#isChunked) this.#keep(CHUNK_END, 0);
    }
    if (hasEnded && this.#isChunked) this.#keep(LAST_CHUNK, 0);
    const reader = this.#reader;
    if (reader === undefined || this.#waiting.length === 0) return true;
    this.#reader = undefined;
    void this.read(reader.target as Uint8Array<ArrayBuffer>)
      .then(reader.settled.resolve, reader.settled.reject);
    return true;
  }

  /** The stream is over: the client has reset it, or it has gone. */
  end(): void {
    if (this.#error !== undefined) return;
    this.#error = new Deno.errors.Interrupted("the stream is over");
    for (const { grantBytes } of this.#waiting) {
      if (grantBytes > 0) this.#carrier.grant(this, grantBytes);
    }
    this.#waiting.length = 0;
    this.#reader?.settled.reject(this.#error);
    this.#reader = undefined;
    this.#endWait?.();
  }

  /**
   * Copies what waits, as much as there is room for: a client may cut its body into single bytes, and
   * each read is a turn of its connection.
   */
  #takeWaiting(target: Uint8Array<ArrayBuffer>): number {
    const waiting = this.#waiting;
    let byteCount = 0;
    let grantBytes = 0;
    let partCount = 0;
    while (partCount < waiting.length) {
      const part = waiting[partCount]!;
      const room = target.length - byteCount;
      if (part.bytes.length > room) {
        target.set(part.bytes.subarray(0, room), byteCount);
        part.bytes = part.bytes.subarray(room);
        byteCount = target.length;
        break;
      }
      target.set(part.bytes, byteCount);
      byteCount += part.bytes.length;
      grantBytes += part.grantBytes;
      partCount++;
    }
    waiting.splice(0, partCount);
    if (grantBytes > 0) this.#carrier.grant(this, grantBytes);
    return byteCount;
  }

  #keep(bytes: Uint8Array, grantBytes: number): void {
    this.#waiting.push({ bytes, grantBytes });
  }
}
