/**
 * Starting a server, and in what order it stops.
 *
 * @module
 */

import { getLogger, watchLogDrops } from "../base/log.ts";
import { isTelemetryOn } from "../base/telemetry.ts";
import { makeCommandTable } from "../command/table.ts";
import type { LogWorkerStarter } from "../durability/log_thread.ts";
import type { ThreadLog } from "../durability/thread_log.ts";
import { CounterIndex, PROTOCOLS } from "../metrics/names.ts";
import type { StoreFault } from "../store/locks.ts";
import { WorkerPool, type WorkerPoolOptions } from "../worker/worker_pool.ts";
import type { Config } from "./config.ts";
import { IoCrew, type IoCrewParts } from "./io_crew.ts";
import type { IoService } from "./io_service.ts";
import { IoThread } from "./io_thread.ts";
import { watchForgottenIds } from "./forgotten_ids.ts";
import { followSettings } from "./log_level.ts";
import { readPassword } from "./password.ts";
import type { PreparedProcessor } from "./own_processor.ts";
import { pause } from "./pause.ts";
import { RunningServer } from "./running_server.ts";
import { ServerView } from "./server_view.ts";
import { createSharedParts, type SharedParts } from "./shared_parts.ts";
import { checkStaticDirectory } from "./static/check_directory.ts";
import { describeFault } from "./store_fault.ts";
import { type StopStep, StopSteps } from "./stop_steps.ts";
import { readTlsMaterial } from "./tls/material.ts";
import { reportTls, TlsReloads } from "./tls/reloads.ts";

/** Further wishes of whoever starts a server. */
export interface StartOptions {
  /** Aborted when the server is to stop as soon as it has started: long steps are cut short. */
  readonly signal?: AbortSignal;
  /** Tests only: see {@link WorkerPoolOptions.faultPlan}. */
  readonly faultPlan?: WorkerPoolOptions["faultPlan"];
  /** Tests only: see {@link IoCrewParts.startWorker}. */
  readonly startIoWorker?: IoCrewParts["startWorker"];
  /** Tests only: see {@link LogWorkerStarter}. */
  readonly startLogWorker?: LogWorkerStarter;
  /** Tests only: told of the log as the main isolate has it, before it is used. */
  readonly onLog?: (log: ThreadLog) => void;
}

/**
 * Starts a server.
 *
 * The body below is the start order, and from bottom to top the stop order: every part puts what
 * stops it on the stack as soon as it runs, so that a start that fails half-way stops what it had
 * started.
 *
 * Thread: main isolate.
 *
 * @param config complete and without problems, see `findConfigProblem`
 * @throws {StartError} when something outside the program is in the way, e.g. a port in use
 */
export async function startServer(
  config: Config,
  options: StartOptions = {},
): Promise<RunningServer> {
  const log = getLogger("server");
  const steps = new StopSteps(config.shutdownTimeoutMs, log);
  await using stack = new AsyncDisposableStack();
  stack.use(steps);
  const onStop = (name: string, share: number, step: StopStep): void =>
    stack.defer(() => steps.run(name, share, step));

  const password = await readPassword(config);
  await checkStaticDirectory(config);
  const tls = await readTlsMaterial(config);
  const own = config.processor === ""
    ? undefined
    : await (await import("./own_processor.ts")).prepareOwnProcessor(config);
  const parts = createSharedParts(config, own && { ...own.loaded, jobBytes: own.jobBytes });
  const directory = config.dataDir === ""
    ? undefined
    : await (await import("./data_directory.ts")).DataDirectory.open(
      config,
      parts,
      options.startLogWorker,
    );
  if (directory !== undefined) onStop("log", 1, (budget) => directory.stop(budget));
  if (directory !== undefined) options.onLog?.(directory.log);
  const shared = { ...parts, log: directory?.log, logMemory: directory?.memory };
  shared.operations.password.set(password);
  followSettings(shared.operations);
  const { lifecycle, metrics, threadId } = shared;
  const counters = metrics.counters(threadId);
  stack.use(watchLogDrops((total) => counters.set(CounterIndex.LOG_LINES_DROPPED, total)));
  stack.use(watchForgottenIds(metrics, log));

  const io: IoService = stack.use(
    config.ioThreads === 1
      ? await IoThread.open({ config, shared, tls })
      : await IoCrew.open({ config, shared, tls, startWorker: options.startIoWorker }),
  );
  onStop("connections", 0.5, (budget) => io.closeConnections(budget));

  const fault = Promise.withResolvers<StoreFault>();
  const pool = await startPool(config, shared, own, options, fault.resolve);
  void shared.store.locks.waitForFault().then(fault.resolve);
  onStop("workers", 0.9, async ({ signal }) => {
    const { unsettled, workersLeft } = await pool.drainAndStop(signal);
    return { unsettled, workers_left: workersLeft };
  });

  const cutShort = new AbortController();
  void fault.promise.then(() => cutShort.abort());
  const wishes = options.signal === undefined ? [] : [options.signal];
  await directory?.requeue(shared, AbortSignal.any([cutShort.signal, ...wishes]));

  onStop("requests", 0.25, (budget) => {
    lifecycle.stopping = true;
    return io.settleRequests(budget);
  });

  lifecycle.ports = await io.listen();
  onStop("listeners", 0.5, (budget) => io.closeListeners(budget));

  lifecycle.readiness = "ready";
  onStop("readiness", 0.8, async ({ signal }) => {
    lifecycle.readiness = "shutting_down";
    await pause(config.drainDelayMs, signal);
  });

  steps.quiet = false;
  const view = new ServerView(config, shared);
  for (const protocol of PROTOCOLS) {
    const port = view.ports[protocol];
    if (port === null) continue;
    log.info("listening", { event: "listening", protocol, host: config.host, port });
  }
  if (tls !== undefined) reportTls(log, "tls is spoken on every port", tls);
  if (own !== undefined) {
    log.info("events are processed by a processor of one's own", {
      event: "processor",
      processor: own.loaded.name,
      module: config.processor,
    });
  }
  if (isTelemetryOn()) log.info("requests and events are traced", { event: "tracing" });
  log.info("ready", { event: "ready" });
  const table = makeCommandTable();
  return new RunningServer({
    stack: stack.move(),
    steps,
    shared,
    view,
    directory,
    stopWish: io.stopWish,
    tls: tls === undefined ? undefined : new TlsReloads(config, (next) => io.replaceTls(next), log),
    fault: Promise.race([
      fault.promise.then((torn) => describeFault(torn, table)),
      io.failure,
      ...(directory === undefined ? [] : [directory.failure]),
    ]),
  });
}

function startPool(
  config: Config,
  shared: SharedParts,
  own: PreparedProcessor | undefined,
  { faultPlan }: StartOptions,
  onInternalFault: (fault: StoreFault) => void,
): Promise<WorkerPool> {
  const { threads, metrics, inboxes, lifecycle } = shared;
  return WorkerPool.start({
    store: shared.store,
    channel: shared.channel,
    slots: shared.slots,
    metrics,
    inboxes: {
      firstThreadId: threads.firstIoThreadId,
      inboxes: inboxes.map(({ memory }) => memory),
    },
    pubsub: shared.pubsub.memory,
    waits: shared.waits,
    logMemory: shared.logMemory,
    ownLog: shared.log,
    eventIds: shared.eventIds,
    counters: metrics.counters(shared.threadId),
    firstThreadId: threads.firstWorkerThreadId,
    workersMin: config.workersMin,
    workersMax: config.workersMax,
    processorUrl: own?.url,
    processor: own?.loaded,
    processorMemoryBytes: config.processorMemoryBytes,
    processorCounters: shared.processor?.counters,
    workMs: config.workMs,
    holdMs: config.holdMs,
    log: getLogger("workers"),
    isWanted: () => lifecycle.isWorkerWanted,
    onSize: (size) => {
      lifecycle.workerCount = size;
    },
    onLost: (count) => {
      lifecycle.lostWorkerCount = count;
    },
    onInternalFault,
    ...(faultPlan === undefined ? {} : { faultPlan }),
  });
}
