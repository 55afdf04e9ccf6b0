/**
 * Raw HTTP requests and what becomes of them, for every reader of HTTP.
 *
 * Texts are bytes: one character is one byte (U+0000 to U+00FF).
 *
 * @module
 */

/** A request and the expected answer. */
export interface HttpRequestCase {
  /** What is special about it; unique. */
  readonly name: string;
  /** The bytes. */
  readonly text: string;
  /** Status of the answer; the case's server knows `GET /health` and `POST /echo`. */
  readonly status: number;
  /** `reason` in the answer's body, when that is to be checked. */
  readonly reason?: string;
  /** Whether the connection closes behind the answer. */
  readonly closes: boolean;
  /** Body of the answer, when that is to be checked. */
  readonly body?: string;
}

const HOST = "Host: localhost\r\n";

/** Requests that are understood. */
export const VALID_REQUESTS: readonly HttpRequestCase[] = [
  kept("the shortest request", `GET /health HTTP/1.1\r\n${HOST}\r\n`),
  kept("an empty line in front", `\r\nGET /health HTTP/1.1\r\n${HOST}\r\n`),
  kept("header names in any case", "GET /health HTTP/1.1\r\nhOsT: localhost\r\n\r\n"),
  kept("no white space behind the colon", "GET /health HTTP/1.1\r\nHost:localhost\r\n\r\n"),
  kept("tabs around a value", "GET /health HTTP/1.1\r\nHost:\t localhost \t\r\n\r\n"),
  kept("an empty header value", `GET /health HTTP/1.1\r\n${HOST}X-Empty:\r\n\r\n`),
  kept("a header value above ASCII", `GET /health HTTP/1.1\r\n${HOST}X-Name: caf\xc3\xa9\r\n\r\n`),
  kept(
    "every token character in a name",
    `GET /health HTTP/1.1\r\n${HOST}!#$%&'*+-.^_\`|~09Az: 1\r\n\r\n`,
  ),
  kept("a host with a port", "GET /health HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"),
  kept("a host with an empty port", "GET /health HTTP/1.1\r\nHost: localhost:\r\n\r\n"),
  kept("an IPv6 host", "GET /health HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
  kept("an IPv4 host", "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
  kept("a query", `GET /health?a=1&b=%20?/ HTTP/1.1\r\n${HOST}\r\n`),
  kept("an absolute target", `GET http://localhost/health HTTP/1.1\r\n${HOST}\r\n`),
  kept("an absolute target in capitals", `GET HTTP://localhost:80/health HTTP/1.1\r\n${HOST}\r\n`),
  kept("a later minor version", `GET /health HTTP/1.2\r\n${HOST}\r\n`),
  kept("a GET with a body", `GET /health HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`),
  kept("Connection: keep-alive", `GET /health HTTP/1.1\r\n${HOST}Connection: keep-alive\r\n\r\n`),
  kept(
    "Connection with unknown tokens",
    `GET /health HTTP/1.1\r\n${HOST}Connection: x, upgrade\r\n\r\n`,
  ),
  kept("100 header fields", `GET /health HTTP/1.1\r\n${HOST}${"A: b\r\n".repeat(99)}\r\n`),
  kept("a target of 8192 bytes", `GET /health?${"a".repeat(8184)} HTTP/1.1\r\n${HOST}\r\n`),
  kept(
    "a header section of 16384 bytes",
    `GET /health HTTP/1.1\r\n${HOST}A: ${"b".repeat(16384 - 24)}\r\n\r\n`,
  ),
  closed("Connection: close", `GET /health HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`),
  closed(
    "close in a list, in capitals",
    `GET /health HTTP/1.1\r\n${HOST}Connection: foo ,\tCLOSE\r\n\r\n`,
  ),
  closed(
    "close behind something that is no token",
    `GET /health HTTP/1.1\r\n${HOST}Connection: "x", @, close\r\n\r\n`,
  ),
  closed(
    "close in a second Connection field",
    `GET /health HTTP/1.1\r\n${HOST}Connection: keep-alive\r\nConnection: close\r\n\r\n`,
  ),
  closed("HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n"),
  kept("HTTP/1.0 with keep-alive", "GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
  closed(
    "HTTP/1.0 with close and keep-alive",
    "GET /health HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n",
  ),
  closed(
    "HTTP/1.0 ignores Expect",
    "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    "ok",
  ),
  kept(
    "a body with a length",
    `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
    "hello",
  ),
  kept(
    "a body with NUL, CR and LF",
    `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\n\0\r\n\r`,
    "\0\r\n\r",
  ),
  kept(
    "a length with leading zeros",
    `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 005\r\n\r\nhello`,
    "hello",
  ),
  kept("a length of zero", `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`, ""),
  kept("a POST without a body", `POST /echo HTTP/1.1\r\n${HOST}\r\n`, ""),
  kept("one chunk", chunkedPost("5\r\nhello\r\n0\r\n\r\n"), "hello"),
  kept(
    "several chunks",
    chunkedPost("4\r\nwiki\r\n5\r\npedia\r\nE\r\n in \r\n\r\nchunks\r\n0\r\n\r\n"),
    "wikipedia in \r\n\r\nchunks",
  ),
  kept("no chunk but the last", chunkedPost("0\r\n\r\n"), ""),
  kept("several zeros in the last chunk", chunkedPost("1\r\nx\r\n000\r\n\r\n"), "x"),
  kept(
    "chunk sizes with leading zeros, in both cases",
    chunkedPost(`00a\r\n0123456789\r\n00A\r\n0123456789\r\n0\r\n\r\n`),
    "01234567890123456789",
  ),
  kept("chunk extensions", chunkedPost('3;a;b=c;d="e \\" ;f"\r\nabc\r\n0;last\r\n\r\n'), "abc"),
  kept("trailers", chunkedPost("3\r\nabc\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n"), "abc"),
  kept(
    "chunked in capitals",
    `POST /echo HTTP/1.1\r\n${HOST}Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n`,
    "",
  ),
  kept(
    "a chunked body of the largest size",
    chunkedPost(`3e8\r\n${"x".repeat(1000)}\r\n0\r\n\r\n`),
    "x".repeat(1000),
  ),
  kept(
    "a body of the largest size",
    `POST /echo HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n${"x".repeat(1000)}`,
    "x".repeat(1000),
  ),
  {
    ...kept("an unknown path", `GET /nothing HTTP/1.1\r\n${HOST}\r\n`),
    status: 404,
    reason: "not_found",
  },
  { ...kept("a path in capitals", `GET /HEALTH HTTP/1.1\r\n${HOST}\r\n`), status: 404 },
  { ...kept("a slash too many", `GET /health/ HTTP/1.1\r\n${HOST}\r\n`), status: 404 },
  {
    ...kept("an absolute target without a path", `GET http://localhost HTTP/1.1\r\n${HOST}\r\n`),
    status: 404,
  },
  {
    ...kept("the wrong method", `DELETE /health HTTP/1.1\r\n${HOST}\r\n`),
    status: 405,
    reason: "method_not_allowed",
  },
  { ...kept("an unknown method", `BREW /health HTTP/1.1\r\n${HOST}\r\n`), status: 405 },
  { ...kept("a method in small letters", `get /health HTTP/1.1\r\n${HOST}\r\n`), status: 405 },
  { ...kept("OPTIONS", `OPTIONS /health HTTP/1.1\r\n${HOST}\r\n`), status: 204 },
  { ...kept("OPTIONS of the server", `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`), status: 204 },
];

/** Requests that are refused before any route sees them. */
export const REFUSED_REQUESTS: readonly HttpRequestCase[] = [
  bad("TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01"),
  bad("a line feed in front", `\nGET /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("two empty lines in front", `\r\n\r\nGET /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("a lone CR in front", `\rGET /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("a space in front", ` GET /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("no method", `/health HTTP/1.1\r\n${HOST}\r\n`),
  bad("a method with a slash", `GE/T /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("a method and a colon", `GET: /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("a tab behind the method", `GET\t/health HTTP/1.1\r\n${HOST}\r\n`),
  bad("two spaces behind the method", `GET  /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("two spaces behind the target", `GET /health  HTTP/1.1\r\n${HOST}\r\n`),
  bad("a space in the target", `GET /hea lth HTTP/1.1\r\n${HOST}\r\n`),
  bad("a fragment in the target", `GET /health#x HTTP/1.1\r\n${HOST}\r\n`),
  bad("a NUL in the target", `GET /hea\0lth HTTP/1.1\r\n${HOST}\r\n`),
  bad("a byte above ASCII in the target", `GET /caf\xe9 HTTP/1.1\r\n${HOST}\r\n`),
  bad("a backslash in the target", `GET /a\\b HTTP/1.1\r\n${HOST}\r\n`),
  bad("half an escape in the target", `GET /a%2 HTTP/1.1\r\n${HOST}\r\n`),
  bad("a wrong escape in the target", `GET /a%2g HTTP/1.1\r\n${HOST}\r\n`),
  bad("a wrong escape in the query", `GET /a?%zz HTTP/1.1\r\n${HOST}\r\n`),
  bad("a relative target", `GET health HTTP/1.1\r\n${HOST}\r\n`),
  bad("an unknown scheme", `GET ftp://localhost/health HTTP/1.1\r\n${HOST}\r\n`),
  bad("an absolute target without a host", `GET http:///health HTTP/1.1\r\n${HOST}\r\n`),
  bad("an absolute target with a user", `GET http://a@localhost/health HTTP/1.1\r\n${HOST}\r\n`),
  bad(
    "an absolute target with a wrong port",
    `GET http://localhost:x/health HTTP/1.1\r\n${HOST}\r\n`,
  ),
  bad("an asterisk for GET", `GET * HTTP/1.1\r\n${HOST}\r\n`),
  bad("CONNECT with a path", `CONNECT /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("no version", `GET /health\r\n${HOST}\r\n`),
  bad("no version and a bare LF", `GET /health\n`),
  bad("an empty version", `GET /health \r\n${HOST}\r\n`),
  bad("a version in small letters", `GET /health http/1.1\r\n${HOST}\r\n`),
  bad("a version without a dot", `GET /health HTTP/11\r\n${HOST}\r\n`),
  bad("a version with two digits", `GET /health HTTP/1.10\r\n${HOST}\r\n`),
  bad("a version with a space behind", `GET /health HTTP/1.1 \r\n${HOST}\r\n`),
  bad("another protocol", `GET /health ICY/1.1\r\n${HOST}\r\n`),
  bad("a bare LF behind the request line", `GET /health HTTP/1.1\n${HOST}\r\n`),
  bad("a bare CR behind the request line", `GET /health HTTP/1.1\r${HOST}\r\n`),
  bad("a bare LF behind a header", `GET /health HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n`),
  bad("a bare CR in a header value", `GET /health HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`),
  bad("two CRs behind a header", `GET /health HTTP/1.1\r\nHost: localhost\r\r\n\r\n`),
  bad("a bare LF at the end of the head", `GET /health HTTP/1.1\r\n${HOST}\n`),
  bad("a bare CR at the end of the head", `GET /health HTTP/1.1\r\n${HOST}\rX`),
  bad("a NUL in a header value", `GET /health HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`),
  bad("a DEL in a header value", `GET /health HTTP/1.1\r\n${HOST}X: a\x7fb\r\n\r\n`),
  bad("an escape character in a header value", `GET /health HTTP/1.1\r\n${HOST}X: \x1b[0m\r\n\r\n`),
  bad("white space in front of the first header", `GET /health HTTP/1.1\r\n ${HOST}\r\n`),
  bad("a folded header", `GET /health HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`),
  bad("a header folded with a tab", `GET /health HTTP/1.1\r\n${HOST}X: a\r\n\tb\r\n\r\n`),
  bad("white space in front of the colon", `GET /health HTTP/1.1\r\n${HOST}X : a\r\n\r\n`),
  bad("white space in front of Host's colon", "GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n"),
  bad("a header without a colon", `GET /health HTTP/1.1\r\n${HOST}X\r\n\r\n`),
  bad("a header without a name", `GET /health HTTP/1.1\r\n${HOST}: a\r\n\r\n`),
  bad("a header name with a parenthesis", `GET /health HTTP/1.1\r\n${HOST}X(): a\r\n\r\n`),
  bad("a header name above ASCII", `GET /health HTTP/1.1\r\n${HOST}\xe9: a\r\n\r\n`),
  bad("a header name with a NUL", `GET /health HTTP/1.1\r\n${HOST}X\0: a\r\n\r\n`),
  bad("no Host", "GET /health HTTP/1.1\r\n\r\n"),
  bad("no Host with an absolute target", "GET http://localhost/health HTTP/1.1\r\n\r\n"),
  bad("two Hosts", `GET /health HTTP/1.1\r\n${HOST}Host: other\r\n\r\n`),
  bad("the same Host twice", `GET /health HTTP/1.1\r\n${HOST}${HOST}\r\n`),
  bad("two Hosts in HTTP/1.0", `GET /health HTTP/1.0\r\n${HOST}${HOST}\r\n`),
  bad("an empty Host", "GET /health HTTP/1.1\r\nHost:\r\n\r\n"),
  bad("a Host with a space", "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n"),
  bad("a Host with a comma", "GET /health HTTP/1.1\r\nHost: a,b\r\n\r\n"),
  bad("a Host with a path", "GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n"),
  bad("a Host with a user", "GET /health HTTP/1.1\r\nHost: a@b\r\n\r\n"),
  bad("a Host with an escape", "GET /health HTTP/1.1\r\nHost: a%41\r\n\r\n"),
  bad("a Host with a wrong port", "GET /health HTTP/1.1\r\nHost: a:b\r\n\r\n"),
  bad("a Host with a port out of range", "GET /health HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
  bad("a Host with two ports", "GET /health HTTP/1.1\r\nHost: a:1:2\r\n\r\n"),
  bad("an IPv6 Host without brackets", "GET /health HTTP/1.1\r\nHost: ::1\r\n\r\n"),
  bad("an IPv6 Host that does not end", "GET /health HTTP/1.1\r\nHost: [::1\r\n\r\n"),
  bad("an IPv6 Host with text behind", "GET /health HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
  bad("a Host that is a port", "GET /health HTTP/1.1\r\nHost: :80\r\n\r\n"),
  bad("two lengths", post("Content-Length: 1\r\nContent-Length: 2\r\n", "xx")),
  bad("the same length twice", post("Content-Length: 1\r\nContent-Length: 1\r\n", "x")),
  bad("a list of lengths", post("Content-Length: 1, 1\r\n", "x")),
  bad("an empty length", post("Content-Length:\r\n", "x")),
  bad("a negative length", post("Content-Length: -1\r\n", "x")),
  bad("a length with a plus", post("Content-Length: +1\r\n", "x")),
  bad("a hexadecimal length", post("Content-Length: 0x1\r\n", "x")),
  bad("a length with a fraction", post("Content-Length: 1.0\r\n", "x")),
  bad("a length with a space in it", post("Content-Length: 1 1\r\n", "x")),
  bad("a length with letters behind", post("Content-Length: 1x\r\n", "x")),
  bad("a length with a vertical tab", post("Content-Length: \x0b1\r\n", "x")),
  bad(
    "length and chunked",
    post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  ),
  bad(
    "chunked and length",
    post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
  ),
  bad(
    "chunked twice",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  ),
  bad("identity", post("Transfer-Encoding: identity\r\n", "0\r\n\r\n")),
  bad(
    "chunked in front of another coding",
    post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
  ),
  bad("an empty coding", post("Transfer-Encoding:\r\n", "0\r\n\r\n")),
  bad("chunked with letters behind", post("Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n")),
  bad("chunked in quotes", post('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n")),
  bad("chunked behind a vertical tab", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n")),
  bad("chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  bad("no chunk size", chunkedPost("\r\nabc\r\n0\r\n\r\n")),
  bad("a chunk size with a prefix", chunkedPost("0x3\r\nabc\r\n0\r\n\r\n")),
  bad("a negative chunk size", chunkedPost("-3\r\nabc\r\n0\r\n\r\n")),
  bad("a chunk size with a plus", chunkedPost("+3\r\nabc\r\n0\r\n\r\n")),
  bad("a chunk size with a space behind", chunkedPost("3 \r\nabc\r\n0\r\n\r\n")),
  bad("a chunk size with a space in front", chunkedPost(" 3\r\nabc\r\n0\r\n\r\n")),
  bad("a chunk size with an underscore", chunkedPost("0_3\r\nabc\r\n0\r\n\r\n")),
  bad("a chunk size with 17 digits", chunkedPost("00000000000000003\r\nabc\r\n0\r\n\r\n")),
  bad("a bare LF behind a chunk size", chunkedPost("3\nabc\r\n0\r\n\r\n")),
  bad("a bare CR behind a chunk size", chunkedPost("3\rabc\r\n0\r\n\r\n")),
  bad("a chunk that is too long", chunkedPost("3\r\nabcd\r\n0\r\n\r\n")),
  bad("a bare LF behind a chunk", chunkedPost("3\r\nabc\n0\r\n\r\n")),
  bad("a bare CR behind a chunk", chunkedPost("3\r\nabc\rX0\r\n\r\n")),
  bad("an extension without a name", chunkedPost("3;\r\nabc\r\n0\r\n\r\n")),
  bad("an extension without a value", chunkedPost("3;a=\r\nabc\r\n0\r\n\r\n")),
  bad("an extension with a space", chunkedPost("3; a\r\nabc\r\n0\r\n\r\n")),
  bad("an extension with a bare LF", chunkedPost("3;a\nabc\r\n0\r\n\r\n")),
  bad("an extension that is quoted and goes on", chunkedPost('3;a="b"c\r\nabc\r\n0\r\n\r\n')),
  bad("an extension with a line end in quotes", chunkedPost('3;a="b\r\n"\r\nabc\r\n0\r\n\r\n')),
  bad("extensions above 4096 bytes", chunkedPost(`3;${"a".repeat(4097)}\r\nabc\r\n0\r\n\r\n`)),
  bad(
    "extensions above 4096 bytes together",
    chunkedPost(`1;${"a".repeat(99)}\r\nx\r\n`.repeat(42)),
  ),
  bad("a folded trailer", chunkedPost("0\r\nX: a\r\n b\r\n\r\n")),
  bad("a trailer without a colon", chunkedPost("0\r\nX\r\n\r\n")),
  bad("a trailer without a name", chunkedPost("0\r\n: a\r\n\r\n")),
  bad("a trailer with a bare LF", chunkedPost("0\r\nX: a\n\r\n")),
  bad("a trailer with a NUL", chunkedPost("0\r\nX: \0\r\n\r\n")),
  bad("a bare LF behind the trailers", chunkedPost("0\r\n\n")),
  bad("a bare CR behind the trailers", chunkedPost("0\r\n\rX")),
  refused(
    "an unknown coding and chunked",
    post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    501,
    "not_implemented",
  ),
  refused("CONNECT", `CONNECT example.org:443 HTTP/1.1\r\n${HOST}\r\n`, 501, "not_implemented"),
  refused(
    "a method of 33 bytes",
    `${"M".repeat(33)} /health HTTP/1.1\r\n${HOST}\r\n`,
    501,
    "not_implemented",
  ),
  refused("HTTP/2.0", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 400),
  refused("version 2.0", `GET /health HTTP/2.0\r\n${HOST}\r\n`, 505, "unsupported_version"),
  refused("version 0.9", `GET /health HTTP/0.9\r\n\r\n`, 505, "unsupported_version"),
  refused(
    "another expectation",
    post("Expect: 200-ok\r\nContent-Length: 1\r\n", "x"),
    417,
    "expectation_failed",
  ),
  refused(
    "a target of 8193 bytes",
    `GET /health?${"a".repeat(8185)} HTTP/1.1\r\n${HOST}\r\n`,
    414,
    "target_too_long",
  ),
  refused("a target that does not end", `GET /${"a".repeat(9000)}`, 414, "target_too_long"),
  refused(
    "101 header fields",
    `GET /health HTTP/1.1\r\n${HOST}${"A: b\r\n".repeat(100)}\r\n`,
    431,
    "headers_too_large",
  ),
  refused(
    "a header section of 16385 bytes",
    `GET /health HTTP/1.1\r\n${HOST}A: ${"b".repeat(16384 - 23)}\r\n\r\n`,
    431,
    "headers_too_large",
  ),
  refused(
    "a header that does not end",
    `GET /health HTTP/1.1\r\n${HOST}A: ${"b".repeat(17000)}`,
    431,
    "headers_too_large",
  ),
  refused(
    "101 trailers",
    chunkedPost(`0\r\n${"A: b\r\n".repeat(101)}\r\n`),
    431,
    "headers_too_large",
  ),
  refused(
    "trailers of more than 16384 bytes",
    chunkedPost(`0\r\nA: ${"b".repeat(16400)}\r\n\r\n`),
    431,
    "headers_too_large",
  ),
  refused(
    "a body above the largest size",
    post("Content-Length: 1001\r\n", ""),
    413,
    "body_too_large",
  ),
  refused(
    "a length beyond 2^53",
    post("Content-Length: 99999999999999999999\r\n", ""),
    413,
    "body_too_large",
  ),
  refused("a chunk above the largest size", chunkedPost("3e9\r\n"), 413, "body_too_large"),
  refused("a chunk size of 16 digits", chunkedPost("ffffffffffffffff\r\n"), 413, "body_too_large"),
  refused(
    "chunks above the largest size together",
    chunkedPost(`1f4\r\n${"x".repeat(500)}\r\n1f5\r\n`),
    413,
    "body_too_large",
  ),
];

function kept(name: string, text: string, body?: string): HttpRequestCase {
  return { name, text, status: 200, closes: false, ...(body === undefined ? {} : { body }) };
}

function closed(name: string, text: string, body?: string): HttpRequestCase {
  return { ...kept(name, text, body), closes: true };
}

function bad(name: string, text: string): HttpRequestCase {
  return refused(name, text, 400, "bad_request");
}

function refused(name: string, text: string, status: number, reason?: string): HttpRequestCase {
  return { name, text, status, closes: true, ...(reason === undefined ? {} : { reason }) };
}

function post(headerLines: string, body: string): string {
  return `POST /echo HTTP/1.1\r\n${HOST}${headerLines}\r\n${body}`;
}

function chunkedPost(body: string): string {
  return post("Transfer-Encoding: chunked\r\n", body);
}
