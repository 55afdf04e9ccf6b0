/**
 * How much processor time the process has had.
 *
 * @module
 */

/** Processor time since the process started, all threads. Unit: µs. */
export interface ProcessorTime {
  /** In the program. */
  readonly user: number;
  /** In the system, on its behalf. */
  readonly system: number;
}

/**
 * Reads it; 0 where the runtime does not tell.
 *
 * The global is used, not `node:process`, because importing that puts megabytes of type definitions
 * into an executable.
 *
 * Thread: any.
 */
export function processorTime(): ProcessorTime {
  const { process } = globalThis as unknown as { process?: { cpuUsage?(): ProcessorTime } };
  return process?.cpuUsage?.() ?? { user: 0, system: 0 };
}
