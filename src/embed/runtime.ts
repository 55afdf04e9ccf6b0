/**
 * What Deno and Node.js have under different names, found without naming either of them; and sleep.
 *
 * ```text
 * 0   u32  never changes, and nobody notifies it: who waits for it sleeps until the time is over
 * ```
 *
 * @module
 */

/** The part of `process` that is used; Deno has it as well. */
interface ProcessLike {
  getBuiltinModule?(name: string): unknown;
}

/** A timer that may be told not to keep the process alive. */
interface Timer {
  unref(): void;
}

interface Timers {
  setInterval(callback: () => void, intervalMs: number): Timer;
  clearInterval(timer: Timer): void;
}

function builtin<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: ProcessLike };
  return process?.getBuiltinModule?.(name) as T | undefined;
}

/**
 * Whether this thread may hold a Web Lock for life, to show that it lives.
 *
 * Not on the main thread of Deno, and not in its workers of `node:worker_threads`: they would not end.
 */
export const mayHoldLocks: boolean = "WorkerGlobalScope" in globalThis ||
  (!("Deno" in globalThis) &&
    builtin<{ isMainThread: boolean }>("node:worker_threads")?.isMainThread === false);

/**
 * Has `callback` called again and again, as long as something else keeps the process alive.
 *
 * @returns what ends it
 */
export function repeatInBackground(callback: () => void, intervalMs: number): () => void {
  const timers = builtin<Timers>("node:timers");
  if (timers === undefined) {
    const timer = setInterval(callback, intervalMs);
    return () => clearInterval(timer);
  }
  const timer = timers.setInterval(callback, intervalMs);
  timer.unref();
  return () => timers.clearInterval(timer);
}

/**
 * How often the event loop must turn for `Atomics.waitAsync` to end in time. Unit: ms.
 *
 * Reason: Deno before 2.9, which has no Web Locks, looks for ended waits only when it turns anyway.
 * Elsewhere any number will do: the timer only keeps the thread alive.
 */
export const WAIT_TICK_MS: number = "Deno" in globalThis &&
    (globalThis as { navigator?: { locks?: unknown } }).navigator?.locks === undefined
  ? 5
  : 2 ** 30;

/** What timers can do; they end at once for more. Unit: ms. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1;

const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread. */
export function sleep(durationMs: number): void {
  Atomics.wait(NEVER, 0, 0, durationMs);
}
