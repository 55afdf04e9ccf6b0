/**
 * A receiver of OTLP over HTTP with JSON, as a collector is one.
 *
 * @module
 */

import assert from "node:assert/strict";

/** How long a span may take to come. Unit: ms. */
const PATIENCE_MS = 30_000;

/** One span, as it was received. */
export interface ReceivedSpan {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** The same, or "". */
  readonly parentSpanId: string;
  /** Its name. */
  readonly name: string;
  /** 2 = server, 5 = consumer. */
  readonly kind: number;
  /** When it began, in ns since the epoch. */
  readonly startTimeUnixNano: string;
  /** When it ended. */
  readonly endTimeUnixNano: string;
  /** Status; code 2 is a failure. */
  readonly status: { readonly code: number; readonly message: string };
  /** Attributes by name. */
  readonly values: Readonly<Record<string, string | number>>;
}

interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: string; doubleValue?: number };
}

interface TraceBody {
  resourceSpans: {
    scopeSpans: {
      scope: { name: string };
      spans: (Omit<ReceivedSpan, "values"> & { attributes: Attribute[] })[];
    }[];
  }[];
}

/**
 * Receives spans, on a port of loopback.
 *
 * Thread: the test's.
 */
export class OtlpReceiver implements AsyncDisposable {
  /** All spans of Sluice's so far; those of the runtime are left out. */
  readonly spans: ReceivedSpan[] = [];
  /** Requests so far, of whatever kind. */
  requestCount = 0;

  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #news = Promise.withResolvers<void>();

  /** Begins to listen. */
  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#receive(request),
    );
  }

  /** What to start a server with, so that it sends its spans here soon. */
  get environment(): Record<string, string> {
    return otelEnvironment(this.#server.addr.port);
  }

  /** Waits until `count` spans satisfy `isWanted`, and returns these. */
  async waitForSpans(
    count: number,
    isWanted: (span: ReceivedSpan) => boolean,
  ): Promise<ReceivedSpan[]> {
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = this.spans.filter(isWanted);
      if (found.length >= count) return found;
      const seen = this.spans.map(({ name }) => name).join(", ");
      assert.ok(performance.now() < untilMs, `${found.length} of ${count} spans came: ${seen}`);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const pause = new Promise((resolve) => timer = setTimeout(resolve, 500));
      await Promise.race([this.#news.promise, pause]);
      clearTimeout(timer);
    }
  }

  /** Stops listening. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #receive(request: Request): Promise<Response> {
    this.requestCount++;
    const body = await request.json();
    if (new URL(request.url).pathname === "/v1/traces") this.#take(body);
    return Response.json({});
  }

  #take({ resourceSpans }: TraceBody): void {
    for (const { scopeSpans } of resourceSpans) {
      for (const { scope, spans } of scopeSpans) {
        if (scope.name !== "sluice") continue;
        for (const span of spans) this.spans.push({ ...span, values: valuesOf(span.attributes) });
      }
    }
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** The environment of a server that sends to a port of loopback. */
export function otelEnvironment(port: number): Record<string, string> {
  return {
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_BSP_SCHEDULE_DELAY: "100",
  };
}

function valuesOf(attributes: readonly Attribute[]): Record<string, string | number> {
  return Object.fromEntries(attributes.map(({ key, value }) => [
    key,
    value.stringValue ?? value.doubleValue ?? Number(value.intValue),
  ]));
}
