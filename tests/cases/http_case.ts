/**
 * What a raw HTTP request and its expected answer look like as a test case.
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
  /** The same of the whole server, which has other routes, too, and minds who `Host` is. */
  readonly serverStatus?: number;
  /** `reason` in the answer's body, when that is to be checked. */
  readonly reason?: string;
  /** Whether the connection closes behind the answer. */
  readonly closes: boolean;
  /** Body of the answer, when that is to be checked. */
  readonly body?: string;
}

/** The usual `Host` line. */
export const HOST = "Host: localhost\r\n";

/** Longest body that the cases' server takes. Unit: bytes. */
export const MAX_BODY_BYTES = 4096;

/** A request that is answered 200 and keeps its connection. */
export function kept(name: string, text: string, body?: string): HttpRequestCase {
  return { name, text, status: 200, closes: false, ...(body === undefined ? {} : { body }) };
}

/** The same with a connection that closes. */
export function closed(name: string, text: string, body?: string): HttpRequestCase {
  return { ...kept(name, text, body), closes: true };
}

/** A request that is refused with 400; the connection closes. */
export function bad(name: string, text: string): HttpRequestCase {
  return refused(name, text, 400, "bad_request");
}

/** A request that is refused; the connection closes. */
export function refused(
  name: string,
  text: string,
  status: number,
  reason?: string,
): HttpRequestCase {
  return { name, text, status, closes: true, ...(reason === undefined ? {} : { reason }) };
}

/** `POST /echo` with these header lines and this body. */
export function post(headerLines: string, body: string): string {
  return `POST /echo HTTP/1.1\r\n${HOST}${headerLines}\r\n${body}`;
}

/** `POST /echo` with a chunked body, framing included. */
export function chunkedPost(body: string): string {
  return post("Transfer-Encoding: chunked\r\n", body);
}
