/**
 * Help for tests of what waits with `Atomics.waitAsync`.
 *
 * @module
 */

/**
 * Has the event loop look for notifications all the time where none would wake it, which is on Deno
 * before 2.9; see wake_tick.ts. What was not notified stays asleep all the same.
 */
export function keepAwake(): Disposable {
  const timer = "locks" in navigator ? undefined : setInterval(() => {}, 0);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
