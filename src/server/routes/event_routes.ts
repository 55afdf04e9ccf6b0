/**
 * `POST /events` and `POST /`: one event, or many.
 *
 * @module
 */

import type { ByteWriter } from "../../base/bytes.ts";
import { EventFields } from "../../base/job.ts";
import { EVENT_WAIT_MAX_MS } from "../../base/limits.ts";
import { formatDuration, parseDuration } from "../../base/units.ts";
import { eventDefect, idRule } from "../../command/event.ts";
import { EventOutcome } from "../../command/event_intake.ts";
import type { Settlement } from "../../command/event_waits.ts";
import { CannedReply } from "../../protocol/http/canned_reply.ts";
import {
  encodeText,
  equalBytes,
  equalIgnoringCase,
  SEMICOLON,
  SPACE,
  TAB,
} from "../../protocol/http/characters.ts";
import { EventJsonDecoder } from "../../protocol/http/event_json.ts";
import type { HttpExchange } from "../../protocol/http/exchange.ts";
import { ParamCount, QueryParam } from "../../protocol/http/query.ts";
import type { HttpRequest } from "../../protocol/http/request.ts";
import { EventBatch } from "./event_batch.ts";
import { type BatchOffer, gateReply, REFUSAL_REASONS } from "./event_offer.ts";
import { errorReply, rejection, retryAfterSeconds, writeOutcome } from "./replies.ts";

const IDEMPOTENCY_KEY = encodeText("idempotency-key");
const NDJSON = encodeText("application/x-ndjson");
const WAIT = encodeText("wait");

const WAIT_RULE = `wait must be a duration such as 500ms or 1s, at most ${
  formatDuration(EVENT_WAIT_MAX_MS)
}`;

/**
 * Takes events.
 *
 * Thread: one per I/O thread.
 */
export class EventRoutes {
  readonly #intake: BatchOffer;
  readonly #sendMetrics: (exchange: HttpExchange) => void;
  readonly #decoder: EventJsonDecoder;
  readonly #event = new EventFields();
  readonly #param = new QueryParam();
  readonly #accepted = new CannedReply({ status: 202, body: `{"status":"accepted"}` });
  readonly #invalidJson = errorReply(400, "invalid_json");
  readonly #outOfMemory = rejection(REFUSAL_REASONS[EventOutcome.OUT_OF_MEMORY]);
  readonly #storageUnavailable = rejection(REFUSAL_REASONS[EventOutcome.STORAGE_UNAVAILABLE]);
  readonly #shuttingDown = rejection(REFUSAL_REASONS[EventOutcome.SHUTTING_DOWN]);
  /** By seconds to wait; filled as they come up. */
  readonly #serverBusy = new Map<number, CannedReply>();

  /**
   * Makes the routes.
   *
   * @param intake where events go
   * @param sendMetrics answers `{"type":"metrics"}`
   */
  constructor(intake: BatchOffer, sendMetrics: (exchange: HttpExchange) => void) {
    this.#intake = intake;
    this.#sendMetrics = sendMetrics;
    this.#decoder = new EventJsonDecoder([], intake.gate);
  }

  /** One event, or with `application/x-ndjson` one a line. */
  offer(exchange: HttpExchange): void | Promise<void> {
    const { request } = exchange;
    if (isNdjson(request)) return this.#offerMany(exchange);
    const waitMs = request.queryEnd > request.queryStart ? this.#waitMs(exchange) : 0;
    if (waitMs >= 0 && this.#scan(exchange)) return this.#offerScanned(exchange, waitMs);
  }

  /** The same, or `{"type":"metrics"}`. */
  offerOrMetrics(exchange: HttpExchange): void | Promise<void> {
    const { request } = exchange;
    if (isNdjson(request)) return this.#offerMany(exchange);
    const waitMs = request.queryEnd > request.queryStart ? this.#waitMs(exchange) : 0;
    if (waitMs < 0 || !this.#scan(exchange)) return;
    if (this.#decoder.isMetricsRequest) return this.#sendMetrics(exchange);
    return this.#offerScanned(exchange, waitMs);
  }

  #offerMany(exchange: HttpExchange): void | Promise<void> {
    const { request } = exchange;
    if (this.#param.find(request, WAIT) !== ParamCount.NONE) {
      return exchange.sendError(400, "invalid_wait", "wait is for a single event");
    }
    if (request.findField(IDEMPOTENCY_KEY) >= 0) {
      return exchange.sendError(
        400,
        "invalid_event",
        "Idempotency-Key is for a single event; give every line its own id",
      );
    }
    return new EventBatch(exchange, this.#intake, this.#decoder, this.#event).run();
  }

  /** How long the client wants to wait, 0 = not at all. -1 when it was refused. */
  #waitMs(exchange: HttpExchange): number {
    const { request } = exchange;
    const count = this.#param.find(request, WAIT);
    if (count === ParamCount.NONE) return 0;
    const waitMs = count === ParamCount.ONE ? parseDuration(this.#param.text(request)) : null;
    if (waitMs !== null && waitMs <= EVENT_WAIT_MAX_MS) return waitMs;
    this.#intake.countInvalid();
    exchange.sendError(400, "invalid_wait", WAIT_RULE);
    return -1;
  }

  #scan(exchange: HttpExchange): boolean {
    const { bytes, bodyStart, bodyEnd } = exchange.request;
    if (this.#decoder.scan(bytes, bodyStart, bodyEnd)) return true;
    this.#intake.countInvalid();
    exchange.send(this.#invalidJson);
    return false;
  }

  #offerScanned(exchange: HttpExchange, waitMs: number): void | Promise<void> {
    const event = this.#event;
    const defect = this.#decoder.read(event) ?? takeIdempotencyKey(exchange, event);
    if (defect !== undefined) {
      this.#intake.countInvalid();
      exchange.sendError(400, "invalid_event", defect);
      return;
    }
    const refusal = this.#decoder.admit(event);
    if (refusal !== undefined) {
      this.#intake.countInvalid();
      const { reason, detail } = gateReply(refusal);
      exchange.sendError(refusal.kind === "invalid" ? 400 : 500, reason, detail);
      return;
    }
    event.acceptedAtMs = exchange.nowMs;
    event.trace = exchange.trace?.link;
    const outcome = waitMs === 0
      ? this.#intake.offer(event)
      : this.#intake.offerWaiting(event, waitMs);
    if (typeof outcome !== "number") return this.#replyLater(exchange, outcome);
    exchange.send(this.#replyTo(outcome));
  }

  async #replyLater(exchange: HttpExchange, waiting: Promise<Settlement>): Promise<void> {
    const settlement = await waiting;
    switch (settlement.kind) {
      case "pending":
        exchange.send(this.#accepted);
        break;
      case "processed":
        writeProcessed(exchange.scratch, settlement);
        exchange.sendScratch(200);
        break;
      case "failed":
        exchange.scratch.utf8(JSON.stringify({ status: "failed", reason: settlement.reason }));
        exchange.sendScratch(200);
    }
  }

  #replyTo(outcome: EventOutcome): CannedReply {
    switch (outcome) {
      case EventOutcome.ACCEPTED:
        return this.#accepted;
      case EventOutcome.SERVER_BUSY:
        return this.#serverBusyReply();
      case EventOutcome.OUT_OF_MEMORY:
        return this.#outOfMemory;
      case EventOutcome.STORAGE_UNAVAILABLE:
        return this.#storageUnavailable;
      case EventOutcome.SHUTTING_DOWN:
        return this.#shuttingDown;
    }
  }

  #serverBusyReply(): CannedReply {
    const retryAfterS = retryAfterSeconds(this.#intake.retryAfterMs());
    let reply = this.#serverBusy.get(retryAfterS);
    if (reply === undefined) {
      reply = rejection(REFUSAL_REASONS[EventOutcome.SERVER_BUSY], [[
        "Retry-After",
        String(retryAfterS),
      ]]);
      this.#serverBusy.set(retryAfterS, reply);
    }
    return reply;
  }
}

function writeProcessed(
  scratch: ByteWriter,
  { balance, result }: Extract<Settlement, { kind: "processed" }>,
): void {
  scratch.ascii(`{"status":"processed"`);
  writeOutcome(scratch, balance, result);
  scratch.ascii("}");
}

/** Whether the body says that it has an event on every line. */
function isNdjson(request: HttpRequest): boolean {
  const field = request.contentTypeField;
  if (field < 0) return false;
  const { bytes } = request;
  const start = request.valueStart(field);
  const typeEnd = start + NDJSON.length;
  const valueEnd = request.valueEnd(field);
  if (typeEnd > valueEnd || !equalIgnoringCase(bytes, start, typeEnd, NDJSON)) return false;
  const next = bytes[typeEnd];
  return typeEnd === valueEnd || next === SEMICOLON || next === SPACE || next === TAB;
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
