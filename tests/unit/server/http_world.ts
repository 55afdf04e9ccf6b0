/**
 * HTTP over a whole command layer, without sockets, for tests of routes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { JobView } from "../../../src/base/job.ts";
import { CommandClient } from "../../../src/protocol/command_client.ts";
import { HttpService, type HttpServiceOptions } from "../../../src/protocol/http/http_service.ts";
import type { Router } from "../../../src/protocol/http/router.ts";
import {
  createHttpRoutes,
  type HttpRoutesOptions,
  type Readiness,
} from "../../../src/server/http_routes.ts";
import { Count, Harness, type HarnessOptions } from "../command/harness.ts";
import { FakeConnection, readReplies, type Reply } from "../protocol/http/support.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** HTTP over the harness's command layer. */
export class TestServer {
  readonly harness: Harness;
  readonly service: HttpService;
  readiness: Readiness = "ready";
  /** Workers that are lost, of four. */
  lostWorkerCount = 0;

  constructor(
    options: HarnessOptions = {},
    router?: Router,
    serviceOptions: Partial<HttpServiceOptions> = {},
  ) {
    const harness = this.harness = new Harness(options);
    this.service = new HttpService({
      router: router ?? createHttpRoutes({
        ...routeParts(harness),
        readiness: () => this.readiness,
        lostWorkers: () => ({ count: this.lostWorkerCount, of: 4 }),
      }),
      phase: harness.phase,
      maxRequestBytes: harness.maxRequestBytes,
      authenticator: harness.authenticator,
      counters: harness.counters,
      counterIds: { requests: Count.COMMANDS, limited: Count.THROTTLED },
      clock: () => harness.dispatcher.beginBatch(),
      ...serviceOptions,
    });
  }

  /** Opens a connection. */
  connect(inputBytes = 4096): FakeConnection {
    return new FakeConnection(this.service.createSession(), inputBytes);
  }

  /** The reply to one request on a connection of its own. */
  async ask(request: string | Uint8Array): Promise<Reply> {
    const connection = this.connect();
    await connection.send(request);
    const isHead = typeof request === "string" && request.startsWith("HEAD ");
    const replies = readReplies(connection.written, isHead ? [0] : []);
    assert.equal(replies.length, 1);
    return replies[0]!;
  }

  /** `GET path` */
  get(path: string, headers = ""): Promise<Reply> {
    return this.ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
  }

  /** `POST path` */
  post(path: string, body: string | Uint8Array, headers = ""): Promise<Reply> {
    return this.ask(requestWithBody("POST", path, body, headers));
  }

  /** `PUT path` */
  put(path: string, body: string | Uint8Array, headers = ""): Promise<Reply> {
    return this.ask(requestWithBody("PUT", path, body, headers));
  }

  /** `DELETE path` */
  delete(path: string): Promise<Reply> {
    return this.ask(`DELETE ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  }

  /** What is in the channel. */
  jobs(): { user: string; action: string; id: string; amount: bigint }[] {
    return this.harness.channel.jobs.map((job) => {
      const view = new JobView().attach(job, 0, job.length);
      return {
        user: decoder.decode(job.subarray(view.userStart, view.userEnd)),
        action: decoder.decode(job.subarray(view.actionStart, view.actionEnd)),
        id: decoder.decode(job.subarray(view.idStart, view.idEnd)),
        amount: view.amount.toBigInt(),
      };
    });
  }
}

/** A request with a body; header values may be any bytes. */
export function requestWithBody(
  method: string,
  path: string,
  body: string | Uint8Array,
  headers = "",
): Uint8Array {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const head =
    `${method} ${path} HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${bytes.length}\r\n\r\n`;
  const headBytes = Uint8Array.from(head, (character) => character.charCodeAt(0));
  const request = new Uint8Array(headBytes.length + bytes.length);
  request.set(headBytes);
  request.set(bytes, headBytes.length);
  return request;
}

/** What routes are made from, over `harness`. */
export function routeParts(harness: Harness): HttpRoutesOptions {
  return {
    intake: harness.intake,
    commands: new CommandClient(harness.dispatcher, harness.services.table),
    metrics: {
      json: () => ({ received: harness.counters.values[Count.RECEIVED] }),
      contention: () => Promise.resolve(new TextEncoder().encode(`{"lock_timing":false}`)),
      text: () => Promise.resolve("# TYPE a counter\na 1\n"),
      textType: "text/plain; version=0.0.4; charset=utf-8",
    },
    readiness: () => "ready" as const,
  };
}
