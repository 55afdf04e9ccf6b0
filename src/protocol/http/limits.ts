/**
 * Bounds of HTTP requests on the way in, besides `--max-request-bytes` for bodies.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";

/**
 * Longest method.
 *
 * Unit: bytes. Reason: the longest registered one that anybody sends has 16; a longer token is
 * answered 501. Source: RFC 9112 section 3.
 */
export const MAX_METHOD_BYTES = 32;

/**
 * Longest request target.
 *
 * Unit: bytes. Reason: answered 414 beyond. Source: RFC 9112 section 3 asks for at least 8000.
 */
export const MAX_TARGET_BYTES = 8192;

/**
 * Longest header section, from behind the request line to the empty line included; trailers have
 * the same bound of their own.
 *
 * Unit: bytes. Reason: answered 431 beyond. What browsers send stays below 8 KiB.
 */
export const MAX_FIELD_SECTION_BYTES = 16384;

/** Most header fields, and most trailer fields. Reason: answered 431 beyond. */
export const MAX_FIELD_COUNT = 100;

/**
 * Most digits of a `Content-Length`.
 *
 * Reason: 15 digits are always exact in a double; every longer length is above any limit.
 */
export const MAX_CONTENT_LENGTH_DIGITS = 15;

/** Most digits of a chunk size, leading zeros included. Reason: 8 reach beyond 4 GiB. */
export const MAX_CHUNK_SIZE_DIGITS = 16;

/**
 * Most bytes of chunk extensions in one request.
 *
 * Unit: bytes. Reason: they are skipped, so without a bound a body of one byte could cost any
 * amount of reading.
 */
export const MAX_CHUNK_EXTENSION_BYTES = 4096;

/**
 * Deepest nesting of arrays and objects in an event's JSON; deeper is `invalid_json`.
 *
 * Source: RFC 8259 section 9 allows such a limit.
 */
export const MAX_JSON_DEPTH = 512;

assert(
  MAX_METHOD_BYTES + MAX_TARGET_BYTES + MAX_FIELD_SECTION_BYTES < 65536 - 64,
  "a request's head fits what a connection may buffer beyond the body",
);
