import assert from "node:assert/strict";
import { alignedNumbers } from "../../../../src/lab/report/tables.ts";
import {
  clipped,
  counted,
  duration,
  escapeText,
  fixed,
  percent,
  short,
  times,
  wrapped,
} from "../../../../src/lab/report/text.ts";

/** With plain spaces, to be read. */
const plain = (text: string): string => text.replaceAll("\u00a0", " ");

Deno.test("escapeText: leaves nothing that ends a text, a tag or an attribute", () => {
  assert.equal(escapeText(`<a b="c" d='e'>&`), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
  assert.equal(escapeText("a\u0000b\u001bc\ud800"), "a\ufffdb\ufffdc\ufffd");
  assert.equal(escapeText("é€😀\n\t"), "é€😀\n\t");
});

Deno.test("fixed: has commas in the whole part alone, and no negative zero", () => {
  assert.equal(fixed(1234567.8912, 4), "1,234,567.8912");
  assert.equal(fixed(999, 0), "999");
  assert.equal(fixed(1000, 0), "1,000");
  assert.equal(fixed(-1234.5, 1), "−1,234.5");
  assert.equal(fixed(-0.001, 1), "0.0");
  assert.equal(fixed(NaN, 1), "–");
});

Deno.test("short: shows as many digits as say something", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [1450.4, "1,450"],
    [14.49, "14.5"],
    [7.97, "7.97"],
    [2, "2"],
    [100, "100"],
    [0.1249, "0.12"],
    [0.02, "0.02"],
    [0.0000001, "0"],
  ];
  for (const [value, text] of cases) assert.equal(short(value), text, String(value));
});

Deno.test("duration: has the unit that suits it", () => {
  const cases: [number, string][] = [
    [0, "0 ms"],
    [0.000012, "12 ns"],
    [0.0125, "12.5 µs"],
    [1.31, "1.31 ms"],
    [999, "999 ms"],
    [50_300, "50.3 s"],
    [318_400, "5.31 min"],
  ];
  for (const [ms, text] of cases) assert.equal(plain(duration(ms)), text);
});

Deno.test("percent: says all or none only when it is", () => {
  assert.equal(plain(percent(4787, 5000)), "95.7 %");
  assert.equal(plain(percent(4999.9, 5000)), "over 99.9 %");
  assert.equal(plain(percent(5000, 5000)), "100 %");
  assert.equal(plain(percent(1, 5000)), "under 0.1 %");
  assert.equal(plain(percent(0, 5000)), "0 %");
  assert.equal(plain(percent(0, 0)), "0 %");
});

Deno.test("times, counted, clipped, wrapped: read as words", () => {
  assert.equal(plain(times(29, 2)), "14.5 ×");
  assert.equal(times(1, 0), "—");
  assert.equal(plain(counted(1, "shard")), "1 shard");
  assert.equal(plain(counted(1000, "user")), "1,000 users");
  assert.equal(clipped("😀😀😀😀", 3), "😀😀…");
  assert.equal(clipped("abc", 3), "abc");
  assert.deepEqual(wrapped("one two  three", 7), ["one two", "three"]);
  assert.deepEqual(wrapped("5\u00a0ms in all", 4), ["5\u00a0ms", "in", "all"]);
});

Deno.test("alignedNumbers: puts points below each other and dashes below the last whole digit", () => {
  const texts = alignedNumbers([1234, 12.5, 0.021, null, undefined, NaN]);
  // Spaces as wide as a digit, and one as wide as a point.
  assert.deepEqual(texts, [
    "1,234\u2008\u2007\u2007\u2007\u2007",
    "12.5\u2007\u2007\u2007",
    "0.0210",
    "–\u2008\u2007\u2007\u2007\u2007",
    "–\u2008\u2007\u2007\u2007\u2007",
    "–\u2008\u2007\u2007\u2007\u2007",
  ]);
  assert.deepEqual(alignedNumbers([16, 2]), ["16", "2"], "whole ones stay whole");
  assert.deepEqual(alignedNumbers([5, null, 1200], 0), ["5", "–", "1,200"]);
});
