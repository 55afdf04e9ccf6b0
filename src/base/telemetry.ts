/**
 * Spans by Deno's own OpenTelemetry, which exports them on a thread of the runtime's.
 *
 * With `OTEL_DENO=true` the runtime puts its implementation where `@opentelemetry/api` looks for
 * one; without, the api is not even loaded.
 *
 * @module
 */

import type { Context, Tracer } from "@opentelemetry/api";
import type { TraceLink } from "./trace_link.ts";

/** Where an implementation is registered; the same for all versions 1.x of the api. */
const REGISTRATION = Symbol.for("opentelemetry.js.api.1");

/** Name of the instrumentation scope of all spans. */
const SCOPE_NAME = "sluice";

/** Bit of the trace flags that says that a span is exported. */
const SAMPLED = 1;

/** Numbers of the kinds of spans that are used, as the api has them. */
export const SpanKinds = { SERVER: 1, CONSUMER: 4 } as const;

/** Number of the status of a failure, as the api has it. */
export const ERROR_STATUS = 2;

/** Attributes of a span. */
export type SpanAttributes = Record<string, string | number>;

/** A span under way, as far as it is used; the api's has more. */
export interface TelemetrySpan {
  /** Says something of it. */
  setAttribute(name: string, value: string | number): unknown;
  /** Says several things of it. */
  setAttributes(attributes: SpanAttributes): unknown;
  /** Says that it failed, with {@link ERROR_STATUS}. */
  setStatus(status: { code: typeof ERROR_STATUS; message?: string }): unknown;
  /** Ends it. Unit: ms since the epoch. */
  end(endedAtMs: number): void;
  /** What it is known by. */
  spanContext(): { traceId: string; spanId: string; traceFlags: number };
}

/** Whether this process was started with telemetry. Needs no permission. Thread: any. */
export function isTelemetryOn(): boolean {
  return REGISTRATION in globalThis;
}

/** Now, in ms since the epoch, with the parts of a millisecond. Thread: any. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Makes spans.
 *
 * Thread: one per isolate that makes any.
 */
export class Telemetry {
  readonly #tracer: Tracer;
  readonly #root: Context;
  readonly #contextOf: (link: TraceLink) => Context;

  private constructor(tracer: Tracer, root: Context, contextOf: (link: TraceLink) => Context) {
    this.#tracer = tracer;
    this.#root = root;
    this.#contextOf = contextOf;
  }

  /** Loads the api. */
  static async load(): Promise<Telemetry> {
    const { ROOT_CONTEXT, trace } = await import("@opentelemetry/api");
    return new Telemetry(
      trace.getTracer(SCOPE_NAME),
      ROOT_CONTEXT,
      ({ traceId, spanId }) =>
        trace.setSpanContext(ROOT_CONTEXT, {
          traceId,
          spanId,
          traceFlags: SAMPLED,
          isRemote: true,
        }),
    );
  }

  /**
   * Begins a span.
   *
   * @param startedAtMs ms since the epoch
   * @param parent the span that it is part of; undefined: it begins a trace
   */
  begin(
    name: string,
    kind: (typeof SpanKinds)[keyof typeof SpanKinds],
    startedAtMs: number,
    parent: TraceLink | undefined,
  ): TelemetrySpan {
    const context = parent === undefined ? this.#root : this.#contextOf(parent);
    return this.#tracer.startSpan(
      name,
      { kind, startTime: startedAtMs },
      context,
    );
  }

  /** What others need to be part of a span; undefined when the sampler has not chosen it. */
  linkOf(span: TelemetrySpan): TraceLink | undefined {
    const { traceId, spanId, traceFlags } = span.spanContext();
    return (traceFlags & SAMPLED) === 0 ? undefined : { traceId, spanId };
  }
}
