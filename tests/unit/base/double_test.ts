import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDouble, parseDouble } from "../../../src/base/double.ts";
import {
  addLongDouble,
  formatLongDouble,
  type LongDouble,
  parseLongDouble,
} from "../../../src/base/long_double.ts";

function parse(text: string): number {
  const bytes = new TextEncoder().encode(`<${text}>`);
  return parseDouble(bytes, 1, bytes.length - 1);
}

for (
  const [text, value] of [
    ["0", 0],
    ["-0", -0],
    ["17", 17],
    ["+17", 17],
    ["1e5", 100_000],
    ["1E-2", 0.01],
    [".5", 0.5],
    ["5.", 5],
    ["-2.5e+3", -2500],
    ["0x10", 16],
    ["-0X1.8p1", -3],
    ["0x.8", 0.5],
    ["inf", Infinity],
    ["+INF", Infinity],
    ["-Infinity", -Infinity],
    ["0e-999", 0],
    ["5e-324", 5e-324],
    ["1.7976931348623157e308", Number.MAX_VALUE],
  ] as const
) {
  Deno.test(`parseDouble: ${text} is ${formatDouble(value)}`, () => {
    assert.ok(Object.is(parse(text), value), `${parse(text)}`);
  });
}

for (
  const text of [
    "",
    " 1",
    "1 ",
    "+",
    ".",
    "e5",
    "1e",
    "1e+",
    "nan",
    "-nan",
    "1_0",
    "0x",
    "0xg",
    "1e400",
  ]
    .concat(["-1e400", "1e-400", "infinit", "1,5", "--1", "0x1p99999", "1\0", "9".repeat(6000)])
) {
  Deno.test(`parseDouble: refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
    assert.ok(Number.isNaN(parse(text)));
  });
}

function long(text: string): LongDouble | "infinite" | undefined {
  const bytes = new TextEncoder().encode(text);
  return parseLongDouble(bytes, 0, bytes.length);
}

/** As INCRBYFLOAT of Redis 7.0 on x86-64 replied. */
const SUMS: readonly (readonly [string, string, string])[] = [
  ["10.5", "0.1", "10.6"],
  ["0.1", "0.2", "0.3"],
  ["3.0e3", "0", "3000"],
  ["1000.1", "0", "1000.09999999999999998"],
  ["5000", "200.1", "5200.10000000000000009"],
  ["-797e-7", "-9035.498217", "-9035.49829670000000004"],
  ["-0.00098161", "-81376.675626", "-81376.67660760999999781"],
  ["30810.714154", "-775759731043648497.734", "-775759731043617687.0625"],
  ["0xbc7c.8cp6", "9.8", "3088172.79999999999995453"],
  ["1e30", "1e-5", "1000000000000000000024696061952"],
  ["-0.1", "0.1", "0"],
  ["10", "1e-4940", "10"],
];

Deno.test("addLongDouble: sums are those of Redis, to the last place", () => {
  for (const [a, b, sum] of SUMS) {
    const [left, right] = [long(a), long(b)];
    assert.ok(typeof left === "object" && typeof right === "object");
    assert.equal(formatLongDouble(addLongDouble(left, right)!), sum, `${a} + ${b}`);
    assert.equal(formatLongDouble(addLongDouble(right, left)!), sum, `${b} + ${a}`);
  }
});

Deno.test("addLongDouble: has no sum beyond the largest number", () => {
  const largest = long("1e4932");
  assert.ok(typeof largest === "object");
  assert.equal(addLongDouble(largest, largest), undefined);
  assert.equal(long("1e4933"), undefined);
  assert.equal(long("1e-4960"), undefined);
  assert.equal(long("-inf"), "infinite");
});

Deno.test("parseDouble: is the double nearest to any number of digits, with and without a point", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), maxLength: 20 });
  fc.assert(
    fc.property(digits, digits, fc.boolean(), fc.boolean(), (whole, rest, hasPoint, isNegative) => {
      const text = `${isNegative ? "-" : ""}${whole}${hasPoint ? `.${rest}` : ""}`;
      const isNumber = /\d/.test(text);
      assert.ok(Object.is(parse(text), isNumber ? Number(text) : NaN), `${text}: ${parse(text)}`);
    }),
    { seed: 1517, numRuns: 20_000 },
  );
});
