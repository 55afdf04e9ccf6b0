/**
 * Replies with a body of bytes that are kept to be sent again.
 *
 * @module
 */

import type { ByteWriter } from "../../base/bytes.ts";
import type { WrittenReply } from "./canned_reply.ts";
import { encodeText } from "./characters.ts";
import { CONNECTION_LINES, Disposition } from "./disposition.ts";
import { DATE_BYTES, type ReplyDate } from "./reply_date.ts";
import { statusLine } from "./status_line.ts";

const DATE_NAME = encodeText("Date: ");
const LINE_END = encodeText("\r\n");

/**
 * A reply encoded once, so that sending it is one copy.
 *
 * Unlike a `CannedReply`, which may be small and has a copy for each way to treat the connection,
 * it has one, and the lines that are not always there go in behind the date:
 *
 * ```text
 * HTTP/1.1 200 OK\r\nDate: …\r\n │ ETag: "1f-a"\r\nContent-Length: 5\r\n\r\n │ hello
 *                                ↑ Connection and others                     ↑ bodyStart
 * ```
 *
 * Thread: one I/O thread; the date inside is brought up to date when the reply is sent.
 */
export class PreparedReply implements WrittenReply {
  /** See {@link WrittenReply.status}. */
  readonly status: number;
  /** See {@link WrittenReply.bodyBytes}. */
  readonly bodyBytes: number;
  /** Head and body. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where the body begins. */
  readonly bodyStart: number;

  readonly #dateStart: number;
  #second = -1;

  /**
   * Encodes a reply.
   *
   * @param lines whole header lines, those that describe the body among them
   * @param bodyBytes length of the body; {@link PreparedReply.body} is there to be filled
   */
  constructor(status: number, lines: string, bodyBytes = 0) {
    this.status = status;
    this.bodyBytes = bodyBytes;
    const line = statusLine(status);
    const rest = encodeText(`${lines}\r\n`);
    this.#dateStart = line.length + DATE_NAME.length;
    this.bodyStart = this.#afterDate + rest.length;
    const bytes = this.bytes = new Uint8Array(this.bodyStart + bodyBytes);
    bytes.set(line);
    bytes.set(DATE_NAME, line.length);
    bytes.set(LINE_END, this.#afterDate - LINE_END.length);
    bytes.set(rest, this.#afterDate);
  }

  /** The body. */
  get body(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(this.bodyStart);
  }

  /** See {@link WrittenReply.write}. */
  write(
    output: ByteWriter,
    date: ReplyDate,
    disposition: Disposition,
    headOnly: boolean,
    extraLines: Uint8Array,
  ): void {
    const { bytes } = this;
    this.#bringUpToDate(date);
    const end = headOnly ? this.bodyStart : bytes.length;
    if (disposition === Disposition.KEEP && extraLines.length === 0) {
      output.copy(bytes, 0, end);
      return;
    }
    const connectionLine = CONNECTION_LINES[disposition]!;
    output.reserve(end + connectionLine.length + extraLines.length);
    output.copy(bytes, 0, this.#afterDate);
    output.copy(connectionLine);
    output.copy(extraLines);
    output.copy(bytes, this.#afterDate, end);
  }

  /**
   * Head and body as one, to be written from where they are; undefined when lines have to be added.
   *
   * Where they wait to be written the date may become that of a later reply.
   */
  wholeBytes(
    date: ReplyDate,
    disposition: Disposition,
    extraLines: Uint8Array,
  ): Uint8Array<ArrayBuffer> | undefined {
    if (disposition !== Disposition.KEEP || extraLines.length > 0) return undefined;
    this.#bringUpToDate(date);
    return this.bytes;
  }

  #bringUpToDate(date: ReplyDate): void {
    if (this.#second === date.second) return;
    this.bytes.set(date.bytes, this.#dateStart);
    this.#second = date.second;
  }

  get #afterDate(): number {
    return this.#dateStart + DATE_BYTES + LINE_END.length;
  }
}
