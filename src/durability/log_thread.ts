/**
 * Starts the log's thread.
 *
 * @module
 */

import type { LogMessage, LogOrders } from "./log_life.ts";

/** Makes the worker; tests put one in its place whose disk fails. */
export type LogWorkerStarter = (options: WorkerOptions) => Worker;

function startWorker(options: WorkerOptions): Worker {
  // Literal, and beside this file, so that bundlers and `deno compile` find the module.
  return new Worker(new URL("./log_main.ts", import.meta.url), options);
}

/**
 * Starts it; it tells `open` when it takes what threads put in, or `died`.
 *
 * Thread: the one that starts the server.
 *
 * @param onMessage told of everything it says
 * @param onError told when it ended with an error that it could not say
 */
export function startLogThread(
  orders: LogOrders,
  onMessage: (message: LogMessage) => void,
  onError: (text: string) => void,
  start: LogWorkerStarter = startWorker,
): Worker {
  const worker = start({ type: "module", name: "log" });
  worker.onmessage = ({ data }: MessageEvent<LogMessage>) => onMessage(data);
  worker.onerror = (event) => {
    event.preventDefault();
    onError(event.message);
  };
  worker.postMessage(orders);
  return worker;
}
