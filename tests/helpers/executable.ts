/**
 * The executable, made the way `deno task compile` makes it, for tests that run it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const REPOSITORY = new URL("../../", import.meta.url);

/** A compiler with its runtime, for networks where the runtime's own download is out of reach. */
const KIT = "../shared/tools/compile-kit";

/** How long a compilation may take, with what it downloads. Unit: ms. */
const COMPILE_PATIENCE_MS = 90_000;
/** How long the kit may take; the first time it fetches 220 MB. Unit: ms. */
const KIT_PATIENCE_MS = 200_000;

/** What a compiler says that has no base runtime to put the program behind. */
const NO_BASE_RUNTIME = /Setting up base binary|error sending request|dl\.deno\.land|timed out/;

/** What the script does; the types are checked by a task of their own, on the newest version. */
const COMPILE_SCRIPT = [
  ...["run", "--no-prompt", "--no-config", "--allow-read", "--allow-write=build", "--allow-run"],
  "scripts/compile.ts",
];

/** An executable, or why there is none. */
export type Build =
  | {
    readonly kind: "built";
    /** Path of the executable. */
    readonly path: string;
    /** What the compiler said; it lists the files that it embedded. */
    readonly said: string;
    /** Compiles with other arguments of `deno`; returns what the compiler said. */
    compile(args: readonly string[]): Promise<string>;
  }
  | {
    readonly kind: "unavailable";
    /** What was tried, one line. */
    readonly reason: string;
  };

/** How a program ended. */
export interface ProgramEnd {
  /** Exit code; 124 when it was ended for taking too long. */
  readonly code: number;
  /** What it wrote. */
  readonly stdout: string;
  /** What it complained about. */
  readonly stderr: string;
}

/** Runs a program to its end, from the root of the repository. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { env = {}, clearEnv = false, patienceMs = COMPILE_PATIENCE_MS }: {
    readonly env?: Record<string, string>;
    readonly clearEnv?: boolean;
    readonly patienceMs?: number;
  } = {},
): Promise<ProgramEnd> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd: REPOSITORY,
    env,
    clearEnv,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, patienceMs);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return {
    code: late ? 124 : code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr) + (late ? `\ntimed out after ${patienceMs} ms` : ""),
  };
}

/**
 * Makes the executable: by plain `deno compile`, or else by the kit.
 *
 * @param folder an empty folder of the caller's, who removes it
 * @throws when compiling fails for another reason than a missing base runtime
 */
export async function buildExecutable(folder: string): Promise<Build> {
  const path = `${folder}/sluice${Deno.build.os === "windows" ? ".exe" : ""}`;
  const script = [...COMPILE_SCRIPT, "--no-check", "--output", path];
  const plain = await runProgram(Deno.execPath(), script, { env: { NO_COLOR: "1" } });
  if (plain.code === 0) {
    return { kind: "built", path, said: plain.stderr, compile: compileBy(Deno.execPath(), {}) };
  }
  assert.match(plain.stderr, NO_BASE_RUNTIME, "compiling fails only for want of a base runtime");
  const kit = await findKit(folder);
  if (kit.kind === "unavailable") {
    return { ...kit, reason: `the base runtime cannot be downloaded, and ${kit.reason}` };
  }
  const compile = compileBy(kit.deno, kit.env);
  // The version of the kit need not know how to join modules; that was done above.
  return { kind: "built", path, said: await compile([...script, "--bundled"]), compile };
}

function compileBy(
  deno: string,
  env: Record<string, string>,
): (args: readonly string[]) => Promise<string> {
  return async (args) => {
    const end = await runProgram(deno, args, { env: { NO_COLOR: "1", ...env } });
    assert.equal(end.code, 0, end.stderr);
    return end.stderr;
  };
}

async function findKit(folder: string): Promise<
  | { kind: "kit"; deno: string; env: Record<string, string> }
  | { kind: "unavailable"; reason: string }
> {
  const program = fileURLToPath(new URL(KIT, REPOSITORY));
  let end: ProgramEnd;
  try {
    end = await runProgram(program, [], { patienceMs: KIT_PATIENCE_MS });
  } catch {
    return { kind: "unavailable", reason: `there is no ${KIT}` };
  }
  if (end.code !== 0) {
    return { kind: "unavailable", reason: `${KIT} ended with ${end.code}: ${end.stderr.trim()}` };
  }
  const value = (name: string): string =>
    new RegExp(`^${name}=(.*)$`, "m").exec(end.stdout)?.[1] ?? assert.fail(`${KIT} names ${name}`);
  return {
    kind: "kit",
    deno: value("DENO"),
    // Another version of Deno has no business in the caches of this one.
    env: { DENORT_BIN: value("DENORT_BIN"), DENO_DIR: `${folder}/deno_dir` },
  };
}

/**
 * Whether a file is embedded, by the list that the compiler printed: a tree in which a folder that
 * is embedded whole is one line.
 *
 * Shape of the list:
 *
 * ```text
 * sluice
 * ├── main.js (24.3KB)
 * └─┬ src (64KB)
 *   ├── lab/* (13.8KB)
 *   └─┬ worker (12.17KB)
 *     └── worker_main.js (11.91KB)
 * ```
 */
export function embeddedFiles(said: string): (path: string) => boolean {
  const files = new Set<string>();
  const folders: string[] = [];
  const trail: string[] = [];
  for (const line of said.split(/\r?\n/)) {
    const match = /^((?:│ | {2})*)[├└]─([─┬]) (\S+) \(/.exec(line);
    if (match === null) continue;
    const [, indent, branch, name] = match;
    trail.length = indent!.length / 2;
    trail.push(name!);
    const path = trail.join("/");
    if (path.endsWith("/*")) folders.push(path.slice(0, -1));
    else if (branch === "─") files.add(path);
  }
  assert.ok(files.size > 0, `the compiler listed what it embedded:\n${said}`);
  return (path) => files.has(path) || folders.some((folder) => path.startsWith(folder));
}
