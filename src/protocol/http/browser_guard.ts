/**
 * Keeps web pages from using a local server behind their reader's back.
 *
 * Any page can send requests to `127.0.0.1`. What gives it away is `Origin`, which a page cannot
 * forge, and, when the page's own name was made to point here (DNS rebinding), `Host`.
 *
 * @module
 */

import { encodeText, equalBytes } from "./characters.ts";
import { endOfHost } from "./host.ts";
import type { HttpRequest } from "./request.ts";

const ORIGIN = encodeText("origin");
const OPEN_BRACKET = 0x5b;
/** Fields of replies that pages of other origins may read, besides those that all may. */
const EXPOSED_FIELDS =
  "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id";
const NO_LINES = new Uint8Array(0);
/** Replies differ by who asks. */
const VARY_LINE = "Vary: Origin\r\n";

const decoder = new TextDecoder();

/** What a {@link BrowserGuard} finds. */
export const GuardVerdict = {
  /** No other site asks. */
  PASS: 0,
  /** `Host` names a host that is not ours: 421. */
  WRONG_HOST: 1,
  /** `Origin` is another site: 403. */
  WRONG_ORIGIN: 2,
  /** `Origin` is another site, and one that may ask: see {@link BrowserGuard.originLines}. */
  ALLOWED_ORIGIN: 3,
} as const;

/** One of the values of {@link GuardVerdict}. */
export type GuardVerdict = (typeof GuardVerdict)[keyof typeof GuardVerdict];

/** What a {@link BrowserGuard} is made from. */
export interface BrowserGuardOptions {
  /** Host names that this server answers to, besides `localhost` and IP literals. */
  readonly allowedHosts?: readonly string[];
  /** Origins that may send requests, besides the same origin, e.g. `https://app.example`. */
  readonly corsOrigins?: readonly string[];
}

/**
 * Checks `Host` and `Origin`.
 *
 * Thread: one per I/O thread.
 */
export class BrowserGuard {
  readonly #allowedHosts: ReadonlySet<string>;
  /** The header lines of replies to an origin, by origin. */
  readonly #corsOrigins: ReadonlyMap<string, Uint8Array>;
  /** The last host that passed; nearly all requests name the same one. */
  #passedHost: Uint8Array = new Uint8Array(0);
  /** Of replies that no page of another site may read. */
  readonly #plainLines: Uint8Array;
  #originLines: Uint8Array = NO_LINES;

  /** Makes a guard; without options only this machine's own names pass. */
  constructor(options: BrowserGuardOptions = {}) {
    const hosts = (options.allowedHosts ?? []).map((host) => host.toLowerCase());
    this.#allowedHosts = new Set(["localhost", ...hosts]);
    // Sandboxed pages and files of any author call themselves "null", so nobody can be it.
    const origins = (options.corsOrigins ?? []).filter((origin) => origin !== "null");
    this.#corsOrigins = new Map(
      origins.map((origin) => [origin.toLowerCase(), linesFor(origin.toLowerCase())]),
    );
    // Otherwise a browser shows pages of those origins what it kept of a reply without their lines.
    this.#plainLines = origins.length > 0 ? encodeText(VARY_LINE) : NO_LINES;
  }

  /**
   * Header lines for the reply to the last request: after `ALLOWED_ORIGIN` those that let the page
   * which sent it read the reply; otherwise a `Vary` where there are such pages, else nothing.
   */
  get originLines(): Uint8Array {
    return this.#originLines;
  }

  /** Judges a request whose head is complete. Nothing allocates for the usual request. */
  check(request: HttpRequest): GuardVerdict {
    const { bytes, hostStart, hostEnd } = request;
    this.#originLines = this.#plainLines;
    if (!equalBytes(bytes, hostStart, hostEnd, this.#passedHost)) {
      if (!this.#isOurs(bytes, hostStart, hostEnd)) return GuardVerdict.WRONG_HOST;
      this.#passedHost = bytes.slice(hostStart, hostEnd);
    }
    const origin = request.findField(ORIGIN);
    if (origin < 0) return GuardVerdict.PASS;
    if (request.findField(ORIGIN, origin + 1) >= 0) return GuardVerdict.WRONG_ORIGIN;
    return this.#judgeOrigin(request, origin);
  }

  #isOurs(bytes: Uint8Array, start: number, end: number): boolean {
    // Only HTTP/1.0 gets here without a host, and no browser speaks that.
    if (start === end) return true;
    const nameEnd = endOfHost(bytes, start, end);
    if (bytes[start] === OPEN_BRACKET) return true;
    const name = decoder.decode(bytes.subarray(start, nameEnd)).toLowerCase();
    return isIpv4(name) || this.#allowedHosts.has(name);
  }

  #judgeOrigin(request: HttpRequest, field: number): GuardVerdict {
    const { bytes } = request;
    const start = request.valueStart(field);
    const origin = decoder.decode(bytes.subarray(start, request.valueEnd(field))).toLowerCase();
    const host = decoder.decode(bytes.subarray(request.hostStart, request.hostEnd)).toLowerCase();
    const scheme = request.isSecure ? "https" : "http";
    if (host !== "" && origin === `${scheme}://${host}`) return GuardVerdict.PASS;
    const lines = this.#corsOrigins.get(origin);
    if (lines === undefined) return GuardVerdict.WRONG_ORIGIN;
    this.#originLines = lines;
    return GuardVerdict.ALLOWED_ORIGIN;
  }
}

/** What a browser wants to see before it shows a reply to a page of `origin`. */
function linesFor(origin: string): Uint8Array {
  return encodeText(
    `Access-Control-Allow-Origin: ${origin}\r\n` +
      `Access-Control-Expose-Headers: ${EXPOSED_FIELDS}\r\n${VARY_LINE}`,
  );
}

function isIpv4(name: string): boolean {
  const parts = name.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}
