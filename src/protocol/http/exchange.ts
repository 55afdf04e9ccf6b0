/**
 * One request and its reply, as a handler sees them.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import { decimalDigitCount } from "../../base/int64.ts";
import type { TraceLink } from "../../base/trace_link.ts";
import type { ByteSource } from "../../command/byte_source.ts";
import type { ClientOrigin } from "../../command/client_state.ts";
import { ReplyStream } from "../reply_stream.ts";
import type { Session } from "../session.ts";
import type { AsyncByteSource, KeptSource } from "./async_source.ts";
import type { WrittenReply } from "./canned_reply.ts";
import { encodeText } from "./characters.ts";
import { CONNECTION_LINES, Disposition } from "./disposition.ts";
import { DATE_BYTES, type ReplyDate } from "./reply_date.ts";
import type { PreparedReply } from "./prepared_reply.ts";
import type { HttpRequest } from "./request.ts";
import { HttpRequestParser } from "./request_parser.ts";
import type { ClientKey } from "./request_limit.ts";
import { RouteParams } from "./route_params.ts";
import { statusLine } from "./status_line.ts";

const DATE_LINE_START = encodeText("Date: ");
const CONTENT_TYPE_START = encodeText("\r\nContent-Type: ");
const CONTENT_LENGTH_START = encodeText("\r\nContent-Length: ");
const LINE_END = encodeText("\r\n");
const NO_LINES = new Uint8Array(0);
const NO_OUTPUT = new ByteWriter(0);
/** Stands for a client that nothing is known of. */
export const NOBODY: ClientOrigin = { id: 0, connectedAtMs: 0 };

/** Scratch that grew beyond this is given back. Unit: bytes. */
const KEPT_SCRATCH_BYTES = 65536;

/** The same while a client is waited for: as many exchanges are held as there are such clients. */
const WAITING_SCRATCH_BYTES = 1024;

/** Media types of replies, encoded once; more header lines may follow. */
export const ContentType = {
  JSON: encodeText("application/json"),
  TEXT: encodeText("text/plain; charset=utf-8"),
  /** Bytes of a client's; a second line keeps browsers from taking them for a page. */
  OCTETS: encodeText("application/octet-stream\r\nX-Content-Type-Options: nosniff"),
} as const;

/**
 * A request and the means to answer it.
 *
 * A handler answers exactly once, with {@link HttpExchange.send} or another method that begins with
 * `send`, or with {@link HttpExchange.upgrade}, or by throwing an `HttpError`; it may do so after an
 * await. Nothing else of it may be kept.
 *
 * Thread: one I/O thread. A session holds one from a request's first byte to its reply and idle
 * connections hold none.
 */
export class HttpExchange {
  /** Reads the request. */
  readonly parser: HttpRequestParser;
  /** The request. */
  readonly request: HttpRequest;
  /** What the route's parameters matched. */
  readonly params: RouteParams = new RouteParams();
  /** Room to build a body in; empty when the handler is called. */
  readonly scratch: ByteWriter = new ByteWriter(256);
  /** What of the reply is not in the output but follows it. */
  readonly stream: ReplyStream = new ReplyStream();
  /** What happens to the connection behind the reply. */
  disposition: Disposition = Disposition.KEEP;
  /** Whether the reply's body is left out, as for HEAD. */
  headOnly = false;
  /** Header lines that every reply to this request carries, as for its `Origin`; mostly none. */
  commonLines: Uint8Array = NO_LINES;
  /**
   * When the request arrived, in the order of the thread's arrivals; not before the request in front
   * of it on its connection was answered, unless that one's reply was shared.
   */
  arrival = 0;
  /** The latest arrival on the thread when the handler was called. */
  lastArrival = 0;
  /** Who sends it. */
  client: ClientOrigin = NOBODY;
  /** By what {@link RequestLimit} knows them; undefined while there is no limit. */
  clientKey: ClientKey | undefined = undefined;
  /** The request's id, once it has one; see `X-Request-Id`. */
  requestId = "";
  /** When its first byte was seen, by `performance.now()`; 0 when nobody wants to know. Unit: ms. */
  startedAtMs = 0;
  /** Status of the reply, once there is one; 0 = not yet. */
  status = 0;
  /** Length of the reply's body; what HEAD leaves out does not count. */
  bodyBytes = 0;
  /** What of the reply comes from outside of memory and follows the output; mostly nothing. */
  body: AsyncByteSource | undefined = undefined;
  /** What of the reply is in memory and follows the output without a copy; mostly nothing. */
  kept: KeptSource | undefined = undefined;
  /** Goes on with the connection behind the reply; see {@link HttpExchange.upgrade}. */
  successor: Session | undefined = undefined;
  /** What of it is traced; undefined while nothing is. */
  trace: { readonly link: TraceLink | undefined } | undefined = undefined;
  /** Set by a handler that changed nothing and whose reply may answer other requests, too. */
  isShared = false;

  readonly #date: ReplyDate;
  #output: ByteWriter = NO_OUTPUT;
  /** What {@link HttpExchange.stream} sends. */
  #source: ByteSource | undefined = undefined;

  /**
   * Makes an exchange for any connection of the thread.
   *
   * @param maxBodyBytes longest request body
   * @param date the thread's date
   */
  constructor(maxBodyBytes: number, date: ReplyDate) {
    this.parser = new HttpRequestParser(maxBodyBytes);
    this.request = this.parser.request;
    this.#date = date;
  }

  /** The batch's time of day. Unit: ms since the epoch. */
  get nowMs(): number {
    return this.#date.nowMs;
  }

  /** Starts over with a new request. */
  reset(arrival = 0): void {
    this.commonLines = NO_LINES;
    this.arrival = arrival;
    this.isShared = false;
    this.requestId = "";
    this.status = 0;
    this.bodyBytes = 0;
  }

  /** Gets ready for a reply to `output`. */
  begin(output: ByteWriter): void {
    this.#output = output;
    this.headOnly = false;
    if (this.scratch.length > 0) this.scratch.clear(KEPT_SCRATCH_BYTES);
  }

  /** Gives back what is not needed before the rest of the request has come. */
  shrink(): void {
    this.scratch.clear(WAITING_SCRATCH_BYTES);
  }

  /** Lets go of everything that belongs to the connection. */
  release(): void {
    this.#output = NO_OUTPUT;
    this.client = NOBODY;
    this.clientKey = undefined;
    this.trace = undefined;
    this.dropReply();
    this.request.release();
  }

  /** Adds header lines to {@link HttpExchange.commonLines}. */
  addCommonLines(lines: Uint8Array): void {
    const { length } = this.commonLines;
    if (length === 0) {
      this.commonLines = lines;
      return;
    }
    const joined = new Uint8Array(length + lines.length);
    joined.set(this.commonLines);
    joined.set(lines, length);
    this.commonLines = joined;
  }

  /** To be called when the reply ends before its time: what was not sent does not count. */
  noteCutOff(): void {
    const { body, kept } = this;
    const missingBytes = body?.remaining ?? kept?.remaining ?? this.#source?.remaining ?? 0;
    // What is kept may begin with the head.
    this.bodyBytes = Math.max(0, this.bodyBytes - missingBytes);
  }

  /** Forgets whatever the handler wanted to follow the output. */
  dropReply(): void {
    if (this.stream.isPending) this.stream.clear();
    this.#source = undefined;
    this.body?.release();
    this.body = undefined;
    this.kept?.release();
    this.kept = undefined;
    this.successor?.close();
    this.successor = undefined;
  }

  /** Answers with a reply that was encoded in advance. */
  send(reply: WrittenReply): void {
    this.status = reply.status;
    this.bodyBytes = this.headOnly ? 0 : reply.bodyBytes;
    reply.write(this.#output, this.#date, this.disposition, this.headOnly, this.commonLines);
  }

  /**
   * Answers with the bytes `body[start, end)`, which are copied.
   *
   * @param contentType media type, see {@link ContentType}
   * @param extraLines whole header lines to add
   */
  sendBody(
    status: number,
    contentType: Uint8Array,
    body: Uint8Array,
    start = 0,
    end: number = body.length,
    extraLines: Uint8Array = NO_LINES,
  ): void {
    const isBodySent = !this.headOnly;
    this.#writeHead(status, contentType, end - start, isBodySent ? end - start : 0, extraLines);
    if (isBodySent) this.#output.copy(body, start, end);
  }

  /**
   * Answers with the bytes of `source`, which go out as the client takes them; it is the exchange's
   * from now on.
   *
   * @param contentType media type, see {@link ContentType}
   */
  sendSource(status: number, contentType: Uint8Array, source: ByteSource): void {
    this.#writeHead(status, contentType, source.byteCount, 0, NO_LINES);
    if (this.headOnly) source.release();
    else this.stream.insert(this.#source = source, this.#output);
  }

  /**
   * Answers with the bytes of `source`, which are fetched as the client takes them; it is the
   * exchange's from now on.
   *
   * @param contentType media type, see {@link ContentType}
   * @param extraLines whole header lines to add
   */
  sendAsync(
    status: number,
    contentType: Uint8Array,
    source: AsyncByteSource,
    extraLines: Uint8Array = NO_LINES,
  ): void {
    this.#writeHead(status, contentType, source.byteCount, 0, extraLines);
    if (this.headOnly || source.byteCount === 0) source.release();
    else this.body = source;
  }

  /**
   * Answers with the bytes of `source`, which are written from where they are; it is the exchange's
   * from now on.
   *
   * @param contentType media type, see {@link ContentType}
   * @param extraLines whole header lines to add
   */
  sendKept(
    status: number,
    contentType: Uint8Array,
    source: KeptSource,
    extraLines: Uint8Array = NO_LINES,
  ): void {
    this.#writeHead(status, contentType, source.byteCount, 0, extraLines);
    if (this.headOnly || source.byteCount === 0) source.release();
    else this.kept = source;
  }

  /** What {@link HttpExchange.sendWhole} may send; undefined when `reply` has to be sent in parts. */
  wholeBytes(reply: PreparedReply): Uint8Array<ArrayBuffer> | undefined {
    if (this.headOnly) return undefined;
    return reply.wholeBytes(this.#date, this.disposition, this.commonLines);
  }

  /**
   * Answers with a reply that is written from where it is, head and all.
   *
   * @param source of {@link HttpExchange.wholeBytes}; it is the exchange's from now on
   */
  sendWhole({ status, bodyBytes }: PreparedReply, source: KeptSource): void {
    this.status = status;
    this.bodyBytes = bodyBytes;
    this.kept = source;
  }

  /**
   * Answers with a head only, and leaves the connection to `successor`: for protocols that begin
   * with a request, and bodies without an end.
   *
   * @param lines whole header lines, `Connection` among them
   */
  upgrade(status: number, lines: Uint8Array, successor: Session): void {
    const output = this.#output;
    this.status = status;
    output.copy(statusLine(status));
    output.copy(DATE_LINE_START);
    output.copy(this.#date.bytes);
    output.copy(LINE_END);
    output.copy(lines);
    if (this.commonLines.length > 0) output.copy(this.commonLines);
    output.copy(LINE_END);
    this.successor = successor;
  }

  /**
   * Writes everything in front of the body.
   *
   * @param bodyBytes length of the body
   * @param roomBytes room to make behind the head
   */
  #writeHead(
    status: number,
    contentType: Uint8Array,
    bodyBytes: number,
    roomBytes: number,
    extraLines: Uint8Array,
  ): void {
    const output = this.#output;
    const { commonLines } = this;
    this.status = status;
    this.bodyBytes = this.headOnly ? 0 : bodyBytes;
    const connectionLine = CONNECTION_LINES[this.disposition]!;
    const line = statusLine(status);
    const headBytes = line.length + connectionLine.length + DATE_LINE_START.length + DATE_BYTES +
      CONTENT_TYPE_START.length + contentType.length + CONTENT_LENGTH_START.length +
      decimalDigitCount(bodyBytes) + extraLines.length + commonLines.length + 2 * LINE_END.length;
    // One growth at most, however large the body is.
    output.reserve(headBytes + roomBytes);
    output.copy(line);
    output.copy(connectionLine);
    output.copy(DATE_LINE_START);
    output.copy(this.#date.bytes);
    output.copy(CONTENT_TYPE_START);
    output.copy(contentType);
    output.copy(CONTENT_LENGTH_START);
    output.integer(bodyBytes);
    output.copy(LINE_END);
    if (extraLines.length > 0) output.copy(extraLines);
    if (commonLines.length > 0) output.copy(commonLines);
    output.copy(LINE_END);
  }

  /**
   * Answers with {@link HttpExchange.scratch} as a JSON body.
   *
   * @param extraLines whole header lines to add
   */
  sendScratch(status: number, extraLines: Uint8Array = NO_LINES): void {
    const { bytes, length } = this.scratch;
    this.sendBody(status, ContentType.JSON, bytes, 0, length, extraLines);
  }

  /**
   * Answers with an error that is not worth encoding in advance:
   * `{"status":"error","reason":…,"detail":…}`.
   *
   * @param detail words for people; left out when empty
   * @param extraLines whole header lines to add
   */
  sendError(
    status: number,
    reason: string,
    detail = "",
    extraLines: Uint8Array = NO_LINES,
  ): void {
    const content = detail === ""
      ? { status: "error", reason }
      : { status: "error", reason, detail };
    this.scratch.clear(KEPT_SCRATCH_BYTES);
    this.scratch.utf8(JSON.stringify(content));
    this.sendScratch(status, extraLines);
  }
}
