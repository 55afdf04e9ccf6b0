/**
 * This program itself, as something to start: the lab's servers are child processes of it.
 *
 * @module
 */

import { V8_FLAGS } from "../../base/v8_flags.ts";

/** How to start this program. */
export interface ServerProgram {
  /** The executable: this program's own, or Deno's. */
  readonly path: string;
  /** What comes before `serve` and its flags. */
  readonly args: readonly string[];
  /** What its environment has more than ours, or other than ours. */
  readonly env: Readonly<Record<string, string>>;
}

/** What a server may do; the same as in the task `start`. */
const PERMISSIONS = ["--no-prompt", "--allow-net", "--allow-read", "--allow-env=SLUICE_*"];

/**
 * This program.
 *
 * The environment is inherited, because Deno finds its caches through it; only what would change
 * the servers is emptied, which to a server means not set.
 *
 * Thread: the main isolate.
 *
 * @param mainModule address of `main.ts`, which only the program run from its source needs
 * @param variables names of the environment variables that a server reads
 */
export function thisProgram(mainModule: string, variables: readonly string[]): ServerProgram {
  const args = Deno.build.standalone
    ? []
    : ["run", `--v8-flags=${V8_FLAGS}`, ...PERMISSIONS, mainModule];
  return {
    path: Deno.execPath(),
    args,
    env: Object.fromEntries(variables.map((name) => [name, ""])),
  };
}
