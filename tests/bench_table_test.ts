/**
 * What is made of the figures of benchmarks.
 */

import assert from "node:assert/strict";
import { formatNs, formatRatio, median, readRuns } from "../scripts/bench_runs.ts";
import { benchMarkdown } from "../scripts/bench_table.ts";

/** What `deno bench --json` writes of one file, as far as it is read; times in ns. */
function outputOf(group: string, averages: Record<string, number>): string {
  const benches = Object.entries(averages).map(([name, avg], index) => ({
    origin: "file:///somewhere/bench/some_bench.ts",
    group,
    name,
    baseline: index === 0,
    results: [{ ok: { n: 10, min: avg / 2, max: avg * 9, avg, p75: avg * 2, p99: avg * 3 } }],
  }));
  return JSON.stringify({ version: 1, runtime: "Deno/1.2.3", cpu: "ACME", benches });
}

const FACTS = [["machine", "ACME"]] as const;

Deno.test("bench:table: a bench is divided by the baseline of its group", () => {
  const runs = readRuns([outputOf("race", { hare: 1000, tortoise: 2500, light: 3 })]);
  assert.equal(
    benchMarkdown(runs, FACTS).split("## some_bench.ts")[1],
    `

### race

| benchmark |    time |     p75 |     p99 | against the baseline |
| --------- | ------: | ------: | ------: | -------------------: |
| **hare**  | 1.00 µs | 2.00 µs | 3.00 µs |                1.00× |
| tortoise  | 2.50 µs | 5.00 µs | 7.50 µs |                2.50× |
| light     | 3.00 ns | 6.00 ns | 9.00 ns |              0.0030× |
`,
  );
});

Deno.test("bench:table: of several runs there are medians, and how far apart the runs are", () => {
  const runs = readRuns([
    outputOf("race", { hare: 100, tortoise: 300 }),
    outputOf("race", { hare: 900, tortoise: 200 }),
    outputOf("race", { hare: 200, tortoise: 250 }),
  ]);
  const markdown = benchMarkdown(runs, FACTS);
  assert.match(markdown, /\*\*hare\*\* +\| +200 ns .*\| +1\.00× \| +100 ns to 900 ns \|/);
  assert.match(markdown, /tortoise +\| +250 ns .*\| +1\.25× \| +200 ns to 300 ns \|/);
});

Deno.test("bench:table: a bar in a name does not end its column", () => {
  const markdown = benchMarkdown(readRuns([outputOf("a | b", { "c | d": 1 })]), FACTS);
  assert.match(markdown, /^\| \*\*c \\\| d\*\* +\|/m);
});

Deno.test("bench:table: a bench that failed has no figures, and that is said", () => {
  const output = JSON.parse(outputOf("race", { hare: 1 }));
  output.benches[0].results = [{ failed: { message: "fell asleep" } }];
  assert.throws(() => readRuns([JSON.stringify(output)]), /"hare" of some_bench\.ts failed/);
});

Deno.test("bench:table: times have three digits and a unit", () => {
  const texts = [0.5, 9.994, 99.94, 999.4, 999.9, 1e6, 123_456_789, 61e9].map(formatNs);
  assert.deepEqual(texts, [
    "0.50 ns",
    "9.99 ns",
    "99.9 ns",
    "999 ns",
    "1.00 µs",
    "1.00 ms",
    "123 ms",
    "61.0 s",
  ]);
  assert.deepEqual([0.003, 0.61, 8.224, 62.38, 1234.5].map(formatRatio), [
    "0.0030×",
    "0.61×",
    "8.22×",
    "62.4×",
    "1,235×",
  ]);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});
