/**
 * HTTP on one thread: what all its sessions share.
 *
 * @module
 */

import type { Session } from "../session.ts";
import type { CounterSink } from "../../command/counters.ts";
import type { ServerPhase } from "../../command/phase.ts";
import { type BrowserGuard, GuardVerdict } from "./browser_guard.ts";
import { CannedReply } from "./canned_reply.ts";
import { encodeText } from "./characters.ts";
import { Disposition } from "./disposition.ts";
import { HttpExchange } from "./exchange.ts";
import type { HttpFailure } from "./failure.ts";
import { HttpSession } from "./http_session.ts";
import { HttpMethod } from "./method.ts";
import { ReplyDate } from "./reply_date.ts";
import type { Router } from "./router.ts";

/** Ids of the counters that HTTP itself counts in. */
export interface HttpCounterIds {
  /** Requests answered, whatever the answer. */
  readonly requests: number;
}

/** What an {@link HttpService} is made from. */
export interface HttpServiceOptions {
  /** The routes. */
  readonly router: Router;
  /** The server's phase. */
  readonly phase: ServerPhase;
  /** Longest request body. Unit: bytes. */
  readonly maxRequestBytes: number;
  /** This thread's counters. */
  readonly counters: CounterSink;
  /** Where to count. */
  readonly counterIds: HttpCounterIds;
  /** Checks `Host` and `Origin`; nothing is checked when left out. */
  readonly guard?: BrowserGuard;
  /** Told when a batch of requests begins, for what takes the time once per batch. */
  readonly onBatch?: () => void;
  /** Time of day, ms since the epoch; `Date.now` when left out. */
  readonly clock?: () => number;
}

/** Exchanges kept for the next request; only requests that are incomplete or parked hold one. */
const IDLE_EXCHANGE_COUNT = 64;

const ROOT_PATH = encodeText("/");
const ASTERISK = 0x2a;

/**
 * Makes sessions and answers what does not depend on a connection.
 *
 * Thread: one per I/O thread.
 */
export class HttpService {
  /** The server's phase. */
  readonly phase: ServerPhase;

  readonly #options: HttpServiceOptions;
  readonly #clock: () => number;
  readonly #date = new ReplyDate();
  readonly #idleExchanges: HttpExchange[] = [];
  readonly #failureReplies = new Map<HttpFailure, CannedReply>();
  readonly #notFound = errorReply(404, "not_found");
  readonly #wrongHost = errorReply(421, "wrong_host", "Host is not a name of this server");
  readonly #wrongOrigin = errorReply(403, "forbidden_origin", "Origin is another site");
  readonly #shuttingDown = new CannedReply({
    status: 503,
    body: `{"status":"rejected","reason":"shutting_down"}`,
  });
  readonly #serverOptions = new CannedReply({
    status: 204,
    headers: [["Allow", "GET, HEAD, POST, OPTIONS"]],
  });

  /** Makes the service; sessions come from {@link HttpService.createSession}. */
  constructor(options: HttpServiceOptions) {
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.phase = options.phase;
  }

  /** Makes the conversation of a new connection. */
  createSession(): Session {
    return new HttpSession(this);
  }

  /** Takes the time once for the requests that follow in this turn of the event loop. */
  beginBatch(): void {
    this.#date.update(this.#clock());
    this.#options.onBatch?.();
  }

  /** Lends an exchange. */
  takeExchange(): HttpExchange {
    return this.#idleExchanges.pop() ??
      new HttpExchange(this.#options.maxRequestBytes, this.#date);
  }

  /** Takes an exchange back. */
  giveExchange(exchange: HttpExchange): void {
    exchange.release();
    if (this.#idleExchanges.length < IDLE_EXCHANGE_COUNT) this.#idleExchanges.push(exchange);
  }

  /**
   * Answers a complete request; `exchange.disposition` says what happens to the connection.
   *
   * @returns a promise when the handler parked; the reply is written before it is done
   */
  answer(exchange: HttpExchange): void | Promise<void> {
    const { request } = exchange;
    const { router, counters, counterIds, guard } = this.#options;
    counters.add(counterIds.requests);
    exchange.headOnly = request.method === HttpMethod.HEAD;
    exchange.disposition = !request.keepAlive || this.phase.stopping
      ? Disposition.CLOSE
      : request.minorVersion === 0
      ? Disposition.SAY_KEEP
      : Disposition.KEEP;
    if (guard !== undefined) {
      const verdict = guard.check(request);
      if (verdict === GuardVerdict.WRONG_HOST) return exchange.send(this.#wrongHost);
      if (verdict === GuardVerdict.WRONG_ORIGIN) return exchange.send(this.#wrongOrigin);
    }
    const { bytes, pathStart, pathEnd } = request;
    const resource = pathStart === pathEnd
      ? router.find(ROOT_PATH, 0, ROOT_PATH.length, exchange.params)
      : router.find(bytes, pathStart, pathEnd, exchange.params);
    if (resource === null) {
      const isServerOptions = bytes[pathStart] === ASTERISK && pathEnd > pathStart;
      return exchange.send(isServerOptions ? this.#serverOptions : this.#notFound);
    }
    const handler = resource.handlerFor(request.method);
    if (handler === null) return resource.refuse(exchange);
    return handler(exchange);
  }

  /** Answers a request that started while the server was stopping; the connection closes. */
  refuseLate(exchange: HttpExchange): void {
    this.#sendLast(exchange, this.#shuttingDown);
  }

  /** Answers a request that could not be understood; the connection closes. */
  refuse(exchange: HttpExchange, failure: HttpFailure): void {
    let reply = this.#failureReplies.get(failure);
    if (reply === undefined) {
      reply = errorReply(failure.status, failure.reason, failure.detail);
      this.#failureReplies.set(failure, reply);
    }
    this.#sendLast(exchange, reply);
  }

  #sendLast(exchange: HttpExchange, reply: CannedReply): void {
    const { counters, counterIds } = this.#options;
    counters.add(counterIds.requests);
    exchange.headOnly = exchange.request.method === HttpMethod.HEAD;
    exchange.disposition = Disposition.CLOSE;
    exchange.send(reply);
  }
}

function errorReply(status: number, reason: string, detail?: string): CannedReply {
  const content = { status: "error", reason, ...(detail === undefined ? {} : { detail }) };
  return new CannedReply({ status, body: JSON.stringify(content) });
}
