/**
 * Stage 9: what it costs to count, when several threads do.
 *
 * A cost is the wall time of a round, from the first thread's start to the last one's end, divided
 * by the increments of all threads. So a way of counting that lets threads work beside each other
 * gets cheaper with more of them, until there are more threads than processors; one that makes them
 * wait for each other gets dearer.
 *
 * @module
 */

import { COUNTER_KINDS, type CounterKind } from "../counters/increments.ts";
import {
  type CountedTotal,
  type CounterFindings,
  isDisturbed,
  measureCounters,
  type ProcessorsHad,
  threadCountsFor,
  WRONG_KIND,
} from "../counters/measure.ts";
import type { CounterPoint, Figure, StageCheck, StageReport, StageRow } from "../model.ts";
import { row } from "./findings.ts";
import type { Stage } from "../stage.ts";

const NUMBER = 9;
const TITLE = "ways to count";
/** Undisturbed turns of each number of threads, and turns at most. */
const TURNS = 8;
const TURNS_MAX = 30;
const ROUND_MS = 50;

const LOCK: CounterKind = "one lock";
const SHARED: CounterKind = "one shared atomic";
const PADDED: CounterKind = "padded atomics, one per thread";

/** See the head of this file. */
export const countersStage: Stage = {
  number: NUMBER,
  title: TITLE,
  expectedSeconds: 10,
  run: async (context) => {
    const startedAtMs = performance.now();
    const processorCount = navigator.hardwareConcurrency;
    const findings = await measureCounters(context, {
      threadCounts: threadCountsFor(processorCount),
      processorCount,
      turns: TURNS,
      turnsMax: TURNS_MAX,
      roundMs: ROUND_MS,
    });
    return reportOf(findings, performance.now() - startedAtMs);
  },
};

/** Says what was found, and whether it is what the stage must show. */
export function reportOf(findings: CounterFindings, durationMs: number): StageReport {
  const processorCount = Math.max(...findings.processors.map(({ wanted }) => wanted));
  const most = Math.max(...findings.points.map(({ threads }) => threads));
  return {
    stage: NUMBER,
    title: TITLE,
    lesson: "What threads share they have to hand to each other. One counter per thread, each in " +
      "a cache line of its own, costs less the more threads there are; a shared one costs more, " +
      "one behind a lock by far the most.",
    server: `none: counters in shared memory, up to ${processorCount} processors`,
    load: `1 to ${most} threads that only count, ${roundsText(findings)}`,
    rows: COUNTER_KINDS.map((kind) => rowOf(kind, findings)),
    checks: [
      ...checksOfSums(findings.totals),
      lockCheck(findings),
      // Of threads that take turns on one processor none meets another.
      ...(processorCount > 1 ? [paddedCheck(findings)] : []),
    ],
    series: { counters: findings.points },
    durationMs,
  };
}

/** Which rounds count; a busy machine has fewer of them, or none that was not disturbed. */
function roundsText({ processors }: CounterFindings): string {
  const turns = processors.map((one) => one.turns);
  const [fewest, most] = [Math.min(...turns), Math.max(...turns)];
  const count = fewest === most ? `${fewest}` : `${fewest} to ${most}`;
  const leftOut = processors.reduce((sum, one) => sum + one.leftOut, 0);
  const disturbed = processors.filter(isDisturbed).map(({ threads }) => threads);
  return `medians of ${count} rounds of ${ROUND_MS} ms` +
    (leftOut === 0 ? "" : `, ${leftOut} left out because other programs had the processors`) +
    (disturbed.length === 0
      ? ""
      : `; with ${disturbed.join(", ")} threads all rounds were disturbed, and count`);
}

function rowOf(kind: CounterKind, { points, totals }: CounterFindings): StageRow {
  const figures = kind === WRONG_KIND
    ? totals.filter((total) => total.kind === kind).map(lostFigure)
    : points.filter((point) => point.kind === kind).map(costFigure);
  return row(`${NUMBER}, ${kind}`, { figures });
}

function threadsText(threads: number): string {
  return threads === 1 ? "1 thread" : `${threads} threads`;
}

function costFigure({ threads, nsPerIncrement }: CounterPoint): Figure {
  return { name: `per increment, ${threadsText(threads)}`, value: nsPerIncrement, unit: "ns" };
}

function lostFigure({ threads, made, counted }: CountedTotal): Figure {
  return { name: `lost, ${threadsText(threads)}`, value: (made - counted) / made * 100, unit: "%" };
}

function checksOfSums(totals: readonly CountedTotal[]): StageCheck[] {
  const sumOf = (of: readonly CountedTotal[], what: "made" | "counted"): number =>
    of.reduce((sum, total) => sum + total[what], 0);
  const right = totals.filter(({ kind }) => kind !== WRONG_KIND);
  // One thread alone loses nothing.
  const wrong = totals.filter(({ kind, threads }) => kind === WRONG_KIND && threads > 1);
  const lost = right.filter(({ made, counted }) => made !== counted);
  const lostUnguarded = sumOf(wrong, "made") - sumOf(wrong, "counted");
  return [
    {
      what: "increments counted",
      expected: "all",
      seen: lost.length === 0
        ? `all ${sumOf(right, "made").toLocaleString("en")}`
        : `${lost[0]!.counted} of ${lost[0]!.made}: ${lost[0]!.kind}, ${lost[0]!.threads} threads`,
      passed: lost.length === 0,
    },
    {
      what: "increments lost with no lock at all",
      expected: "some",
      seen: `${(lostUnguarded / sumOf(wrong, "made") * 100).toFixed(1)} %`,
      passed: lostUnguarded > 0,
    },
  ];
}

/** How many times the cost of `other` the cost of `kind` is, with `threads` threads. */
function ratioOf(
  points: readonly CounterPoint[],
  kind: CounterKind,
  other: CounterKind,
  threads: number,
): number {
  const costOf = (of: CounterKind): number =>
    points.find((point) => point.kind === of && point.threads === threads)!.nsPerIncrement;
  return costOf(kind) / costOf(other);
}

function lockCheck({ points, processors }: CounterFindings): StageCheck {
  const ratio = Math.min(
    ...processors.filter(({ threads }) => threads > 1).flatMap(({ threads }) => [
      ratioOf(points, LOCK, SHARED, threads),
      ratioOf(points, LOCK, PADDED, threads),
    ]),
  );
  return {
    what: "cost behind one lock, from 2 threads on",
    expected: "more than of either atomic",
    seen: timesText(ratio),
    passed: ratio > 1,
  };
}

/**
 * Looks at the numbers of threads that had the processors to themselves. Where there is none, there
 * was nothing to see, and that is not passed.
 */
function paddedCheck({ points, processors }: CounterFindings): StageCheck {
  const several = processors.filter(({ threads }) => threads > 1);
  const ratios = several.filter((one) => !isDisturbed(one))
    .map(({ threads }) => ratioOf(points, SHARED, PADDED, threads));
  const ratio = Math.min(...ratios);
  return {
    what: "cost of one shared atomic, from 2 threads on",
    expected: "more than of padded ones",
    seen: ratios.length === 0 ? busyText(several[0]!) : timesText(ratio),
    passed: ratios.length > 0 && ratio > 1,
  };
}

function timesText(ratio: number): string {
  return `at least ${ratio.toFixed(1)} times as much`;
}

function busyText({ threads, had, wanted }: ProcessorsHad): string {
  return `nothing: other programs are busy, ${threads} threads had ${
    had.toFixed(1)
  } of ${wanted} ` +
    "processors";
}
