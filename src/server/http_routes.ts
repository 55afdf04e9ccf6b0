/**
 * What each HTTP route does.
 *
 * @module
 */

import type { ByteWriter } from "../base/bytes.ts";
import { type ByteSlice, EventFields, MAX_USER_BYTES } from "../base/job.ts";
import { eventDefect, idRule } from "../command/event.ts";
import { EventOutcome } from "../command/event_intake.ts";
import { prefersJson } from "../protocol/http/accept.ts";
import {
  type BalanceLookup,
  type BalanceQuery,
  BalanceStatus,
} from "../protocol/http/balance_query.ts";
import { CannedReply } from "../protocol/http/canned_reply.ts";
import { BACKSLASH, encodeText, equalBytes, QUOTE } from "../protocol/http/characters.ts";
import { EventJsonDecoder } from "../protocol/http/event_json.ts";
import type { HttpExchange } from "../protocol/http/exchange.ts";
import { createRouter, type Router } from "../protocol/http/router.ts";

/** The event intake, as far as routes need it; see `EventIntake`. */
export interface EventOffer {
  /** Accepts or refuses a well-formed event, and counts it. */
  offer(event: EventFields): EventOutcome;
  /** Counts a malformed event. */
  countInvalid(): void;
  /** When to come back after `SERVER_BUSY`. Unit: ms. */
  retryAfterMs(): number;
}

/** What the metrics routes show. */
export interface MetricsViews {
  /** The metrics as a value for `JSON.stringify`. */
  json(): unknown;
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
  readonly intake: EventOffer;
  /** Where balances come from. */
  readonly balances: BalanceQuery;
  /** What `/metrics` shows. */
  readonly metrics: MetricsViews;
  /** What `/ready` says. */
  readonly readiness: () => Readiness;
}

/**
 * Makes the routes of this server.
 *
 * Thread: one set per I/O thread.
 */
export function createHttpRoutes(options: HttpRoutesOptions): Router {
  const { balances, metrics, readiness } = options;
  const events = new EventRoutes(options.intake, metrics);
  const users = new UserRoutes(balances);
  const metricsTextType = encodeText(metrics.textType);
  const healthy = new CannedReply({ status: 200, body: `{"status":"ok"}` });
  const readinessReplies: Readonly<Record<Readiness, CannedReply>> = {
    ready: new CannedReply({ status: 200, body: `{"status":"ready"}` }),
    starting: notReady("starting"),
    shutting_down: notReady("shutting_down"),
  };
  return createRouter([
    { method: "POST", pattern: "/events", handler: (exchange) => events.offer(exchange) },
    { method: "POST", pattern: "/", handler: (exchange) => events.offerOrMetrics(exchange) },
    { method: "GET", pattern: "/users/:user", handler: (exchange) => users.balance(exchange) },
    {
      method: "GET",
      pattern: "/metrics",
      handler: (exchange) =>
        prefersJson(exchange.request)
          ? sendMetricsJson(exchange, metrics)
          : sendMetricsText(exchange, metrics, metricsTextType),
    },
    { method: "GET", pattern: "/health", handler: (exchange) => exchange.send(healthy) },
    {
      method: "GET",
      pattern: "/ready",
      handler: (exchange) => exchange.send(readinessReplies[readiness()]),
    },
  ]);
}

const IDEMPOTENCY_KEY = encodeText("idempotency-key");

/** Longest `Retry-After` that is sent. Unit: s. */
const MAX_RETRY_AFTER_S = 3600;

/** `POST /events` and `POST /`. */
class EventRoutes {
  readonly #intake: EventOffer;
  readonly #metrics: MetricsViews;
  readonly #decoder = new EventJsonDecoder();
  readonly #event = new EventFields();
  readonly #accepted = new CannedReply({ status: 202, body: `{"status":"accepted"}` });
  readonly #invalidJson = new CannedReply({
    status: 400,
    body: `{"status":"error","reason":"invalid_json"}`,
  });
  readonly #outOfMemory = rejection("out_of_memory");
  readonly #shuttingDown = rejection("shutting_down");
  /** By seconds to wait; filled as they come up. */
  readonly #serverBusy = new Map<number, CannedReply>();

  constructor(intake: EventOffer, metrics: MetricsViews) {
    this.#intake = intake;
    this.#metrics = metrics;
  }

  /** An event. */
  offer(exchange: HttpExchange): void {
    if (this.#scan(exchange)) this.#offerScanned(exchange);
  }

  /** An event, or `{"type":"metrics"}`. */
  offerOrMetrics(exchange: HttpExchange): void {
    if (!this.#scan(exchange)) return;
    if (this.#decoder.isMetricsRequest) sendMetricsJson(exchange, this.#metrics);
    else this.#offerScanned(exchange);
  }

  #scan(exchange: HttpExchange): boolean {
    const { bytes, bodyStart, bodyEnd } = exchange.request;
    if (this.#decoder.scan(bytes, bodyStart, bodyEnd)) return true;
    this.#intake.countInvalid();
    exchange.send(this.#invalidJson);
    return false;
  }

  #offerScanned(exchange: HttpExchange): void {
    const event = this.#event;
    const defect = this.#decoder.read(event) ?? takeIdempotencyKey(exchange, event);
    if (defect !== undefined) {
      this.#intake.countInvalid();
      exchange.sendError(400, "invalid_event", defect);
      return;
    }
    event.acceptedAtMs = exchange.nowMs;
    exchange.send(this.#replyTo(this.#intake.offer(event)));
  }

  #replyTo(outcome: EventOutcome): CannedReply {
    switch (outcome) {
      case EventOutcome.ACCEPTED:
        return this.#accepted;
      case EventOutcome.SERVER_BUSY:
        return this.#serverBusyReply();
      case EventOutcome.OUT_OF_MEMORY:
        return this.#outOfMemory;
      case EventOutcome.SHUTTING_DOWN:
        return this.#shuttingDown;
    }
  }

  #serverBusyReply(): CannedReply {
    const seconds = Math.ceil(this.#intake.retryAfterMs() / 1000);
    const retryAfterS = Math.min(Math.max(seconds, 1), MAX_RETRY_AFTER_S);
    let reply = this.#serverBusy.get(retryAfterS);
    if (reply === undefined) {
      reply = rejection("server_busy", [["Retry-After", String(retryAfterS)]]);
      this.#serverBusy.set(retryAfterS, reply);
    }
    return reply;
  }
}

/** `Idempotency-Key` is another way to give an event its id. Returns what is wrong with it. */
function takeIdempotencyKey(exchange: HttpExchange, event: EventFields): string | undefined {
  const { request } = exchange;
  const field = request.findField(IDEMPOTENCY_KEY);
  if (field < 0) return undefined;
  if (request.findField(IDEMPOTENCY_KEY, field + 1) >= 0) return "Idempotency-Key is repeated";
  const { id } = event;
  const start = request.valueStart(field);
  const end = request.valueEnd(field);
  if (id.length > 0) {
    const given = id.bytes.subarray(id.start, id.end);
    return equalBytes(request.bytes, start, end, given)
      ? undefined
      : "id and Idempotency-Key must be the same";
  }
  if (start === end) return idRule();
  id.set(request.bytes, start, end);
  return eventDefect(event);
}

/** `GET /users/:user` */
class UserRoutes {
  readonly #balances: BalanceQuery;
  readonly #unknownUser = new CannedReply({
    status: 404,
    body: `{"status":"error","reason":"unknown_user"}`,
  });
  readonly #wrongType = new CannedReply({
    status: 409,
    body: `{"status":"error","reason":"wrong_type"}`,
  });

  constructor(balances: BalanceQuery) {
    this.#balances = balances;
  }

  balance(exchange: HttpExchange): void | Promise<void> {
    const { request, params } = exchange;
    const lookup = this.#balances.take();
    if (!lookup.setUser(request.bytes, params.start(0), params.end(0))) {
      this.#balances.give(lookup);
      exchange.sendError(400, "invalid_user", USER_RULE);
      return;
    }
    const pending = this.#balances.run(lookup);
    if (pending !== undefined) return this.#replyLater(exchange, lookup, pending);
    this.#reply(exchange, lookup);
  }

  async #replyLater(
    exchange: HttpExchange,
    lookup: BalanceLookup,
    pending: Promise<unknown>,
  ): Promise<void> {
    await pending;
    this.#reply(exchange, lookup);
  }

  #reply(exchange: HttpExchange, lookup: BalanceLookup): void {
    switch (lookup.status) {
      case BalanceStatus.MISSING:
        exchange.send(this.#unknownUser);
        break;
      case BalanceStatus.WRONG_TYPE:
        exchange.send(this.#wrongType);
        break;
      case BalanceStatus.FOUND:
        sendBalance(exchange, lookup);
    }
    this.#balances.give(lookup);
  }
}

const USER_RULE = `user must be 1 to ${MAX_USER_BYTES} bytes of UTF-8 without control characters`;
const BALANCE_START = encodeText(`{"user":"`);
const BALANCE_MIDDLE = encodeText(`","balance":`);
const BALANCE_END = encodeText("}");

/** `{"user":"alice","balance":100}` */
function sendBalance(exchange: HttpExchange, lookup: BalanceLookup): void {
  const { scratch } = exchange;
  scratch.copy(BALANCE_START);
  writeJsonText(scratch, lookup.user);
  scratch.copy(BALANCE_MIDDLE);
  scratch.int64(lookup.value.hi, lookup.value.lo);
  scratch.copy(BALANCE_END);
  exchange.sendScratch(200);
}

/** Writes text without control characters between the quotes of a JSON string. */
function writeJsonText(writer: ByteWriter, text: ByteSlice): void {
  const { bytes, start, end } = text;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE || byte === BACKSLASH) writer.byte(BACKSLASH);
    writer.byte(byte);
  }
}

function sendMetricsJson(exchange: HttpExchange, metrics: MetricsViews): void {
  exchange.scratch.utf8(JSON.stringify(metrics.json()));
  exchange.sendScratch(200);
}

function sendMetricsText(
  exchange: HttpExchange,
  metrics: MetricsViews,
  textType: Uint8Array,
): void | Promise<void> {
  const text = metrics.text();
  if (typeof text === "string") return exchange.sendBody(200, textType, encodeText(text));
  return text.then((value) => exchange.sendBody(200, textType, encodeText(value)));
}

function rejection(
  reason: string,
  headers: readonly (readonly [string, string])[] = [],
): CannedReply {
  return new CannedReply({
    status: 503,
    headers,
    body: JSON.stringify({ status: "rejected", reason }),
  });
}

function notReady(reason: string): CannedReply {
  return new CannedReply({ status: 503, body: JSON.stringify({ status: "error", reason }) });
}
