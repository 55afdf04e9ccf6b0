/**
 * Files, from the settings: the check at start and each thread's part.
 *
 * @module
 */

import type { CounterSink } from "../../command/counters.ts";
import type { Compressor } from "../compressor.ts";
import type { Config } from "../config.ts";
import { StartError } from "../start_error.ts";
import { StaticDirectory } from "./directory.ts";
import { StaticFiles } from "./static_files.ts";

/**
 * Files that may be open at a time, over all threads.
 *
 * Reason: a connection needs one at a time, so this is enough for the usual number of them. Each is
 * a descriptor; where the system has fewer, it says so, and the request is refused for the moment.
 * Only files too large for the memory are open for longer than a read.
 */
const OPEN_FILES_MAX = 1024;

/**
 * Makes what answers `/static/`; undefined when there is no directory.
 *
 * Each I/O thread has its own share of the memory: nothing has to be agreed on, and a site that
 * fits is read once per thread.
 *
 * Thread: the I/O thread that will serve it.
 */
export function createStaticFiles(
  config: Config,
  counters: CounterSink,
  compressor: Compressor,
): StaticFiles | undefined {
  if (config.staticDir === "") return undefined;
  const { ioThreads } = config;
  return new StaticFiles({
    directory: new StaticDirectory(
      config.staticDir,
      Math.max(Math.floor(OPEN_FILES_MAX / ioThreads), 16),
    ),
    cacheBytes: Math.floor(config.staticCacheBytes / ioThreads),
    cacheTtlMs: config.staticCacheTtlMs,
    maxAgeMs: config.staticMaxAgeMs,
    compressor,
    counters,
  });
}

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
