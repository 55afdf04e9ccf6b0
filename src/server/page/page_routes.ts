/**
 * `GET /`: the live page, and its files under `/page/`.
 *
 * They are there for everybody, also where there is a password: nothing in them is a secret. What
 * they show is not.
 *
 * @module
 */

import { murmur64 } from "../../base/murmur64.ts";
import { Int64 } from "../../base/int64.ts";
import { encodeText } from "../../protocol/http/characters.ts";
import type { HttpExchange } from "../../protocol/http/exchange.ts";
import { HttpError } from "../../protocol/http/http_error.ts";
import { NO_SNIFFING } from "../../protocol/http/page_lines.ts";
import { evaluatePreconditions, Precondition } from "../../protocol/http/preconditions.ts";
import { PreparedReply } from "../../protocol/http/prepared_reply.ts";
import type { CodedBodies } from "../routes/coded_body.ts";

/**
 * What the page may do: run its own scripts, use its own styles, talk to its own server. A name that
 * a client chose can therefore do nothing even where it came to be taken for markup.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** For the page and its files, and what is said instead of one that there is not. */
const SAFETY_LINES = `Content-Security-Policy: ${POLICY}\r\n${NO_SNIFFING}` +
  "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n" +
  "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n";

/** What no file is called. */
const NO_FILE = "/";

/** A file as it is sent. */
interface ServedFile {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Media type, and the header lines behind it. */
  readonly type: Uint8Array;
  readonly etag: string;
  readonly notModified: PreparedReply;
}

/**
 * Serves the page.
 *
 * The files are loaded when they are first asked for, and compressed once for each coding. Browsers
 * ask each time whether they are still the same, so that a new version of the server never works
 * with scripts of an old one.
 *
 * Thread: one per I/O thread.
 */
export class PageRoutes {
  readonly #bodies: CodedBodies;
  #files: ReadonlyMap<string, ServedFile> | undefined;
  #loading: Promise<ReadonlyMap<string, ServedFile>> | undefined;

  /** Loads nothing yet. */
  constructor(bodies: CodedBodies) {
    this.#bodies = bodies;
  }

  /** `GET /` */
  page(exchange: HttpExchange): void | Promise<void> {
    return this.#serve(exchange, "");
  }

  /** `GET /page/*` */
  file(exchange: HttpExchange): void | Promise<void> {
    const { params, request } = exchange;
    const name = decoder.decode(request.bytes.subarray(params.start(0), params.end(0)));
    // The one without a name is the page, which is elsewhere.
    return this.#serve(exchange, name === "" ? NO_FILE : name);
  }

  #serve(exchange: HttpExchange, name: string): void | Promise<void> {
    return this.#files === undefined
      ? this.#serveLater(exchange, name)
      : this.#send(exchange, this.#files.get(name));
  }

  async #serveLater(exchange: HttpExchange, name: string): Promise<void> {
    this.#files = await (this.#loading ??= loadFiles());
    await this.#send(exchange, this.#files.get(name));
  }

  #send(exchange: HttpExchange, file: ServedFile | undefined): void | Promise<void> {
    if (file === undefined) throw new HttpError(404, "not_found", "", SAFETY_LINES);
    // They have no date: conditions on one are met by none.
    const validators = { etag: file.etag, lastModifiedMs: NaN };
    switch (evaluatePreconditions(exchange.request, validators, exchange.nowMs)) {
      case Precondition.NOT_MODIFIED:
        return exchange.send(file.notModified);
      case Precondition.FAILED:
        throw new HttpError(412, "precondition_failed", "", SAFETY_LINES);
    }
    return this.#bodies.send(exchange, file.type, file.body, true);
  }
}

async function loadFiles(): Promise<ReadonlyMap<string, ServedFile>> {
  const { PAGE_FILES } = await import("./page_files.ts");
  return new Map(PAGE_FILES.map(({ name, type, text }) => {
    const body = encoder.encode(text);
    murmur64(body, 0, body.length, 0, hash);
    // Weak, as each coding has other bytes.
    const etag = `W/"${(hash.hi >>> 0).toString(36)}${(hash.lo >>> 0).toString(36)}"`;
    const lines = `ETag: ${etag}\r\nCache-Control: no-cache\r\n`;
    return [name, {
      body,
      // The line's end is written behind it.
      type: encodeText(`${type}\r\n${lines}${SAFETY_LINES}`.trimEnd()),
      etag,
      notModified: new PreparedReply(304, `${lines}Vary: Accept-Encoding\r\n${SAFETY_LINES}`),
    }];
  }));
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const hash = new Int64();
