import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addInt64,
  decimalDigitCount,
  formatInt64,
  Int64,
  negateInt64,
  parseInt64,
} from "../../../src/base/int64.ts";

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);
const int64 = fc.oneof(
  fc.bigInt(MIN, MAX),
  fc.bigInt(-1000n, 1000n),
  fc.constantFrom(MIN, MIN + 1n, MAX, MAX - 1n, 0n, -1n, 2n ** 32n, -(2n ** 32n), 2n ** 53n + 1n),
);

function from(value: bigint): Int64 {
  return new Int64(Number(BigInt.asIntN(32, value >> 32n)), Number(value & 0xffffffffn));
}

function parse(text: string): bigint | undefined {
  const bytes = new TextEncoder().encode(`<${text}>`);
  const result = new Int64();
  return parseInt64(bytes, 1, bytes.length - 1, result) ? result.toBigInt() : undefined;
}

function format(value: bigint): string {
  const target = new Uint8Array(24);
  const { hi, lo } = from(value);
  return new TextDecoder().decode(target.subarray(2, 2 + formatInt64(hi, lo, target, 2)));
}

Deno.test("addInt64: equals BigInt addition, and refuses exactly what does not fit", () => {
  fc.assert(
    fc.property(int64, int64, (a, b) => {
      const result = new Int64(7, 7);
      const fits = addInt64(from(a), from(b), result);
      assert.equal(fits, a + b >= MIN && a + b <= MAX);
      assert.equal(result.toBigInt(), fits ? a + b : (7n << 32n) + 7n);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("negateInt64: equals BigInt negation, and refuses -2^63", () => {
  fc.assert(fc.property(int64, (a) => {
    const result = from(a);
    assert.equal(negateInt64(result, result), a !== MIN);
    assert.equal(result.toBigInt(), a === MIN ? MIN : -a);
  }));
});

Deno.test("parseInt64 and formatInt64: are each other's inverse", () => {
  fc.assert(
    fc.property(int64, (a) => {
      assert.equal(format(a), String(a));
      assert.equal(parse(String(a)), a);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("parseInt64: refuses what is not a canonical int64", () => {
  const refused = [
    "",
    "-",
    "+1",
    "-0",
    "00",
    "01",
    "-01",
    " 1",
    "1 ",
    "1.0",
    "1e2",
    "0x10",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999",
    "18446744073709551616",
    "१",
  ];
  for (const text of refused) assert.equal(parse(text), undefined, JSON.stringify(text));
});

Deno.test("Int64: converts from and to numbers", () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => {
    assert.equal(Int64.fromNumber(value).toNumber(), value === 0 ? 0 : value);
    assert.equal(Int64.fromNumber(value).toBigInt(), BigInt(value));
  }));
});

Deno.test("decimalDigitCount: counts digits at every power of ten", () => {
  for (let digits = 1; digits <= 15; digits++) {
    assert.equal(decimalDigitCount(10 ** digits - 1), digits);
    assert.equal(decimalDigitCount(10 ** digits), digits + 1);
  }
  assert.equal(decimalDigitCount(0), 1);
});
