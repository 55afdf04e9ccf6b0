/**
 * Compares the benchmarks of this tree with those of another commit: `deno task bench:compare`.
 *
 *     deno task bench:compare main bench/router_bench.ts bench/resp_codec_bench.ts
 *     deno task bench:compare --rounds 5 HEAD~3
 *
 * The other commit is checked out beside this tree, gets this tree's `bench/` and `deno.json`, so that
 * both measure the same in the same way, and is removed in the end. In each round both run, each in a
 * fresh process, and who is first changes from round to round. Written are the times of all rounds
 * and the median of the rounds' ratios: below 1× this tree is faster. A ratio whose rounds do not
 * agree on which is faster says nothing, and is marked so.
 *
 * @module
 */

import { type BenchRow, formatNs, formatRatio, median, readRuns } from "./bench_runs.ts";

const USAGE = "usage: deno task bench:compare [--rounds N] [--filter TEXT] COMMIT [FILE...]\n";

/** How long after it has ended a child our own signal may come. */
const SIGNAL_DELAY_MS = 100;

/** What to compare. */
interface Options {
  readonly rounds: number;
  readonly filter: string | undefined;
  /** What this tree is compared with. */
  readonly commit: string;
  readonly files: readonly string[];
}

/** Thrown to stop when a signal has come. */
class Interrupted extends Error {}

const interruption = new AbortController();

function say(text: string, to: { writeSync(bytes: Uint8Array): number } = Deno.stdout): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

function parseOptions(args: readonly string[]): Options | undefined {
  const rest: string[] = [];
  let rounds = 3;
  let filter: string | undefined;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--rounds") rounds = Number(args[++i]);
    else if (args[i] === "--filter") filter = args[++i];
    else rest.push(args[i]!);
  }
  const [commit, ...files] = rest;
  if (commit === undefined || commit.startsWith("-")) return undefined;
  if (!Number.isInteger(rounds) || rounds < 1) return undefined;
  return { rounds, filter, commit, files: files.length === 0 ? ["bench"] : files };
}

/** Runs a program to its end. @returns what it wrote */
async function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  if (interruption.signal.aborted) throw new Interrupted();
  const child = new Deno.Command(program, {
    args: [...args],
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const end = (): void => child.kill("SIGTERM");
  interruption.signal.addEventListener("abort", end);
  const { success, stdout, stderr } = await child.output();
  interruption.signal.removeEventListener("abort", end);
  // Ctrl-C ends the child as well, which may be known before the signal is.
  if (!success) await new Promise((resolve) => setTimeout(resolve, SIGNAL_DELAY_MS));
  if (interruption.signal.aborted) throw new Interrupted();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot run ${program} ${args[0]}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** The other commit with this tree's benches, in a folder that was made for it. */
async function checkOut(commit: string, folder: string): Promise<void> {
  await run("git", ["worktree", "add", "--detach", folder, commit]);
  for (const path of ["bench", "deno.json", "deno.lock"]) {
    await Deno.remove(`${folder}/${path}`, { recursive: true }).catch(() => {});
    await run("cp", ["-r", path, `${folder}/${path}`]);
  }
}

async function removeCheckOut(folder: string): Promise<void> {
  const args = ["worktree", "remove", "--force", folder];
  await new Deno.Command("git", { args, stdout: "null", stderr: "null" }).output();
  await Deno.remove(folder, { recursive: true }).catch(() => {});
}

/** What the task `bench` lets the benchmarks do. */
async function taskPermissions(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  return tasks.bench.command.match(/--allow-[^ ]+/g) ?? [];
}

/** Runs both trees in turns. @returns the outputs, round by round */
async function measure(
  { rounds, filter, files }: Options,
  folder: string,
): Promise<{ before: string[]; after: string[] }> {
  const outputs = { before: [] as string[], after: [] as string[] };
  const flags = ["--no-check", "--no-prompt", ...await taskPermissions(), "--json"];
  if (filter !== undefined) flags.push(`--filter=${filter}`);
  const args = ["bench", ...flags, ...files];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? ["before", "after"] as const : ["after", "before"] as const;
    for (const side of order) {
      say(`round ${round + 1} of ${rounds}, ${side}\n`, Deno.stderr);
      outputs[side].push(
        await run(Deno.execPath(), args, side === "before" ? folder : undefined),
      );
    }
  }
  return outputs;
}

/** Times of one benchmark in both trees, as two lines of rounds and a ratio. */
function describe(before: BenchRow | undefined, after: BenchRow): string {
  const averages = (row: BenchRow): number[] => row.runs.map(({ avg }) => avg);
  const list = (times: number[]): string => times.map(formatNs).join(", ");
  const title = `${after.name}  (${after.group})`;
  if (before === undefined || before.runs.length !== after.runs.length) {
    return `${title}\n  now     ${list(averages(after))}\n  only in this tree\n`;
  }
  const ratios = averages(after).map((time, round) => time / averages(before)[round]!);
  const agree = ratios.every((ratio) => ratio < 1) || ratios.every((ratio) => ratio > 1);
  const doubt = ratios.length === 1
    ? "  (one round says little)"
    : agree
    ? ""
    : "  (the rounds do not agree)";
  return `${title}\n  before  ${list(averages(before))}\n  now     ${list(averages(after))}\n` +
    `  ratio   ${formatRatio(median(ratios))}${doubt}\n`;
}

async function compare(options: Options): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-bench-" });
  try {
    await checkOut(options.commit, folder);
    const { before, after } = await measure(options, folder);
    const old = readRuns(before).rows;
    for (const [file, rows] of Map.groupBy(readRuns(after).rows, ({ file }) => file)) {
      say(`${file}\n\n`);
      for (const row of rows) {
        const same = old.find((other) =>
          other.file === row.file && other.group === row.group && other.name === row.name
        );
        say(`${describe(same, row)}\n`);
      }
    }
  } finally {
    await removeCheckOut(folder);
  }
}

const options = parseOptions(Deno.args);
if (options === undefined) {
  say(USAGE, Deno.stderr);
  Deno.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => interruption.abort());
}
try {
  await compare(options);
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  Deno.exit(130);
}
Deno.exit(0);
