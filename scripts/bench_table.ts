/**
 * Makes a Markdown table of what `deno bench --json` measured: `deno task bench:table`.
 *
 *     deno task bench --json > one.json
 *     deno task bench --json > two.json
 *     deno task bench:table one.json two.json > bench/results/2026-11-21.md
 *
 * Of several runs each figure is the median of theirs, and one more column says how far they are apart.
 * Run it in the tree that was measured, on the machine that measured: it says which they are.
 *
 * @module
 */

import {
  type BenchRow,
  type BenchRuns,
  formatNs,
  formatRatio,
  median,
  readRuns,
} from "./bench_runs.ts";

/** What was measured, where and when; a label and a text each. */
export type Facts = readonly (readonly [label: string, text: string])[];

const INTRODUCTION = `\
Time is that of one iteration, on average; a group's name says how much is done in one. 75 and 99 of
100 iterations took no longer than p75 and p99. "Against the baseline" is the time divided by that
of the group's baseline, which is printed **bold**: 2× takes twice as long.`;

/** The tables, with headings for files and groups; formatted as `deno fmt` would. */
export function benchMarkdown({ rows }: BenchRuns, facts: Facts): string {
  const lines = ["# Benchmarks", "", ...table([["", ""], ...facts], []), "", INTRODUCTION];
  for (const [file, ofFile] of Map.groupBy(rows, ({ file }) => file)) {
    lines.push("", `## ${file}`);
    for (const [group, members] of Map.groupBy(ofFile, ({ group }) => group)) {
      lines.push("", `### ${group}`, "", ...groupTable(members));
    }
  }
  return lines.join("\n") + "\n";
}

function groupTable(rows: readonly BenchRow[]): string[] {
  const baseline = rows.find(({ isBaseline }) => isBaseline);
  const hasRuns = rows.some(({ runs }) => runs.length > 1);
  const header = ["benchmark", "time", "p75", "p99", "against the baseline"];
  const body = rows.map((row) => {
    const averages = row.runs.map(({ avg }) => avg);
    const cells = [
      row === baseline ? `**${row.name}**` : row.name,
      formatNs(median(averages)),
      formatNs(median(row.runs.map(({ p75 }) => p75))),
      formatNs(median(row.runs.map(({ p99 }) => p99))),
      baseline === undefined ? "" : formatRatio(againstBaseline(row, baseline)),
    ];
    if (hasRuns) {
      cells.push(`${formatNs(Math.min(...averages))} to ${formatNs(Math.max(...averages))}`);
    }
    return cells;
  });
  if (hasRuns) header.push("all runs");
  return table([header, ...body], header.map((_, column) => column > 0));
}

/** A table whose columns are lined up, those that `isRight` says to the right. */
function table(rows: readonly (readonly string[])[], isRight: readonly boolean[]): string[] {
  const cells = rows.map((row) => row.map((text) => text.replaceAll("|", "\\|")));
  const widths = cells[0]!.map((_, column) =>
    Math.max(3, ...cells.map((row) => row[column]!.length))
  );
  const line = (row: readonly string[]): string =>
    `| ${
      row.map((text, column) =>
        isRight[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)
      ).join(" | ")
    } |`;
  const rule = widths.map((width, column) =>
    isRight[column] ? "-".repeat(width - 1) + ":" : "-".repeat(width)
  );
  const [header, ...body] = cells.map(line);
  return [header!, line(rule), ...body];
}

function againstBaseline(row: BenchRow, baseline: BenchRow): number {
  const averageOf = ({ runs }: BenchRow): number => median(runs.map(({ avg }) => avg));
  return averageOf(row) / averageOf(baseline);
}

function git(...args: string[]): string {
  const { success, stdout } = new Deno.Command("git", { args, stderr: "null" }).outputSync();
  return success ? new TextDecoder().decode(stdout).trim() : "";
}

async function gatherFacts({ runtime, cpu }: BenchRuns, files: readonly string[]): Promise<Facts> {
  const times = await Promise.all(files.map(async (file) => (await Deno.stat(file)).mtime));
  const last = new Date(Math.max(...times.map((time) => time?.getTime() ?? 0)));
  const changes = git("status", "--porcelain", "src", "bench") === "" ? "" : ", with changes";
  const gib = (Deno.systemMemoryInfo().total / 2 ** 30).toFixed(1);
  const cores = navigator.hardwareConcurrency;
  return [
    ["finished", `${last.toISOString().slice(0, 16).replace("T", " ")} UTC`],
    ["revision", (git("rev-parse", "--short", "HEAD") || "unknown") + changes],
    ["machine", `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}, ${gib} GiB`],
    ["system", `${Deno.build.os} ${Deno.osRelease()}, ${Deno.build.arch}`],
    ["runtime", `${runtime.replace("/", " ")}, V8 ${Deno.version.v8}`],
    [
      "command",
      `\`deno task bench --json\`, ${files.length === 1 ? "once" : `${files.length} runs`}`,
    ],
    ["load average", `${Deno.loadavg()[0]!.toFixed(2)} over the minute before this was written`],
  ];
}

if (import.meta.main) {
  if (Deno.args.length === 0) {
    await Deno.stderr.write(new TextEncoder().encode("usage: deno task bench:table FILE...\n"));
    Deno.exit(2);
  }
  const runs = readRuns(await Promise.all(Deno.args.map((file) => Deno.readTextFile(file))));
  const markdown = benchMarkdown(runs, await gatherFacts(runs, Deno.args));
  await new Response(markdown).body!.pipeTo(Deno.stdout.writable);
}
