/**
 * Why a request could not be understood: one row per reason, made once.
 *
 * @module
 */

/**
 * One way to refuse a request before any route sees it; the connection closes behind the reply,
 * because where the next request would start is not known for sure.
 *
 * Shape: `{ status: 400, reason: "bad_request", detail: "a line ends without CR" }`.
 */
export interface HttpFailure {
  /** Status code of the reply. */
  readonly status: number;
  /** Word for programs, as in the reply's `reason`. */
  readonly reason: string;
  /** Words for people, as in the reply's `detail`; one ASCII line without quotes. */
  readonly detail: string;
}

/** All of them. */
export const HttpFailures = {
  BAD_METHOD: bad("the request does not start with a method"),
  METHOD_TOO_LONG: failure(501, "not_implemented", "the method is longer than any known one"),
  CONNECT: failure(501, "not_implemented", "this server is not a proxy"),
  BAD_TARGET: bad("the request target is malformed"),
  BAD_ESCAPE: bad("the request target has a percent sign without two hexadecimal digits"),
  TARGET_TOO_LONG: failure(414, "target_too_long", "the request target is above 8192 bytes"),
  WRONG_SCHEME: failure(421, "wrong_scheme", "https is not spoken here"),
  PLAIN_SCHEME: failure(421, "wrong_scheme", "only https is spoken here"),
  BAD_VERSION: bad("the request line does not end with HTTP/1.0 or HTTP/1.1"),
  UNSUPPORTED_VERSION: failure(505, "unsupported_version", "only HTTP/1.0 and HTTP/1.1 are spoken"),
  BARE_LINE_FEED: bad("a line ends without CR"),
  BARE_CARRIAGE_RETURN: bad("a CR is not followed by LF"),
  FOLDED_FIELD: bad("a header line starts with white space"),
  BAD_FIELD_NAME: bad("a header name is malformed"),
  BAD_FIELD_VALUE: bad("a header value has a control character"),
  TOO_MANY_FIELDS: failure(431, "headers_too_large", "there are more than 100 header fields"),
  FIELDS_TOO_LARGE: failure(431, "headers_too_large", "the header section is above 16384 bytes"),
  MISSING_HOST: bad("Host is missing"),
  REPEATED_HOST: bad("Host is repeated"),
  BAD_HOST: bad("Host is malformed"),
  REPEATED_LENGTH: bad("Content-Length is repeated"),
  BAD_LENGTH: bad("Content-Length is not a number"),
  LENGTH_AND_CHUNKED: bad("Content-Length and Transfer-Encoding exclude each other"),
  REPEATED_CODING: bad("Transfer-Encoding is repeated"),
  BAD_CODING: bad("Transfer-Encoding does not end with chunked"),
  UNSUPPORTED_CODING: failure(501, "not_implemented", "the only transfer coding is chunked"),
  CODING_BEFORE_1_1: bad("Transfer-Encoding needs HTTP/1.1"),
  BAD_EXPECTATION: failure(417, "expectation_failed", "the only expectation is 100-continue"),
  BODY_TOO_LARGE: failure(413, "body_too_large", "the body is above --max-request-bytes"),
  BAD_CHUNK_SIZE: bad("a chunk size is malformed"),
  BAD_CHUNK_EXTENSION: bad("a chunk extension is malformed"),
  CHUNK_EXTENSIONS_TOO_LARGE: bad("the chunk extensions are above 4096 bytes"),
  BAD_CHUNK_END: bad("a chunk is not followed by CR LF"),
} as const satisfies Record<string, HttpFailure>;

function bad(detail: string): HttpFailure {
  return failure(400, "bad_request", detail);
}

function failure(status: number, reason: string, detail: string): HttpFailure {
  return { status, reason, detail };
}
