import assert from "node:assert/strict";
import fc from "fast-check";
import { Crc64 } from "../../../src/base/crc64.ts";

/** Bit by bit, as the definition has it. */
function slowCrc64(bytes: Uint8Array): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) * 0x95ac9329ac4bc9b5n);
  }
  return crc;
}

function valueOf({ hi, lo }: Crc64): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo);
}

Deno.test("Crc64: has the check value that is published", () => {
  const sum = new Crc64();
  sum.add(new TextEncoder().encode("123456789"), 0, 9);
  assert.equal(valueOf(sum), 0xe9c6d914c4b8d9can);
});

Deno.test("Crc64: is what the definition says, however the bytes are cut", () => {
  const cut = fc.uint8Array({ maxLength: 100 }).chain((bytes) =>
    fc.tuple(fc.constant(bytes), fc.nat(bytes.length), fc.nat(20))
  );
  fc.assert(fc.property(cut, ([bytes, middle, shift]) => {
    const inside = new Uint8Array(bytes.length + 2 * shift).fill(0xaa);
    inside.set(bytes, shift);
    const sum = new Crc64();
    sum.add(inside, shift, shift + middle);
    sum.add(inside, shift + middle, shift + bytes.length);
    assert.equal(valueOf(sum), slowCrc64(bytes));
  }));
});
