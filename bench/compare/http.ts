/**
 * HTTP here, with `Deno.serve`, with Fastify and with nginx, on the same machine, run by run in turn.
 *
 *     deno task bench:http --help
 *
 * @module
 */

import { Progress, standardErrorOutput } from "../../src/lab/terminal/progress.ts";
import { atLeast, type Check, inDigits, under } from "./lib/checks.ts";
import { Children, descriptorLimit, isInstalled } from "./lib/children.ts";
import { type EventLatency, measureEventLatency, quantileOf } from "./lib/event_latency.ts";
import {
  type Contender,
  CONTENDERS,
  type Scenario,
  SCENARIOS,
  startContenders,
  USER_COUNT,
} from "./lib/http_contenders.ts";
import { choosePinning, type Fact, loadText, machineFacts, pinningText } from "./lib/machine.ts";
import { countOf, countsOf, fail, namesOf, readOptions, textOf } from "./lib/options.ts";
import { readCpuSeconds } from "./lib/process_facts.ts";
import { commandLine, publish, type ReportTable } from "./lib/report.ts";
import { alternate, median, ratiosOf, type Spread, spreadOf } from "./lib/statistics.ts";
import { type HttpRun, parseWrk, wrkWords } from "./lib/wrk.ts";

const HELP =
  `HTTP: Sluice beside Deno.serve, Fastify and nginx, one after the other, again and again.

Usage: deno task bench:http [options]

  --scenarios NAMES     of ${SCENARIOS.map(({ name }) => name).join(",")} (default: all)
  --connections COUNTS  (default: 1,64,256,1000)
  --contenders NAMES    of ${CONTENDERS.slice(1).join(",")} (default: all that are installed)
  --runs COUNT          runs of each server, in turn (default: 5)
  --seconds COUNT       length of a run (default: 5)
  --quick               runs of 2 s, 3 of each
  --cold                no run of 1 s before those that count
  --latency-only        only how long an event takes through channel and worker
  --events COUNT        events for that (default: 2000)
  --binary PATH         an executable instead of the sources
  --flags WORDS         further flags of Sluice, separated by spaces
  --unpinned            leave it to the system which processor runs what
  --json FILE           write all figures, every run included
  --markdown FILE       write the report
  --help                show this

Fastify is installed from npm into a temporary folder. Exit code 1 when something that must hold
does not.`;

/** One run of one server. */
interface MeasuredRun extends HttpRun {
  /** Processor time of the server. Unit: s per million answers. */
  readonly cpuPerMillion: number;
}

/** One line per contender. */
interface Cell {
  readonly scenario: string;
  readonly connections: number;
  /** By name of the contender, in the order of time. */
  readonly runs: Readonly<Record<string, MeasuredRun[]>>;
}

const options = readOptions(HELP);
const isQuick = options["quick"] === true;
const isCold = options["cold"] === true;
const scenarioNames = namesOf(options, "scenarios", SCENARIOS.map(({ name }) => name));
const connectionCounts = countsOf(options, "connections", [1, 64, 256, 1000]);
const asked = namesOf(options, "contenders", CONTENDERS.slice(1));
const runCount = countOf(options, "runs", isQuick ? 3 : 5);
const seconds = countOf(options, "seconds", isQuick ? 2 : 5);
const eventCount = countOf(options, "events", isQuick ? 500 : 2000);
const flags = textOf(options, "flags")?.split(" ").filter((word) => word !== "") ?? [];
const binary = textOf(options, "binary");
const onlyLatency = options["latency-only"] === true;
const remarks: string[] = [];

if (!onlyLatency) {
  if (!await isInstalled("wrk")) {
    fail("Cannot measure: wrk is not installed (Debian: apt install wrk)", 1);
  }
  const most = Math.max(...connectionCounts);
  if (await descriptorLimit() < most + 100) {
    fail(
      `Cannot measure with ${most} connections: the limit of descriptors is lower (ulimit -n)`,
      1,
    );
  }
}
await using children = new Children();
const pinning = options["unpinned"] === true
  ? { server: undefined, client: undefined }
  : await choosePinning();

async function runOnce(
  { server }: Contender,
  scenario: Scenario,
  connections: number,
  script: string | undefined,
  runSeconds: number,
): Promise<MeasuredRun> {
  const words = wrkWords({
    url: `http://127.0.0.1:${server.httpPort}${scenario.path}`,
    connectionCount: connections,
    seconds: runSeconds,
    script,
  });
  const before = await readCpuSeconds(server.pid);
  const { text } = await children.run(words, { processor: pinning.client });
  const cpuSeconds = await readCpuSeconds(server.pid) - before;
  const run = parseWrk(text);
  return { ...run, cpuPerMillion: cpuSeconds / run.requestCount * 1e6 };
}

async function measure(
  contenders: readonly Contender[],
  scenario: Scenario,
  connections: number,
  script: string | undefined,
): Promise<Cell> {
  const able = contenders.filter(({ hasEvents }) => hasEvents || scenario.isFile);
  const runs: Record<string, MeasuredRun[]> = {};
  for (const contender of able) {
    runs[contender.server.name] = [];
    if (!isCold) await runOnce(contender, scenario, connections, script, 1);
  }
  for (const contender of alternate(able, runCount).flat()) {
    const run = await runOnce(contender, scenario, connections, script, seconds);
    runs[contender.server.name]!.push(run);
  }
  return { scenario: scenario.name, connections, runs };
}

/** Gives every user a balance, so that GET finds them all. */
async function makeUsers({ server }: Contender): Promise<void> {
  for (let i = 1; i <= USER_COUNT; i++) {
    const reply = await fetch(`http://127.0.0.1:${server.httpPort}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"user":"user${i}","action":"buy","amount":100}`,
    });
    await reply.body?.cancel();
    if (reply.status !== 202) throw new Error(`Cannot fill ${server.name}: ${reply.status}`);
  }
}

async function measureAll(): Promise<[readonly Contender[], Cell[]]> {
  const contenders = await startContenders(children, {
    binary,
    flags,
    processor: pinning.server,
    without: CONTENDERS.slice(1).filter((name) => !asked.includes(name)),
  }, remarks);
  for (const contender of contenders) if (contender.hasEvents) await makeUsers(contender);
  const scripts = children.makeFolder();
  using progress = new Progress("bench:http", standardErrorOutput());
  const cells: Cell[] = [];
  const total = scenarioNames.length * connectionCounts.length;
  for (const name of scenarioNames) {
    const scenario = SCENARIOS.find((other) => other.name === name)!;
    const script = scenario.script === undefined ? undefined : `${scripts}/${name}.lua`;
    if (script !== undefined) await Deno.writeTextFile(script, scenario.script!);
    for (const connections of connectionCounts) {
      progress.show(cells.length / total, `${name}, ${connections} connections`);
      const cell = await measure(contenders, scenario, connections, script);
      cells.push(cell);
      progress.line(lineOf(cell));
    }
  }
  for (const { server } of contenders) await server.stop();
  return [contenders, cells];
}

const good = (cell: Cell, name: string): number[] =>
  cell.runs[name]?.map(({ goodPerSecond }) => goodPerSecond) ?? [];

/** A ratio; of a run in which the other one answered nothing there is none. */
const times = (ratio: number): string => Number.isFinite(ratio) ? `${ratio.toFixed(2)} ×` : "-";

const ratios = (cell: Cell, name: string): Spread =>
  ratiosOf(good(cell, "Sluice"), good(cell, name));

function lineOf(cell: Cell): string {
  const rates = Object.keys(cell.runs).map((name) =>
    `${name} ${inDigits(median(good(cell, name)) / 1000)} k/s`
  );
  return [cell.scenario, `${cell.connections} connections`, ...rates].join("  ");
}

function throughputTable(cells: readonly Cell[]): ReportTable {
  const head = ["request", "connections", "server", "k/s", "min", "max", "Sluice is", "min", "max"];
  const rows = cells.flatMap((cell) =>
    Object.keys(cell.runs).map((name) => {
      const rate = spreadOf(good(cell, name).map((perSecond) => perSecond / 1000));
      const ratio = ratios(cell, name);
      const ratioCells = name === "Sluice" ? [] : [ratio.median, ratio.min, ratio.max].map(times);
      return [
        ...[cell.scenario, String(cell.connections), name],
        ...[rate.median, rate.min, rate.max].map(inDigits),
        ...ratioCells,
      ];
    })
  );
  const note = "Thousand answers of 2xx a second: the median of the runs, the slowest, the " +
    "fastest; ratios are of runs next to each other.";
  return { title: "Throughput", note, head, rows };
}

function costTable(cells: readonly Cell[]): ReportTable {
  const head = ["request", "connections", "server", "CPU s/M", "p50 ms", "p99 ms", "max ms"];
  head.push("not 2xx", "socket errors");
  const rows = cells.flatMap((cell) =>
    Object.entries(cell.runs).map(([name, runs]) => {
      const middle = (of: (run: MeasuredRun) => number): number => median(runs.map(of));
      const sum = (of: (run: MeasuredRun) => number): number =>
        runs.reduce((total, run) => total + of(run), 0);
      return [
        ...[cell.scenario, String(cell.connections), name],
        inDigits(middle(({ cpuPerMillion }) => cpuPerMillion)),
        ...[middle(({ p50Ms }) => p50Ms), middle(({ p99Ms }) => p99Ms)].map(inDigits),
        inDigits(middle(({ maxMs }) => maxMs)),
        String(sum(({ badStatusCount }) => badStatusCount)),
        String(sum(({ socketErrorCount }) => socketErrorCount)),
      ];
    })
  );
  const note = "Processor seconds of the server per million answers, all its threads together, " +
    "and latencies: medians of the runs. Errors are those of all runs.";
  return { title: "Processor time, latency and errors", note, head, rows };
}

/** What must hold for one cell. */
function checksOf(cell: Cell): Check[] {
  const { scenario, connections } = cell;
  const checks: Check[] = [];
  const ratio = (limit: number, name: string): void => {
    if (cell.runs[name] === undefined) return;
    const what = `${scenario}, ${connections} connections`;
    checks.push(atLeast(what, limit, ratios(cell, name).median, `× ${name}`));
  };
  if (scenario === "events" && [64, 1000].includes(connections)) ratio(1.15, "Deno.serve");
  if (scenario === "health" && connections === 64) ratio(1, "Deno.serve");
  if (scenario === "health" && connections === 1000) ratio(0.95, "Deno.serve");
  if (scenario === "static-1m") {
    ratio(0.5, "nginx");
    ratio(1, "Deno.serve");
  }
  if (["events", "users", "health"].includes(scenario) && connections === 1000) {
    const p99Ms = median(cell.runs["Sluice"]!.map((run) => run.p99Ms));
    checks.push(under(`${scenario}, p99 at 1000 connections`, 30, p99Ms, "ms"));
  }
  return checks;
}

function latencyTable({ insideUs, plainUs, eventUs }: EventLatency): ReportTable {
  const row = (what: string, times: readonly number[]): string[] => [
    what,
    ...[0.5, 0.99].map((q) => inDigits(quantileOf(times, q))),
  ];
  const differenceUs = quantileOf(eventUs, 0.5) - quantileOf(plainUs, 0.5);
  return {
    title: "An event on an idle system",
    note:
      `${insideUs.length} events one at a time, 2 ms apart; not pinned. The first line is from ` +
      "inside; the difference of the round trips has the way of the news back to the I/O thread " +
      "in it, too.",
    head: ["what", "p50 µs", "p99 µs"],
    rows: [
      row("through channel and worker to the store", insideUs),
      row("round trip of INCRBY", plainUs),
      row("round trip of EVENT … WAIT", eventUs),
      ["difference", inDigits(differenceUs), ""],
    ],
  };
}

const loadBefore = loadText();
const latency = await measureEventLatency(children, eventCount, { binary, flags });
let contenders: readonly Contender[] = [];
let cells: Cell[] = [];
if (!onlyLatency) [contenders, cells] = await measureAll();
const versions: Fact[] = contenders
  .filter(({ version }) => version !== "")
  .map(({ server, version }) => [server.name, version]);
const brokenCount = cells.flatMap(({ runs }) => runs["Sluice"]!)
  .reduce((sum, { socketErrorCount }) => sum + socketErrorCount, 0);
const checks = [
  ...cells.flatMap(checksOf),
  ...cells.length === 0
    ? []
    : [under("broken connections, all runs of Sluice", 1, brokenCount, "")],
  under("an event through channel and worker, p50", 50, quantileOf(latency.insideUs, 0.5), "µs"),
];
const code = await publish(
  {
    title: "HTTP: Sluice beside others",
    command: commandLine("bench:http"),
    facts: [
      ...await machineFacts(),
      ...versions,
      ["Sluice is", binary === undefined ? "run from its sources" : "an executable"],
      ["pinned", pinningText(pinning)],
      ["load average", `${loadBefore} before, ${loadText()} after`],
      ["a run", `wrk -t1, ${seconds} s, ${runCount} runs each in turn`],
    ],
    tables: [
      ...cells.length === 0 ? [] : [throughputTable(cells), costTable(cells)],
      latencyTable(latency),
    ],
    checks,
    remarks,
  },
  { json: textOf(options, "json"), markdown: textOf(options, "markdown") },
  { cells, latency },
);
await children[Symbol.asyncDispose]();
Deno.exit(code);
