/**
 * Sleeping on an I/O thread: a timer that can be cut short.
 *
 * @module
 */

/**
 * Resolves after `durationMs`, or as soon as `signal` is aborted. Never rejects and leaves no timer
 * behind.
 *
 * Thread: any.
 */
export function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    signal?.addEventListener("abort", done);
  });
}
