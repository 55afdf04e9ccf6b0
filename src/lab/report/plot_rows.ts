/**
 * Plots of one row per thing, with its name above it: the steps of a stop, and jobs a second of all
 * stages.
 *
 * @module
 */

import type { StageReport, TimedEvent } from "../model.ts";
import { drawPlot, markupMark, type PlotTools, textAt } from "./drawing.ts";
import { type Drawing, makeFigure, type ReportPlot } from "./figure.ts";
import { colour } from "./palette.ts";
import { areNumbers, shortName, timeUnit, upperFirst } from "./series.ts";
import { clipped, counted, duration, fixed, short, times } from "./text.ts";

const ROW_PX = 38;
const CHAR_PX = 6.4;

/** One row. */
interface Row {
  readonly name: string;
  /** Where its bar begins. */
  readonly from: number;
  /** Where its dot is. */
  readonly to: number;
  /** What stands next to its name. */
  readonly value: string;
}

/**
 * Time lines, one per stage that has events.
 *
 * @param tools from `loadPlotTools`
 * @param stages of a report
 */
export function eventPlots(tools: PlotTools, stages: readonly StageReport[]): ReportPlot[] {
  return stages.flatMap((stage) => {
    const events = (stage.series.events ?? []).filter(({ atMs }) => Number.isFinite(atMs));
    return events.length < 2 ? [] : [eventFigure(tools, stage, events)];
  });
}

function eventFigure(
  tools: PlotTools,
  stage: StageReport,
  given: readonly TimedEvent[],
): ReportPlot {
  const events = given.toSorted((a, b) => a.atMs - b.atMs);
  const [first, last] = [events[0]!, events.at(-1)!];
  const unit = timeUnit(last.atMs - first.atMs);
  const steps = events.map((event, i) => ({
    event,
    gapMs: event.atMs - (events[i - 1]?.atMs ?? event.atMs),
  }));
  const longest = steps.reduce((best, step) => step.gapMs > best.gapMs ? step : best);
  const rows = steps.map(({ event }, i) => ({
    name: event.what,
    from: (events[i - 1]?.atMs ?? event.atMs) / unit.ms,
    to: event.atMs / unit.ms,
    value: `${fixed(event.atMs / unit.ms, unit.name === "s" ? 3 : 1)} ${unit.name}`,
  }));
  return makeFigure({
    id: `events-${stage.stage}`,
    stages: [stage.stage],
    title: `From “${clipped(first.what, 40)}” to “${clipped(last.what, 40)}”: ` +
      `${duration(last.atMs - first.atMs)}, of which ${duration(longest.gapMs)} until ` +
      `“${clipped(longest.event.what, 40)}”`,
    explanation: "Read from the top: each line begins when the step before it was done and ends " +
      "at a dot when this one was. A long line is where the time went.",
    alternative: events.map(({ atMs, what }) => `${duration(atMs)}: ${what}.`).join(" "),
    columns: 1,
    legend: [],
    panels: [{
      title: "",
      note: "",
      draw: (width) =>
        drawRows(tools, rows, width, {
          label: `${timeFrom(first)} (${unit.name})`,
          domain: [Math.min(0, first.atMs / unit.ms), last.atMs / unit.ms],
        }),
    }],
  });
}

function timeFrom({ atMs, what }: TimedEvent): string {
  return atMs === 0 ? `time since “${clipped(what, 24)}”` : "time";
}

/**
 * Jobs a second of all stages that measured it.
 *
 * @param tools from `loadPlotTools`
 * @param stages of a report
 */
export function jobPlots(tools: PlotTools, stages: readonly StageReport[]): ReportPlot[] {
  const found = stages.flatMap((stage) =>
    stage.rows.filter((row) => areNumbers(row.jobsPerSecond) && row.jobsPerSecond! > 0)
      .map((row) => ({ stage, name: shortName(row.name), rate: row.jobsPerSecond! }))
  );
  if (found.length < 2) return [];
  const sorted = found.toSorted((a, b) => a.rate - b.rate);
  const [slowest, fastest] = [sorted[0]!, sorted.at(-1)!];
  const low = 10 ** Math.floor(Math.log10(slowest.rate));
  const rows = found.map(({ stage, name, rate }) => ({
    name: `${upperFirst(name)}${name === `stage ${stage.stage}` ? `: ${stage.server}` : ""}`,
    from: low,
    to: rate,
    value: `${short(rate)} jobs/s`,
  }));
  return [makeFigure({
    id: "jobs-a-second",
    stages: [],
    title: `${upperFirst(fastest.name)} does ${times(fastest.rate, slowest.rate)} the jobs a ` +
      `second of ${slowest.name}`,
    explanation: "The same machine each time: what differs is how long a job takes, how many " +
      "workers there are, and how long each keeps the others out. Each mark of the axis is ten " +
      "times the one before.",
    alternative: `${rows.map(({ name, value }) => `${name}: ${value}.`).join(" ")} In all, ${
      counted(rows.length, "line")
    }.`,
    columns: 1,
    legend: [],
    panels: [{
      title: "",
      note: "",
      draw: (width) =>
        drawRows(tools, rows, width, {
          label: "jobs settled a second (1/s)",
          type: "log",
          domain: [low, fastest.rate * 1.25],
          ticks: powersOfTen(low, fastest.rate * 1.25),
          tickFormat: (value: number) => short(value),
        }),
    }],
  })];
}

function powersOfTen(low: number, high: number): number[] {
  const count = Math.floor(Math.log10(high / low)) + 1;
  return Array.from({ length: count }, (_, i) => low * 10 ** i);
}

function drawRows(
  tools: PlotTools,
  rows: readonly Row[],
  width: number,
  x: Record<string, unknown>,
): Omit<Drawing, "width"> {
  const { Plot } = tools;
  const height = rows.length * ROW_PX + 44;
  const data = rows.map((row, i) => ({ ...row, y: i + 0.68 }));
  const nameChars = Math.max(8, Math.floor((width - 110) / CHAR_PX));
  const body = drawPlot(tools, {
    width,
    height,
    marginLeft: 8,
    marginRight: 22,
    marginTop: 0,
    marginBottom: 42,
    x: { ...x, grid: true },
    y: { axis: null, domain: [rows.length, 0] },
    marks: [
      Plot.link(data, {
        x1: "from",
        x2: "to",
        y1: "y",
        y2: "y",
        stroke: colour("done"),
        strokeWidth: 3,
        strokeOpacity: 0.45,
      }),
      Plot.dot(data, { x: "to", y: "y", fill: colour("done"), r: 5 }),
      markupMark(({ y, right }) =>
        rows.map((row, i) =>
          textAt(8, y(i + 0.4), clipped(row.name, nameChars), { halo: true }) +
          textAt(right, y(i + 0.4), row.value, { anchor: "end", weight: 600, halo: true })
        ).join("")
      ),
    ],
  });
  return { height, body };
}
