/**
 * Makes the executable: `deno task compile`.
 *
 * Arguments are passed on to `deno compile`, e.g. `--target aarch64-apple-darwin`; `--output` says
 * where else than to `dist/sluice` it goes.
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
  "src/lab/crew/crew_worker.ts",
  "src/lab/load/pacer_worker.ts",
];

/**
 * What the executable may do.
 *
 * Where it listens, and which files it reads (the password's), is known only when it is started.
 * It writes no files, starts no programs and loads no code but its own.
 */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-env=SLUICE_*",
  "--deny-import",
];

/**
 * Folders of npm packages that the program never reads, below the cache of npm packages; `*` is any
 * one name. Packages are embedded whole, and every file in them is parsed.
 */
const LEFT_OUT: readonly string[] = [
  // Of tests and benches only: fast-check, find-my-way, hono, ioredis, iovalkey, playwright-core,
  // redis and ws, with what they need.
  "*/fast-check/*",
  "*/pure-rand/*",
  "*/find-my-way/*",
  "*/fast-decode-uri-component/*",
  "*/fast-deep-equal/*",
  "*/fast-querystring/*",
  "*/ret/*",
  "*/safe-regex2/*",
  "*/hono/*",
  "*/playwright-core/*",
  "*/ioredis/*",
  "*/@ioredis/*/*",
  "*/iovalkey/*",
  "*/@iovalkey/*/*",
  "*/redis/*",
  "*/@redis/*/*",
  "*/cluster-key-slot/*",
  "*/debug/*",
  "*/denque/*",
  "*/lodash.defaults/*",
  "*/lodash.isarguments/*",
  "*/ms/*",
  "*/redis-errors/*",
  "*/redis-parser/*",
  "*/standard-as-callback/*",
  "*/ws/*",
];

const ROOT = new URL("../", import.meta.url);

async function deno(args: readonly string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    stderr: "inherit",
  });
  const { success, stdout } = await command.output();
  if (!success) Deno.exit(1);
  return new TextDecoder().decode(stdout);
}

async function npmCacheFolder(): Promise<string> {
  return JSON.parse(await deno(["info", "--json"])).npmCache;
}

async function foldersLike(folder: string, pattern: readonly string[]): Promise<string[]> {
  const [name, ...rest] = pattern;
  if (name === undefined) return [folder];
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (!entry.isDirectory || (name !== "*" && name !== entry.name)) continue;
    found.push(...await foldersLike(`${folder}/${entry.name}`, rest));
  }
  return found;
}

/** Compiles; ends the process with the compiler's exit code. */
async function compile(args: readonly string[]): Promise<never> {
  // The packages must be there for their folders to be found.
  await deno(["install", "--frozen", "--quiet"]);
  const npmCache = await npmCacheFolder();
  const leftOut = await Promise.all(LEFT_OUT.map((path) => foldersLike(npmCache, path.split("/"))));
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--frozen",
      // Otherwise the first run writes a cache into the folder for temporary files.
      "--no-code-cache",
      // A third less memory at 1,000 connections, and no slower; and garbage is not let pile up to
      // twice of what lives, which under attack was another 40 MiB.
      "--v8-flags=--max-semi-space-size=2,--heap-growing-percent=50",
      ...PERMISSIONS,
      ...WORKER_ENTRIES.flatMap((path) => ["--include", path]),
      ...leftOut.flat().flatMap((path) => ["--exclude", path]),
      ...(args.includes("--output") ? [] : ["--output", "dist/sluice"]),
      ...args,
      "main.ts",
    ],
    cwd: ROOT,
  }).spawn().status;
  Deno.exit(code);
}

if (import.meta.main) await compile(Deno.args);
