/**
 * Joins the program's modules into few files of JavaScript, from which the executable is made:
 * `build/program/`. Run by itself, it makes the copy whose folder it is told, for tests of servers.
 *
 * Each module by itself costs the running program time and memory: its source, half of which is
 * comments, its map back to TypeScript, its place in the module graph. What is loaded by a dynamic
 * import stays a file of its own, and unused until then.
 *
 * @module
 */

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

/** Where the joined program is, from the root. */
export const PROGRAM_FOLDER = "build/program";

/** What starts the joined program, from {@link PROGRAM_FOLDER}. */
export const PROGRAM_ENTRY = "main.js";

const ROOT = new URL("../", import.meta.url);

/**
 * Where the joined program looks for a worker, from {@link PROGRAM_FOLDER}: who starts it names it
 * as a neighbour, and is at the top now.
 */
export function joinedWorker(entry: string): string {
  return entry.slice(entry.lastIndexOf("/") + 1);
}

/**
 * Joins; ends the process when that fails.
 *
 * @param into folder that is made anew, from the root
 */
export async function bundle(into: string = PROGRAM_FOLDER): Promise<void> {
  const folder = new URL(`${into}/`, ROOT);
  // Names have a hash of what is inside: files of an earlier program would stay.
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--platform", "deno", "--code-splitting", "--minify"],
      ...["--outdir", into, "main.ts", ...WORKER_ENTRIES],
    ],
    cwd: ROOT,
  }).spawn().status;
  if (!success) Deno.exit(1);
  for (const entry of WORKER_ENTRIES) {
    const target = entry.replace(/\.ts$/, ".js");
    await Deno.writeTextFile(new URL(joinedWorker(entry), folder), `import "./${target}";\n`);
  }
}

if (import.meta.main) await bundle(Deno.args[0]);
