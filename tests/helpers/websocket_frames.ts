/**
 * Reads the frames of a server, strictly.
 *
 * @module
 */

import assert from "node:assert/strict";

const NAMES: Readonly<Record<number, string>> = { 1: "text", 8: "close", 9: "ping", 10: "pong" };

/**
 * Takes frames apart.
 *
 * @param text one character per byte
 * @param mayBeCut whether the last one may not be whole; it is left out then
 * @returns each as `text …`, `ping …`, `pong …`, `close <code>` or `close`; nothing may follow that
 * @throws when they are not such as a server may send
 */
export function parseServerFrames(text: string, mayBeCut = false): string[] {
  const frames: string[] = [];
  let at = 0;
  while (at < text.length) {
    assert.ok(!frames.some((frame) => frame.startsWith("close")), "nothing follows a goodbye");
    const head = headAt(text, at);
    if (head === undefined || head.end > text.length) {
      assert.ok(mayBeCut, "the last frame is whole");
      break;
    }
    const payload = text.slice(head.start, head.end);
    frames.push(head.name === "close" ? closeText(payload) : `${head.name} ${payload}`);
    at = head.end;
  }
  return frames;
}

function headAt(
  text: string,
  at: number,
): { name: string; start: number; end: number } | undefined {
  const first = text.charCodeAt(at);
  const name = NAMES[first & 0x0f];
  assert.ok(name !== undefined && (first & 0xf0) === 0x80, `first byte ${first.toString(16)}`);
  if (at + 1 >= text.length) return undefined;
  const second = text.charCodeAt(at + 1);
  assert.ok(second < 0x80, "servers do not mask");
  const lengthBytes = second === 126 ? 2 : second === 127 ? 8 : 0;
  const start = at + 2 + lengthBytes;
  if (start > text.length) return undefined;
  let length = second;
  if (lengthBytes > 0) {
    length = 0;
    for (let i = at + 2; i < start; i++) length = length * 256 + text.charCodeAt(i);
    assert.ok(length > (lengthBytes === 2 ? 125 : 65535), "the length takes no more than it needs");
  }
  assert.ok(name === "text" || length <= 125, "control frames are short");
  return { name, start, end: start + length };
}

function closeText(payload: string): string {
  if (payload === "") return "close";
  assert.ok(payload.length >= 2, "a goodbye has a whole code");
  const code = payload.charCodeAt(0) << 8 | payload.charCodeAt(1);
  assert.ok(
    code >= 1000 && code < 5000 && ![1004, 1005, 1006, 1015].includes(code),
    `code ${code}`,
  );
  return `close ${code}`;
}
