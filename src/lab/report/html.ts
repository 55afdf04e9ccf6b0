/**
 * The lab's report: one HTML file with everything in it, for people.
 *
 * It runs no script and fetches nothing; its policy says so to the browser, and allows the one style
 * sheet by its hash. All texts of the report are escaped, whatever they hold.
 *
 * @module
 */

import type { LabReport, StageReport } from "../model.ts";
import { inlineSvg } from "./figure.ts";
import { PAGE_STYLE } from "./page_style.ts";
import { type ReportPlot, reportPlots } from "./plots.ts";
import { listed, upperFirst } from "./series.ts";
import { checkSign, checksTable, comparisonTable, figureTables, hasLongChecks } from "./tables.ts";
import { counted, duration, escapeText, fixed } from "./text.ts";

/** Drawings that are wider have a row of the page for themselves. Unit: pixels. */
const FULL_ROW_PX = 800;

/**
 * Writes a report.
 *
 * @param report as `--json` writes it
 * @returns the whole file
 */
export async function renderReport(report: LabReport): Promise<string> {
  const plots = await reportPlots(report);
  const general = plots.filter(({ stages }) => stages.length === 0);
  const [sweep, overview] = [
    general.filter(({ id }) => id.startsWith("sweep")),
    general.filter(({ id }) => !id.startsWith("sweep")),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${await policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sluice: what contention costs, ${escapeText(dayOf(report))}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
${head(report)}
<main>
${overviewSection(report, overview)}
${report.stages.map((stage) => stageSection(stage, plots, report.stages)).join("\n")}
${sweepSection(report, sweep)}
</main>
<footer>Made by Sluice ${escapeText(report.machine.sluice)} from its own measurements${
    report.durationMs > 0 ? `, which took ${duration(report.durationMs)}` : ""
  }. Other machines give other numbers; what follows from what stays the same.</footer>
</body>
</html>
`;
}

/** Nothing may be loaded or run, but this style sheet. */
async function policy(): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(PAGE_STYLE));
  const hash = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
}

/** `2026-03-14 09:26 UTC`, or what stands there when it is no time. */
function timeOf({ startedAt }: LabReport): string {
  const match = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})/.exec(startedAt);
  return match === null ? startedAt : `${match[1]} ${match[2]} UTC`;
}

function dayOf(report: LabReport): string {
  return timeOf(report).slice(0, 10);
}

function isPassed(stage: StageReport): boolean {
  return stage.checks.every(({ passed }) => passed);
}

function head(report: LabReport): string {
  const { machine, stages } = report;
  const facts: [string, string][] = [
    ["Date", timeOf(report)],
    ["Processor", `${machine.processor}, ${counted(machine.processorCount, "logical core")}`],
    ["System", machine.target],
    ["Sluice", machine.sluice],
    ["Deno", `${machine.deno} (V8 ${machine.v8})`],
    ["Duration", duration(report.durationMs)],
  ];
  const strip = stages.map((stage) => {
    const passed = isPassed(stage);
    const number = fixed(stage.stage, 0);
    return `<li><a href="#stage-${number}"${passed ? "" : ' class="failed"'}><b>${number} ${
      checkSign({ passed })
    }</b><span>${escapeText(stage.title)}</span></a></li>`;
  });
  return `<header>
<h1>What contention costs on this machine</h1>
<p class="lead">${verdictOf(stages)}</p>
<dl class="facts">${
    facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeText(value)}</dd></div>`)
      .join("")
  }</dl>
${failures(stages)}
<nav aria-label="Stages"><ol class="strip">${strip.join("\n")}</ol></nav>
</header>`;
}

function verdictOf(stages: readonly StageReport[]): string {
  if (stages.length === 0) return "No stage ran.";
  const passed = stages.filter(isPassed).length;
  const count = passed === stages.length
    ? `<b>${
      stages.length === 1 ? "The one stage that ran shows" : `All ${stages.length} stages show`
    }</b>`
    : `<b class="fail">${passed} of ${counted(stages.length, "stage")}</b> show${
      passed === 1 ? "s" : ""
    }`;
  return `${count} what must be seen: what happens when many threads need the same thing at the ` +
    `same time, and what helps.`;
}

function failures(stages: readonly StageReport[]): string {
  const failed = stages.flatMap((stage) =>
    stage.checks.filter(({ passed }) => !passed).map((check) =>
      `<li><a href="#stage-${fixed(stage.stage, 0)}">Stage ${fixed(stage.stage, 0)}</a>, ${
        escapeText(check.what)
      }: expected ${escapeText(check.expected)}, seen ${escapeText(check.seen)}</li>`
    )
  );
  return failed.length === 0
    ? ""
    : `<section class="failures"><h2>✗ ${counted(failed.length, "check")} not as expected</h2><ul>${
      failed.join("\n")
    }</ul></section>`;
}

function figures(plots: readonly ReportPlot[]): string {
  if (plots.length === 0) return "";
  const list = plots.map((plot) =>
    `<figure id="${escapeText(plot.id)}"${
      plot.wide.width > FULL_ROW_PX ? ' class="full"' : ""
    }><div class="plot"><figcaption><strong>${escapeText(plot.title)}</strong> ${
      escapeText(plot.explanation)
    }</figcaption>${inlineSvg(plot, "wide")}${inlineSvg(plot, "narrow")}</div></figure>`
  );
  return `<div class="figures">${list.join("\n")}</div>`;
}

function overviewSection(report: LabReport, plots: readonly ReportPlot[]): string {
  if (report.stages.length === 0) return "";
  return `<section class="summary"><h2>All stages side by side</h2>
${figures(plots)}
${comparisonTable(report.stages)}</section>`;
}

function stageSection(
  stage: StageReport,
  plots: readonly ReportPlot[],
  stages: readonly StageReport[],
): string {
  const number = fixed(stage.stage, 0);
  // A figure that compares stages stands with the last one of them.
  const order = stages.map((other) => other.stage);
  const lastOf = (plot: ReportPlot): number =>
    plot.stages.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)).at(-1)!;
  const mine = plots.filter((plot) => plot.stages.includes(stage.stage));
  const here = mine.filter((plot) => lastOf(plot) === stage.stage);
  const elsewhere = [...new Set(mine.filter((plot) => !here.includes(plot)).map(lastOf))];
  return `<section class="stage" id="stage-${number}">
<header><span class="number" aria-hidden="true">${number}</span><h2>${
    escapeText(upperFirst(stage.title))
  }${isPassed(stage) ? "" : ' <span class="fail">✗ not as expected</span>'}</h2></header>
<p class="lesson">${escapeText(stage.lesson)}</p>
<div class="${
    hasLongChecks(stage) ? "about long" : "about"
  }"><dl class="setting"><dt>Server</dt><dd>${escapeText(stage.server)}</dd>` +
    `<dt>Load</dt><dd>${escapeText(stage.load)}</dd>` +
    `<dt>Took</dt><dd>${duration(stage.durationMs)}</dd></dl>
${checksTable(stage)}</div>
${figureTables(stage)}
${beside(elsewhere)}
${figures(here)}
</section>`;
}

function beside(stages: readonly number[]): string {
  if (stages.length === 0) return "";
  const links = stages.map((stage) =>
    `<a href="#stage-${fixed(stage, 0)}">stage ${fixed(stage, 0)}</a>`
  );
  return `<p class="beside">Its plots stand beside those of ${listed(links)}, below.</p>`;
}

function sweepSection(report: LabReport, plots: readonly ReportPlot[]): string {
  if (report.sweep === null || plots.length === 0) return "";
  return `<section class="stage" id="workers-and-shards">
<header><h2>Workers, shards and locks</h2></header>
<p class="lesson">More workers help as far as they do not meet at the same lock; more shards make ` +
    `such meetings rare. Each point was measured for ${duration(report.sweep.durationMs)}.</p>
${figures(plots)}
</section>`;
}
