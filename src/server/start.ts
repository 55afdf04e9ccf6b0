/**
 * Starting a server, and in what order it stops.
 *
 * @module
 */

import { getLogger, type Logger } from "../base/log.ts";
import { EventWaits } from "../command/event_waits.ts";
import { makeCommandTable } from "../command/table.ts";
import { CounterIndex, PROTOCOLS } from "../metrics/names.ts";
import type { StoreFault } from "../store/locks.ts";
import { WorkerPool, type WorkerPoolOptions } from "../worker/worker_pool.ts";
import { AddressFilter } from "./address_filter.ts";
import type { Config } from "./config.ts";
import { ConnectionSet } from "./connection_set.ts";
import { FairTurns } from "./fair_turns.ts";
import type { Front } from "./front.ts";
import { createFronts } from "./fronts.ts";
import { IoInbox } from "./io_inbox.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Listeners } from "./listeners.ts";
import { readPassword } from "./password.ts";
import { pause } from "./pause.ts";
import { RunningServer } from "./running_server.ts";
import { ServerView } from "./server_view.ts";
import {
  createSharedParts,
  IO_THREAD_COUNT,
  MAIN_THREAD_ID,
  type SharedParts,
} from "./shared_parts.ts";
import { describeFault } from "./store_fault.ts";
import { type StopStep, StopSteps } from "./stop_steps.ts";

/** How long requests that are on their way when the server stops may take to be refused. Unit: ms. */
const LATE_REQUEST_GRACE_MS = 100;

/** How long clients have to close their side when the server is done. Unit: ms. */
const CLOSE_GRACE_MS = 50;

/** Connections closed for their memory are logged at most this often. Unit: ms. */
const MEMORY_LOG_INTERVAL_MS = 1000;

/** Further wishes of whoever starts a server. */
export interface StartOptions {
  /** Tests only: see {@link WorkerPoolOptions.faultPlan}. */
  readonly faultPlan?: WorkerPoolOptions["faultPlan"];
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
  const lifecycle = new Lifecycle();
  const table = makeCommandTable();
  const shared = createSharedParts(config);
  const counters = shared.metrics.counters(MAIN_THREAD_ID);

  const turns = stack.use(await FairTurns.open());
  const connections = createConnectionSet(config, shared, turns);
  onStop("connections", 0.5, async (budget) => {
    using _stopsSweeping = connections;
    return { open: connections.size, cut_off: await connections.closeAll(budget, CLOSE_GRACE_MS) };
  });

  const fault = Promise.withResolvers<StoreFault>();
  const pool = await startPool(config, shared, options, fault.resolve);
  void shared.store.locks.waitForFault().then(fault.resolve);
  onStop("workers", 0.9, async ({ signal }) => {
    const { unsettled, workersLeft } = await pool.drainAndStop(signal);
    return { unsettled, workers_left: workersLeft };
  });

  const waits = new EventWaits(MAIN_THREAD_ID);
  onStop("requests", 0.25, async (budget) => {
    lifecycle.stopping = true;
    waits.giveUp();
    const unfinished = await connections.settleInFlight(budget);
    await connections.waitUntilEmpty(budget, LATE_REQUEST_GRACE_MS);
    return { unfinished };
  });

  stack.use(
    new IoInbox(shared.inboxes[0]!, waits, (error) => {
      counters.add(CounterIndex.INTERNAL_ERRORS);
      log.error("inbox failed", { event: "inbox_failed", error });
    }),
  );

  const view = new ServerView(config, shared, lifecycle, pool);
  const fronts = createFronts({
    config,
    shared,
    lifecycle,
    view,
    table,
    counters,
    waits,
    password,
  });
  const listeners = Listeners.bind(config, log);
  view.ports = listeners.ports;
  listeners.serve(fronts, connections);
  onStop("listeners", 0.5, () => listeners[Symbol.asyncDispose]());

  lifecycle.readiness = "ready";
  onStop("readiness", 0.8, async ({ signal }) => {
    lifecycle.readiness = "shutting_down";
    await pause(config.drainDelayMs, signal);
  });

  steps.quiet = false;
  for (const protocol of PROTOCOLS) {
    const port = view.ports[protocol];
    if (port === null) continue;
    log.info("listening", { event: "listening", protocol, host: config.host, port });
  }
  log.info("ready", { event: "ready" });
  return new RunningServer({
    stack: stack.move(),
    steps,
    shared,
    view,
    fault: fault.promise.then((torn) => describeFault(torn, table)),
  });
}

function createConnectionSet(
  config: Config,
  { metrics, census }: SharedParts,
  turns: FairTurns,
): ConnectionSet {
  const log = getLogger("connection");
  const counters = metrics.counters(MAIN_THREAD_ID);
  const timeouts = [config.headerTimeoutMs, config.idleTimeoutMs, config.respIdleTimeoutMs];
  let lastConnectionId = 0;
  return new ConnectionSet({
    census,
    filter: new AddressFilter(config.allow, config.deny),
    maxMemoryBytes: Math.floor(config.maxClientMemoryBytes / IO_THREAD_COUNT),
    maxRequestBytes: config.maxRequestBytes,
    counters,
    turns,
    shortestTimeoutMs: Math.min(...timeouts.filter((timeoutMs) => timeoutMs > 0)),
    nextConnectionId: () => ++lastConnectionId,
    onSessionFailure: ({ protocol }, error) => {
      counters.add(CounterIndex.INTERNAL_ERRORS);
      log.error("session failed", { event: "session_failed", protocol, error });
    },
    onMemoryShort: memoryShortLog(log),
  });
}

/** Clients that use up the memory are many at a time; the log needs one line a second. */
function memoryShortLog(log: Logger): (front: Front, heldBytes: number) => void {
  let closedCount = 0;
  let nextLogAtMs = 0;
  return ({ protocol }, heldBytes) => {
    closedCount++;
    const nowMs = performance.now();
    if (nowMs < nextLogAtMs) return;
    nextLogAtMs = nowMs + MEMORY_LOG_INTERVAL_MS;
    log.debug("client memory is used up, the connection that held most is closed", {
      event: "client_memory_short",
      protocol,
      held_bytes: heldBytes,
      closed_count: closedCount,
    });
  };
}

function startPool(
  config: Config,
  { store, channel, metrics, inboxes }: SharedParts,
  { faultPlan }: StartOptions,
  onInternalFault: (fault: StoreFault) => void,
): Promise<WorkerPool> {
  return WorkerPool.start({
    store,
    channel,
    metrics,
    inboxes: { firstThreadId: MAIN_THREAD_ID, inboxes: inboxes.map(({ memory }) => memory) },
    counters: metrics.counters(MAIN_THREAD_ID),
    firstThreadId: IO_THREAD_COUNT,
    workersMin: config.workersMin,
    workersMax: config.workersMax,
    workMs: config.workMs,
    holdMs: config.holdMs,
    log: getLogger("workers"),
    onInternalFault,
    ...(faultPlan === undefined ? {} : { faultPlan }),
  });
}
