/**
 * All HTTP routes.
 *
 * @module
 */

import { prefersJson } from "../protocol/http/accept.ts";
import { CannedReply } from "../protocol/http/canned_reply.ts";
import { encodeText } from "../protocol/http/characters.ts";
import type { CommandClient } from "../protocol/command_client.ts";
import { ContentType, type HttpExchange } from "../protocol/http/exchange.ts";
import type { Route } from "../protocol/http/resource.ts";
import { createRouter, type Router } from "../protocol/http/router.ts";
import { Compressor } from "./compressor.ts";
import { PageRoutes } from "./page/page_routes.ts";
import { CodedBodies } from "./routes/coded_body.ts";
import type { BatchOffer } from "./routes/event_offer.ts";
import { EventRoutes } from "./routes/event_routes.ts";
import type { LiveRoutes } from "./routes/live_routes.ts";
import { KeyRoutes } from "./routes/key_routes.ts";
import { SharedPage } from "./routes/shared_page.ts";
import { UserRoutes } from "./routes/user_routes.ts";
import type { StaticFiles } from "./static/static_files.ts";

/** What the metrics routes show. */
export interface MetricsViews {
  /** The metrics as a value for `JSON.stringify`. */
  json(): unknown;
  /** What `/metrics/contention` answers, as JSON. */
  contention(): Promise<Uint8Array<ArrayBuffer>>;
  /** The metrics as Prometheus text. */
  text(): string | Promise<string>;
  /** Media type of that text, e.g. `text/plain; version=0.0.4; charset=utf-8`. */
  readonly textType: string;
}

/** What `/ready` says; anything but `ready` is a 503. */
export type Readiness = "ready" | "starting" | "shutting_down";

/** What the routes are made from. */
export interface HttpRoutesOptions {
  /** Where events go. */
  readonly intake: BatchOffer;
  /** Runs commands. */
  readonly commands: CommandClient;
  /** What `/metrics` shows. */
  readonly metrics: MetricsViews;
  /** What `/ready` says. */
  readonly readiness: () => Readiness;
  /** Event workers that are lost for good, of how many; left out: none ever is. */
  readonly lostWorkers?: () => { readonly count: number; readonly of: number };
  /** WebSocket and server-sent events; left out: there are none. */
  readonly live?: LiveRoutes;
  /** Answers `/static/`; left out: nothing is there. */
  readonly files?: StaticFiles | undefined;
  /** Compresses; one of its own when left out. */
  readonly compressor?: Compressor;
}

/**
 * Makes the routes of this server.
 *
 * Thread: one set per I/O thread.
 */
export function createHttpRoutes(options: HttpRoutesOptions): Router {
  const { commands, metrics, readiness } = options;
  const bodies = new CodedBodies(options.compressor ?? new Compressor());
  const metricsText = new SharedPage(encodeText(metrics.textType), () => {
    const text = metrics.text();
    return typeof text === "string" ? encodeText(text) : text.then(encodeText);
  }, bodies);
  const metricsJson = new SharedPage(
    ContentType.JSON,
    () => encodeText(JSON.stringify(metrics.json())),
    bodies,
  );
  const contention = new SharedPage(ContentType.JSON, () => metrics.contention(), bodies);
  const events = new EventRoutes(options.intake, (exchange) => metricsJson.send(exchange));
  const users = new UserRoutes(commands);
  const keys = new KeyRoutes(commands, bodies);
  const page = new PageRoutes(bodies);
  const healthy = new CannedReply({ status: 200, body: `{"status":"ok"}` });
  const readinessReplies: Readonly<Record<Readiness, CannedReply>> = {
    ready: new CannedReply({ status: 200, body: `{"status":"ready"}` }),
    starting: notReady("starting"),
    shutting_down: notReady("shutting_down"),
  };
  const { live } = options;
  const liveRoutes: Route[] = live === undefined ? [] : [
    { method: "GET", pattern: "/ws", handler: (exchange) => live.webSocket(exchange) },
    {
      method: "GET",
      pattern: "/metrics/stream",
      handler: (exchange) => live.eventStream(exchange),
    },
  ];
  return createRouter([
    ...liveRoutes,
    ...fileRoutes(options.files),
    { method: "GET", pattern: "/", handler: (exchange) => page.page(exchange), isOpen: true },
    {
      method: "GET",
      pattern: "/page/*",
      handler: (exchange) => page.file(exchange),
      isOpen: true,
    },
    { method: "POST", pattern: "/events", handler: (exchange) => events.offer(exchange) },
    { method: "POST", pattern: "/", handler: (exchange) => events.offerOrMetrics(exchange) },
    { method: "GET", pattern: "/users/:user", handler: (exchange) => users.balance(exchange) },
    { method: "GET", pattern: "/keys", handler: (exchange) => keys.list(exchange) },
    { method: "GET", pattern: "/keys/:key", handler: (exchange) => keys.get(exchange) },
    { method: "GET", pattern: "/keys/:key/info", handler: (exchange) => keys.info(exchange) },
    { method: "PUT", pattern: "/keys/:key", handler: (exchange) => keys.put(exchange) },
    { method: "DELETE", pattern: "/keys/:key", handler: (exchange) => keys.delete(exchange) },
    {
      method: "GET",
      pattern: "/metrics",
      handler: (exchange) =>
        prefersJson(exchange.request) ? metricsJson.send(exchange) : metricsText.send(exchange),
    },
    {
      method: "GET",
      pattern: "/metrics/contention",
      handler: (exchange) => contention.send(exchange),
    },
    {
      method: "GET",
      pattern: "/health",
      handler: (exchange) => exchange.send(healthy),
      isOpen: true,
    },
    {
      method: "GET",
      pattern: "/ready",
      handler: (exchange) => {
        const state = readiness();
        const lost = options.lostWorkers?.() ?? NO_LOST_WORKERS;
        if (state !== "ready" || lost.count === 0) return exchange.send(readinessReplies[state]);
        sendLostWorkers(exchange, lost.count < lost.of, lost.count);
      },
      isOpen: true,
    },
  ]);
}

function fileRoutes(files: StaticFiles | undefined): Route[] {
  if (files === undefined) return [];
  return [
    { method: "GET", pattern: "/static", handler: (exchange) => files.redirect(exchange) },
    { method: "GET", pattern: "/static/*", handler: (exchange) => files.serve(exchange) },
  ];
}

const NO_LOST_WORKERS = { count: 0, of: 0 };

/** A server that cannot settle events any more is not ready; one that does it slower is. */
function sendLostWorkers(exchange: HttpExchange, isReady: boolean, count: number): void {
  const status = isReady ? { status: "ready" } : { status: "error", reason: "workers_lost" };
  exchange.scratch.ascii(JSON.stringify({ ...status, workers_lost: count }));
  exchange.sendScratch(isReady ? 200 : 503);
}

function notReady(reason: string): CannedReply {
  return new CannedReply({ status: 503, body: JSON.stringify({ status: "error", reason }) });
}
