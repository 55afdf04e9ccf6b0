import assert from "node:assert/strict";
import { LAB_REPORT_VERSION, type LabReport, type StageReport } from "../../../../src/lab/model.ts";
import { colourProperties } from "../../../../src/lab/report/palette.ts";
import { type ReportPlot, reportPlots, standaloneSvg } from "../../../../src/lab/report/plots.ts";
import {
  groupsOfOneSize,
  roundTicks,
  shortName,
  thinned,
} from "../../../../src/lab/report/series.ts";
import { writePlots } from "../../../../scripts/lab_plots.ts";
import { sampleReport, withTexts } from "../../../helpers/lab_sample_report.ts";

const sample = sampleReport();
const plots = await reportPlots(sample);

/** With plain spaces, to be read. */
const plain = (text: string): string => text.replaceAll("\u00a0", " ");

function plotOf(all: readonly ReportPlot[], id: string): ReportPlot {
  const plot = all.find((candidate) => candidate.id === id);
  assert.ok(plot, `there is ${id} among ${all.map((candidate) => candidate.id)}`);
  return plot;
}

/** The sample with one stage changed. */
function withStage(stage: number, change: (stage: StageReport) => StageReport): LabReport {
  return {
    ...sample,
    stages: sample.stages.map((old) => old.stage === stage ? change(old) : old),
  };
}

function texts(body: string): string[] {
  return [...body.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1]!);
}

Deno.test("plots: axes say what they show and in which unit", () => {
  const labels: Record<string, RegExp[]> = {
    "jobs-a-second": [/jobs settled a second \(1\/s\)/],
    "answers-5-6": [/time since the first request \(ms\)/, /answers \(count\)/],
    "queue-depth-5-6": [/time since the first request \(s\)/, /waiting \(jobs\)/],
    "wait-hold-7-8": [/time in all \(s\)/, /worker \(number\)/],
    "contention-by-shard-7-8": [/time since the first request \(s\)/, /shard \(number\)/],
    "counters-9": [/threads that increment \(count\)/, /time per increment \(ns\)/],
    "events-10": [/time since “SIGTERM” \(s\)/],
    "sweep": [/workers \(threads\)/, /operations a second \(1\/s\)/],
  };
  for (const [id, patterns] of Object.entries(labels)) {
    for (const { body } of [plotOf(plots, id).wide, plotOf(plots, id).narrow]) {
      for (const pattern of patterns) {
        assert.ok(texts(body).some((text) => pattern.test(text)), `${id} has ${pattern}`);
      }
    }
  }
});

Deno.test("plots: colours are those that the page declares, and no others", () => {
  const declared = new Set(colourProperties("light").match(/--\w+/g));
  for (const { id, wide } of plots) {
    for (const [name] of wide.body.matchAll(/--\w+/g)) assert.ok(declared.has(name), name);
    for (const [, paint] of wide.body.matchAll(/(?:fill|stroke)="([^"]*)"/g)) {
      assert.match(paint!, /^(none|currentColor|var\(--\w+\))$/, id);
    }
  }
  const heat = plotOf(plots, "contention-by-shard-7-8").wide.body;
  assert.match(heat, /<path fill="var\(--heat5\)"/);
  assert.match(heat, /<path fill="var\(--heat2\)"/);
});

Deno.test("plots: titles follow from the numbers", async () => {
  assert.equal(
    plain(plotOf(plots, "answers-7-8").title),
    "Turned away: 95.7 % of the requests of stage 7, 51.4 % of stage 8 and 94.8 % of stage 7 " +
      "with 64 shards",
  );
  const nobody = await reportPlots(withStage(5, (stage) => ({
    ...stage,
    series: {
      load: [{
        name: "5",
        points: [{ atMs: 100, sent: 200, accepted: 200, refused: 0, errors: 0 }],
      }],
    },
  })));
  assert.equal(plotOf(nobody, "answers-5-6").title, "Nobody is turned away in stage 5 and stage 6");

  const workers = Array.from(
    { length: 16 },
    (_, worker) => ({ worker, waitMs: 10, holdMs: 1_000, acquisitions: 100 }),
  );
  const relaxed = await reportPlots(withStage(7, (stage) => ({
    ...stage,
    series: { workers: [{ name: "7", points: workers }] },
  })));
  assert.match(plain(plotOf(relaxed, "wait-hold-7-8").title), /: 0.01 × in stage 7, /);

  const counters = [
    { kind: "one lock", threads: 2, nsPerIncrement: 5 },
    { kind: "one shared atomic", threads: 2, nsPerIncrement: 20 },
  ];
  const surprising = await reportPlots(
    withStage(9, (stage) => ({ ...stage, series: { counters } })),
  );
  assert.equal(
    plain(plotOf(surprising, "counters-9").title),
    "With 2 threads, an increment takes 4 × as long with “one shared atomic” as with “one lock”",
  );
});

Deno.test("plots: one worker is not shown beside sixteen, but alone", async () => {
  const workers = [{ worker: 0, waitMs: 0, holdMs: 10, acquisitions: 100 }];
  const report = withStage(5, (stage) => ({
    ...stage,
    series: { workers: [{ name: "5", points: workers }] },
  }));
  plotOf(await reportPlots(report), "wait-hold-7-8");
  const only = { ...report, stages: report.stages.filter(({ stage }) => stage === 5) };
  plotOf(await reportPlots(only), "wait-hold-5");
});

Deno.test("plots: errors are not passed over when nobody is turned away", async () => {
  const points = [{ atMs: 100, sent: 100, accepted: 47, refused: 0, errors: 53 }];
  const report = withStage(10, (stage) => ({
    ...stage,
    series: { load: [{ name: "10", points }] },
  }));
  assert.equal(
    plain(plotOf(await reportPlots(report), "answers-10").title),
    "Nobody is turned away in stage 10, but 53 requests end in errors",
  );
});

Deno.test("plots: a channel that never was full is not called full", async () => {
  const points = [0, 40, 99, 60, 0, 0].map((depth, i) => ({
    atMs: i * 100,
    depth,
    capacity: 100,
    settled: 0,
  }));
  const { stages } = withStage(6, (stage) => ({
    ...stage,
    series: { server: [{ name: "6", points }] },
  }));
  const only = { ...sample, stages: stages.filter(({ stage }) => stage === 6) };
  const plot = plotOf(await reportPlots(only), "queue-depth-6");
  assert.equal(plot.title, "The channel holds at most 99 of 100 jobs in stage 6");
  assert.match(plain(plot.alternative), /at most 99 of 100 wait, empty at 400 ms/);
});

Deno.test("plots: the heat map shows waiting threads, and the stretch before each sample", async () => {
  const points = [
    { atMs: 100, shard: 0, acquisitions: 1, contended: 1, waitMs: 600 },
    { atMs: 100, shard: 1, acquisitions: 1, contended: 0, waitMs: 0 },
    { atMs: 300, shard: 0, acquisitions: 1, contended: 0, waitMs: 0 },
    { atMs: 300, shard: 1, acquisitions: 1, contended: 1, waitMs: 100 },
  ];
  const report = withStage(7, (stage) => ({
    ...stage,
    series: { shards: [{ name: "7", points }] },
  }));
  const only = { ...report, stages: report.stages.filter(({ stage }) => stage === 7) };
  const plot = plotOf(await reportPlots(only), "contention-by-shard-7");
  // 600 ms of waiting in 300 ms are two threads; 6 in its own stretch.
  assert.match(plot.title, /: 2 in stage 7$/);
  assert.match(plot.alternative, /2 threads wait on average, 6 at the worst time/);
  const cell =
    /<path fill="var\(--heat(\d)\)"[^>]* d="M([\d.]+),[\d.]+h([\d.]+)v[\d.]+h-[\d.]+z">/g;
  const cells = [...plot.wide.body.matchAll(cell)].map((match) => match.slice(1).map(Number));
  assert.deepEqual(cells.map(([step]) => step), [3, 5]);
  const [late, early] = cells;
  assert.ok(Math.abs(late![2]! - 2 * early![2]!) < 0.3, "200 ms are twice as wide as 100 ms");
  assert.ok(
    Math.abs(late![1]! - (early![1]! + early![2]!)) < 0.3,
    "one begins where the other ends",
  );
});

Deno.test("plots: letters stand out from the paper in light and in dark", () => {
  for (const mode of ["light", "dark"] as const) {
    const colours = new Map(
      colourProperties(mode).split(";").map((text) => text.slice(2).split(":") as [string, string]),
    );
    const paper = colours.get("paper")!;
    for (const [name, value] of colours) {
      if (name === "paper" || name.startsWith("heat")) continue;
      const ratio = contrast(value, paper);
      assert.ok(ratio >= 4.5, `${name} in ${mode}: ${ratio.toFixed(2)} to 1`);
    }
    // Steps of heat only have to differ from each other, in one direction.
    const steps = [0, 1, 2, 3, 4, 5].map((step) => luminance(colours.get(`heat${step}`)!));
    const signs = steps.slice(1).map((value, i) => Math.sign(value - steps[i]!));
    assert.equal(new Set(signs).size, 1, `${mode}: ${steps}`);
  }
});

function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

/** As WCAG counts it. */
function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (high! + 0.05) / (low! + 0.05);
}

Deno.test("standaloneSvg: is a file of its own that follows light and dark", () => {
  for (const plot of plots) {
    const svg = standaloneSvg(plot);
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" role="img"/);
    assert.equal(svg.match(/https?:/g)!.length, 1, "the name of the format is the only address");
    assert.doesNotMatch(svg, /var\(|NaN|undefined|<script|\son\w+=|\sstyle="/);
    assert.match(svg, /<title id="title">[^<]+<\/title>\n<desc id="description">[^<]+<\/desc>/);
    const dark = /@media \(prefers-color-scheme:dark\)\{(.*)\}<\/style>/.exec(svg)![1]!;
    for (const [, paint] of svg.matchAll(/(?:fill|stroke)="(#[^"]*)"/g)) {
      assert.ok(dark.includes(`[fill="${paint}"]`), `${plot.id}: ${paint} has a dark twin`);
    }
    // Well-formed: each element is closed, in order.
    const open: string[] = [];
    for (const [, end, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (end === "/") assert.equal(open.pop(), name, plot.id);
      else if (self !== "/") open.push(name!);
    }
    assert.deepEqual(open, []);
  }
});

Deno.test("standaloneSvg: hostile texts stay texts", async () => {
  const attack = `</title></text><script href='x'>alert(1)</script>"><a xlink:href="x"/>\u0000`;
  const names = new Set<string>();
  for (const plot of await reportPlots(withTexts(sample, (text) => text + attack))) {
    const svg = standaloneSvg(plot);
    for (const [, name] of svg.matchAll(/<\/?([^\s>/]+)/g)) names.add(name!);
    assert.ok(!svg.includes("\u0000"), plot.id);
  }
  assert.deepEqual(
    [...names].toSorted(),
    "circle desc g line path rect style svg text title".split(" ").filter((name) =>
      names.has(name)
    ),
  );
});

Deno.test("docs:plots: writes a file per plot, and refuses what is no report", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice-plots-" });
  try {
    await Deno.writeTextFile(`${folder}/report.json`, JSON.stringify(sample));
    const names = await writePlots(`${folder}/report.json`, `${folder}/a/b/`);
    assert.deepEqual(names, plots.map(({ id }) => `${id}.svg`));
    for (const name of names) {
      const text = await Deno.readTextFile(`${folder}/a/b/${name}`);
      assert.equal(text, standaloneSvg(plotOf(plots, name.replace(".svg", ""))));
    }
    for (const text of ["null", "[]", `{"version":${LAB_REPORT_VERSION + 1},"stages":[]}`]) {
      await Deno.writeTextFile(`${folder}/other.json`, text);
      await assert.rejects(
        writePlots(`${folder}/other.json`, `${folder}/c`),
        /Cannot draw .*other\.json: it is no report of version 1/,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("series: names of rows read as names of stages", () => {
  const cases: [string, string][] = [
    ["7", "stage 7"],
    ["4, 1 client", "stage 4, 1 client"],
    ["8, stage 7 with 64 shards", "stage 7 with 64 shards"],
    ["anything else", "anything else"],
  ];
  for (const [name, text] of cases) assert.equal(shortName(name), text);
});

Deno.test("series: what is of one size shares a scale, in the order of stages", () => {
  assert.deepEqual(groupsOfOneSize([200, 100, 5000, 5000, 100], Number, 4), [
    [200, 100],
    [5000, 5000],
    [100],
  ]);
  const points = Array.from({ length: 1000 }, (_, i) => i);
  assert.ok(thinned(points).length <= 250);
  assert.equal(thinned(points)[0], 0);
  assert.equal(thinned(points).at(-1), 999);
  assert.deepEqual(thinned([1, 2]), [1, 2]);
  assert.deepEqual(roundTicks(0.7, 60), [1, 2, 5, 10, 20, 50]);
});

Deno.test("libraries: what draws is loaded by the report alone", async () => {
  const users: string[] = [];
  const walk = async (folder: URL): Promise<void> => {
    for await (const entry of Deno.readDir(folder)) {
      const path = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
      if (entry.isDirectory) await walk(path);
      else if (/["'](@observablehq\/plot|linkedom)["']/.test(await Deno.readTextFile(path))) {
        users.push(path.href.replace(/^.*\/src\//, ""));
      }
    }
  };
  await walk(new URL("../../../../src/", import.meta.url));
  assert.deepEqual(users, ["lab/report/drawing.ts"]);
  const code = await Deno.readTextFile(
    new URL("../../../../src/lab/report/drawing.ts", import.meta.url),
  );
  assert.doesNotMatch(code, /^import (?!type\b).*(plot|linkedom)"/m, "types alone are imported");
});
