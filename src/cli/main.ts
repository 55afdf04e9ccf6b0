/**
 * The program: from arguments to an exit code.
 *
 * @module
 */

import { flushLogs, getLogger, startLogging } from "../base/log.ts";
import type { Config } from "../server/config.ts";
import { ExitCode } from "../server/run.ts";
import type { CommandLineContext, Request } from "./command_line.ts";
import type { DataOrder } from "./data_flags.ts";
import type { HealthAnswer, HealthQuestion } from "./health.ts";
import type { InitOrder } from "./init_order.ts";
import type { LabOrder } from "./lab_flags.ts";
import { readPlainLine } from "./plain_line.ts";
import type { StressOrder } from "./stress_flags.ts";

/** How long the end of the program waits for a slow reader of the log. Unit: ms. */
const FLUSH_DEADLINE_MS = 1000;

/** Exit code of `sluice health` when the server is not well. */
const EXIT_CODE_UNHEALTHY = 1;

/** What the program is made of besides its arguments; tests give their own. */
export interface Surroundings {
  /** Reads an environment variable. */
  environment(name: string): string | undefined;
  /** Width of the terminal in columns, or null when there is none. */
  terminalColumns(): number | null;
  /** Writes to standard output. */
  print(text: string): Promise<void>;
  /** Writes to standard error. */
  complain(text: string): Promise<void>;
  /** Runs the server until it has stopped. */
  runServer(config: Config): Promise<number>;
  /**
   * Gives up, for good, what only others need: the lab starts programs and writes files, and a server
   * with a data directory writes files, perhaps one with a processor of its own, as do the commands that work on one.
   */
  giveUpPermissions(names: readonly ("run" | "write")[]): void;
  /** Runs stages of the lab and says how that ended, as an exit code. */
  runLab(order: LabOrder): Promise<number>;
  /** Works on a data directory and says how that ended, as an exit code. */
  runData(order: DataOrder): Promise<number>;
  /** Writes an example of a processor and says how that ended, as an exit code. */
  runInit(order: InitOrder): Promise<number>;
  /** Asks a running server whether it is well. */
  askHealth(question: HealthQuestion): Promise<HealthAnswer>;
  /** Sends events to a server and says how that ended, as an exit code. */
  runStress(order: StressOrder): Promise<number>;
}

/**
 * Runs the program.
 *
 * Thread: the main isolate.
 *
 * @param args the arguments behind the program's name
 * @returns the exit code; the caller ends the process with it
 */
export async function main(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const request = await readRequest(args, {
    environment: (name) => surroundings.environment(name),
    columns: helpColumns(surroundings.terminalColumns()),
  });
  if (request.kind !== "lab") {
    const writesFiles = request.kind === "data" || request.kind === "init" ||
      (request.kind === "serve" && mayWrite(request.config));
    surroundings.giveUpPermissions(writesFiles ? ["run"] : ["run", "write"]);
  }
  switch (request.kind) {
    case "print":
      await surroundings.print(request.text);
      return ExitCode.OK;
    case "usage_error":
      await surroundings.complain(`sluice: ${request.message}\n`);
      return ExitCode.WRONG_USAGE;
    case "serve":
      return await serve(request.config, surroundings);
    case "lab":
      return await surroundings.runLab(request.order);
    case "data":
      return await surroundings.runData(request.order);
    case "init":
      return await surroundings.runInit(request.order);
    case "stress":
      return await surroundings.runStress(request.order);
    case "health": {
      const { healthy, text } = await surroundings.askHealth(request.question);
      if (healthy) await surroundings.print(`${text}\n`);
      else await surroundings.complain(`sluice: ${text}\n`);
      return healthy ? ExitCode.OK : EXIT_CODE_UNHEALTHY;
    }
  }
}

/** What reads every command line is loaded only for those that are not plain. */
async function readRequest(
  args: readonly string[],
  context: CommandLineContext,
): Promise<Request> {
  const plain = readPlainLine(args, context);
  if (plain !== null) return plain;
  return (await import("./command_line.ts")).parseCommandLine(args, context);
}

async function serve(config: Config, surroundings: Surroundings): Promise<number> {
  startLogging({ level: config.logLevel, format: config.logFormat });
  let exitCode: number;
  try {
    exitCode = await surroundings.runServer(config);
  } catch (error) {
    getLogger("server").error("internal fault", { event: "internal_fault", error });
    exitCode = ExitCode.INTERNAL_FAULT;
  }
  await flushLogs(FLUSH_DEADLINE_MS);
  return exitCode;
}

/** Who brings a processor of their own may have it write files. */
function mayWrite({ dataDir, processor }: Config): boolean {
  return dataDir !== "" || processor !== "";
}

/** Lines of more than 100 columns are hard to read, of fewer than 80 hard to lay out. */
function helpColumns(terminalColumns: number | null): number {
  return Math.min(Math.max(terminalColumns ?? 80, 80), 100);
}
