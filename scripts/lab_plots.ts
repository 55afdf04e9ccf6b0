/**
 * Writes the plots of a report of the lab as SVG files: `deno task docs:plots report.json folder`.
 *
 * The report is what `sluice lab --json` wrote. Files are named after what they show.
 *
 * @module
 */

import { LAB_REPORT_VERSION, type LabReport } from "../src/lab/model.ts";
import { reportPlots, standaloneSvg } from "../src/lab/report/plots.ts";

/**
 * Draws and writes all plots.
 *
 * @param reportPath a report as JSON
 * @param folder is made when it is not there
 * @returns names of the files
 * @throws when the file is no report of this version
 */
export async function writePlots(reportPath: string, folder: string): Promise<string[]> {
  const report = JSON.parse(await Deno.readTextFile(reportPath)) as LabReport | null;
  if (report?.version !== LAB_REPORT_VERSION || !Array.isArray(report.stages)) {
    throw new Error(
      `Cannot draw ${reportPath}: it is no report of version ${LAB_REPORT_VERSION}`,
    );
  }
  await Deno.mkdir(folder, { recursive: true });
  const plots = await reportPlots(report);
  const names = plots.map(({ id }) => `${id}.svg`);
  for (const [i, plot] of plots.entries()) {
    await Deno.writeTextFile(`${folder.replace(/\/+$/, "")}/${names[i]}`, standaloneSvg(plot));
  }
  return names;
}

if (import.meta.main) {
  const [reportPath, folder] = Deno.args;
  if (reportPath === undefined || folder === undefined) {
    const usage = "usage: deno task docs:plots REPORT.json FOLDER\n";
    await Deno.stderr.write(new TextEncoder().encode(usage));
    Deno.exit(2);
  }
  const names = await writePlots(reportPath, folder);
  await Deno.stdout.write(new TextEncoder().encode(`${names.join("\n")}\n`));
}
