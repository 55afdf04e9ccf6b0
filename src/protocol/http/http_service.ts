/**
 * HTTP on one thread: what all its sessions share.
 *
 * @module
 */

import type { WaveClock } from "../../base/wave_clock.ts";
import { BatchSlice } from "../batch_slice.ts";
import type { Session } from "../session.ts";
import type { CounterSink } from "../../command/counters.ts";
import type { ClientOrigin } from "../../command/client_state.ts";
import type { Authenticator } from "../../command/authenticator.ts";
import type { ServerPhase } from "../../command/phase.ts";
import { Credentials, credentialsOf } from "./bearer.ts";
import { type BrowserGuard, GuardVerdict } from "./browser_guard.ts";
import { CannedReply } from "./canned_reply.ts";
import { encodeText } from "./characters.ts";
import { Disposition } from "./disposition.ts";
import { HttpExchange, NOBODY } from "./exchange.ts";
import { HttpError } from "./http_error.ts";
import type { HttpFailure } from "./failure.ts";
import { HttpSession } from "./http_session.ts";
import { HttpMethod } from "./method.ts";
import { ReplyDate } from "./reply_date.ts";
import type { HttpRequest } from "./request.ts";
import { givenRequestId, RequestIds } from "./request_ids.ts";
import type { ClientKey, RequestLimit } from "./request_limit.ts";
import type { Resource } from "./resource.ts";
import type { Router } from "./router.ts";

/** Ids of the counters that HTTP itself counts in. */
export interface HttpCounterIds {
  /** Requests answered, whatever the answer. */
  readonly requests: number;
  /** Requests refused because their client sent too many. */
  readonly limited: number;
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
  /** Knows the password; none is asked for when left out. */
  readonly authenticator?: Authenticator;
  /**
   * Told what a handler threw, which is a mistake of ours. The client is answered 500 if this
   * returns true; otherwise, and when left out, the error goes on to the connection.
   */
  readonly onFailure?: (error: unknown, exchange: HttpExchange) => boolean;
  /** How many requests a client may send; as many as it likes when left out. */
  readonly limit?: RequestLimit;
  /** Gives each request an id, whether or not the client wants to know it. */
  readonly namesRequests?: boolean;
  /** Told of every request when its reply is complete, or its client gone. */
  readonly onAnswered?: (exchange: HttpExchange) => void;
  /** Told of every request that is about to be answered, and the pattern of its route, "" = none. */
  readonly onRouted?: (exchange: HttpExchange, pattern: string) => void;
  /** Told what kept a body that is fetched, such as a file, from being sent as a whole. */
  readonly onBodyFailure?: (error: unknown) => void;
  /** Time of day, ms since the epoch, read once for each batch of requests; else `Date.now`. */
  readonly clock?: () => number;
  /** Tells which batches may share a reading of the clock; none when left out. */
  readonly waves?: Pick<WaveClock, "reading">;
}

/** Exchanges kept for the next request; only requests that are incomplete or parked hold one. */
const IDLE_EXCHANGE_COUNT = 64;

/** A request with a longer body is taken for one that may take long. Unit: bytes. */
const LONG_BODY_BYTES = 16384;

/** How long a browser may remember the answer to a preflight. Unit: s. */
const PREFLIGHT_AGE_S = 600;

const ROOT_PATH = encodeText("/");
const ASTERISK = 0x2a;
const REQUEST_METHOD = encodeText("access-control-request-method");

/**
 * Makes sessions and answers what does not depend on a connection.
 *
 * Thread: one per I/O thread.
 */
export class HttpService {
  /** The server's phase. */
  readonly phase: ServerPhase;
  /** Arrivals so far, see {@link HttpExchange.arrival}. */
  arrivalCount = 0;
  /** Of the batch that is being executed: a request that waits ends its batch. */
  readonly slice: BatchSlice = new BatchSlice();

  /** Whether anybody wants to know how long requests take. */
  readonly timesRequests: boolean;

  readonly #options: HttpServiceOptions;
  /** These are on the way of every request. */
  readonly #counters: CounterSink;
  readonly #requestsId: number;
  readonly #limit: RequestLimit | undefined;
  readonly #onAnswered: ((exchange: HttpExchange) => void) | undefined;
  readonly #onRouted: ((exchange: HttpExchange, pattern: string) => void) | undefined;
  readonly #guard: BrowserGuard | undefined;
  /** Undefined when no password is asked for. */
  readonly #authenticator: Authenticator | undefined;
  readonly #clock: () => number;
  readonly #waves: Pick<WaveClock, "reading"> | undefined;
  /** The reading that the date is of. */
  #reading = 0;
  readonly #date = new ReplyDate();
  readonly #requestIds = new RequestIds();
  readonly #idleExchanges: HttpExchange[] = [];
  readonly #failureReplies = new Map<HttpFailure, CannedReply>();
  readonly #notFound = errorReply(404, "not_found");
  readonly #wrongHost = errorReply(
    421,
    "wrong_host",
    "Host is not a name of this server, see --allowed-hosts",
  );
  readonly #wrongOrigin = errorReply(
    403,
    "forbidden_origin",
    "Origin is another site, see --cors-origin",
  );
  readonly #internalError = errorReply(500, "internal_error");
  readonly #unauthorized = new CannedReply({
    status: 401,
    headers: [["WWW-Authenticate", "Bearer"]],
    body: `{"status":"error","reason":"unauthorized"}`,
  });
  readonly #tooMany = errorReply(429, "rate_limited", "too many requests, see --rate-limit");
  readonly #shuttingDown = new CannedReply({
    status: 503,
    body: `{"status":"rejected","reason":"shutting_down"}`,
  });
  readonly #serverOptions = new CannedReply({
    status: 204,
    headers: [["Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS"]],
  });
  readonly #preflight = new CannedReply({
    status: 204,
    headers: [
      ["Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE"],
      [
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, X-Request-Id",
      ],
      ["Access-Control-Max-Age", String(PREFLIGHT_AGE_S)],
    ],
  });

  /** Makes the service; sessions come from {@link HttpService.createSession}. */
  constructor(options: HttpServiceOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.#requestsId = options.counterIds.requests;
    this.#limit = options.limit;
    this.#onAnswered = options.onAnswered;
    this.#onRouted = options.onRouted;
    this.timesRequests = options.onAnswered !== undefined;
    this.#guard = options.guard;
    this.#authenticator = options.authenticator;
    this.#clock = options.clock ?? Date.now;
    this.#waves = options.waves;
    this.phase = options.phase;
  }

  /** Makes the conversation of a new connection. */
  createSession(origin: ClientOrigin = NOBODY): Session {
    return new HttpSession(this, origin);
  }

  /** Takes the time once for the requests that follow in this turn of the event loop. */
  beginBatch(): void {
    if (this.#waves !== undefined) {
      const { reading } = this.#waves;
      if (reading === this.#reading) return;
      this.#reading = reading;
    }
    this.#date.update(this.#clock());
  }

  /** Lends an exchange to the connection of `client`. */
  takeExchange(client: ClientOrigin, key?: ClientKey): HttpExchange {
    const exchange = this.#idleExchanges.pop() ??
      new HttpExchange(this.#options.maxRequestBytes, this.#date);
    exchange.client = client;
    exchange.clientKey = key;
    exchange.request.isSecure = client.isSecure ?? false;
    return exchange;
  }

  /** By what the limit knows a client; undefined when there is no limit. */
  keyOf(client: ClientOrigin): ClientKey | undefined {
    return this.#options.limit?.keyOf(client.hostname ?? "");
  }

  /** Told of every request when its reply is complete, or its client gone. */
  answered(exchange: HttpExchange): void {
    this.#onAnswered?.(exchange);
  }

  /** Takes an exchange back. */
  giveExchange(exchange: HttpExchange): void {
    exchange.release();
    if (this.#idleExchanges.length < IDLE_EXCHANGE_COUNT) this.#idleExchanges.push(exchange);
  }

  /**
   * Judges a request by its head: who sends it, to whom, and with what right.
   *
   * One that is refused is answered at once, before its body has come, and its connection closes if
   * it announced one: nobody can make the server read what it is not going to use. So the answer
   * does not depend on how much of the body had arrived, either.
   *
   * @returns null when the request may go on; otherwise it is answered, now or when the promise is
   *   done
   */
  admit(exchange: HttpExchange): null | void | Promise<void> {
    // Small, because it is on the way of every request; what is rare is elsewhere.
    if (exchange.request.requestIdField >= 0 || this.#options.namesRequests) this.#name(exchange);
    const isTooMany = this.#limit !== undefined && !this.#count(exchange, this.#limit);
    const guard = this.#guard;
    if (guard !== undefined) {
      const verdict = guard.check(exchange.request);
      const { originLines } = guard;
      if (originLines.length > 0) exchange.addCommonLines(originLines);
      if (verdict !== GuardVerdict.PASS) {
        const refusal = this.#judge(exchange, verdict);
        if (refusal !== null) return refusal;
      }
    }
    if (isTooMany) return this.#turnAway(exchange, this.#tooMany);
    const authenticator = this.#authenticator;
    return authenticator?.required ? this.#authenticate(exchange, authenticator) : null;
  }

  /**
   * Whether answering may take longer than replies that are already written should wait.
   *
   * Only a POST waits for anything but locks, and it is told to by its query or has many events.
   */
  mayTakeLong(request: HttpRequest): boolean {
    return request.method === HttpMethod.POST &&
      (request.queryEnd > request.queryStart ||
        request.bodyEnd - request.bodyStart > LONG_BODY_BYTES);
  }

  /**
   * Answers a complete request that was admitted; `exchange.disposition` says what happens to the
   * connection.
   *
   * @returns a promise when the handler parked; the reply is written before it is done
   * @throws whatever a handler throws, see {@link HttpService.failed}
   */
  answer(exchange: HttpExchange): void | Promise<void> {
    const { request } = exchange;
    this.#prepare(exchange);
    exchange.lastArrival = this.arrivalCount;
    const resource = this.#find(exchange);
    if (this.#onRouted !== undefined) this.#onRouted(exchange, resource?.pattern ?? "");
    if (resource === null) {
      const { bytes, pathStart, pathEnd } = request;
      const isServerOptions = bytes[pathStart] === ASTERISK && pathEnd > pathStart;
      return exchange.send(isServerOptions ? this.#serverOptions : this.#notFound);
    }
    const handler = resource.handlerFor(request.method);
    if (handler === null) return resource.refuse(exchange);
    return handler(exchange);
  }

  /**
   * Answers a request whose handler threw: as an `HttpError` says, else 500, and then the connection
   * closes.
   *
   * @throws {unknown} the same error when it is not for us to deal with
   */
  failed(exchange: HttpExchange, error: unknown): void {
    if (error instanceof HttpError) {
      const { status, code, message, lines } = error;
      return exchange.sendError(status, code, message, encodeText(lines));
    }
    if (exchange.requestId === "") this.#sayName(exchange, this.#requestIds.next());
    if (this.#options.onFailure?.(error, exchange) !== true) throw error;
    exchange.disposition = Disposition.CLOSE;
    exchange.send(this.#internalError);
  }

  /** Told why a body ended before its length was reached; the connection closes. */
  bodyFailed(error: unknown): void {
    this.#options.onBodyFailure?.(error);
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

  /** Gives the request the id that the client knows it by, or one of ours. */
  #name(exchange: HttpExchange): void {
    const given = givenRequestId(exchange.request);
    if (given !== "") this.#sayName(exchange, given);
    else if (this.#options.namesRequests) this.#sayName(exchange, this.#requestIds.next());
  }

  #sayName(exchange: HttpExchange, requestId: string): void {
    exchange.requestId = requestId;
    exchange.addCommonLines(encodeText(`X-Request-Id: ${requestId}\r\n`));
  }

  /** Takes the request off its client's allowance, and has the reply say what is left. */
  #count(exchange: HttpExchange, limit: RequestLimit): boolean {
    const isTaken = limit.tryTake(exchange.clientKey!, this.#date.nowMs);
    const { count, remaining, resetS } = limit;
    exchange.addCommonLines(encodeText(
      `RateLimit-Limit: ${count}\r\nRateLimit-Remaining: ${remaining}\r\n` +
        `RateLimit-Reset: ${resetS}\r\n${isTaken ? "" : `Retry-After: ${resetS}\r\n`}`,
    ));
    if (!isTaken) this.#counters.add(this.#options.counterIds.limited);
    return isTaken;
  }

  /** Counts the request and settles how its reply treats body and connection. */
  #prepare(exchange: HttpExchange): void {
    const { request } = exchange;
    this.#counters.add(this.#requestsId);
    exchange.headOnly = request.method === HttpMethod.HEAD;
    exchange.disposition = !request.keepAlive || this.phase.stopping
      ? Disposition.CLOSE
      : request.minorVersion === 0
      ? Disposition.SAY_KEEP
      : Disposition.KEEP;
  }

  #find(exchange: HttpExchange): Resource | null {
    const { bytes, pathStart, pathEnd } = exchange.request;
    const { router } = this.#options;
    return pathStart === pathEnd
      ? router.find(ROOT_PATH, 0, ROOT_PATH.length, exchange.params)
      : router.find(bytes, pathStart, pathEnd, exchange.params);
  }

  /** Judges what comes from another site; null when it is one that may ask. */
  #judge(exchange: HttpExchange, verdict: GuardVerdict): null | void {
    const { request } = exchange;
    if (verdict === GuardVerdict.WRONG_HOST) return this.#turnAway(exchange, this.#wrongHost);
    if (verdict === GuardVerdict.WRONG_ORIGIN) return this.#turnAway(exchange, this.#wrongOrigin);
    if (request.method === HttpMethod.OPTIONS && request.findField(REQUEST_METHOD) >= 0) {
      return this.#turnAway(exchange, this.#preflight);
    }
    return null;
  }

  #authenticate(exchange: HttpExchange, authenticator: Authenticator): null | void | Promise<void> {
    const credentials = credentialsOf(exchange.request, authenticator);
    if (credentials === Credentials.RIGHT) return null;
    // What is open is asked for without a body.
    if (!exchange.parser.announcesBody) {
      if (this.#find(exchange)?.isOpenFor(exchange.request.method) === true) return null;
    }
    return credentials === Credentials.MISSING
      ? this.#turnAway(exchange, this.#unauthorized)
      : this.#turnAwayLater(exchange, authenticator);
  }

  #turnAway(exchange: HttpExchange, reply: CannedReply): void {
    this.#prepare(exchange);
    if (exchange.parser.announcesBody) exchange.disposition = Disposition.CLOSE;
    exchange.send(reply);
  }

  async #turnAwayLater(exchange: HttpExchange, authenticator: Authenticator): Promise<void> {
    await authenticator.refuse();
    // It closes: guesses sent ahead would keep the connection for hours, each answered late.
    this.#sendLast(exchange, this.#unauthorized);
  }

  #sendLast(exchange: HttpExchange, reply: CannedReply): void {
    // It may not have come as far as to be admitted.
    if (exchange.requestId === "") this.#name(exchange);
    this.#prepare(exchange);
    exchange.disposition = Disposition.CLOSE;
    exchange.send(reply);
  }
}

function errorReply(status: number, reason: string, detail?: string): CannedReply {
  const content = { status: "error", reason, ...(detail === undefined ? {} : { detail }) };
  return new CannedReply({ status, body: JSON.stringify(content) });
}
