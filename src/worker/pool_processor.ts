/**
 * A processor of one's own, as its pool has it.
 *
 * @module
 */

import { RESULT_MAX_BYTES } from "../base/limits.ts";
import { ProcessorCounters } from "../metrics/processor_counters.ts";
import type { ProcessorOrders } from "./messages.ts";
import type { WorkerPoolOptions } from "./pool_options.ts";
import type { ThreadStarter } from "./worker_thread.ts";

const DEFAULT_MEMORY_BYTES = 128 * 2 ** 20;

/** What a pool needs of it. Thread: the supervisor. */
export interface PoolProcessor {
  /** What logs call it. */
  readonly name: string;
  /** Jobs that a worker has in hand at once. */
  readonly concurrency: number;
  /** How long a try may take. Unit: ms. */
  readonly timeoutMs: number;
  /** What workers are told. */
  readonly orders: ProcessorOrders;
  /** Where it counts; undefined: it has no counters. */
  readonly counters: ProcessorCounters | undefined;
  /** Starts the isolates that it runs in. */
  readonly startThread: ThreadStarter;
  /** Room for a result in each slot. Unit: bytes. */
  readonly resultBytes: number;
}

/**
 * Looks what is in the module that a pool is to run.
 *
 * @returns undefined: it is to run the built-in processor
 * @throws {ProcessorLoadError} when it is no processor
 */
export async function openPoolProcessor(
  options: WorkerPoolOptions,
): Promise<PoolProcessor | undefined> {
  const { processorUrl: url, processorMemoryBytes: memoryBytes = DEFAULT_MEMORY_BYTES } = options;
  if (url === undefined) return undefined;
  const loaded = options.processor ??
    await (await import("./processor_module.ts")).loadProcessor(url);
  const { name, concurrency, timeoutMs, counters: names } = loaded;
  const counters = options.processorCounters ??
    (names.length === 0 ? undefined : ProcessorCounters.create(options.metrics.threadCount, names));
  const { boundedThreads } = await import("./bounded_thread.ts");
  return {
    name,
    concurrency,
    timeoutMs,
    orders: { url, memoryBytes, counters: counters?.memory },
    counters,
    startThread: boundedThreads(memoryBytes),
    resultBytes: RESULT_MAX_BYTES,
  };
}
