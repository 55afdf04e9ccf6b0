/**
 * The lab in a real process: its stages, its servers, its terminal, its signals.
 *
 * @module
 */

import { thisProgram } from "../lab/child/program.ts";
import { STAGES } from "../lab/stages/all.ts";
import { runSweep, SWEEP_EXPECTED_SECONDS } from "../lab/sweep/run_sweep.ts";
import { standardErrorOutput } from "../lab/terminal/progress.ts";
import { environmentName, FLAGS } from "./flags.ts";
import { LAB_SIGNALS, type LabSignal, type LabSurroundings, runLabOrder } from "./lab.ts";
import type { LabOrder } from "./lab_flags.ts";

/** A second signal this long after the first means: at once. Unit: ms. */
const IMPATIENT_MS = 250;

/**
 * Runs what was ordered.
 *
 * Thread: the main isolate.
 *
 * @param streams where texts go
 * @param replaced what tests have otherwise
 * @returns the exit code
 */
export function runLabHere(
  order: LabOrder,
  streams: Pick<LabSurroundings, "print" | "complain">,
  replaced: Partial<LabSurroundings> = {},
): Promise<number> {
  const variables = FLAGS.map(({ name }) => environmentName(name));
  return runLabOrder(order, {
    ...streams,
    progress: standardErrorOutput(),
    isColourful: Deno.stdout.isTerminal() && !Deno.noColor,
    program: thisProgram(new URL("../../main.ts", import.meta.url).href, variables),
    stages: STAGES,
    sweep: {
      expectedSeconds: SWEEP_EXPECTED_SECONDS,
      run: (context) => runSweep(context),
    },
    renderReport: async (report) => {
      const { renderReport } = await import("../lab/report/html.ts");
      return await renderReport(report);
    },
    onSignal: listenForSignals,
    ...replaced,
  });
}

function listenForSignals(handler: (signal: LabSignal) => void): Disposable {
  let firstAtMs: number | null = null;
  const listeners = Object.entries(LAB_SIGNALS).map(([name, exitCode]) => {
    const signal = name as LabSignal;
    const listener = (): void => {
      firstAtMs ??= performance.now();
      // The servers notice by themselves: their standard input ends.
      if (performance.now() - firstAtMs > IMPATIENT_MS) Deno.exit(exitCode);
      handler(signal);
    };
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  return {
    [Symbol.dispose]: () => {
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
