/**
 * One path pattern and what can be done with it.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { CannedReply } from "./canned_reply.ts";
import type { HttpExchange } from "./exchange.ts";
import { HttpMethod, METHOD_NAMES } from "./method.ts";

/**
 * Answers a request; may park, and then answers before its promise is done.
 *
 * Thread: the connection's I/O thread.
 */
export type HttpHandler = (exchange: HttpExchange) => void | Promise<void>;

/** One route: `{ method: "GET", pattern: "/users/:user", handler }`. */
export interface Route {
  /** Method in capitals. `GET` answers HEAD, too, and OPTIONS is answered for every pattern. */
  readonly method: string;
  /**
   * `/` and segments. A segment `:name` is a parameter and matches one segment that is not empty; a
   * last segment `*` is one, too, and matches whatever is left, slashes included, nothing included.
   */
  readonly pattern: string;
  /** Answers it. */
  readonly handler: HttpHandler;
  /**
   * Whether clients without the password may use it: they learn that the path is there, and which
   * methods it has, but those of other routes of the path are closed to them.
   */
  readonly isOpen?: boolean;
}

/**
 * All routes of one pattern.
 *
 * Thread: one I/O thread (its replies carry a date).
 */
export class Resource {
  /** As in {@link Route}. */
  readonly pattern: string;
  /** Whether clients without the password may know of it. */
  isOpen = false;

  /** Handlers that are only for clients with the password although the path is open. */
  readonly #closed = new Set<HttpHandler>();
  readonly #handlers: (HttpHandler | null)[] = new Array<HttpHandler | null>(
    METHOD_NAMES.length + 1,
  ).fill(null);
  #methodNotAllowed: CannedReply | null = null;
  #options: CannedReply | null = null;

  /**
   * Makes a resource without methods.
   *
   * @param pattern as in {@link Route}
   */
  constructor(pattern: string) {
    this.pattern = pattern;
  }

  /**
   * Adds a method.
   *
   * @param isOpen as in {@link Route}
   * @throws {AssertionFault} for a method that has no number, or that is there already
   */
  add(method: string, handler: HttpHandler, isOpen = false): void {
    const number = METHOD_NAMES.indexOf(method);
    assert(number >= 0, `route ${method} ${this.pattern} has a known method`);
    assert(this.#handlers[number] === null, `route ${method} ${this.pattern} occurs once`);
    this.#handlers[number] = handler;
    if (isOpen) this.isOpen = true;
    else this.#closed.add(handler);
    const headers = [["Allow", this.allow]] as const;
    this.#methodNotAllowed = new CannedReply({
      status: 405,
      headers,
      body: `{"status":"error","reason":"method_not_allowed"}`,
    });
    this.#options = new CannedReply({ status: 204, headers });
  }

  /** Value of `Allow`, e.g. `GET, HEAD, OPTIONS`. */
  get allow(): string {
    const names = METHOD_NAMES.filter((_, method) =>
      method === HttpMethod.OPTIONS || this.handlerFor(method as HttpMethod) !== null
    );
    return names.join(", ");
  }

  /** The handler for `method`; HEAD falls back to GET's. Null when there is none. */
  handlerFor(method: HttpMethod): HttpHandler | null {
    const handler = this.#handlers[method]!;
    return handler === null && method === HttpMethod.HEAD
      ? this.#handlers[HttpMethod.GET]!
      : handler;
  }

  /** Whether a client without the password may send a request with this method. */
  isOpenFor(method: HttpMethod): boolean {
    const handler = this.handlerFor(method);
    return this.isOpen && (handler === null || !this.#closed.has(handler));
  }

  /** Answers a request whose method has no handler: OPTIONS, else 405. */
  refuse(exchange: HttpExchange): void {
    const reply = exchange.request.method === HttpMethod.OPTIONS
      ? this.#options
      : this.#methodNotAllowed;
    assert(reply !== null, `resource ${this.pattern} has a route`);
    exchange.send(reply);
  }
}
