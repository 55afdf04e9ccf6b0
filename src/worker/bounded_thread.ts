/**
 * Isolates whose memory is bounded: V8 ends one that goes beyond, and not the process.
 *
 * Loaded only where a processor of one's own runs.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { HEAP_ROOM_BYTES } from "./heap_watch.ts";
import type { WorkerMessage } from "./messages.ts";
import type { ThreadStarter } from "./worker_thread.ts";

const MIB = 2 ** 20;

/**
 * Makes a starter of isolates with so much memory.
 *
 * On a runtime that knows no such bounds (Deno 2.4) they have none.
 */
export function boundedThreads(memoryBytes: number): ThreadStarter {
  const maxOldGenerationSizeMb = Math.ceil((memoryBytes + HEAP_ROOM_BYTES) / MIB);
  return (name, listener) => {
    // Literal, so that bundlers and `deno compile` find the module.
    const worker = new Worker(new URL("./worker_main.ts", import.meta.url), {
      name,
      resourceLimits: { maxOldGenerationSizeMb },
    });
    let isHeard = true;
    worker.on("message", (message: WorkerMessage) => {
      if (isHeard) listener.onMessage(message);
    });
    worker.on("error", (error: unknown) => {
      if (isHeard) listener.onError(error instanceof Error ? error.message : String(error));
    });
    worker.on("messageerror", () => listener.onError("a message of it cannot be read"));
    return {
      order: (orders) => worker.postMessage(orders),
      terminate: () => {
        isHeard = false;
        void worker.terminate();
      },
    };
  };
}
