/**
 * Plot of the channel: how many jobs wait in it over time, and how many may.
 *
 * @module
 */

import type { ServerSample, StageReport } from "../model.ts";
import { drawPlot, markupMark, type PlotTools, textAt } from "./drawing.ts";
import { type Drawing, makeFigure, type ReportPlot } from "./figure.ts";
import { colour } from "./palette.ts";
import {
  areNumbers,
  groupsOfOneSize,
  listed,
  type StageLine,
  stageLines,
  stageNumbers,
  thinned,
  timeFrame,
  timeUnit,
  upperFirst,
} from "./series.ts";
import { duration, fixed } from "./text.ts";

type Line = StageLine<ServerSample>;

/**
 * One figure per group of stages that take about as long.
 *
 * @param tools from `loadPlotTools`
 * @param stages of a report
 */
export function queuePlots(tools: PlotTools, stages: readonly StageReport[]): ReportPlot[] {
  const lines = stageLines(
    stages,
    "server",
    (point) => areNumbers(point.atMs, point.depth, point.capacity) && point.capacity > 0,
  ).filter(({ points }) => points.length > 1 && points.at(-1)!.atMs > 0);
  return groupsOfOneSize(lines, lastMs, 8).map((group) => figure(tools, group));
}

const lastMs = ({ points }: Line): number => points.at(-1)!.atMs;

/** What became of a channel. */
interface Course {
  readonly maxDepth: number;
  readonly capacity: number;
  /** Null: it never was. Unit: ms. */
  readonly fullAtMs: number | null;
  /** When it was empty for good; null: it was not. Unit: ms. */
  readonly emptyAtMs: number | null;
}

function courseOf({ points }: Line): Course {
  const deepest = points.reduce((best, point) => point.depth > best.depth ? point : best);
  const full = points.find(({ depth, capacity }) => depth >= capacity);
  const lastFilled = points.findLastIndex(({ depth }) => depth > 0);
  const isEmptied = lastFilled >= 0 && lastFilled < points.length - 1;
  return {
    maxDepth: deepest.depth,
    capacity: deepest.capacity,
    fullAtMs: full?.atMs ?? null,
    emptyAtMs: isEmptied ? points[lastFilled + 1]!.atMs : null,
  };
}

function noteOf(line: Line): string {
  const { maxDepth, capacity, fullAtMs, emptyAtMs } = courseOf(line);
  const first = fullAtMs === null
    ? `at most ${fixed(maxDepth, 0)} of ${fixed(capacity, 0)} wait`
    : `full at ${duration(fullAtMs)}`;
  return emptyAtMs === null ? first : `${first}, empty at ${duration(emptyAtMs)}`;
}

function titleOf(group: readonly Line[]): string {
  const courses = group.map((line) => ({ line, course: courseOf(line) }));
  const full = courses.filter(({ course }) => course.fullAtMs !== null);
  const others = courses.filter(({ course }) => course.fullAtMs === null);
  const parts: string[] = [];
  if (full.length > 0) {
    const times = full.map(({ line, course }) => `${duration(course.fullAtMs!)} in ${line.name}`);
    parts.push(`the channel is full after ${listed(times)}`);
  }
  if (others.length > 0) {
    const depths = others.map(({ line, course }) =>
      `${fixed(course.maxDepth, 0)} of ${fixed(course.capacity, 0)} jobs in ${line.name}`
    );
    parts.push(`${full.length > 0 ? "it" : "the channel"} holds at most ${listed(depths)}`);
  }
  return upperFirst(parts.join("; "));
}

function figure(tools: PlotTools, group: readonly Line[]): ReportPlot {
  const numbers = stageNumbers(group);
  const maxMs = Math.max(...group.map(lastMs));
  return makeFigure({
    id: `queue-depth-${numbers.join("-")}`,
    stages: numbers,
    title: titleOf(group),
    explanation: "The channel is an array with a fixed length between those who accept jobs and " +
      "those who do them. A full one is the signal to refuse; the slope down is the speed of the " +
      "workers, whatever the clients do.",
    alternative: `Jobs waiting in the channel over time. ${
      group.map((line) => `${line.title}: ${noteOf(line)}.`).join(" ")
    }`,
    columns: Math.min(3, group.length),
    legend: [
      { label: "jobs that wait", colour: colour("line2"), shape: "area" },
      { label: "capacity", colour: colour("muted"), shape: "dashes" },
    ],
    panels: group.map((line) => ({
      title: line.title,
      note: noteOf(line),
      draw: (width, isNarrow) => drawPanel(tools, line, { width, isNarrow, maxMs }),
    })),
  });
}

function drawPanel(
  tools: PlotTools,
  line: Line,
  { width, isNarrow, maxMs }: { width: number; isNarrow: boolean; maxMs: number },
): Omit<Drawing, "width"> {
  const { Plot } = tools;
  const height = isNarrow ? 180 : 220;
  const unit = timeUnit(maxMs);
  const { maxDepth, capacity } = courseOf(line);
  const points = thinned(line.points).map(({ atMs, depth }) => ({ x: atMs / unit.ms, depth }));
  const paint = colour("line2");
  const body = drawPlot(tools, {
    width,
    height,
    ...timeFrame(maxMs),
    y: {
      label: "waiting (jobs)",
      domain: [0, Math.max(capacity, maxDepth) * 1.16],
      grid: true,
      ticks: 4,
    },
    marks: [
      Plot.areaY(points, {
        x: "x",
        y: "depth",
        fill: paint,
        fillOpacity: 0.22,
        curve: "step-after",
      }),
      Plot.lineY(points, { x: "x", y: "depth", stroke: paint, curve: "step-after" }),
      Plot.ruleY([capacity], { stroke: colour("muted"), strokeDasharray: "4 3", strokeWidth: 1.5 }),
      markupMark(({ y, right }) =>
        textAt(right, y(capacity) - 5, `capacity ${fixed(capacity, 0)}`, {
          anchor: "end",
          fill: colour("muted"),
          halo: true,
        })
      ),
      Plot.ruleY([0]),
    ],
  });
  return { height, body };
}
