import assert from "node:assert/strict";
import type { LabReport, StageReport } from "../../../../src/lab/model.ts";
import { renderReport } from "../../../../src/lab/report/html.ts";
import { sampleReport, withTexts } from "../../../helpers/lab_sample_report.ts";

const FIGURES = [
  "jobs-a-second",
  "answers-5-6",
  "answers-7-8",
  "queue-depth-5-6",
  "queue-depth-7-8",
  "wait-hold-7-8",
  "contention-by-shard-7-8",
  "counters-9",
  "events-10",
  "sweep",
  "sweep-bare",
];

function figureIds(html: string): string[] {
  return [...html.matchAll(/<figure id="([^"]*)"/g)].map((match) => match[1]!);
}

function withStages(report: LabReport, change: (stage: StageReport) => StageReport): LabReport {
  return { ...report, stages: report.stages.map(change) };
}

/** Names of all elements. */
function tagNames(html: string): Set<string> {
  const body = html.replace(/<style>[\s\S]*?<\/style>/, "");
  return new Set([...body.matchAll(/<\/?([^\s>/]+)/g)].map((match) => match[1]!));
}

const sample = sampleReport();
const html = await renderReport(sample);

Deno.test("report: shows every figure once, in wide and in narrow", () => {
  assert.deepEqual(figureIds(html).toSorted(), FIGURES.toSorted());
  assert.equal(html.match(/<svg class="wide"/g)!.length, FIGURES.length);
  assert.equal(html.match(/<svg class="narrow"/g)!.length, FIGURES.length);
});

Deno.test("report: each drawing is an image with a text in its place", () => {
  for (const [svg] of html.matchAll(/<svg [^>]*>/g)) {
    assert.match(svg, / role="img" /);
    assert.match(svg, / aria-label="[^"]{40,}" /);
    assert.match(svg, / viewBox="0 0 \d+ \d+" width="\d+" height="\d+"/);
  }
});

Deno.test("report: a figure whose series is missing is left out, the others stay", async () => {
  const belongings: Record<string, RegExp> = {
    load: /^answers/,
    server: /^queue/,
    workers: /^wait/,
    shards: /^contention/,
    counters: /^counters/,
    events: /^events/,
  };
  for (const [part, ids] of Object.entries(belongings)) {
    const without = withStages(sample, (stage) => ({
      ...stage,
      series: Object.fromEntries(Object.entries(stage.series).filter(([name]) => name !== part)),
    }));
    const expected = FIGURES.filter((id) => !ids.test(id));
    assert.ok(expected.length < FIGURES.length, part);
    assert.deepEqual(figureIds(await renderReport(without)).toSorted(), expected.toSorted(), part);
  }
  const noSweep = await renderReport({ ...sample, sweep: null });
  assert.deepEqual(
    figureIds(noSweep).toSorted(),
    FIGURES.filter((id) => !id.startsWith("sweep")).toSorted(),
  );
});

Deno.test("report: stages that ran alone stand alone", async () => {
  const seven = await renderReport({ ...sampleReport(1, [7]), sweep: null });
  assert.deepEqual(figureIds(seven), [
    "answers-7",
    "queue-depth-7",
    "wait-hold-7",
    "contention-by-shard-7",
  ]);
  assert.doesNotMatch(seven, /stage 8|Stage 8|href="#stage-8"/);
  const first = await renderReport({ ...sampleReport(1, [1]), sweep: null });
  assert.deepEqual(figureIds(first), []);
  assert.match(first, /The one stage that ran shows/);
  const none = await renderReport({ ...sampleReport(1, []), sweep: null });
  assert.match(none, /No stage ran/);
});

Deno.test("report: an earlier stage points to where its figures stand, and its link leads there", () => {
  const section = html.slice(html.indexOf('id="stage-7"'), html.indexOf('id="stage-8"'));
  assert.match(section, /Its plots stand beside those of <a href="#stage-8">/);
  for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) {
    assert.ok(html.includes(`id="${target}"`), target);
  }
});

Deno.test("report: hostile texts in every field stay texts", async () => {
  const attacks = [
    `</title></style></text></svg><script>alert(1)</script>`,
    `"><img src=x onerror=alert(1)>`,
    `' onload='alert(1)' x='`,
    `<a href="javascript:alert(1)">&lt;b&gt;</a><!-- ]]>`,
    `\u0000\u001b[31m\ud800 <iframe src="http://example.org/">`,
  ];
  // Checks that failed are shown in a place of their own.
  const failed = withStages(sample, (stage) => ({
    ...stage,
    checks: stage.checks.map((check) => ({ ...check, passed: false })),
  }));
  const allowed = tagNames(await renderReport(failed));
  for (const attack of attacks) {
    // Behind the number, so that names of rows and times are still read as such.
    for (const change of [(text: string) => attack + text, (text: string) => text + attack]) {
      const page = await renderReport(withTexts(failed, change));
      const foreign = [...tagNames(page)].filter((name) => !allowed.has(name));
      assert.deepEqual(foreign, [], attack);
      for (const [tag] of page.matchAll(/<[a-z][^<>]*>/g)) {
        const bare = tag.replace(/"[^"]*"/g, '""');
        assert.doesNotMatch(bare, /\son\w+=|'|\ssrc=/, attack);
        assert.doesNotMatch(tag, /\shref="(?!#)/, attack);
      }
    }
  }
});

Deno.test("report: fetches nothing and runs nothing", () => {
  assert.doesNotMatch(html, /https?:|\burl\(|@import|<script|<link|<img|<iframe|<object|\ssrc=/);
  assert.doesNotMatch(html, /\sstyle="|\son[a-z]+="/);
  assert.doesNotMatch(html, /href="(?!#)/);
});

Deno.test("report: its policy allows its own style sheet by hash and nothing else", async () => {
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)![1]!;
  const style = /<style>([\s\S]*?)<\/style>/.exec(html)![1]!;
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
  const hash = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  assert.deepEqual(policy.split("; "), [
    "default-src 'none'",
    `style-src 'sha256-${hash}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ]);
  assert.equal(html.match(/<style/g)!.length, 1);
});

Deno.test("report: holds no number that is none, whatever was measured", async () => {
  const numbers: ((value: number) => number)[] = [
    (value) => value,
    () => 0,
    (value) => value * 1e-9,
    (value) => value * 1e9,
    () => 1,
  ];
  const change = (value: unknown, map: (value: number) => number, key = ""): unknown => {
    if (typeof value === "number") {
      return /^(stage|version|shard|shards|worker)$/.test(key) ? value : map(value);
    }
    if (Array.isArray(value)) return value.map((item) => change(item, map));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, change(item, map, name)]),
    );
  };
  for (const [i, map] of numbers.entries()) {
    const page = await renderReport(change(sample, map) as LabReport);
    assert.doesNotMatch(page, /NaN|undefined|Infinity|>null|"null|\[object/, `change ${i}`);
    const exponent = /<[a-z]+ [^>]*\b(?:d|x|y|x1|x2|y1|y2|transform|width|height)="[^"]*\de[+-]?\d/;
    assert.doesNotMatch(page, exponent, `change ${i}`);
  }
});

Deno.test("report: numbers from a file that are none leave their points out", async () => {
  const broken = JSON.parse(JSON.stringify(sample)) as LabReport;
  const points: object[] = [...broken.sweep!.points];
  for (const { series } of broken.stages) {
    for (const part of Object.values(series)) {
      for (const entry of part as { points?: object[] }[]) {
        points.push(...entry.points ?? [entry]);
      }
    }
  }
  points.forEach((point, i) => {
    const keys = Object.keys(point).filter((key) => !["lock", "what", "kind"].includes(key));
    if (i % 3 === 0) Object.assign(point, { [keys[i % keys.length]!]: null });
  });
  const page = await renderReport(broken);
  assert.doesNotMatch(page, /NaN|undefined|Infinity|>null|"null/);
  assert.ok(figureIds(page).length >= 8);
});

Deno.test("report: a stage that failed is shown as such, first of all and at its place", async () => {
  assert.doesNotMatch(html, /✗|class="fail|class="failures"/);
  assert.match(html, /<b>All 10 stages show<\/b>/);
  const failing = withStages(sample, (stage) => ({
    ...stage,
    checks: stage.checks.map((check) =>
      stage.stage === 7 && check.what === "refused"
        ? { ...check, seen: "12 %", passed: false }
        : check
    ),
  }));
  const page = await renderReport(failing);
  assert.match(page, /<b class="fail">9 of 10.stages<\/b> show/);
  const failures = /<section class="failures">[\s\S]*?<\/section>/.exec(page)![0];
  assert.match(failures, /Stage 7<\/a>, refused: expected 94 to 98 %, seen 12 %/);
  assert.ok(page.indexOf(failures) < page.indexOf('class="strip"'));
  assert.equal(page.match(/<a href="#stage-\d+" class="failed">/g)?.length, 1);
  const section = page.slice(page.indexOf('id="stage-7"'), page.indexOf('id="stage-8"'));
  assert.match(section, /<h2>[^<]*<span class="fail">✗ not as expected<\/span><\/h2>/);
  assert.match(section, /aria-label="not as expected">✗<\/span> refused<\/th>/);
  assert.match(section, /<td><span class="fail">12 %, not as expected<\/span><\/td>/);
});

Deno.test("report: every table has a caption, and every head says of what it is one", () => {
  const tables = [...html.matchAll(/<table[^>]*>[\s\S]*?<\/table>/g)].map(([table]) => table);
  assert.ok(tables.length > 10);
  for (const table of tables) {
    assert.match(table, /^<table[^>]*><caption>[^<]+<\/caption>/);
    for (const [head] of table.matchAll(/<th[ >][^>]*>/g)) {
      assert.match(head, / scope="(col|row|colgroup)"/);
    }
    const widths = new Set(
      [...table.slice(table.indexOf("<tbody")).matchAll(/<tr>([\s\S]*?)<\/tr>/g)]
        .map(([, row]) => row!.match(/<t[hd]/g)!.length),
    );
    assert.equal(widths.size, 1, "rows have the same number of cells");
  }
});

Deno.test("report: the comparison has every row of every stage, and the machine is named", () => {
  const table = /<table class="comparison">[\s\S]*?<\/table>/.exec(html)![0];
  const names = sample.stages.flatMap(({ rows }) => rows.map(({ name }) => name));
  assert.equal(table.match(/<th scope="row">/g)!.length, names.length);
  for (const name of names) assert.ok(table.includes(`>${name}</a>`), name);
  assert.match(table, />4,787</);
  for (
    const text of ["A Processor With a Name 3.20GHz", "2.9.6", "14.9.207.2", "2026-03-14 09:26"]
  ) {
    assert.ok(html.includes(text), text);
  }
});

Deno.test("report: is small enough to be sent by mail", () => {
  assert.ok(html.length < 500_000, `${html.length} characters`);
});
