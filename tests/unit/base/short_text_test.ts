import assert from "node:assert/strict";
import { bytesOfText, copyOfBytes, textOfBytes } from "../../../src/base/short_text.ts";

Deno.test("short texts: are the same bytes as an encoder's and the same text as a decoder's, of any length", () => {
  const encoder = new TextEncoder();
  const parts = ["", "a", "\0", "\u007f", "\u0080", "é", "€", "😀", "\ud800", "plain ascii"];
  for (const length of [0, 1, 2, 63, 64, 65, 127, 128, 129, 300]) {
    for (const part of parts) {
      for (const text of [part, "x".repeat(length) + part, part + "y".repeat(length)]) {
        const expected = encoder.encode(text);
        assert.deepEqual(bytesOfText(text), expected);
        // In shared memory, with something around it.
        const shared = new Uint8Array(new SharedArrayBuffer(expected.length + 9)).fill(0xff);
        shared.set(expected, 5);
        const end = 5 + expected.length;
        assert.equal(textOfBytes(shared, 5, end), new TextDecoder().decode(expected));
        const copy = copyOfBytes(shared, 5, end);
        assert.deepEqual(copy, expected);
        assert.ok(copy.buffer instanceof ArrayBuffer && copy.byteLength === copy.buffer.byteLength);
      }
    }
  }
  assert.equal(textOfBytes(Uint8Array.of(0x61, 0xff, 0x62), 0, 3), "a\ufffdb");
});
