/**
 * Heat map of contention: how many threads wait at each shard's lock over time.
 *
 * @module
 */

import type { ShardSample, StageReport } from "../model.ts";
import { drawPlot, type MarkSpace, markupMark, type PlotTools } from "./drawing.ts";
import { type Drawing, makeFigure, type ReportPlot } from "./figure.ts";
import { colour, HEAT_STEP_COUNT } from "./palette.ts";
import {
  areNumbers,
  listed,
  type StageLine,
  stageLines,
  stageNumbers,
  timeFrame,
  timeUnit,
} from "./series.ts";
import { counted, short } from "./text.ts";

type Line = StageLine<ShardSample>;

/** Where the next step of heat begins: threads that wait at one lock, on average. */
const STEPS = [0.01, 0.05, 0.25, 1, 4] as const;
const MAX_STRETCHES = 60;

/** Wait of one shard in one stretch of time. */
interface Cell {
  readonly fromMs: number;
  readonly toMs: number;
  readonly shard: number;
  /** Threads that wait, on average. */
  readonly waiting: number;
}

/** A stage's samples, ready to be drawn. */
interface HeatMap {
  readonly line: Line;
  readonly cells: readonly Cell[];
  readonly shardCount: number;
  readonly endMs: number;
  /** Threads that wait at the worst shard, over all of the time. */
  readonly worst: number;
}

/**
 * One figure with all stages that measured it.
 *
 * @param tools from `loadPlotTools`
 * @param stages of a report
 */
export function shardPlots(tools: PlotTools, stages: readonly StageReport[]): ReportPlot[] {
  const maps = stageLines(
    stages,
    "shards",
    (point) => areNumbers(point.atMs, point.shard, point.waitMs) && point.atMs > 0,
  ).map(heatMapOf);
  return maps.length === 0 ? [] : [figure(tools, maps)];
}

function heatMapOf(line: Line): HeatMap {
  const times = [...new Set(line.points.map(({ atMs }) => atMs))].toSorted((a, b) => a - b);
  const perStretch = Math.ceil(times.length / MAX_STRETCHES);
  // Ends of stretches, some of the samples' own taken together when there are very many.
  const ends = times.filter((_, i) => (i + 1) % perStretch === 0 || i === times.length - 1);
  const stretchOf = new Map<number, number>();
  let stretch = 0;
  for (const time of times) {
    if (time > ends[stretch]!) stretch++;
    stretchOf.set(time, stretch);
  }
  const waits = new Map<string, { stretch: number; shard: number; waitMs: number }>();
  for (const { atMs, shard, waitMs } of line.points) {
    const key = `${stretchOf.get(atMs)} ${shard}`;
    const cell = waits.get(key) ?? { stretch: stretchOf.get(atMs)!, shard, waitMs: 0 };
    cell.waitMs += waitMs;
    waits.set(key, cell);
  }
  const byShard = new Map<number, number>();
  for (const { shard, waitMs } of line.points) {
    byShard.set(shard, (byShard.get(shard) ?? 0) + waitMs);
  }
  const cells = [...waits.values()].map((cell) => {
    const [fromMs, toMs] = [ends[cell.stretch - 1] ?? 0, ends[cell.stretch]!];
    return { fromMs, toMs, shard: cell.shard, waiting: cell.waitMs / (toMs - fromMs) };
  });
  return {
    line,
    cells,
    shardCount: Math.max(...byShard.keys()) + 1,
    endMs: times.at(-1)!,
    worst: Math.max(...byShard.values()) / times.at(-1)!,
  };
}

function stepOf(waiting: number): number {
  const above = STEPS.findIndex((limit) => waiting < limit);
  return above < 0 ? HEAT_STEP_COUNT - 1 : above;
}

function worstOf({ worst, line }: HeatMap): string {
  return `${short(worst)} in ${line.name}`;
}

function figure(tools: PlotTools, maps: readonly HeatMap[]): ReportPlot {
  const numbers = stageNumbers(maps.map(({ line }) => line));
  const maxMs = Math.max(...maps.map(({ endMs }) => endMs));
  return makeFigure({
    id: `contention-by-shard-${numbers.join("-")}`,
    stages: numbers,
    title: `Threads waiting at the busiest lock, on average: ${listed(maps.map(worstOf))}`,
    explanation: "Each row is one shard, a part of the data with a lock of its own; the colour " +
      "says how many threads stood in front of it at that time. Grey: hardly ever did one have " +
      "to wait.",
    alternative: `Waiting threads by shard over time. ${
      maps.map(({ line, worst, cells }) => {
        const highest = Math.max(...cells.map(({ waiting }) => waiting));
        return `${line.title}: at the busiest shard ${short(worst)} threads wait on average, ` +
          `${short(highest)} at the worst time of any shard.`;
      }).join(" ")
    }`,
    columns: Math.min(3, maps.length),
    legend: Array.from({ length: HEAT_STEP_COUNT }, (_, step) => ({
      label: step === 0
        ? `under ${STEPS[0]} threads wait`
        : step === HEAT_STEP_COUNT - 1
        ? `${STEPS.at(-1)!} and more`
        : `${STEPS[step - 1]!} to ${STEPS[step]!}`,
      colour: colour(`heat${step}`),
      shape: "area" as const,
    })),
    panels: maps.map((map) => ({
      title: map.line.title,
      note: counted(map.shardCount, "shard"),
      draw: (width, isNarrow) => drawPanel(tools, map, { width, isNarrow, maxMs }),
    })),
  });
}

/** One path per step of heat: thousands of cells stay small. */
function cellPaths(map: HeatMap, unitMs: number, { x, y }: MarkSpace): string {
  const paths = Array.from({ length: HEAT_STEP_COUNT }, () => "");
  for (const { fromMs, toMs, shard, waiting } of map.cells) {
    const [left, right] = [x(fromMs / unitMs), x(toMs / unitMs)];
    const [top, bottom] = [y(shard + 1), y(shard)];
    const [px, py] = [left.toFixed(1), top.toFixed(1)];
    const [width, height] = [(right - left).toFixed(1), (bottom - top).toFixed(1)];
    paths[stepOf(waiting)] += `M${px},${py}h${width}v${height}h-${width}z`;
  }
  const body = paths.map((path, step) =>
    // Nothing is what the ground says already.
    path === "" || step === 0
      ? ""
      : `<path fill="${colour(`heat${step}`)}" shape-rendering="crispEdges" d="${path}"></path>`
  );
  const [left, right] = [x(0), x(map.endMs / unitMs)];
  return `<rect fill="${colour("heat0")}" x="${left}" y="${y(map.shardCount)}" ` +
    `width="${(right - left).toFixed(1)}" height="${y(0) - y(map.shardCount)}"></rect>${
      body.join("")
    }`;
}

function drawPanel(
  tools: PlotTools,
  map: HeatMap,
  { width, isNarrow, maxMs }: { width: number; isNarrow: boolean; maxMs: number },
): Omit<Drawing, "width"> {
  const height = isNarrow ? 230 : 280;
  const unit = timeUnit(maxMs);
  const step = Math.max(1, 2 ** Math.floor(Math.log2(map.shardCount / 4)));
  const ticks = Array.from({ length: map.shardCount }, (_, shard) => shard)
    .filter((shard) => shard % step === 0);
  const body = drawPlot(tools, {
    width,
    height,
    ...timeFrame(maxMs),
    y: {
      label: "shard (number)",
      labelArrow: "none",
      domain: [0, map.shardCount],
      ticks: ticks.map((shard) => shard + 0.5),
      tickSize: 0,
      tickFormat: (value: number) => String(Math.floor(value)),
    },
    marks: [markupMark((space) => cellPaths(map, unit.ms, space))],
  });
  return { height, body };
}
