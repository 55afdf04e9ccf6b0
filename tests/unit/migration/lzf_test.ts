import assert from "node:assert/strict";
import fc from "fast-check";
import { MOST_EXPANSION, tryUnpack } from "../../../src/migration/lzf.ts";

function unpack(packed: readonly number[], byteCount: number): string | undefined {
  const target = new Uint8Array(byteCount);
  return tryUnpack(Uint8Array.from(packed), target) ? String.fromCharCode(...target) : undefined;
}

const ABC = [2, 97, 98, 99];

Deno.test("LZF: bytes as they are, copies near and far, copies that repeat themselves", () => {
  assert.equal(unpack([], 0), "");
  assert.equal(unpack(ABC, 3), "abc");
  assert.equal(unpack([...ABC, 0x20, 2], 6), "abcabc", "three bytes, three before");
  assert.equal(unpack([...ABC, 0xc0, 0], 11), "abccccccccc", "eight bytes, one before");
  assert.equal(unpack([...ABC, 0xe0, 0, 2], 12), "abcabcabcabc", "nine bytes");
  const longest = unpack([0, 97, 0xe0, 255, 0], 265)!;
  assert.equal(longest, "a".repeat(265));
  assert.ok(264 / 3 <= MOST_EXPANSION);
  // 8,192 bytes, then the first of them again.
  const far = Array.from({ length: 256 }, (_, i) => [31, ...Array(32).fill(i)]).flat();
  const text = unpack([...far, 0x3f, 0xff], 8195)!;
  assert.equal(text.slice(8192), "\0\0\0");
  assert.equal(text.charCodeAt(8191), 255);
});

Deno.test("LZF: what is none is refused", () => {
  assert.equal(unpack(ABC, 2), undefined, "too long");
  assert.equal(unpack(ABC, 4), undefined, "too short");
  assert.equal(unpack([], 1), undefined);
  assert.equal(unpack([2, 97], 3), undefined, "bytes are missing");
  assert.equal(unpack([...ABC, 0x20], 6), undefined, "a distance is missing");
  assert.equal(unpack([...ABC, 0xe0], 12), undefined, "a length is missing");
  assert.equal(unpack([...ABC, 0xe0, 0], 12), undefined, "a distance is missing");
  assert.equal(unpack([...ABC, 0x20, 3], 6), undefined, "before the first byte");
  assert.equal(unpack([0x20, 0], 3), undefined, "before the first byte");
  assert.equal(unpack([...ABC, 0x20, 0], 5), undefined, "too long");
});

Deno.test("LZF: any bytes are unpacked or refused, and nothing is written elsewhere", () => {
  const bytes = fc.uint8Array({ maxLength: 60 });
  fc.assert(fc.property(bytes, fc.nat(300), (packed, byteCount) => {
    const whole = new Uint8Array(byteCount + 10).fill(0xaa);
    tryUnpack(packed, whole.subarray(5, 5 + byteCount));
    assert.deepEqual(
      [...whole.subarray(0, 5), ...whole.subarray(5 + byteCount)],
      Array(10).fill(0xaa),
    );
  }));
});
