/**
 * All figures of a report, made from whatever it holds: a figure whose numbers were not measured is
 * left out.
 *
 * @module
 */

import type { LabReport } from "../model.ts";
import { loadPlotTools } from "./drawing.ts";
import type { ReportPlot } from "./figure.ts";
import { counterPlots } from "./plot_counters.ts";
import { loadPlots } from "./plot_load.ts";
import { queuePlots } from "./plot_queue.ts";
import { eventPlots, jobPlots } from "./plot_rows.ts";
import { shardPlots } from "./plot_shards.ts";
import { sweepPlots } from "./plot_sweep.ts";
import { workerPlots } from "./plot_workers.ts";

export { type Drawing, type ReportPlot, standaloneSvg } from "./figure.ts";

/**
 * Draws all figures of a report.
 *
 * @param report as `--json` writes it
 * @returns in the order in which a reader meets them
 */
export async function reportPlots(report: LabReport): Promise<ReportPlot[]> {
  const { stages, sweep } = report;
  const tools = await loadPlotTools();
  return [
    ...jobPlots(tools, stages),
    ...loadPlots(tools, stages),
    ...queuePlots(tools, stages),
    ...workerPlots(tools, stages),
    ...shardPlots(tools, stages),
    ...counterPlots(tools, stages),
    ...eventPlots(tools, stages),
    ...sweepPlots(tools, sweep),
  ];
}
