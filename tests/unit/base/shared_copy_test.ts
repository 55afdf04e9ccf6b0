import assert from "node:assert/strict";
import { copyBytes, keepView, moveBytes } from "../../../src/base/shared_copy.ts";

const SIZE = 24_576;
/** Ends of every way of copying: bytes, words, one step, several steps. */
const LENGTHS = [
  ...Array.from({ length: 80 }, (_, i) => i),
  ...[255, 256, 257, 1016, 1023, 1024, 1279, 1280, 1281, 1287, 2047, 4099],
  ...[8191, 8192, 8193, 8199, 16_384, 16_391],
];
const GUARD = 0xa5;

const makers: Record<string, () => Uint8Array> = {
  private: () => new Uint8Array(SIZE),
  shared: () => new Uint8Array(new SharedArrayBuffer(SIZE)),
  "part of a private one": () => new Uint8Array(new ArrayBuffer(SIZE + 13), 13),
  "part of a shared one": () => new Uint8Array(new SharedArrayBuffer(SIZE + 21), 21, SIZE),
};

/** Bytes that differ from their neighbours at every distance up to 255. */
function fill(bytes: Uint8Array, salt: number): Uint8Array {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + salt) & 0xff;
  return bytes;
}

for (const [from, makeSource] of Object.entries(makers)) {
  for (const [to, makeTarget] of Object.entries(makers)) {
    Deno.test(`copyBytes copies from ${from} to ${to} array at all alignments`, () => {
      const source = fill(makeSource(), 3);
      const target = makeTarget();
      for (const byteCount of LENGTHS) {
        for (let pair = 0; pair < 64; pair++) {
          // Of the long ones a few pairs, of the others all.
          if (byteCount > 4099 && pair % 9 !== 0 && pair % 7 !== 0) continue;
          const start = 40 + (pair & 7);
          const offset = 64 + (pair >>> 3);
          target.fill(GUARD, 0, offset + byteCount + 64);
          copyBytes(source, start, start + byteCount, target, offset);
          check(source, start, target, offset, byteCount);
        }
      }
    });
  }
}

function check(
  source: Uint8Array,
  start: number,
  target: Uint8Array,
  offset: number,
  byteCount: number,
): void {
  const what = `${byteCount} bytes from ${start} to ${offset}`;
  for (let i = 0; i < byteCount; i++) {
    if (target[offset + i] !== source[start + i]) assert.fail(`${what}: byte ${i} differs`);
  }
  for (let i = 1; i <= 64; i++) {
    assert.equal(target[offset - i], GUARD, `${what}: ${i} before the target`);
    assert.equal(target[offset + byteCount + i - 1], GUARD, `${what}: ${i} behind the target`);
  }
}

for (const kind of ["private", "shared"]) {
  Deno.test(`moveBytes moves bytes within a ${kind} array, forth and back`, () => {
    const bytes = makers[kind]!();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const byteCount of LENGTHS) {
      for (const distance of [-100, -33, -17, -9, -8, -7, -1, 0, 1, 3, 7, 8, 9, 17, 33, 100]) {
        const from = 200 + (byteCount & 7);
        const expected = fill(bytes, byteCount).slice();
        expected.copyWithin(from + distance, from, from + byteCount);
        moveBytes(view, bytes, from + distance, from, byteCount);
        assert.deepEqual(bytes.slice(), expected, `${byteCount} bytes by ${distance}`);
      }
    }
  });

  Deno.test(`copyBytes moves bytes to the front of the same ${kind} array`, () => {
    const bytes = makers[kind]!();
    for (const byteCount of LENGTHS) {
      for (const distance of [0, 1, 2, 5, 7, 8, 9, 15, 16, 31, 33, 100]) {
        const start = 200 + (byteCount & 7);
        const expected = fill(bytes, byteCount).slice();
        expected.copyWithin(start - distance, start, start + byteCount);
        copyBytes(bytes, start, start + byteCount, bytes, start - distance);
        assert.deepEqual(bytes.slice(), expected, `${byteCount} bytes by ${distance}`);
      }
    }
  });
}

Deno.test("copyBytes follows arrays that take turns, kept or not, large or small", () => {
  const large = fill(new Uint8Array(new SharedArrayBuffer(2 ** 20)), 1);
  const kept = keepView(new Uint8Array(64));
  const others = Array.from({ length: 5 }, (_, i) => fill(new Uint8Array(64), i));
  const target = new Uint8Array(32);
  for (let round = 0; round < 50; round++) {
    for (const source of [large, fill(kept, round), ...others, large]) {
      const at = round % 16;
      copyBytes(source, at, at + 20, target, 3);
      assert.deepEqual(target.slice(3, 23), source.slice(at, at + 20));
    }
  }
});

Deno.test("copyBytes takes arrays that grow and shrink with their buffers", () => {
  const target = new Uint8Array(new SharedArrayBuffer(4096));
  for (
    const buffer of [
      new ArrayBuffer(16, { maxByteLength: 2 ** 21 }),
      new SharedArrayBuffer(16, { maxByteLength: 2 ** 21 }),
    ]
  ) {
    const source = new Uint8Array(buffer);
    const lengths = buffer instanceof ArrayBuffer ? [16, 2 ** 21, 200, 40] : [16, 200, 2 ** 21];
    for (const length of lengths) {
      if (buffer instanceof ArrayBuffer) buffer.resize(length);
      else buffer.grow(length);
      const copied = Math.min(length, 1000);
      source.forEach((_, i) => source[i] = i * 7 + length);
      copyBytes(source, 0, copied, target, 3);
      assert.deepEqual([...target.slice(3, 3 + copied)], [...source.slice(0, copied)]);
      copyBytes(target, 3, 3 + copied, source, 0);
    }
  }
});
