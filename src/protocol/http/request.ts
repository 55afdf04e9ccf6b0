/**
 * One HTTP request as ranges of the read buffer.
 *
 * @module
 */

import { equalIgnoringCase } from "./characters.ts";
import { HttpMethod } from "./method.ts";

/** Offsets kept per header field: name start and end, value start and end. */
const SLOTS_PER_FIELD = 4;

/** Header fields to make room for at first; most requests have fewer. */
const INITIAL_FIELD_COUNT = 16;

const EMPTY = new Uint8Array(0);

/**
 * A request's head and body, without a copy and without an object per header.
 *
 * Shape: every `…Start`/`…End` pair is a range of `bytes`. For `GET /users/al?x=1 HTTP/1.1` the
 * path is `/users/al` and the query `x=1`.
 *
 * Thread: belongs to one connection; the ranges are valid until that connection reads again.
 */
export class HttpRequest {
  /** What the ranges refer to: the connection's read buffer. */
  bytes: Uint8Array = EMPTY;
  /** Method; `HttpMethod.OTHER` for one without a name here. */
  method: HttpMethod = HttpMethod.OTHER;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1 and any later 1.x. */
  minorVersion = 1;
  /** First byte of the path, still percent-encoded; empty stands for `/`. */
  pathStart = 0;
  /** Behind the path. */
  pathEnd = 0;
  /** First byte of the query, behind its `?`. */
  queryStart = 0;
  /** Behind the query; equal to `queryStart` when there is none. */
  queryEnd = 0;
  /** First byte of the host and port that the request is for: the target's, else `Host`'s. */
  hostStart = 0;
  /** Behind host and port; equal to `hostStart` for HTTP/1.0 without `Host`. */
  hostEnd = 0;
  /** Whether the connection that it came on is encrypted; the connection's, so no reset changes it. */
  isSecure = false;
  /** First byte of the body, chunks already joined. */
  bodyStart = 0;
  /** Behind the body. */
  bodyEnd = 0;
  /** Whether the connection is to be kept behind this request. */
  keepAlive = true;
  /** Whether the client waits for `100 Continue` before it sends the body. */
  expectsContinue = false;
  /** Number of header fields. */
  fieldCount = 0;
  /** Index of the first `Content-Type`, or -1. */
  contentTypeField: number = -1;
  /** Index of the first `X-Request-Id`, or -1. */
  requestIdField: number = -1;

  #fields = new Int32Array(INITIAL_FIELD_COUNT * SLOTS_PER_FIELD);

  /** Starts over with a request in `bytes`. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.method = HttpMethod.OTHER;
    this.minorVersion = 1;
    this.pathStart = this.pathEnd = 0;
    this.queryStart = this.queryEnd = 0;
    this.hostStart = this.hostEnd = 0;
    this.bodyStart = this.bodyEnd = 0;
    this.keepAlive = true;
    this.expectsContinue = false;
    this.fieldCount = 0;
    this.contentTypeField = -1;
    this.requestIdField = -1;
  }

  /** Lets go of the read buffer. */
  release(): void {
    this.bytes = EMPTY;
  }

  /** Appends a header field. */
  addField(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const at = this.fieldCount * SLOTS_PER_FIELD;
    if (at === this.#fields.length) this.#growFields();
    const fields = this.#fields;
    fields[at] = nameStart;
    fields[at + 1] = nameEnd;
    fields[at + 2] = valueStart;
    fields[at + 3] = valueEnd;
    this.fieldCount++;
  }

  /**
   * Finds a header field by name.
   *
   * @param name lower-case bytes
   * @param from index of the first field to look at; `found + 1` finds a repetition
   * @returns its index, or -1
   */
  findField(name: Uint8Array, from = 0): number {
    const fields = this.#fields;
    const count = this.fieldCount;
    for (let index = from; index < count; index++) {
      const at = index * SLOTS_PER_FIELD;
      const start = fields[at]!;
      const end = fields[at + 1]!;
      if (end - start === name.length && equalIgnoringCase(this.bytes, start, end, name)) {
        return index;
      }
    }
    return -1;
  }

  /** First byte of the value of field `index`, white space around it left out. */
  valueStart(index: number): number {
    return this.#fields[index * SLOTS_PER_FIELD + 2]!;
  }

  /** Behind the value of field `index`, white space around it left out. */
  valueEnd(index: number): number {
    return this.#fields[index * SLOTS_PER_FIELD + 3]!;
  }

  /**
   * Follows the unread bytes after they moved or the buffer was replaced.
   *
   * @param bytes the buffer as it is now
   * @param shift how far the same byte is now from where it was; negative when it moved to the
   *   front
   */
  rebase(bytes: Uint8Array, shift: number): void {
    this.bytes = bytes;
    if (shift === 0) return;
    this.pathStart += shift;
    this.pathEnd += shift;
    this.queryStart += shift;
    this.queryEnd += shift;
    this.hostStart += shift;
    this.hostEnd += shift;
    this.bodyStart += shift;
    this.bodyEnd += shift;
    const slotCount = this.fieldCount * SLOTS_PER_FIELD;
    for (let i = 0; i < slotCount; i++) this.#fields[i]! += shift;
  }

  #growFields(): void {
    const larger = new Int32Array(this.#fields.length * 2);
    larger.set(this.#fields);
    this.#fields = larger;
  }
}
