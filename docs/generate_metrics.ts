/**
 * Writes the list of metrics in `docs/observability.md`, from what `/metrics` answers:
 * `deno task docs:metrics`.
 */

import type { ServerGauges } from "../src/metrics/gauges.ts";
import { PrometheusExposition } from "../src/metrics/prometheus.ts";
import { MetricsRegion } from "../src/metrics/region.ts";

const PAGE = new URL("observability.md", import.meta.url);
const BEGIN = "<!-- list of metrics, written by deno task docs:metrics -->\n";
const END = "<!-- end of the list -->\n";

/** One family of `/metrics`. */
export interface MetricFamily {
  /** Its name. */
  readonly name: string;
  /** `counter`, `gauge` or `histogram`. */
  readonly type: string;
  /** What it counts. */
  readonly help: string;
  /** Its labels with the values that they have here, `le` left out. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What a server with one shard, a log and everything measured answers. */
function exposition(): string {
  const gauges: ServerGauges = {
    uptimeSeconds: 0,
    residentBytes: 0,
    channel: { depth: 0, capacity: 0, highWaterMark: 0 },
    store: {
      ...{ maxMemoryBytes: 0, usedBytes: 0, pagesTotal: 0, pagesFree: 0, leases: 0 },
      ...{ orphanBytes: 0, timedKeyCount: 0, expiredKeys: 0, evictedKeys: 0, blockBytes: 0 },
      ...{ peakBytes: 0, detachedKeys: 0, keyCount: 0 },
    },
    blockedClients: 0,
    eventIds: 0,
    ioThreads: 1,
    processor: { name: "points", counters: [] },
    workers: { running: 0, min: 0, max: 0 },
    isLockTimed: true,
    locks: [{ exclusive: 0, shared: 0, contended: 0, waitSumUs: 0, holdSumUs: 0 }],
    log: {
      ...{ phase: "serving", position: 0, durablePosition: 0, waitingBytes: 0, writtenBytes: 0 },
      ...{ pieces: 0, records: 0, failures: 0, syncSumMs: 0, syncMaxMs: 0 },
      ...{ syncBoundsUs: [16], syncCounts: [0, 0], snapshots: 0, snapshotFailures: 0 },
      ...{ snapshotRuns: false, snapshotAtMs: 0, snapshotTookMs: 0, snapshotKeys: 0 },
      ...{ snapshotBytes: 0, recoveryTookMs: 0, recoveryApplied: 0, recoveryTornBytes: 0 },
      ...{ recoveryPending: 0 },
    },
  };
  return new PrometheusExposition(MetricsRegion.create(1), true).render(gauges);
}

/** All families, in the order of their names. */
export function metricFamilies(text: string = exposition()): MetricFamily[] {
  const families = new Map<string, MetricFamily>();
  const helps = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") helps.set(name!, rest!);
    if (kind === "TYPE") {
      families.set(name!, { name: name!, type: rest!, help: helps.get(name!)!, labels: new Map() });
    }
    const [, series, list] = /^([a-z_]+)\{(.*)\} /.exec(line) ?? [];
    if (series === undefined) continue;
    const family = families.get(series) ??
      families.get(series.replace(/_(bucket|sum|count)$/, ""))!;
    const labels = family.labels as Map<string, Set<string>>;
    for (const [, label, value] of list!.matchAll(/([a-z_]+)="([^"]*)"/g)) {
      if (label === "le") continue;
      if (!labels.has(label!)) labels.set(label!, new Set());
      labels.get(label!)!.add(value!);
    }
  }
  return [...families.values()].toSorted((a, b) => a.name < b.name ? -1 : 1);
}

function row({ name, type, help, labels }: MetricFamily): string {
  const texts = [...labels].map(([label, values]) =>
    label === "shard" ? "`shard`" : `\`${label}\`: ${[...values].map((v) => `\`${v}\``).join(", ")}`
  );
  return `| \`${name}\` | ${type} | ${texts.join("; ")} | ${help} |`;
}

/** The list as Markdown. */
export function metricsTable(): string {
  return [
    "| series | type | labels | meaning |",
    "| --- | --- | --- | --- |",
    ...metricFamilies().map(row),
  ].join("\n");
}

if (import.meta.main) {
  const page = await Deno.readTextFile(PAGE);
  const [front, rest] = page.split(BEGIN);
  const [, back] = rest!.split(END);
  await Deno.writeTextFile(PAGE, `${front}${BEGIN}\n${metricsTable()}\n\n${END}${back}`);
}
