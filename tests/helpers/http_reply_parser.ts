/**
 * Takes HTTP replies apart, strictly: for tests that want every reply well-formed, whatever was
 * asked.
 *
 * @module
 */

/** One reply. */
export interface ParsedHttpReply {
  /** Status code. */
  readonly status: number;
  /** Headers by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** The body, chunks put together; one character per byte. */
  readonly body: string;
}

/** What the parser knows of the requests. */
export interface HttpReplyContext {
  /** A request may have been `HEAD`, whose reply announces a body that does not come. */
  readonly headPossible: boolean;
  /** The connection was reset, so the last reply may be cut off. */
  readonly cutOff: boolean;
}

const STRICT: HttpReplyContext = { headPossible: false, cutOff: false };

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [A-Za-z][A-Za-z '-]*$/;
const HEADER_LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\x21-\x7e\x80-\xff](?:.*[\x21-\x7e\x80-\xff])?)?$/;
const DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;
// deno-lint-ignore no-control-regex -- they are what must not be there
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Says what is wrong with a reply, and where. */
export class MalformedReply extends Error {
  /** Made by the parsers of replies. */
  constructor(problem: string, readonly offset: number, text: string) {
    const place = JSON.stringify(text.slice(offset, offset + 200));
    super(`${problem} at byte ${offset} of ${text.length}: ${place}`);
  }
}

/**
 * Takes everything that a connection received apart.
 *
 * @param text one character per byte
 * @throws {MalformedReply} when anything is not as RFC 9112 and RFC 9110 want it
 */
export function parseHttpReplies(
  text: string,
  context: HttpReplyContext = STRICT,
): ParsedHttpReply[] {
  return new HttpReplyParser(text, context).parseAll();
}

interface Head {
  readonly status: number;
  readonly headers: Map<string, string>;
  /** Behind the empty line. */
  readonly end: number;
}

class HttpReplyParser {
  readonly #text: string;
  readonly #context: HttpReplyContext;

  constructor(text: string, context: HttpReplyContext) {
    this.#text = text;
    this.#context = context;
  }

  parseAll(): ParsedHttpReply[] {
    const replies: ParsedHttpReply[] = [];
    let at = 0;
    while (at < this.#text.length) {
      const last = replies.at(-1);
      if (last !== undefined && closes(last)) this.#fail("a reply behind one that closes", at);
      if (this.#isCutOff(at)) return replies;
      const head = this.#head(at);
      const { body, end } = this.#body(head);
      if (end > this.#text.length) {
        if (this.#context.cutOff) return replies;
        this.#fail("a body that is cut off", head.end);
      }
      this.#checkContent(head, body);
      replies.push({ status: head.status, headers: head.headers, body });
      at = end;
    }
    return replies;
  }

  #isCutOff(at: number): boolean {
    return this.#context.cutOff && !this.#text.includes("\r\n\r\n", at);
  }

  #head(start: number): Head {
    const headEnd = this.#text.indexOf("\r\n\r\n", start);
    if (headEnd < 0) this.#fail("a head without an end", start);
    const lines = this.#text.slice(start, headEnd).split("\r\n");
    const status = Number(STATUS_LINE.exec(lines[0]!)?.[1] ?? this.#fail("no status line", start));
    const headers = new Map<string, string>();
    for (const line of lines.slice(1)) {
      const match = HEADER_LINE.exec(line);
      if (match === null || CONTROLS.test(line)) this.#fail(`header line ${line}`, start);
      const name = match[1]!.toLowerCase();
      if (headers.has(name)) this.#fail(`${name} twice`, start);
      headers.set(name, match[2] ?? "");
    }
    this.#checkHeaders(status, headers, start);
    return { status, headers, end: headEnd + 4 };
  }

  #checkHeaders(status: number, headers: Map<string, string>, at: number): void {
    const length = headers.get("content-length");
    const coding = headers.get("transfer-encoding");
    if (length !== undefined && coding !== undefined) this.#fail("two kinds of length", at);
    if (status < 200 || status === 204) {
      if (length !== undefined || coding !== undefined) this.#fail(`${status} with a length`, at);
    } else if (status !== 304 && length === undefined && coding === undefined) {
      this.#fail("no length", at);
    }
    if (length !== undefined && !/^(0|[1-9]\d{0,14})$/.test(length)) this.#fail("length", at);
    if (coding !== undefined && coding !== "chunked") this.#fail("a transfer coding", at);
    const date = headers.get("date");
    if (date !== undefined && !DATE.test(date)) this.#fail("a date", at);
    if (status === 405 && !headers.has("allow")) this.#fail("405 without Allow", at);
    const connection = headers.get("connection");
    if (connection !== undefined && !/^(close|keep-alive|upgrade)$/i.test(connection)) {
      this.#fail("a connection option", at);
    }
  }

  #body({ status, headers, end }: Head): { body: string; end: number } {
    if (status < 200 || status === 204 || status === 304) return { body: "", end };
    if (headers.has("transfer-encoding")) return this.#chunks(end);
    const byteCount = Number(headers.get("content-length"));
    const bodyEnd = end + byteCount;
    if (byteCount > 0 && this.#context.headPossible && this.#isBoundary(end)) {
      return { body: "", end };
    }
    return { body: this.#text.slice(end, bodyEnd), end: bodyEnd };
  }

  /** Whether the next reply, or the end, is here; no body of ours begins like a reply. */
  #isBoundary(at: number): boolean {
    return at === this.#text.length || this.#text.startsWith("HTTP/1.1 ", at);
  }

  #chunks(start: number): { body: string; end: number } {
    let body = "";
    let at = start;
    for (;;) {
      const lineEnd = this.#text.indexOf("\r\n", at);
      const line = this.#text.slice(at, lineEnd);
      if (lineEnd < 0) return { body, end: Infinity };
      if (!/^(0|[1-9a-f][0-9a-f]{0,7})$/i.test(line)) this.#fail("a chunk size", at);
      const byteCount = parseInt(line, 16);
      const chunkEnd = lineEnd + 2 + byteCount;
      body += this.#text.slice(lineEnd + 2, chunkEnd);
      if (chunkEnd + 2 > this.#text.length) return { body, end: Infinity };
      if (this.#text.slice(chunkEnd, chunkEnd + 2) !== "\r\n") {
        this.#fail("a chunk's end", chunkEnd);
      }
      at = chunkEnd + 2;
      if (byteCount === 0) return { body, end: at };
    }
  }

  #checkContent({ status, headers, end }: Head, body: string): void {
    if (body.length === 0) return;
    const type = headers.get("content-type");
    if (type === undefined) this.#fail(`a body of ${status} without a type`, end);
    if (!type.startsWith("application/json")) return;
    try {
      JSON.parse(body);
    } catch {
      this.#fail("a body that is not JSON", end);
    }
  }

  #fail(problem: string, offset: number): never {
    throw new MalformedReply(problem, offset, this.#text);
  }
}

function closes({ headers }: ParsedHttpReply): boolean {
  return headers.get("connection")?.toLowerCase() === "close";
}
