/**
 * Spans of an I/O thread: one for each HTTP request, and one for each event that came otherwise.
 *
 * @module
 */

import type { EventFields } from "../base/job.ts";
import {
  ERROR_STATUS,
  preciseNowMs,
  type SpanAttributes,
  SpanKinds,
  Telemetry,
  type TelemetrySpan,
} from "../base/telemetry.ts";
import { parseTraceparent, type TraceLink } from "../base/trace_link.ts";
import { EventOutcome, type EventTracer } from "../command/event_intake.ts";
import type { Settlement } from "../command/event_waits.ts";
import { encodeText } from "../protocol/http/characters.ts";
import type { HttpExchange } from "../protocol/http/exchange.ts";
import { METHOD_NAMES } from "../protocol/http/method.ts";
import type { HttpRequest } from "../protocol/http/request.ts";
import { REFUSAL_REASONS } from "./routes/event_offer.ts";

const TRACEPARENT = encodeText("traceparent");
/** What a method is called that has no name here. Source: the HTTP conventions of OpenTelemetry. */
const OTHER_METHOD = "_OTHER";
/** Statuses from this one on are failures of the server. */
const FIRST_FAILURE_STATUS = 500;
/** How long a path may be in a span. Unit: bytes. */
const PATH_MAX_BYTES = 512;

const decoder = new TextDecoder();

/** The trace of one request under way; see `HttpExchange.trace`. */
interface RequestTrace {
  /** What its jobs are part of. */
  readonly link: TraceLink | undefined;
  /** The path, as the span shows it. */
  readonly path: string;
  /** Pattern of the route; "" = there is none. */
  readonly pattern: string;
  /** Undefined when the client says that its trace is not sampled. */
  readonly span: TelemetrySpan | undefined;
}

/**
 * Makes the spans.
 *
 * Thread: one I/O thread.
 */
export class RequestTracing implements EventTracer {
  readonly #telemetry: Telemetry;

  private constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  /** Loads what it needs. */
  static async load(): Promise<RequestTracing> {
    return new RequestTracing(await Telemetry.load());
  }

  /** Told of every HTTP request before it is answered. */
  readonly routed = (exchange: HttpExchange, pattern: string): void => {
    exchange.trace = this.#begin(exchange, pattern);
  };

  /** Told of every HTTP request when its reply is complete, or its client gone. */
  readonly answered = (exchange: HttpExchange): void => {
    // What was refused by its head was never routed.
    const trace = exchange.trace as RequestTrace | undefined ?? this.#begin(exchange, "");
    exchange.trace = undefined;
    const { span } = trace;
    if (span === undefined) return;
    span.setAttributes(attributesOf(exchange, trace));
    if (exchange.status >= FIRST_FAILURE_STATUS) span.setStatus({ code: ERROR_STATUS });
    span.end(preciseNowMs());
  };

  /** See {@link EventTracer.trace}. */
  trace<Result extends EventOutcome | Promise<Settlement>>(
    event: EventFields,
    offer: () => Result,
  ): Result {
    const span = this.#telemetry.begin(
      "event",
      SpanKinds.SERVER,
      preciseNowMs(),
      undefined,
    );
    event.trace = this.#telemetry.linkOf(span);
    span.setAttribute("network.protocol.name", event.protocol);
    const result = offer();
    event.trace = undefined;
    const offered: EventOutcome | Promise<Settlement> = result;
    if (typeof offered !== "number") void offered.then(({ kind }) => endWaiting(span, kind));
    else if (offered === EventOutcome.ACCEPTED) endEvent(span, "accepted");
    else endEvent(span, REFUSAL_REASONS[offered], true);
    return result;
  }

  #begin(exchange: HttpExchange, pattern: string): RequestTrace {
    const { request, startedAtMs } = exchange;
    // It may say that its path was not understood.
    const path = pathOf(request, pattern);
    const parent = parentOf(request);
    if (parent?.isSampled === false) return { link: undefined, path, pattern, span: undefined };
    const method = METHOD_NAMES[request.method] ?? "HTTP";
    const span = this.#telemetry.begin(
      pattern === "" ? method : `${method} ${pattern}`,
      SpanKinds.SERVER,
      performance.timeOrigin + startedAtMs,
      parent,
    );
    return { link: this.#telemetry.linkOf(span), path, pattern, span };
  }
}

function attributesOf(exchange: HttpExchange, { path, pattern }: RequestTrace): SpanAttributes {
  const { request, status, bodyBytes } = exchange;
  const attributes: SpanAttributes = {
    "http.request.method": METHOD_NAMES[request.method] ?? OTHER_METHOD,
    "http.response.status_code": status,
    "http.response.body.size": bodyBytes,
    "network.transport": "tcp",
    "url.path": path,
    "url.scheme": request.isSecure ? "https" : "http",
  };
  if (pattern !== "") attributes["http.route"] = pattern;
  if (status >= FIRST_FAILURE_STATUS) attributes["error.type"] = String(status);
  return attributes;
}

/** The path; that of a route with parameters is its pattern, because names of users are in it. */
function pathOf({ bytes, pathStart, pathEnd }: HttpRequest, pattern: string): string {
  if (pattern.includes(":")) return pattern;
  const end = Math.min(pathEnd, pathStart + PATH_MAX_BYTES);
  return decoder.decode(bytes.subarray(pathStart, end)) || "/";
}

/** The span that the client's request is part of. One of several is none. */
function parentOf(request: HttpRequest): ReturnType<typeof parseTraceparent> {
  const field = request.findField(TRACEPARENT);
  if (field < 0 || request.findField(TRACEPARENT, field + 1) >= 0) return undefined;
  const value = request.bytes.subarray(request.valueStart(field), request.valueEnd(field));
  return parseTraceparent(decoder.decode(value));
}

/** What went wrong with an accepted event is told by the span of its job. */
function endWaiting(span: TelemetrySpan, kind: Settlement["kind"]): void {
  endEvent(span, kind === "pending" ? "accepted" : kind);
}

function endEvent(span: TelemetrySpan, outcome: string, isRefused = false): void {
  span.setAttribute("sluice.event.outcome", outcome);
  if (isRefused) {
    span.setAttribute("error.type", outcome);
    span.setStatus({ code: ERROR_STATUS, message: outcome });
  }
  span.end(preciseNowMs());
}
