/**
 * Plot of what each worker did with its time: waiting for locks against holding them.
 *
 * @module
 */

import type { StageReport, WorkerSample } from "../model.ts";
import { drawPlot, type PlotTools } from "./drawing.ts";
import { type Drawing, makeFigure, type ReportPlot } from "./figure.ts";
import { colour } from "./palette.ts";
import {
  areNumbers,
  listed,
  type StageLine,
  stageLines,
  stageNumbers,
  timeUnit,
  upperFirst,
} from "./series.ts";
import { duration, times } from "./text.ts";

type Line = StageLine<WorkerSample>;

/**
 * One figure with all stages that measured it for about as many workers as any did.
 *
 * @param tools from `loadPlotTools`
 * @param stages of a report
 */
export function workerPlots(tools: PlotTools, stages: readonly StageReport[]): ReportPlot[] {
  const lines = stageLines(
    stages,
    "workers",
    (point) => areNumbers(point.worker, point.waitMs, point.holdMs, point.acquisitions),
  ).filter((line) => sums(line).totalMs > 0);
  const most = Math.max(...lines.map(({ points }) => points.length));
  // One worker, which waits for nobody, has nothing to be compared with beside sixteen.
  const comparable = lines.filter(({ points }) => points.length > most / 2);
  return comparable.length === 0 ? [] : [figure(tools, comparable)];
}

function sums({ points }: Line): {
  waitMs: number;
  holdMs: number;
  totalMs: number;
  acquisitions: number;
} {
  const sum = (pick: (point: WorkerSample) => number): number =>
    points.reduce((total, point) => total + pick(point), 0);
  const [waitMs, holdMs] = [sum((point) => point.waitMs), sum((point) => point.holdMs)];
  return {
    waitMs,
    holdMs,
    totalMs: waitMs + holdMs,
    acquisitions: sum((point) => point.acquisitions),
  };
}

function titleOf(lines: readonly Line[]): string {
  const parts = lines.map((line) => {
    const { waitMs, holdMs } = sums(line);
    return `${holdMs > 0 ? times(waitMs, holdMs) : "only that"} in ${line.name}`;
  });
  return `Time spent waiting for locks, against holding them: ${listed(parts)}`;
}

function noteOf(line: Line): string {
  const { waitMs, holdMs, acquisitions } = sums(line);
  return acquisitions > 0
    ? `each time: waits ${duration(waitMs / acquisitions)}, holds ${
      duration(holdMs / acquisitions)
    }`
    : "";
}

function figure(tools: PlotTools, lines: readonly Line[]): ReportPlot {
  const numbers = stageNumbers(lines);
  const maxMs = Math.max(
    ...lines.flatMap(({ points }) => points.map(({ waitMs, holdMs }) => waitMs + holdMs)),
  );
  return makeFigure({
    id: `wait-hold-${numbers.join("-")}`,
    stages: numbers,
    title: titleOf(lines),
    explanation: "One bar per worker, which is a thread of its own. Blue: it works inside the " +
      "lock, as it should. Orange: it stands still until another one is done there; a worker more " +
      "would not help it.",
    alternative: `Time that workers wait for locks and hold them. ${
      lines.map((line) => {
        const { waitMs, holdMs } = sums(line);
        return `${upperFirst(line.name)}: all workers together wait ${duration(waitMs)} and hold ${
          duration(holdMs)
        }.`;
      }).join(" ")
    }`,
    columns: Math.min(3, lines.length),
    legend: [
      { label: "holding a lock", colour: colour("done"), shape: "area" },
      { label: "waiting for one", colour: colour("lost"), shape: "area" },
    ],
    panels: lines.map((line) => ({
      title: line.title,
      note: noteOf(line),
      draw: (width) => drawPanel(tools, line, width, maxMs),
    })),
  });
}

function drawPanel(
  tools: PlotTools,
  { points }: Line,
  width: number,
  maxMs: number,
): Omit<Drawing, "width"> {
  const { Plot } = tools;
  const height = 72 + Math.max(points.length, 2) * 13;
  const unit = timeUnit(maxMs);
  const bars = points.map(({ worker, waitMs, holdMs }) => ({
    worker,
    hold: holdMs / unit.ms,
    end: (holdMs + waitMs) / unit.ms,
  }));
  const workers = bars.map(({ worker }) => worker);
  const step = Math.ceil(workers.length / 8);
  const body = drawPlot(tools, {
    width,
    height,
    marginLeft: 46,
    marginRight: 20,
    marginTop: 28,
    marginBottom: 38,
    x: {
      label: `time in all (${unit.name})`,
      domain: [0, maxMs / unit.ms],
      grid: true,
      ticks: 4,
    },
    y: {
      type: "band",
      label: "worker (number)",
      labelArrow: "none",
      labelAnchor: "top",
      domain: workers,
      ticks: workers.filter((_, i) => i % step === 0),
      tickSize: 0,
      padding: 0.25,
    },
    marks: [
      Plot.barX(bars, { y: "worker", x1: 0, x2: "hold", fill: colour("done") }),
      Plot.barX(bars, { y: "worker", x1: "hold", x2: "end", fill: colour("lost") }),
      Plot.ruleX([0]),
    ],
  });
  return { height, body };
}
