/**
 * A page that is costly to make, for all who asked for it before it was made.
 *
 * @module
 */

import type { HttpExchange } from "../../protocol/http/exchange.ts";
import type { CodedBodies } from "./coded_body.ts";

/** The page's bytes. */
type Page = Uint8Array<ArrayBuffer>;

/** A page that is not ready yet. */
interface Making {
  /** Requests that arrived until then may have it. */
  lastArrival: number;
  readonly page: Promise<Page>;
}

/**
 * Makes a page when it is asked for and sends the same one again to every request that had arrived
 * before it was made.
 *
 * So nobody sees a page that is older than the request. One page is made at a time: a client that
 * asks for it a thousand times in one go, and a thousand clients that ask at the same time, cost a
 * page or two.
 *
 * Thread: one I/O thread.
 */
export class SharedPage {
  readonly #make: () => Page | Promise<Page>;
  readonly #bodies: CodedBodies;
  readonly #contentType: Uint8Array;
  #page: Page = NOTHING;
  /** Requests that arrived until then may have {@link SharedPage.#page}. */
  #lastArrival = -1;
  #current: Making | undefined;
  /** Made when {@link SharedPage.#current} is ready. */
  #next: Making | undefined;

  /**
   * Makes no page yet.
   *
   * @param contentType its media type
   * @param make looks at what the page shows when it is called or later
   * @param bodies compresses it, once per page and coding
   */
  constructor(contentType: Uint8Array, make: () => Page | Promise<Page>, bodies: CodedBodies) {
    this.#bodies = bodies;
    this.#contentType = contentType;
    this.#make = make;
  }

  /** Answers with the page; a promise when it has to be waited for. */
  send(exchange: HttpExchange): void | Promise<void> {
    exchange.isShared = true;
    const { arrival, lastArrival } = exchange;
    if (arrival <= this.#lastArrival) return this.#send(exchange, this.#page);
    const current = this.#current;
    if (current === undefined) return this.#sendNew(exchange);
    if (arrival <= current.lastArrival) return this.#sendLater(exchange, current.page);
    const next = this.#next ??= this.#making(lastArrival, this.#madeBehind(current));
    next.lastArrival = lastArrival;
    return this.#sendLater(exchange, next.page);
  }

  #send(exchange: HttpExchange, page: Page): void | Promise<void> {
    return this.#bodies.send(exchange, this.#contentType, page, true);
  }

  #sendNew(exchange: HttpExchange): void | Promise<void> {
    const { lastArrival } = exchange;
    const made = this.#make();
    if (made instanceof Uint8Array) {
      this.#page = made;
      this.#lastArrival = lastArrival;
      return this.#send(exchange, made);
    }
    this.#current = this.#making(lastArrival, made);
    return this.#sendLater(exchange, this.#current.page);
  }

  async #sendLater(exchange: HttpExchange, page: Promise<Page>): Promise<void> {
    await this.#send(exchange, await page);
  }

  #making(lastArrival: number, made: Promise<Page>): Making {
    const making: Making = { lastArrival, page: made.finally(() => this.#ended(making)) };
    // The page is kept before anybody who waits for it goes on.
    made.then((page) => {
      this.#page = page;
      this.#lastArrival = making.lastArrival;
    }, () => {});
    return making;
  }

  async #madeBehind({ page }: Making): Promise<Page> {
    // Whoever asked for that one is told what went wrong.
    await page.catch(() => {});
    return await this.#make();
  }

  #ended(making: Making): void {
    if (this.#current !== making) return;
    this.#current = this.#next;
    this.#next = undefined;
  }
}

const NOTHING = new Uint8Array(0);
