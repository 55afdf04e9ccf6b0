/**
 * Plot of what clients were answered: accepted and refused over time.
 *
 * @module
 */

import type { LoadSample } from "../load/plan.ts";
import type { StageReport } from "../model.ts";
import { drawPlot, type PlotTools } from "./drawing.ts";
import { type Drawing, type LegendEntry, makeFigure, type ReportPlot } from "./figure.ts";
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
} from "./series.ts";
import { counted, fixed, percent } from "./text.ts";

type Line = StageLine<LoadSample>;

/** Loads of which one takes more times as long as another have an axis of time each. */
const MAX_TIME_RATIO = 5;
/** With fewer samples than this, they are shown as dots: between them nothing is known. */
const DOTS_BELOW = 8;

/**
 * One figure per group of stages whose loads are of one size.
 *
 * @param tools from `loadPlotTools`
 * @param stages of a report
 */
export function loadPlots(tools: PlotTools, stages: readonly StageReport[]): ReportPlot[] {
  const lines = stageLines(
    stages,
    "load",
    (point) => areNumbers(point.atMs, point.accepted, point.refused, point.errors),
  ).filter((line) => answered(line) > 0 && lastMs(line) > 0);
  return groupsOfOneSize(lines, answered, 4).map((group) => figure(tools, group));
}

function answered({ points }: Line): number {
  const { accepted, refused, errors } = points.at(-1)!;
  return accepted + refused + errors;
}

const lastMs = ({ points }: Line): number => points.at(-1)!.atMs;

function figure(tools: PlotTools, group: readonly Line[]): ReportPlot {
  const maxCount = Math.max(...group.map(answered));
  const times = group.map(lastMs);
  const maxMs = Math.max(...times);
  // Everything at once, beside a load of seconds, would be a needle: then each has its own time.
  const hasOneTime = maxMs <= Math.min(...times) * MAX_TIME_RATIO;
  const numbers = stageNumbers(group);
  return makeFigure({
    id: `answers-${numbers.join("-")}`,
    stages: numbers,
    title: titleOf(group),
    explanation: "The height is the number of answers so far. Where blue is thin, most clients " +
      "were told at once that there is no room, and could go elsewhere, instead of waiting for " +
      "an answer that never comes.",
    alternative: `Answers over time. ${group.map(sentence).join(" ")}`,
    columns: Math.min(3, group.length),
    legend: legendOf(group),
    panels: group.map((line) => ({
      title: line.title,
      note: countsOf(line),
      draw: (width, isNarrow) =>
        drawPanel(tools, line, {
          width,
          isNarrow,
          maxCount,
          maxMs: hasOneTime ? maxMs : lastMs(line),
        }),
    })),
  });
}

function titleOf(group: readonly Line[]): string {
  const refusing = group.filter(({ points }) => points.at(-1)!.refused > 0);
  const errors = group.reduce((sum, { points }) => sum + points.at(-1)!.errors, 0);
  if (refusing.length === 0) {
    const where = listed(group.map(({ name }) => name));
    return errors === 0
      ? `Nobody is turned away in ${where}`
      : `Nobody is turned away in ${where}, but ${counted(errors, "request")} end in errors`;
  }
  const parts = group.map((line, i) => {
    const { refused } = line.points.at(-1)!;
    const share = refused === 0 ? "none" : percent(refused, answered(line));
    return `${share} of ${i === 0 ? "the requests of " : ""}${line.name}`;
  });
  return `Turned away: ${listed(parts)}`;
}

function countsOf({ points }: Line): string {
  const { accepted, refused, errors } = points.at(-1)!;
  const counts = [`${fixed(accepted, 0)} accepted`, `${fixed(refused, 0)} refused`];
  if (errors > 0) counts.push(`${fixed(errors, 0)} errors`);
  return counts.join(", ");
}

function sentence(line: Line): string {
  return `${line.title}: ${countsOf(line)} within ${fixed(lastMs(line), 0)} ms.`;
}

/** Of what there was. */
function legendOf(group: readonly Line[]): LegendEntry[] {
  const kinds = [
    ["accepted", "done"],
    ["refused", "lost"],
    ["errors", "error"],
  ] as const;
  return kinds.filter(([kind]) => group.some(({ points }) => points.at(-1)![kind] > 0))
    .map(([label, name]) => ({ label, colour: colour(name), shape: "area" }));
}

interface PanelSpace {
  readonly width: number;
  readonly isNarrow: boolean;
  readonly maxCount: number;
  readonly maxMs: number;
}

function drawPanel(
  { Plot, ...tools }: PlotTools,
  line: Line,
  { width, isNarrow, maxCount, maxMs }: PanelSpace,
): Omit<Drawing, "width"> {
  const height = isNarrow ? 190 : 230;
  const unit = timeUnit(maxMs);
  const end = line.points.at(-1)!;
  const start: LoadSample = { atMs: 0, sent: 0, accepted: 0, refused: 0, errors: 0 };
  const points = [start, ...thinned(line.points)].map((point) => ({
    x: point.atMs / unit.ms,
    accepted: point.accepted,
    refused: point.accepted + point.refused,
    errors: point.accepted + point.refused + point.errors,
  }));
  const band = (y1: string | number, y2: string, fill: string) => [
    Plot.areaY(points, { x: "x", y1, y2, fill, fillOpacity: 0.85 }),
    ...(points.length < DOTS_BELOW ? [Plot.dot(points, { x: "x", y: y2, fill, r: 2.5 })] : []),
  ];
  const body = drawPlot({ Plot, ...tools }, {
    width,
    height,
    ...timeFrame(maxMs),
    y: { label: "answers (count)", domain: [0, maxCount], grid: true, ticks: 4 },
    marks: [
      // A band of no height would still show its dots.
      ...(end.accepted > 0 ? band(0, "accepted", colour("done")) : []),
      ...(end.refused > 0 ? band("accepted", "refused", colour("lost")) : []),
      ...(end.errors > 0 ? band("refused", "errors", colour("error")) : []),
      Plot.ruleY([0]),
    ],
  });
  return { height, body };
}
