/**
 * Redis commands here and in Redis, on the same machine, run by run in turn.
 *
 *     deno task bench:resp --help
 *
 * @module
 */

import { Progress, standardErrorOutput } from "../../src/lab/terminal/progress.ts";
import type { Check } from "./lib/checks.ts";
import { inDigits } from "./lib/checks.ts";
import { Children, isInstalled } from "./lib/children.ts";
import { choosePinning, loadText, machineFacts, pinningText } from "./lib/machine.ts";
import { countOf, countsOf, fail, namesOf, readOptions, textOf } from "./lib/options.ts";
import { readCpuSeconds } from "./lib/process_facts.ts";
import { parseRedisBenchmark, redisBenchmarkWords, type RespRun } from "./lib/redis_benchmark.ts";
import { type BenchReport, commandLine, publish, type ReportTable } from "./lib/report.ts";
import {
  checkRatio,
  defaultRequests,
  KEY_COUNT,
  prepare,
  requestCountOf,
  RESP_COMMANDS,
  type RespCommand,
} from "./lib/resp_commands.ts";
import { RespFiller } from "./lib/resp_filler.ts";
import { type BenchServer, redisVersion, startRedis, startSluice } from "./lib/servers.ts";
import { alternate, median, ratiosOf, spreadOf } from "./lib/statistics.ts";
import { POLICIES, startPolicies } from "./lib/sync_policies.ts";

const HELP = `Redis commands: Sluice beside Redis, one after the other, again and again.

Usage: deno task bench:resp [options]

  --commands NAMES    of ${RESP_COMMANDS.map(({ name }) => name).join(",")} (default: all)
  --pipelines COUNTS  commands per batch (default: 1,16,64)
  --sizes BYTES       lengths of values (default: 16,1024)
  --runs COUNT        runs of each server, in turn (default: 5)
  --requests COUNT    commands per run (default: by pipeline); costly commands are sent less often
  --clients COUNT     connections (default: 50)
  --quick             a tenth of the commands, 3 runs
  --binary PATH       an executable instead of the sources
  --against DIR       another working tree of this project instead of Redis; nothing is checked then
  --fsync POLICIES    servers that differ in what they write to the disk, of
                      ${POLICIES.join(",")}; SET of 16 bytes unless told otherwise
  --folder DIR        where --fsync makes its folders (default: among the temporary ones)
  --flags WORDS       further flags of Sluice, separated by spaces
  --unpinned          leave it to the system which processor runs what
  --json FILE         write all figures, every run included
  --markdown FILE     write the report
  --help              show this

Exit code 1 when a ratio that must be reached is missed.`;

/** Room for what the lists of a run need; Redis has no bound by default. */
const MAX_MEMORY = "2gb";

/** One run of one server. */
interface MeasuredRun extends RespRun {
  /** Processor time of the server. Unit: s per million commands. */
  readonly cpuPerMillion: number;
}

/** One line of the tables. */
interface Cell {
  readonly command: string;
  readonly pipeline: number;
  readonly valueBytes: number;
  readonly requestCount: number;
  /** By name of the server, in the order of time. */
  readonly runs: Readonly<Record<string, MeasuredRun[]>>;
}

const options = readOptions(HELP);
const isQuick = options["quick"] === true;
const policies = options["fsync"] === undefined ? [] : namesOf(options, "fsync", POLICIES);
const comparesPolicies = policies.length > 0;
const known = RESP_COMMANDS.map(({ name }) => name);
const names = comparesPolicies && options["commands"] === undefined
  ? ["SET"]
  : namesOf(options, "commands", known);
const pipelines = countsOf(options, "pipelines", comparesPolicies ? [1, 16] : [1, 16, 64]);
const sizes = countsOf(options, "sizes", comparesPolicies ? [16] : [16, 1024]);
const runCount = countOf(options, "runs", isQuick ? 3 : 5);
const clientCount = countOf(options, "clients", 50);
const flags = textOf(options, "flags")?.split(" ").filter((word) => word !== "") ?? [];
const binary = textOf(options, "binary");

if (!await isInstalled("redis-benchmark")) {
  fail("Cannot measure: redis-benchmark is not installed (Debian: apt install redis-tools)", 1);
}
await using children = new Children();
const pinning = options["unpinned"] === true
  ? { server: undefined, client: undefined }
  : await choosePinning();
const remarks: string[] = [];
const tree = textOf(options, "against");
const theirVersion = tree === undefined ? await redisVersion() : "";
const servers: BenchServer[] = await startServers();

async function startServers(): Promise<BenchServer[]> {
  const processor = pinning.server;
  const ours = ["--io-threads", "1", "--max-memory", MAX_MEMORY, ...flags];
  if (comparesPolicies) {
    const parent = textOf(options, "folder");
    return await startPolicies(children, policies, { binary, flags: ours, processor, parent });
  }
  const sluice = await startSluice(children, { binary, flags: ours, processor });
  if (tree !== undefined) {
    return [sluice, await startSluice(children, { tree, flags: ours, processor })];
  }
  if (theirVersion !== "") return [sluice, await startRedis(children, { processor })];
  remarks.push("redis-server is not installed (Debian: apt install redis-server): no ratios");
  return [sluice];
}

/** Waits until what FLUSHALL left behind is taken away, so that no run pays for the one before. */
async function settle(server: BenchServer): Promise<void> {
  if (server.httpPort === 0) return;
  for (;;) {
    const reply = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`, {
      headers: { accept: "application/json" },
    });
    if ((await reply.json()).store.flushed_keys_pending === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function runOnce(
  server: BenchServer,
  filler: RespFiller,
  command: RespCommand,
  value: string,
  pipeline: number,
  requestCount: number,
): Promise<MeasuredRun> {
  await prepare(filler, command, value, requestCount);
  await settle(server);
  const words = redisBenchmarkWords({
    port: server.respPort,
    requestCount,
    clientCount,
    pipeline,
    keyCount: KEY_COUNT,
    words: command.words(value),
  });
  const before = await readCpuSeconds(server.pid);
  const { text } = await children.run(words, { processor: pinning.client });
  const cpuSeconds = await readCpuSeconds(server.pid) - before;
  return { ...parseRedisBenchmark(text), cpuPerMillion: cpuSeconds / requestCount * 1e6 };
}

/**
 * A run of each server that does not count, then the others. Reason: just-in-time compilers are done
 * after two to four million commands.
 */
async function measure(
  fillers: ReadonlyMap<BenchServer, RespFiller>,
  command: RespCommand,
  pipeline: number,
  valueBytes: number,
): Promise<Cell> {
  const base = countOf(options, "requests", defaultRequests(pipeline, isQuick));
  const requestCount = requestCountOf(command, base, valueBytes, pipeline, clientCount);
  const value = "x".repeat(valueBytes);
  const runs: Record<string, MeasuredRun[]> = {};
  for (const server of servers) {
    runs[server.name] = [];
    await runOnce(server, fillers.get(server)!, command, value, pipeline, requestCount);
  }
  for (const server of alternate(servers, runCount).flat()) {
    const filler = fillers.get(server)!;
    runs[server.name]!.push(
      await runOnce(server, filler, command, value, pipeline, requestCount),
    );
  }
  return { command: command.name, pipeline, valueBytes, requestCount, runs };
}

async function measureAll(): Promise<Cell[]> {
  const fillers = new Map<BenchServer, RespFiller>();
  using stack = new DisposableStack();
  for (const server of servers) {
    fillers.set(server, stack.use(await RespFiller.connect(server.respPort)));
  }
  using progress = new Progress("bench:resp", standardErrorOutput());
  const cells: Cell[] = [];
  const total = sizes.length * pipelines.length * names.length;
  for (const valueBytes of sizes) {
    for (const pipeline of pipelines) {
      for (const name of names) {
        progress.show(cells.length / total, `${name}, pipeline ${pipeline}, ${valueBytes} B`);
        const command = RESP_COMMANDS.find((other) => other.name === name)!;
        const cell = await measure(fillers, command, pipeline, valueBytes);
        cells.push(cell);
        progress.line(lineOf(cell));
      }
    }
  }
  return cells;
}

const rates = (cell: Cell, server: BenchServer): number[] =>
  cell.runs[server.name]!.map(({ perSecond }) => perSecond);

/** The ratios in the tables: of the first to the second, or of each policy to the first one. */
const compared = comparesPolicies
  ? servers.slice(1).map(({ name }) => ` ${name}`)
  : servers.slice(1).map(() => "");

const ratios = (cell: Cell, index = 0) =>
  comparesPolicies
    ? ratiosOf(rates(cell, servers[index + 1]!), rates(cell, servers[0]!))
    : ratiosOf(rates(cell, servers[0]!), rates(cell, servers[1]!));

/** How much processor time they take for what we take 1 for. */
function thrift(cell: Cell): number {
  const [ours, theirs] = servers.map(({ name }) =>
    cell.runs[name]!.map(({ cpuPerMillion }) => cpuPerMillion)
  );
  return ratiosOf(theirs!, ours!).median;
}

const title = ({ command, pipeline, valueBytes }: Cell): string[] => [
  command,
  String(pipeline),
  `${valueBytes} B`,
];

function lineOf(cell: Cell): string {
  const rate = servers.map((server) =>
    `${server.name} ${Math.round(median(rates(cell, server)) / 1000)} k/s`
  );
  const ratio = compared.map((name, index) =>
    `ratio${name} ${inDigits(ratios(cell, index).median)}`
  );
  return [...title(cell), ...rate, ...ratio].join("  ");
}

function throughputTable(cells: readonly Cell[]): ReportTable {
  const head = ["command", "pipeline", "value"];
  for (const { name } of servers) head.push(`${name} k/s`, "min", "max");
  for (const name of compared) head.push(`ratio${name}`, "min", "max");
  const rows = cells.map((cell) => {
    const row = title(cell);
    for (const server of servers) {
      const { median, min, max } = spreadOf(rates(cell, server));
      row.push(...[median, min, max].map((rate) => inDigits(rate / 1000)));
    }
    for (const index of compared.keys()) {
      const { median, min, max } = ratios(cell, index);
      row.push(...[median, min, max].map((ratio) => ratio.toFixed(2)));
    }
    return row;
  });
  const note = "Thousand commands a second: the median of the runs, the slowest, the fastest; " +
    "ratios are of runs next to each other.";
  return { title: "Throughput", note, head, rows };
}

function costTable(cells: readonly Cell[]): ReportTable {
  const head = ["command", "pipeline", "value", "per run"];
  for (const { name } of servers) head.push(`${name} CPU s/M`, "p50 ms", "p99 ms", "p99.9 ms");
  if (servers.length === 2) head.push("CPU ratio");
  const rows = cells.map((cell) => {
    const row = [...title(cell), String(cell.requestCount)];
    for (const { name } of servers) {
      const middle = (of: (run: MeasuredRun) => number): number => median(cell.runs[name]!.map(of));
      row.push(middle(({ cpuPerMillion }) => cpuPerMillion).toFixed(2));
      row.push(middle(({ p50Ms }) => p50Ms).toFixed(3), middle(({ p99Ms }) => p99Ms).toFixed(3));
      row.push(middle(({ p999Ms }) => p999Ms).toFixed(3));
    }
    if (servers.length === 2) row.push(thrift(cell).toFixed(2));
    return row;
  });
  const note = "Processor seconds of the server per million commands, all its threads together; " +
    "latencies of whole batches, as redis-benchmark sees them: medians of the runs. The CPU ratio is " +
    "the other one's time over ours, more is better; a busy machine changes it less than throughput.";
  return { title: "Processor time and latency", note, head, rows };
}

const loadBefore = loadText();
const cells = await measureAll();
const checks = theirVersion === "" || comparesPolicies ? [] : cells
  .map((cell) => checkRatio(cell.command, cell.pipeline, cell.valueBytes, ratios(cell)))
  .filter((check): check is Check => check !== undefined);
const report: BenchReport = {
  title: comparesPolicies
    ? "What the log costs, by when the disk is waited for"
    : `Redis commands: Sluice beside ${servers[1]?.name ?? "nobody"}`,
  command: commandLine("bench:resp"),
  facts: [
    ...await machineFacts(),
    ["beside it", tree === undefined ? `Redis ${theirVersion || "not installed"}` : "other tree"],
    ["Sluice is", binary === undefined ? "run from its sources" : "an executable"],
    ["pinned", pinningText(pinning)],
    ["load average", `${loadBefore} before, ${loadText()} after`],
    ["a run", `${clientCount} connections, ${KEY_COUNT} keys, ${runCount} runs each in turn`],
  ],
  tables: [throughputTable(cells), costTable(cells)],
  checks,
  remarks,
};
const code = await publish(report, {
  json: textOf(options, "json"),
  markdown: textOf(options, "markdown"),
}, cells);
await children[Symbol.asyncDispose]();
Deno.exit(code);
