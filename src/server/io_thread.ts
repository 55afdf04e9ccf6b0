/**
 * One thread that serves clients: its protocols, connections, waits, inbox and listeners.
 *
 * @module
 */

import { getLogger, type Logger } from "../base/log.ts";
import { isTelemetryOn } from "../base/telemetry.ts";
import type { BlockedClients } from "../command/blocking/blocked_clients.ts";
import { EventWaits } from "../command/event_waits.ts";
import type { CommandTable } from "../command/lookup.ts";
import { Operations } from "../command/operations.ts";
import type { PubSubHub } from "../command/pubsub/hub.ts";
import { makeCommandTable } from "../command/table.ts";
import { CounterIndex } from "../metrics/names.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import { ERROR_TEXTS } from "../protocol/resp/error_texts.ts";
import { AddressFilter } from "./address_filter.ts";
import type { Config } from "./config.ts";
import { ConnectionSet } from "./connection_set.ts";
import { FairTurns } from "./fair_turns.ts";
import { createBlocking } from "./blocking_parts.ts";
import type { Front } from "./front.ts";
import { createFronts, type FrontParts, type Fronts } from "./fronts.ts";
import { helpInBackground } from "./io_background.ts";
import { IoInbox } from "./io_inbox.ts";
import type { ClosedConnections, IoService } from "./io_service.ts";
import { Listeners } from "./listeners.ts";
import { monitorPost } from "./monitor_post.ts";
import { createNotifier, createPubSub } from "./pubsub_parts.ts";
import { type ServerPorts, ServerView } from "./server_view.ts";
import type { SharedParts } from "./shared_parts.ts";
import type { StopBudget } from "./stop_deadline.ts";
import { ThreadQuestions } from "./thread_questions.ts";
import type { TlsMaterial } from "./tls/material.ts";
import type { TlsTerminator } from "./tls/terminator.ts";
import { tickForNotifications } from "./wake_tick.ts";

/** How long requests that are on their way when the server stops may take to be refused. Unit: ms. */
const LATE_REQUEST_GRACE_MS = 100;

/** How long clients have to close their side when the server is done. Unit: ms. */
const CLOSE_GRACE_MS = 50;

/** Connections closed for their memory are logged at most this often. Unit: ms. */
const MEMORY_LOG_INTERVAL_MS = 1000;

/** What an {@link IoThread} is made from. */
export interface IoThreadParts {
  /** The settings. */
  readonly config: Config;
  /** The shared memory, as this thread sees it. */
  readonly shared: SharedParts;
  /** What TLS is spoken with; left out: it is not spoken. */
  readonly tls?: TlsMaterial | undefined;
  /** Reaches the other I/O threads; default: there are none. */
  readonly questions?: ThreadQuestions;
  /** Has the whole server stop in order; left out: clients cannot. */
  readonly requestStop?: (() => void) | undefined;
}

/**
 * Serves clients.
 *
 * Thread: the I/O thread; it makes one.
 */
export class IoThread implements IoService {
  /** Never resolves: what ends this thread ends whoever would be told. */
  readonly failure: Promise<string> = new Promise(() => {});
  /** See {@link IoService.stopWish}. */
  readonly stopWish: Promise<void>;

  readonly #config: Config;
  readonly #turns: FairTurns;
  readonly #view: ServerView;
  readonly #connections: ConnectionSet;
  readonly #waits: EventWaits;
  readonly #pubsub: PubSubHub;
  readonly #blocking: BlockedClients;
  readonly #fronts: Fronts;
  readonly #inbox: IoInbox;
  readonly #tick: Disposable = tickForNotifications();
  readonly #background: Disposable;
  readonly #tls: TlsTerminator | undefined;
  #listeners: Listeners | undefined;

  private constructor(
    parts: IoThreadParts,
    turns: FairTurns,
    { tls, createFiles, tracing, own }: OptionalParts,
  ) {
    const { config, shared, questions = new ThreadQuestions() } = parts;
    const { threadId, threads, metrics, inboxes, waits } = shared;
    const counters = metrics.counters(threadId);
    shared.store.access.lookups = counters.view(CounterIndex.KEYSPACE_HITS, 2);
    const table = makeCommandTable();
    const stopWish = Promise.withResolvers<void>();
    this.stopWish = stopWish.promise;
    const operations = createOperations(
      { requestStop: () => stopWish.resolve(), ...parts },
      table,
      questions,
    );
    this.#config = config;
    this.#turns = turns;
    this.#tls = tls;
    this.#view = new ServerView(config, shared).watchTraffic();
    this.#connections = createConnectionSet(config, shared, turns, counters, tls);
    this.#waits = new EventWaits(threadId, (change) => waits.countEventWait(change));
    this.#pubsub = createPubSub(config, shared, counters);
    const notifier = createNotifier(shared, this.#pubsub, counters);
    this.#blocking = createBlocking(shared, counters, notifier);
    this.#fronts = createFronts({
      blocking: this.#blocking,
      config,
      shared,
      view: this.#view,
      table,
      counters,
      waits: this.#waits,
      pubsub: this.#pubsub,
      notifier,
      questions,
      operations,
      writeTurns: this.#connections.writeTurns,
      clock: this.#connections.clock,
      createFiles,
      tracing,
      own,
    });
    this.#background = helpInBackground(
      shared.store.backgroundWork(Date.now),
      notifier,
      () => shared.lifecycle.wantWorker(),
      (error) => {
        counters.add(CounterIndex.INTERNAL_ERRORS);
        getLogger("store").error("background work failed", { event: "background_failed", error });
      },
    );
    this.#inbox = new IoInbox(
      inboxes[threadId - threads.firstIoThreadId]!,
      this.#waits,
      (error) => {
        counters.add(CounterIndex.INTERNAL_ERRORS);
        getLogger("inbox").error("inbox failed", { event: "inbox_failed", error });
      },
      operations.monitors,
      this.#pubsub,
      this.#blocking,
      own?.settlementOf,
    );
  }

  /** Makes everything; nobody is served before {@link IoThread.listen}. */
  static async open(parts: IoThreadParts): Promise<IoThread> {
    const optional = await loadOptionalParts(parts);
    return new IoThread(parts, await FairTurns.open(), optional);
  }

  /** See {@link IoService.listen}. */
  listen(): Promise<ServerPorts> {
    return Promise.resolve().then(() => this.#listen(this.#config, false));
  }

  /**
   * Like {@link IoThread.listen}, on ports that other threads of this process listen on, too.
   *
   * @param ports none of them is 0; null = no listener
   * @throws {StartError} when one cannot be had; none is bound then
   */
  listenShared(ports: ServerPorts): ServerPorts {
    return this.#listen(withPorts(this.#config, ports), true);
  }

  /** See {@link IoService.replaceTls}. */
  replaceTls(material: TlsMaterial): Promise<void> {
    return Promise.resolve().then(() => this.#tls?.replace(material));
  }

  /** See {@link IoService.closeListeners}. */
  async closeListeners(): Promise<void> {
    await this.#listeners?.[Symbol.asyncDispose]();
    this.#listeners = undefined;
  }

  /** See {@link IoService.settleRequests}. */
  async settleRequests(budget: StopBudget): Promise<{ unfinished: number }> {
    this.#waits.giveUp();
    this.#blocking.giveUp();
    const unfinished = await this.#connections.settleInFlight(budget);
    await this.#connections.waitUntilEmpty(budget, LATE_REQUEST_GRACE_MS);
    return { unfinished };
  }

  /** See {@link IoService.closeConnections}. */
  async closeConnections(budget: StopBudget): Promise<ClosedConnections> {
    using _stopsSweeping = this.#connections;
    const open = this.#connections.size;
    return { open, cut_off: await this.#connections.closeAll(budget, CLOSE_GRACE_MS) };
  }

  /** Ends everything at once that is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeListeners();
    this.#inbox[Symbol.dispose]();
    this.#pubsub[Symbol.dispose]();
    this.#blocking.giveUp();
    this.#tick[Symbol.dispose]();
    this.#background[Symbol.dispose]();
    this.#view[Symbol.dispose]();
    this.#connections[Symbol.dispose]();
    this.#turns[Symbol.dispose]();
  }

  #listen(config: Config, isShared: boolean): ServerPorts {
    const listeners = Listeners.bind(config, getLogger("server"), isShared);
    this.#listeners = listeners;
    listeners.serve(this.#fronts, this.#connections);
    return listeners.ports;
  }
}

/** Parts that not every server needs. */
interface OptionalParts {
  /** Speaks TLS. */
  readonly tls: TlsTerminator | undefined;
  /** See {@link FrontParts.createFiles}. */
  readonly createFiles: FrontParts["createFiles"];
  /** See {@link FrontParts.tracing}. */
  readonly tracing: FrontParts["tracing"];
  /** See {@link FrontParts.own}. */
  readonly own: FrontParts["own"];
}

/** Loads what the settings ask for: a server without it spends neither its time nor its memory. */
async function loadOptionalParts({ config, tls }: IoThreadParts): Promise<OptionalParts> {
  return {
    tls: tls === undefined
      ? undefined
      : new (await import("./tls/terminator.ts")).TlsTerminator(tls),
    createFiles: config.staticDir === ""
      ? undefined
      : (await import("./static/static_parts.ts")).createStaticFiles,
    tracing: isTelemetryOn()
      ? await (await import("./request_tracing.ts")).RequestTracing.load()
      : undefined,
    own: config.processor === ""
      ? undefined
      : await (await import("./own_processor.ts")).openOwnProcessor(config),
  };
}

/** What administration sees and steers on this thread, and its way to the other threads. */
function createOperations(
  { shared, requestStop }: IoThreadParts,
  table: CommandTable,
  questions: ThreadQuestions,
): Operations {
  const { threadId, threads, inboxes, lifecycle, operations: region } = shared;
  const ownIndex = threadId - threads.firstIoThreadId;
  const operations = new Operations({
    region,
    blockIndex: ownIndex,
    table,
    circle: questions,
    phase: lifecycle,
    errorWords: ERROR_TEXTS.map(({ prefix }) => prefix),
    clock: Date.now,
    ...(requestStop === undefined ? {} : { requestStop }),
  });
  const others = inboxes.filter((_, index) => index !== ownIndex);
  if (others.length > 0) operations.monitors.post = monitorPost(others, threadId);
  return operations;
}

/** The settings with the ports that were found for them. */
function withPorts(config: Config, ports: ServerPorts): Config {
  const settings = Object.entries(ports).map(([protocol, port]) => [
    `${protocol}Port`,
    port ?? "off",
  ]);
  return { ...config, ...Object.fromEntries(settings) };
}

function createConnectionSet(
  config: Config,
  { lifecycle, census }: SharedParts,
  turns: FairTurns,
  counters: ThreadCounters,
  tls: TlsTerminator | undefined,
): ConnectionSet {
  const log = getLogger("connection");
  const timeouts = [config.headerTimeoutMs, config.idleTimeoutMs, config.respIdleTimeoutMs];
  return new ConnectionSet({
    census,
    filter: new AddressFilter(config.allow, config.deny),
    maxMemoryBytes: Math.floor(config.maxClientMemoryBytes / config.ioThreads),
    maxRequestBytes: config.maxRequestBytes,
    counters,
    turns,
    shortestTimeoutMs: Math.min(...timeouts.filter((timeoutMs) => timeoutMs > 0)),
    nextConnectionId: () => lifecycle.nextConnectionId(),
    tls,
    onHttp2Abuse: ({ remoteAddr }, reason) =>
      log.debug("HTTP/2 client stopped", {
        event: "http2_abuse",
        peer: remoteAddr.hostname,
        reason,
      }),
    handshakeTimeoutMs: config.headerTimeoutMs,
    onHandshakeFailure: ({ protocol }, { remoteAddr }, error) =>
      log.debug("TLS handshake failed", {
        event: "tls_handshake_failed",
        protocol,
        peer: remoteAddr.hostname,
        reason: error instanceof Error ? error.message : String(error),
      }),
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
