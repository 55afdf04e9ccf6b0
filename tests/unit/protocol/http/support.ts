/**
 * What the tests of HTTP share: a session over a small set of routes, and a reader of replies.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ByteWriter, InputBuffer } from "../../../../src/base/bytes.ts";
import type { ServerPhase } from "../../../../src/command/phase.ts";
import { CannedReply } from "../../../../src/protocol/http/canned_reply.ts";
import { ContentType } from "../../../../src/protocol/http/exchange.ts";
import {
  HttpService,
  type HttpServiceOptions,
} from "../../../../src/protocol/http/http_service.ts";
import { createRouter, type Router } from "../../../../src/protocol/http/router.ts";
import { type Session, SessionStep } from "../../../../src/protocol/session.ts";
import { latin1, toLatin1 } from "../../../helpers/latin1.ts";

export { latin1, toLatin1 };

/** A reply, taken apart. */
export interface Reply {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/**
 * Takes replies apart, strictly: exactly `Content-Length` bytes of body each, nothing left over.
 *
 * @param headOnly which replies (by index) are answers to HEAD
 */
export function readReplies(text: string, headOnly: readonly number[] = []): Reply[] {
  const replies: Reply[] = [];
  let at = 0;
  while (at < text.length) {
    const headEnd = text.indexOf("\r\n\r\n", at);
    assert.notEqual(headEnd, -1, `reply ${replies.length} has a complete head`);
    const [statusLine, ...lines] = text.slice(at, headEnd).split("\r\n");
    const match = /^HTTP\/1\.1 (\d{3}) [A-Za-z -]+$/.exec(statusLine!);
    assert.ok(match, `status line ${JSON.stringify(statusLine)}`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(": ");
      assert.ok(colon > 0, `header line ${JSON.stringify(line)}`);
      const name = line.slice(0, colon).toLowerCase();
      assert.ok(!headers.has(name), `${name} occurs once`);
      headers.set(name, line.slice(colon + 2));
    }
    const status = Number(match[1]);
    const bodyBytes = headOnly.includes(replies.length)
      ? 0
      : Number(headers.get("content-length") ?? "0");
    const bodyStart = headEnd + 4;
    assert.ok(bodyStart + bodyBytes <= text.length, `reply ${replies.length} has its whole body`);
    replies.push({ status, headers, body: text.slice(bodyStart, bodyStart + bodyBytes) });
    at = bodyStart + bodyBytes;
  }
  return replies;
}

/** The routes that `tests/cases/http_requests.ts` talks about. */
export function caseRouter(): Router {
  const ok = new CannedReply({ status: 200, body: `{"status":"ok"}` });
  return createRouter([
    { method: "GET", pattern: "/health", handler: (exchange) => exchange.send(ok) },
    {
      method: "POST",
      pattern: "/echo",
      handler: (exchange) => {
        const { bytes, bodyStart, bodyEnd } = exchange.request;
        exchange.sendBody(200, ContentType.TEXT, bytes, bodyStart, bodyEnd);
      },
    },
  ]);
}

/** Counts in a map. */
export class FakeCounters {
  readonly counts = new Map<number, number>();
  add(counter: number, amount = 1): void {
    this.counts.set(counter, this.get(counter) + amount);
  }
  get(counter: number): number {
    return this.counts.get(counter) ?? 0;
  }
}

/** Counter id of requests in {@link makeService}. */
export const REQUESTS = 7;

/** Counter id of requests that a limit refused in {@link makeService}. */
export const LIMITED = 8;

/** A service with everything defaulted. */
export function makeService(options: Partial<HttpServiceOptions> = {}): {
  service: HttpService;
  phase: ServerPhase;
  counters: FakeCounters;
} {
  const phase = { stopping: false };
  const counters = new FakeCounters();
  const service = new HttpService({
    router: caseRouter(),
    phase,
    maxRequestBytes: 1000,
    counters,
    counterIds: { requests: REQUESTS, limited: LIMITED },
    clock: () => Date.UTC(1994, 10, 6, 8, 49, 37),
    ...options,
  });
  return { service, phase, counters };
}

/** A connection without a socket: feeds a session and collects what it writes. */
export class FakeConnection {
  readonly input: InputBuffer;
  readonly output = new ByteWriter();
  readonly session: Session;
  /** Everything written, one character per byte. */
  written = "";
  /** How often something was written. */
  writeCount = 0;
  /** Most bytes written at a time. */
  largestWriteBytes = 0;
  /** Steps returned, in order. */
  readonly steps: SessionStep[] = [];

  constructor(session: Session, inputBytes = 64) {
    this.session = session;
    this.input = new InputBuffer(inputBytes);
  }

  get closed(): boolean {
    return this.steps.at(-1) === SessionStep.CLOSE;
  }

  /** Delivers bytes as one read would, or as several where the buffer is smaller. */
  async send(bytes: Uint8Array | string): Promise<void> {
    let rest = typeof bytes === "string" ? latin1(bytes) : bytes;
    while (rest.length > 0 && !this.closed) {
      const space = this.input.space();
      assert.ok(space.length > 0, "the input buffer offers space");
      const part = rest.subarray(0, space.length);
      space.set(part);
      this.input.commit(part.length);
      rest = rest.subarray(part.length);
      await this.process();
    }
  }

  /** Processes what is there. */
  async process(): Promise<void> {
    for (;;) {
      const step = await this.session.process(this.input, this.output);
      this.steps.push(step);
      if (this.output.length > 0) {
        this.written += toLatin1(this.output.view());
        this.writeCount++;
        this.largestWriteBytes = Math.max(this.largestWriteBytes, this.output.length);
        this.output.clear();
      }
      if (step !== SessionStep.FLUSH) return;
      const kept = this.session.kept;
      while (kept !== undefined && kept.remaining > 0) {
        this.written += toLatin1(kept.next(100_000));
        this.writeCount++;
      }
    }
  }
}
