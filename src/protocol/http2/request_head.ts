/**
 * The head of an HTTP/2 request as one of HTTP/1.1.
 *
 * Everything behind it is what serves HTTP/1.1: routes, limits, rights. So nothing may pass that
 * HTTP/1.1 would read otherwise than HTTP/2 meant it: no byte that ends a line, nothing that says
 * where a request ends but what we say ourselves.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9113#section-8.2
 *
 * @module
 */

import { encodeText } from "../http/characters.ts";

/** What became of a head. */
export type RequestHead =
  | {
    readonly kind: "head";
    /** The request line and the header section, the empty line included. */
    readonly bytes: Uint8Array<ArrayBuffer>;
    /** Length of the body; -1 = not known, it is to be sent in chunks. Unit: bytes. */
    readonly bodyBytes: number;
    /** Whether the reply has no body whatever its head says. */
    readonly isHeadOnly: boolean;
  }
  /** The stream is to be reset: a request that no client sends in good faith. */
  | { readonly kind: "malformed"; readonly reason: string };

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** Visible ASCII only: a space would end the target. */
const TARGET = /^[\x21-\x7e]+$/;
/** What a line may have, and no white space at its ends. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const DIGITS = /^\d{1,15}$/;

/** They belong to one connection of HTTP/1.1, so HTTP/2 forbids them. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const PSEUDO_FIELDS: readonly string[] = [":method", ":path", ":scheme", ":authority"];

/**
 * Translates a head.
 *
 * @param fields names and values in turn, as they were sent
 * @param hasEnded whether nothing follows: no body, no trailers
 */
export function translateHead(fields: readonly string[], hasEnded: boolean): RequestHead {
  const pseudo = new Map<string, string>();
  const lines: string[] = [];
  const cookies: string[] = [];
  let host: string | undefined;
  let length: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name, value] = [fields[i]!, fields[i + 1]!];
    if (name.startsWith(":")) {
      if (!PSEUDO_FIELDS.includes(name)) return malformed(`${name} is not known`);
      if (pseudo.has(name)) return malformed(`${name} is repeated`);
      if (lines.length > 0 || cookies.length > 0 || host !== undefined || length !== undefined) {
        return malformed(`${name} is behind a header`);
      }
      pseudo.set(name, value);
      continue;
    }
    if (!NAME.test(name)) return malformed("a header name is malformed");
    if (!VALUE.test(value)) return malformed(`the value of ${name} is malformed`);
    if (CONNECTION_FIELDS.has(name)) return malformed(`${name} has no meaning in HTTP/2`);
    if (name === "te") {
      if (value !== "trailers") return malformed("te may only be trailers");
    } else if (name === "host") {
      if (host !== undefined) return malformed("host is repeated");
      host = value;
    } else if (name === "content-length") {
      if (length !== undefined || !DIGITS.test(value)) return malformed("content-length is wrong");
      length = value;
    } else if (name === "cookie") {
      cookies.push(value);
    } else {
      lines.push(`${name}: ${value}\r\n`);
    }
  }
  const problem = findProblem(pseudo, host);
  if (problem !== null) return malformed(problem);
  const bodyBytes = hasEnded ? 0 : length === undefined ? -1 : Number(length);
  if (hasEnded && Number(length ?? 0) !== 0) return malformed("content-length announces a body");
  const method = pseudo.get(":method")!;
  const framing = bodyBytes < 0
    ? "transfer-encoding: chunked\r\n"
    : length === undefined && bodyBytes === 0
    ? ""
    : `content-length: ${bodyBytes}\r\n`;
  if (cookies.length > 0) lines.push(`cookie: ${cookies.join("; ")}\r\n`);
  const text = `${method} ${pseudo.get(":path")} HTTP/1.1\r\n` +
    `host: ${pseudo.get(":authority") ?? host}\r\n` +
    // One request is one conversation.
    `connection: close\r\n${framing}${lines.join("")}\r\n`;
  return { kind: "head", bytes: latin1(text), bodyBytes, isHeadOnly: method === "HEAD" };
}

function findProblem(pseudo: ReadonlyMap<string, string>, host: string | undefined): string | null {
  const method = pseudo.get(":method");
  const path = pseudo.get(":path");
  const authority = pseudo.get(":authority");
  if (method === undefined || !METHOD.test(method)) return ":method is missing or malformed";
  if (method === "CONNECT") return "this server is not a proxy";
  if (pseudo.get(":scheme") !== "https") return ":scheme is not https";
  if (path === undefined || !TARGET.test(path)) return ":path is missing or malformed";
  if (!path.startsWith("/") && !(path === "*" && method === "OPTIONS")) return ":path is no path";
  if (authority !== undefined && !TARGET.test(authority)) return ":authority is malformed";
  if (authority === undefined && host === undefined) return "no host is named";
  if (authority !== undefined && host !== undefined && authority !== host) {
    return "two hosts are named";
  }
  return null;
}

function malformed(reason: string): RequestHead {
  return { kind: "malformed", reason };
}

function latin1(text: string): Uint8Array<ArrayBuffer> {
  // Most heads are ASCII, which one call encodes.
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(text)) return encodeText(text);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
