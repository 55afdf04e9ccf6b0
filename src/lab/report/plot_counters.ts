/**
 * Plot of the counters: what one increment costs, by number of threads.
 *
 * @module
 */

import type { CounterPoint, StageReport } from "../model.ts";
import { drawPlot, endLabels, type PlotTools } from "./drawing.ts";
import { type Drawing, makeFigure, type ReportPlot } from "./figure.ts";
import { lineColour } from "./palette.ts";
import { areNumbers, listed, roundTicks } from "./series.ts";
import { clipped, counted, short, times } from "./text.ts";

const SYMBOLS = ["circle", "square", "triangle", "diamond", "star"] as const;
/** Colours that are far from each other, of those for lines. */
const PAINTS = [0, 4, 2, 1, 3];
const MAX_KIND_CHARS = 40;

/** All points of one kind of counter. */
interface Kind {
  readonly kind: string;
  readonly paint: string;
  readonly symbol: typeof SYMBOLS[number];
  readonly points: readonly CounterPoint[];
}

/**
 * One figure per stage that measured it.
 *
 * @param tools from `loadPlotTools`
 * @param stages of a report
 */
export function counterPlots(tools: PlotTools, stages: readonly StageReport[]): ReportPlot[] {
  return stages.flatMap((stage) => {
    const points = (stage.series.counters ?? []).filter((point) =>
      areNumbers(point.threads, point.nsPerIncrement) && point.threads > 0 &&
      point.nsPerIncrement > 0
    );
    return points.length === 0 ? [] : [figure(tools, stage, kindsOf(points))];
  });
}

function kindsOf(points: readonly CounterPoint[]): Kind[] {
  return [...Map.groupBy(points, ({ kind }) => kind)].map(([kind, own], i) => ({
    kind,
    paint: lineColour(PAINTS[i % PAINTS.length]!),
    symbol: SYMBOLS[i % SYMBOLS.length]!,
    points: own.toSorted((a, b) => a.threads - b.threads),
  }));
}

function titleOf(kinds: readonly Kind[]): string {
  const threads = Math.max(...kinds.flatMap(({ points }) => points.map((point) => point.threads)));
  const ends = kinds.map(({ points }) => points.at(-1)!)
    .filter((point) => point.threads === threads)
    .toSorted((a, b) => a.nsPerIncrement - b.nsPerIncrement);
  const [best, worst] = [ends[0]!, ends.at(-1)!];
  if (ends.length === 1) {
    return `With ${counted(threads, "thread")}, one increment takes ${
      short(best.nsPerIncrement)
    } ns`;
  }
  const ratio = times(worst.nsPerIncrement, best.nsPerIncrement);
  return `With ${counted(threads, "thread")}, an increment takes ${ratio} as long with ` +
    `“${clipped(worst.kind, MAX_KIND_CHARS)}” as with “${clipped(best.kind, MAX_KIND_CHARS)}”`;
}

function figure(tools: PlotTools, stage: StageReport, kinds: readonly Kind[]): ReportPlot {
  return makeFigure({
    id: `counters-${stage.stage}`,
    stages: [stage.stage],
    title: titleOf(kinds),
    explanation: "The same sum, counted in different ways. Time is taken over the increments of " +
      "all threads, so a line that goes down shares the work, and one that goes up makes threads " +
      "wait for each other: for a lock, or for the one piece of memory that all of them change.",
    alternative: `Nanoseconds per increment by number of threads. ${
      kinds.map(({ kind, points }) =>
        `${kind}: ${
          listed(
            points.map((point) =>
              `${short(point.nsPerIncrement)} ns with ${counted(point.threads, "thread")}`
            ),
          )
        }.`
      ).join(" ")
    }`,
    columns: 1,
    legend: kinds.map(({ kind, paint }) => ({
      label: clipped(kind, MAX_KIND_CHARS),
      colour: paint,
      shape: "line",
    })),
    panels: [{
      title: "",
      note: "",
      draw: (width, isNarrow) => drawPanel(tools, kinds, width, isNarrow),
    }],
  });
}

function drawPanel(
  tools: PlotTools,
  kinds: readonly Kind[],
  width: number,
  isNarrow: boolean,
): Omit<Drawing, "width"> {
  const { Plot } = tools;
  const height = isNarrow ? 240 : 280;
  const all = kinds.flatMap(({ points }) => points);
  const threads = [...new Set(all.map((point) => point.threads))].toSorted((a, b) => a - b);
  const costs = all.map((point) => point.nsPerIncrement);
  const [low, high] = [Math.min(...costs) * 0.8, Math.max(...costs) * 1.25];
  const body = drawPlot(tools, {
    width,
    height,
    marginLeft: 54,
    marginRight: 64,
    marginTop: 28,
    marginBottom: 38,
    x: {
      type: "log",
      base: 2,
      label: "threads that increment (count)",
      domain: [threads[0]!, Math.max(threads.at(-1)!, threads[0]! * 2)],
      ticks: threads,
      tickFormat: (value: number) => String(value),
    },
    y: {
      type: "log",
      label: "time per increment (ns)",
      domain: [low, high],
      grid: true,
      ticks: roundTicks(low, high),
      tickFormat: (value: number) => short(value),
    },
    marks: [
      ...kinds.flatMap(({ points, paint, symbol }) => [
        Plot.lineY(points, { x: "threads", y: "nsPerIncrement", stroke: paint, strokeWidth: 2 }),
        Plot.dot(points, { x: "threads", y: "nsPerIncrement", fill: paint, symbol, r: 4 }),
      ]),
      endLabels(kinds.map(({ points, paint }) => ({
        x: points.at(-1)!.threads,
        y: points.at(-1)!.nsPerIncrement,
        text: `${short(points.at(-1)!.nsPerIncrement)} ns`,
        fill: paint,
      }))),
    ],
  });
  return { height, body };
}
