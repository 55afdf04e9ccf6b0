/**
 * What `deno bench --json` writes, and how to say it.
 *
 * @module
 */

/** What one benchmark came to in one run. Unit: nanoseconds. */
export interface BenchTimes {
  readonly avg: number;
  readonly min: number;
  readonly p75: number;
  readonly p99: number;
}

/** One benchmark, with its times in each run that had it. */
export interface BenchRow {
  /** Name of its file, e.g. `router_bench.ts`. */
  readonly file: string;
  readonly group: string;
  readonly name: string;
  readonly isBaseline: boolean;
  readonly runs: readonly BenchTimes[];
}

/** Several runs of the same benchmarks. */
export interface BenchRuns {
  /** E.g. `Deno/2.9.6 x86_64-unknown-linux-gnu`. */
  readonly runtime: string;
  /** E.g. `AMD EPYC`. */
  readonly cpu: string;
  /** In the order in which they ran. */
  readonly rows: readonly BenchRow[];
}

interface BenchOutput {
  runtime: string;
  cpu: string;
  benches: {
    origin: string;
    group: string | null;
    name: string;
    baseline: boolean;
    results: { ok?: BenchTimes; failed?: unknown }[];
  }[];
}

/**
 * Puts runs together.
 *
 * @param texts what `deno bench --json` wrote, one text for each run
 * @throws Error when a benchmark failed, or when a text is none of these
 */
export function readRuns(texts: readonly string[]): BenchRuns {
  const rows = new Map<string, BenchRow & { runs: BenchTimes[] }>();
  let runtime = "";
  let cpu = "";
  for (const text of texts) {
    const output: BenchOutput = JSON.parse(text);
    runtime = output.runtime;
    cpu = output.cpu;
    for (const { origin, group, name, baseline, results } of output.benches) {
      const file = origin.slice(origin.lastIndexOf("/") + 1);
      const key = JSON.stringify([file, group, name]);
      const times = results[0]?.ok;
      if (times === undefined) throw new Error(`Cannot use the runs: "${name}" of ${file} failed`);
      const row = rows.get(key) ??
        { file, group: group ?? "", name, isBaseline: baseline, runs: [] };
      row.runs.push(times);
      rows.set(key, row);
    }
  }
  return { runtime, cpu, rows: [...rows.values()] };
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Three digits and a unit: `8.12 ns`, `432 µs`, `17.4 ms`. */
export function formatNs(ns: number): string {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]] as const) {
    if (ns >= size * 0.9995) return `${digits(ns / size)} ${unit}`;
  }
  return `${digits(ns)} ns`;
}

/** Three digits and a sign, two below a tenth: `8.22×`, `0.61×`, `0.0030×`. */
export function formatRatio(ratio: number): string {
  return `${ratio < 0.0995 ? ratio.toPrecision(2) : digits(ratio)}×`;
}

function digits(value: number): string {
  if (value >= 99.95) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 9.995 ? 1 : 2);
}
