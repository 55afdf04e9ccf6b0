import assert from "node:assert/strict";
import { SipHash128 } from "../../../src/base/siphash.ts";

/** Input is 0, 1, 2, …, of this length; the key is 0 to 15. From the reference implementation. */
const VECTORS: readonly [byteCount: number, hex: string][] = [
  [0, "a3817f04ba25a8e66df67214c7550293"],
  [1, "da87c1d86b99af44347659119b22fc45"],
  [2, "8177228da4a45dc7fca38bdef60affe4"],
  [63, "5150d1772f50834a503e069a973fbd7c"],
];

function hexOf(words: Int32Array<ArrayBuffer>): string {
  return Array.from(new Uint8Array(words.buffer), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

Deno.test("SipHash128: gives what the reference implementation gives", () => {
  const hash = new SipHash128(Uint8Array.from({ length: 16 }, (_, i) => i));
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
  for (const [byteCount, hex] of VECTORS) {
    hash.compute(bytes, 0, byteCount);
    assert.equal(hexOf(hash.words), hex, `${byteCount} bytes`);
  }
});

Deno.test("SipHash128: what is around the bytes does not matter, and the key does", () => {
  const bytes = new TextEncoder().encode("xxabcdefghijkyy");
  const hashOf = (key: number, start: number, end: number, source = bytes): string => {
    const hash = new SipHash128(new Uint8Array(16).fill(key));
    hash.compute(source, start, end);
    return hexOf(hash.words);
  };
  const alone = bytes.slice(2, 13);
  assert.equal(hashOf(1, 2, 13), hashOf(1, 0, 11, alone));
  assert.notEqual(hashOf(1, 2, 13), hashOf(2, 2, 13));
  assert.notEqual(hashOf(1, 2, 13), hashOf(1, 2, 12));
});
