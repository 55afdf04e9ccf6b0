/**
 * Waiting, but not for ever, and not when the lab is to end.
 *
 * @module
 */

/** What {@link within} gives when the time is over. */
export const LATE = Symbol("late");

/**
 * Waits so long.
 *
 * @throws the signal's reason as soon as it is aborted
 */
export async function pause(timeMs: number, signal: AbortSignal): Promise<void> {
  await within(Promise.withResolvers<never>().promise, timeMs, signal);
}

/**
 * Waits for a promise, at most so long; the promise goes on, and its failure is ours only in time.
 *
 * @throws the signal's reason as soon as it is aborted; what the promise is rejected with
 */
export async function within<T>(
  promise: Promise<T>,
  timeMs: number,
  signal: AbortSignal,
): Promise<T | typeof LATE> {
  signal.throwIfAborted();
  const over = Promise.withResolvers<typeof LATE>();
  const timer = setTimeout(() => over.resolve(LATE), timeMs);
  const onAbort = (): void => over.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    promise.catch(() => {});
    return await Promise.race([promise, over.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
