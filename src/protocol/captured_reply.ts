/**
 * A command's reply, kept for somebody to look at.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { ByteWriter } from "../base/bytes.ts";
import { formatDouble } from "../base/double.ts";
import { Int64 } from "../base/int64.ts";
import type { ByteSource } from "../command/byte_source.ts";
import type { ReplyCode } from "../command/reply_code.ts";
import type { ReplySink } from "../command/reply_sink.ts";

/** Room for more elements than this is given back. */
const KEPT_ELEMENTS = 1024;

/** What a reply is. */
export const ReplyKind = {
  /** Nothing yet. */
  NONE: 0,
  /** Done, or a word. */
  OK: 1,
  /** A refusal: `code` and `detail`. */
  ERROR: 2,
  /** `number`. */
  NUMBER: 3,
  /** No such thing. */
  NIL: 4,
  /** One byte string, element 0. */
  BYTES: 5,
  /** An array, a set or a map, also nested: its byte strings in order are the elements. */
  LIST: 6,
  /** One byte string that is fetched later: {@link CapturedReply.takeSource}. */
  SOURCE: 7,
} as const;

/** One of the values of {@link ReplyKind}. */
export type ReplyKind = (typeof ReplyKind)[keyof typeof ReplyKind];

/**
 * Takes one reply down.
 *
 * Shape: element `i` is `bytes[elementStart(i), elementEnd(i))`. Of the other things that a list may
 * have in it nothing is kept: no route needs them.
 *
 * Thread: one I/O thread.
 */
export class CapturedReply implements ReplySink {
  /** What it is. */
  kind: ReplyKind = ReplyKind.NONE;
  /** Why it was refused. */
  code: ReplyCode | undefined = undefined;
  /** The refusal in the command's own words; empty when the code says it all. */
  detail = "";
  /** The number. */
  readonly number: Int64 = new Int64();
  /** Number of elements. */
  elementCount = 0;

  readonly #content = new ByteWriter(256);
  readonly #ends: number[] = [];
  #source: ByteSource | undefined = undefined;

  /** Forgets everything; see {@link ByteWriter.clear} for `keepBytes`. */
  clear(keepBytes: number): void {
    this.#releaseSource();
    this.kind = ReplyKind.NONE;
    this.elementCount = 0;
    this.#content.clear(keepBytes);
    if (this.#ends.length > KEPT_ELEMENTS) this.#ends.length = 0;
  }

  /** What the elements are ranges of. */
  get bytes(): Uint8Array {
    return this.#content.bytes;
  }

  /** First byte of element `index`. */
  elementStart(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }

  /** Behind element `index`. */
  elementEnd(index: number): number {
    return this.#ends[index]!;
  }

  /** See {@link ReplySink}. */
  ok(): void {
    this.#note(ReplyKind.OK);
  }

  /** See {@link ReplySink}. */
  simple(): void {
    this.#note(ReplyKind.OK);
  }

  /** See {@link ReplySink}. */
  error(code: ReplyCode, detail = ""): void {
    this.kind = ReplyKind.ERROR;
    this.code = code;
    this.detail = detail;
  }

  /** See {@link ReplySink}. */
  integer(value: number): void {
    this.#note(ReplyKind.NUMBER);
    this.number.setNumber(value);
  }

  /** See {@link ReplySink}. */
  int64(value: Int64): void {
    this.#note(ReplyKind.NUMBER);
    this.number.copyFrom(value);
  }

  /** See {@link ReplySink}. */
  double(value: number): void {
    this.bulkText(formatDouble(value));
  }

  /** See {@link ReplySink}. */
  nil(): void {
    this.#note(ReplyKind.NIL);
  }

  /** See {@link ReplySink}. */
  nilArray(): void {
    this.#note(ReplyKind.NIL);
  }

  /** See {@link ReplySink}. */
  bulk(bytes: Uint8Array, start: number, end: number): void {
    this.#note(ReplyKind.BYTES);
    this.#content.copy(bytes, start, end);
    this.#endElement();
  }

  /** See {@link ReplySink}. */
  bulkText(text: string): void {
    this.#note(ReplyKind.BYTES);
    this.#content.utf8(text);
    this.#endElement();
  }

  /** See {@link ReplySink}. */
  verbatimText(text: string): void {
    this.bulkText(text);
  }

  /** See {@link ReplySink}. */
  bulkStart(byteCount: number): number {
    this.#note(ReplyKind.BYTES);
    const offset = this.#content.reserve(byteCount);
    this.#content.length += byteCount;
    this.#endElement();
    return offset;
  }

  /** See {@link ReplySink}; in a list, where elements are looked at one by one, it is copied. */
  bulkSource(source: ByteSource): void {
    if (this.kind !== ReplyKind.LIST) {
      this.kind = ReplyKind.SOURCE;
      this.#source = source;
      return;
    }
    const offset = this.bulkStart(source.byteCount);
    source.copyNext(this.target, offset, source.byteCount);
    source.release();
  }

  /** The source; whoever takes it must release it. */
  takeSource(): ByteSource {
    const source = this.#source;
    assert(source !== undefined, "the reply is a source that nobody has taken");
    this.#source = undefined;
    return source;
  }

  /** See {@link ReplySink}. */
  get target(): Uint8Array {
    return this.#content.bytes;
  }

  /** See {@link ReplySink}. */
  arrayStart(): void {
    this.kind = ReplyKind.LIST;
  }

  /** See {@link ReplySink}. */
  setStart(): void {
    this.kind = ReplyKind.LIST;
  }

  /** See {@link ReplySink}. */
  mapStart(): void {
    this.kind = ReplyKind.LIST;
  }

  /** See {@link ReplySink}. */
  pushStart(): void {
    this.kind = ReplyKind.LIST;
  }

  /** See {@link ReplySink}. */
  mark(): number {
    return this.elementCount;
  }

  /** See {@link ReplySink}. */
  rewind(mark: number): void {
    if (this.kind === ReplyKind.SOURCE) this.#releaseSource();
    this.elementCount = mark;
    this.#content.length = mark === 0 ? 0 : this.#ends[mark - 1]!;
    if (mark === 0) this.kind = ReplyKind.NONE;
  }

  #releaseSource(): void {
    this.#source?.release();
    this.#source = undefined;
  }

  #note(kind: ReplyKind): void {
    if (this.kind !== ReplyKind.LIST) this.kind = kind;
  }

  #endElement(): void {
    this.#ends[this.elementCount++] = this.#content.length;
  }
}
