/**
 * What the header fields say about where a request ends and what the connection does then.
 *
 * These are the fields that request smuggling lives on, so there is exactly one accepted way to
 * say anything.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3
 *
 * @module
 */

import {
  CHARACTER_FLAGS,
  COMMA,
  DIGIT_0,
  encodeText,
  equalIgnoringCase,
  IS_TOKEN,
  SPACE,
  TAB,
} from "./characters.ts";
import { type HttpFailure, HttpFailures } from "./failure.ts";
import { endOfHost } from "./host.ts";
import { MAX_CONTENT_LENGTH_DIGITS } from "./limits.ts";
import type { HttpRequest } from "./request.ts";

const HOST = encodeText("host");
const EXPECT = encodeText("expect");
const CONNECTION = encodeText("connection");
const CONTENT_TYPE = encodeText("content-type");
const REQUEST_ID = encodeText("x-request-id");
const CONTENT_LENGTH = encodeText("content-length");
const TRANSFER_ENCODING = encodeText("transfer-encoding");
const CHUNKED = encodeText("chunked");
const CONTINUE = encodeText("100-continue");
const CLOSE = encodeText("close");
const KEEP_ALIVE = encodeText("keep-alive");

/**
 * Collects the framing fields of one request.
 *
 * Thread: belongs to one connection.
 */
export class Framing {
  /** Value of `Content-Length`, or -1 without one. Unit: bytes. */
  contentLength: number = -1;
  /** Whether the body comes in chunks. */
  chunked = false;

  #hostSeen = false;
  #closeSeen = false;
  #keepAliveSeen = false;

  /** Starts over. */
  reset(): void {
    this.contentLength = -1;
    this.chunked = false;
    this.#hostSeen = false;
    this.#closeSeen = false;
    this.#keepAliveSeen = false;
  }

  /**
   * Looks at the field that was added last; most are none of its business.
   *
   * @returns what is wrong with it, or null
   */
  field(
    request: HttpRequest,
    nameStart: number,
    nameEnd: number,
    start: number,
    end: number,
  ): HttpFailure | null {
    const { bytes } = request;
    switch (nameEnd - nameStart) {
      case 4:
        return equalIgnoringCase(bytes, nameStart, nameEnd, HOST)
          ? this.#host(request, start, end)
          : null;
      case 6:
        return equalIgnoringCase(bytes, nameStart, nameEnd, EXPECT)
          ? this.#expect(request, start, end)
          : null;
      case 10:
        if (equalIgnoringCase(bytes, nameStart, nameEnd, CONNECTION)) {
          this.#connection(bytes, start, end);
        }
        return null;
      case 12:
        this.#note(request, nameStart, nameEnd);
        return null;
      case 14:
        return equalIgnoringCase(bytes, nameStart, nameEnd, CONTENT_LENGTH)
          ? this.#length(bytes, start, end)
          : null;
      case 17:
        return equalIgnoringCase(bytes, nameStart, nameEnd, TRANSFER_ENCODING)
          ? this.#coding(request, start, end)
          : null;
      default:
        return null;
    }
  }

  /**
   * Settles the request when its head is complete.
   *
   * @returns what is wrong with the fields together, or null
   */
  finish(request: HttpRequest): HttpFailure | null {
    const isHttp11 = request.minorVersion >= 1;
    if (isHttp11 && !this.#hostSeen) return HttpFailures.MISSING_HOST;
    if (this.chunked && this.contentLength >= 0) return HttpFailures.LENGTH_AND_CHUNKED;
    request.keepAlive = !this.#closeSeen && (isHttp11 || this.#keepAliveSeen);
    // A client of HTTP/1.0 does not know 100 Continue, whatever it says.
    if (!isHttp11) request.expectsContinue = false;
    return null;
  }

  /** Notes fields that are none of its business, but would have to be looked for in every request. */
  #note(request: HttpRequest, nameStart: number, nameEnd: number): void {
    const { bytes } = request;
    if (equalIgnoringCase(bytes, nameStart, nameEnd, CONTENT_TYPE)) {
      if (request.contentTypeField < 0) request.contentTypeField = request.fieldCount - 1;
    } else if (equalIgnoringCase(bytes, nameStart, nameEnd, REQUEST_ID)) {
      if (request.requestIdField < 0) request.requestIdField = request.fieldCount - 1;
    }
  }

  #host(request: HttpRequest, start: number, end: number): HttpFailure | null {
    if (this.#hostSeen) return HttpFailures.REPEATED_HOST;
    this.#hostSeen = true;
    if (endOfHost(request.bytes, start, end) < 0) return HttpFailures.BAD_HOST;
    // A target in absolute form has named the host already, and that counts.
    if (request.hostEnd === request.hostStart) {
      request.hostStart = start;
      request.hostEnd = end;
    }
    return null;
  }

  #expect(request: HttpRequest, start: number, end: number): HttpFailure | null {
    if (!equalIgnoringCase(request.bytes, start, end, CONTINUE)) {
      return HttpFailures.BAD_EXPECTATION;
    }
    request.expectsContinue = true;
    return null;
  }

  #length(bytes: Uint8Array, start: number, end: number): HttpFailure | null {
    if (this.contentLength >= 0) return HttpFailures.REPEATED_LENGTH;
    let digitStart = start;
    while (digitStart < end - 1 && bytes[digitStart] === DIGIT_0) digitStart++;
    if (start === end) return HttpFailures.BAD_LENGTH;
    let length = 0;
    for (let at = digitStart; at < end; at++) {
      const digit = bytes[at]! - DIGIT_0;
      if (digit < 0 || digit > 9) return HttpFailures.BAD_LENGTH;
      length = length * 10 + digit;
    }
    if (end - digitStart > MAX_CONTENT_LENGTH_DIGITS) return HttpFailures.BODY_TOO_LARGE;
    this.contentLength = length;
    return null;
  }

  #coding(request: HttpRequest, start: number, end: number): HttpFailure | null {
    if (request.minorVersion < 1) return HttpFailures.CODING_BEFORE_1_1;
    if (this.chunked) return HttpFailures.REPEATED_CODING;
    const { bytes } = request;
    if (equalIgnoringCase(bytes, start, end, CHUNKED)) {
      this.chunked = true;
      return null;
    }
    // Something else and then chunked has a known end, so it is only not implemented; everything
    // else could be read in two ways.
    let codingCount = 0;
    for (let at = start; at < end; codingCount++) {
      const codingStart = at;
      while (at < end && (CHARACTER_FLAGS[bytes[at]!]! & IS_TOKEN) !== 0) at++;
      const isChunked = equalIgnoringCase(bytes, codingStart, at, CHUNKED);
      if (at === codingStart || isChunked !== (at === end)) return HttpFailures.BAD_CODING;
      while (at < end && isBlank(bytes[at]!)) at++;
      if (at < end && bytes[at++] !== COMMA) return HttpFailures.BAD_CODING;
      while (at < end && isBlank(bytes[at]!)) at++;
    }
    return codingCount > 1 ? HttpFailures.UNSUPPORTED_CODING : HttpFailures.BAD_CODING;
  }

  /** Looks for `close` and `keep-alive` in a list of tokens. */
  #connection(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      while (at < end && (isBlank(bytes[at]!) || bytes[at] === COMMA)) at++;
      const tokenStart = at;
      while (at < end && (CHARACTER_FLAGS[bytes[at]!]! & IS_TOKEN) !== 0) at++;
      if (equalIgnoringCase(bytes, tokenStart, at, CLOSE)) this.#closeSeen = true;
      else if (equalIgnoringCase(bytes, tokenStart, at, KEEP_ALIVE)) this.#keepAliveSeen = true;
      if (at < end && at === tokenStart) at++;
    }
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
