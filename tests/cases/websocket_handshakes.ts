/**
 * Requests for a WebSocket, and the status of the answer.
 *
 * @module
 */

/** One request. */
export interface HandshakeCase {
  /** What is special about it; unique. */
  readonly name: string;
  /** The bytes. */
  readonly text: string;
  /** Status of the answer. */
  readonly status: number;
}

/** Header lines of a usual request, without `Host`. */
const LINES: Readonly<Record<string, string>> = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** All of them. */
export const HANDSHAKES: readonly HandshakeCase[] = [
  changed("as in the RFC", {}, 101),
  changed("what Firefox sends", { Connection: "keep-alive, Upgrade" }, 101),
  changed("capitals", { Upgrade: "WebSocket", Connection: "UPGRADE" }, 101),
  changed("another protocol besides", { Upgrade: "h2c, websocket" }, 101),
  changed(
    "white space in lists",
    { Upgrade: " ,\t, websocket ,", Connection: " , upgrade\t," },
    101,
  ),
  added("a second line of tokens", "Connection: close-not\r\n", 101),
  added("extensions, which are declined", "Sec-WebSocket-Extensions: permessage-deflate\r\n", 101),
  added("subprotocols, none of which is chosen", "Sec-WebSocket-Protocol: chat, mqtt\r\n", 101),
  added("the same origin", "Origin: http://localhost\r\n", 101),
  added("an empty body", "Content-Length: 0\r\n", 101),
  changed("a query", {}, 101, "GET /ws?x=1 HTTP/1.1"),
  changed("no Upgrade", { Upgrade: undefined }, 426),
  changed("an empty Upgrade", { Upgrade: "" }, 426),
  changed("an upgrade to something else", { Upgrade: "h2c" }, 426),
  changed("an upgrade to nearly this", { Upgrade: "websockets" }, 426),
  changed("an upgrade with a version", { Upgrade: "websocket/13" }, 426),
  changed("no Connection", { Connection: undefined }, 426),
  changed("Connection: keep-alive", { Connection: "keep-alive" }, 426),
  changed("tokens that only begin so", { Connection: "Upgrade-Insecure" }, 426),
  changed("HTTP/1.0", {}, 426, "GET /ws HTTP/1.0"),
  changed("HEAD", {}, 426, "HEAD /ws HTTP/1.1"),
  changed("POST", {}, 405, "POST /ws HTTP/1.1"),
  changed("PUT", {}, 405, "PUT /ws HTTP/1.1"),
  changed("OPTIONS", {}, 204, "OPTIONS /ws HTTP/1.1"),
  changed("a path below", {}, 404, "GET /ws/ HTTP/1.1"),
  changed("no version", { "Sec-WebSocket-Version": undefined }, 426),
  changed("version 8", { "Sec-WebSocket-Version": "8" }, 426),
  changed("version 14", { "Sec-WebSocket-Version": "14" }, 426),
  changed("version 013", { "Sec-WebSocket-Version": "013" }, 426),
  changed("two versions in a line", { "Sec-WebSocket-Version": "13, 8" }, 426),
  added("two lines of versions", "Sec-WebSocket-Version: 13\r\n", 426),
  changed("no key", { "Sec-WebSocket-Key": undefined }, 400),
  changed("an empty key", { "Sec-WebSocket-Key": "" }, 400),
  changed("a key of 15 bytes", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j" }, 400),
  changed("a key of 17 bytes", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZWU=" }, 400),
  changed("a key without its padding", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ" }, 400),
  changed("a key in the other base64", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j-Q==" }, 400),
  changed(
    "a key with something behind",
    { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ== x" },
    400,
  ),
  changed("a long key", { "Sec-WebSocket-Key": "A".repeat(5000) }, 400),
  added("two keys", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400),
  added("a body", "Content-Length: 2\r\n", 400, "hi"),
  added("a body in chunks", "Transfer-Encoding: chunked\r\n", 400, "0\r\n\r\n"),
];

function changed(
  name: string,
  changes: Readonly<Record<string, string | undefined>>,
  status: number,
  line = "GET /ws HTTP/1.1",
): HandshakeCase {
  const lines = Object.entries({ ...LINES, ...changes })
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => `${field}: ${value}\r\n`);
  return { name, text: `${line}\r\nHost: localhost\r\n${lines.join("")}\r\n`, status };
}

function added(name: string, line: string, status: number, body = ""): HandshakeCase {
  const { text } = changed(name, {}, status);
  return { name, text: `${text.slice(0, -2)}${line}\r\n${body}`, status };
}
