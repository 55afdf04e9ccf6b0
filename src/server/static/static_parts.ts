/**
 * Files, from the settings: each thread's part.
 *
 * With all it needs it is loaded when there is a directory to serve.
 *
 * @module
 */

import type { CounterSink } from "../../command/counters.ts";
import type { Compressor } from "../compressor.ts";
import type { Config } from "../config.ts";
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
 * Makes what answers `/static/`.
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
): StaticFiles {
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
