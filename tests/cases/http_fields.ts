/**
 * Header fields: hosts, names and values, connection options, expectations.
 *
 * @module
 */

import { bad, closed, HOST, type HttpRequestCase, kept, post, refused } from "./http_case.ts";

/** Fields that are understood, or rightly ignored. */
export const FIELD_REQUESTS: readonly HttpRequestCase[] = [
  host("a Host in capitals", "LOCALHOST"),
  host("a Host with port 0", "localhost:0"),
  host("a Host with the last port", "localhost:65535"),
  host("the IPv6 address of everything", "[::]"),
  host("an IPv6 Host with an IPv4 tail", "[::ffff:127.0.0.1]:80"),
  host("an IPv6 Host with eight groups", "[1:2:3:4:5:6:7:8]"),
  host("an IPv6 Host with a gap for one group", "[1:2:3:4:5:6:7::]"),
  host("an IPv6 Host in capitals", "[2001:DB8::ABCD]"),
  // Well-formed, and so for the guard to judge: none of these is a name of the server.
  { ...host("a Host with an underscore", "my_host-1.example"), serverStatus: 421 },
  { ...host("a Host with a dot behind", "localhost."), serverStatus: 421 },
  { ...host("a Host that is a short IPv4 address", "127.1"), serverStatus: 421 },
  { ...host("a Host of 255 bytes", "a".repeat(255)), serverStatus: 421 },
  field("a tab in a value", "X: a\tb"),
  field("every byte above ASCII in a value", `X: ${bytes(0x80, 0xff)}`),
  field("a value of white space", "X: \t \t"),
  field("a colon in a value", "X::a:"),
  field("a name of digits", "123: 4"),
  field("the same name many times", "X: a\r\nX: b\r\nx: c"),
  // RFC 9110 section 7.8: a server may ignore Upgrade. Another protocol must not begin here.
  field(
    "an upgrade to HTTP/2",
    "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
  ),
  field("an upgrade to WebSocket", "Connection: Upgrade\r\nUpgrade: websocket"),
  // Names that other programs take for framing, routing or methods; here they are just unknown.
  field("Content_Length", "Content_Length: 5"),
  field("Transfer_Encoding", "Transfer_Encoding: chunked"),
  field("Content-Length with something in front", "X-Content-Length: 5"),
  field("TE", "TE: chunked, trailers"),
  field("a method in another field", "X-HTTP-Method-Override: DELETE"),
  field("a path in another field", "X-Original-URL: /nothing"),
  field("a host in another field", "X-Forwarded-Host: evil.example"),
  field("Proxy-Connection: close", "Proxy-Connection: close"),
  field("a range of something that has none", "Range: bytes=0-1"),
  field("a connection option that names Host", "Connection: host"),
  field("a connection option that starts like close", "Connection: closed"),
  field("a connection option that ends like close", "Connection: not-close"),
  field("an empty Connection", "Connection:"),
  field("commas in Connection", "Connection: ,,keep-alive,,"),
  field("an expectation without a body", "Expect: 100-continue"),
  kept(
    "an expectation in capitals",
    post("Expect: 100-CONTINUE\r\nContent-Length: 2\r\n", "ok"),
    "ok",
  ),
  kept(
    "the same expectation twice",
    post("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 2\r\n", "ok"),
    "ok",
  ),
  kept(
    "an expectation with a chunked body",
    post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
    "ok",
  ),
  closed("close among others", `GET /health HTTP/1.1\r\n${HOST}Connection: a,close,b\r\n\r\n`),
  closed(
    "close and keep-alive",
    `GET /health HTTP/1.1\r\n${HOST}Connection: close, keep-alive\r\n\r\n`,
  ),
  closed("HTTP/1.0 with a Host", `GET /health HTTP/1.0\r\n${HOST}\r\n`),
  closed("HTTP/1.0 with another option", "GET /health HTTP/1.0\r\nConnection: upgrade\r\n\r\n"),
  closed("HTTP/1.0 with a body", "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nok", "ok"),
  closed("HTTP/1.0 with a body without a length", "POST /echo HTTP/1.0\r\n\r\n", ""),
  kept(
    "HTTP/1.0 with keep-alive and a body",
    "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "ok",
  ),
];

/** Fields that are refused. */
export const FIELD_REFUSALS: readonly HttpRequestCase[] = [
  badHost("a Host with a scheme", "http://localhost"),
  badHost("a Host in quotes", '"localhost"'),
  badHost("a Host with a query", "localhost?a"),
  badHost("a Host with a fragment", "localhost#a"),
  badHost("a Host with a semicolon", "localhost;a"),
  badHost("a Host with a backslash", "localhost\\a"),
  badHost("a Host that is an asterisk", "*"),
  badHost("a Host above ASCII", "l\xf6calhost"),
  badHost("a Host with a tab", "local\thost"),
  badHost("a Host of 256 bytes", "a".repeat(256)),
  badHost("a Host list", "localhost, evil.example"),
  badHost("a Host with a sign in its port", "localhost:+80"),
  badHost("a Host with a negative port", "localhost:-1"),
  badHost("a Host with a port of six digits", "localhost:000080"),
  badHost("a Host with a colon too many", "localhost:80:"),
  badHost("a Host with two ports and a space", "localhost:80 81"),
  badHost("empty brackets", "[]"),
  badHost("an IPv6 Host of one colon", "[:]"),
  badHost("an IPv6 Host of three colons", "[:::]"),
  badHost("an IPv6 Host with seven groups", "[1:2:3:4:5:6:7]"),
  badHost("an IPv6 Host with nine groups", "[1:2:3:4:5:6:7:8:9]"),
  badHost("an IPv6 Host with eight groups and a gap", "[1:2:3:4::5:6:7:8]"),
  badHost("an IPv6 Host with two gaps", "[1::2::3]"),
  badHost("an IPv6 Host with a long group", "[::12345]"),
  badHost("an IPv6 Host with a wrong digit", "[::g]"),
  badHost("an IPv6 Host with three numbers for a tail", "[::1.2.3]"),
  badHost("an IPv6 Host with a tail out of range", "[::1.2.3.256]"),
  badHost("an IPv6 Host with a tail in the middle", "[::1.2.3.4:5]"),
  badHost("an IPv6 Host with a colon behind", "[1:2:3:4:5:6:7:]"),
  badHost("an IPv6 Host with a zone", "[fe80::1%25lo]"),
  badHost("an address of the future", "[v1.a]"),
  badHost("brackets behind the address", "[::1]]"),
  bad("a Host and another in capitals", `GET /health HTTP/1.1\r\n${HOST}HOST: localhost\r\n\r\n`),
  bad("a wrong Host in HTTP/1.0", "GET /health HTTP/1.0\r\nHost: a b\r\n\r\n"),
  bad("an empty Host in HTTP/1.0", "GET /health HTTP/1.0\r\nHost:\r\n\r\n"),
  bad(
    "an absolute target and a wrong Host",
    "GET http://localhost/health HTTP/1.1\r\nHost: a/b\r\n\r\n",
  ),
  bad("a Host on the next line", "GET /health HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n"),
  badField("a tab in front of the colon", "X\t: a"),
  badField("a vertical tab in front of the colon", "X\x0b: a"),
  badField("a space in a name", "X Y: a"),
  badField("a quote in a name", 'X": a'),
  badField("a slash in a name", "X/Y: a"),
  badField("an at sign in a name", "X@Y: a"),
  badField("brackets in a name", "X[0]: a"),
  badField("braces in a name", "X{0}: a"),
  badField("a semicolon in a name", "X;Y: a"),
  badField("an equals sign for the colon", "X=a"),
  badField("a comma in a name", "X,Y: a"),
  badField("a DEL in a name", "X\x7f: a"),
  badField("a byte order mark in a name", "\xef\xbb\xbfX: a"),
  badField("a lone colon", ":"),
  badField("a line of spaces", "   "),
  badField("a folded empty value", "X:\r\n "),
  badField("a vertical tab in a value", "X: a\x0bb"),
  badField("a form feed in a value", "X: a\x0cb"),
  badField("a backspace in a value", "X: a\x08b"),
  badField("a NUL at the end of a value", "X: a\0"),
  badField("a header behind a bare LF", "X: a\nContent-Length: 5"),
  badField("a header behind a bare CR", "X: a\rContent-Length: 5"),
  badField("a CR behind a CR", "X: a\r\rY: b"),
  badField("an LF in front of the CR", "X: a\n\r"),
  badField("a second request line", "GET /health HTTP/1.1"),
  bad("a head that ends with LF CR", `GET /health HTTP/1.1\r\n${HOST}\n\r`),
  bad("a head of bare LFs", "GET /health HTTP/1.1\nHost: localhost\n\n"),
  bad("a head of bare CRs", "GET /health HTTP/1.1\rHost: localhost\r\r"),
  // RFC 9110 section 10.1.1: any other member may be refused with 417.
  refused(
    "100-continue and another expectation",
    post("Expect: 100-continue, x\r\nContent-Length: 1\r\n", "x"),
    417,
  ),
  refused("an empty expectation", post("Expect:\r\nContent-Length: 1\r\n", "x"), 417),
  refused(
    "an expectation with a parameter",
    post("Expect: 100-continue;a=b\r\nContent-Length: 1\r\n", "x"),
    417,
  ),
  refused("another expectation in HTTP/1.0", "GET /health HTTP/1.0\r\nExpect: x\r\n\r\n", 417),
  refused(
    "an expectation and too large a body",
    post("Expect: 100-continue\r\nContent-Length: 4097\r\n", ""),
    413,
    "body_too_large",
  ),
];

function host(name: string, value: string): HttpRequestCase {
  return kept(name, `GET /health HTTP/1.1\r\nHost: ${value}\r\n\r\n`);
}

function badHost(name: string, value: string): HttpRequestCase {
  return bad(name, `GET /health HTTP/1.1\r\nHost: ${value}\r\n\r\n`);
}

function field(name: string, lines: string): HttpRequestCase {
  return kept(name, `GET /health HTTP/1.1\r\n${HOST}${lines}\r\n\r\n`);
}

function badField(name: string, lines: string): HttpRequestCase {
  return bad(name, `GET /health HTTP/1.1\r\n${HOST}${lines}\r\n\r\n`);
}

function bytes(first: number, last: number): string {
  let text = "";
  for (let byte = first; byte <= last; byte++) text += String.fromCharCode(byte);
  return text;
}
