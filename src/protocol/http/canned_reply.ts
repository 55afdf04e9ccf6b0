/**
 * Replies that never change but for their date.
 *
 * @module
 */

import type { ByteWriter } from "../../base/bytes.ts";
import { encodeText } from "./characters.ts";
import { CONNECTION_LINES, type Disposition } from "./disposition.ts";
import { DATE_BYTES, type ReplyDate } from "./reply_date.ts";
import { statusLine } from "./status_line.ts";

/** CR LF at the end of a head. */
const EMPTY_LINE_BYTES = 2;

/** What a {@link CannedReply} says. */
export interface CannedReplyContent {
  /** Status code. */
  readonly status: number;
  /** Body, as text; none when left out. */
  readonly body?: string;
  /** Media type of the body; `application/json` when left out. */
  readonly contentType?: string;
  /** Further header lines, e.g. `[["Retry-After", "1"]]`. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/**
 * A reply that only has to be copied.
 *
 * Thread: one I/O thread.
 */
export interface WrittenReply {
  /** Its status code. */
  readonly status: number;
  /** Length of its body. Unit: bytes. */
  readonly bodyBytes: number;
  /**
   * Appends the reply to `output`.
   *
   * @param headOnly leaves the body out, as the answer to HEAD does
   * @param extraLines whole header lines to add; mostly none
   */
  write(
    output: ByteWriter,
    date: ReplyDate,
    disposition: Disposition,
    headOnly: boolean,
    extraLines: Uint8Array,
  ): void;
}

/**
 * A reply encoded in advance, once for every way to treat the connection, so that sending it is one
 * copy.
 *
 * Shape: `HTTP/1.1 202 Accepted\r\nDate: …\r\nContent-Type: application/json\r\n
 * Content-Length: 21\r\n\r\n{"status":"accepted"}`.
 *
 * Thread: one I/O thread; the date inside is brought up to date when the reply is sent.
 */
export class CannedReply implements WrittenReply {
  /** Its status code. */
  readonly status: number;
  /** Length of its body. */
  readonly bodyBytes: number;

  readonly #variants: Variant[];

  /** Encodes `content`. */
  constructor(content: CannedReplyContent) {
    this.#variants = CONNECTION_LINES.map((line) => new Variant(content, line));
    this.status = content.status;
    this.bodyBytes = encodeText(content.body ?? "").length;
  }

  /**
   * Appends the reply to `output`.
   *
   * @param headOnly leaves the body out, as the answer to HEAD does
   * @param extraLines whole header lines to add; mostly none
   */
  write(
    output: ByteWriter,
    date: ReplyDate,
    disposition: Disposition,
    headOnly: boolean,
    extraLines: Uint8Array,
  ): void {
    const variant = this.#variants[disposition]!;
    if (variant.second !== date.second) variant.setDate(date);
    const { bytes } = variant;
    const end = headOnly ? variant.bodyStart : bytes.length;
    if (extraLines.length === 0) {
      output.copy(bytes, 0, end);
      return;
    }
    const lastLine = variant.bodyStart - EMPTY_LINE_BYTES;
    output.copy(bytes, 0, lastLine);
    output.copy(extraLines);
    output.copy(bytes, lastLine, end);
  }
}

class Variant {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly bodyStart: number;
  second = -1;
  readonly #dateStart: number;

  constructor(content: CannedReplyContent, connectionLine: Uint8Array) {
    const { status, body, contentType = "application/json", headers = [] } = content;
    const parts: Uint8Array[] = [
      statusLine(status),
      encodeText("Date: "),
      new Uint8Array(DATE_BYTES),
      encodeText("\r\n"),
      connectionLine,
    ];
    for (const [name, value] of headers) parts.push(encodeText(`${name}: ${value}\r\n`));
    const bodyBytes = encodeText(body ?? "");
    if (body !== undefined) {
      parts.push(encodeText(`Content-Type: ${contentType}\r\n`));
    }
    // 204 must not have the field; everything else without a body needs it.
    if (status !== 204) parts.push(encodeText(`Content-Length: ${bodyBytes.length}\r\n`));
    parts.push(encodeText("\r\n"));
    this.bodyStart = parts.reduce((sum, part) => sum + part.length, 0);
    this.#dateStart = parts[0]!.length + parts[1]!.length;
    this.bytes = new Uint8Array(this.bodyStart + bodyBytes.length);
    let at = 0;
    for (const part of [...parts, bodyBytes]) {
      this.bytes.set(part, at);
      at += part.length;
    }
  }

  setDate(date: ReplyDate): void {
    this.bytes.set(date.bytes, this.#dateStart);
    this.second = date.second;
  }
}
