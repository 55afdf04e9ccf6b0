/**
 * Request lines: methods, targets and versions, and what other protocols send instead.
 *
 * @module
 */

import { bad, HOST, type HttpRequestCase, kept, refused } from "./http_case.ts";

/** Request lines that are understood. */
export const LINE_REQUESTS: readonly HttpRequestCase[] = [
  line("HEAD", "HEAD /health HTTP/1.1", 200),
  line("HEAD of an unknown path", "HEAD /nothing HTTP/1.1", 404),
  line("an empty query", "GET /health? HTTP/1.1", 200),
  line("a query of question marks", "GET /health??? HTTP/1.1", 200),
  line("a query with a path in it", "GET /health?http://localhost/nothing HTTP/1.1", 200),
  line("a query with characters that browsers leave alone", "GET /health?[1]{2}|^ HTTP/1.1", 200),
  // RFC 3986 section 6.2.2 would allow to take these for /health. One path has one spelling here, so
  // that no two readers see different paths.
  line("a needless escape", "GET /%68ealth HTTP/1.1", 404),
  line("a dot segment", "GET /./health HTTP/1.1", 404),
  line("two dots", "GET /x/../health HTTP/1.1", 404),
  line("two dots in escapes", "GET /x/%2e%2e/health HTTP/1.1", 404),
  line("two slashes in front", "GET //health HTTP/1.1", 404),
  line("a slash in an escape", "GET /%2fhealth HTTP/1.1", 404),
  line("a NUL in an escape", "GET /health%00 HTTP/1.1", 404),
  line("a line end in an escape", "GET /health%0d%0aX:%20y HTTP/1.1", 404),
  line("a path parameter", "GET /health;a=b HTTP/1.1", 404),
  line("a path parameter that hides two dots", "GET /x/..;/health HTTP/1.1", 404),
  // RFC 9112 section 3.2.2: the target's host counts and Host is not looked at.
  line(
    "an absolute target for another host than Host",
    "GET http://127.0.0.1/health HTTP/1.1",
    200,
  ),
  line("an absolute target with an IPv6 host", "GET http://[::1]:80/health HTTP/1.1", 200),
  // RFC 3986 section 3.2.3: the port may be empty.
  line("an absolute target with an empty port", "GET http://localhost:/health HTTP/1.1", 200),
  line("an absolute target with a query only", "GET http://localhost?/health HTTP/1.1", 404, 200),
  line("OPTIONS of an unknown path", "OPTIONS /nothing HTTP/1.1", 404),
  line(
    "OPTIONS with an absolute target without a path",
    "OPTIONS http://localhost HTTP/1.1",
    404,
    204,
  ),
  // RFC 9110 section 9.1 asks for 501 only for methods that no resource knows; the path is known.
  line("TRACE", "TRACE /health HTTP/1.1", 405),
  line("PATCH", "PATCH /health HTTP/1.1", 405),
  line("a method of WebDAV", "PROPFIND /health HTTP/1.1", 405),
  line("a method of 32 bytes", `${"M".repeat(32)} /health HTTP/1.1`, 405),
  line("a method of odd characters", "!#$%&'*+-.^_`|~ /health HTTP/1.1", 405),
  // RFC 9112 section 2.3: a higher minor version is answered as the highest one that is known.
  line("minor version 9", "GET /health HTTP/1.9", 200),
];

/** Request lines that are refused. */
export const LINE_REFUSALS: readonly HttpRequestCase[] = [
  bad("nothing but a method", "GET\r\n\r\n"),
  bad("nothing but an empty line and a space", "\r\n \r\n"),
  bad("a byte order mark in front", `\xef\xbb\xbfGET /health HTTP/1.1\r\n${HOST}\r\n`),
  bad("a NUL in front", `\0GET /health HTTP/1.1\r\n${HOST}\r\n`),
  badLine("a NUL behind the method", "GET\0/health HTTP/1.1"),
  badLine("a vertical tab behind the method", "GET\x0b/health HTTP/1.1"),
  badLine("a method above ASCII", "G\xc9T /health HTTP/1.1"),
  badLine("a method in quotes", '"GET" /health HTTP/1.1'),
  badLine("a tab behind the target", "GET /health\tHTTP/1.1"),
  badLine("a form feed in the target", "GET /he\x0calth HTTP/1.1"),
  badLine("a DEL in the target", "GET /health\x7f HTTP/1.1"),
  badLine("a quote in the target", 'GET /health?"a" HTTP/1.1'),
  badLine("angle brackets in the target", "GET /<health> HTTP/1.1"),
  badLine("a backtick in the target", "GET /`health` HTTP/1.1"),
  badLine("a percent sign at the end", "GET /health% HTTP/1.1"),
  badLine("a percent sign for itself", "GET /%%20 HTTP/1.1"),
  badLine("an escape of four digits", "GET /%u0041 HTTP/1.1"),
  badLine("a target that is a query", "GET ?health HTTP/1.1"),
  badLine("a backslash for the slash", "GET \\health HTTP/1.1"),
  badLine("a scheme with one slash", "GET http:/localhost/health HTTP/1.1"),
  badLine("a scheme without slashes", "GET http:localhost/health HTTP/1.1"),
  badLine("a host for a target", "GET localhost:80 HTTP/1.1"),
  badLine("an absolute target with a port out of range", "GET http://localhost:65536/ HTTP/1.1"),
  badLine("an absolute target with half an IPv6 host", "GET http://[::1/health HTTP/1.1"),
  badLine("an absolute target with an escape in its host", "GET http://a%41/health HTTP/1.1"),
  badLine("an absolute target with a user and a password", "GET http://a:b@localhost/ HTTP/1.1"),
  badLine("an asterisk and more", "OPTIONS *x HTTP/1.1"),
  badLine("two asterisks", "OPTIONS ** HTTP/1.1"),
  badLine("an asterisk for POST", "POST * HTTP/1.1"),
  badLine("a search over UDP", "M-SEARCH * HTTP/1.1"),
  badLine("two targets", "GET /health /health HTTP/1.1"),
  badLine("a version without digits", "GET /health HTTP/"),
  badLine("a version without its minor digit", "GET /health HTTP/1."),
  badLine("a version without its major digit", "GET /health HTTP/.1"),
  badLine("a version with a comma", "GET /health HTTP/1,1"),
  badLine("a version with a sign", "GET /health HTTP/+1.1"),
  badLine("a version with a leading zero", "GET /health HTTP/01.1"),
  badLine("a version of three numbers", "GET /health HTTP/1.1.1"),
  badLine("a version with a tab behind", "GET /health HTTP/1.1\t"),
  badLine("a version with a space in it", "GET /health HTTP/ 1.1"),
  badLine("a version with a space in front of the slash", "GET /health HTTP /1.1"),
  badLine("a version in mixed case", "GET /health Http/1.1"),
  badLine("a version of HTTPS", "GET /health HTTPS/1.1"),
  badLine("a version with two CRs", "GET /health HTTP/1.1\r"),
  bad("a line of RESP", "*1\r\n$4\r\nPING\r\n"),
  bad("a greeting of SSH", "SSH-2.0-OpenSSH_9.6\r\n"),
  bad("a request of SIP", "OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\n\r\n"),
  bad("a request of RTSP", "OPTIONS * RTSP/1.0\r\n\r\n"),
  bad("a request of HTTP/0.9", "GET /health\r\n"),
  refused("version 3.0", `GET /health HTTP/3.0\r\n${HOST}\r\n`, 505, "unsupported_version"),
  refused("version 0.0", `GET /health HTTP/0.0\r\n${HOST}\r\n`, 505, "unsupported_version"),
  // RFC 9110 section 7.4: an https resource must be rejected on a connection that is not secured.
  refused(
    "an absolute target with https",
    `GET https://localhost/health HTTP/1.1\r\n${HOST}\r\n`,
    421,
    "wrong_scheme",
  ),
  refused("CONNECT without a port", `CONNECT localhost HTTP/1.1\r\n${HOST}\r\n`, 501),
  refused("a method that does not end", "M".repeat(40), 501, "not_implemented"),
];

function line(
  name: string,
  requestLine: string,
  status: number,
  serverStatus = status,
): HttpRequestCase {
  return { ...kept(name, `${requestLine}\r\n${HOST}\r\n`), status, serverStatus };
}

function badLine(name: string, requestLine: string): HttpRequestCase {
  return bad(name, `${requestLine}\r\n${HOST}\r\n`);
}
