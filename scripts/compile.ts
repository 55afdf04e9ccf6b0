/**
 * Makes the executable: `deno task compile`.
 *
 * Arguments are passed on to `deno compile`, e.g. `--target aarch64-apple-darwin`; `--output` says
 * where else than to `dist/sluice` it goes. `--bundled`: `build/program/` is there already.
 *
 * @module
 */

import { V8_FLAGS } from "../src/base/v8_flags.ts";
import { bundle, joinedWorker, PROGRAM_ENTRY, PROGRAM_FOLDER, WORKER_ENTRIES } from "./bundle.ts";

/**
 * What the executable may do.
 *
 * Where it listens, and which files it reads (the password's), is known only when it is started.
 * It loads no code but its own. Only `sluice lab` starts programs, itself namely, and writes files;
 * everything else gives up both for good before it does anything. `ffi` is for one call of the C
 * library, and given up right after it (src/cli/allocator.ts).
 */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-ffi",
  "--allow-env=SLUICE_*",
  "--deny-import",
];

const ROOT = new URL("../", import.meta.url);

/** The packages must be there, as the lock file has them. */
async function install(): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--frozen", "--quiet"],
    cwd: ROOT,
  }).spawn().status;
  if (!success) Deno.exit(1);
}

/** Compiles; ends the process with the compiler's exit code. */
async function compile(args: readonly string[]): Promise<never> {
  if (!args.includes("--bundled")) {
    await install();
    await bundle();
  }
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      // All that the program needs is joined: neither packages nor settings are looked for.
      "--no-config",
      // Otherwise the first run writes a cache into the folder for temporary files.
      "--no-code-cache",
      `--v8-flags=${V8_FLAGS}`,
      ...PERMISSIONS,
      ...WORKER_ENTRIES.flatMap((entry) => ["--include", inProgram(joinedWorker(entry))]),
      ...(args.includes("--output") ? [] : ["--output", "dist/sluice"]),
      ...args.filter((word) => word !== "--bundled"),
      inProgram(PROGRAM_ENTRY),
    ],
    cwd: ROOT,
  }).spawn().status;
  Deno.exit(code);
}

function inProgram(path: string): string {
  return `${PROGRAM_FOLDER}/${path}`;
}

if (import.meta.main) await compile(Deno.args);
