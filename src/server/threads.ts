/**
 * Which thread has which id.
 *
 * @module
 */

import type { Config } from "./config.ts";

/** Thread id of the main isolate. */
export const MAIN_THREAD_ID = 0;

/**
 * The ids of a server's threads: the main isolate, the I/O threads, the event workers, then the log's thread.
 *
 * Shape: with one I/O thread, which is the main isolate, `{ ioThreadCount: 1, firstIoThreadId: 0,
 * firstWorkerThreadId: 1, … }`; with two, `{ ioThreadCount: 2, firstIoThreadId: 1,
 * firstWorkerThreadId: 3, … }`.
 */
export interface ThreadPlan {
  /** Threads that serve connections. */
  readonly ioThreadCount: number;
  /** Id of the first of them; the others follow. */
  readonly firstIoThreadId: number;
  /** Id of the event worker in slot 0; the others follow. */
  readonly firstWorkerThreadId: number;
  /** Id of the log's thread; with `--data-dir` only. */
  readonly logThreadId: number;
  /** All threads; ids are below it. */
  readonly threadCount: number;
}

/** Hands out the ids. */
export function planThreads(
  config: Pick<Config, "ioThreads" | "workersMax" | "dataDir">,
): ThreadPlan {
  const { ioThreads, workersMax, dataDir } = config;
  const firstIoThreadId = ioThreads === 1 ? MAIN_THREAD_ID : MAIN_THREAD_ID + 1;
  const firstWorkerThreadId = firstIoThreadId + ioThreads;
  return {
    ioThreadCount: ioThreads,
    firstIoThreadId,
    firstWorkerThreadId,
    logThreadId: firstWorkerThreadId + workersMax,
    threadCount: firstWorkerThreadId + workersMax + (dataDir === "" ? 0 : 1),
  };
}
