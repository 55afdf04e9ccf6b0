/**
 * `sluice lab`: runs stages, shows what they found, and writes it.
 *
 * @module
 */

import type { LabReport, StageReport } from "../lab/model.ts";
import type { ServerProgram } from "../lab/child/program.ts";
import { runLab, type Sweep } from "../lab/lab.ts";
import type { Stage } from "../lab/stage.ts";
import type { ProgressOutput } from "../lab/terminal/progress.ts";
import { comparisonText, failureText, stageText, sweepText } from "../lab/terminal/stage_text.ts";
import { ExitCode } from "../server/run.ts";
import { VERSION } from "../server/version.ts";
import type { LabOrder } from "./lab_flags.ts";
import {
  checkFile,
  prepareDirectory,
  removeEmpty,
  UnwritableError,
  writeWhole,
} from "./lab_files.ts";

/** Exit code when a stage did not show what it must. */
const EXIT_CODE_NOT_SHOWN = 1;

/** Signals that end the lab, and what the process then ends with. */
export const LAB_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** One of {@link LAB_SIGNALS}. */
export type LabSignal = keyof typeof LAB_SIGNALS;

/** What the lab is run with. */
export interface LabSurroundings {
  /** Writes to standard output. */
  print(text: string): Promise<void>;
  /** Writes to standard error. */
  complain(text: string): Promise<void>;
  /** Where progress goes. */
  readonly progress: ProgressOutput;
  /** Whether what is printed may have colours. */
  readonly isColourful: boolean;
  /** How to start servers. */
  readonly program: ServerProgram;
  /** All stages that there are. */
  readonly stages: readonly Stage[];
  /** What runs behind them. */
  readonly sweep: Sweep | null;
  /** Makes the report. */
  renderReport(report: LabReport): Promise<string>;
  /** Calls back at signals until it is disposed. */
  onSignal(handler: (signal: LabSignal) => void): Disposable;
}

/**
 * Runs what was ordered.
 *
 * Thread: the main isolate. The servers that it started have ended when it returns.
 *
 * @returns the exit code
 */
export async function runLabOrder(
  order: LabOrder,
  surroundings: LabSurroundings,
): Promise<number> {
  let isDirectoryNew = false;
  try {
    if (order.jsonPath !== null && order.jsonPath !== "-") await checkFile(order.jsonPath);
    if (order.reportDirectory !== null) {
      isDirectoryNew = await prepareDirectory(order.reportDirectory);
    }
  } catch (error) {
    if (!(error instanceof UnwritableError)) throw error;
    await surroundings.complain(`sluice: ${error.message}\n`);
    return ExitCode.WRONG_USAGE;
  }
  const end = new AbortController();
  let ending: LabSignal | null = null;
  using _signals = surroundings.onSignal((signal) => {
    ending ??= signal;
    end.abort(new Error(`ended by ${signal}`));
  });
  try {
    return await runAndWrite(order, surroundings, end.signal);
  } catch (error) {
    if (error instanceof UnwritableError) {
      await surroundings.complain(`sluice: ${error.message}\n`);
      return EXIT_CODE_NOT_SHOWN;
    }
    if (ending === null) throw error;
    if (isDirectoryNew) await removeEmpty(order.reportDirectory!);
    await surroundings.complain("sluice: the lab was ended before it was done\n");
    return LAB_SIGNALS[ending as LabSignal];
  }
}

async function runAndWrite(
  order: LabOrder,
  surroundings: LabSurroundings,
  signal: AbortSignal,
): Promise<number> {
  const { isColourful, stages, sweep, program, progress: output } = surroundings;
  // Whoever wants JSON on standard output wants nothing else there.
  const tell = (text: string): Promise<void> =>
    order.jsonPath === "-" ? surroundings.complain(text) : surroundings.print(text);
  let hasSweepFailed = false;
  const report = await runLab({
    stages: stages.filter(({ number }) => order.stages.includes(number)),
    sweep: order.hasSweep ? sweep : null,
    program,
    version: VERSION,
    signal,
    output,
    onStage: (stage: StageReport) => tell(stageText(stage, { isColourful })),
    onSweep: async (result) => {
      if (!(result instanceof Error)) return await tell(sweepText(result, { isColourful }));
      hasSweepFailed = true;
      await surroundings.complain(`sluice: the sweep cannot go on: ${result.message}\n`);
    },
  });
  await tell(comparisonText(report));
  await writeFindings(order, report, surroundings);
  const failure = failureText(report);
  if (failure === null) return hasSweepFailed ? EXIT_CODE_NOT_SHOWN : ExitCode.OK;
  await surroundings.complain(`sluice: ${failure}\n`);
  return EXIT_CODE_NOT_SHOWN;
}

async function writeFindings(
  { jsonPath, reportDirectory }: LabOrder,
  report: LabReport,
  surroundings: LabSurroundings,
): Promise<void> {
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (jsonPath === "-") await surroundings.print(json);
  // They took minutes to find: where one cannot be written any more, the other still is.
  const endings = await Promise.allSettled([
    ...(jsonPath === null || jsonPath === "-" ? [] : [writeWhole(jsonPath, json)]),
    ...(reportDirectory === null ? [] : [writeReport(reportDirectory, report, surroundings)]),
  ]);
  const failures = endings.filter((ending) => ending.status === "rejected")
    .map(({ reason }) => reason);
  const fault = failures.find((failure) => !(failure instanceof UnwritableError));
  if (fault !== undefined) throw fault;
  if (failures.length === 0) return;
  throw new UnwritableError(failures.map(({ message }) => message).join("; "));
}

async function writeReport(
  directory: string,
  report: LabReport,
  { renderReport }: LabSurroundings,
): Promise<void> {
  await writeWhole(`${directory}/index.html`, await renderReport(report));
}
