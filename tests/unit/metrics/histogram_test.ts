import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BUCKET_COUNT,
  bucketOf,
  bucketUpperUs,
  HISTOGRAM_DOUBLES,
  HistogramRecorder,
  HistogramSnapshot,
} from "../../../src/metrics/histogram.ts";

function doubles(): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(HISTOGRAM_DOUBLES * 8));
}

function snapshotOf(...durationsMs: number[]): HistogramSnapshot {
  const memory = doubles();
  const recorder = new HistogramRecorder(memory);
  for (const durationMs of durationsMs) recorder.recordMs(durationMs);
  const snapshot = new HistogramSnapshot();
  snapshot.add(memory);
  return snapshot;
}

Deno.test("bucketOf: a duration lies in its bucket's bounds, at most 6.25 % below the upper one", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 26 - 2 ** 21 }), (us) => {
    const bucket = bucketOf(us);
    const upper = bucketUpperUs(bucket);
    const lower = bucket === 0 ? 0 : bucketUpperUs(bucket - 1);
    assert.ok(lower < us && us <= upper, `${lower} < ${us} <= ${upper}`);
    assert.ok(upper - us <= us / 16);
  }));
});

Deno.test("bucketUpperUs: bounds ascend, and every power of two from 16 µs on is one", () => {
  const bounds = Array.from({ length: BUCKET_COUNT }, (_, i) => bucketUpperUs(i));
  for (let i = 1; i < BUCKET_COUNT; i++) assert.ok(bounds[i]! > bounds[i - 1]!);
  for (let bits = 4; bits < 26; bits++) assert.ok(bounds.includes(2 ** bits), `2^${bits}`);
  assert.equal(bounds.at(-1), Infinity);
});

Deno.test("HistogramSnapshot: quantiles are at or at most 6.25 % above the true ones", () => {
  const durations = fc.array(fc.double({ min: 0.001, max: 60_000, noNaN: true }), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (list, quantile) => {
    const snapshot = snapshotOf(...list);
    const sorted = list.toSorted((a, b) => a - b);
    const exact = sorted[Math.max(0, Math.ceil(list.length * quantile) - 1)]!;
    const got = snapshot.quantileMs(quantile);
    assert.ok(got >= exact, `${got} >= ${exact}`);
    // One more µs: durations are counted in whole ones.
    assert.ok(got <= exact * 1.0625 + 0.002, `${got} is close to ${exact}`);
  }));
});

Deno.test("HistogramSnapshot: counts, sums and the longest, over several threads", () => {
  const one = doubles();
  const two = doubles();
  new HistogramRecorder(one).recordMs(1);
  new HistogramRecorder(two).recordMs(2);
  new HistogramRecorder(two).recordMs(0.5);
  const snapshot = new HistogramSnapshot();
  snapshot.add(one);
  snapshot.add(two);
  assert.equal(snapshot.count, 3);
  assert.equal(snapshot.sumUs, 3500);
  assert.equal(snapshot.maxUs, 2000);
});

Deno.test("HistogramSnapshot: cumulative counts include their bound", () => {
  const snapshot = snapshotOf(0.016, 0.0161, 0.032, 1.024, 500);
  assert.deepEqual(snapshot.cumulative([16, 32, 64, 1024, 2048]), [1, 3, 3, 4, 4]);
});

Deno.test("HistogramRecorder: takes zero, a clock set back, and longer than it can tell", () => {
  const snapshot = snapshotOf(0, -5, 1e9);
  assert.equal(snapshot.count, 3);
  assert.equal(snapshot.quantileMs(0.5), 0.001);
  assert.equal(snapshot.quantileMs(1), 1e9);
});

Deno.test("HistogramRecorder: sums of short durations are not rounded up, their buckets are", () => {
  const memory = doubles();
  const recorder = new HistogramRecorder(memory);
  for (const us of [0, 0.25, 0.25, 16.5]) recorder.recordUs(us);
  const snapshot = new HistogramSnapshot();
  snapshot.add(memory);
  assert.deepEqual([snapshot.count, snapshot.sumUs, snapshot.maxUs], [4, 17, 17]);
  assert.deepEqual(snapshot.cumulative([1, 16, 32]), [3, 3, 4]);
});

Deno.test("HistogramSnapshot: an empty one answers zero", () => {
  const snapshot = new HistogramSnapshot();
  assert.equal(snapshot.quantileMs(0.99), 0);
  assert.equal(snapshot.count, 0);
});

Deno.test("HistogramSnapshot.since: has what was counted in between, and nothing of before", () => {
  const doubles = new Float64Array(new SharedArrayBuffer(HISTOGRAM_DOUBLES * 8));
  const recorder = new HistogramRecorder(doubles);
  const snapshot = (): HistogramSnapshot => {
    const taken = new HistogramSnapshot();
    taken.add(doubles);
    return taken;
  };
  for (let i = 0; i < 1000; i++) recorder.recordMs(100);
  const before = snapshot();
  for (let i = 0; i < 10; i++) recorder.recordMs(1);
  const between = snapshot().since(before);
  assert.equal(between.count, 10);
  assert.equal(between.sumUs, 10_000);
  assert.ok(between.quantileMs(1) >= 1 && between.quantileMs(1) < 1.07);
  assert.ok(between.maxUs < 1070, "the longest of before is forgotten");
  const nothing = snapshot().since(snapshot());
  assert.deepEqual([nothing.count, nothing.sumUs, nothing.maxUs, nothing.quantileMs(0.5)], [
    ...[0, 0, 0, 0],
  ]);
});
