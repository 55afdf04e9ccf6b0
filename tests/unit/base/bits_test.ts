import assert from "node:assert/strict";
import fc from "fast-check";
import { BitOperation, combineWords, countBits, findBit } from "../../../src/base/bits.ts";
import { Int64 } from "../../../src/base/int64.ts";
import { murmur64 } from "../../../src/base/murmur64.ts";

/** The bits of bytes, one character each. */
function bitText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
}

const range = fc.uint8Array({ maxLength: 60 }).chain((bytes) =>
  fc.tuple(
    fc.constantFrom(
      bytes,
      bytes.map((byte) => byte > 200 ? byte : 0),
      bytes.map((byte) => byte | 0xfe),
    ),
    fc.nat(bytes.length),
    fc.nat(bytes.length),
    fc.nat(3),
  )
);

Deno.test("countBits and findBit: say what the bits say, wherever the bytes lie", () => {
  fc.assert(fc.property(range, ([content, a, b, shift]) => {
    const bytes = new Uint8Array(content.length + shift).subarray(shift);
    bytes.set(content);
    const [start, end] = a < b ? [a, b] : [b, a];
    const text = bitText(bytes.subarray(start, end));
    assert.equal(countBits(bytes, start, end), text.replaceAll("0", "").length);
    assert.equal(findBit(bytes, start, end, 1), text.indexOf("1"));
    assert.equal(findBit(bytes, start, end, 0), text.indexOf("0"));
  }));
});

Deno.test("combineWords: combines word by word", () => {
  const target = new Uint32Array([0xf0f0f0f0, 5, 77]);
  combineWords(BitOperation.AND, target, new Uint32Array([0xff00ff00, 4, 0]), 2);
  assert.deepEqual([...target], [0xf000f000, 4, 77]);
  combineWords(BitOperation.OR, target, new Uint32Array([1, 1, 0]), 2);
  assert.deepEqual([...target], [0xf000f001, 5, 77]);
  combineWords(BitOperation.XOR, target, new Uint32Array([1, 4, 0]), 2);
  assert.deepEqual([...target], [0xf000f000, 1, 77]);
  combineWords(BitOperation.NOT, target, target, 2);
  assert.deepEqual([...target], [0x0fff0fff, 0xfffffffe, 77]);
});

/** The hash as its definition says, with big integers. */
function murmurByDefinition(bytes: Uint8Array, seed: bigint): bigint {
  const m = 0xc6a4a7935bd1e995n;
  const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
  let h = u64(seed ^ (BigInt(bytes.length) * m));
  const whole = bytes.length - bytes.length % 8;
  const littleEndian = (part: Uint8Array): bigint =>
    part.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
  for (let at = 0; at < whole; at += 8) {
    let k = u64(littleEndian(bytes.subarray(at, at + 8)) * m);
    k = u64((k ^ (k >> 47n)) * m);
    h = u64((h ^ k) * m);
  }
  if (whole < bytes.length) h = u64((h ^ littleEndian(bytes.subarray(whole))) * m);
  h = u64((h ^ (h >> 47n)) * m);
  return h ^ (h >> 47n);
}

Deno.test("murmur64: is the hash that it says it is", () => {
  const result = new Int64();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    murmur64(bytes, 0, bytes.length, 0xadc83b19, result);
    assert.equal(BigInt.asUintN(64, result.toBigInt()), murmurByDefinition(bytes, 0xadc83b19n));
  }));
});
