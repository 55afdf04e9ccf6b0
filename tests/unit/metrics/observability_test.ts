/** What the documents say of metrics is what `/metrics` answers. */

import assert from "node:assert/strict";
import { metricFamilies, type MetricFamily, metricsTable } from "../../../docs/generate_metrics.ts";

const DOCS = new URL("../../../docs/", import.meta.url);

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const families = new Map(metricFamilies().map((family) => [family.name, family]));

/** The families that an expression asks for. */
function familiesIn(expression: string): MetricFamily[] {
  return [...expression.matchAll(/\b(?:sluice|process)_[a-z_]+\b/g)].map(([name]) => {
    const plain = families.get(name);
    const family = plain ?? families.get(name.replace(/_(bucket|sum|count)$/, ""));
    assert.ok(family !== undefined, `${name} exists: ${expression}`);
    if (plain === undefined) assert.equal(family.type, "histogram", name);
    return family;
  });
}

/** What Prometheus itself would not take, or would find nothing for. */
function checkExpression(expression: string): void {
  const used = familiesIn(expression);
  assert.ok(used.length > 0, expression);
  for (const [open, close] of ["()", "[]", "{}"]) {
    assert.equal(expression.split(open!).length, expression.split(close!).length, expression);
  }
  for (const { name, type } of used) {
    if (type === "gauge") {
      assert.doesNotMatch(expression, new RegExp(`(rate|increase)\\(${name}`), expression);
    } else assert.match(expression, new RegExp(`(rate|increase)\\(${name}`), expression);
  }
  const labels = new Set(used.flatMap((family) => [...family.labels.keys()]));
  for (const [, list] of expression.matchAll(/\bby \(([^)]*)\)/g)) {
    for (const label of list!.split(", ")) {
      assert.ok(label === "le" || labels.has(label), `${label} is a label: ${expression}`);
    }
  }
  for (const [, label, value] of expression.matchAll(/([a-z_]+)="([^"]*)"/g)) {
    const values = used.map((family) => family.labels.get(label!));
    assert.ok(values.some((known) => known?.has(value!)), `${label} may be ${value}`);
  }
}

Deno.test("docs/observability.md: lists exactly the metrics that there are", async () => {
  const page = await Deno.readTextFile(new URL("observability.md", DOCS));
  const rows = (text: string): string[] =>
    text.split("\n").filter((line) => /^\| `(sluice|process)_[a-z_]+` /.test(line))
      .filter((line) => line.split("|").length === 6)
      .map((line) => line.split("|").map((cell) => cell.trim()).join("|"));
  assert.ok(families.size > 60, `${families.size} families`);
  assert.deepEqual(rows(page), rows(metricsTable()), "run `deno task docs:metrics`");
});

Deno.test("docs/observability.md: what to be told of can be asked for", async () => {
  const page = await Deno.readTextFile(new URL("observability.md", DOCS));
  const expressions = [...page.matchAll(/^\| `([^`]*[\[/][^`]*)` +\|/gm)].map(([, text]) => text!);
  assert.ok(expressions.length >= 6);
  for (const expression of expressions) checkExpression(expression);
});

Deno.test("docs/grafana-dashboard.json: asks for what there is, and its panels do not overlap", async () => {
  const text = await Deno.readTextFile(new URL("grafana-dashboard.json", DOCS));
  const { panels }: { panels: Panel[] } = JSON.parse(text);
  const taken = new Set<string>();
  for (const { title, type, gridPos: { x, y, w, h }, targets = [] } of panels) {
    assert.ok(x + w <= 24, title);
    for (let row = y; row < y + h; row++) {
      for (let column = x; column < x + w; column++) {
        const cell = `${column} ${row}`;
        assert.ok(!taken.has(cell), `${title} overlaps`);
        taken.add(cell);
      }
    }
    assert.equal(targets.length > 0, type !== "row", title);
    for (const { expr, legendFormat } of targets) {
      checkExpression(expr);
      for (const [, label] of legendFormat.matchAll(/\{\{([a-z]+)\}\}/g)) {
        const isKept = new RegExp(`by \\([^)]*\\b${label}\\b`).test(expr) || !expr.includes("sum");
        assert.ok(isKept, `${title}: ${label} is not summed away`);
      }
    }
  }
  assert.ok(panels.length > 20, `${panels.length} panels`);
});
