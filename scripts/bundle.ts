/**
 * Joins the program's modules into few files of JavaScript: `build/program/`, from which the
 * executable is made. Run by itself, it makes the folder that it is told: `build/server/`, which
 * `deno task start` runs, and the copy for tests of servers.
 *
 * Each module by itself costs the running program time and memory: its source, half of which is
 * comments, its map back to TypeScript, its place in the module graph. What is loaded by a dynamic
 * import stays a file of its own, and unused until then. The maps are files, too, which the runtime
 * reads when it shows where an error came from; the executable has none, because the runtime would
 * look for them on disk, in the folder for temporary files.
 *
 * @module
 */

import { V8_FLAGS } from "../src/base/v8_flags.ts";

/**
 * Modules that run in workers. A worker is not found from `main.ts`, and one that is missing from
 * the executable would be looked for on disk, in the folder for temporary files.
 */
export const WORKER_ENTRIES: readonly string[] = [
  "src/worker/worker_main.ts",
  "src/server/io_worker_main.ts",
  "src/durability/log_main.ts",
  "src/lab/crew/crew_worker.ts",
  "src/lab/load/pacer_worker.ts",
  "src/lab/servers/one_at_a_time.ts",
  "src/lab/servers/task_each.ts",
  "src/lab/servers/work_under_lock.ts",
];

/**
 * What else is in {@link TESTED_FOLDER}: what workers are that tests start in their own process, see
 * {@link testedImports}, and a server with faults, with its workers.
 */
const TESTED_LIVES: readonly string[] = [
  "src/worker/worker_life.ts",
  "src/worker/worker_port.ts",
  "src/server/io_worker_life.ts",
  "src/durability/log_life.ts",
];
const FAULTY_SERVER = "tests/helpers/faulty_server.ts";
const FAULTY_WORKERS: readonly string[] = [
  "tests/helpers/mortal_io_worker.ts",
  "tests/helpers/faulty_log_worker.ts",
];

/** Workers of tests that load the commands, or the store; those of twins have modules of their own. */
const TEST_WORKERS: readonly string[] = [
  "tests/stress/command_worker.ts",
  "tests/stress/store_worker.ts",
  "tests/unit/command/exec_worker.ts",
  "tests/unit/command/long_changes_worker.ts",
];

/** Entries of workers that have nothing of their own but a life of {@link TESTED_LIVES}. */
const LIVING: readonly string[] = [
  "src/worker/worker_main.ts",
  "src/server/io_worker_main.ts",
  "src/durability/log_main.ts",
  "tests/unit/server/asking_io_worker.ts",
];

/** Where the joined program is, from the root. */
export const PROGRAM_FOLDER = "build/program";

/** Where the copy is that tests of servers start, from the root. */
export const TESTED_FOLDER = "build/tested";

/** An import map with which workers that tests start have joined modules, from the root. */
export const TESTED_IMPORTS = `${TESTED_FOLDER}/imports.json`;

/** What starts the joined program, from {@link PROGRAM_FOLDER}. */
export const PROGRAM_ENTRY = "main.js";

const ROOT = new URL("../", import.meta.url);

/** Said below what the runtime says. */
const NOT_JOINED =
  "The modules could not be joined, for the reason above (the first time, a bundler is downloaded). " +
  "`deno task dev` runs them as they are.\n";

/**
 * Where the joined program looks for a worker, from {@link PROGRAM_FOLDER}: who starts it names it
 * as a neighbour, and is at the top now.
 */
export function joinedWorker(entry: string): string {
  return entry.slice(entry.lastIndexOf("/") + 1);
}

/** A folder beside the program that is older was left behind by a build that was killed. Unit: ms. */
const LEFT_BEHIND_MS = 10 * 60_000;

/**
 * Joins; ends the process when that fails.
 *
 * @param into folder that is made anew, from the root
 */
export async function bundle(into: string = PROGRAM_FOLDER): Promise<void> {
  // Beside it first: for a moment only there is neither the program of before nor the new one. Maps have
  // paths from their folder, so this one is as deep.
  const fresh = `${into}.${Deno.pid}`;
  await removeLeftBehind(into);
  const maps = into === PROGRAM_FOLDER ? [] : ["--sourcemap", "linked"];
  const tested = into === TESTED_FOLDER
    ? [...TESTED_LIVES, FAULTY_SERVER, ...FAULTY_WORKERS, ...TEST_WORKERS]
    : [];
  // For `deno` the bundler puts a `require` of Node.js into every thread, 6 MB each, for whoever may
  // want it, and takes the parts of libraries that import `node:util`. Nobody here does.
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--platform", "browser", "--code-splitting", "--minify"],
      ...[...maps, "--outdir", fresh, "main.ts", ...WORKER_ENTRIES, ...tested],
    ],
    cwd: ROOT,
  }).spawn().status;
  if (!success) {
    await Deno.stderr.write(new TextEncoder().encode(NOT_JOINED));
    Deno.exit(1);
  }
  const freshFolder = new URL(`${fresh}/`, ROOT);
  for (const entry of WORKER_ENTRIES) {
    const target = entry.replace(/\.ts$/, ".js");
    await Deno.writeTextFile(new URL(joinedWorker(entry), freshFolder), `import "./${target}";\n`);
  }
  if (into === TESTED_FOLDER) {
    for (const entry of FAULTY_WORKERS) {
      const target = joinedWorker(entry).replace(/\.ts$/, ".js");
      await Deno.writeTextFile(new URL(entry, freshFolder), `import "./${target}";\n`);
    }
    await Deno.writeTextFile(
      new URL(joinedWorker(TESTED_IMPORTS), freshFolder),
      await testedImports(),
    );
  }
  await putInPlace(freshFolder, new URL(`${into}/`, ROOT));
}

/**
 * The import map {@link TESTED_IMPORTS}: what `deno.json` says, and joined lives for {@link LIVING}, which
 * from single modules take three times as long to start. The tests themselves have single modules.
 */
async function testedImports(): Promise<string> {
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const packages = Object.entries<string>(config.imports);
  // What `deno.json` says of a package goes for its parts, too; an import map has to say so.
  const imports = Object.fromEntries([
    ...packages,
    ...packages.map(([name, from]) => [`${name}/`, `${from.replace("npm:", "npm:/")}/`]),
  ]);
  const up = "../".repeat(TESTED_IMPORTS.split("/").length - 1);
  const lives = Object.fromEntries(
    TESTED_LIVES.map((path) => [`${up}${path}`, `./${path.replace(/\.ts$/, ".js")}`]),
  );
  const scopes = Object.fromEntries(LIVING.map((path) => [`${up}${path}`, lives]));
  return JSON.stringify({ imports, scopes });
}

/** Removes what builds that were killed have left beside `into`; one that is under way is younger. */
export async function removeLeftBehind(into: string): Promise<void> {
  const parent = new URL("./", new URL(into, ROOT));
  const name = into.slice(into.lastIndexOf("/") + 1);
  const siblings = await Array.fromAsync(Deno.readDir(parent)).catch(() => []);
  for (const sibling of siblings) {
    if (!sibling.name.startsWith(`${name}.`) || !/\.\d+$/.test(sibling.name)) continue;
    const folder = new URL(sibling.name, parent);
    const { mtime } = await Deno.stat(folder).catch(() => ({ mtime: null }));
    if (mtime === null || Date.now() - mtime.getTime() < LEFT_BEHIND_MS) continue;
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

/** Puts a folder where another one may be, also while somebody else does the same. */
async function putInPlace(fresh: URL, folder: URL): Promise<void> {
  for (let attempt = 1;; attempt++) {
    // Names have a hash of what is inside: files of an earlier program would stay.
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    try {
      return await Deno.rename(fresh, folder);
    } catch (error) {
      // The other one was faster.
      if (attempt === 10) throw error;
    }
  }
}

/**
 * Runs the program once, so that the runtime has looked through its modules and compiled them: a
 * server that is the first to start keeps the memory that this took, 75 MB, as long as it runs.
 */
async function warmUp(folder: string): Promise<void> {
  // Should somebody else join the modules meanwhile, this fails; the program is there then, too.
  await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-config", "--no-prompt", "--allow-env=SLUICE_*", `--v8-flags=${V8_FLAGS}`],
      ...[`${folder}/${PROGRAM_ENTRY}`, "--version"],
    ],
    cwd: ROOT,
    stdout: "null",
    stderr: "null",
  }).spawn().status;
}

if (import.meta.main) {
  const folder = Deno.args[0] ?? PROGRAM_FOLDER;
  await bundle(folder);
  // How much memory the first of the servers that tests start has, nobody looks at.
  if (folder !== TESTED_FOLDER) await warmUp(folder);
}
