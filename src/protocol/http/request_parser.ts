/**
 * Reads one request, head and body, from the front of a connection's input.
 *
 * @module
 */

import type { InputBuffer } from "../../base/bytes.ts";
import { ChunkedBody } from "./chunked_body.ts";
import { type HttpFailure, HttpFailures } from "./failure.ts";
import { Framing } from "./framing.ts";
import { HeadParser } from "./head_parser.ts";
import { ParseStep } from "./parse_step.ts";
import { HttpRequest } from "./request.ts";

/** Longer heads are not remembered. Unit: bytes. Reason: programs send some 100, browsers 500. */
const REMEMBERED_HEAD_BYTES = 512;

/** One head in so many is remembered. Reason: it is a copy, for nothing if every head is new. */
const HEADS_PER_MEMORY = 4;

const NOTHING = new Uint8Array(0);

/**
 * An incremental parser: what was looked at is not looked at again when more arrives.
 *
 * Clients that ask again and again send the same head, and comparing costs a third of reading: when
 * the next request begins with the very bytes of the last head, what was found in them still holds.
 *
 * Thread: belongs to one connection, from a request's first byte to its reply.
 *
 * @example
 * ```ts
 * import { InputBuffer } from "../../base/bytes.ts";
 * import { ParseStep } from "./parse_step.ts";
 * import { HttpRequestParser } from "./request_parser.ts";
 *
 * const input = new InputBuffer();
 * const text = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
 * input.commit(new TextEncoder().encodeInto(text, input.space()).written);
 * const parser = new HttpRequestParser(1024);
 * parser.begin(input);
 * if (parser.parse(input) !== ParseStep.COMPLETE) throw new Error("Cannot parse: incomplete");
 * input.start = parser.requestEnd;
 * ```
 */
export class HttpRequestParser {
  /** The request; complete once `parse` has said so, its head once `headComplete` is true. */
  readonly request: HttpRequest = new HttpRequest();
  /** Whether the head has arrived in full. */
  headComplete = false;
  /** Behind the request, after `parse` said `COMPLETE`. */
  requestEnd = 0;
  /** What is wrong, after `parse` said `FAILED`. */
  failure: HttpFailure = HttpFailures.BAD_METHOD;

  readonly #maxBodyBytes: number;
  readonly #framing = new Framing();
  readonly #head = new HeadParser();
  readonly #chunks: ChunkedBody;
  /** Where the input's front was when it was last looked at. */
  #base = 0;
  /** The head that {@link HttpRequestParser.request} is of; the first so many bytes count. */
  #memory = NOTHING;
  #memoryBytes = 0;
  #unrememberedCount = 0;

  /**
   * Makes a parser; `begin` points it at a request.
   *
   * @param maxBodyBytes longest body; more is answered 413. Unit: bytes
   */
  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
    this.#chunks = new ChunkedBody(maxBodyBytes);
  }

  /** Starts over with a request at the front of `input`. */
  begin(input: InputBuffer): void {
    this.headComplete = false;
    if (this.#memoryBytes > 0 && this.#isRemembered(input)) {
      this.follow(input);
      this.#head.at = input.start + this.#memoryBytes;
      return;
    }
    this.#memoryBytes = 0;
    this.#base = input.start;
    this.request.reset(input.bytes);
    this.#framing.reset();
    this.#head.reset(input.start);
  }

  /** Whether the head, which is complete, announces a body that is not empty. */
  get announcesBody(): boolean {
    return this.#framing.chunked || this.#framing.contentLength > 0;
  }

  /** Whether something of the request has arrived; an empty line in front of it does not count. */
  get hasStarted(): boolean {
    return !this.#head.isAtStart;
  }

  /**
   * Goes on with what has arrived.
   *
   * Does not advance `input.start`; may take back `input.end`, over bytes that it has dealt with
   * (framing of chunks).
   */
  parse(input: InputBuffer): ParseStep {
    const { request } = this;
    this.follow(input);
    if (!this.headComplete) {
      if (this.#memoryBytes === 0) {
        const step = this.#head.parse(request, this.#framing, input.end);
        if (step === ParseStep.FAILED) this.failure = this.#head.failure;
        if (step !== ParseStep.COMPLETE) return step;
      }
      this.headComplete = true;
      if (this.#framing.chunked) {
        this.#chunks.reset(request, this.#head.at);
      } else if (!this.#startPlainBody()) {
        return ParseStep.FAILED;
      } else if (this.#memoryBytes === 0 && ++this.#unrememberedCount >= HEADS_PER_MEMORY) {
        this.#remember(input);
      }
    }
    if (this.#framing.chunked) return this.#parseChunks(input);
    this.requestEnd = request.bodyEnd;
    return input.end >= request.bodyEnd ? ParseStep.COMPLETE : ParseStep.INCOMPLETE;
  }

  /** Follows bytes that moved, without looking at any. */
  follow(input: InputBuffer): void {
    const shift = input.start - this.#base;
    this.request.rebase(input.bytes, shift);
    if (shift === 0) return;
    this.#base = input.start;
    this.#head.rebase(shift);
    this.#chunks.at += shift;
    this.requestEnd += shift;
  }

  #remember(input: InputBuffer): void {
    this.#unrememberedCount = 0;
    const byteCount = this.#head.at - input.start;
    if (byteCount > REMEMBERED_HEAD_BYTES) return;
    // Who waits for a first request has no use for it.
    if (this.#memory === NOTHING) this.#memory = new Uint8Array(REMEMBERED_HEAD_BYTES);
    this.#memory.set(input.bytes.subarray(input.start, this.#head.at));
    this.#memoryBytes = byteCount;
  }

  #isRemembered({ bytes, start, end }: InputBuffer): boolean {
    const memory = this.#memory;
    const byteCount = this.#memoryBytes;
    if (end - start < byteCount) return false;
    for (let i = 0; i < byteCount; i++) {
      if (bytes[start + i] !== memory[i]) return false;
    }
    return true;
  }

  #startPlainBody(): boolean {
    const { contentLength } = this.#framing;
    if (contentLength > this.#maxBodyBytes) {
      this.failure = HttpFailures.BODY_TOO_LARGE;
      return false;
    }
    this.request.bodyStart = this.#head.at;
    this.request.bodyEnd = this.#head.at + (contentLength > 0 ? contentLength : 0);
    return true;
  }

  #parseChunks(input: InputBuffer): ParseStep {
    const { request } = this;
    const chunks = this.#chunks;
    const step = chunks.parse(request, input.end);
    if (step === ParseStep.COMPLETE) {
      this.requestEnd = chunks.at;
    } else if (step === ParseStep.FAILED) {
      this.failure = chunks.failure;
    } else {
      // Everything has been looked at; only the joined data is still needed.
      chunks.at = request.bodyEnd;
      input.end = request.bodyEnd;
    }
    return step;
  }
}
