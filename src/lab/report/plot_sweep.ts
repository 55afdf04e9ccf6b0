/**
 * Plot of the sweep: throughput by workers, one line per number of shards, for both locks.
 *
 * @module
 */

import type { SweepPoint, SweepReport } from "../model.ts";
import { drawPlot, endLabels, type PlotTools } from "./drawing.ts";
import { type Drawing, makeFigure, type ReportPlot } from "./figure.ts";
import { colour, lineColour } from "./palette.ts";
import { areNumbers, listed, roundTicks } from "./series.ts";
import { counted, fixed, short, times } from "./text.ts";

const LOCKS = ["mutex", "rwlock"] as const;
const LOCK_NOTES = { mutex: "one at a time", rwlock: "many readers or one writer" };
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star"] as const;
/** Lines that end closer than this factor share a label. */
const SAME_FACTOR = 1.08;

/** What is told apart from other figures in words. */
interface SweepWords {
  readonly id: string;
  /** What its title begins with. */
  readonly prefix: string;
  readonly explanation: string;
}

/**
 * One figure for operations that sleep under the lock, one for those that do not; none without a
 * sweep.
 *
 * @param tools from `loadPlotTools`
 * @param sweep of a report
 */
export function sweepPlots(tools: PlotTools, sweep: SweepReport | null): ReportPlot[] {
  if (sweep === null) return [];
  return [
    ...figure(tools, sweep.points, {
      id: "sweep",
      prefix: "With",
      explanation:
        `One operation is ${sweep.operation}. The dashed line grows as the workers do: ` +
        "where a line bends away from it, workers stand in each other's way. Equal steps of the " +
        "axes are equal factors.",
    }),
    ...figure(tools, sweep.barePoints ?? [], {
      id: "sweep-bare",
      prefix: "Without sleep and with",
      explanation: "The same, but nothing sleeps under the lock: an operation takes as long as " +
        "its few instructions, and no more of them can run at a time than there are processors. " +
        "What locks cost shows in how far apart the lines are.",
    }),
  ];
}

function figure(
  tools: PlotTools,
  given: readonly SweepPoint[],
  { id, prefix, explanation }: SweepWords,
): ReportPlot[] {
  const points = given.filter((point) =>
    areNumbers(point.shards, point.workers, point.operationsPerSecond) &&
    point.shards > 0 && point.workers > 0 && point.operationsPerSecond > 0 &&
    LOCKS.includes(point.lock)
  );
  if (points.length === 0) return [];
  const locks = LOCKS.filter((lock) => points.some((point) => point.lock === lock));
  return [makeFigure({
    id,
    stages: [],
    title: titleOf(points, locks, prefix),
    explanation,
    alternative: alternativeOf(points, locks),
    columns: locks.length,
    isLarge: true,
    legend: [
      ...distinct(points.map(({ shards }) => shards)).map((shards, i) => ({
        label: counted(shards, "shard"),
        colour: lineColour(i),
        shape: "line" as const,
      })),
      { label: "as many times as workers", colour: colour("muted"), shape: "dashes" },
    ],
    panels: locks.map((lock) => ({
      title: `${lock}: ${LOCK_NOTES[lock]}`,
      note: "",
      draw: (width, isNarrow) =>
        drawPanel(tools, points, points.filter((point) => point.lock === lock), width, isNarrow),
    })),
  })];
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}

/** Of one lock, with most workers: few shards first. */
function ends(points: readonly SweepPoint[], lock: SweepPoint["lock"]): SweepPoint[] {
  const own = points.filter((point) => point.lock === lock);
  const workers = Math.max(...own.map((point) => point.workers));
  return own.filter((point) => point.workers === workers).toSorted((a, b) => a.shards - b.shards);
}

function titleOf(
  points: readonly SweepPoint[],
  locks: readonly SweepPoint["lock"][],
  prefix: string,
): string {
  const workers = Math.max(...points.map((point) => point.workers));
  const shards = distinct(points.map((point) => point.shards));
  const [few, many] = [shards[0]!, shards.at(-1)!];
  const parts = locks.flatMap((lock) => {
    const rate = (count: number): number | undefined =>
      points.find((point) =>
        point.lock === lock && point.workers === workers && point.shards === count
      )?.operationsPerSecond;
    const [low, high] = [rate(few), rate(many)];
    return low === undefined || high === undefined
      ? []
      : [`${times(high, low)} the work with a ${lock}`];
  });
  return parts.length === 0 || few === many
    ? `${prefix} up to ${counted(workers, "worker")}: what they get done`
    : `${prefix} ${counted(workers, "worker")}, ${counted(many, "shard")} instead of ` +
      `${fixed(few, 0)}: ${listed(parts)}`;
}

function alternativeOf(
  points: readonly SweepPoint[],
  locks: readonly SweepPoint["lock"][],
): string {
  const sentences = locks.map((lock) => {
    const list = ends(points, lock).map((point) =>
      `${counted(point.shards, "shard")} ${short(point.operationsPerSecond)}`
    );
    return `${lock}, ${counted(ends(points, lock)[0]!.workers, "worker")}: ${listed(list)}.`;
  });
  return `Operations a second by number of workers and shards. ${sentences.join(" ")}`;
}

function drawPanel(
  tools: PlotTools,
  all: readonly SweepPoint[],
  own: readonly SweepPoint[],
  width: number,
  isNarrow: boolean,
): Omit<Drawing, "width"> {
  const { Plot } = tools;
  const height = isNarrow ? 270 : 380;
  const shardCounts = distinct(all.map(({ shards }) => shards));
  const workers = distinct(all.map((point) => point.workers));
  const single = Math.max(
    ...all.filter((point) => point.workers === workers[0]).map((point) =>
      point.operationsPerSecond
    ),
  );
  const rates = all.map((point) => point.operationsPerSecond);
  const [low, high] = [Math.min(...rates) * 0.85, Math.max(...rates) * 1.2];
  // On these axes it is a straight line, up to the last worker or out of the picture.
  const idealEnd = Math.min(workers.at(-1)!, workers[0]! * high / single);
  const ideal = [workers[0]!, idealEnd].map((count) => ({
    workers: count,
    rate: single * count / workers[0]!,
  }));
  const unit = high >= 1e6
    ? { rate: 1e6, name: "million/s" }
    : high >= 1e5
    ? { rate: 1e3, name: "thousand/s" }
    : { rate: 1, name: "1/s" };
  const lines = shardCounts.map((shards, i) => ({
    paint: lineColour(i),
    symbol: SYMBOLS[i % SYMBOLS.length]!,
    shards,
    points: own.filter((point) => point.shards === shards)
      .toSorted((a, b) => a.workers - b.workers),
  })).filter(({ points }) => points.length > 0);
  const body = drawPlot(tools, {
    width,
    height,
    marginLeft: 54,
    marginRight: 114,
    marginTop: 28,
    marginBottom: 38,
    x: {
      type: "log",
      base: 2,
      label: "workers (threads)",
      domain: [workers[0]!, Math.max(workers.at(-1)!, workers[0]! * 2)],
      ticks: workers,
      tickFormat: (value: number) => String(value),
    },
    y: {
      type: "log",
      label: `operations a second (${unit.name})`,
      domain: [low, high],
      grid: true,
      ticks: roundTicks(low, high),
      tickFormat: (value: number) => short(value / unit.rate),
    },
    marks: [
      Plot.lineY(ideal, {
        x: "workers",
        y: "rate",
        stroke: colour("muted"),
        strokeDasharray: "4 3",
      }),
      ...lines.flatMap(({ points, paint, symbol }) => [
        Plot.lineY(points, {
          x: "workers",
          y: "operationsPerSecond",
          stroke: paint,
          strokeWidth: 2,
        }),
        Plot.dot(points, { x: "workers", y: "operationsPerSecond", fill: paint, symbol, r: 3.5 }),
      ]),
      endLabels(mergedLabels(lines)),
    ],
  });
  return { height, body };
}

/** One label for lines that end at the same place: `16–256 shards`. */
function mergedLabels(
  lines: readonly { shards: number; paint: string; points: readonly SweepPoint[] }[],
): { x: number; y: number; text: string; fill: string }[] {
  const sorted = lines.map((line) => ({ ...line, end: line.points.at(-1)! }))
    .toSorted((a, b) => b.end.operationsPerSecond - a.end.operationsPerSecond);
  const groups: (typeof sorted)[] = [];
  for (const line of sorted) {
    const last = groups.at(-1)?.at(-1);
    const isSame = last !== undefined &&
      last.end.operationsPerSecond <= line.end.operationsPerSecond * SAME_FACTOR;
    if (isSame) groups.at(-1)!.push(line);
    else groups.push([line]);
  }
  return groups.map((group) => {
    const { end, paint } = group[0]!;
    return {
      x: end.workers,
      y: end.operationsPerSecond,
      text: shardsLabel(group.map(({ shards }) => shards), lines.map(({ shards }) => shards)),
      fill: group.length === 1 ? paint : colour("ink"),
    };
  });
}

/** `1 shard`; `16–256 shards` when all between are meant; `1, 64 shards` when not. */
function shardsLabel(group: readonly number[], all: readonly number[]): string {
  const sorted = distinct(group);
  if (sorted.length === 1) return counted(sorted[0]!, "shard");
  const between = all.filter((shards) => shards >= sorted[0]! && shards <= sorted.at(-1)!);
  const isRange = sorted.length > 2 && between.length === sorted.length;
  return `${
    isRange ? `${sorted[0]}–${sorted.at(-1)}` : sorted.map((shards) => fixed(shards, 0)).join(", ")
  } shards`;
}
