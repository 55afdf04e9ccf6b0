import assert from "node:assert/strict";
import { COUNTER_KINDS } from "../../../../src/lab/counters/increments.ts";
import {
  type CounterFindings,
  measureCounters,
  threadCountsFor,
  WRONG_KIND,
} from "../../../../src/lab/counters/measure.ts";
import { reportOf } from "../../../../src/lab/stages/counters.ts";

const context = { signal: new AbortController().signal, show: () => {} };

/** Ends as soon as the way without a lock has lost something, as it must to show its defect. */
async function measureUntilLost(): Promise<CounterFindings> {
  const plan = { threadCounts: [1, 4], processorCount: 2, turns: 2, turnsMax: 2, roundMs: 25 };
  for (let attempt = 1;; attempt++) {
    const findings = await measureCounters(context, plan);
    const wrong = findings.totals.find((one) => one.kind === WRONG_KIND && one.threads === 4)!;
    if (wrong.counted < wrong.made || attempt === 5) return findings;
  }
}

Deno.test("measureCounters: no increment is lost with a lock or an atomic, some are with neither", async () => {
  const { totals, points } = await measureUntilLost();
  for (const { kind, threads, made, counted } of totals) {
    assert.ok(made > 0, `${kind}, ${threads} threads`);
    const isRight = kind !== WRONG_KIND || threads === 1;
    assert.equal(counted === made, isRight, `${counted} of ${made}: ${kind}, ${threads} threads`);
  }
  assert.deepEqual(
    points.map(({ kind, threads }) => `${kind}, ${threads}`),
    [1, 4].flatMap((threads) =>
      COUNTER_KINDS.filter((kind) => kind !== WRONG_KIND).map((kind) => `${kind}, ${threads}`)
    ),
  );
  for (const { nsPerIncrement } of points) assert.ok(nsPerIncrement > 0);
});

Deno.test("measureCounters: ends when it is told to, with that reason", async () => {
  const ending = new AbortController();
  const plan = { threadCounts: [2], processorCount: 2, turns: 1, turnsMax: 1, roundMs: 600_000 };
  const running = measureCounters({ signal: ending.signal, show: () => {} }, plan);
  setTimeout(() => ending.abort(new Error("enough")), 100);
  await assert.rejects(running, /enough/);
  await assert.rejects(measureCounters({ signal: ending.signal, show: () => {} }, plan), /enough/);
});

Deno.test("threadCountsFor: up to one thread per processor, at least 4, at most 16", () => {
  assert.deepEqual(threadCountsFor(1), [1, 2, 3, 4]);
  assert.deepEqual(threadCountsFor(2), [1, 2, 3, 4]);
  assert.deepEqual(threadCountsFor(6), [1, 2, 3, 4, 6]);
  assert.deepEqual(threadCountsFor(10), [1, 2, 3, 4, 6, 8, 10]);
  assert.deepEqual(threadCountsFor(64), [1, 2, 3, 4, 6, 8, 12, 16]);
});

/** Findings as an idle machine with two processors has them. */
function findings(
  change: { leftOut?: number; lost?: number; paddedNs?: number; had?: number } = {},
): CounterFindings {
  const costs = [
    { threads: 1, ns: [25, 9, 9, 9] },
    { threads: 2, ns: [60, 20, 18, change.paddedNs ?? 5] },
  ];
  return {
    points: costs.flatMap(({ threads, ns }) =>
      ns.map((nsPerIncrement, i) => ({ kind: COUNTER_KINDS[i]!, threads, nsPerIncrement }))
    ),
    totals: COUNTER_KINDS.flatMap((kind) => {
      const lost = kind === WRONG_KIND ? 400 : change.lost ?? 0;
      return [
        { kind, threads: 1, made: 1000, counted: 1000 },
        { kind, threads: 2, made: 1000, counted: 1000 - lost },
      ];
    }),
    processors: [
      { threads: 1, had: 1, wanted: 1, turns: 8, leftOut: 0 },
      { threads: 2, had: change.had ?? 1.95, wanted: 2, turns: 6, leftOut: change.leftOut ?? 0 },
    ],
  };
}

function failedChecks(found: CounterFindings): string[] {
  return reportOf(found, 1).checks.filter(({ passed }) => !passed).map(({ what, seen }) =>
    `${what}: ${seen}`
  );
}

Deno.test("stage 9: passes what an idle machine shows, and has all of it in the report", () => {
  const report = reportOf(findings(), 1);
  assert.deepEqual(failedChecks(findings()), []);
  assert.equal(report.checks.length, 4);
  assert.deepEqual(report.rows.map(({ name }) => name), COUNTER_KINDS.map((kind) => `9, ${kind}`));
  assert.deepEqual(report.rows[3]!.figures, [
    { name: "per increment, 1 thread", value: 9, unit: "ns" },
    { name: "per increment, 2 threads", value: 5, unit: "ns" },
  ]);
  assert.deepEqual(report.rows[4]!.figures.map(({ value }) => value), [0, 40]);
  assert.equal(report.series.counters!.length, 8);
});

Deno.test("stage 9: does not pass lost increments, or costs in another order", () => {
  assert.deepEqual(failedChecks(findings({ lost: 1 })), [
    "increments counted: 999 of 1000: one lock, 2 threads",
  ]);
  assert.deepEqual(failedChecks(findings({ paddedNs: 21 })), [
    "cost of one shared atomic, from 2 threads on: at least 1.0 times as much",
  ]);
  assert.deepEqual(failedChecks(findings({ paddedNs: 61 })).length, 2);
  const none = findings();
  const counted = { ...none, totals: none.totals.map((one) => ({ ...one, counted: one.made })) };
  assert.deepEqual(failedChecks(counted), ["increments lost with no lock at all: 0.0 %"]);
});

Deno.test("stage 9: says how many rounds count, and which do not", () => {
  const loadOf = (change: Parameters<typeof findings>[0]): string =>
    reportOf(findings(change), 1).load;
  const medians = "1 to 2 threads that only count, medians of 6 to 8 rounds of 50 ms";
  assert.equal(loadOf({}), medians);
  assert.equal(
    loadOf({ leftOut: 3 }),
    `${medians}, 3 left out because other programs had the processors`,
  );
  assert.equal(
    loadOf({ had: 1.2 }),
    `${medians}; with 2 threads all rounds were disturbed, and count`,
  );
});

Deno.test("stage 9: does not pass what other programs did not let it see", () => {
  assert.deepEqual(failedChecks(findings({ had: 1.2 })), [
    "cost of one shared atomic, from 2 threads on: " +
    "nothing: other programs are busy, 2 threads had 1.2 of 2 processors",
  ]);
  // Where the runtime does not tell, the costs have to do.
  assert.deepEqual(failedChecks(findings({ had: 0 })), []);
});
