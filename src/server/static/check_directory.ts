/**
 * The check of `--static-dir` at start.
 *
 * @module
 */

import type { Config } from "../config.ts";
import { StartError } from "../start_error.ts";

/**
 * Checks that the directory is one and can be read.
 *
 * Thread: main isolate, at start.
 *
 * @throws {StartError} when it is not
 */
export async function checkStaticDirectory(
  { staticDir }: Pick<Config, "staticDir">,
): Promise<void> {
  if (staticDir === "") return;
  const problem = await findProblem(staticDir);
  if (problem === undefined) return;
  throw new StartError(`Cannot serve files from ${staticDir}: ${problem}; check --static-dir`);
}

async function findProblem(path: string): Promise<string | undefined> {
  try {
    if (!(await Deno.stat(path)).isDirectory) return "it is not a directory";
    await Deno.realPath(path);
    // The first entry, or none, is enough.
    for await (const _ of Deno.readDir(path)) break;
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "there is no such directory";
    if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
    if (error instanceof Deno.errors.NotCapable) return "the runtime lacks --allow-read";
    return error instanceof Error ? error.message : String(error);
  }
}
