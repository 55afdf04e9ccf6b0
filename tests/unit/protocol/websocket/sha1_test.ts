import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { sha1 } from "../../../../src/protocol/websocket/sha1.ts";

Deno.test("sha1: is that of the runtime, for every length around the ends of blocks", () => {
  for (let length = 0; length <= 200; length++) {
    const message = Uint8Array.from({ length }, (_, i) => (i * 37 + length * 11) & 0xff);
    const expected = createHash("sha1").update(message).digest();
    assert.deepEqual([...sha1(message)], [...expected], `${length} bytes`);
  }
});
