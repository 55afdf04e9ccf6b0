/**
 * What more threads give: to the store, to the channel, to the server.
 *
 *     deno task bench:scale --help
 *
 * @module
 */

import { Progress, standardErrorOutput } from "../../src/lab/terminal/progress.ts";
import { atLeast, type Check, inDigits } from "./lib/checks.ts";
import { Children, isInstalled } from "./lib/children.ts";
import { loadText, machineFacts } from "./lib/machine.ts";
import { countOf, countsOf, readOptions, textOf } from "./lib/options.ts";
import { parseRedisBenchmark, redisBenchmarkWords } from "./lib/redis_benchmark.ts";
import { commandLine, publish, type ReportTable } from "./lib/report.ts";
import { RespFiller } from "./lib/resp_filler.ts";
import { KEY_COUNT } from "./lib/resp_commands.ts";
import { type Deed, measureThreads, threadCounts } from "./lib/scale_parts.ts";
import { startSluice } from "./lib/servers.ts";
import { alternate, median, ratiosOf, type Spread, spreadOf } from "./lib/statistics.ts";

const HELP = `What more threads give to the store, the channel and the server.

Usage: deno task bench:scale [options]

  --threads COUNTS  (default: 1, 2, 4, … up to the processors)
  --runs COUNT      runs of each, in turn (default: 5)
  --ms COUNT        length of a run (default: 1000)
  --quick           3 runs of 300 ms
  --parts-only      without the server
  --binary PATH     an executable instead of the sources, for the server
  --json FILE       write all figures
  --markdown FILE   write the report
  --help            show this

Exit code 1 when two threads on 64 shards do not reach 0.9 of the speed-up that two spinning threads
reach in the same run.`;

/** What threads do, by its name in tables. */
const DEEDS: readonly (readonly [string, Deed])[] = [
  ["spin", "spin"],
  ["store, 64 shards", { shards: 64 }],
  ["store, 1 shard", { shards: 1 }],
  ["channel", "channel"],
];

const EFFICIENCY_LIMIT = 0.9;

const options = readOptions(HELP);
const isQuick = options["quick"] === true;
const runCount = countOf(options, "runs", isQuick ? 3 : 5);
const durationMs = countOf(options, "ms", isQuick ? 300 : 1000);
const binary = textOf(options, "binary");
const processorCount = navigator.hardwareConcurrency;
const asked = countsOf(options, "threads", threadCounts(processorCount));
const counts = [...new Set([1, ...asked])].toSorted((a, b) => a - b);
const remarks: string[] = [];

/** Rates by what was done and number of threads, in the order of runs. Unit: per second. */
type Rates = Map<string, number[]>;

const nameOf = (deed: string, threads: number): string => `${deed}, ${threads}`;

await using children = new Children();

async function measureParts(progress: Progress): Promise<Rates> {
  const rates: Rates = new Map();
  const points = counts.flatMap((threads) =>
    DEEDS.map(([name, deed]) => ({ name, deed, threads }))
  );
  const turns = alternate(points, runCount).flat();
  for (const [done, { name, deed, threads }] of turns.entries()) {
    progress.show(done / turns.length, `${name}, ${threads} threads`);
    const rate = await measureThreads(deed, threads, durationMs);
    const key = nameOf(name, threads);
    rates.set(key, [...rates.get(key) ?? [], rate]);
  }
  return rates;
}

/** By how much `threads` are faster than one, run by run. */
function speedUp(rates: Rates, deed: string, threads: number): number[] {
  const one = rates.get(nameOf(deed, 1))!;
  return rates.get(nameOf(deed, threads))!.map((rate, i) => rate / one[i]!);
}

/** The share of the speed-up that the machine has for threads that only count. */
function efficiency(rates: Rates, deed: string, threads: number): Spread {
  return ratiosOf(speedUp(rates, deed, threads), speedUp(rates, "spin", threads));
}

/** Nothing was done in a run that was too short for a busy machine: there is no ratio then. */
function ratioText(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "-";
}

function partsTable(rates: Rates): ReportTable {
  const rows = DEEDS.flatMap(([deed]) =>
    counts.map((threads) => {
      const { median: rate, min, max } = spreadOf(rates.get(nameOf(deed, threads))!);
      return [
        ...[deed, String(threads)],
        ...[rate, min, max].map((value) => inDigits(value / 1e6)),
        ratioText(median(speedUp(rates, deed, threads))),
        deed === "spin" ? "" : ratioText(efficiency(rates, deed, threads).median),
      ];
    })
  );
  return {
    title: "Threads on shared memory",
    note: "Million operations a second. The store is read and written in turn, 100,000 keys. A " +
      "channel with one thread is sent to and taken from in turn; with more, every second thread " +
      "sends and the others take. Efficiency is the speed-up over that of threads that only count.",
    head: ["what", "threads", "M/s", "min", "max", "speed-up", "efficiency"],
    rows,
  };
}

/** A server and what it is asked. */
interface ServerPoint {
  readonly name: string;
  /** Threads or workers. */
  readonly count: number;
  readonly flags: readonly string[];
  readonly pipeline: number;
  readonly words: readonly string[];
  readonly requestCount: number;
}

function serverPoints(): ServerPoint[] {
  const scale = isQuick ? 0.1 : 1;
  const ofThreads = counts.map((count): ServerPoint => ({
    name: "GET by --io-threads, pipeline 16",
    count,
    flags: ["--io-threads", String(count)],
    pipeline: 16,
    words: ["GET", "key:__rand_int__"],
    requestCount: 3_000_000 * scale,
  }));
  const ofWorkers = [0, 1].flatMap((workMs) =>
    counts.map((count): ServerPoint => ({
      name: `EVENT … WAIT by --workers, --work-ms ${workMs}`,
      count,
      flags: ["--workers", String(count), "--work-ms", String(workMs)],
      pipeline: 1,
      words: ["EVENT", "user__rand_int__", "buy", "1", "WAIT", "60000"],
      requestCount: (workMs === 0 ? 200_000 : 5_000) * scale,
    }))
  );
  return [...ofThreads, ...ofWorkers];
}

/** A server of its own for each point, so that none has another one's past. */
async function measureServer(point: ServerPoint): Promise<number> {
  const server = await startSluice(children, { binary, flags: point.flags });
  {
    using filler = await RespFiller.connect(server.respPort);
    await filler.send(KEY_COUNT, (i) => ["SET", `key:${String(i).padStart(12, "0")}`, "x"]);
  }
  const run = async (requestCount: number): Promise<number> => {
    const { text } = await children.run(redisBenchmarkWords({
      port: server.respPort,
      requestCount,
      clientCount: 50,
      pipeline: point.pipeline,
      keyCount: KEY_COUNT,
      words: point.words,
    }));
    return parseRedisBenchmark(text).perSecond;
  };
  await run(Math.ceil(point.requestCount / 4));
  const rate = await run(point.requestCount);
  await server.stop();
  return rate;
}

async function measureServers(progress: Progress): Promise<Rates> {
  const rates: Rates = new Map();
  const turns = alternate(serverPoints(), runCount).flat();
  for (const [done, point] of turns.entries()) {
    progress.show(done / turns.length, `${point.name}: ${point.count}`);
    const key = nameOf(point.name, point.count);
    rates.set(key, [...rates.get(key) ?? [], await measureServer(point)]);
  }
  return rates;
}

function serverTable(rates: Rates): ReportTable {
  const rows = serverPoints().map(({ name, count }) => {
    const { median: rate, min, max } = spreadOf(rates.get(nameOf(name, count))!);
    return [
      ...[name, String(count)],
      ...[rate, min, max].map((value) => inDigits(value / 1000)),
      median(speedUp(rates, name, count)).toFixed(2),
    ];
  });
  return {
    title: "The server",
    note: "Thousand commands a second of 50 connections. The client runs on the same processors: " +
      `with ${processorCount} of them the server cannot have them all.`,
    head: ["what", "count", "k/s", "min", "max", "speed-up"],
    rows,
  };
}

function partChecks(rates: Rates): Check[] {
  if (!counts.includes(2) || processorCount < 2) {
    remarks.push("no check: it needs two threads on two processors");
    return [];
  }
  const { median: seen } = efficiency(rates, "store, 64 shards", 2);
  return [
    atLeast("store, 64 shards, 2 threads", EFFICIENCY_LIMIT, seen, "× the speed-up of spinning"),
  ];
}

async function measureAll(): Promise<{ parts: Rates; servers: Rates | undefined }> {
  using progress = new Progress("bench:scale", standardErrorOutput());
  const parts = await measureParts(progress);
  if (options["parts-only"] === true) return { parts, servers: undefined };
  if (await isInstalled("redis-benchmark")) {
    return { parts, servers: await measureServers(progress) };
  }
  remarks.push("the server was not measured: redis-benchmark is not installed (redis-tools)");
  return { parts, servers: undefined };
}

const loadBefore = loadText();
const { parts, servers } = await measureAll();
const code = await publish(
  {
    title: "Throughput by threads",
    command: commandLine("bench:scale"),
    facts: [
      ...await machineFacts(),
      ["load average", `${loadBefore} before, ${loadText()} after`],
      ["a run", `${durationMs} ms, ${runCount} runs each in turn`],
    ],
    tables: [partsTable(parts), ...servers === undefined ? [] : [serverTable(servers)]],
    checks: partChecks(parts),
    remarks,
  },
  { json: textOf(options, "json"), markdown: textOf(options, "markdown") },
  { parts: Object.fromEntries(parts), servers: Object.fromEntries(servers ?? []) },
);
await children[Symbol.asyncDispose]();
Deno.exit(code);
