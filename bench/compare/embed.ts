/**
 * The library in a program, and what programs use today: `postMessage` to a thread with a `Map`, and
 * piscina.
 *
 *     deno task bench:embed --help
 *
 * @module
 */

import denoJson from "../../deno.json" with { type: "json" };
import { Progress, standardErrorOutput } from "../../src/lab/terminal/progress.ts";
import { findNode } from "../../scripts/find_node.ts";
import type { RunOrders, RunResult } from "./embed/contender.ts";
import { inDigits } from "./lib/checks.ts";
import { Children } from "./lib/children.ts";
import { type Fact, loadText, machineFacts } from "./lib/machine.ts";
import { countOf, readOptions, textOf } from "./lib/options.ts";
import { commandLine, publish, type ReportTable } from "./lib/report.ts";
import { alternate, median, ratiosOf, spreadOf } from "./lib/statistics.ts";

const HELP = `The library in a program, beside postMessage with a Map in one worker, and piscina.

Usage: deno task bench:embed [options]

  --threads COUNT   worker threads (default: the processors)
  --runs COUNT      runs of each, in turn (default: 5)
  --ms COUNT        length of a run (default: 1000)
  --quick           3 runs of 300 ms
  --deno-only       without Node.js
  --json FILE       write all figures
  --markdown FILE   write the report
  --help            show this`;

const NAMES = {
  sluice: "Store and BoundedChannel",
  pool: "WorkerPool",
  map: "postMessage, Map in one worker",
  piscina: "piscina, Map in the main thread",
} as const;

const CONTENDERS = ["sluice", "pool", "map", "piscina"] as const;

/** Something that is measured, whoever does it. */
interface Point {
  readonly scenario: RunOrders["scenario"];
  readonly window: number;
  readonly workUs: number;
}

/** One who does it. */
interface Run {
  readonly point: Point;
  readonly contender: RunOrders["contender"];
  readonly runtime: Runtime;
}

/** What runs JavaScript. */
interface Runtime {
  readonly name: string;
  /** Command line up to the program's arguments. */
  readonly words: readonly string[];
  /** Where it finds piscina; undefined = nowhere. */
  readonly piscina: string | undefined;
}

const options = readOptions(HELP);
const isQuick = options["quick"] === true;
const runCount = countOf(options, "runs", isQuick ? 3 : 5);
const durationMs = countOf(options, "ms", isQuick ? 300 : 1000);
const threads = countOf(options, "threads", navigator.hardwareConcurrency);
const remarks: string[] = [];

const CALLS: readonly Point[] = [
  { scenario: "calls", window: 1, workUs: 0 },
  { scenario: "calls", window: 64, workUs: 0 },
  { scenario: "calls", window: 64, workUs: 100 },
];
const COUNTERS: readonly Point[] = [
  { scenario: "counters", window: 1, workUs: 0 },
  { scenario: "counters", window: 64, workUs: 0 },
];

const PROGRAM = new URL("./embed/contender.ts", import.meta.url).pathname;

await using children = new Children();

async function runtimes(): Promise<Runtime[]> {
  const deno: Runtime = {
    name: "Deno",
    words: [Deno.execPath(), "run", "--no-check", "--allow-all", PROGRAM],
    piscina: "piscina",
  };
  if (options["deno-only"] === true) return [deno];
  const node = await findNode();
  if ("missing" in node) {
    remarks.push(`not measured under Node.js: ${node.missing}`);
    return [deno];
  }
  const words = [node.path, "--disable-warning=ExperimentalWarning", PROGRAM];
  return [deno, { name: `Node.js ${node.version}`, words, piscina: await installPiscina() }];
}

/** The same version as for Deno, in a temporary folder. */
async function installPiscina(): Promise<string | undefined> {
  const folder = children.makeFolder();
  const target = denoJson.imports.piscina.replace(/^npm:/, "");
  const install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
  try {
    const { code, text } = await children.run([...install, folder, target]);
    if (code === 0) return `file://${folder}/node_modules/piscina/dist/main.js`;
    remarks.push(`piscina was not measured under Node.js: ${text.trim().split("\n")[0]}`);
  } catch (error) {
    remarks.push(`piscina was not measured under Node.js: ${(error as Error).message}`);
  }
  return undefined;
}

const nameOf = ({ point, contender, runtime }: Run): string =>
  JSON.stringify([runtime.name, point, contender]);

function allRuns(runtime: Runtime): Run[] {
  const has = (contender: string): boolean =>
    contender === "pool"
      ? runtime.name === "Deno"
      : contender !== "piscina" || runtime.piscina !== undefined;
  const calls = CALLS.flatMap((point) =>
    CONTENDERS.filter(has).map((contender) => ({
      point,
      contender,
      runtime,
    }))
  );
  const [one, many] = COUNTERS as [Point, Point];
  return [
    ...calls,
    { point: one, contender: "sluice", runtime },
    { point: one, contender: "map", runtime },
    { point: many, contender: "map", runtime },
  ];
}

async function measure({ point, contender, runtime }: Run): Promise<RunResult> {
  const orders: RunOrders = {
    ...point,
    contender,
    threads,
    durationMs,
    piscina: runtime.piscina ?? "",
  };
  const [program, ...args] = runtime.words;
  const { success, stdout, stderr } = await new Deno.Command(program!, {
    args: [...args, JSON.stringify(orders)],
    signal: AbortSignal.timeout(60_000 + 2 * durationMs),
  }).output();
  if (success) return JSON.parse(new TextDecoder().decode(stdout));
  throw new Error(
    `Cannot measure ${NAMES[contender]}, ${runtime.name}: ${new TextDecoder().decode(stderr)}`,
  );
}

type Results = Map<string, RunResult[]>;

async function measureAll(found: readonly Runtime[]): Promise<Results> {
  using progress = new Progress("bench:embed", standardErrorOutput());
  const results: Results = new Map();
  const turns = alternate(found.flatMap(allRuns), runCount).flat();
  for (const [done, run] of turns.entries()) {
    progress.show(done / turns.length, `${NAMES[run.contender]}, ${run.runtime.name}`);
    const key = nameOf(run);
    results.set(key, [...results.get(key) ?? [], await measure(run)]);
  }
  return results;
}

const perSecond = (runs: readonly RunResult[]): number[] => runs.map((run) => run.perSecond);

function callsTable(results: Results, runtime: Runtime): ReportTable {
  const rows = CALLS.flatMap((point) => {
    const ours = results.get(nameOf({ point, contender: "sluice", runtime }))!;
    return CONTENDERS.flatMap((contender) => {
      const runs = results.get(nameOf({ point, contender, runtime }));
      if (runs === undefined) return [];
      const { median: rate, min, max } = spreadOf(perSecond(runs));
      const ratio = ratiosOf(perSecond(ours), perSecond(runs));
      return [[
        ...[`${point.window} at a time, ${point.workUs} µs each`, NAMES[contender]],
        ...[rate, min, max].map((value) => inDigits(value / 1000)),
        ...["p50Us", "p99Us"].map((name) =>
          inDigits(median(runs.map((run) => run[name as "p50Us"])))
        ),
        ...contender === "sluice"
          ? ["-", "-", "-"]
          : [ratio.median, ratio.min, ratio.max].map((value) => value.toFixed(2)),
      ]];
    });
  });
  return {
    title: `${runtime.name}: a call to a worker and back`,
    note:
      `The main thread hands deposits to ${threads} workers (the Map is always in one) and waits for ` +
      "the user's new balance. WorkerPool settles each exactly once. Thousand calls a second; times of a call in µs. The ratio is ours over " +
      "theirs, of runs next to each other: above 1, ours is faster.",
    head: ["calls", "by", "k/s", "min", "max", "p50", "p99", "ratio", "min", "max"],
    rows,
  };
}

function countersTable(results: Results, runtime: Runtime): ReportTable {
  const [one, many] = COUNTERS as [Point, Point];
  const ours = results.get(nameOf({ point: one, contender: "sluice", runtime }))!;
  const lines = [
    ["Store.add", ours],
    [
      "a message to the Map's thread, 1 at a time",
      results.get(nameOf({ point: one, contender: "map", runtime }))!,
    ],
    ["the same, 64 at a time", results.get(nameOf({ point: many, contender: "map", runtime }))!],
  ] as const;
  return {
    title: `${runtime.name}: threads that add to the same balances`,
    note:
      `${threads} threads add to 1,000 balances of their own accord. Thousand additions a second.`,
    head: ["how", "k/s", "min", "max", "ratio", "min", "max"],
    rows: lines.map(([name, runs]) => {
      const { median: rate, min, max } = spreadOf(perSecond(runs));
      const ratio = ratiosOf(perSecond(ours), perSecond(runs));
      return [
        name,
        ...[rate, min, max].map((value) => inDigits(value / 1000)),
        ...runs === ours
          ? ["-", "-", "-"]
          : [ratio.median, ratio.min, ratio.max].map((value) => inDigits(value)),
      ];
    }),
  };
}

const loadBefore = loadText();
const found = await runtimes();
const results = await measureAll(found);
const facts: Fact[] = [
  ...await machineFacts(),
  ...found.slice(1).map(({ name }): Fact => ["beside Deno", name]),
  ["piscina", denoJson.imports.piscina.replace(/^.*@/, "")],
  ["load average", `${loadBefore} before, ${loadText()} after`],
  ["a run", `${durationMs} ms, ${runCount} runs each in turn, each a process of its own`],
];
const code = await publish(
  {
    title: "The library beside what programs use today",
    command: commandLine("bench:embed"),
    facts,
    tables: found.flatMap((runtime) => [
      callsTable(results, runtime),
      countersTable(results, runtime),
    ]),
    checks: [],
    remarks,
  },
  { json: textOf(options, "json"), markdown: textOf(options, "markdown") },
  Object.fromEntries(results),
);
await children[Symbol.asyncDispose]();
Deno.exit(code);
