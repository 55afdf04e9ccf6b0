/**
 * Tables of the report.
 *
 * @module
 */

import type { StageCheck, StageReport, StageRow } from "../model.ts";
import { escapeText, fixed, usefulDecimals } from "./text.ts";

/** A column of the comparison. */
interface Column {
  readonly head: string;
  readonly value: (row: StageRow) => number | null | undefined;
  /** Digits after the point; undefined = as many as the number needs. */
  readonly decimals?: number;
}

/** Columns with one head above. */
interface ColumnGroup {
  readonly head: string;
  readonly columns: readonly Column[];
}

const GROUPS: readonly ColumnGroup[] = [
  {
    head: "Requests",
    columns: [
      { head: "accepted", value: (row) => row.accepted, decimals: 0 },
      { head: "refused", value: (row) => row.refused, decimals: 0 },
      { head: "errors", value: (row) => row.errors, decimals: 0 },
      { head: "answers/s", value: (row) => row.answersPerSecond },
    ],
  },
  {
    head: "Latency (ms)",
    columns: [
      { head: "average", value: (row) => row.latency?.averageMs },
      { head: "p50", value: (row) => row.latency?.p50Ms },
      { head: "p99", value: (row) => row.latency?.p99Ms },
    ],
  },
  {
    head: "Lock wait (ms)",
    columns: [
      { head: "p50", value: (row) => row.lockWait?.p50Ms },
      { head: "p99", value: (row) => row.lockWait?.p99Ms },
    ],
  },
  {
    head: "Lock hold (ms)",
    columns: [
      { head: "p50", value: (row) => row.lockHold?.p50Ms },
      { head: "p99", value: (row) => row.lockHold?.p99Ms },
    ],
  },
  { head: "Work", columns: [{ head: "jobs/s", value: (row) => row.jobsPerSecond }] },
];

/** As wide as a digit, where digits are all of one width. */
const FIGURE_SPACE = "\u2007";
/** As wide as a point. */
const POINT_SPACE = "\u2008";

/**
 * Numbers of one column as texts whose points stand below each other when set to the right.
 *
 * @param values null and what is no number becomes a dash
 * @param decimals digits after the point; undefined = as many as each number needs
 */
export function alignedNumbers(
  values: readonly (number | null | undefined)[],
  decimals?: number,
): string[] {
  const digits = values.map((value) =>
    decimals ?? (Number.isInteger(value) ? 0 : usefulDecimals(value ?? 0))
  );
  const most = Math.max(0, ...digits.filter((_, i) => Number.isFinite(values[i])));
  const padding = (count: number): string =>
    count === most ? "" : (count === 0 ? POINT_SPACE : "") + FIGURE_SPACE.repeat(most - count);
  return values.map((value, i) =>
    Number.isFinite(value) ? fixed(value!, digits[i]!) + padding(digits[i]!) : `–${padding(0)}`
  );
}

/**
 * All rows of all stages, to be compared line by line.
 *
 * @param stages of a report
 */
export function comparisonTable(stages: readonly StageReport[]): string {
  const rows = stages.flatMap((stage) => stage.rows);
  const titles = stages.flatMap((stage) => stage.rows.map(() => stage));
  const columns = GROUPS.flatMap((group) =>
    group.columns.map((column, i) => ({
      isFirst: i === 0,
      texts: alignedNumbers(rows.map((row) => column.value(row)), column.decimals),
    }))
  );
  const groupHeads = GROUPS.map(({ head, columns }) =>
    `<th scope="colgroup" colspan="${columns.length}" class="group">${head}</th>`
  );
  const heads = GROUPS.flatMap(({ columns }) =>
    columns.map(({ head }, i) => `<th scope="col" class="${cellClass(i === 0)}">${head}</th>`)
  );
  const body = rows.map((row, i) =>
    `<tr>${rowHead(row, titles[i]!)}${
      columns.map(({ isFirst, texts }) => `<td class="${cellClass(isFirst)}">${texts[i]}</td>`)
        .join("")
    }</tr>`
  );
  const notes = "p50: half took at most this long; p99: 99 of 100 did. A dash: not measured there.";
  return scrolling(
    "All stages, line by line",
    `<table class="comparison"><caption>All stages, line by line</caption><thead>` +
      `<tr><th scope="col" rowspan="2">Stage</th>${groupHeads.join("")}</tr>` +
      `<tr>${heads.join("")}</tr></thead><tbody>${body.join("\n")}</tbody></table>`,
  ) + `<p class="notes">${notes}</p>`;
}

/** With the stage's title where the line is the stage's own. */
function rowHead(row: StageRow, stage: StageReport): string {
  const title = row.name === String(stage.stage) ? ` <span>${escapeText(stage.title)}</span>` : "";
  return `<th scope="row"><a href="#stage-${fixed(stage.stage, 0)}">${escapeText(row.name)}</a>` +
    `${title}</th>`;
}

function cellClass(isFirst: boolean): string {
  return isFirst ? "number-cell group" : "number-cell";
}

/** Wide tables scroll on their own, by keyboard too. */
function scrolling(label: string, table: string): string {
  return `<div class="scroll" role="region" aria-label="${escapeText(label)}" tabindex="0">` +
    `${table}</div>`;
}

/** Longer texts than this make a table that needs the whole width. */
const MAX_SHORT_CHARS = 80;
/** Texts up to this length are shown twice when they are the same. */
const MAX_COMPARED_CHARS = 12;

/**
 * Whether the table of a stage's checks has texts that need room.
 *
 * @param stage whose checks
 */
export function hasLongChecks(stage: StageReport): boolean {
  return stage.checks.some(({ what, expected, seen }) =>
    Math.max(what.length, expected.length, seen.length) > MAX_SHORT_CHARS
  );
}

/**
 * What a stage had to show, and what was seen.
 *
 * @param stage whose checks
 */
export function checksTable(stage: StageReport): string {
  if (stage.checks.length === 0) return "";
  const rows = stage.checks.map((check) =>
    `<tr><th scope="row">${checkSign(check)} ${escapeText(check.what)}</th>` +
    `<td>${escapeText(check.expected)}</td>${seenCell(check)}</tr>`
  );
  return scrolling(
    `Checks of stage ${fixed(stage.stage, 0)}`,
    `<table class="checks"><caption>What must be seen, and what was</caption><thead><tr>` +
      ["What", "Expected", "Seen"].map((head) => `<th scope="col">${head}</th>`).join("") +
      `</tr></thead><tbody>${rows.join("\n")}</tbody></table>`,
  );
}

/**
 * A sign that a check passed or did not.
 *
 * @param check its result
 */
export function checkSign({ passed }: Pick<StageCheck, "passed">): string {
  return passed
    ? '<span class="pass" role="img" aria-label="as expected">✓</span>'
    : '<span class="fail" role="img" aria-label="not as expected">✗</span>';
}

function seenCell({ passed, expected, seen }: StageCheck): string {
  if (!passed) return `<td><span class="fail">${escapeText(seen)}, not as expected</span></td>`;
  // Nobody compares two long texts letter by letter.
  return seen === expected && seen.length > MAX_COMPARED_CHARS
    ? '<td class="same">the same</td>'
    : `<td>${escapeText(seen)}</td>`;
}

/**
 * Figures of a stage that have no column of their own: a small table for each of its lines.
 *
 * @param stage whose figures
 */
export function figureTables(stage: StageReport): string {
  const tables = stage.rows.filter(({ figures }) => figures.length > 0).map(figureTable);
  return tables.length === 0 ? "" : `<div class="small-tables">${tables.join("\n")}</div>`;
}

function figureTable({ name, figures }: StageRow): string {
  const numbers = alignedNumbers(figures.map(({ value }) => value));
  const rows = figures.map((figure, i) =>
    `<tr><th scope="row">${escapeText(figure.name)}</th>` +
    `<td class="number-cell">${numbers[i]}</td><td>${escapeText(figure.unit)}</td></tr>`
  );
  return scrolling(
    `Other figures: ${name}`,
    `<table><caption>Other figures: ${escapeText(name)}</caption><thead><tr>` +
      `<th scope="col">Figure</th><th scope="col" class="number-cell">Value</th>` +
      `<th scope="col">Unit</th></tr></thead><tbody>${rows.join("\n")}</tbody></table>`,
  );
}
