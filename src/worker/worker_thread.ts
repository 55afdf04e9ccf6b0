/**
 * The isolates that event workers run in, as their supervisor has them: two kinds, one shape.
 *
 * @module
 */

import type { WorkerMessage, WorkerOrders } from "./messages.ts";

/** Who hears of a {@link WorkerThread}. */
export interface ThreadListener {
  /** It says something. */
  onMessage(message: WorkerMessage): void;
  /** An exception ended it. */
  onError(message: string): void;
}

/** An isolate. Thread: the supervisor. */
export interface WorkerThread {
  /** Tells it what to do; once. */
  order(orders: WorkerOrders): void;
  /** Lets go of it. Where it runs on, that is not heard of. */
  terminate(): void;
}

/** Starts isolates of one kind. */
export type ThreadStarter = (name: string, listener: ThreadListener) => WorkerThread;

/** Starts a plain worker. */
export function startPlainThread(name: string, listener: ThreadListener): WorkerThread {
  // Literal, so that bundlers and `deno compile` find the module.
  const worker = new Worker(new URL("./worker_main.ts", import.meta.url), {
    type: "module",
    name,
  });
  worker.onmessage = (event: MessageEvent<WorkerMessage>) => listener.onMessage(event.data);
  worker.onerror = (event) => {
    // Otherwise the error would end the whole process.
    event.preventDefault();
    listener.onError(event.message);
  };
  worker.onmessageerror = () => listener.onError("a message of it cannot be read");
  return {
    order: (orders) => worker.postMessage(orders),
    terminate: () => {
      worker.onmessage = null;
      worker.terminate();
    },
  };
}
