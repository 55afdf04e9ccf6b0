import assert from "node:assert/strict";
import { crc32c } from "../../../src/base/crc32c.ts";
import { Random } from "../../helpers/fuzz/random.ts";

/** As RFC 3720 has it: bit by bit. */
function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

Deno.test("crc32c: the examples of RFC 3720", () => {
  assert.equal(crc32c(new Uint8Array(32), 0, 32), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff), 0, 32), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i), 0, 32), 0x46dd794e);
});

Deno.test("crc32c: short or long, wherever the bytes begin, in one piece or two", () => {
  const seed = 4711;
  const random = new Random(seed);
  for (const buffer of [new ArrayBuffer(2048), new SharedArrayBuffer(2048)]) {
    const all = new Uint8Array(buffer);
    for (let i = 0; i < all.length; i++) all[i] = random.below(256);
    for (let round = 0; round < 300; round++) {
      const view = new Uint8Array(buffer, random.below(16));
      const start = random.below(64);
      const end = start + random.below(round % 2 === 0 ? 64 : 1900);
      const cut = start + random.below(end - start + 1);
      const expected = bitByBit(view.subarray(start, end));
      assert.equal(crc32c(view, start, end), expected, `seed ${seed}: [${start}, ${end})`);
      assert.equal(crc32c(view, cut, end, crc32c(view, start, cut)), expected, `cut at ${cut}`);
    }
  }
});
