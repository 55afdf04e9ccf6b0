/**
 * Where a request ends: lengths, transfer codings, chunks and trailers. What request smuggling lives
 * on.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-6
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-11.2
 *
 * @module
 */

import { bad, chunkedPost, HOST, type HttpRequestCase, kept, post, refused } from "./http_case.ts";

const HIDDEN = `GET /health HTTP/1.1\r\n${HOST}\r\n`;

/** Bodies that are understood. */
export const FRAMING_REQUESTS: readonly HttpRequestCase[] = [
  // RFC 9110 section 8.6: one or more digits, however many are zeros.
  kept("a length of many zeros", post(`Content-Length: ${"0".repeat(30)}2\r\n`, "ok"), "ok"),
  kept("tabs around a length", post("Content-Length:\t2\t\r\n", "ok"), "ok"),
  kept("a length behind white space only", post("Content-Length:   \t 2\r\n", "ok"), "ok"),
  kept("a request inside a body", post(`Content-Length: ${HIDDEN.length}\r\n`, HIDDEN), HIDDEN),
  kept(
    "a request inside a chunk",
    chunkedPost(`${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`),
    HIDDEN,
  ),
  kept("a chunked body inside a body", post("Content-Length: 5\r\n", "0\r\n\r\n"), "0\r\n\r\n"),
  kept("tabs around chunked", post("Transfer-Encoding:\tchunked \t\r\n", "0\r\n\r\n"), ""),
  kept("chunked in mixed case", post("tRANSFER-eNCODING: cHuNkEd\r\n", "0\r\n\r\n"), ""),
  kept(
    "a GET with a chunked body",
    `GET /health HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
  ),
  kept("a chunk size in capitals", chunkedPost("A\r\n0123456789\r\n0\r\n\r\n"), "0123456789"),
  kept("a small chunk size of 16 digits", chunkedPost("0000000000000001\r\nx\r\n0\r\n\r\n"), "x"),
  kept("a last chunk of 16 zeros", chunkedPost("1\r\nx\r\n0000000000000000\r\n\r\n"), "x"),
  kept("CR and LF as a chunk", chunkedPost("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n"),
  kept("a chunk that looks like the end", chunkedPost("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), "0\r\n\r\n"),
  kept("many chunks", chunkedPost("1\r\nx\r\n".repeat(500) + "0\r\n\r\n"), "x".repeat(500)),
  kept("an extension that is an empty string", chunkedPost('1;a=""\r\nx\r\n0\r\n\r\n'), "x"),
  kept("an extension with a semicolon in quotes", chunkedPost('1;a=";b"\r\nx\r\n0\r\n\r\n'), "x"),
  kept("an extension with a tab in quotes", chunkedPost('1;a="\t"\r\nx\r\n0\r\n\r\n'), "x"),
  kept("an extension above ASCII in quotes", chunkedPost('1;a="\xe9"\r\nx\r\n0\r\n\r\n'), "x"),
  kept("an extension of the last chunk", chunkedPost('0;a="b"\r\n\r\n'), ""),
  kept("an empty trailer", chunkedPost("0\r\nX:\r\n\r\n"), ""),
  // RFC 9112 section 7.1.2: who removes the chunks may discard trailers. We discard all of them, so
  // none can change what was read before it.
  kept("a trailer that names another host", chunkedPost("0\r\nHost: evil.example\r\n\r\n"), ""),
  kept("a trailer that names a coding", chunkedPost("0\r\nTransfer-Encoding: gzip\r\n\r\n"), ""),
  kept("a trailer that closes", chunkedPost("0\r\nConnection: close\r\n\r\n"), ""),
  kept("100 trailers", chunkedPost(`0\r\n${"A: b\r\n".repeat(100)}\r\n`), ""),
];

/** Bodies that are refused. */
export const FRAMING_REFUSALS: readonly HttpRequestCase[] = [
  badLength("a length and a comma", "2,"),
  badLength("a comma and a length", ",2"),
  // RFC 9110 section 8.6 allows to accept a list of equal lengths; it also allows to refuse it.
  badLength("a list of equal lengths", "2, 2"),
  badLength("a length and a semicolon", "2;"),
  badLength("a length in quotes", '"2"'),
  badLength("a length with a minus and zero", "-0"),
  badLength("a length with an exponent", "2e0"),
  badLength("a length with an underscore", "0_2"),
  badLength("a binary length", "0b10"),
  badLength("an octal length", "0o2"),
  badLength("a length in letters", "two"),
  badLength("a length that is no number", "NaN"),
  badLength("a length without end", "Infinity"),
  badLength("a length in digits above ASCII", "\xd9\xa2"),
  badLength("a length with a NUL behind", "2\0"),
  badLength("a length with a form feed in front", "\x0c2"),
  badLength("a length with a no-break space", "\xa02"),
  badLength("a folded length", "\r\n 2"),
  badLength("a length folded behind", "2\r\n 0"),
  bad("two lengths, the first zero", post("Content-Length: 0\r\nContent-Length: 2\r\n", "ok")),
  bad("two lengths in other letters", post("Content-Length: 2\r\ncontent-length: 3\r\n", "ok")),
  bad("white space in front of a length's colon", post("Content-Length : 2\r\n", "ok")),
  bad("a length with a NUL in its name", post("Content-Length\0: 2\r\n", "ok")),
  bad("a length with white space in front of its name", post(" Content-Length: 2\r\n", "ok")),
  bad(
    "a GET with two lengths",
    `GET /health HTTP/1.1\r\n${HOST}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`,
  ),
  refused("a length of 2^32 + 2", post("Content-Length: 4294967298\r\n", "ok"), 413),
  refused("a length of 2^63", post("Content-Length: 9223372036854775808\r\n", "ok"), 413),
  refused("a length of 2^64 + 2", post("Content-Length: 18446744073709551618\r\n", "ok"), 413),
  refused("a length of 1,000 digits", post(`Content-Length: ${"9".repeat(1000)}\r\n`, "ok"), 413),
  // RFC 9112 section 6.3, rule 4: without chunked at the end, the end is not known.
  badCoding("gzip", "gzip"),
  badCoding("chunked and identity", "chunked, identity"),
  badCoding("chunked twice in a list", "chunked, chunked"),
  badCoding("chunked around another coding", "chunked, gzip, chunked"),
  badCoding("chunked behind an empty element", ", chunked"),
  badCoding("chunked in front of an empty element", "chunked,"),
  badCoding("chunked with a parameter", "chunked;a=b"),
  badCoding("chunked with a semicolon", "chunked;"),
  badCoding("chunked behind a word", "x chunked"),
  badCoding("chunked behind itself", "chunked chunked"),
  badCoding("chunked with letters in front", "xchunked"),
  badCoding("half of chunked", "chunk"),
  badCoding("chunked with a tab in it", "chun\tked"),
  badCoding("chunked in apostrophes", "'chunked'"),
  badCoding("chunked behind a no-break space", "\xa0chunked"),
  badCoding("chunked with a NUL behind", "chunked\0"),
  badCoding("chunked with a form feed behind", "chunked\x0c"),
  badCoding("chunked on the next line", "\r\n chunked"),
  badCoding("chunked behind a coding in quotes", '"gzip", chunked'),
  bad(
    "white space in front of the coding's colon",
    post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
  ),
  bad(
    "a coding with white space in front of its name",
    post(" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  ),
  bad(
    "chunked and then another coding",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"),
  ),
  bad(
    "another coding and then chunked",
    post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  ),
  bad(
    "a length of zero and chunked",
    post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  ),
  bad("a coding and a length", post("Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "ok")),
  // RFC 9112 section 6.1: HTTP/1.0 knows no codings, so somebody in between got it wrong.
  bad(
    "length and chunked in HTTP/1.0",
    "POST /echo HTTP/1.0\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
  ),
  bad(
    "chunked with keep-alive in HTTP/1.0",
    "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ),
  refused(
    "identity and chunked",
    post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"),
    501,
  ),
  refused(
    "three codings",
    post("Transfer-Encoding: deflate ,gzip\t, chunked\r\n", "0\r\n\r\n"),
    501,
  ),
  bad("a chunk size in letters", chunkedPost("g\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size with a letter behind", chunkedPost("1g\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size with an h behind", chunkedPost("1h\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size with a tab behind", chunkedPost("1\t\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size with a NUL behind", chunkedPost("1\0\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size with a comma", chunkedPost("1,1\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size with a point", chunkedPost("1.0\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size in quotes", chunkedPost('"1"\r\nx\r\n0\r\n\r\n')),
  bad("a chunk size in digits above ASCII", chunkedPost("\xd9\xa1\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size behind two CRs", chunkedPost("1\r\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size behind an empty line", chunkedPost("\r\n1\r\nx\r\n0\r\n\r\n")),
  bad("a chunk size behind a bare LF", chunkedPost("\n1\r\nx\r\n0\r\n\r\n")),
  bad("an extension and no chunk size", chunkedPost(";a\r\nx\r\n0\r\n\r\n")),
  bad("a chunk that is too short", chunkedPost("4\r\nabc\r\n0\r\n\r\n")),
  bad("a chunk without its end", chunkedPost("1\r\nx0\r\n\r\n")),
  bad("a chunk that ends with LF CR", chunkedPost("1\r\nx\n\r0\r\n\r\n")),
  bad("an empty line between chunks", chunkedPost("1\r\nx\r\n\r\n0\r\n\r\n")),
  bad("a last chunk with a minus", chunkedPost("-0\r\n\r\n")),
  bad("a last chunk with a prefix", chunkedPost("0x0\r\n\r\n")),
  bad("a last chunk with a space behind", chunkedPost("0 \r\n\r\n")),
  bad("a last chunk with a bare LF", chunkedPost("0\n\r\n")),
  bad("a last chunk with two CRs", chunkedPost("0\r\r\n\r\n")),
  // RFC 9112 section 7.1.1 has bad white space here, which RFC 9110 section 5.6.3 asks to accept. No
  // client sends it, and readers that skip it differently have been smuggled past.
  bad("white space in front of an extension", chunkedPost("1 ;a\r\nx\r\n0\r\n\r\n")),
  bad("white space in front of an extension's value", chunkedPost("1;a= b\r\nx\r\n0\r\n\r\n")),
  bad("white space behind an extension's name", chunkedPost("1;a =b\r\nx\r\n0\r\n\r\n")),
  bad("white space behind an extension", chunkedPost("1;a \r\nx\r\n0\r\n\r\n")),
  bad("two semicolons", chunkedPost("1;;a\r\nx\r\n0\r\n\r\n")),
  bad("a semicolon behind an extension", chunkedPost("1;a;\r\nx\r\n0\r\n\r\n")),
  bad("an extension of a value only", chunkedPost("1;=a\r\nx\r\n0\r\n\r\n")),
  bad("an extension with two values", chunkedPost("1;a=b=c\r\nx\r\n0\r\n\r\n")),
  bad("an extension with a bare CR", chunkedPost("1;a\rb\r\nx\r\n0\r\n\r\n")),
  bad("an extension with a NUL", chunkedPost("1;a\0\r\nx\r\n0\r\n\r\n")),
  bad("an extension above ASCII", chunkedPost("1;\xe9\r\nx\r\n0\r\n\r\n")),
  bad("an extension with a NUL in quotes", chunkedPost('1;a="\0"\r\nx\r\n0\r\n\r\n')),
  bad("an extension with a bare LF in quotes", chunkedPost('1;a="\n"\r\nx\r\n0\r\n\r\n')),
  bad("an extension whose quotes do not end", chunkedPost('1;a="b\r\nx\r\n0\r\n\r\n')),
  bad("an extension that escapes a line end", chunkedPost('1;a="\\\r\n"\r\nx\r\n0\r\n\r\n')),
  refused("a chunk of 2^32 + 1 bytes", chunkedPost("100000001\r\nx\r\n0\r\n\r\n"), 413),
  refused("a chunk of 2^63 bytes", chunkedPost("8000000000000000\r\nx\r\n0\r\n\r\n"), 413),
  refused("a chunk of 2^64 + 1 bytes", chunkedPost("10000000000000001\r\nx\r\n0\r\n\r\n"), 413),
  bad("a trailer with a space in its name", chunkedPost("0\r\nX Y: a\r\n\r\n")),
  bad("a trailer with white space in front of its colon", chunkedPost("0\r\nX : a\r\n\r\n")),
  bad("a trailer with a bare CR", chunkedPost("0\r\nX: a\rb\r\n\r\n")),
  bad("a trailer with an escape character", chunkedPost("0\r\nX: \x1b\r\n\r\n")),
  bad("a trailer that is a request", chunkedPost(`0\r\n${HIDDEN}`)),
  bad("a trailer with white space in front", chunkedPost("0\r\n X: a\r\n\r\n")),
];

function badLength(name: string, value: string): HttpRequestCase {
  return bad(name, post(`Content-Length: ${value}\r\n`, "ok"));
}

function badCoding(name: string, value: string): HttpRequestCase {
  return bad(name, post(`Transfer-Encoding: ${value}\r\n`, "0\r\n\r\n"));
}
