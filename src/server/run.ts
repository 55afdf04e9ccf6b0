/**
 * A server as a process: signals in, exit code out.
 *
 * @module
 */

import { getLogger, type Logger } from "../base/log.ts";
import type { Config } from "./config.ts";
import { guardAgainstCrashes } from "./crash_guard.ts";
import type { RunningServer } from "./running_server.ts";
import { StartError } from "./start_error.ts";
import { type StartOptions, startServer } from "./start.ts";
import { watchStandardInput } from "./stop_on_eof.ts";
import { listenForSignals } from "./stop_signals.ts";

/**
 * What the process ends with.
 *
 * - `OK`: stopped, and nothing was lost.
 * - `CANNOT_START`: the log says in one line what to do.
 * - `WRONG_USAGE`: said by the command line, not here.
 * - `LOST`: stopped by the deadline or by a second signal, and accepted events were not settled; or
 *   the disk has not got all that was confirmed.
 * - `INTERNAL_FAULT`: the store was torn (C4).
 */
export const ExitCode = {
  OK: 0,
  CANNOT_START: 1,
  WRONG_USAGE: 2,
  LOST: 3,
  INTERNAL_FAULT: 4,
} as const;

/** One of the values of {@link ExitCode}. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * Runs a server until a signal or a fault ends it.
 *
 * The caller has started logging; it flushes the log and ends the process with the code returned:
 * after a stop that ran out of time there may be workers left that keep it from ending by itself.
 *
 * Thread: main isolate.
 *
 * @param config complete and without problems, see `findConfigProblem`
 */
export async function runServer(config: Config, options: StartOptions = {}): Promise<ExitCode> {
  const log = getLogger("server");
  let server: RunningServer | undefined;
  let hurried = false;
  let hungUp = false;
  const hangUp = (): void => {
    hungUp = true;
    // While it starts, the files may have been read already: they are read again afterwards.
    if (server === undefined) return;
    const reloads = server.reload();
    log.info(
      reloads
        ? "SIGHUP: the TLS certificate is read again"
        : "SIGHUP ignored: there is nothing to reload",
      { event: "sighup" },
    );
  };
  const stopRequest = Promise.withResolvers<"stop">();
  const stopWish = new AbortController();
  void stopRequest.promise.then(() => stopWish.abort());
  using _guard = guardAgainstCrashes((error) => {
    server?.countInternalError();
    log.error("unhandled error", { event: "unhandled_error", error });
  });
  // Before the start, so that a signal during it is not lost.
  using _signals = listenForSignals({
    onStop: (signal) => {
      // First, so that what clients see on other threads is not behind what the log says.
      void server?.stop();
      log.info("stop requested", { event: "stop_requested", signal });
      stopRequest.resolve("stop");
    },
    onHurry: (signal) => {
      log.warn("second signal, stopping at once", { event: "stop_hurried", signal });
      hurried = true;
      server?.hurry();
    },
    onHangup: hangUp,
  });
  if (config.stopOnEof) {
    watchStandardInput(() => {
      void server?.stop();
      log.info("stop requested", { event: "stop_requested", signal: "EOF" });
      stopRequest.resolve("stop");
    });
  }
  try {
    server = await startServer(config, { ...options, signal: stopWish.signal });
  } catch (error) {
    reportFailedStart(log, error);
    return ExitCode.CANNOT_START;
  }
  if (hurried) server.hurry();
  if (hungUp) hangUp();
  void server.stopWish.then(() => {
    void server?.stop();
    log.info("stop requested", { event: "stop_requested", signal: "SHUTDOWN" });
    stopRequest.resolve("stop");
  });
  return await serve(log, server, stopRequest.promise);
}

async function serve(
  log: Logger,
  server: RunningServer,
  stopRequest: Promise<"stop">,
): Promise<ExitCode> {
  const fault = server.fault.then((text) => ({ text }));
  const first = await Promise.race([fault, stopRequest]);
  const end = first === "stop" ? await Promise.race([fault, server.stop()]) : first;
  if ("text" in end) {
    log.error(end.text, { event: "internal_fault" });
    return ExitCode.INTERNAL_FAULT;
  }
  return end.lost > 0 || end.isLogIncomplete ? ExitCode.LOST : ExitCode.OK;
}

function reportFailedStart(log: Logger, error: unknown): void {
  if (error instanceof StartError) log.error(error.message, { event: "start_failed" });
  else log.error("Cannot start", { event: "start_failed", error });
}
