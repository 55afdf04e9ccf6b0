/**
 * Joins the chunks of a body in place.
 *
 * @module
 */

import {
  BACKSLASH,
  CHARACTER_FLAGS,
  COLON,
  CR,
  EQUALS,
  hexDigit,
  IS_TOKEN,
  IS_VALUE,
  LF,
  QUOTE,
  SEMICOLON,
} from "./characters.ts";
import { type HttpFailure, HttpFailures } from "./failure.ts";
import {
  MAX_CHUNK_EXTENSION_BYTES,
  MAX_CHUNK_SIZE_DIGITS,
  MAX_FIELD_COUNT,
  MAX_FIELD_SECTION_BYTES,
} from "./limits.ts";
import { ParseStep } from "./parse_step.ts";
import type { HttpRequest } from "./request.ts";

/** What comes next. */
const State = {
  SIZE: 0,
  EXTENSION_NAME: 1,
  EXTENSION_VALUE: 2,
  EXTENSION_TOKEN: 3,
  EXTENSION_QUOTED: 4,
  EXTENSION_ESCAPED: 5,
  EXTENSION_END: 6,
  SIZE_LF: 7,
  DATA: 8,
  DATA_CR: 9,
  DATA_LF: 10,
  TRAILER_START: 11,
  TRAILER_NAME: 12,
  TRAILER_VALUE: 13,
  TRAILER_LF: 14,
  END_LF: 15,
} as const;

type State = (typeof State)[keyof typeof State];

/**
 * A state machine over a chunked body.
 *
 * The data of the chunks moves to the left over their framing, into `bytes[bodyStart, bodyEnd)` of
 * the request:
 *
 * ```text
 *   head | wiki | pedia | 0\r\n…     →     head | wikipedia | (already read) | next bytes
 *                                                ^bodyStart ^bodyEnd         ^at
 * ```
 *
 * so when the input ends in the middle the caller can drop everything behind `bodyEnd`: a body in
 * chunks of one byte needs no more memory than any other. Sizes are bare hexadecimal digits,
 * extensions are checked and skipped, trailers are checked and dropped; white space is accepted
 * nowhere around sizes and extensions.
 *
 * Thread: belongs to one connection.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
export class ChunkedBody {
  /** The next byte to look at. */
  at = 0;
  /** What is wrong, after `parse` said `FAILED`. */
  failure: HttpFailure = HttpFailures.BAD_CHUNK_SIZE;

  readonly #maxBodyBytes: number;
  #state: State = State.SIZE;
  #chunkBytes = 0;
  #digitCount = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #trailerCount = 0;
  #nameBytes = 0;

  /**
   * Makes a decoder; `reset` points it at a body.
   *
   * @param maxBodyBytes most bytes that the joined body may have
   */
  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** Starts over with a body at `start`. */
  reset(request: HttpRequest, start: number): void {
    this.at = start;
    request.bodyStart = start;
    request.bodyEnd = start;
    this.#extensionBytes = 0;
    this.#trailerBytes = 0;
    this.#trailerCount = 0;
    this.#startChunk();
  }

  /** Goes on with `request.bytes[at, end)`. */
  parse(request: HttpRequest, end: number): ParseStep {
    const { bytes } = request;
    while (this.at < end) {
      if (this.#state === State.DATA) {
        this.#takeData(request, end);
        continue;
      }
      const byte = bytes[this.at++]!;
      if (this.#state === State.END_LF) {
        return byte === LF ? ParseStep.COMPLETE : this.#fail(HttpFailures.BARE_CARRIAGE_RETURN);
      }
      const failure = this.#state < State.DATA
        ? this.#sizeLine(request, byte)
        : this.#state < State.TRAILER_START
        ? this.#dataEnd(byte)
        : this.#trailer(byte);
      if (failure !== null) return this.#fail(failure);
    }
    return ParseStep.INCOMPLETE;
  }

  #startChunk(): void {
    this.#state = State.SIZE;
    this.#chunkBytes = 0;
    this.#digitCount = 0;
  }

  #takeData(request: HttpRequest, end: number): void {
    const available = end - this.at;
    const byteCount = available < this.#chunkBytes ? available : this.#chunkBytes;
    // The first chunk stays where it is: most bodies have only one.
    if (request.bodyEnd === request.bodyStart) request.bodyStart = request.bodyEnd = this.at;
    if (request.bodyEnd !== this.at) {
      request.bytes.copyWithin(request.bodyEnd, this.at, this.at + byteCount);
    }
    request.bodyEnd += byteCount;
    this.at += byteCount;
    this.#chunkBytes -= byteCount;
    if (this.#chunkBytes === 0) this.#state = State.DATA_CR;
  }

  /** `1a;name=value\r\n` */
  #sizeLine(request: HttpRequest, byte: number): HttpFailure | null {
    switch (this.#state) {
      case State.SIZE:
        return this.#size(request, byte);
      case State.SIZE_LF:
        if (byte !== LF) return HttpFailures.BARE_CARRIAGE_RETURN;
        this.#state = this.#chunkBytes > 0 ? State.DATA : State.TRAILER_START;
        return null;
      default:
        if (++this.#extensionBytes > MAX_CHUNK_EXTENSION_BYTES) {
          return HttpFailures.CHUNK_EXTENSIONS_TOO_LARGE;
        }
        return this.#extension(byte) ? null : HttpFailures.BAD_CHUNK_EXTENSION;
    }
  }

  #size(request: HttpRequest, byte: number): HttpFailure | null {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digitCount > MAX_CHUNK_SIZE_DIGITS) return HttpFailures.BAD_CHUNK_SIZE;
      this.#chunkBytes = this.#chunkBytes * 16 + digit;
      const bodyBytes = request.bodyEnd - request.bodyStart + this.#chunkBytes;
      return bodyBytes > this.#maxBodyBytes ? HttpFailures.BODY_TOO_LARGE : null;
    }
    if (this.#digitCount === 0) return HttpFailures.BAD_CHUNK_SIZE;
    if (byte === CR) this.#state = State.SIZE_LF;
    else if (byte === SEMICOLON) this.#startExtension();
    else return byte === LF ? HttpFailures.BARE_LINE_FEED : HttpFailures.BAD_CHUNK_SIZE;
    return null;
  }

  #startExtension(): void {
    this.#state = State.EXTENSION_NAME;
    this.#nameBytes = 0;
  }

  /** One byte of `;name=value` or `;name="value"`. Returns whether it may stand there. */
  #extension(byte: number): boolean {
    const isToken = (CHARACTER_FLAGS[byte]! & IS_TOKEN) !== 0;
    const isText = (CHARACTER_FLAGS[byte]! & IS_VALUE) !== 0;
    switch (this.#state) {
      case State.EXTENSION_NAME:
        if (isToken) {
          this.#nameBytes++;
          return true;
        }
        if (this.#nameBytes === 0) return false;
        if (byte === EQUALS) {
          this.#state = State.EXTENSION_VALUE;
          return true;
        }
        return this.#extensionEnd(byte);
      case State.EXTENSION_VALUE:
        if (!isToken && byte !== QUOTE) return false;
        this.#state = isToken ? State.EXTENSION_TOKEN : State.EXTENSION_QUOTED;
        return true;
      case State.EXTENSION_TOKEN:
        return isToken || this.#extensionEnd(byte);
      case State.EXTENSION_QUOTED:
        if (byte === QUOTE) this.#state = State.EXTENSION_END;
        else if (byte === BACKSLASH) this.#state = State.EXTENSION_ESCAPED;
        return isText;
      case State.EXTENSION_ESCAPED:
        this.#state = State.EXTENSION_QUOTED;
        return isText;
      default:
        return this.#extensionEnd(byte);
    }
  }

  #extensionEnd(byte: number): boolean {
    if (byte === CR) this.#state = State.SIZE_LF;
    else if (byte === SEMICOLON) this.#startExtension();
    else return false;
    return true;
  }

  #dataEnd(byte: number): HttpFailure | null {
    if (this.#state === State.DATA_CR) {
      if (byte !== CR) return HttpFailures.BAD_CHUNK_END;
      this.#state = State.DATA_LF;
      return null;
    }
    if (byte !== LF) return HttpFailures.BAD_CHUNK_END;
    this.#startChunk();
    return null;
  }

  /** One byte of the trailer section: checked as strictly as headers are, and dropped. */
  #trailer(byte: number): HttpFailure | null {
    if (++this.#trailerBytes > MAX_FIELD_SECTION_BYTES) return HttpFailures.FIELDS_TOO_LARGE;
    switch (this.#state) {
      case State.TRAILER_START:
        if (byte === CR) {
          this.#state = State.END_LF;
          return null;
        }
        if (++this.#trailerCount > MAX_FIELD_COUNT) return HttpFailures.TOO_MANY_FIELDS;
        if ((CHARACTER_FLAGS[byte]! & IS_TOKEN) === 0) return HttpFailures.BAD_FIELD_NAME;
        this.#state = State.TRAILER_NAME;
        return null;
      case State.TRAILER_NAME:
        if (byte === COLON) this.#state = State.TRAILER_VALUE;
        else if ((CHARACTER_FLAGS[byte]! & IS_TOKEN) === 0) return HttpFailures.BAD_FIELD_NAME;
        return null;
      case State.TRAILER_VALUE:
        if (byte === CR) this.#state = State.TRAILER_LF;
        else if (byte === LF) return HttpFailures.BARE_LINE_FEED;
        else if ((CHARACTER_FLAGS[byte]! & IS_VALUE) === 0) return HttpFailures.BAD_FIELD_VALUE;
        return null;
      default: // TRAILER_LF
        if (byte !== LF) return HttpFailures.BARE_CARRIAGE_RETURN;
        this.#state = State.TRAILER_START;
        return null;
    }
  }

  #fail(failure: HttpFailure): ParseStep {
    this.failure = failure;
    return ParseStep.FAILED;
  }
}
