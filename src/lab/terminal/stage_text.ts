/**
 * What stages found, as text for people.
 *
 * @module
 */

import type {
  LabReport,
  StageCheck,
  StageReport,
  StageRow,
  SweepPoint,
  SweepReport,
} from "../model.ts";
import { numberText } from "./number_text.ts";
import { tableText } from "./table.ts";

/** What stands where nothing was measured. */
const NOT_MEASURED = "–";

/** Longer lines are hard to read. */
const LINE_COLUMNS = 98;

const GREEN = "\x1b[32m";
const RED = "\x1b[31m";
const BOLD = "\x1b[1m";
const PLAIN = "\x1b[0m";

/** How texts may look. */
export interface TextStyle {
  /** Whether there may be colours and signs that not everything can show. */
  readonly isColourful: boolean;
}

/** Columns of the table that compares stages, and what is in them. */
const COLUMNS: readonly (readonly [title: string, value: (row: StageRow) => number | null])[] = [
  ["accepted", (row) => row.accepted],
  ["refused", (row) => row.refused],
  ["errors", (row) => row.errors],
  ["answers/s", (row) => row.answersPerSecond],
  ["avg ms", (row) => row.latency?.averageMs ?? null],
  ["p50 ms", (row) => row.latency?.p50Ms ?? null],
  ["p99 ms", (row) => row.latency?.p99Ms ?? null],
  ["wait p50", (row) => row.lockWait?.p50Ms ?? null],
  ["wait p99", (row) => row.lockWait?.p99Ms ?? null],
  ["hold p50", (row) => row.lockHold?.p50Ms ?? null],
  ["hold p99", (row) => row.lockHold?.p99Ms ?? null],
  ["jobs/s", (row) => row.jobsPerSecond],
];

/** The table of some rows; columns in which nothing was measured are left out if so wished. */
function rowsText(rows: readonly StageRow[], leavesOut: boolean): string {
  const columns = COLUMNS.filter(([, value]) =>
    !leavesOut || rows.some((row) => value(row) !== null)
  );
  return tableText(
    ["stage", ...columns.map(([title]) => title)],
    rows.map((row) => [row.name, ...columns.map(([, value]) => cellText(value(row)))]),
  );
}

/** Whether there is anything in the row but figures of its own. */
function isMeasured(row: StageRow): boolean {
  return COLUMNS.some(([, value]) => value(row) !== null);
}

function figureLines({ name, figures }: StageRow): string[] {
  const texts = figures.map((figure) =>
    `${figure.name} ${numberText(figure.value)} ${figure.unit}`.trimEnd()
  );
  return wrapped(`${name}: ${texts.join("; ")}`);
}

function cellText(value: number | null): string {
  return value === null ? NOT_MEASURED : numberText(value);
}

/** One stage: what it was, what was measured, what was seen of what had to be. Ends with a line end. */
export function stageText(report: StageReport, { isColourful }: TextStyle): string {
  const { stage, title, server, load, lesson, rows, checks, durationMs } = report;
  const headline = `stage ${stage}: ${title}`;
  const lines = [isColourful ? `${BOLD}${headline}${PLAIN}` : headline];
  if (server !== "") {
    lines.push(...wrapped(`server: ${server}`), ...wrapped(`load: ${load}`), ...wrapped(lesson));
  }
  const measured = rows.filter(isMeasured);
  if (measured.length > 0) lines.push("", indented(rowsText(measured, true)));
  const figures = rows.filter((row) => row.figures.length > 0).flatMap(figureLines);
  if (figures.length > 0) lines.push("", ...figures);
  lines.push("", ...checks.map((check) => `  ${checkText(check, isColourful)}`));
  lines.push(`  ${numberText(Math.round(durationMs / 100) / 10)} s`);
  return `${lines.join("\n")}\n\n`;
}

function checkText({ what, expected, seen, passed }: StageCheck, isColourful: boolean): string {
  const mark = isColourful
    ? passed ? `${GREEN}✓${PLAIN}` : `${RED}✗${PLAIN}`
    : passed
    ? "ok    "
    : "FAILED";
  if (!passed) return `${mark} ${what}: ${seen}; expected: ${expected}`;
  return `${mark} ${what}: ${seen}${seen === expected ? "" : ` (${expected})`}`;
}

/** Text in lines that are easily read, set in a little. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE_COLUMNS) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(`  ${word}`);
  }
  return lines;
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ");
}

/** All stages, line by line, for the end. Ends with a line end. */
export function comparisonText({ stages }: LabReport): string {
  const rows = stages.flatMap((stage) => stage.rows).filter(isMeasured);
  if (rows.length === 0) return "";
  return `${rowsText(rows, false)}\n\n` +
    "answers/s: answers of any kind; avg, p50, p99: from when a request was due to its answer;\n" +
    "wait, hold: of shard locks, ms; jobs/s: settled, from the first to the last\n";
}

/** Throughput by workers, shards and lock. Ends with an empty line. */
export function sweepText(
  { operation, points, barePoints = [] }: SweepReport,
  { isColourful }: TextStyle,
): string {
  const headline = "sweep: operations a second by workers, shards and lock";
  const lines = [isColourful ? `${BOLD}${headline}${PLAIN}` : headline];
  lines.push(...wrapped(operation), "", indented(pointsText(points)));
  if (barePoints.length > 0) {
    lines.push("", "  the same without sleep", "", indented(pointsText(barePoints)));
  }
  return `${lines.join("\n")}\n\n`;
}

/** One line per lock and number of shards, one column per number of workers. */
function pointsText(points: readonly SweepPoint[]): string {
  const workerCounts = [...new Set(points.map(({ workers }) => workers))];
  const lines = Map.groupBy(points, ({ lock, shards }) => `${lock}\t${shards}`);
  return tableText(
    ["lock", "shards", ...workerCounts.map((count) => `${count} worker${count === 1 ? "" : "s"}`)],
    [...lines].map(([key, line]) => [
      ...key.split("\t"),
      ...workerCounts.map((count) =>
        cellText(line.find(({ workers }) => workers === count)?.operationsPerSecond ?? null)
      ),
    ]),
  );
}

/** Which stages did not show what they must; null when all did. One line without its end. */
export function failureText({ stages }: LabReport): string | null {
  const failed = stages.filter(({ checks }) => checks.some(({ passed }) => !passed));
  if (failed.length === 0) return null;
  const [last, ...before] = failed.map(({ stage }) => String(stage)).toReversed();
  return before.length === 0
    ? `stage ${last} did not show what it must`
    : `stages ${before.toReversed().join(", ")} and ${last} did not show what they must`;
}
