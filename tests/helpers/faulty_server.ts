/**
 * A server with something wrong inside, to see how the real one copes: started by tests instead of
 * `main.ts`, with the fault in the environment variable `SLUICE_TEST_FAULT`.
 *
 * @module
 */

import { main } from "../../src/cli/main.ts";
import { processSurroundings } from "../../src/cli/process.ts";
import { runServer } from "../../src/server/run.ts";
import type { StartOptions } from "../../src/server/start.ts";
import { killingOptions } from "./killing_steps.ts";

const fault = Deno.env.get("SLUICE_TEST_FAULT");

const options: StartOptions = fault === "torn_shard"
  // The first worker dies half-way through its first change.
  ? {
    faultPlan: (slotIndex, startCount) => slotIndex + startCount === 1 ? "inCommit:1" : undefined,
  }
  // So does it in the way that a plan says, e.g. `plan sweepLocked:1:exit`.
  : fault?.startsWith("plan ")
  ? {
    faultPlan: (slotIndex, startCount) =>
      slotIndex + startCount === 1 ? fault.slice("plan ".length) : undefined,
  }
  : fault === "io_thread_ends"
  ? {
    startIoWorker: (options) =>
      new Worker(new URL("./mortal_io_worker.ts", import.meta.url), options),
  }
  : fault === "disk"
  ? {
    startLogWorker: (options) =>
      new Worker(new URL("./faulty_log_worker.ts", import.meta.url), options),
    ...killingOptions(Deno.env.get("SLUICE_TEST_STEP")),
  }
  : {};

if (fault === "loose_errors") {
  // Nobody handles these; SIGUSR2 asks for one of each.
  Deno.addSignalListener("SIGUSR2", () => {
    void Promise.reject(new Error("a rejection that nobody handles"));
    setTimeout(() => {
      throw new Error("an error that nobody catches");
    }, 0);
  });
}

Deno.exit(
  await main(Deno.args, {
    ...processSurroundings,
    runServer: (config) => runServer(config, options),
  }),
);
