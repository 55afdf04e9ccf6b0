/** Numbers, sizes and names as the live page shows them. */

import assert from "node:assert/strict";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
  formatSpan,
  niceBytes,
  niceCeiling,
} from "../../../../src/server/page/client/format.js";
import { follow, gridFor, heatStep } from "../../../../src/server/page/client/heat_scale.js";
import { pathText, shownKey, shownText } from "../../../../src/server/page/client/key_text.js";
import { clientTextJson } from "../../../../src/server/routes/client_text.ts";

Deno.test("page: counts have a unit from 100,000 on, and never more than five digits", () => {
  const cases: [number | null, string][] = [
    [0, "0"],
    [999, "999"],
    [12345.6, "12,346"],
    [99_999, "99,999"],
    [99_999.6, "100 k"],
    [999_499, "999 k"],
    [999_500, "1.00 M"],
    [12_340_000, "12.3 M"],
    [5e9, "5.00 G"],
    [null, "–"],
    [NaN, "–"],
  ];
  for (const [value, text] of cases) assert.equal(formatCount(value), text, String(value));
});

Deno.test("page: small rates keep a digit behind the point", () => {
  assert.equal(formatRate(0), "0/s");
  assert.equal(formatRate(0.25), "0.3/s");
  assert.equal(formatRate(9.94), "9.9/s");
  assert.equal(formatRate(9.96), "10/s");
  assert.equal(formatRate(1234.4), "1,234/s");
  assert.equal(formatRate(undefined), "–");
});

Deno.test("page: durations, bytes, shares and spans have three digits and their unit", () => {
  assert.deepEqual(
    [0, 0.25, 0.9994, 0.9996, 12.34, 999.4, 999.6, 2500].map((ms) => formatDuration(ms)),
    ["0 ms", "250 µs", "999 µs", "1.00 ms", "12.3 ms", "999 ms", "1.00 s", "2.50 s"],
  );
  assert.deepEqual(
    [0, 1023, 1024, 268_435_456, 1.5 * 2 ** 40].map((bytes) => formatBytes(bytes)),
    ["0 B", "1,023 B", "1.00 KiB", "256 MiB", "1.50 TiB"],
  );
  assert.deepEqual([0, 0.004, 0.72, 1].map((share) => formatShare(share)), [
    "0 %",
    "0.4 %",
    "72 %",
    "100 %",
  ]);
  assert.deepEqual([400, 59_000, 61_000, 7_200_000, 200_000_000].map((ms) => formatSpan(ms)), [
    "0 s",
    "59 s",
    "1 min 1 s",
    "2 h 0 min",
    "2 d 7 h",
  ]);
});

Deno.test("page: an axis ends at a round number that is not below the largest value", () => {
  for (let value = 0.013; value < 1e7; value *= 1.37) {
    const end = niceCeiling(value);
    assert.ok(end >= value && end <= value * 1.51, `${value} below ${end}`);
  }
  assert.deepEqual([0, -1, NaN, 1, 1000, 3700].map(niceCeiling), [1, 1, 1, 1, 1000, 4000]);
  assert.deepEqual([0, 1, 1000, 1025, 2 ** 30, 2 ** 30 + 1].map(niceBytes), [
    ...[1, 1, 1024, 1536, 2 ** 30, 1.5 * 2 ** 30],
  ]);
});

Deno.test("page: nothing is cold, the largest is hottest, and in between it only grows", () => {
  assert.equal(heatStep(0, 100), 0);
  assert.equal(heatStep(5, 0), 0);
  assert.equal(heatStep(0.001, 100), 1, "something is never shown as nothing");
  assert.equal(heatStep(100, 100), 5);
  let last = 0;
  for (let value = 0.001; value <= 100; value *= 1.1) {
    const step = heatStep(value, 100);
    assert.ok(step >= last && step <= 5, `${value} is ${step}`);
    last = step;
  }
});

Deno.test("page: a grid has a cell for every shard, and about the shape of its field", () => {
  for (const count of [1, 2, 64, 256, 1024, 4096]) {
    for (const [width, height] of [[300, 190], [620, 190], [1800, 190]] as const) {
      const { columns, rows } = gridFor(count, width, height);
      assert.ok(columns * rows >= count && columns * (rows - 1) < count, `${count} in ${columns}`);
      const shape = (width / columns) / (height / rows);
      if (count >= 64) assert.ok(shape > 0.3 && shape < 3.5, `${count} shards, ${shape}`);
    }
  }
});

Deno.test("page: a shard cools down to nothing when nothing happens", () => {
  let value = follow(0, 1000, 200);
  assert.ok(value > 0 && value < 1000);
  for (let i = 0; i < 40; i++) value = follow(value, 0, 200);
  assert.equal(value, 0);
});

Deno.test("page: what cannot be seen in a key is escaped, and bytes that are no text, too", () => {
  assert.equal(shownText("café 😀"), "café 😀");
  assert.equal(shownText("a\u0000b\nc\u001b[31m"), "a\\x00b\\nc\\x1b[31m");
  assert.equal(shownText("user\u202egnp.exe"), "user\\u{202e}gnp.exe", "no text runs backwards");
  assert.equal(shownText("a\u200bb\ufeff"), "a\\u{200b}b\\u{feff}");
  assert.equal(shownText("a\u{e0041}\u3164\ufe0f"), "a\\u{e0041}\\u{3164}\\u{fe0f}");
  assert.equal(shownText("\ud800"), "\\u{d800}");
  assert.equal(
    shownText("नमस्ते שלום e\u0301"),
    "नमस्ते שלום e\u0301",
    "letters of all scripts are seen",
  );
  assert.deepEqual(["", { encoded: "" }, " "].map(shownKey), ["(empty)", "(empty)", " "]);
  assert.equal(shownText({ encoded: "caf%E9%00%2F" }), "caf\\xe9\\x00/");
  assert.equal(pathText("a/b?c#d e"), "a%2Fb%3Fc%23d%20e");
  assert.equal(pathText({ encoded: "caf%E9" }), "caf%E9");
});

Deno.test("page: a text that was cut inside of a character is still text", () => {
  const bytes = new TextEncoder().encode("ab😀");
  assert.equal(clientTextJson(bytes), "ab😀");
  for (let end = 2; end < bytes.length; end++) {
    assert.equal(clientTextJson(bytes.subarray(0, end), true), "ab", `${end} bytes`);
  }
  assert.deepEqual(clientTextJson(bytes.subarray(0, 4)), { encoded: "ab%F0%9F" });
  assert.deepEqual(clientTextJson(Uint8Array.of(0xff, 0x41), true), { encoded: "%FFA" });
  assert.deepEqual(clientTextJson(Uint8Array.of(0xf0, 0x41), true), { encoded: "%F0A" });
  assert.deepEqual(clientTextJson(Uint8Array.of(0x80, 0x80), true), { encoded: "%80%80" });
});
