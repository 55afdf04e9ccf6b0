/**
 * What the fuzzer knows of WebSocket.
 *
 * @module
 */

import assert from "node:assert/strict";
import { EVENT_BODIES } from "../../cases/http_events.ts";
import { INVALID_FRAMES, text, utf8, VALID_FRAMES } from "../../cases/websocket_frames.ts";
import { WebSocketTcpClient } from "../websocket_client.ts";
import { parseServerFrames } from "../websocket_frames.ts";
import type { FuzzProtocol } from "./protocols.ts";

const HANDSHAKE = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" +
  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const HEAD = /HTTP\/1\.1 101 Switching Protocols\r\n[\s\S]*?\r\n\r\n/;

const HEAD_SAMPLE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

/** So what is changed in a message is still text, mostly. */
const NO_MASK = { mask: [0, 0, 0, 0] };

/** Messages besides those that the cases of events make. */
const MESSAGES = [
  `{"type":"event","user":"alice","action":"buy","amount":1,"ref":1}`,
  `{"type":"event","user":"alice","action":"buy","amount":1,"ref":"a","wait_ms":10}`,
  `{"type":"metrics","interval_ms":100}`,
  `{"type":"metrics","interval_ms":0,"ref":"stop"}`,
  `{"type":"metrics"}`,
  `{"type":"nope"}`,
];

/** Frames behind a handshake that is always good. */
export const WEBSOCKET_PROTOCOL: FuzzProtocol = {
  name: "websocket",
  port: "http",
  // None, but it is another way of a port that is fuzzed already.
  flags: [],
  prefix: latin1(HANDSHAKE),
  isPatient: true,
  samples: {
    well: latin1(`${HEAD_SAMPLE}\x81\x02{}\x8a\0`),
    broken: latin1(`${HEAD_SAMPLE}\x81\x82\0\0\0\0{}`),
  },
  corpus: [
    ...[...VALID_FRAMES, ...INVALID_FRAMES].map((one) => one.text),
    ...MESSAGES.map((message) => text(message, NO_MASK)),
    ...EVENT_BODIES.flatMap(({ body }) =>
      typeof body === "string" && body.startsWith("{") && body.length < 20_000
        ? [text(utf8(`{"type":"event",${body.slice(1)}`), NO_MASK)]
        : []
    ),
  ].map(latin1),
  tokens: [
    ...["\x81\x80\0\0\0\0", "\x01\x80\0\0\0\0", "\x80\x80\0\0\0\0", "\x00\x80\0\0\0\0"],
    ...["\x89\x80\0\0\0\0", "\x8a\x80\0\0\0\0", "\x88\x80\0\0\0\0", "\x88\x82\0\0\0\0\x03\xe8"],
    ...["\x81\xfe", "\x81\xff", "\x81\xfe\x00\x7e", "\x81\xff\0\0\0\0\0\x01\0\0", "\x82\x81"],
    ...[`"ref":`, `"wait_ms":1`, `"type":"event",`, `"type":"metrics",`, `"interval_ms":100`],
    ...["{", "}", `"`, ",", "\\u0000", "\\ud800", "\xe2\x82\xac", "\xe2\x82", "\xff"],
  ].map(latin1),
  countReplies: (received, _sent, cutOff) => {
    const bytes = toText(received);
    const [before, ...parts] = bytes.split(HEAD);
    if (parts.length === 0) {
      assert.ok(cutOff, `there is a whole head: ${bytes}`);
      return 0;
    }
    assert.equal(before, "");
    const frames = parts.flatMap((part) => parseServerFrames(part, cutOff));
    for (const frame of frames) {
      if (frame.startsWith("text ")) JSON.parse(decoded(frame.slice(5)));
    }
    return frames.length;
  },
  probe: async (port) => {
    using client = await WebSocketTcpClient.open(port);
    await client.send(text(`{"type":"still here?","ref":"yes"}`));
    const [frame] = await client.readFrames(1);
    assert.match(frame!, /^text {"type":"error","ref":"yes","reason":"unknown_type",/);
  },
};

function latin1(characters: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}

/** One character per byte. */
function toText(bytes: Uint8Array): string {
  let result = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    result += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return result;
}

/** UTF-8 behind one character per byte; fails when it is none. */
function decoded(characters: string): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(latin1(characters));
}
