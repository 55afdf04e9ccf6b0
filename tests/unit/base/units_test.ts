import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../../src/base/units.ts";

Deno.test("parseSize: takes every unit in any case, and bytes without a unit", () => {
  for (
    const [text, bytes] of [
      ["0", 0],
      ["17", 17],
      ["17b", 17],
      ["1kb", 1024],
      ["1KB", 1024],
      ["64mb", 67108864],
      ["2GB", 2147483648],
      ["1.5kb", 1536],
    ] as const
  ) {
    assert.equal(parseSize(text), bytes, text);
  }
});

Deno.test("parseSize: refuses what is not a size", () => {
  for (
    const text of ["", "mb", "-1", "+1", "1 mb", "1tb", "1e3", "0x10", ".5kb", "1.kb", "1k", "NaN"]
  ) {
    assert.equal(parseSize(text), null, text);
  }
});

Deno.test("parseDuration: takes every unit in any case, and a plain zero", () => {
  for (
    const [text, ms] of [
      ["0", 0],
      ["250ms", 250],
      ["10s", 10_000],
      ["10S", 10_000],
      ["1.5m", 90_000],
      ["24h", 86_400_000],
    ] as const
  ) {
    assert.equal(parseDuration(text), ms, text);
  }
});

Deno.test("parseDuration: refuses what is not a duration, numbers without a unit included", () => {
  for (const text of ["", "10", "s", "-1s", "1 s", "1d", "1e3s", "1:00"]) {
    assert.equal(parseDuration(text), null, text);
  }
});

Deno.test("formatSize and formatDuration: are read back as the same value", () => {
  fc.assert(fc.property(fc.nat(2 ** 31 - 1), (value) => {
    assert.equal(parseSize(formatSize(value)), value);
    assert.equal(parseDuration(formatDuration(value)), value);
  }));
  assert.equal(formatSize(268435456), "256mb");
  assert.equal(formatSize(1000), "1000b");
  assert.equal(formatDuration(10_000), "10s");
  assert.equal(formatDuration(0), "0");
});
