/**
 * `GET /ws` and `GET /metrics/stream`: connections on which the server speaks unasked.
 *
 * @module
 */

import type { CounterSink } from "../../command/counters.ts";
import type { ServerPhase } from "../../command/phase.ts";
import type { PushTarget } from "../../command/pubsub/subscriber.ts";
import { formatDuration, parseDuration } from "../../base/units.ts";
import { encodeText } from "../../protocol/http/characters.ts";
import type { HttpExchange } from "../../protocol/http/exchange.ts";
import { HttpError } from "../../protocol/http/http_error.ts";
import { ParamCount, QueryParam } from "../../protocol/http/query.ts";
import { acceptHandshake } from "../../protocol/websocket/handshake.ts";
import {
  type StreamDefect,
  type WebSocketCounterIds,
  WebSocketSession,
} from "../../protocol/websocket/websocket_session.ts";
import type { EventOffer } from "./event_offer.ts";
import { EventStreamSession, NoStreamSession } from "./event_stream.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type LiveCounterIds, LiveMessages } from "./live_messages.ts";
import {
  DEFAULT_INTERVAL_MS,
  LiveMetrics,
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
} from "./live_metrics.ts";

const INTERVAL = encodeText("interval");
const VIEW = encodeText("view");

const INTERVAL_RULE = `interval must be a duration from ${formatDuration(MIN_INTERVAL_MS)} to ${
  formatDuration(MAX_INTERVAL_MS)
}`;

/**
 * The head of a stream: no length and no chunks, so that its end is the connection's; nothing on the
 * way may keep it, or keep it back.
 */
const STREAM_LINES = encodeText(
  "Connection: close\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n" +
    "X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n",
);

/** Ids of the counters of streams. */
export interface StreamCounterIds extends WebSocketCounterIds, LiveCounterIds {
  /** Clients that are sent server-sent events. */
  readonly eventStreams: number;
}

/** What the routes are made from. */
export interface LiveRoutesOptions {
  /** Where events go. */
  readonly intake: EventOffer;
  /** The metrics as a value for `JSON.stringify`. */
  readonly metrics: () => unknown;
  /** What the live page shows; left out: there is no such view. */
  readonly page?: () => { read(): unknown; watch(isWatched: boolean): void };
  /** The server's phase. */
  readonly phase: ServerPhase;
  /** Longest message. Unit: bytes. */
  readonly maxMessageBytes: number;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Where to count. */
  readonly counterIds: StreamCounterIds;
  /** Told of a client that is about to be cut off. */
  readonly onCutOff: (kind: "websocket" | "sse", peer: string, defect: StreamDefect) => void;
}

/**
 * Leaves connections to sessions that live long.
 *
 * Thread: one per I/O thread.
 */
export class LiveRoutes {
  readonly #options: LiveRoutesOptions;
  readonly #live: LiveMetrics;
  /** Made for the first who wants to see it. */
  #page: LiveMetrics | undefined = undefined;
  readonly #messages: LiveMessages;
  readonly #heartbeat = new Heartbeat();
  readonly #param = new QueryParam();

  /** Makes the routes. */
  constructor(options: LiveRoutesOptions) {
    this.#options = options;
    this.#live = new LiveMetrics({ read: options.metrics });
    this.#messages = new LiveMessages({ ...options, live: this.#live });
  }

  /** `GET /ws` */
  webSocket(exchange: HttpExchange): void {
    const lines = acceptHandshake(exchange);
    const target = this.#targetOf(exchange);
    const { phase, maxMessageBytes, counters, counterIds, onCutOff } = this.#options;
    const peer = exchange.client.address ?? "";
    const session = new WebSocketSession({
      phase,
      maxMessageBytes,
      counters,
      counterIds,
      target,
      onCutOff: (defect) => onCutOff("websocket", peer, defect),
      onClose: () => this.#heartbeat.leave(session),
    }, this.#messages.converse(target, () => session.noteProgress()));
    this.#heartbeat.join(session);
    exchange.upgrade(101, lines, session);
  }

  /** `GET /metrics/stream?interval=250ms`; with `view=page`, what the live page shows. */
  eventStream(exchange: HttpExchange): void {
    const live = this.#viewOf(exchange);
    const intervalMs = this.#intervalMs(exchange);
    const target = this.#targetOf(exchange);
    if (exchange.headOnly) return exchange.upgrade(200, STREAM_LINES, new NoStreamSession());
    const { counters, counterIds, onCutOff } = this.#options;
    const peer = exchange.client.address ?? "";
    const session = new EventStreamSession({
      live,
      intervalMs,
      target,
      onSlow: () => onCutOff("sse", peer, "slow"),
      onClose: () => {
        counters.add(counterIds.eventStreams, -1);
        this.#heartbeat.leave(session);
      },
    });
    counters.add(counterIds.eventStreams);
    this.#heartbeat.join(session);
    exchange.upgrade(200, STREAM_LINES, session);
  }

  /** Where to push. A server that is stopping begins nothing that has no end. */
  #targetOf(exchange: HttpExchange): PushTarget {
    if (this.#options.phase.stopping) throw new HttpError(503, "shutting_down");
    const { pushTarget } = exchange.client;
    if (pushTarget === undefined) {
      throw new HttpError(501, "not_implemented", "this connection cannot be pushed to");
    }
    return pushTarget;
  }

  #viewOf({ request }: HttpExchange): LiveMetrics {
    const count = this.#param.find(request, VIEW);
    if (count === ParamCount.NONE) return this.#live;
    const { page } = this.#options;
    if (page !== undefined && count === ParamCount.ONE && this.#param.text(request) === "page") {
      return this.#page ??= livePage(page());
    }
    throw new HttpError(400, "invalid_view", "view must be page");
  }

  #intervalMs(exchange: HttpExchange): number {
    const { request } = exchange;
    const count = this.#param.find(request, INTERVAL);
    if (count === ParamCount.NONE) return DEFAULT_INTERVAL_MS;
    const intervalMs = count === ParamCount.ONE ? parseDuration(this.#param.text(request)) : null;
    if (intervalMs === null || intervalMs < MIN_INTERVAL_MS || intervalMs > MAX_INTERVAL_MS) {
      throw new HttpError(400, "invalid_interval", INTERVAL_RULE);
    }
    return intervalMs;
  }
}

function livePage(page: { read(): unknown; watch(isWatched: boolean): void }): LiveMetrics {
  return new LiveMetrics({
    read: () => page.read(),
    eventName: "page",
    onWatched: (isWatched) => page.watch(isWatched),
  });
}
