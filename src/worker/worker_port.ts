/// <reference lib="deno.worker" />
/**
 * How a worker and its supervisor hear of each other, in either kind of worker.
 *
 * The built-in processor runs in a plain `Worker`. A processor of one's own runs in a worker of
 * `node:worker_threads`, because those alone can be given a bound on their memory; they have no `self`.
 *
 * @module
 */

import type { WorkerMessage, WorkerOrders } from "./messages.ts";

/** Thread: a worker. */
export interface WorkerPort {
  /** Tells the supervisor something. */
  tell(message: WorkerMessage): void;
  /** Ends this isolate at once. */
  end(): void;
}

/** Has `live` called with what the supervisor orders, once. Thread: a worker, once. */
export async function openPort(
  live: (orders: WorkerOrders, port: WorkerPort) => Promise<void>,
): Promise<void> {
  if (typeof self !== "undefined") {
    const port: WorkerPort = {
      tell: (message) => self.postMessage(message),
      end: () => self.close(),
    };
    self.onmessage = (event: MessageEvent<WorkerOrders>) => live(event.data, port);
    return;
  }
  const { parentPort } = await import("node:worker_threads");
  // Kept: the processor may put something else there.
  const { exit } = Deno;
  const port: WorkerPort = {
    tell: (message) => parentPort!.postMessage(message),
    end: () => exit(0),
  };
  parentPort!.on("message", (orders: WorkerOrders) => void live(orders, port));
}
