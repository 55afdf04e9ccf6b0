/**
 * Makes an event loop notice what other threads tell it, where the runtime does not.
 *
 * A notification that meets an `Atomics.waitAsync` wakes the event loop of Deno 2.9. On Deno 2.4, which
 * compiled binaries may be based on, a loop that sleeps goes on sleeping until something else wakes
 * it (seen: 5 s, until the next timer); the promise is resolved then. Locks, inboxes and the fault
 * signal all rely on being woken.
 *
 * @module
 */

/** Longest time that a notification goes unnoticed where the runtime does not wake up. Unit: ms. */
const TICK_MS = 10;

/**
 * Keeps the event loop of this isolate awake enough, until disposed; does nothing on a runtime that
 * needs no help.
 *
 * Thread: one that waits with `Atomics.waitAsync`.
 *
 * @param needsHelp for tests; default: on runtimes without Web Locks, which came after the cure
 */
export function tickForNotifications(needsHelp: boolean = !("locks" in navigator)): Disposable {
  const timer = needsHelp ? setInterval(() => {}, TICK_MS) : undefined;
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
