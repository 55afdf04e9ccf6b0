import assert from "node:assert/strict";
import type { ServerSample } from "../../../src/lab/model.ts";
import {
  about,
  atLeast,
  between,
  exactly,
  row,
  summarize,
} from "../../../src/lab/stages/findings.ts";
import { settledPerSecond } from "../../../src/lab/stages/server_watch.ts";
import { leastDisturbed } from "../../../src/lab/stages/undisturbed.ts";
import { numberText } from "../../../src/lab/terminal/number_text.ts";

Deno.test("checks: a bound belongs to what passes, and what is beyond it does not", () => {
  const of = (value: number): { what: string; value: number } => ({ what: "refused", value });
  assert.deepEqual([94, 96, 98].map((n) => between(of(n), 94, 98).passed), [true, true, true]);
  assert.deepEqual([93.99, 98.01, NaN].map((n) => between(of(n), 94, 98).passed), [
    false,
    false,
    false,
  ]);
  assert.deepEqual([90, 110, 89.9, 110.1, NaN].map((n) => about(of(n), 100).passed), [
    true,
    true,
    false,
    false,
    false,
  ]);
  assert.deepEqual([11, 10.99, NaN].map((n) => atLeast(of(n), 11).passed), [true, false, false]);
});

Deno.test("checks: say what was expected and what was seen, with units", () => {
  assert.deepEqual(between({ what: "refused", value: 96.123, unit: " %" }, 94, 98), {
    what: "refused",
    expected: "94 to 98 %",
    seen: "96.1 %",
    passed: true,
  });
  assert.equal(about({ what: "jobs", value: 1 }, 1450).expected, "about 1,450 (±10 %)");
  assert.deepEqual(exactly("reply", "b", "a"), {
    what: "reply",
    expected: "a",
    seen: "b",
    passed: false,
  });
});

Deno.test("numberText: shows three digits, and whole numbers whole", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [5000, "5,000"],
    [1450.2, "1,450"],
    [11.4286, "11.4"],
    [2, "2"],
    [0.02134, "0.0213"],
    [99.96, "100"],
    [-3.14159, "-3.14"],
  ];
  for (const [value, text] of cases) assert.equal(numberText(value), text);
});

Deno.test("summarize: ranks of a hundred durations, of one, and of none", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.deepEqual(summarize(hundred), {
    count: 100,
    averageMs: 50.5,
    p50Ms: 50,
    p90Ms: 90,
    p99Ms: 99,
    p999Ms: 100,
    maxMs: 100,
  });
  assert.deepEqual([summarize([7]).p50Ms, summarize([7]).p99Ms], [7, 7]);
  assert.deepEqual(Object.values(summarize([])), [0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("row: has nothing that was not measured", () => {
  const { name, accepted, refused, lockWait, figures } = row("7", { accepted: 196 });
  assert.deepEqual([name, accepted, refused, lockWait, figures], ["7", 196, null, null, []]);
});

/** What a watch sees of a server that settles `burst` jobs every `periodMs`. */
function settling(burst: number, periodMs: number, total: number): ServerSample[] {
  const samples: ServerSample[] = [];
  for (let atMs = 0; atMs <= total / burst * periodMs + 500; atMs += 20) {
    const settled = Math.min(total, Math.floor(atMs / periodMs) * burst);
    samples.push({ atMs, depth: 0, capacity: 100, settled });
  }
  return samples;
}

Deno.test("settledPerSecond: is the rate of work, whatever was before the first job and behind the last", () => {
  const near = (value: number, target: number): void =>
    assert.ok(Math.abs(value - target) < target / 50, `${value}, not ${target}`);
  near(settledPerSecond(settling(1, 500, 101)), 2);
  near(settledPerSecond(settling(4, 500, 100)), 8);
  near(settledPerSecond(settling(1, 10, 216)), 100);
  near(settledPerSecond(settling(16, 11, 2480)), 16_000 / 11);
});

Deno.test("settledPerSecond: is 0 where there was no first and last", () => {
  assert.equal(settledPerSecond([]), 0);
  assert.equal(settledPerSecond(settling(1, 10, 0)), 0);
  assert.equal(settledPerSecond([{ atMs: 5, depth: 0, capacity: 1, settled: 3 }]), 0);
});

Deno.test("leastDisturbed: the first run that nobody disturbs counts, else the one disturbed least", async () => {
  const cases: [disturbances: number[], chosen: number, isDisturbed: boolean, leftOut: number[]][] =
    [
      [[0.5, 9, 9], 0.5, false, []],
      [[1, 9, 9], 1, false, []],
      [[3, 1.1, 0.9], 0.9, false, [3, 1.1]],
      [[3, 1.1, 2], 1.1, true, [3, 2]],
      [[1.2, 1.1, 2, 0.1], 1.1, true, [1.2, 2]],
      [[Infinity, Infinity, 5], 5, true, [Infinity, Infinity]],
      [[NaN, 0.5, 0.4], 0.5, false, [NaN]],
    ];
  for (const [disturbances, chosen, isDisturbed, leftOut] of cases) {
    const result = await leastDisturbed(
      3,
      (run) => Promise.resolve(disturbances[run - 1]!),
      (outcome) => outcome,
    );
    assert.deepEqual(
      [result.outcome, result.isDisturbed, result.leftOut.map(({ outcome }) => outcome)],
      [chosen, isDisturbed, leftOut],
    );
    assert.equal(result.runCount, leftOut.length + 1);
    for (const { run, outcome } of result.leftOut) assert.equal(disturbances[run - 1], outcome);
  }
});
