/**
 * The protocols of one I/O thread, ready to be listened for.
 *
 * @module
 */

import type { WaveClock } from "../base/wave_clock.ts";
import { getLogger, type Logger } from "../base/log.ts";
import { ArgumentsPool } from "../command/arguments.ts";
import { Authenticator } from "../command/authenticator.ts";
import type { BlockedClients } from "../command/blocking/blocked_clients.ts";
import { Dispatcher } from "../command/dispatch.ts";
import { LocalClients } from "../command/client_directory.ts";
import { EventIntake } from "../command/event_intake.ts";
import type { EventWaits } from "../command/event_waits.ts";
import type { PubSubHub } from "../command/pubsub/hub.ts";
import type { CommandTable } from "../command/lookup.ts";
import type { Operations } from "../command/operations.ts";
import { SettingIndex } from "../command/runtime_settings.ts";
import type { HistogramRecorder } from "../metrics/histogram.ts";
import {
  CounterIndex,
  EVENT_COUNTERS,
  HistogramIndex,
  PROTOCOL_COUNTERS,
} from "../metrics/names.ts";
import { PrometheusExposition } from "../metrics/prometheus.ts";
import type { ThreadCounters } from "../metrics/region.ts";
import type { Notifier } from "../pubsub/notifier.ts";
import { BrowserGuard } from "../protocol/http/browser_guard.ts";
import { CommandClient } from "../protocol/command_client.ts";
import type { HttpExchange } from "../protocol/http/exchange.ts";
import { HttpService, type HttpServiceOptions } from "../protocol/http/http_service.ts";
import { commandLogFields } from "../protocol/resp/command_log.ts";
import { type CommandObserver, RespSession } from "../protocol/resp/resp_session.ts";
import { UpcomingKeys } from "../command/upcoming_keys.ts";
import { KeyScan } from "../protocol/resp/key_scan.ts";
import { RespWorks } from "../protocol/resp/resp_work.ts";
import { LockPoisonedError } from "../store/locks.ts";
import { createAccessLog } from "./access_log.ts";
import { Compressor } from "./compressor.ts";
import { type Config, isLoopback } from "./config.ts";
import {
  httpFullReply,
  httpTimeoutReply,
  RESP_FULL_REPLY,
  RESP_TIMEOUT_REPLY,
} from "./farewells.ts";
import type { Front } from "./front.ts";
import { settlementOf } from "./io_inbox.ts";
import { createHttpRoutes } from "./http_routes.ts";
import { createLiveRoutes } from "./live_parts.ts";
import type { OwnProcessor } from "./own_processor.ts";
import { createProtoFront } from "./proto_front.ts";
import { ServerChannels } from "./pubsub_parts.ts";
import { ServerClients } from "./server_clients.ts";
import type { ServerView } from "./server_view.ts";
import { settingTexts } from "./setting_texts.ts";
import type { SharedParts } from "./shared_parts.ts";
import type { RequestTracing } from "./request_tracing.ts";
import type { createStaticFiles } from "./static/static_parts.ts";
import type { ThreadQuestions } from "./thread_questions.ts";
import type { WriteTurns } from "./write_turns.ts";

/** What the fronts are made from. */
export interface FrontParts {
  /** The settings. */
  readonly config: Config;
  /** The shared memory, as this thread sees it. */
  readonly shared: SharedParts;
  /** What it can say about itself. */
  readonly view: ServerView;
  /** All commands. */
  readonly table: CommandTable;
  /** This thread's counters. */
  readonly counters: ThreadCounters;
  /** Clients of this thread that wait for the outcome of an event. */
  readonly waits: EventWaits;
  /** Clients of this thread that subscribe. */
  readonly pubsub: PubSubHub;
  /** Clients of this thread that wait for keys. */
  readonly blocking: BlockedClients;
  /** Publishes what happens to keys. */
  readonly notifier: Notifier;
  /** Asks and answers the other I/O threads. */
  readonly questions: ThreadQuestions;
  /** Settings, numbers and whatever else administration sees and steers. */
  readonly operations: Operations;
  /** When requests are executed, and replies written. */
  readonly writeTurns: WriteTurns;
  /** The thread's time. */
  readonly clock: WaveClock;
  /** Makes what answers `/static/`; left out: nothing is there. */
  readonly createFiles: typeof createStaticFiles | undefined;
  /** Traces requests and events; left out: nobody does. */
  readonly tracing: RequestTracing | undefined;
  /** A processor of one's own; left out: there is none. */
  readonly own: OwnProcessor | undefined;
}

/** The fronts of one thread, by protocol. */
export interface Fronts {
  /** HTTP. */
  readonly http: Front;
  /** RESP. */
  readonly resp: Front;
  /** Protobuf. */
  readonly proto: Front;
}

/**
 * Puts commands, events and protocols together.
 *
 * Thread: the I/O thread that will serve them.
 */
export function createFronts(parts: FrontParts): Fronts {
  const intake = createIntake(parts);
  parts.writeTurns.beforeWrites = intake.callWorkers;
  const { log } = parts.shared;
  parts.writeTurns.log = log;
  parts.writeTurns.gate = log?.confirmsDurable === true ? log : undefined;
  const authenticator = new Authenticator({
    password: parts.shared.operations.password,
    counters: parts.counters,
    failures: CounterIndex.AUTH_FAILURES,
  });
  const clients = new LocalClients();
  const isAlone = parts.config.ioThreads === 1;
  const dispatcher = new Dispatcher({
    store: parts.shared.store,
    intake,
    authenticator,
    clients: isAlone ? clients : new ServerClients(clients, parts.questions),
    table: parts.table,
    // Read when asked for: ports are known once the listeners are bound.
    get settings() {
      return settingTexts(parts.config, parts.view.ports);
    },
    operations: parts.operations,
    blocking: parts.blocking,
    storage: parts.shared.log,
    snapshot: () => parts.view.snapshot(),
    settingsChanged: () => {
      const { census } = parts.shared;
      census.maxConnections = parts.operations.settings.values[SettingIndex.MAX_CLIENTS]!;
    },
    mustHavePassword: !parts.config.insecure && !isLoopback(parts.config.host),
    clock: () => parts.clock.timeMs,
    counters: parts.counters,
    counterIds: { parkedCommands: CounterIndex.PARKED_COMMANDS },
    pubsub: parts.pubsub,
    channels: new ServerChannels(parts.pubsub, parts.questions),
    notifier: parts.notifier,
  });
  return {
    http: createHttpFront(parts, dispatcher, authenticator, intake),
    resp: createRespFront(parts, dispatcher, authenticator, clients),
    proto: createProtoFront(parts, dispatcher, intake, authenticator),
  };
}

function createIntake({ shared, counters, waits, tracing, own }: FrontParts): EventIntake {
  const { channel, eventIds, store, metrics, lifecycle, log } = shared;
  return new EventIntake({
    channel,
    log,
    tracer: tracing,
    eventIds,
    settlementOf: own?.settlementOf ?? settlementOf,
    gate: own?.gate,
    jobBytes: channel.jobBytes,
    credits: store.credits,
    phase: lifecycle,
    waits,
    counters,
    counterIds: EVENT_COUNTERS,
    settledTotal: () => {
      const { processed, failed } = metrics.readEventCounters();
      return processed + failed;
    },
  });
}

function createHttpFront(
  parts: FrontParts,
  dispatcher: Dispatcher,
  authenticator: Authenticator,
  intake: EventIntake,
): Front {
  const { config, view, shared, counters, table } = parts;
  const { lifecycle } = shared;
  const log = getLogger("http");
  const exposition = new PrometheusExposition(shared.metrics, config.lockTiming);
  const compressor = new Compressor();
  const service = new HttpService({
    router: createHttpRoutes({
      intake,
      commands: new CommandClient(dispatcher, table),
      metrics: {
        json: () => view.json(),
        contention: () => view.contention(),
        text: () => exposition.render(view.gauges()),
        textType: exposition.contentType,
      },
      readiness: () => lifecycle.readiness,
      lostWorkers: () => ({ count: lifecycle.lostWorkerCount, of: config.workersMax }),
      live: createLiveRoutes(parts, intake),
      compressor,
      files: parts.createFiles?.(config, counters, compressor),
    }),
    phase: lifecycle,
    maxRequestBytes: config.maxRequestBytes,
    counters,
    counterIds: {
      requests: PROTOCOL_COUNTERS.http.commands,
      limited: CounterIndex.HTTP_REQUESTS_LIMITED,
    },
    ...(shared.requestLimiter === undefined ? {} : { limit: shared.requestLimiter }),
    ...requestObservers(config, parts.tracing),
    guard: new BrowserGuard({
      allowedHosts: config.allowedHosts,
      corsOrigins: config.corsOrigins,
    }),
    authenticator,
    onFailure: (error, { requestId }) => {
      // A torn store ends the server; nobody may be told that only a request failed.
      if (error instanceof LockPoisonedError) return false;
      counters.add(CounterIndex.INTERNAL_ERRORS);
      log.error("request failed", {
        event: "request_failed",
        protocol: "http",
        request_id: requestId,
        error,
      });
      return true;
    },
    onBodyFailure: (error) => {
      counters.add(CounterIndex.BODIES_CUT_OFF);
      log.warn("a body could not be sent as a whole", {
        event: "body_failed",
        protocol: "http",
        reason: String(error),
      });
    },
    clock: () => dispatcher.beginBatch(),
    waves: parts.clock,
  });
  const full = httpFullReply();
  const timeout = httpTimeoutReply();
  return {
    protocol: "http",
    createSession: (origin) => service.createSession(origin),
    idleTimeoutMs: config.idleTimeoutMs,
    headTimeoutMs: config.headerTimeoutMs,
    minTransferRate: config.minTransferRate,
    get timeoutReply() {
      return timeout.bytes;
    },
    get fullReply() {
      return full.bytes;
    },
    counterIds: PROTOCOL_COUNTERS.http,
    latency: latencyRecorder(parts, HistogramIndex.HTTP_LATENCY),
  };
}

/** Who is told of requests. */
function requestObservers(
  { accessLog }: Config,
  tracing: RequestTracing | undefined,
): Pick<HttpServiceOptions, "namesRequests" | "onAnswered" | "onRouted"> {
  const logAnswered = accessLog ? createAccessLog() : undefined;
  const names = accessLog ? { namesRequests: true } : {};
  if (tracing === undefined) {
    return logAnswered === undefined ? names : { ...names, onAnswered: logAnswered };
  }
  const onAnswered = (exchange: HttpExchange): void => {
    logAnswered?.(exchange);
    tracing.answered(exchange);
  };
  return { ...names, onAnswered, onRouted: tracing.routed };
}

function createRespFront(
  parts: FrontParts,
  dispatcher: Dispatcher,
  authenticator: Authenticator,
  clients: LocalClients,
): Front {
  const { config, counters } = parts;
  const settings = parts.operations.settings.values;
  const log = getLogger("resp");
  const logCommand = commandLog(log);
  const keyScan = parts.writeTurns.ahead = new KeyScan(new UpcomingKeys(parts.shared.store));
  const options = {
    dispatcher,
    argumentsPool: new ArgumentsPool(),
    keyScan,
    works: new RespWorks(config.maxRequestBytes),
    authenticator,
    clients,
    pubsub: parts.pubsub,
    phase: parts.shared.lifecycle,
    rateLimit: config.respRateLimit,
    counters,
    commandsProcessed: PROTOCOL_COUNTERS.resp.commands,
    throttledCommands: CounterIndex.THROTTLED_COMMANDS,
    get onCommand() {
      return log.isEnabled("trace") ? logCommand : undefined;
    },
    onCrossProtocol: ({ address }: { address: string }): void =>
      log.debug("HTTP on the RESP port, closed", { event: "cross_protocol", peer: address }),
  };
  return {
    protocol: "resp",
    createSession: (origin) => new RespSession(options, origin),
    get idleTimeoutMs() {
      return settings[SettingIndex.TIMEOUT]! * 1000;
    },
    headTimeoutMs: 0,
    minTransferRate: 0,
    timeoutReply: RESP_TIMEOUT_REPLY,
    fullReply: RESP_FULL_REPLY,
    counterIds: PROTOCOL_COUNTERS.resp,
    latency: latencyRecorder(parts, HistogramIndex.RESP_LATENCY),
  };
}

/** Logs every command; for as long as that level is logged. */
function commandLog(log: Logger): CommandObserver {
  return (client, row, args) => log.trace("command", commandLogFields(client, row, args));
}

function latencyRecorder({ shared }: FrontParts, histogram: HistogramIndex): HistogramRecorder {
  return shared.metrics.histogram(shared.threadId, histogram);
}
