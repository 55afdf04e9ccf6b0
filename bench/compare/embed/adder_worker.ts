/**
 * A thread that adds to balances of its own accord: in a store, or by asking the thread that has them.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { Store } from "../../../src/embed/portable.ts";
import { depositOf } from "./work.ts";

const { window, warmUpMs, durationMs } = workerData;
/** Operations between two looks at the clock. */
const BATCH = 32;

function addToStore(store: Store, untilMs: number): number {
  let count = 0;
  while (performance.now() < untilMs) {
    for (let i = 0; i < BATCH; i++) {
      const { user, amount } = depositOf(count++);
      store.add(user, amount);
    }
  }
  return count;
}

async function ask(port: MessagePort, untilMs: number): Promise<number> {
  let count = 0;
  const waiting = new Map<number, () => void>();
  port.onmessage = ({ data }: MessageEvent<{ id: number }>) => {
    waiting.get(data.id)!();
    waiting.delete(data.id);
  };
  await Promise.all(Array.from({ length: window }, async () => {
    while (performance.now() < untilMs) {
      const id = count++;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(id, resolve);
      port.postMessage({ id, ...depositOf(id) });
      await promise;
    }
  }));
  return count;
}

parentPort!.on("message", async ({ port }: { port: MessagePort }) => {
  const store = workerData.store && Store.attach(workerData.store);
  const run = (untilMs: number): number | Promise<number> =>
    store ? addToStore(store, untilMs) : ask(port, untilMs);
  await run(performance.now() + warmUpMs);
  const startedMs = performance.now();
  const count = await run(startedMs + durationMs);
  store?.close();
  parentPort!.postMessage(count / (performance.now() - startedMs) * 1000);
});
