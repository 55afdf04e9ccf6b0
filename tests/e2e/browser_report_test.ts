/** The lab's report in a real browser: a file that is opened from disk, on a phone and on a wall. */

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { sampleReport, withTexts } from "../helpers/lab_sample_report.ts";
import { isInstalled } from "../helpers/server_process.ts";
import { renderReport } from "../../src/lab/report/html.ts";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];
const installed = await Promise.all(PROGRAMS.map((program) => isInstalled(program)));
const browserName = PROGRAMS[installed.indexOf(true)];
const suffix = browserName === undefined ? " (no chromium)" : "";

async function pathOf(program: string): Promise<string> {
  const { stdout } = await new Deno.Command("which", { args: [program] }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test(`browser: the lab's report asks for nothing and fits, light and dark${suffix}`, {
  ignore: browserName === undefined,
}, async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice-report-" });
  try {
    const report = sampleReport();
    const pages = [
      report,
      // Texts that nobody thought of when the page was laid out.
      withTexts(report, (text) => text + "long".repeat(100)),
      withTexts(report, (text) => `${text} and many more words`.repeat(20)),
    ];
    const paths = pages.map((_, i) => `${folder}/report${i}.html`);
    for (const [i, page] of pages.entries()) {
      await Deno.writeTextFile(paths[i]!, await renderReport(page));
    }
    const script = new URL("../helpers/browser_report_main.ts", import.meta.url).href;
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        "--no-check",
        script,
        await pathOf(browserName!),
        ...paths.map((path) => pathToFileURL(path).href),
      ],
    });
    const { code, stderr } = await command.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
