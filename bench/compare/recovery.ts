/**
 * How long a server takes to start again with what it had: from a snapshot, and from the log alone.
 *
 *     deno task bench:recovery --help
 *
 * @module
 */

import { Progress, standardErrorOutput } from "../../src/lab/terminal/progress.ts";
import { type Check, inDigits, under } from "./lib/checks.ts";
import { Children } from "./lib/children.ts";
import { loadText, machineFacts } from "./lib/machine.ts";
import { countOf, fail, readOptions, textOf } from "./lib/options.ts";
import { type BenchReport, commandLine, publish, type ReportTable } from "./lib/report.ts";
import { RespFiller } from "./lib/resp_filler.ts";
import { startSluice } from "./lib/servers.ts";
import { type Spread, spreadOf } from "./lib/statistics.ts";

const HELP = `Recovery: how long Sluice takes from the start of its process until it is ready.

Usage: deno task bench:recovery [options]

  --keys COUNT        keys (default: 1000000)
  --value BYTES       length of each value (default: 48)
  --starts COUNT      starts from each (default: 5)
  --binary PATH       an executable instead of the sources
  --folder DIR        where the data are (default: among the temporary files)
  --json FILE         write all figures, every start included
  --markdown FILE     write the report
  --help              show this

Exit code 1 when a bound is missed; bounds are for 1,000,000 keys or fewer.`;

/** What must be reached. Unit: ms. */
const BOUNDS_MS = { snapshot: 3000, log: 10_000 } as const;
/** A snapshot is taken by itself when the log is longer than this: it would be no log alone then. */
const MOST_LOG_BYTES = 120 * 2 ** 20;
/** Bytes of a record besides its value, and what brings it to a multiple of 8. */
const RECORD_BYTES = 40;
const MAX_MEMORY = "2gb";

type Source = keyof typeof BOUNDS_MS;

/** All starts from one source. */
interface Starts {
  readonly source: Source;
  readonly ms: readonly number[];
}

const options = readOptions(HELP);
const keyCount = countOf(options, "keys", 1_000_000);
const valueBytes = countOf(options, "value", 48);
const startCount = countOf(options, "starts", 5);
const binary = textOf(options, "binary");
if (keyCount * (valueBytes + RECORD_BYTES) > MOST_LOG_BYTES) {
  fail(
    `Cannot measure: a log of ${keyCount} keys of ${valueBytes} bytes is followed by a snapshot`,
  );
}
await using children = new Children();
const folder = children.makeFolder(textOf(options, "folder"));

const start = () =>
  startSluice(children, {
    binary,
    flags: ["--data-dir", folder, "--max-memory", MAX_MEMORY, "--proto-port", "off"],
  });

/** Waits until what was written is in the files. */
async function fill(): Promise<void> {
  const server = await start();
  using filler = await RespFiller.connect(server.respPort);
  const value = "x".repeat(valueBytes);
  await filler.send(keyCount, (index) => ["SET", `key:${String(index).padStart(12, "0")}`, value]);
  // Longer than the second that a crash may take.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await server.stop();
}

async function save(): Promise<void> {
  const server = await start();
  using filler = await RespFiller.connect(server.respPort);
  await filler.send(1, () => ["SAVE"]);
  await server.stop();
}

/** Keys there are, as the server counts them. */
async function countKeys(httpPort: number): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${httpPort}/metrics`, {
    headers: { accept: "application/json" },
  });
  return (await reply.json()).store.keys;
}

async function measure(source: Source, progress: Progress): Promise<Starts> {
  const ms: number[] = [];
  for (let i = 0; i < startCount; i++) {
    progress.show(i / startCount, `from the ${source}`);
    const server = await start();
    const found = await countKeys(server.httpPort);
    if (found !== keyCount) fail(`Cannot measure: ${found} of ${keyCount} keys came back`, 1);
    ms.push(server.startMs);
    await server.stop();
  }
  progress.line(`from the ${source}: ${inDigits(spreadOf(ms).median)} ms`);
  return { source, ms };
}

async function measureAll(): Promise<Starts[]> {
  using progress = new Progress("bench:recovery", standardErrorOutput());
  progress.show(0, `writing ${keyCount} keys`);
  await fill();
  const fromLog = await measure("log", progress);
  await save();
  return [await measure("snapshot", progress), fromLog];
}

const loadBefore = loadText();
const all = await measureAll();
const spread = (starts: Starts): Spread => spreadOf(starts.ms);
const table: ReportTable = {
  title: "Recovery",
  note:
    "From the start of the process until it serves, in ms: the median of the starts, the fastest, " +
    "the slowest. The server is killed between them; the files are in the system's cache.",
  head: ["from", "ms", "min", "max", "keys/s"],
  rows: all.map((starts) => {
    const { median, min, max } = spread(starts);
    const perSecond = keyCount / median * 1000;
    return [`the ${starts.source}`, ...[median, min, max, perSecond].map(inDigits)];
  }),
};
const checks: Check[] = keyCount > 1_000_000
  ? []
  : all.map((starts) =>
    under(`ready from the ${starts.source}`, BOUNDS_MS[starts.source], spread(starts).median, "ms")
  );
const report: BenchReport = {
  title: "Recovery from a snapshot, and from the log alone",
  command: commandLine("bench:recovery"),
  facts: [
    ...await machineFacts(),
    ["Sluice is", binary === undefined ? "run from its sources" : "an executable"],
    ["load average", `${loadBefore} before, ${loadText()} after`],
    ["data", `${keyCount} keys of 16 bytes with ${valueBytes} bytes each`],
  ],
  tables: [table],
  checks,
  remarks: [],
};
const code = await publish(report, {
  json: textOf(options, "json"),
  markdown: textOf(options, "markdown"),
}, all);
await children[Symbol.asyncDispose]();
Deno.exit(code);
