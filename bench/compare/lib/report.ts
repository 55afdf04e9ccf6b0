/**
 * The result of a bench: for the terminal, and as a Markdown file.
 *
 * @module
 */

import { tableText } from "../../../src/lab/terminal/table.ts";
import { type Check, CHECK_HEAD, checkRows, checkText } from "./checks.ts";
import type { Fact } from "./machine.ts";

/** One table. */
export interface ReportTable {
  /** Above it. */
  readonly title: string;
  /** What one has to know to read it; empty = nothing. */
  readonly note: string;
  /** Titles of the columns. */
  readonly head: readonly string[];
  /** One text per column each. */
  readonly rows: readonly (readonly string[])[];
}

/** All of it. */
export interface BenchReport {
  /** E.g. `"Throughput of Redis commands"`. */
  readonly title: string;
  /** Command line that makes it anew. */
  readonly command: string;
  /** Machine, versions, settings. */
  readonly facts: readonly Fact[];
  /** In the order of reading. */
  readonly tables: readonly ReportTable[];
  /** What had to be reached. */
  readonly checks: readonly Check[];
  /** What was left out and why. */
  readonly remarks: readonly string[];
}

/** For the terminal. */
export function reportText(report: BenchReport): string {
  const parts = [
    report.title,
    factLines(report.facts).join("\n"),
    ...report.tables.map(({ title, note, head, rows }) =>
      [title, ...note === "" ? [] : [note], tableText(head, rows)].join("\n")
    ),
  ];
  if (report.checks.length > 0) parts.push(`Must hold\n${checkText(report.checks)}`);
  if (report.remarks.length > 0) parts.push(report.remarks.join("\n"));
  const missed = report.checks.filter(({ passed }) => !passed).length;
  if (report.checks.length > 0) {
    parts.push(missed === 0 ? "all as it must be" : `${missed} of ${report.checks.length} missed`);
  }
  return parts.join("\n\n");
}

function factLines(facts: readonly Fact[]): string[] {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** As a Markdown file, to be formatted by `deno fmt`. */
export function reportMarkdown(report: BenchReport): string {
  const parts = [
    `# ${report.title}`,
    `\`${report.command}\``,
    markdownTable(["what", "value"], report.facts),
    ...report.tables.flatMap(({ title, note, head, rows }) => [
      `## ${title}`,
      ...note === "" ? [] : [note],
      markdownTable(head, rows),
    ]),
  ];
  if (report.checks.length > 0) {
    parts.push("## Must hold", markdownTable(CHECK_HEAD, checkRows(report.checks)));
  }
  if (report.remarks.length > 0) {
    parts.push("## Remarks", report.remarks.map((remark) => `- ${remark}`).join("\n"));
  }
  return parts.join("\n\n") + "\n";
}

/** A table whose numbers are on the right. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const isNumeric = head.map((_, i) =>
    rows.length > 0 && rows.every((row) => /^(-|[\d.,]+( ?\S{1,3})?)?$/.test(row[i] ?? ""))
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    line(head),
    line(head.map((_, i) => isNumeric[i] ? "---:" : "---")),
    ...rows.map((row) => line(head.map((_, i) => row[i] ?? ""))),
  ].join("\n");
}

/** The command line that makes a report anew; where it was written to is left out. */
export function commandLine(task: string, args: readonly string[] = Deno.args): string {
  const isTarget = (word: string | undefined): boolean =>
    word === "--json" || word === "--markdown";
  const kept = args.filter((word, i) =>
    !isTarget(word) && !isTarget(args[i - 1]) && !/^--(json|markdown)=/.test(word)
  );
  return ["deno task", task, ...kept].join(" ");
}

/** Where a report goes besides the terminal. */
export interface ReportTargets {
  /** A file for all figures, or undefined. */
  readonly json: string | undefined;
  /** A file to read, or undefined. */
  readonly markdown: string | undefined;
}

/**
 * Prints the report, writes the files asked for and says how it ends.
 *
 * @param raw what `--json` has besides the report, e.g. every single run
 * @returns the exit code: 1 when a check failed
 */
export async function publish(
  report: BenchReport,
  targets: ReportTargets,
  raw: unknown,
): Promise<number> {
  printLine(reportText(report));
  if (targets.json !== undefined) {
    await Deno.writeTextFile(targets.json, JSON.stringify({ ...report, raw }, undefined, 2) + "\n");
  }
  if (targets.markdown !== undefined) {
    await Deno.writeTextFile(targets.markdown, reportMarkdown(report));
    const args = ["fmt", "--quiet", targets.markdown];
    await new Deno.Command(Deno.execPath(), { args }).output();
  }
  return report.checks.every(({ passed }) => passed) ? 0 : 1;
}

/** Writes a line to standard output. */
export function printLine(text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}
