/**
 * Runs the program with a server that tries what servers may not do, in its main isolate and in a
 * worker, and prints what came of it.
 *
 * @module
 */

import { main } from "../../../src/cli/main.ts";
import { processSurroundings } from "../../../src/cli/process.ts";
import { tryPowers } from "./powers.ts";

async function inWorker(): Promise<unknown> {
  const worker = new Worker(new URL("./powers_worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve } = Promise.withResolvers<unknown>();
  worker.onmessage = ({ data }) => resolve(data);
  const powers = await promise;
  worker.terminate();
  return powers;
}

const before = await tryPowers();
Deno.exit(
  await main(["serve"], {
    ...processSurroundings,
    runServer: async () => {
      const powers = { before, main: await tryPowers(), worker: await inWorker() };
      await processSurroundings.print(JSON.stringify(powers));
      return 0;
    },
  }),
);
