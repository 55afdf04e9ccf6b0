/**
 * Starts load generators, each in a process of its own, and shows what they saw.
 *
 * @module
 */

import type { GroupReport, LoadPlan } from "./plan.ts";

/** False where load generators cannot run; see `sockets.ts`. */
export const canRunLoad: boolean = Deno.build.os === "linux";

/**
 * Runs a load to its end.
 *
 * @param showProgress prints a line a second on stderr
 * @returns one report per group
 */
export async function runLoad(plan: LoadPlan, showProgress = false): Promise<GroupReport[]> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--allow-ffi", "--no-check"],
      new URL("./main.ts", import.meta.url).href,
      JSON.stringify(plan),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: showProgress ? "inherit" : "piped",
  }).output();
  if (!output.success) {
    const reason = showProgress ? "see above" : new TextDecoder().decode(output.stderr);
    throw new Error(`Cannot run the load: ${reason}`);
  }
  return JSON.parse(new TextDecoder().decode(output.stdout));
}

/** Reports as an aligned table. */
export function reportTable(reports: readonly GroupReport[]): string {
  const heads = ["clients", "requests/s", "p50 ms", "p99 ms", "max ms"];
  heads.push("fewest", "median", "most", "fewest/median", "lost", "strange");
  const rows = reports.map((report) => [
    report.name,
    report.requestsPerSecond.toFixed(0),
    ...[report.p50Ms, report.p99Ms, report.maxMs].map((valueMs) => valueMs.toFixed(2)),
    ...[report.fewest, report.median, report.most].map(String),
    (report.fewest / report.median).toFixed(2),
    ...[report.lostCount, report.strangeCount].map(String),
  ]);
  return alignedTable(heads, rows);
}

/** A table with the first column to the left and the others to the right. */
export function alignedTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ");
  return all.map(line).join("\n");
}
