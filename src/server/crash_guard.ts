/**
 * Keeps errors that nobody caught from ending the process.
 *
 * @module
 */

/**
 * Handles every unhandled rejection and uncaught error of this isolate until disposed.
 *
 * A connection's mistake must not end everybody's server (P4). What could leave the store half
 * changed does not get here: it poisons its lock, and the server stops because of that.
 *
 * Thread: main isolate.
 *
 * @param onError told of each; logs and counts it
 */
export function guardAgainstCrashes(onError: (error: unknown) => void): Disposable {
  const onRejection = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    onError(event.reason);
  };
  const onUncaught = (event: ErrorEvent): void => {
    event.preventDefault();
    onError(event.error);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onUncaught);
  return {
    [Symbol.dispose](): void {
      globalThis.removeEventListener("unhandledrejection", onRejection);
      globalThis.removeEventListener("error", onUncaught);
    },
  };
}
