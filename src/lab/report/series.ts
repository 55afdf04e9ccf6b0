/**
 * What plots need from a report's series: names, groups that can share a scale, fewer points.
 *
 * @module
 */

import type { NamedSeries, StageReport, StageSeries } from "../model.ts";

/** One series of one stage. */
export interface StageLine<Point> {
  /** Its stage. */
  readonly stage: StageReport;
  /** Short, for titles: `"stage 7"`, `"stage 7 with 64 shards"`. */
  readonly name: string;
  /** For the head of a small plot: `"Stage 7: one lock for all"`. */
  readonly title: string;
  /** In order; at least one. */
  readonly points: readonly Point[];
}

/** Names of the parts that are series with points. */
export type PartName = "load" | "server" | "workers" | "shards";
/** Points of one of them. */
export type PointOf<Part extends PartName> = NonNullable<
  StageSeries[Part]
>[number]["points"][number];

const MAX_POINTS = 240;

/**
 * All series of one kind, in the order of stages; those without points are left out.
 *
 * @param stages of a report
 * @param part which series
 * @param isFit whether a point can be drawn
 */
export function stageLines<Part extends PartName>(
  stages: readonly StageReport[],
  part: Part,
  isFit: (point: PointOf<Part>) => boolean,
): StageLine<PointOf<Part>>[] {
  return stages.flatMap((stage) => {
    const list = (stage.series[part] ?? []) as readonly NamedSeries<PointOf<Part>>[];
    return list.map(({ name, points }) => ({
      stage,
      name: shortName(name),
      title: name === String(stage.stage)
        ? `Stage ${name}: ${stage.title}`
        : upperFirst(shortName(name)),
      points: points.filter(isFit),
    })).filter(({ points }) => points.length > 0);
  });
}

/**
 * The name of a row in a sentence: `"7"` → `"stage 7"`, `"4, 1 client"` → `"stage 4, 1 client"`,
 * `"8, stage 7 with 64 shards"` → `"stage 7 with 64 shards"`.
 *
 * @param rowName as the table has it
 */
export function shortName(rowName: string): string {
  if (/^\d+(, (?!stage ).*)?$/s.test(rowName)) return `stage ${rowName}`;
  return /^\d+, (?<rest>.+)$/s.exec(rowName)?.groups?.rest ?? rowName;
}

/**
 * The same text with a large first letter.
 *
 * @param text any text
 */
export function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Series that follow each other and are of one order of size, so that one scale suits all.
 *
 * @param lines in order
 * @param sizeOf how large a line is
 * @param maxRatio the largest over the smallest of a group
 */
export function groupsOfOneSize<Line>(
  lines: readonly Line[],
  sizeOf: (line: Line) => number,
  maxRatio: number,
): Line[][] {
  const groups: Line[][] = [];
  for (const line of lines) {
    const group = groups.at(-1);
    const sizes = [...group ?? [], line].map(sizeOf);
    if (group !== undefined && Math.max(...sizes) <= Math.min(...sizes) * maxRatio) {
      group.push(line);
    } else {
      groups.push([line]);
    }
  }
  return groups;
}

/** Numbers of the stages of some lines, each once. */
export function stageNumbers(lines: readonly StageLine<unknown>[]): number[] {
  return [...new Set(lines.map(({ stage }) => stage.stage))];
}

/**
 * Every n-th point and always the last one, so that a minute of samples does not make a large file.
 *
 * @param points in order
 */
export function thinned<Point>(points: readonly Point[]): Point[] {
  const step = Math.ceil(points.length / MAX_POINTS);
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

/** A unit of time for an axis: what milliseconds are divided by, and its name. */
export interface TimeUnit {
  /** Unit: ms. */
  readonly ms: number;
  /** `"s"` or `"ms"`. */
  readonly name: string;
}

/**
 * The unit in which a time is read best.
 *
 * @param maxMs the longest of an axis. Unit: ms
 */
export function timeUnit(maxMs: number): TimeUnit {
  return maxMs >= 2_000 ? { ms: 1_000, name: "s" } : { ms: 1, name: "ms" };
}

/**
 * `a`, `a and b`, `a, b and c`.
 *
 * @param texts at least one
 */
export function listed(texts: readonly string[]): string {
  return texts.length < 2
    ? texts.join("")
    : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)!}`;
}

/**
 * Round values for an axis on which equal steps are equal factors: 1, 2, 5, 10, 20, …
 *
 * @param low more than 0
 * @param high not less than that
 */
export function roundTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** power);
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/**
 * Whether all of these can be drawn.
 *
 * @param values from a file, which may hold anything
 */
export function areNumbers(...values: readonly unknown[]): boolean {
  return values.every((value) => Number.isFinite(value) && (value as number) >= 0);
}

/** What drawings over time have in common: their margins, and an axis from 0 to `maxMs`. */
export interface TimeFrame {
  /** Room for the labels of the other axis. Unit: px, as the others. */
  readonly marginLeft: number;
  /** Room for half a label of the last tick. */
  readonly marginRight: number;
  /** Room for the name of the other axis. */
  readonly marginTop: number;
  /** Room for ticks and name of this axis. */
  readonly marginBottom: number;
  /** The axis, in the unit that {@link timeUnit} says. */
  readonly x: { label: string; domain: [number, number]; ticks: number };
}

/**
 * The frame of a drawing over time.
 *
 * @param maxMs where the axis ends, since the first request. Unit: ms
 */
export function timeFrame(maxMs: number): TimeFrame {
  const unit = timeUnit(maxMs);
  return {
    marginLeft: 46,
    marginRight: 20,
    marginTop: 28,
    marginBottom: 38,
    x: {
      label: `time since the first request (${unit.name})`,
      domain: [0, maxMs / unit.ms],
      ticks: 4,
    },
  };
}
