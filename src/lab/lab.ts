/**
 * A run of the lab: stages one after the other, with a bar while each of them works.
 *
 * @module
 */

import type { ServerProgram } from "./child/program.ts";
import { readMachineFacts } from "./machine.ts";
import { LAB_REPORT_VERSION, type LabReport, type StageReport, type SweepReport } from "./model.ts";
import type { Stage, StageContext } from "./stage.ts";
import { Progress, type ProgressOutput } from "./terminal/progress.ts";

/** How often the bar moves. Unit: ms. */
const TICK_MS = 100;

/** A bar that goes by the time stops here until the work is done. */
const NEARLY_DONE = 0.99;

/** Measures throughput by workers, shards and lock. */
export interface Sweep {
  /** How long it takes on a machine with two processors. Unit: s. */
  readonly expectedSeconds: number;
  /** Runs it. */
  run(context: StageContext): Promise<SweepReport>;
}

/** What is run, and with what. */
export interface LabOptions {
  /** In the order in which they run. */
  readonly stages: readonly Stage[];
  /** Run behind the stages; null = not. */
  readonly sweep: Sweep | null;
  /** How to start servers. */
  readonly program: ServerProgram;
  /** Version of this program. */
  readonly version: string;
  /** Ends the lab. */
  readonly signal: AbortSignal;
  /** Where the bars are. */
  readonly output: ProgressOutput;
  /** Told about each stage when it is over, with no bar on the terminal. */
  onStage(report: StageReport): void | Promise<void>;
  /** The same about the sweep, or why it could not be done. */
  onSweep(sweep: SweepReport | Error): void | Promise<void>;
}

/**
 * Runs stages. One that cannot run is reported as one that did not show what it must.
 *
 * Thread: the main isolate. Nothing that it started is there when it returns or throws.
 *
 * @throws the signal's reason when it is aborted
 */
export async function runLab(options: LabOptions): Promise<LabReport> {
  const startedAt = new Date().toISOString();
  const startedAtMs = performance.now();
  const stages: StageReport[] = [];
  for (const stage of options.stages) {
    const report = await runStage(stage, stages, options);
    stages.push(report);
    await options.onStage(report);
  }
  const sweep = await runSweep(stages, options);
  return {
    version: LAB_REPORT_VERSION,
    startedAt,
    machine: await readMachineFacts(options.version),
    stages,
    sweep,
    durationMs: performance.now() - startedAtMs,
  };
}

async function runStage(
  stage: Stage,
  earlier: readonly StageReport[],
  options: LabOptions,
): Promise<StageReport> {
  const { number, title, expectedSeconds } = stage;
  const startedAtMs = performance.now();
  try {
    return await withBar(
      `stage ${String(number).padStart(2)}`,
      expectedSeconds,
      earlier,
      options,
      (context) => stage.run(context),
    );
  } catch (error) {
    options.signal.throwIfAborted();
    const seen = error instanceof Error ? error.message : String(error);
    return {
      stage: number,
      title,
      lesson: "",
      server: "",
      load: "",
      rows: [],
      checks: [{ what: "the stage", expected: "runs to its end", seen, passed: false }],
      series: {},
      durationMs: performance.now() - startedAtMs,
    };
  }
}

async function runSweep(
  earlier: readonly StageReport[],
  options: LabOptions,
): Promise<SweepReport | null> {
  const { sweep } = options;
  if (sweep === null) return null;
  try {
    const report = await withBar(
      "sweep",
      sweep.expectedSeconds,
      earlier,
      options,
      (context) => sweep.run(context),
    );
    await options.onSweep(report);
    return report;
  } catch (error) {
    options.signal.throwIfAborted();
    await options.onSweep(error instanceof Error ? error : new Error(String(error)));
    return null;
  }
}

/** Works with a bar on the terminal, which goes by the time where the work does not say more. */
async function withBar<Result>(
  title: string,
  expectedSeconds: number,
  earlier: readonly StageReport[],
  { program, signal, output }: LabOptions,
  work: (context: StageContext) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  using progress = new Progress(title, output);
  const startedAtMs = output.nowMs();
  let told: number | null = null;
  let note = "";
  const tick = (): void => {
    const elapsed = (output.nowMs() - startedAtMs) / 1000 / expectedSeconds;
    progress.show(told ?? Math.min(elapsed, NEARLY_DONE), note);
  };
  const timer = setInterval(tick, TICK_MS);
  try {
    return await work({
      signal,
      output,
      program,
      earlier,
      show: (share, text = "") => {
        told = share;
        note = text;
      },
      tell: (text) => void (note = text),
    });
  } finally {
    clearInterval(timer);
  }
}
