/**
 * Writes replies as RESP2 or RESP3.
 *
 * @module
 */

import { ByteWriter } from "../../base/bytes.ts";
import type { ClientMemory } from "../../base/client_memory.ts";
import { formatDouble } from "../../base/double.ts";
import { formatInt64, type Int64, INT64_MAX_DECIMAL_BYTES, writeDigits } from "../../base/int64.ts";
import { copyBytes } from "../../base/shared_copy.ts";
import type { ByteSource } from "../../command/byte_source.ts";
import type { ClientState } from "../../command/client_state.ts";
import type { ReplyCode } from "../../command/reply_code.ts";
import type { ReplySink } from "../../command/reply_sink.ts";
import type { ReplySource } from "../../command/reply_source.ts";
import { ReplyStream } from "../reply_stream.ts";
import { OUTPUT_PAUSE_BYTES } from "../session.ts";
import { ERROR_TEXTS } from "./error_texts.ts";

const COMMA = 0x2c;
const GREATER = 0x3e;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const DOLLAR = 0x24;
const PERCENT = 0x25;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const COLON = 0x3a;
const EQUALS = 0x3d;
const UNDERSCORE = 0x5f;
const TILDE = 0x7e;

/** A byte string of at most so many bytes is written in one go; less than 100. */
const SHORT_BULK_BYTES = 24;

/** Most bytes of a header line: type, 16 digits of a safe integer, line end. */
const MAX_HEADER_BYTES = 19;

/**
 * A reply sink that appends to a connection's output.
 *
 * The version is the client's and may change between two replies (`HELLO`).
 *
 * Thread: belongs to one connection.
 *
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class RespSink implements ReplySink {
  /** Where replies are appended; set before each batch. */
  output: ByteWriter = NO_OUTPUT;
  /** What of the replies is not in the output but comes in between. */
  readonly stream: ReplyStream;

  /** Decides the version, and is told of errors. */
  client: ClientState;

  /**
   * Makes a sink; {@link RespSink.output} must be set before the first reply.
   *
   * @param client decides the version
   * @param memory lends what has to be kept of a reply that goes out piece by piece
   */
  constructor(client: ClientState, memory?: ClientMemory) {
    this.client = client;
    this.stream = new ReplyStream(memory);
  }

  /** Lets go of its output. */
  rest(): void {
    this.output = NO_OUTPUT;
  }

  /** The output's backing array. */
  get target(): Uint8Array {
    return this.output.bytes;
  }

  /** See {@link ReplySink.isFull}. */
  get isFull(): boolean {
    return this.output.length >= OUTPUT_PAUSE_BYTES;
  }

  /** See {@link ReplySink.isLost}. */
  get isLost(): boolean {
    return this.output.isOver;
  }

  /** See {@link ReplySink.isBehindOthers}; good as long as the command has not replied. */
  get isBehindOthers(): boolean {
    return this.output.length > 0;
  }

  /** `+OK` */
  ok(): void {
    const output = this.output;
    let at = output.reserve(5);
    const bytes = output.bytes;
    bytes[at++] = PLUS;
    bytes[at++] = 0x4f;
    bytes[at++] = 0x4b;
    bytes[at++] = CARRIAGE_RETURN;
    bytes[at++] = LINE_FEED;
    output.length = at;
  }

  /** `+PONG` */
  simple(word: string): void {
    this.output.byte(PLUS);
    this.output.ascii(word);
    this.#lineEnd();
  }

  /** `-ERR syntax error` */
  error(code: ReplyCode, detail?: string): void {
    this.client.lastError = code;
    const { prefix, text } = ERROR_TEXTS[code]!;
    this.output.byte(MINUS);
    this.output.ascii(prefix);
    this.output.byte(0x20);
    this.output.ascii(detail ?? text);
    this.#lineEnd();
  }

  /** `-ERR Protocol error: invalid bulk length` */
  protocolError(text: string): void {
    this.output.ascii("-ERR Protocol error: ");
    this.output.ascii(text);
    this.#lineEnd();
  }

  /** `:17` */
  integer(value: number): void {
    if (value < 0) {
      this.output.byte(COLON);
      this.output.integer(value);
      this.#lineEnd();
    } else {
      this.#header(COLON, value);
    }
  }

  /** `:9223372036854775807` */
  int64(value: Int64): void {
    const output = this.output;
    let at = output.reserve(INT64_MAX_DECIMAL_BYTES + 3);
    const bytes = output.bytes;
    bytes[at++] = COLON;
    at += formatInt64(value.hi, value.lo, bytes, at);
    bytes[at++] = CARRIAGE_RETURN;
    bytes[at++] = LINE_FEED;
    output.length = at;
  }

  /** `$-1`, in version 3 `_` */
  nil(): void {
    const output = this.output;
    if (this.client.protocol === 3) {
      output.byte(UNDERSCORE);
    } else {
      output.byte(DOLLAR);
      output.byte(MINUS);
      output.byte(0x31);
    }
    this.#lineEnd();
  }

  /** `$3`, the digits; in version 3 `,1.5` */
  double(value: number): void {
    const text = formatDouble(value);
    if (this.client.protocol === 3) {
      this.output.byte(COMMA);
    } else {
      this.#header(DOLLAR, text.length);
    }
    this.output.ascii(text);
    this.#lineEnd();
  }

  /** `*-1`, in version 3 `_` */
  nilArray(): void {
    const output = this.output;
    if (this.client.protocol === 3) {
      output.byte(UNDERSCORE);
    } else {
      output.byte(STAR);
      output.byte(MINUS);
      output.byte(0x31);
    }
    this.#lineEnd();
  }

  /** `$3`, the bytes */
  bulk(bytes: Uint8Array, start: number, end: number): void {
    const byteCount = end - start;
    if (byteCount > SHORT_BULK_BYTES) {
      this.#header(DOLLAR, byteCount);
      this.output.copy(bytes, start, end);
      this.#lineEnd();
      return;
    }
    // Replies with many elements are made of these: room for all of it is made once.
    const output = this.output;
    let at = output.reserve(byteCount + 7);
    const target = output.bytes;
    target[at++] = DOLLAR;
    const tens = (byteCount / 10) | 0;
    if (tens > 0) target[at++] = 0x30 + tens;
    target[at++] = 0x30 + byteCount - tens * 10;
    target[at++] = CARRIAGE_RETURN;
    target[at++] = LINE_FEED;
    copyBytes(bytes, start, end, target, at);
    at += byteCount;
    target[at++] = CARRIAGE_RETURN;
    target[at++] = LINE_FEED;
    output.length = at;
  }

  /** `$3`, the text's bytes */
  bulkText(text: string): void {
    const bytes = encoder.encode(text);
    this.bulk(bytes, 0, bytes.length);
  }

  /** `$n`, the text; in version 3 `=n`, `txt:`, the text */
  verbatimText(text: string): void {
    if (this.client.protocol !== 3) return this.bulkText(text);
    const bytes = encoder.encode(text);
    this.#header(EQUALS, bytes.length + 4);
    this.output.ascii("txt:");
    this.output.copy(bytes);
    this.#lineEnd();
  }

  /** `$n`, room, line end */
  bulkStart(byteCount: number): number {
    this.#header(DOLLAR, byteCount);
    const output = this.output;
    const offset = output.reserve(byteCount + 2);
    const bytes = output.bytes;
    bytes[offset + byteCount] = CARRIAGE_RETURN;
    bytes[offset + byteCount + 1] = LINE_FEED;
    output.length = offset + byteCount + 2;
    return offset;
  }

  /** `$n`, the source's bytes when there is room for them, line end */
  bulkSource(source: ByteSource): void {
    this.#header(DOLLAR, source.byteCount);
    this.stream.insert(source, this.output);
    this.#lineEnd();
  }

  /** What the source writes, when there is room for it */
  replySource(source: ReplySource): void {
    this.stream.insertReplies(source, this, this.output);
  }

  /** `*3` */
  arrayStart(elementCount: number): void {
    this.#header(STAR, elementCount);
  }

  /** `*3`, in version 3 `~3` */
  setStart(elementCount: number): void {
    this.#header(this.client.protocol === 3 ? TILDE : STAR, elementCount);
  }

  /** `*6`, in version 3 `%3` */
  mapStart(pairCount: number): void {
    if (this.client.protocol === 3) this.#header(PERCENT, pairCount);
    else this.#header(STAR, pairCount * 2);
  }

  /** `*3`, in version 3 `>3` */
  pushStart(elementCount: number): void {
    this.#header(this.client.protocol === 3 ? GREATER : STAR, elementCount);
  }

  /** The output's length. */
  mark(): number {
    return this.output.length;
  }

  /** Cuts the output. */
  rewind(mark: number): void {
    this.output.length = mark;
    if (mark <= this.output.keptBytes) this.output.isOver = false;
    if (this.stream.isPending) this.stream.rewind(mark);
  }

  /** Type byte, a non-negative safe integer, line end. */
  #header(type: number, value: number): void {
    const output = this.output;
    let at = output.reserve(MAX_HEADER_BYTES);
    const bytes = output.bytes;
    bytes[at++] = type;
    if (value < 10) {
      bytes[at++] = 0x30 + value;
    } else {
      at = writeDigits(value, bytes, at);
    }
    bytes[at++] = CARRIAGE_RETURN;
    bytes[at++] = LINE_FEED;
    output.length = at;
  }

  #lineEnd(): void {
    const output = this.output;
    let at = output.reserve(2);
    const bytes = output.bytes;
    bytes[at++] = CARRIAGE_RETURN;
    bytes[at++] = LINE_FEED;
    output.length = at;
  }
}

const encoder = new TextEncoder();
const NO_OUTPUT = new ByteWriter(0);
