import assert from "node:assert/strict";
import { LatencyRecorders } from "../../../../src/lab/load/latency.ts";
import { Tally } from "../../../../src/lab/load/tally.ts";

const recorders = await LatencyRecorders.load();

/** Within the three digits that a histogram keeps. */
function assertClose(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) <= expected / 1000 + 0.001, `${actual} for ${expected}`);
}

Deno.test("LatencyRecorder: nothing measured is all zeros", () => {
  assert.deepEqual(recorders.create().summary(), {
    count: 0,
    averageMs: 0,
    p50Ms: 0,
    p90Ms: 0,
    p99Ms: 0,
    p999Ms: 0,
    maxMs: 0,
  });
});

Deno.test("LatencyRecorder: has mean and maximum exactly and percentiles in three digits", () => {
  const recorder = recorders.create();
  for (let ms = 1; ms <= 10_000; ms++) recorder.record(ms / 10);
  recorder.record(-1);
  const { count, averageMs, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = recorder.summary();
  assert.equal(count, 10_001);
  assert.equal(maxMs, 1000);
  assertClose(averageMs, 500.05 * 10_000 / 10_001);
  assertClose(p50Ms, 500);
  assertClose(p90Ms, 900);
  assertClose(p99Ms, 990);
  assertClose(p999Ms, 999);
});

Deno.test("LatencyRecorder: takes durations far beyond what it has room for at first", () => {
  const recorder = recorders.create();
  for (let i = 0; i < 10; i++) recorder.record(3_600_000);
  assertClose(recorder.summary().p50Ms, 3_600_000);
});

Deno.test("LatencyRecorder: added up, it is as if one had recorded all", () => {
  const [sum, one, other, whole] = [1, 2, 3, 4].map(() => recorders.create());
  for (let i = 1; i <= 300; i++) {
    (i % 3 === 0 ? one! : other!).record(i * 1.5);
    whole!.record(i * 1.5);
  }
  sum!.add(one!);
  sum!.add(other!);
  sum!.add(recorders.create());
  const { averageMs, ...rest } = sum!.summary();
  const { averageMs: expected, ...others } = whole!.summary();
  assert.deepEqual(rest, others);
  assertClose(averageMs, expected);
});

Deno.test("Tally: tells at most 20 texts of errors apart, and counts the rest together", () => {
  const tally = new Tally();
  for (let i = 0; i < 50; i++) tally.countError(`error ${i}`);
  for (let i = 0; i < 3; i++) tally.countError("error 5");
  const texts = Object.entries(tally.errorTexts);
  assert.equal(texts.length, 20);
  assert.equal(tally.errorTexts["error 5"], 4);
  assert.equal(tally.errorTexts["other errors"], 31);
  assert.equal(texts.reduce((sum, [, count]) => sum + count, 0), tally.errors);
});
