/**
 * Runs all tests: `deno task test`.
 *
 * The types are checked once for everything, instead of anew by every worker that a test starts,
 * and the modules of the server are joined once, instead of found by every server and by every worker
 * that one starts.
 * Then the test files run in batches, each a process with one isolate: one for each file would load
 * the same modules again and again, which takes as long as the tests do, and one for all of them would
 * keep the shared memory of thousands of stores. Four batches run at a
 * time, two of them of servers, as most of those wait; then three at a time those that look at times
 * and mostly wait; and at last, alone, tests that measure, or race threads against each other. What a
 * batch says is shown when it is done. The last line counts all:
 *
 * ```text
 * ok | 4080 passed | 0 failed | 0 ignored (3m12s)
 * ```
 *
 * Flags go to `deno test`, e.g. `--filter=EXEC` or `--sanitize-ops`. With paths, or with a flag that
 * wants a single process (`--junit-path`, `--watch` and the like), it is one `deno test` of those.
 *
 * @module
 */

import { TESTED_FOLDER, TESTED_IMPORTS } from "./bundle.ts";

const PERMISSIONS = ["net", "env", "read", "write", "run", "sys"].map((name) => `--allow-${name}`);

/** What `deno task check` checks, word for word: when it has just done so, nothing is checked again. */
const CHECKED = ["main.ts", "src", "tests", "bench", "scripts", "docs", "examples"];

/** Imports the test files that the environment names: by itself each would load all modules anew. */
const SEVERAL_FILES = "tests/helpers/several_files.ts";

/** Registers the examples in doc comments, for the same reason. */
const EXAMPLES = "tests/helpers/examples_of_docs.ts";

/** Files in a batch, or half as many of those that start servers; a process costs 0.2 s. */
const BATCH_FILES = 8;

/**
 * The default of glibc, which stays as it is only when it is set: otherwise `free` raises it to the
 * size of a store, and from then on each new one is filled with zeros by hand, page after page, instead
 * of coming as empty pages from the system. Test files that make many stores took ten times as long.
 */
const MALLOC_MMAP_THRESHOLD = "131072";

/** Files in a batch of those that are alone. */
const ALONE_FILES = 4;

/** Of the errors of one batch, so much is shown again at the end. */
const MOST_ERROR_CHARACTERS = 4000;

/** Flags of which one process has to do everything. */
const ONE_PROCESS = /^--(junit-path|watch|inspect|clean|reporter|doc|no-run|shard|help)/;

/** Folders and files with tasks of their own: `test:stress`, `test:soak`. */
const ELSEWHERE: readonly string[] = ["tests/stress", "tests/soak"];

/**
 * Test files that have the machine to themselves: those that watch what one client's load does to
 * others, and those in which threads must meet for a broken twin to be caught.
 */
const ALONE: readonly string[] = [
  "tests/unit/channel/bounded_channel_test.ts",
  "tests/unit/command/exec_race_test.ts",
  "tests/unit/command/long_changes_race_test.ts",
  "tests/unit/durability/intake_race_test.ts",
  "tests/unit/embed/seats_test.ts",
  "tests/unit/lab/counters/measure_test.ts",
  "tests/unit/store/collection_race_test.ts",
  "tests/unit/store/event_ids_race_test.ts",
  "tests/unit/store/flush_race_test.ts",
  "tests/unit/store/lease_race_test.ts",
  "tests/unit/store/lock_race_test.ts",
  "tests/unit/store/lock_timing_race_test.ts",
  "tests/unit/store/stack_race_test.ts",
  "tests/unit/store/store_race_test.ts",
  "tests/unit/store/transaction_race_test.ts",
  "tests/property/commands/commands_threads_test.ts",
  "tests/e2e/connections_test.ts",
  "tests/e2e/fairness_test.ts",
  "tests/e2e/flood_test.ts",
];

/**
 * Test files that have two neighbours at a time, of their own kind: they mostly wait for times to pass,
 * which others must not be late for. The longest come first.
 */
const QUIET: readonly string[] = [
  "tests/unit/worker/misbehaving_test.ts",
  "tests/e2e/client_memory_test.ts",
  "tests/e2e/slow_clients_test.ts",
  "tests/unit/channel/idle_consumers_test.ts",
  "tests/unit/worker/three_keys_faults_test.ts",
  "tests/unit/channel/inbox_race_test.ts",
];

/** Batches of {@link QUIET} at a time: together they need one and a half processors. */
const QUIET_LANES = 3;

/**
 * Folders whose batches take a few seconds each. They come last: a long one that begins when all others
 * are done would have one processor, and leave the other idle.
 */
const SHORT: readonly string[] = ["base", "cli", "lab", "migration", "protocol", "pubsub", "server"]
  .map((folder) => `tests/unit/${folder}/`);

/** One `deno` process. */
interface Batch {
  readonly name: string;
  readonly args: readonly string[];
  /** What {@link SEVERAL_FILES} imports. */
  readonly files?: readonly string[];
  /** Whether its tests start servers, which have the environment that users have. */
  readonly startsServers?: boolean;
}

/** What the runs so far came to. */
const total = { passed: 0, failed: 0, ignored: 0, filtered: 0 };
const failures: string[] = [];
/** What failed tests said; shown once more at the end, as whoever keeps a log keeps its end. */
const errors: string[] = [];
/** Output of batches that are not done yet, for when they never are. */
const running = new Map<Batch, { readonly chunks: Uint8Array[]; end(): void }>();
const startedAtMs = performance.now();

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function print(text: string): void {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (ELSEWHERE.includes(path)) return [];
    if (isDirectory) return testFiles(path);
    return name.endsWith("_test.ts") ? [path] : [];
  }).toSorted();
}

/** Batches of neighbours, which need the same modules. */
function batchesOf(files: readonly string[], most: number, flags: readonly string[]): Batch[] {
  const batches: Batch[] = [];
  for (let i = 0; i < files.length; i += most) {
    const part = files.slice(i, i + most);
    const name = part.length === 1 ? part[0]! : `${part[0]} to ${part.at(-1)}`;
    const startsServers = part.some((path) => path.startsWith("tests/e2e/"));
    batches.push({ name, args: [...testArgs(flags), SEVERAL_FILES], files: part, startsServers });
  }
  return batches;
}

function testArgs(flags: readonly string[]): string[] {
  const imports = `--import-map=${TESTED_IMPORTS}`;
  return ["test", "--no-check", "--no-prompt", imports, ...PERMISSIONS, ...flags];
}

/** Copies a stream into `chunks`. */
async function collect(stream: ReadableStream<Uint8Array>, chunks: Uint8Array[]): Promise<void> {
  for await (const chunk of stream) chunks.push(chunk);
}

function textOf(chunks: readonly Uint8Array[]): string {
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
}

async function run(batch: Batch): Promise<boolean> {
  const beganAtMs = performance.now();
  const chunks: Uint8Array[] = [];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...batch.args],
    env: {
      SLUICE_TEST_PROGRAM: `${TESTED_FOLDER}/main.js`,
      SLUICE_TEST_FILES: batch.files?.join(" ") ?? "",
      ...(batch.startsServers ? {} : { MALLOC_MMAP_THRESHOLD_: MALLOC_MMAP_THRESHOLD }),
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const end = (): void => {
    try {
      child.kill("SIGTERM");
    } catch {
      // Whoever ended this has ended that, too.
    }
  };
  running.set(batch, { chunks, end });
  await Promise.all([collect(child.stdout, chunks), collect(child.stderr, chunks)]);
  const { code } = await child.status;
  running.delete(batch);
  const seconds = ((performance.now() - beganAtMs) / 1000).toFixed(1);
  const text = textOf(chunks);
  print(`${text.trimEnd()}\n== ${batch.name}: exit code ${code} after ${seconds} s\n`);
  count(batch, text, code);
  return code === 0;
}

/** Adds up what the last line of `deno test` says: "FAILED | 12 passed | 2 failed (31s)". */
function count(batch: Batch, text: string, code: number): void {
  // deno-lint-ignore no-control-regex -- colors
  const plain = text.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const summary = [...plain.matchAll(/^(?:ok|FAILED) \| .*$/gm)].at(-1)?.[0] ?? "";
  const read = (what: string): number =>
    Number(new RegExp(`\\| (\\d+) ${what}`).exec(summary)?.[1] ?? 0);
  const failed = read("failed");
  total.passed += read("passed");
  total.ignored += read("ignored");
  total.filtered += read("filtered out");
  // A type error, a crash, a leak found at the end: nothing that the summary counts.
  const isLost = code !== 0 || (batch.args[0] === "test" && summary === "");
  total.failed += failed === 0 && isLost ? 1 : failed;
  if (failed === 0 && !isLost) return;
  const names = /^ FAILURES \n\n([^]*?)\n\n(?:ok|FAILED) \|/m.exec(plain)?.[1];
  failures.push(names ?? `${batch.name}: exit code ${code}`);
  const why = /^ ERRORS \n\n([^]*?)\n\n FAILURES $/m.exec(plain)?.[1];
  if (why !== undefined) errors.push(why.slice(0, MOST_ERROR_CHARACTERS));
}

/** The last line; `.ci/run` reads it. */
function finish(): never {
  const isOk = total.failed === 0;
  if (errors.length > 0) print(`\n ERRORS \n\n${errors.join("\n\n")}\n`);
  if (!isOk) print(`\n FAILURES \n\n${failures.join("\n")}\n`);
  const seconds = Math.round((performance.now() - startedAtMs) / 1000);
  const counts = [`${total.passed} passed`, `${total.failed} failed`, `${total.ignored} ignored`];
  if (total.filtered > 0) counts.push(`${total.filtered} filtered out`);
  const time = `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`;
  print(`\n${isOk ? "ok" : "FAILED"} | ${counts.join(" | ")} (${time})\n`);
  Deno.exit(isOk ? 0 : 1);
}

/** Told to end, or no use to go on: says what was going on, as something may hang. */
function interrupted(signal: string): void {
  for (const [batch, { chunks, end }] of running) {
    end();
    print(`${textOf(chunks).trimEnd()}\n== ${batch.name}: not done at ${signal}\n`);
    failures.push(`${batch.name}: not done at ${signal}`);
    total.failed++;
  }
  finish();
}

/** Runs batches, so many at a time. */
async function runLanes(count: number, batches: Batch[]): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      await run(batch);
    }
  };
  await Promise.all(Array.from({ length: count }, lane));
}

/** Runs all batches in their order, two of each list at a time; idle lanes help out. */
async function runBoth(one: Batch[], other: Batch[]): Promise<void> {
  const lane = async (first: Batch[], second: Batch[]): Promise<void> => {
    for (;;) {
      const batch = first.shift() ?? second.shift();
      if (batch === undefined) return;
      await run(batch);
    }
  };
  await Promise.all([lane(one, other), lane(one, other), lane(other, one), lane(other, one)]);
}

/** Replaces this by one `deno test`. */
async function runOne(args: readonly string[]): Promise<never> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", ...PERMISSIONS, ...args],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  Deno.exit((await child.status).code);
}

function isPath(argument: string, index: number, all: readonly string[]): boolean {
  if (argument.startsWith("-") || all[index - 1] === "--filter") return false;
  try {
    Deno.statSync(argument);
    return true;
  } catch {
    return /[*]|\.ts$/.test(argument);
  }
}

const flags = Deno.args;
if (flags.some(isPath)) await runOne(flags);
if (flags.some((flag) => ONE_PROCESS.test(flag))) {
  const roots = ["tests", "src", "docs/embedding.md"];
  await runOne(["--doc", `--ignore=${ELSEWHERE.join(",")}`, ...flags, ...roots]);
}
for (const signal of Deno.build.os === "windows" ? [] : ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => interrupted(signal));
}
const types: Batch = { name: "types", args: ["check", "--quiet", "--doc", ...CHECKED] };
const joined: Batch = {
  name: "joining the modules of the server",
  args: [
    ...["run", "--no-check", "--no-prompt", "--allow-read", "--allow-write", "--allow-run"],
    ...["scripts/bundle.ts", TESTED_FOLDER],
  ],
};
/** Beside the first tests, which the modules have to be joined for; a mistake ends all at once. */
const checked = run(types).then((isOk) => {
  if (!isOk) interrupted("a mistake in the types");
});
if (!await run(joined)) finish();
const files = testFiles("tests");
const apart = [...QUIET, ...ALONE];
const missing = apart.filter((path) => !files.includes(path));
if (missing.length > 0) throw new Error(`Cannot run ${missing.join(", ")}: there is no such file`);
const together = files.filter((path) => !apart.includes(path));
const endToEnd = together.filter((path) => path.startsWith("tests/e2e/"));
const isShort = (path: string): boolean => SHORT.some((folder) => path.startsWith(folder));
const others = together.filter((path) => !path.startsWith("tests/e2e/"))
  .toSorted((a, b) => Number(isShort(a)) - Number(isShort(b)));
const examples: Batch = {
  name: "examples in doc comments",
  args: [...testArgs(flags), EXAMPLES],
};
/** What runs in a browser is checked with the types of one. */
const PAGE = "src/server/page/client";
const pageTypes: Batch = {
  name: "types of the live page",
  args: ["check", "--quiet", "--config", `${PAGE}/check.json`, PAGE],
};
// Servers and their clients mostly wait for each other while the rest computes.
await runBoth(
  batchesOf(endToEnd, BATCH_FILES / 2, flags),
  [...batchesOf(others, BATCH_FILES, flags), examples, pageTypes],
);
await checked;
await runLanes(QUIET_LANES, batchesOf(QUIET, 1, flags));
await runLanes(1, batchesOf(ALONE, ALONE_FILES, flags));
finish();
